"""Deployments that grow, change, fail and go back, through kctl, with requests coming in all the while."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from tests.support.cluster import LocalCluster, Namespace, condition, container_status, is_ready, waiting_reason
from tests.support.load import Load, fetch
from tests.support.manifests import WEB_PORT, deployment, python, service, shell, sleeper
from tests.support.waiting import Recorder, eventually

Object = dict[str, Any]

MANY = 30
ROLLOUT_TIMEOUT_S = 60
REPLICAS = 3
MISSING_IMAGE = "registry.local/coxswain/no-such-image:1"

# Answers after 0.2 s, so that requests are in flight at every moment. It listens only some time after it has started: who asks
# it before it is ready is refused. Told to end, it serves on until no node sends it anything any more, and finishes what is in
# flight: who kills it before, or sends it requests for longer, loses some.
_SLOW_SERVER = f"""
import os, signal, socket, threading, time

def answer(connection):
    with connection:
        while b"\\r\\n\\r\\n" not in connection.recv(65536):
            pass
        time.sleep(0.2)
        body = os.environ["ANSWER"].encode()
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n" % len(body) + body)

def told(number, frame):
    global ends
    ends = min(ends, time.monotonic() + 2)

ends = float("inf")
signal.signal(signal.SIGTERM, told)
time.sleep(1)
server = socket.create_server(("", {WEB_PORT}), backlog=128)
server.settimeout(0.1)
threads = []
while time.monotonic() < ends:
    try:
        connection, _ = server.accept()
    except TimeoutError:
        continue
    connection.settimeout(5)
    threads.append(threading.Thread(target=answer, args=(connection,)))
    threads[-1].start()
for thread in threads:
    thread.join()
"""


def _web(answer: str, **spec: Any) -> Object:
    """A Deployment of slow servers that answer with `answer`; never fewer than all replicas are to be available."""
    container = python(
        _SLOW_SERVER,
        "web",
        env=[{"name": "ANSWER", "value": answer}],
        ports=[{"name": "http", "containerPort": WEB_PORT}],
        readinessProbe={"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
    )
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    return deployment("web", REPLICAS, container, grace_s=15, **{"strategy": strategy, **spec})


def _with_image(manifest: Object, image: str) -> Object:
    """A copy whose container has another image."""
    template = manifest["spec"]["template"]
    container = {**template["spec"]["containers"][0], "image": image}
    changed = {**template, "spec": {**template["spec"], "containers": [container]}}
    return {**manifest, "spec": {**manifest["spec"], "template": changed}}


def _answers(port: int, wanted: str) -> None:
    try:
        found = fetch(port)
    except (OSError, ValueError) as error:
        raise AssertionError(f"no answer: {error}") from error
    assert found == (200, wanted)


def _ready_names(ns: Namespace, selector: str) -> set[str]:
    return {pod["metadata"]["name"] for pod in ns.pods(selector) if is_ready(pod)}


def _counts(recorder: Recorder) -> dict[str, int]:
    """How many pods came and went."""
    types = [type_ for _, type_, _ in list(recorder.events)]
    return {type_: types.count(type_) for type_ in ("ADDED", "DELETED")}


# Scaling


def test_thirty_replicas_and_back(ns: Namespace, cluster: LocalCluster) -> None:
    """Exactly as many pods are made and removed as are asked for, on both workers, and the Service follows."""
    ns.apply(deployment("wide", 2, sleeper()), service("wide", target=WEB_PORT))
    ns.deployment_done("wide")
    with ns.recorded("pods") as recorder:
        assert ns.kctl("scale", "deployment", "wide", f"--replicas={MANY}").stdout == "deployment.apps/wide scaled\n"
        ns.kctl("rollout", "status", "deployment/wide", f"--timeout={ROLLOUT_TIMEOUT_S}s", timeout_s=ROLLOUT_TIMEOUT_S + 10)
        ns.deployment_done("wide")
        pods = ns.pods("app=wide")
        assert len({pod["status"]["podIP"] for pod in pods}) == len(pods) == MANY
        per_node = [sum(pod["spec"]["nodeName"] == worker for pod in pods) for worker in cluster.workers()]
        assert sum(per_node) == MANY
        assert max(per_node) - min(per_node) <= 2, per_node
        assert ns.endpoints_ready("wide", MANY) == {pod["status"]["podIP"] for pod in pods}
        assert ns.kctl("get", "deployment", "wide").stdout.splitlines()[1].split()[1:4] == ["30/30", "30", "30"]
        eventually(lambda: _assert_equal(_counts(recorder), {"ADDED": MANY - 2, "DELETED": 0}))

        ns.kctl("scale", "deployment/wide", "--replicas=2")
        ns.deployment_done("wide")
        eventually(lambda: _assert_equal(len(ns.list("pods")), 2))
        eventually(lambda: _assert_equal(_counts(recorder), {"ADDED": MANY - 2, "DELETED": MANY - 2}))
    assert all(container_status(pod)["restartCount"] == 0 and is_ready(pod) for pod in ns.pods())
    assert ns.endpoints_ready("wide", 2) == {pod["status"]["podIP"] for pod in ns.pods()}
    assert len(ns.list("replicasets")) == 1


def test_scaling_on_a_condition_that_does_not_hold_changes_nothing(ns: Namespace) -> None:
    ns.apply(deployment("few", 1, sleeper()))
    refused = ns.kctl("scale", "deployment/few", "--replicas=5", "--current-replicas=3", check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "Expected replicas to be 3, was 1" in refused.stderr
    assert ns.deployment_done("few")["spec"]["replicas"] == 1


# Rolling updates


def test_a_rolling_update_under_load_fails_no_request(ns: Namespace, cluster: LocalCluster) -> None:
    port = cluster.ports[30081]
    ns.apply(_web("first"), service("web", node_port=30081))
    ns.deployment_done("web")
    eventually(lambda: _answers(port, "first"))
    old = _ready_names(ns, "app=web")
    with ns.recorded("pods", labelSelector="app=web") as recorder, Load(port, clients=4) as load:
        ns.patch("deployments", "web", {"spec": {"paused": True}})  # so that it begins when somebody follows
        assert ns.apply(_web("second")).stdout == "deployment.apps/web configured\n"
        with ns.start_kctl("rollout", "status", "deployment/web", "--timeout=50s") as follower:
            assert follower.stdout is not None
            told = iter(follower.stdout.readline, "")
            assert next((line for line in told if "0 out of 3 new replicas have been updated" in line), None), "it has ended"
            ns.patch("deployments", "web", {"spec": {"paused": None}})
            followed, problem = follower.communicate(timeout=60)
        assert (follower.returncode, problem) == (0, "")
        assert followed.splitlines()[-1] == 'deployment "web" successfully rolled out'
        ns.deployment_done("web")
        for name in old:
            _deleted(recorder, name)
        served = len(load.successes)
        eventually(lambda: _assert_at_least(len(load.successes), served + 20))
    assert load.failures == []
    assert set(load.bodies) == {"first", "second"}
    assert {fetch(port) for _ in range(10)} == {(200, "second")}
    _assert_never_fewer_ready_than(REPLICAS, recorder, old)
    ended = {found["metadata"]["name"]: found for _, type_, found in recorder.events if type_ == "DELETED"}
    assert set(ended) == old
    for pod in ended.values():  # each was asked to end, and had the time to
        assert container_status(pod)["state"]["terminated"]["exitCode"] == 0


def _deleted(recorder: Recorder, name: str) -> None:
    recorder.wait(lambda type_, pod: type_ == "DELETED" and pod["metadata"]["name"] == name, f"the end of {name}")


def _assert_never_fewer_ready_than(least: int, recorder: Recorder, at_first: Iterable[str]) -> None:
    """At every event: as many ready pods that are not told to end as there must be, and never more than one too many."""
    ready, alive = set(at_first), set(at_first)
    for _, type_, pod in recorder.events:
        name = pod["metadata"]["name"]
        staying = type_ != "DELETED" and "deletionTimestamp" not in pod["metadata"]
        (alive.add if staying else alive.discard)(name)
        (ready.add if staying and is_ready(pod) else ready.discard)(name)
        assert len(ready) >= least, f"only {sorted(ready)} were ready after {type_} of {name}"
        assert len(alive) <= least + 1, f"{sorted(alive)} at once after {type_} of {name}"


# History


def _revision(number: str) -> Object:
    """The Deployment with a template of its own; its page and its change-cause are the number's name."""
    manifest = deployment("book", 2, shell(f"echo {number}; trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"))
    manifest["metadata"]["annotations"] = {"kubernetes.io/change-cause": f"the {number} edition"}
    return manifest


def _history(ns: Namespace) -> list[tuple[str, str]]:
    lines = ns.kctl("rollout", "history", "deployment/book").stdout.splitlines()
    assert lines[0].strip() == "deployment.apps/book"
    assert lines[1].split() == ["REVISION", "CHANGE-CAUSE"]
    rows = [re.split(r"\s+", line.strip(), maxsplit=1) for line in lines[2:] if line.strip()]
    return [(number, cause) for number, cause in rows]


def _rolled_out(ns: Namespace, wanted: str) -> None:
    """The rollout ends, and all pods are of the edition."""
    status = ns.kctl("rollout", "status", "deployment/book", "--timeout=40s")
    assert status.stdout.splitlines()[-1] == 'deployment "book" successfully rolled out'
    ns.deployment_done("book")
    pods = [pod["metadata"]["name"] for pod in ns.pods("app=book")]
    assert len(pods) == 2
    for name in pods:
        ns.logged(name, f"{wanted}\n")
    assert [ns.kctl("logs", name).stdout for name in pods] == [f"{wanted}\n"] * 2


def test_undo_goes_back_to_an_earlier_template(ns: Namespace) -> None:
    for number in ("first", "second", "third"):
        ns.apply(_revision(number))
        _rolled_out(ns, number)
    assert _history(ns) == [("1", "the first edition"), ("2", "the second edition"), ("3", "the third edition")]
    shown = ns.kctl("rollout", "history", "deployment/book", "--revision=1").stdout
    assert shown.startswith("deployment.apps/book with revision #1\nPod Template:\n")
    assert "echo first" in shown
    assert "busybox:1" in shown
    sets = {each["metadata"]["name"] for each in ns.list("replicasets")}

    assert ns.kctl("rollout", "undo", "deployment/book").stdout == "deployment.apps/book rolled back\n"
    _rolled_out(ns, "second")
    assert _history(ns) == [("1", "the first edition"), ("3", "the third edition"), ("4", "the second edition")]

    ns.kctl("rollout", "undo", "deployment", "book", "--to-revision=1")
    _rolled_out(ns, "first")
    assert _history(ns) == [("3", "the third edition"), ("4", "the second edition"), ("5", "the first edition")]
    assert {each["metadata"]["name"] for each in ns.list("replicasets")} == sets  # the old ones serve again

    unknown = ns.kctl("rollout", "undo", "deployment/book", "--to-revision=9", check=False)
    assert (unknown.returncode, unknown.stderr) == (1, "error: unable to find specified revision 9 in history\n")
    again = ns.kctl("rollout", "undo", "deployment/book", "--to-revision=5")
    assert "skipped rollback (current template already matches revision 5)" in again.stdout
    _rolled_out(ns, "first")


def test_the_history_keeps_as_many_revisions_as_asked_for(ns: Namespace) -> None:
    for number in ("first", "second", "third"):
        ns.apply({**_revision(number), "spec": {**_revision(number)["spec"], "revisionHistoryLimit": 1}})
        _rolled_out(ns, number)
    eventually(lambda: _assert_equal(_history(ns), [("2", "the second edition"), ("3", "the third edition")]))


# Rollouts that fail


def test_a_broken_image_leaves_the_old_pods_in_service_until_it_is_fixed(ns: Namespace, cluster: LocalCluster) -> None:
    port = cluster.ports[30082]
    limits: dict[str, Any] = {"progressDeadlineSeconds": 120}
    ns.apply(_web("good", **limits), service("web", node_port=30082))
    ns.deployment_done("web")
    eventually(lambda: _answers(port, "good"))
    old = _ready_names(ns, "app=web")
    with ns.recorded("pods", labelSelector="app=web") as recorder, Load(port, clients=3) as load:
        ns.apply(_with_image(_web("broken", **limits), MISSING_IMAGE))
        failed = recorder.wait(lambda _, pod: waiting_reason(pod) == "ErrImagePull", "ErrImagePull")
        name = failed["metadata"]["name"]
        held = ns.pod_where(name, lambda pod: waiting_reason(pod) == "ImagePullBackOff", "in ImagePullBackOff")
        message = container_status(held)["state"]["waiting"]["message"]
        assert message.startswith(f'Back-off pulling image "{MISSING_IMAGE}": ErrImagePull: ')
        assert held["status"]["phase"] == "Pending"
        row = next(line for line in ns.kctl("get", "pods").stdout.splitlines() if line.startswith(name))
        assert row.split()[1:3] in (["0/1", "ImagePullBackOff"], ["0/1", "ErrImagePull"])
        _assert_told_of_the_image(ns, name)

        impatient = ns.kctl("rollout", "status", "deployment/web", "--timeout=1s", check=False)
        assert (impatient.returncode, impatient.stderr) == (1, "error: timed out waiting for the condition\n")
        ns.patch("deployments", "web", {"spec": {"progressDeadlineSeconds": 1}})
        overdue = ns.kctl("rollout", "status", "deployment/web", check=False)
        assert (overdue.returncode, overdue.stderr) == (1, 'error: deployment "web" exceeded its progress deadline\n')
        assert _ready_names(ns, "app=web") == old
        assert condition(ns.get("deployments", "web"), "Available")["status"] == "True"
        assert set(load.bodies) == {"good"}

        ns.apply(_web("fixed", **limits))  # with the first deadline
        ns.kctl("rollout", "status", "deployment/web", "--timeout=50s")
        done = ns.deployment_done("web")
        for gone in (name, *old):
            ns.gone("pods", gone)
    assert load.failures == []
    assert set(load.bodies) == {"good", "fixed"}
    assert condition(done, "Progressing")["reason"] == "NewReplicaSetAvailable"
    _assert_never_fewer_ready_than(REPLICAS, recorder, old)


def _assert_told_of_the_image(ns: Namespace, pod: str) -> None:
    def told() -> None:
        messages = [event["message"] for event in ns.events("Failed", pod)]
        assert {"Error: ErrImagePull", "Error: ImagePullBackOff"} <= set(messages)
        assert any(message.startswith(f'Failed to pull image "{MISSING_IMAGE}": ') for message in messages), messages

    eventually(told)
    assert ns.event("BackOff", pod)["message"] == f'Back-off pulling image "{MISSING_IMAGE}"'
    described = ns.kctl("describe", "pod", pod).stdout
    assert f'Failed to pull image "{MISSING_IMAGE}"' in described
    logs = ns.kctl("logs", pod, check=False)
    assert logs.returncode == 1
    waiting = (
        rf"container \"web\" in pod \"{pod}\" is waiting to start: (trying and failing to pull image|image can't be pulled)"
    )
    assert re.search(waiting, logs.stderr), logs.stderr


# Recreate


def test_recreate_ends_every_old_pod_before_it_makes_a_new_one(ns: Namespace) -> None:
    def manifest(edition: str) -> Object:
        script = f"echo {edition}; trap 'sleep 1; exit 0' TERM; while :; do sleep 3600 & wait $!; done"
        return deployment("sole", REPLICAS, shell(script), grace_s=10, strategy={"type": "Recreate"})

    ns.apply(manifest("old"))
    ns.deployment_done("sole")
    alive = {pod["metadata"]["name"] for pod in ns.pods()}
    with ns.recorded("pods") as recorder:
        ns.apply(manifest("new"))
        ns.kctl("rollout", "status", "deployment/sole", "--timeout=40s")
        ns.deployment_done("sole")
    fresh: set[str] = set()
    for _, type_, pod in recorder.events:
        name, phase = pod["metadata"]["name"], pod["status"]["phase"]
        if name in alive and (type_ == "DELETED" or phase in ("Succeeded", "Failed")):
            alive.discard(name)
        elif type_ == "ADDED":
            assert not alive, f"{name} was made while {sorted(alive)} still ran"
            fresh.add(name)
    assert len(fresh) == REPLICAS
    pods = ns.pods()
    assert len(pods) == REPLICAS
    for pod in pods:
        ns.logged(pod["metadata"]["name"], "new\n")


def test_a_paused_deployment_holds_changes_back_until_it_is_resumed(ns: Namespace) -> None:
    ns.apply(_revision("first"))
    _rolled_out(ns, "first")
    ns.kctl("rollout", "pause", "deployment/book")
    ns.apply(_revision("second"))
    refused = ns.kctl("rollout", "undo", "deployment/book", check=False)
    assert refused.returncode == 1
    assert "cannot rollback a paused deployment" in refused.stderr
    eventually(lambda: _assert_paused(ns))
    assert len(ns.list("replicasets")) == 1
    ns.kctl("rollout", "resume", "deployment/book")
    _rolled_out(ns, "second")


def _assert_paused(ns: Namespace) -> None:
    """The controller has seen the newest template, and says that it waits."""
    found = ns.get("deployments", "book")
    seen = (found["status"].get("observedGeneration"), condition(found, "Progressing").get("reason"))
    assert seen == (found["metadata"]["generation"], "DeploymentPaused")


def _assert_equal(found: object, wanted: object) -> None:
    assert found == wanted


def _assert_at_least(found: int, wanted: int) -> None:
    assert found >= wanted
