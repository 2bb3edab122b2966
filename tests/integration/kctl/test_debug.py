"""`kctl debug` against the API server, with a kubelet that is faked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

Kctl = Callable[..., Any]
TIMEOUT_S = 20.0


@pytest.fixture
def pod(api: Any, namespace: str) -> str:
    """The path of a running pod on a node whose kubelet is faked."""
    node = f"node-{namespace}"
    api.client.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}})
    addresses = [{"type": "InternalIP", "address": "172.31.255.3"}]
    api.set_status(f"/api/v1/nodes/{node}", {"addresses": addresses, "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}})
    path = f"/api/v1/namespaces/{namespace}/pods"
    spec = {"nodeName": node, "containers": [{"name": "c", "image": "busybox:1"}]}
    api.client.create(path, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec})
    api.set_status(f"{path}/p", {"phase": "Running"})
    return f"{path}/p"


@contextmanager
def started(api: Any, path: str, state: dict[str, Any]) -> Iterator[None]:
    """Reports a state of the first ephemeral container once there is one, as its kubelet would."""

    def report() -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not (found := api.client.get(path)["spec"].get("ephemeralContainers")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        status = {"name": found[0]["name"], "image": "busybox:1", "imageID": "x", "ready": False, "restartCount": 0}
        api.set_status(path, {"ephemeralContainerStatuses": [{**status, "state": state}]})

    reporting = threading.Thread(target=report)
    reporting.start()
    try:
        yield
    finally:
        reporting.join(TIMEOUT_S)


def test_beside_a_pod(api: Any, kctl: Kctl, namespace: str, pod: str) -> None:
    made = kctl("debug", "-n", namespace, "p", "--image=busybox:1", "--target=c", "-c=look", "--", "sleep", "9")
    assert (made.code, made.out) == (0, "")
    assert made.err == 'Targeting container "c".\n'
    (added,) = api.client.get(pod)["spec"]["ephemeralContainers"]
    assert (added["name"], added["targetContainerName"], added["command"]) == ("look", "c", ["sleep", "9"])
    assert added["securityContext"]["capabilities"]["add"] == ["SYS_PTRACE"]
    named = kctl("debug", "-n", namespace, "pod/p", "--image=busybox:1")
    assert named.err.startswith("Defaulting debug container name to debugger-")
    assert kctl("describe", "-n", namespace, "pod", "p").out.count("look:\n") == 1
    again = kctl("debug", "-n", namespace, "p", "--image=busybox:1", "-c=look")
    assert (again.code, again.err) == (1, 'error: pod p has a container "look" already\n')


def test_on_this_terminal(api: Any, kctl: Kctl, namespace: str, pod: str) -> None:
    with started(api, pod, {"running": {"startedAt": "2026-01-31T12:00:00Z"}}):
        seen = kctl("debug", "-n", namespace, "p", "--image=busybox:1", "-c=look", "--attach", "-q")
    assert (seen.code, seen.out) == (0, "attached\n")


def test_what_ended_before_it_could_be_joined(api: Any, kctl: Kctl, namespace: str, pod: str) -> None:
    with started(api, pod, {"terminated": {"exitCode": 1}}):
        seen = kctl("debug", "-n", namespace, "p", "--image=busybox:1", "-c=look", "--attach")
    assert seen.code == 0
    assert seen.out.startswith("look 1\nlook 2\n")


def test_in_a_copy(api: Any, kctl: Kctl, namespace: str, pod: str) -> None:
    made = kctl("debug", "-n", namespace, "p", "--copy-to=q", "--set-image=c=busybox:2", "--image=busybox:1", "-c=look")
    assert made.code == 0, made.err
    copy = api.client.get(pod[:-1] + "q")
    assert [(each["name"], each["image"]) for each in copy["spec"]["containers"]] == [("c", "busybox:2"), ("look", "busybox:1")]
    assert copy["spec"]["shareProcessNamespace"] is True
    assert "nodeName" not in copy["spec"]
    changed = kctl("debug", "-n", namespace, "p", "--copy-to=r", "--replace", "--", "sleep", "9")
    assert changed.code == 0, changed.err
    assert api.client.get(pod[:-1] + "r")["spec"]["containers"][0]["command"] == ["sleep", "9"]
    assert api.client.get(pod)["metadata"]["deletionTimestamp"]


def test_on_a_node(api: Any, kctl: Kctl, namespace: str, pod: str) -> None:
    made = kctl("debug", "-n", namespace, f"node/node-{namespace}", "--image=busybox:1")
    assert made.code == 0, made.err
    assert made.err.startswith(f"Creating debugging pod node-debugger-node-{namespace}-")
    (debugger,) = [each for each in api.client.get(pod[:-2])["items"] if each["metadata"]["name"].startswith("node-debugger-")]
    assert debugger["spec"]["hostPID"] is True


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "NAME or TYPE/NAME is required for debug"),
        (("p",), "you must specify --image"),
        (("nope", "--image=i"), 'pods "nope" not found'),
        (("p", "--image=i", "--target=nope"), 'targetContainerName: Not found: "nope"'),
        (("ns/default", "--image=i"), "is not a pod or a node"),
        (("p", "--image=i", "-t"), "-i/--stdin is required"),
    ],
)
def test_what_is_refused(kctl: Kctl, namespace: str, pod: str, arguments: tuple[str, ...], says: str) -> None:
    refused = kctl("debug", "-n", namespace, *arguments)
    assert refused.code == 1
    assert says in refused.err
