"""Faults on a real local cluster, and what must hold through them.

kill(cluster, "c-worker", "kubelet")                    # SIGKILL of one process of a node
with cut_off(cluster, "c-worker"): ...                  # a node whose packets get lost both ways
runtime(cluster, "c-worker")                            # what containerd itself says: sandboxes and containers
with Writer(cluster.rest, "default") as writer: ...     # what was acknowledged must be there afterwards
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc

from cluster import api, cleanup, paths
from proto.gen import cri_pb2 as cri
from proto.gen import cri_pb2_grpc as cri_grpc
from tests.support.cluster import LocalCluster, Namespace, condition, is_ready
from tests.support.load import fetch
from tests.support.rest import RefusedError, Rest, path_of
from tests.support.waiting import eventually

GUESTBOOK = Path(__file__).resolve().parents[2] / "examples" / "guestbook" / "app.yaml"
GUESTBOOK_PORT = 30080
RECOVERY_S = 20.0
RUNTIME_TIMEOUT_S = 10.0

Object = dict[str, Any]


# Processes


def service_of(cluster: LocalCluster, node: str, name: str) -> api.ServiceInfo:
    """A process of a node, as its supervisor sees it."""
    services = next(each.services for each in cluster.nodes() if each.name == node)
    return next(each for each in services if each.name == name)


def kill(cluster: LocalCluster, node: str, name: str, number: signal.Signals = signal.SIGKILL) -> int:
    """Send a signal to a process of a node; its pid."""
    pid = service_of(cluster, node, name).pid
    assert pid, f"{name} on {node} does not run"
    os.kill(pid, number)
    return pid


def back(cluster: LocalCluster, node: str, name: str, not_pid: int, timeout_s: float = RECOVERY_S) -> api.ServiceInfo:
    """The process once another one of its name has said that it is ready."""

    def check() -> api.ServiceInfo:
        found = service_of(cluster, node, name)
        assert found.state == "ready", f"{name} on {node} is {found.state}"
        assert found.pid not in (0, not_pid), f"{name} on {node} has not been started anew"
        return found

    return eventually(check, timeout_s)


def control_plane(cluster: LocalCluster) -> str:
    return next(each.name for each in cluster.nodes() if each.role == "control-plane")


def ready_nodes(cluster: LocalCluster) -> set[str]:
    """The nodes whose Ready condition is True."""
    return {each["metadata"]["name"] for each in cluster.rest.list("/api/v1/nodes") if is_ready(each)}


def node_becomes(cluster: LocalCluster, node: str, ready: bool, timeout_s: float) -> float:
    """Wait until a node's Ready condition is (or is no longer) True; the moment it was seen, on the monotonic clock."""

    def check() -> float:
        found = cluster.rest.get(path_of("nodes", name=node))
        assert is_ready(found) == ready, f"{node} is still {condition(found, 'Ready')}"
        return time.monotonic()

    return eventually(check, timeout_s)


# The network


@contextmanager
def cut_off(cluster: LocalCluster, *nodes: str) -> Iterator[None]:
    """Lose every packet between these nodes and the others, also those of their pods, without a word to anybody."""
    with contextlib.ExitStack() as healing:
        for node in nodes:
            for chain in (("raw", "PREROUTING", "-i"), ("mangle", "POSTROUTING", "-o")):
                table, name, direction = chain
                rule = (name, direction, "eth0", "-j", "DROP")
                in_network(cluster, node, "iptables", "-w", "-t", table, "-I", *rule)
                healing.callback(in_network, cluster, node, "iptables", "-w", "-t", table, "-D", *rule)
        yield


def in_network(cluster: LocalCluster, node: str, *command: str, timeout_s: float = 20.0) -> str:
    """What a program of this machine prints that runs in a node's network, without seeing the node's files."""
    pid = next(each.pid for each in cluster.nodes() if each.name == node)
    argv = ["nsenter", f"--net=/proc/{pid}/ns/net", "--", *command]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert result.returncode == 0, f"{command} in the network of {node} ended with {result.returncode}: {result.stderr}"
    return result.stdout


_ASK = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 3) as connection:
    connection.sendall(b"GET %b HTTP/1.0\\r\\n\\r\\n" % sys.argv[3].encode())
    sys.stdout.write(connection.makefile("rb").read().decode())
"""


def ask_from(cluster: LocalCluster, node: str, address: str, port: int, path: str = "/") -> str:
    """What a web server answers to a process of this node (head and body)."""
    return in_network(cluster, node, sys.executable, "-ISc", _ASK, address, str(port), path)


def switch_pid(cluster: LocalCluster) -> int:
    """The process that runs in the network of the cluster's switch: the publisher, a child of the cluster's daemon."""
    daemon = cleanup.recorded_processes(paths.ClusterPaths(cluster.name))
    assert daemon is not None
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            name, _, rest = (process / "stat").read_text().partition("(")[2].rpartition(")")
            if name == "cox-publisher" and int(rest.split()[1]) == daemon.daemon.pid:
                return int(process.name)
    raise AssertionError(f"the publisher of {cluster.name} does not run")


# The runtime


@dataclass(frozen=True)
class Held:
    """A sandbox (`container` is "") or a container at the runtime."""

    id: str
    namespace: str
    pod: str
    container: str
    running: bool


def runtime(cluster: LocalCluster, node: str) -> set[Held]:
    """Everything the runtime of a node holds, alive or dead, by its own account; AssertionError while it does not answer."""
    pid = next(each.pid for each in cluster.nodes() if each.name == node)
    with grpc.insecure_channel(f"unix:///proc/{pid}/root{paths.NODE_CONTAINERD_SOCKET}") as channel:
        stub: Any = cri_grpc.RuntimeServiceStub(channel)  # type: ignore[no-untyped-call]
        ask = {"timeout": RUNTIME_TIMEOUT_S, "wait_for_ready": True}
        try:
            sandboxes = stub.ListPodSandbox(cri.ListPodSandboxRequest(), **ask).items
            containers = stub.ListContainers(cri.ListContainersRequest(), **ask).containers
        except grpc.RpcError as error:
            raise AssertionError(f"the runtime of {node} does not answer: {error}") from error
    held = {_held(each, "", each.state == cri.SANDBOX_READY) for each in sandboxes}
    return held | {_held(each, each.metadata.name, each.state == cri.CONTAINER_RUNNING) for each in containers}


def _held(found: Any, container: str, running: bool) -> Held:
    labels = found.labels
    return Held(found.id, labels["io.kubernetes.pod.namespace"], labels["io.kubernetes.pod.name"], container, running)


def held_of(namespace: Namespace) -> dict[str, set[Held]]:
    """By node that runs: what its runtime holds of a namespace's pods."""
    running = [each.name for each in namespace.cluster.nodes() if each.state == "running"]
    return {node: {each for each in runtime(namespace.cluster, node) if each.namespace == namespace.name} for node in running}


def runtime_matches(cluster: LocalCluster, node: str, namespace: Namespace, *, dead_containers: int | None = 0) -> None:
    """AssertionError unless the runtime holds exactly one live sandbox and one live container set for each pod that the API
    has on that node, and of dead ones only so many containers, for their logs (None: whatever there is)."""
    pods = [each for each in namespace.list("pods") if each["spec"].get("nodeName") == node]
    wanted = Counter((each["metadata"]["name"], "") for each in pods)
    wanted.update((each["metadata"]["name"], one["name"]) for each in pods for one in each["spec"]["containers"])
    held = [each for each in runtime(cluster, node) if each.namespace == namespace.name]
    running = Counter((each.pod, each.container) for each in held if each.running)
    assert running == wanted, f"on {node} there runs {dict(running)} instead of {dict(wanted)}"
    if dead_containers is None:
        return
    dead = [each for each in held if not each.running]
    assert len(dead) == dead_containers, f"on {node} there is still {dead}"
    assert all(each.container for each in dead), f"on {node} there are dead sandboxes: {dead}"


# Clients


class Writer:
    """Creates ConfigMaps one after the other, on a thread; knows which of them the API server has acknowledged.

    A request that fails is not repeated: nobody knows whether it took effect.
    """

    def __init__(
        self, rest: Rest, namespace: str, *, prefix: str = "written", pause_s: float = 0.02, keep_alive: bool = True
    ) -> None:
        self._rest, self._namespace, self._prefix, self._pause_s = rest, namespace, prefix, pause_s
        self._keep_alive = keep_alive
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self.revisions: dict[str, int] = {}
        self.failures: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, daemon=True, name="writer")

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(RECOVERY_S * 2)
        assert not self._thread.is_alive(), "the writer hangs"

    def more(self, count: int, timeout_s: float = RECOVERY_S) -> None:
        """Wait until this many further writes are acknowledged."""
        with self._changed:
            wanted = len(self.revisions) + count
            done = self._changed.wait_for(lambda: len(self.revisions) >= wanted, timeout_s)
            assert done, f"no {count} writes acknowledged within {timeout_s:g} s; failures: {self.failures}"

    def nothing_lost(self) -> None:
        """Every acknowledged object is there, as it was written, and later writes have higher revisions."""
        listed = self._rest.list(path_of("configmaps", self._namespace))
        present = {each["metadata"]["name"]: each for each in listed}
        lost = [name for name in self.revisions if name not in present]
        assert not lost, f"{len(lost)} of {len(self.revisions)} acknowledged writes are lost: {lost[:5]}"
        changed = [name for name in self.revisions if present[name]["data"] != {"name": name}]
        assert not changed, f"not as written: {changed[:5]}"
        revisions = list(self.revisions.values())
        assert revisions == sorted(set(revisions)), "a later write has no higher revision"

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(self._pause_s):
            number += 1
            name = f"{self._prefix}-{number}"
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"name": name}}
            try:
                created = self._rest.create(path_of("configmaps", self._namespace), body)
            except (OSError, http.client.HTTPException, RefusedError) as error:
                with self._changed:
                    self.failures[name] = f"{type(error).__name__}: {error}"
                continue
            finally:
                if not self._keep_alive:
                    self._rest.close()
            with self._changed:
                self.revisions[name] = int(created["metadata"]["resourceVersion"])
                self._changed.notify_all()


class Watch:
    """Every event of a collection, on a thread, through faults of the API server: resumed by revision.

    `last` is the newest version of each object by name; `problem` what broke the watch's promises. Listing again is no
    problem only with `may_relist`; then what the new list shows that is new counts as events.
    """

    def __init__(self, rest: Rest, path: str, *, may_relist: bool = False) -> None:
        self._rest, self._path, self._may_relist = rest, path, may_relist
        self._changed = threading.Condition()
        self._closed = False
        self.last: dict[str, Object] = {}
        self.events: list[tuple[float, str, Object]] = []
        self.problem = ""
        self._revision = 0
        self._list()
        self.events.clear()
        self._thread = threading.Thread(target=self._run, daemon=True, name="watch")
        self._thread.start()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._changed:
            self._closed = True

    def wait(self, matches: Callable[[Watch], object], what: str, timeout_s: float = RECOVERY_S) -> None:
        """Wait until `matches(self)`."""
        with self._changed:
            done = self._changed.wait_for(lambda: self.problem or matches(self), timeout_s)
            assert not self.problem, self.problem
            assert done, f"not {what} within {timeout_s:g} s; {len(self.events)} events came"

    def versions(self) -> list[Object]:
        """All versions of all objects that were seen."""
        with self._changed:
            return [found for _, _, found in self.events]

    def types(self) -> Counter[str]:
        with self._changed:
            return Counter(kind for _, kind, _ in self.events)

    def _run(self) -> None:
        while not self._closed and not self.problem:
            try:
                if not self._revision:
                    self._list()
                for event in self._rest.watch(self._path, timeout_s=600, resourceVersion=str(self._revision)):
                    with self._changed:
                        if self._closed:
                            return
                        self._take(event["type"], event["object"])
                        self._changed.notify_all()
            except (OSError, http.client.HTTPException, RefusedError, ValueError) as error:
                if isinstance(error, RefusedError) and error.code < 500:
                    self._fail(f"the watch was refused: {error}")
                time.sleep(0.05)  # a line that was cut off, or no server: ask again from where we were

    def _take(self, kind: str, found: Object) -> None:
        if kind == "ERROR":
            if self._may_relist and found["code"] == 410:
                self._revision = 0
            else:
                self._fail(f"the watch could not resume: {found}")
            return
        name, revision = found["metadata"]["name"], int(found["metadata"]["resourceVersion"])
        if revision <= self._revision:
            self._fail(f"{kind} of {name} at revision {revision} came after {self._revision}")
        if kind == "ADDED" and name in self.last:
            self._fail(f"{name} was added twice")
        self._revision = revision
        self.events.append((time.monotonic(), kind, found))
        if kind == "DELETED":
            self.last.pop(name, None)
        else:
            self.last[name] = found

    def _list(self) -> None:
        listed = self._rest.get(self._path)
        with self._changed:
            present = {each["metadata"]["name"]: each for each in listed["items"]}
            now = time.monotonic()
            for name in self.last.keys() - present.keys():
                self.events.append((now, "DELETED", self.last[name]))
            for name, found in present.items():
                before = self.last.get(name)
                if before is None or before["metadata"]["uid"] != found["metadata"]["uid"]:
                    self.events.append((now, "ADDED", found))
                elif before["metadata"]["resourceVersion"] != found["metadata"]["resourceVersion"]:
                    self.events.append((now, "MODIFIED", found))
            self.last = present
            self._revision = int(listed["metadata"]["resourceVersion"])
            self._changed.notify_all()

    def _fail(self, problem: str) -> None:
        self.problem = self.problem or problem


# The guestbook


@contextmanager
def guestbook(cluster: LocalCluster, name: str = "guestbook", timeout_s: float = 30.0) -> Iterator[Namespace]:
    """The guestbook in a namespace of its own, all of it ready, and answering on its published port."""
    with cluster.namespace(name) as namespace:
        namespace.kctl("apply", "-f", str(GUESTBOOK))
        for each in ("redis", "web"):
            namespace.deployment_done(each, timeout_s)
        eventually(lambda: visit(cluster), timeout_s)
        yield namespace


def visit(cluster: LocalCluster) -> str:
    """The page; AssertionError if it does not come."""
    try:
        status, body = fetch(cluster.ports[GUESTBOOK_PORT], "/count")
    except (OSError, ValueError) as error:
        raise AssertionError(f"the page does not answer: {error}") from error
    assert status == 200, f"{status}: {body}"
    return body


def nodes_of(pods: Sequence[Object]) -> Counter[str]:
    return Counter(each["spec"].get("nodeName", "") for each in pods)


def containers_of(pods: Sequence[Object]) -> dict[str, tuple[str, int]]:
    """By pod and container: the container's id and how often it was restarted, as the API says."""
    return {
        f"{pod['metadata']['name']}/{each['name']}": (each.get("containerID", ""), each["restartCount"])
        for pod in pods
        for each in pod["status"].get("containerStatuses") or []
    }
