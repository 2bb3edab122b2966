"""Garbage collection and namespaces over an imitated API: policies, crashes, and what must not be deleted."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import pytest

from apiclient.client import Client
from apiclient.testing import fake_client
from apiclient.transport import Verb
from apimachinery import errors
from apimachinery.codec import convert
from apimachinery.kinds import (
    APIService,
    APIServiceCondition,
    APIServiceReference,
    APIServiceSpec,
    APIServiceStatus,
    ConfigMap,
    Deployment,
    Lease,
    Namespace,
    NetworkPolicy,
    Node,
    Object,
    ObjectMeta,
    OwnerReference,
    Pod,
    ReplicaSet,
    Secret,
    ServiceAccount,
)
from controller_manager.deployment.controller import DeploymentController
from controller_manager.garbage_collector.controller import GarbageCollector
from controller_manager.namespace.controller import NamespaceController
from controller_manager.replicaset.controller import ReplicaSetController
from controller_manager.root_ca.controller import RootCaController
from controller_manager.serviceaccount.controller import ServiceAccountController
from controller_manager.shared.ownership import controller_reference
from tests.support.controllers import CrashingTransport, Machines, Stage, ready_node

pytestmark = pytest.mark.looptime


def stage() -> Stage:
    return Stage(lambda context: [GarbageCollector(context)])


def made(kind: type[Object], name: str, *owners: Object, namespace: str = "default", **plain: Any) -> Any:
    obj = convert(kind, {"metadata": {"name": name, "namespace": namespace, **plain.pop("metadata", {})}, **plain})
    obj.metadata.uid = obj.metadata.uid or f"uid-{namespace}-{name}"
    obj.metadata.owner_references = [controller_reference(owner) for owner in owners]
    return obj


def family() -> tuple[Deployment, ReplicaSet, Pod]:
    top = made(Deployment, "d")
    middle = made(ReplicaSet, "rs", top)
    return top, middle, made(Pod, "p", middle, spec={"nodeName": "node-a", "containers": []})


def names(scene: Stage, *kinds: type[Object]) -> set[str]:
    return {obj.metadata.name for kind in kinds for obj in scene.api.objects(kind)}


async def test_background_dependents_follow_their_owner() -> None:
    scene = stage()
    scene.api.seed(*family(), made(ReplicaSet, "other"))
    await scene.start()
    scene.play(Machines(scene).run())
    await scene.settle()
    assert scene.api.writes == []
    client = fake_client(scene.api)
    await client.delete(Deployment, "d", "default", propagation_policy="Background")
    assert scene.api.find(Deployment, "d", "default") is None
    assert await scene.until(lambda: names(scene, ReplicaSet, Pod) == {"other"}) <= 0.5
    await scene.stop()


async def test_foreground_the_owner_goes_last() -> None:
    scene = stage()
    scene.api.seed(*family())
    await scene.start()
    order: list[str] = []
    client = fake_client(scene.api)
    await client.delete(Deployment, "d", "default", propagation_policy="Foreground")
    await scene.settle(quiet_s=3)
    assert names(scene, Deployment, ReplicaSet, Pod) == {"d", "rs", "p"}, "all wait for the pod, which nobody ends"
    scene.play(Machines(scene).run())
    await scene.until(lambda: not names(scene, Deployment, ReplicaSet, Pod))
    for _, _, event, plain, _ in scene.api._history:
        if event == "DELETED":
            order.append(plain["metadata"]["name"])
    assert order == ["p", "rs", "d"]
    await scene.stop()


async def test_orphans_stay_and_lose_the_reference_only_to_their_owner() -> None:
    scene = stage()
    top, middle, pod = family()
    middle.metadata.owner_references.append(OwnerReference(api_version="v1", kind="ConfigMap", name="c", uid="uid-default-c"))
    scene.api.seed(top, middle, pod, made(ConfigMap, "c"))
    await scene.start()
    # the graph does not know of this one yet: its event is held back
    scene.api.drop = lambda resource, event: b'"late"' in event.object
    late = made(ReplicaSet, "late", top)
    scene.api.seed(late)
    await fake_client(scene.api).delete(Deployment, "d", "default", propagation_policy="Orphan")
    await scene.until(lambda: scene.api.find(Deployment, "d", "default") is None)
    await scene.settle(quiet_s=3)
    kept = scene.api.find(ReplicaSet, "rs", "default")
    assert kept is not None
    assert [each.kind for each in kept.metadata.owner_references] == ["ConfigMap"]
    assert names(scene, ReplicaSet, Pod) == {"rs", "p", "late"}
    await scene.stop()


async def test_one_owner_that_stays_keeps_the_object() -> None:
    scene = stage()
    first, second = made(ReplicaSet, "first"), made(ReplicaSet, "second")
    shared = made(ConfigMap, "shared", first)
    shared.metadata.owner_references.append(
        OwnerReference(api_version="apps/v1", kind="ReplicaSet", name="second", uid=second.metadata.uid)
    )
    scene.api.seed(first, second, shared)
    await scene.start()
    scene.api.remove(ReplicaSet, "first", "default")
    await scene.settle()
    kept = scene.api.find(ConfigMap, "shared", "default")
    assert kept is not None
    assert [each.name for each in kept.metadata.owner_references] == ["second"]
    scene.api.remove(ReplicaSet, "second", "default")
    await scene.until(lambda: not names(scene, ConfigMap))
    await scene.stop()


async def test_an_owner_recreated_under_its_name_is_another() -> None:
    scene = stage()
    old = made(ReplicaSet, "rs")
    scene.api.seed(made(ConfigMap, "c", old))
    new = made(ReplicaSet, "rs", metadata={"uid": "new"})
    scene.api.seed(new)
    await scene.start()
    await scene.until(lambda: not names(scene, ConfigMap))
    assert names(scene, ReplicaSet) == {"rs"}
    await scene.stop()


async def test_an_owner_that_the_cache_lacks_but_the_api_has_keeps_its_dependent() -> None:
    scene = stage()
    await scene.start()
    scene.api.drop = lambda resource, event: resource.plural == "replicasets"
    owner = made(ReplicaSet, "rs")
    scene.api.seed(owner, made(ConfigMap, "c", owner))
    await scene.settle(quiet_s=5)
    assert names(scene, ConfigMap) == {"c"}
    await scene.stop()


async def test_references_that_cannot_be_followed() -> None:
    """Across namespaces the owner counts as absent there (and only there); a cluster-wide dependent of a namespaced
    owner stays; an owner of a kind that is not served keeps what it has."""
    scene = stage()
    owner = made(ReplicaSet, "rs", namespace="other")
    stray = made(ConfigMap, "stray", owner, namespace="default")
    right = made(ConfigMap, "right", owner, namespace="other")
    node = made(Node, "n", owner, namespace="")
    unserved = made(ConfigMap, "unserved")
    unserved.metadata.owner_references = [OwnerReference(api_version="x/v1", kind="X", name="x", uid="x")]
    scene.api.seed(owner, stray, right, node, unserved)
    await scene.start()
    await scene.settle(quiet_s=3)
    assert names(scene, ConfigMap, Node) == {"right", "n", "unserved"}
    assert "OwnerRefInvalidNamespace" in scene.told.reasons("stray")
    assert "OwnerRefInvalidNamespace" in scene.told.reasons("n")
    await scene.stop()


async def test_a_cluster_wide_owner_has_dependents_in_namespaces() -> None:
    scene = stage()
    node = ready_node("n", scene.clock.now())
    node.metadata.uid = "uid-n"
    lease = made(Lease, "n", namespace="kube-node-lease")
    lease.metadata.owner_references = [OwnerReference(api_version="v1", kind="Node", name="n", uid="uid-n")]
    scene.api.seed(node, lease)
    await scene.start()
    await scene.settle()
    assert names(scene, Lease) == {"n"}
    scene.api.remove(Node, "n")
    await scene.until(lambda: not names(scene, Lease))
    await scene.stop()


async def test_what_was_adopted_between_look_and_delete_stays() -> None:
    scene = stage()
    owner, other = made(ReplicaSet, "rs"), made(ReplicaSet, "other")
    scene.api.seed(owner, other, made(ConfigMap, "c", owner))
    await scene.start()

    def adopt(write: Any) -> None:
        if write.verb == Verb.DELETE and write.name.name == "c":
            found = scene.api.find(ConfigMap, "c", "default")
            if found is not None and found.metadata.owner_references[0].name == "rs":
                found.metadata.owner_references = [controller_reference(other)]
                scene.api.put(found)

    scene.api.fail = adopt  # type: ignore[assignment]
    scene.api.remove(ReplicaSet, "rs", "default")
    await scene.settle(quiet_s=3)
    assert names(scene, ConfigMap) == {"c"}
    assert len(scene.writes(Verb.DELETE, "configmaps")) == 1
    await scene.stop()


async def test_a_circle_in_the_foreground_ends() -> None:
    scene = stage()
    one, two = made(ReplicaSet, "one"), made(ReplicaSet, "two")
    one.metadata.owner_references, two.metadata.owner_references = [controller_reference(two)], [controller_reference(one)]
    scene.api.seed(one, two)
    await scene.start()
    await scene.settle()
    assert names(scene, ReplicaSet) == {"one", "two"}
    await fake_client(scene.api).delete(ReplicaSet, "one", "default", propagation_policy="Foreground")
    await scene.until(lambda: not names(scene, ReplicaSet))
    await scene.stop()


@pytest.mark.parametrize("policy", ["Background", "Foreground", "Orphan"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_crash_around_every_write(policy: str, after: bool) -> None:
    for at in itertools.count(1):
        scene = stage()
        top, middle, pod = family()
        scene.api.seed(top, middle, pod, made(ReplicaSet, "rs2", top), made(ConfigMap, "bystander"))
        scene.play(Machines(scene).run())
        transport = CrashingTransport(scene.api, at=at, after=after)
        await scene.start(transport)
        await scene.settle()
        await Client(scene.api).delete(Deployment, "d", "default", propagation_policy=policy)
        await scene.settle()
        if transport.crashed.is_set():
            await scene.restart()
            await scene.settle(quiet_s=2)
        left = names(scene, Deployment, ReplicaSet, Pod, ConfigMap)
        assert left == ({"rs", "rs2", "p", "bystander"} if policy == "Orphan" else {"bystander"}), at
        crashed = transport.crashed.is_set()
        await scene.stop()
        if not crashed:
            break
    assert at > 2


def namespaces() -> Stage:
    return Stage(
        lambda context: [
            NamespaceController(context),
            ServiceAccountController(context),
            RootCaController(context, certificate="PEM"),
            DeploymentController(context),
            ReplicaSetController(context),
            GarbageCollector(context),
        ]
    )


def namespace(name: str) -> Namespace:
    return convert(Namespace, {"metadata": {"name": name}, "spec": {"finalizers": ["kubernetes"]}})


def app(scene: Stage, where: str) -> list[Object]:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template, "strategy": {"type": "Recreate"}}
    return [made(Deployment, "web", namespace=where, spec=spec), made(Secret, "s", namespace=where)]


async def test_each_namespace_has_its_account_and_the_ca_and_gets_them_back() -> None:
    scene = namespaces()
    scene.api.seed(namespace("a"))
    await scene.start()
    scene.api.seed(namespace("b"))

    def there() -> bool:
        accounts = {each.metadata.namespace for each in scene.api.objects(ServiceAccount) if each.metadata.name == "default"}
        maps = {each.metadata.namespace: each.data for each in scene.api.objects(ConfigMap)}
        return accounts == {"a", "b"} and maps == {"a": {"ca.crt": "PEM"}, "b": {"ca.crt": "PEM"}}

    assert await scene.until(there) <= 0.2
    scene.api.remove(ServiceAccount, "default", "a")
    changed = scene.api.find(ConfigMap, "kube-root-ca.crt", "b")
    assert changed is not None
    changed.data = {"ca.crt": "forged", "more": "x"}
    scene.api.put(changed)
    scene.api.remove(ConfigMap, "kube-root-ca.crt", "a")
    assert await scene.until(there) <= 0.2
    await scene.stop()


@pytest.mark.parametrize("at", [0, *range(1, 40)])
async def test_a_deleted_namespace_is_emptied_whatever_crashes(at: int) -> None:
    """At 0 nothing crashes; else the process dies after its at-th write (of any controller) since the deletion began."""
    scene = namespaces()
    scene.api.seed(namespace("doomed"), namespace("safe"), *app(scene, "doomed"), *app(scene, "safe"))
    scene.play(Machines(scene).run())
    await scene.start()
    await scene.until(lambda: len(scene.api.objects(Pod)) == 6)
    await scene.settle()
    await scene.crash()
    transport = CrashingTransport(scene.api, at=at, after=True)
    await scene.start(transport)
    await Client(scene.api).delete(Namespace, "doomed")
    terminating = scene.api.find(Namespace, "doomed")
    assert terminating is not None
    refuse = errors.forbidden("x", "", "unable to create new content in namespace doomed because it is being terminated")
    scene.api.fail = lambda write: refuse if write.verb == Verb.CREATE and write.name.namespace == "doomed" else None

    def gone() -> bool:
        return scene.api.find(Namespace, "doomed") is None

    await scene.until(lambda: gone() or transport.crashed.is_set())
    if transport.crashed.is_set():
        await scene.restart()
        await scene.until(gone)
    kinds = (Pod, Deployment, ReplicaSet, Secret, ServiceAccount, ConfigMap)
    assert not [obj for kind in kinds for obj in scene.api.objects(kind, "doomed")]
    await scene.settle()
    assert len(scene.api.objects(Pod, "safe")) == 3
    assert len(scene.api.objects(Secret, "safe")) == 1
    await scene.stop()


async def test_a_namespace_waits_for_its_pods_and_finalizers_and_says_so() -> None:
    scene = namespaces()
    held = made(ConfigMap, "held", namespace="doomed", metadata={"finalizers": ["example.com/x"]})
    pod = made(Pod, "p", namespace="doomed", spec={"nodeName": "node-a", "containers": []})
    scene.api.seed(namespace("doomed"), held, pod)
    await scene.start()
    await scene.settle()
    await Client(scene.api).delete(Namespace, "doomed")

    def condition(kind: str) -> str:
        found = scene.api.find(Namespace, "doomed")
        return next((each.message for each in found.status.conditions if each.type == kind), "") if found else ""

    await scene.until(lambda: "pods. has 1" in condition("NamespaceContentRemaining"))
    await asyncio.sleep(5)
    assert scene.api.find(ConfigMap, "held", "doomed").metadata.deletion_timestamp is None, "pods go first"
    scene.api.remove(Pod, "p", "doomed")
    await scene.until(lambda: "configmaps. has 1" in condition("NamespaceContentRemaining"))
    assert "example.com/x in 1" in condition("NamespaceFinalizersRemaining")
    await asyncio.sleep(5)
    scene.api.remove(ConfigMap, "held", "doomed")
    assert await scene.until(lambda: scene.api.find(Namespace, "doomed") is None) <= 1.5
    await scene.stop()


class Others:
    """An aggregated API: boats, which can be deleted, and measures, which cannot."""

    def __init__(self) -> None:
        self.boats = {("doomed", "a"): {"uid": "1"}, ("doomed", "held"): {"uid": "2"}, ("kept", "b"): {"uid": "3"}}
        self.resources = [
            {"name": "boats", "namespaced": True, "verbs": ["delete", "get", "list"]},
            {"name": "boats/status", "namespaced": True, "verbs": ["delete", "get", "list"]},
            {"name": "measures", "namespaced": True, "verbs": ["get", "list"]},
            {"name": "seas", "namespaced": False, "verbs": ["delete", "get", "list"]},
        ]
        self.held = {"held"}

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        match method, path.strip("/").split("/"):
            case "GET", ["apis", "example.com", "v1"]:
                return 200, json.dumps({"resources": self.resources}).encode()
            case "GET", ["apis", "example.com", "v1", "namespaces", namespace, "boats"]:
                return 200, json.dumps({"items": [self._shown(*key) for key in self.boats if key[0] == namespace]}).encode()
            case "DELETE", ["apis", "example.com", "v1", "namespaces", namespace, "boats", name]:
                assert json.loads(body)["preconditions"]["uid"] == self.boats[namespace, name]["uid"]
                if name in self.held:
                    self.boats[namespace, name]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
                else:
                    del self.boats[namespace, name]
                return 200, b"{}"
        raise AssertionError(f"{method} {path} is not to be asked")

    def _shown(self, namespace: str, name: str) -> Any:
        finalizers = ["example.com/anchor"] if name in self.held else []
        return {"metadata": {"name": name, "finalizers": finalizers, **self.boats[namespace, name]}}


def served_by_others(status: str) -> APIService:
    spec = APIServiceSpec(group="example.com", version="v1", service=APIServiceReference(namespace="x", name="s"))
    available = APIServiceStatus(conditions=[APIServiceCondition(type="Available", status=status)])
    return APIService(metadata=ObjectMeta(name="v1.example.com"), spec=spec, status=available)


async def test_what_aggregated_servers_hold_goes_with_its_namespace() -> None:
    scene, others = namespaces(), Others()
    scene.api.others = others.answer
    scene.api.seed(namespace("doomed"), served_by_others("True"))
    await scene.start()
    await scene.settle()
    await Client(scene.api).delete(Namespace, "doomed")

    def told() -> str:
        found = scene.api.find(Namespace, "doomed")
        return " ".join(each.message for each in found.status.conditions) if found else ""

    await scene.until(lambda: "boats.example.com has 1" in told())
    assert "example.com/anchor in 1" in told()
    assert set(others.boats) == {("doomed", "held"), ("kept", "b")}
    del others.boats["doomed", "held"]
    assert await scene.until(lambda: scene.api.find(Namespace, "doomed") is None) <= 1.5
    await scene.stop()


async def test_servers_that_fail_hold_a_namespace_up_until_they_are_known_to_be_gone() -> None:
    scene = namespaces()
    scene.api.others = lambda method, path, body: (503, b"down")
    scene.api.seed(namespace("doomed"), served_by_others("True"))
    await scene.start()
    await scene.settle()
    await Client(scene.api).delete(Namespace, "doomed")
    await asyncio.sleep(5)
    found = scene.api.find(Namespace, "doomed")
    assert found is not None
    failure = next(each for each in found.status.conditions if each.type == "NamespaceDeletionContentFailure")
    assert (failure.status, "example.com/v1: the server answered with 503" in failure.message) == ("True", True)
    scene.api.put(served_by_others("False"))
    await scene.until(lambda: scene.api.find(Namespace, "doomed") is None)
    await scene.stop()


async def test_cve_2024_7598_network_policies_outlive_the_pods_of_their_namespace() -> None:
    scene = namespaces()
    pod = made(Pod, "p", namespace="doomed", spec={"nodeName": "node-a", "containers": []})
    scene.api.seed(namespace("doomed"), pod, made(NetworkPolicy, "shield", namespace="doomed", spec={"podSelector": {}}))
    await scene.start()
    await Client(scene.api).delete(Namespace, "doomed")
    await scene.until(lambda: scene.api.find(Pod, "p", "doomed").metadata.deletion_timestamp)
    await asyncio.sleep(5)
    assert scene.api.find(NetworkPolicy, "shield", "doomed") is not None, "the pod still ends, and is still shielded"
    scene.api.remove(Pod, "p", "doomed")
    await scene.until(lambda: scene.api.find(Namespace, "doomed") is None)
    assert scene.api.find(NetworkPolicy, "shield", "doomed") is None
    await scene.stop()
