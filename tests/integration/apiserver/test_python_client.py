"""The official Python client, unchanged, against the API server: HTTPS, client certificates, both storages.

The client blocks, so the server runs in a thread. One server serves all tests of a storage; each test has a namespace of its
own, and names of its own for what is in none. The client's models check every answer: a required field that is missing, or one
of another type, fails where it is read; `whole` also finds fields that the models do not know.
"""

from __future__ import annotations

import json
import queue
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, dynamic, utils, watch
from kubernetes.client import ApiException
from kubernetes.informer import SharedInformer
from kubernetes.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock
from kubernetes.stream import portforward, stream

from apimachinery import protection
from apimachinery.resources import API_SERVICES, CUSTOM_RESOURCE_DEFINITIONS, IP_ADDRESSES, NAMESPACES, TABLE, Resource
from apiserver.app import Settings
from apiserver.storage.etcd import EtcdStorage
from apiserver.storage.memory import MemoryStorage
from tests.support.served_objects import OBJECTS, QUESTIONS, named
from tests.support.threaded_apiserver import Threaded, threaded_api_server
from tests.support.typed_client import Typed, configured, whole

WAIT_S = 20
HISTORY_CHANGES = 64
MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
STRATEGIC, APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
V4 = "v4.channel.k8s.io"
GUESTBOOK = Path(__file__).parents[3] / "examples" / "guestbook" / "app.yaml"
POD = {"containers": [{"name": "c", "image": "registry.local/busybox:1"}]}


@pytest.fixture(scope="module", params=("memory", "etcd"))
def threaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Threaded]:
    storage: Callable[[], Any] = MemoryStorage
    if request.param == "etcd":
        endpoint = request.getfixturevalue("shared_etcd").endpoint
        storage = lambda: EtcdStorage([endpoint])  # noqa: E731
    settings = Settings(prefix=f"/registry-{uuid.uuid4()}", watch_history_changes=HISTORY_CHANGES)
    with threaded_api_server(tmp_path_factory.mktemp("python-client"), storage=storage, settings=settings) as threaded:
        yield threaded


@pytest.fixture(scope="module")
def api(threaded: Threaded) -> Iterator[client.ApiClient]:
    made = configured(threaded.server)
    assert made.configuration.client_side_validation
    yield made
    made.close()


@pytest.fixture
def core(api: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(api)


@pytest.fixture
def apps(api: client.ApiClient) -> client.AppsV1Api:
    return client.AppsV1Api(api)


@pytest.fixture
def namespace(core: client.CoreV1Api) -> str:
    """A namespace of the test's own."""
    name = f"t{uuid.uuid4().hex[:10]}"
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
    return name


@pytest.fixture
def pod(core: client.CoreV1Api, threaded: Threaded, namespace: str) -> str:
    """A pod on a node whose kubelet is the fake one."""
    core.create_node(client.V1Node(metadata=client.V1ObjectMeta(name=namespace)))
    port = {"kubeletEndpoint": {"Port": threaded.kubelet_port}}
    status = {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}], "daemonEndpoints": port}
    core.patch_node_status(namespace, {"status": status}, _content_type=MERGE)
    core.create_namespaced_pod(namespace, {"metadata": {"name": "p"}, "spec": {**POD, "nodeName": namespace}})
    return "p"


def body_of(error: ApiException) -> Any:
    """The Status that an exception carries."""
    return json.loads(error.body)


def test_every_row_is_tried() -> None:
    assert {row for row, _ in (*OBJECTS, *QUESTIONS)} == set(TABLE.rows)


ALIKE = [(row, plain) for row, plain in OBJECTS if row is not CUSTOM_RESOURCE_DEFINITIONS]
"""Kinds whose objects do nothing by themselves; definitions are tried in test_custom_python_client."""


@pytest.mark.parametrize(("row", "plain"), ALIKE, ids=[f"{row.plural}-{row.version}" for row, _ in ALIKE])
def test_life_of_an_object(api: client.ApiClient, namespace: str, row: Resource, plain: dict[str, Any]) -> None:
    typed = Typed(api, row, namespace)
    name = f"x-{namespace}"
    if row is IP_ADDRESSES:
        name = f"10.77.{int(namespace[1:3], 16)}.{int(namespace[3:5], 16)}"
    if row is API_SERVICES:
        name = "v1.x.example.com"
    manifest = named(row, plain, name, namespace)
    tried = typed("create", manifest, dry_run="All")
    assert tried.metadata.uid
    with pytest.raises(client.exceptions.NotFoundException):
        typed("read", name)

    created = typed("create", manifest, field_validation="Strict")
    assert (created.api_version, created.kind, created.metadata.name) == (row.api_version, row.kind, name)
    read = whole(api, typed, name)
    assert read == created
    assert typed("replace", name, read).metadata.resource_version == created.metadata.resource_version
    read.metadata.labels = {**(read.metadata.labels or {}), "by": "replace"}
    assert typed("replace", name, read, field_manager="test").metadata.labels["by"] == "replace"

    _patch_in_every_way(typed, row, name, namespace)
    listed = typed("list", label_selector="by=replace,strategic", field_selector=f"metadata.name={name}")
    assert [each.metadata.uid for each in listed.items] == [created.metadata.uid]
    assert (listed.kind, listed.api_version) == (f"{row.kind}List", row.api_version)
    if "status" in row.subresources:
        assert typed("replace/status", name, typed("read/status", name)).metadata.uid == created.metadata.uid

    typed("delete", name, propagation_policy="Background", grace_period_seconds=0)
    if row is NAMESPACES:
        core = client.CoreV1Api(api)
        ending = core.read_namespace(name)
        assert (ending.status.phase, ending.metadata.deletion_timestamp is not None) == ("Terminating", True)
        ending.spec.finalizers = []
        core.replace_namespace_finalize(name, ending)
    _release(typed, row, name)
    with pytest.raises(client.exceptions.NotFoundException):
        typed("read", name)
    _watch_what_happened(typed, row, name, created.metadata.resource_version)
    if row is not NAMESPACES:  # they are deleted one by one
        typed("create", manifest)
        typed("delete_collection", field_selector=f"metadata.name={name}", grace_period_seconds=0)
        _release(typed, row, name)
        assert typed("list", field_selector=f"metadata.name={name}").items == []


def _release(typed: Typed, row: Resource, name: str) -> None:
    """Take from a claim or a volume that is being deleted what keeps it: no controller is there to do it."""
    if row.cls in protection.FINALIZERS:
        assert typed("read", name).metadata.finalizers == [protection.FINALIZERS[row.cls]]
        typed("patch", name, {"metadata": {"finalizers": None}}, _content_type=MERGE)


def _patch_in_every_way(typed: Typed, row: Resource, name: str, namespace: str) -> None:
    strategic = typed("patch", name, {"metadata": {"labels": {"strategic": ""}}}, _content_type=STRATEGIC)
    assert strategic.metadata.labels.items() >= {"by": "replace", "strategic": ""}.items()
    merged = typed("patch", name, {"metadata": {"annotations": {"a": "1", "b": "2"}}}, _content_type=MERGE)
    assert merged.metadata.annotations.items() >= {"a": "1", "b": "2"}.items()
    operations = [
        {"op": "test", "path": "/metadata/annotations/a", "value": "1"},
        {"op": "remove", "path": "/metadata/annotations/a"},
    ]
    assert "a" not in typed("patch", name, operations, _content_type=JSON_PATCH).metadata.annotations
    if row.conversion is not None:
        return  # server-side apply is served in the version that is stored
    applied = named(row, {}, name, namespace)
    applied["metadata"]["labels"] = {"applied": "yes"}
    found = typed("patch", name, applied, _content_type=APPLY, field_manager="applier", force=True)
    assert found.metadata.labels["applied"] == "yes"
    assert [each.manager for each in found.metadata.managed_fields if each.operation == "Apply"] == ["applier"]


def _watch_what_happened(typed: Typed, row: Resource, name: str, since: str) -> None:
    watcher = watch.Watch()
    selected = {"field_selector": f"metadata.name={name}", "resource_version": since, "timeout_seconds": WAIT_S}
    seen = []
    for event in watcher.stream(typed.method("list"), **typed.scope, **selected):
        assert event["object"].kind == row.kind
        seen.append(event["type"])
        if event["type"] == "DELETED":
            watcher.stop()
    assert (set(seen[:-1]), seen[-1]) == ({"MODIFIED"}, "DELETED")


@pytest.mark.parametrize(("row", "plain"), QUESTIONS, ids=[row.plural for row, _ in QUESTIONS])
def test_reviews(api: client.ApiClient, row: Resource, plain: dict[str, Any]) -> None:
    answer = Typed(api, row, "default")("create", {"apiVersion": row.api_version, "kind": row.kind, **plain})
    assert answer.kind == row.kind
    assert answer.status is not None


def test_discovery_and_version(api: client.ApiClient) -> None:
    assert client.VersionApi(api).get_code().git_version.startswith("v1.")
    groups = {each.name for each in client.ApisApi(api).get_api_versions().groups}
    assert groups == {row.group for row in TABLE.rows} - {""}
    assert client.CoreApi(api).get_api_versions().versions == ["v1"]
    found = {each.name: each for each in client.AppsV1Api(api).get_api_resources().resources}
    assert found["deployments/scale"].kind == "Scale"


def test_pages(core: client.CoreV1Api, namespace: str) -> None:
    for index in range(7):
        labels = {"odd": str(index % 2)}
        core.create_namespaced_config_map(namespace, {"metadata": {"name": f"c{index}", "labels": labels}})
    page = core.list_namespaced_config_map(namespace, limit=3)
    assert page.metadata.remaining_item_count == 4
    names = [each.metadata.name for each in page.items]
    while page.metadata._continue:
        page = core.list_namespaced_config_map(namespace, limit=3, _continue=page.metadata._continue)
        names += [each.metadata.name for each in page.items]
    assert names == [f"c{index}" for index in range(7)]
    selected = core.list_config_map_for_all_namespaces(
        label_selector="odd in (1)", field_selector=f"metadata.namespace={namespace}"
    )
    assert len(selected.items) == 3
    with pytest.raises(client.exceptions.BadRequestException):
        core.list_namespaced_config_map(namespace, _continue="nonsense")

    core.delete_collection_namespaced_config_map(namespace, label_selector="odd=1", dry_run="All")
    assert len(core.list_namespaced_config_map(namespace).items) == 7
    gone = core.delete_collection_namespaced_config_map(namespace, label_selector="odd=1")
    assert gone.status is not None or gone.kind == "ConfigMapList"
    assert len(core.list_namespaced_config_map(namespace).items) == 4


def test_watch_resumes(core: client.CoreV1Api, namespace: str) -> None:
    start = core.list_namespaced_config_map(namespace).metadata.resource_version
    for index in range(3):
        core.create_namespaced_config_map(namespace, {"metadata": {"name": f"c{index}"}})
    watcher = watch.Watch()
    for event in watcher.stream(core.list_namespaced_config_map, namespace, resource_version=start):
        assert (event["type"], event["object"].metadata.name) == ("ADDED", "c0")
        watcher.stop()
    resumed = watch.Watch().stream(
        core.list_namespaced_config_map, namespace, resource_version=watcher.resource_version, timeout_seconds=1
    )
    assert [event["object"].metadata.name for event in resumed] == ["c1", "c2"], "and the timeout ends it"


def test_watch_list_begins_with_what_is_there(core: client.CoreV1Api, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "a"}})
    watcher = watch.Watch()
    seen = []
    for event in watcher.stream(
        core.list_namespaced_config_map,
        namespace,
        send_initial_events=True,
        resource_version_match="NotOlderThan",
        allow_watch_bookmarks=True,
        timeout_seconds=WAIT_S,
    ):
        seen.append(event)
        if event["type"] == "BOOKMARK":
            watcher.stop()
    assert [event["type"] for event in seen] == ["ADDED", "BOOKMARK"]
    bookmark = seen[-1]["raw_object"]["metadata"]
    assert bookmark["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert watcher.resource_version == bookmark["resourceVersion"]


def test_watch_from_too_long_ago(core: client.CoreV1Api, namespace: str) -> None:
    first = core.create_namespaced_config_map(namespace, {"metadata": {"name": "a"}})
    for index in range(HISTORY_CHANGES + 2):
        core.patch_namespaced_config_map("a", namespace, {"data": {"k": str(index)}}, _content_type=MERGE)
    since = first.metadata.resource_version
    with pytest.raises(ApiException) as caught:
        next(watch.Watch().stream(core.list_namespaced_config_map, namespace, resource_version=since, timeout_seconds=WAIT_S))
    assert (caught.value.status, caught.value.reason.split(":")[0]) == (410, "Expired")


def test_informer(core: client.CoreV1Api, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "a"}})
    seen: queue.Queue[tuple[str, str]] = queue.Queue()
    informer = SharedInformer(core.list_namespaced_config_map, namespace=namespace)
    for kind in ("ADDED", "MODIFIED", "DELETED"):
        informer.add_event_handler(kind, lambda each, kind=kind: seen.put((kind, each.metadata.name)))
    informer.start()
    try:
        assert seen.get(timeout=WAIT_S) == ("ADDED", "a")
        core.create_namespaced_config_map(namespace, {"metadata": {"name": "b"}})
        assert seen.get(timeout=WAIT_S) == ("ADDED", "b")
        core.patch_namespaced_config_map("b", namespace, {"data": {"k": "v"}}, _content_type=MERGE)
        assert seen.get(timeout=WAIT_S) == ("MODIFIED", "b")
        core.delete_namespaced_config_map("a", namespace)
        assert seen.get(timeout=WAIT_S) == ("DELETED", "a")
        assert informer.cache.list_keys() == [f"{namespace}/b"]
    finally:
        informer.stop()


def test_lock_on_a_lease(api: client.ApiClient, namespace: str) -> None:
    locks = [LeaseLock("lock", namespace, identity) for identity in ("a", "b")]
    for lock in locks:
        lock.api_instance = client.CoordinationV1Api(api)
    held = LeaderElectionRecord("a", "15", "2026-01-31 12:00:00", "2026-01-31 12:00:00.250000")
    assert locks[0].create("lock", namespace, held)
    assert not locks[1].create("lock", namespace, held)
    assert [lock.get("lock", namespace)[1].holder_identity for lock in locks] == ["a", "a"]
    assert locks[1].update("lock", namespace, LeaderElectionRecord("b", "15", held.acquire_time, "2026-01-31 12:00:01"))
    assert not locks[0].update("lock", namespace, held), "it is b's by now"
    assert locks[0].get("lock", namespace)[1].holder_identity == "b"


def test_errors_carry_statuses(core: client.CoreV1Api, apps: client.AppsV1Api, namespace: str) -> None:
    with pytest.raises(client.exceptions.NotFoundException) as missing:
        core.read_namespaced_pod("none", namespace)
    status = body_of(missing.value)
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 404, "NotFound")
    assert (status["message"], status["details"]) == ('pods "none" not found', {"name": "none", "kind": "pods"})

    made = core.create_namespaced_config_map(namespace, {"metadata": {"name": "a"}, "data": {"k": "1"}})
    with pytest.raises(client.exceptions.ConflictException) as exists:
        core.create_namespaced_config_map(namespace, {"metadata": {"name": "a"}})
    assert body_of(exists.value)["reason"] == "AlreadyExists"
    made.data = {"k": "2"}
    core.replace_namespaced_config_map("a", namespace, made)
    with pytest.raises(client.exceptions.ConflictException) as stale:
        core.replace_namespaced_config_map("a", namespace, made)
    assert body_of(stale.value)["reason"] == "Conflict"

    with pytest.raises(client.exceptions.UnprocessableEntityException) as invalid:
        core.create_namespaced_pod(namespace, {"metadata": {"name": "A"}, "spec": POD})
    assert body_of(invalid.value)["details"]["causes"][0]["field"] == "metadata.name"
    with pytest.raises(client.exceptions.BadRequestException) as unknown:
        core.patch_namespaced_config_map("a", namespace, {"dota": {}}, _content_type=MERGE, field_validation="Strict")
    assert "unknown field" in body_of(unknown.value)["message"]
    applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "3"}}
    with pytest.raises(client.exceptions.ConflictException) as owned:
        core.patch_namespaced_config_map("a", namespace, applied, _content_type=APPLY, field_manager="applier")
    assert body_of(owned.value)["details"]["causes"][0]["reason"] == "FieldManagerConflict"


def test_scale_and_status(apps: client.AppsV1Api, namespace: str) -> None:
    manifest = named(*next(each for each in OBJECTS if each[0].kind == "Deployment"), "web", namespace)
    apps.create_namespaced_deployment(namespace, manifest)
    scale = apps.read_namespaced_deployment_scale("web", namespace)
    assert (scale.spec.replicas, scale.status.selector) == (1, "app=web")
    scale.spec.replicas = 4
    assert apps.replace_namespaced_deployment_scale("web", namespace, scale).spec.replicas == 4
    assert (
        apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 2}}, _content_type=MERGE).spec.replicas
        == 2
    )
    status = {"status": {"replicas": 2, "observedGeneration": 3}, "spec": {"replicas": 9}}
    patched = apps.patch_namespaced_deployment_status("web", namespace, status, _content_type=STRATEGIC)
    assert (patched.status.replicas, patched.spec.replicas, patched.metadata.generation) == (2, 2, 3)
    assert apps.read_namespaced_deployment_scale("web", namespace).status.replicas == 2


def test_binding_and_eviction(core: client.CoreV1Api, namespace: str) -> None:
    core.create_node({"metadata": {"name": namespace}})
    core.create_namespaced_pod(namespace, {"metadata": {"name": "a"}, "spec": POD})
    binding = client.V1Binding(
        metadata=client.V1ObjectMeta(name="a"), target=client.V1ObjectReference(kind="Node", name=namespace)
    )
    # The answer is a Status, as Kubernetes gives it; the client's method would read it as a Binding.
    answer = core.create_namespaced_pod_binding("a", namespace, binding, _preload_content=False)
    assert (answer.status, json.loads(answer.data)["status"]) == (201, "Success")
    assert core.read_namespaced_pod("a", namespace).spec.node_name == namespace
    with pytest.raises(client.exceptions.ConflictException):
        core.create_namespaced_pod_binding("a", namespace, binding, _preload_content=True)

    eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name="a"), delete_options=client.V1DeleteOptions())
    core.create_namespaced_pod_eviction("a", namespace, eviction, dry_run="All")
    assert core.read_namespaced_pod("a", namespace).metadata.deletion_timestamp is None
    core.create_namespaced_pod_eviction("a", namespace, eviction)
    assert core.read_namespaced_pod("a", namespace).metadata.deletion_timestamp is not None


def test_deletion_options(core: client.CoreV1Api, apps: client.AppsV1Api, pod: str, namespace: str) -> None:
    manifest = named(*next(each for each in OBJECTS if each[0].kind == "ReplicaSet"), "r", namespace)
    for policy, finalizer in (("Foreground", "foregroundDeletion"), ("Orphan", "orphan")):
        apps.create_namespaced_replica_set(namespace, manifest)
        apps.delete_namespaced_replica_set("r", namespace, body=client.V1DeleteOptions(propagation_policy=policy))
        assert apps.read_namespaced_replica_set("r", namespace).metadata.finalizers == [finalizer]
        apps.patch_namespaced_replica_set("r", namespace, {"metadata": {"finalizers": None}}, _content_type=MERGE)
        assert apps.list_namespaced_replica_set(namespace).items == []

    uid = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid="other"))
    with pytest.raises(client.exceptions.ConflictException):
        core.delete_namespaced_pod(pod, namespace, body=uid)
    assert core.delete_namespaced_pod(pod, namespace, dry_run="All").metadata.name == pod
    assert core.read_namespaced_pod(pod, namespace).metadata.deletion_timestamp is None
    ending = core.delete_namespaced_pod(pod, namespace, grace_period_seconds=7)
    assert (ending.kind, ending.metadata.deletion_grace_period_seconds) == ("Pod", 7)
    core.delete_namespaced_pod(pod, namespace, grace_period_seconds=0)
    with pytest.raises(client.exceptions.NotFoundException):
        core.read_namespaced_pod(pod, namespace)


PROTOCOLS = pytest.mark.parametrize("headers", [None, {"sec-websocket-protocol": V4}], ids=["v5", "v4"])


@PROTOCOLS
def test_exec(core: client.CoreV1Api, pod: str, namespace: str, headers: dict[str, str] | None) -> None:
    run = core.connect_get_namespaced_pod_exec
    out = {"stdout": True, "stderr": True, "_headers": headers}
    assert stream(run, pod, namespace, command=["echo", "hi"], **out) == "echo hi"
    assert stream(run, pod, namespace, container="c", command=["echo", "ü"], binary=True, **out) == "echo ü".encode()

    failing = stream(run, pod, namespace, command=["fail", "42"], _preload_content=False, **out)
    failing.run_forever(timeout=WAIT_S)
    assert (failing.read_stderr(), failing.returncode) == ("no\n", 42)

    cat = stream(run, pod, namespace, command=["cat"], stdin=True, _preload_content=False, **out)
    cat.write_stdin("one\n")
    assert cat.readline_stdout(timeout=WAIT_S) == "one"
    cat.write_stdin(b"two\n")
    assert cat.readline_stdout(timeout=WAIT_S) == "two"
    if headers is None:
        cat.close_channel(0)
        cat.run_forever(timeout=WAIT_S)
        assert cat.returncode == 0
    cat.close()


def test_large_output_of_exec(core: client.CoreV1Api, pod: str, namespace: str) -> None:
    text = "x" * 300_000
    cat = stream(
        core.connect_get_namespaced_pod_exec, pod, namespace, command=["cat"], stdin=True, stdout=True, _preload_content=False
    )
    cat.write_stdin(text)
    cat.close_channel(0)
    cat.run_forever(timeout=WAIT_S)
    assert cat.read_all() == text


def test_exec_is_refused(core: client.CoreV1Api, pod: str, namespace: str) -> None:
    run = core.connect_get_namespaced_pod_exec
    for name, more, says in (
        ("none", {"command": ["a"]}, "404"),
        (pod, {"command": ["a"], "container": "none"}, "400"),
        (pod, {}, "400"),
    ):
        with pytest.raises(ApiException) as caught:
            stream(run, name, namespace, stdout=True, **more)
        assert says in caught.value.reason, caught.value
    # A failure after the upgrade is told on the error channel.
    lost = stream(run, pod, namespace, command=["lost"], stdout=True, _preload_content=False)
    lost.run_forever(timeout=WAIT_S)
    assert json.loads(lost.read_channel(3))["code"] == 404


@PROTOCOLS
def test_attach(core: client.CoreV1Api, pod: str, namespace: str, headers: dict[str, str] | None) -> None:
    attach = core.connect_get_namespaced_pod_attach
    assert stream(attach, pod, namespace, stdout=True, _headers=headers) == "attached"
    attached = stream(attach, pod, namespace, stdin=True, stdout=True, _preload_content=False, _headers=headers)
    attached.write_stdin(" echoed\n")
    attached.run_forever(timeout=WAIT_S)
    assert (attached.read_stdout(), attached.returncode) == ("attached echoed\n", 0)


def test_port_forward(core: client.CoreV1Api, pod: str, namespace: str) -> None:
    forwarded = portforward(core.connect_get_namespaced_pod_portforward, pod, namespace, ports="8080,8081,1")
    for port in (8080, 8081):
        through = forwarded.socket(port)
        through.settimeout(WAIT_S)
        for text in (b"hello", b"y" * 100_000):
            through.sendall(text)
            assert _read(through, len(text)) == text.upper()
    refused = forwarded.socket(1)
    refused.settimeout(WAIT_S)
    assert refused.recv(1) == b""
    assert "connection refused" in forwarded.error(1)
    forwarded.close()


def _read(through: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        found += through.recv(size - len(found))
    return found


def test_logs(core: client.CoreV1Api, threaded: Threaded, pod: str, namespace: str) -> None:
    assert core.read_namespaced_pod_log(pod, namespace) == "".join(f"line {index}\n" for index in range(5))
    core.read_namespaced_pod_log(pod, namespace, container="c", tail_lines=2, since_seconds=60, timestamps=True, limit_bytes=9)
    asked = threaded.kubelet.logs[-1]
    assert (asked.tail_lines, asked.timestamps, asked.limit_bytes) == (2, True, 9)
    with pytest.raises(client.exceptions.BadRequestException) as caught:
        core.read_namespaced_pod_log(pod, namespace, previous=True)
    assert "previous terminated container not found" in body_of(caught.value)["message"]

    threaded.kubelet.follower_left.clear()
    watcher = watch.Watch()
    seen = []
    for line in watcher.stream(core.read_namespaced_pod_log, pod, namespace):
        seen.append(line)
        if seen.count("more") == 3:
            watcher.stop()
    assert seen == [*(f"line {index}" for index in range(5)), "more", "more", "more"]
    threaded.wait(threaded.kubelet.follower_left)


def test_dynamic_client(api: client.ApiClient, namespace: str) -> None:
    made = dynamic.DynamicClient(api)
    assert made.version["kubernetes"]["gitVersion"].startswith("v1.")
    deployments = made.resources.get(api_version="apps/v1", kind="Deployment")
    assert (deployments.name, deployments.namespaced, "deploy" in deployments.short_names) == ("deployments", True, True)
    assert "scale" in deployments.subresources
    for row in TABLE.rows:
        assert made.resources.get(api_version=row.api_version, kind=row.kind).name == row.plural

    config_maps = made.resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "labels": {"x": "y"}}, "data": {"k": "v"}}
    created = config_maps.create(body=body, namespace=namespace)
    assert config_maps.get(name="a", namespace=namespace).to_dict() == created.to_dict()
    patched = config_maps.patch(body={"data": {"l": "w"}}, name="a", namespace=namespace, content_type=MERGE)
    assert patched.data.to_dict() == {"k": "v", "l": "w"}
    replaced = config_maps.replace(body={**patched.to_dict(), "data": {"z": "z"}}, namespace=namespace)
    assert replaced.data.to_dict() == {"z": "z"}
    applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"z": "mine"}}
    with pytest.raises(dynamic.exceptions.ConflictError):
        config_maps.server_side_apply(body=applied, namespace=namespace, field_manager="applier")
    forced = config_maps.server_side_apply(body=applied, namespace=namespace, field_manager="applier", force_conflicts=True)
    assert forced.data.z == "mine"
    assert [each.metadata.name for each in config_maps.get(namespace=namespace, label_selector="x=y").items] == ["a"]
    scaled = made.resources.get(api_version="apps/v1", kind="Deployment").subresources["scale"]
    with pytest.raises(dynamic.exceptions.NotFoundError) as missing:
        scaled.get(name="none", namespace=namespace)
    assert missing.value.summary() == 'deployments.apps "none" not found'
    config_maps.delete(name="a", namespace=namespace)
    with pytest.raises(dynamic.exceptions.NotFoundError):
        config_maps.get(name="a", namespace=namespace)
    watcher = watch.Watch()
    seen = []
    since = created.metadata.resourceVersion
    for event in config_maps.watch(namespace=namespace, name="a", resource_version=since, timeout=WAIT_S, watcher=watcher):
        seen.append(event["type"])
        assert event["object"].metadata.name == "a"
        if event["type"] == "DELETED":
            watcher.stop()
    assert seen == ["MODIFIED"] * 3 + ["DELETED"]
    created = config_maps.create(body=body, namespace=namespace)
    config_maps.delete(namespace=namespace, label_selector="x=y")
    assert config_maps.get(namespace=namespace).items == []


@pytest.mark.parametrize("apply", [False, True], ids=["create", "apply"])
def test_create_from_yaml(api: client.ApiClient, core: client.CoreV1Api, namespace: str, apply: bool) -> None:
    try:
        utils.create_from_yaml(api, str(GUESTBOOK), namespace=namespace, apply=apply)
        assert core.read_namespaced_service("web", namespace).spec.ports[0].node_port == 30080
        found = client.AppsV1Api(api).list_namespaced_deployment(namespace).items
        assert [(each.metadata.name, each.spec.replicas) for each in found] == [("redis", 1), ("web", 3)]
        if not apply:
            with pytest.raises(utils.FailToCreateError) as caught:
                utils.create_from_yaml(api, str(GUESTBOOK), namespace=namespace)
            statuses = [each.status for each in caught.value.api_exceptions]
            assert statuses == [409, 409, 409, 409, 422, 409], "the node port is seen first"
    finally:
        core.delete_namespaced_service("web", namespace)
