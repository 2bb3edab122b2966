"""Clusters come and go, and the machine is as before: with real etcd, containerd and containers, and components that only live.

What is under test here is the cluster's own machinery, so the components are stand-ins that only live; that real ones work
together is the other end-to-end tests' matter.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster import api, cleanup
from cluster.config import default_modules
from cluster.images import ensure
from cluster.paths import ClusterPaths
from cluster.readiness import Access, follow_nodes
from tests.support import machine
from tests.support.cluster import NAME_PREFIX

FAKE = dict.fromkeys(default_modules(), "tests.support.fake_component")
NAME = f"{NAME_PREFIX}{os.getpid()}-life"
"""Of this run alone; should the run be killed, the next one removes it."""
WORKER = f"{NAME}-worker"
CONTROL_PLANE = f"{NAME}-control-plane"
BUSYBOX = "docker.io/library/busybox:1"
DEADLINE_S = 20.0

pytestmark = [pytest.mark.timeout(180), pytest.mark.whole_machine]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"KUBECONFIG": str(tmp_path / "kubeconfig"), "HOME": str(tmp_path)}


@pytest.fixture
def before() -> Iterator[machine.Machine]:
    """The machine before the test; after it, whatever happened, no cluster of ours is left."""
    remove()
    yield machine.observe()
    remove()


def remove() -> None:
    try:
        api.delete(NAME)
    except api.ClusterError as error:
        assert "there is no cluster" in str(error)  # noqa: PT017


@pytest.fixture
def cluster(before: machine.Machine, environment: dict[str, str]) -> machine.Machine:
    """A running cluster with one worker; the value is the machine before it."""
    create(environment, workers=1, image_archives=(str(ensure(("busybox",))["busybox"]),))
    return before


def create(environment: dict[str, str], **options: Any) -> api.ClusterInfo:
    modules = options.pop("modules", FAKE)
    return api.create(api.ClusterSpec(name=NAME, **options), modules=modules, environment=environment, timeout_s=60)


def node(name: str) -> api.NodeInfo:
    return next(node for node in api.nodes(NAME) if node.name == name)


def service(node_name: str, name: str) -> api.ServiceInfo:
    return next(service for service in node(node_name).services if service.name == name)


def inside(node_name: str, *command: str) -> str:
    """What a command prints that runs inside the node."""
    enter = ("nsenter", "--target", str(node(node_name).pid), "--mount", "--pid", "--net", "--ipc", "--uts")
    done = subprocess.run([*enter, *command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ctr(node_name: str, *command: str) -> str:
    return inside(node_name, "ctr", "--namespace", "k8s.io", *command)


def start_container(node_name: str, name: str) -> None:
    group = f"/coxswain/{NAME}/{node_name}/pods/{name}"
    ctr(node_name, "run", "--detach", "--cgroup", group, BUSYBOX, name, "sleep", "1000")


def wait_for(what: str, holds: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < give_up_at, f"{what} did not come about within {DEADLINE_S} s"
        time.sleep(0.02)


def assert_gone(before: machine.Machine, namespaces: set[str]) -> None:
    """Nothing of the cluster is left. The kernel takes namespaces down a moment after their last process."""
    assert machine.processes_of(NAME) == {}
    wait_for("the end of the namespaces", lambda: not namespaces & machine.live_namespaces())
    after = machine.observe()
    assert after.rules == before.rules
    assert after.interfaces - before.interfaces == frozenset()
    assert after.cgroups - before.cgroups == frozenset()
    assert after.mounts - before.mounts == frozenset()
    assert after.files - before.files == frozenset()


def clusters() -> dict[str, str]:
    """The state of the cluster under test, by its name; other clusters of the machine are nobody's business here."""
    return {info.name: info.state for info in api.list_clusters() if info.name == NAME}


def all_namespaces() -> set[str]:
    return machine.namespaces_of(machine.processes_of(NAME))


def test_create_and_delete_leave_the_machine_as_before(cluster: machine.Machine, environment: dict[str, str]) -> None:
    for name in (CONTROL_PLANE, WORKER):
        start_container(name, "c")
    processes, namespaces = machine.processes_of(NAME), all_namespaces()
    assert len(processes) >= 15, "the two nodes, their services and containers are all found"
    assert len([name for name in namespaces if name.startswith("net:")]) >= 3
    running = machine.observe()
    assert running.interfaces == cluster.interfaces, "the machine's own network is not touched while it runs either"
    assert running.rules == cluster.rules
    assert running.mounts == cluster.mounts

    api.delete(NAME)
    assert_gone(cluster, namespaces)
    assert not Path(environment["KUBECONFIG"]).exists()
    assert clusters() == {}


def test_a_crashed_cluster_is_deleted_too(cluster: machine.Machine) -> None:
    start_container(WORKER, "c")
    namespaces = all_namespaces()
    recorded = cleanup.recorded_processes(ClusterPaths(NAME))
    assert recorded is not None
    assert recorded.daemon.pid in machine.processes_of(NAME)
    os.kill(recorded.daemon.pid, signal.SIGKILL)
    wait_for("the end of every process", lambda: not machine.processes_of(NAME))
    assert clusters() == {NAME: "stopped"}
    assert {info.state for info in api.nodes(NAME)} == {"unknown"}
    with pytest.raises(api.ClusterError, match=f"kctl cluster delete {NAME}"):
        api.node_stop(NAME, WORKER)
    api.delete(NAME)
    assert_gone(cluster, namespaces)


def test_a_component_that_does_not_start_fails_the_creation_and_leaves_nothing(
    before: machine.Machine, environment: dict[str, str]
) -> None:
    broken = {**FAKE, "scheduler": "tests.support.broken_component"}
    with pytest.raises(api.ClusterError, match=f"scheduler on {CONTROL_PLANE} does not start .exit code 3.") as caught:
        create(environment, modules=broken)
    assert "no such luck" in caught.value.detail
    assert_gone(before, set())
    assert not Path(environment["KUBECONFIG"]).exists()


def test_a_failed_cluster_can_be_retained(before: machine.Machine, environment: dict[str, str]) -> None:
    spec = api.ClusterSpec(name=NAME)
    modules = {**FAKE, "scheduler": "tests.support.broken_component"}
    with pytest.raises(api.ClusterError, match="scheduler on"):
        api.create(spec, modules=modules, environment=environment, retain=True)
    assert service(CONTROL_PLANE, "etcd").state == "ready"
    assert service(CONTROL_PLANE, "scheduler").state in {"backoff", "starting"}
    assert b"no such luck" in b"".join(api.logs(NAME, "scheduler"))
    api.delete(NAME)
    assert_gone(before, set())


def test_a_component_that_cannot_be_imported_fails_the_creation(before: machine.Machine, environment: dict[str, str]) -> None:
    with pytest.raises(api.ClusterError, match=r"no_such_module cannot be imported"):
        create(environment, modules={**FAKE, "kubelet": "no_such_module"})
    assert_gone(before, set())


def test_a_creator_that_is_killed_leaves_nothing(before: machine.Machine, environment: dict[str, str]) -> None:
    script = f"""
from cluster import api
modules = dict.fromkeys({list(FAKE)!r}, "tests.support.fake_component")
modules["scheduler"] = "tests.support.sleeping_component"
api.create(api.ClusterSpec(name={NAME!r}), lambda stage: print(stage.name, flush=True), modules=modules)
"""
    creator = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    assert creator.stdout is not None
    with creator, creator.stdout as out:
        while out.readline().strip() != "apiserver":
            assert creator.poll() is None
        namespaces = all_namespaces()
        creator.kill()
    wait_for("the removal by the daemon", lambda: not machine.processes_of(NAME))
    assert_gone(before, namespaces)


def test_what_is_in_use_is_refused_at_once(before: machine.Machine, environment: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(api.ClusterError, match=f"port {port} of 127.0.0.1, wanted for node port 30080, is in use"):
            create(environment, publish=api.parse_publish([f"{port}:30080"]))
    assert_gone(before, set())


def test_a_name_is_created_once(cluster: machine.Machine, environment: dict[str, str]) -> None:
    with pytest.raises(api.ClusterError, match=f"there is a cluster '{NAME}' already"):
        create(environment)
    assert {info.state for info in api.nodes(NAME)} == {"running"}


def test_the_kubeconfig_leads_to_the_cluster(cluster: machine.Machine, environment: dict[str, str]) -> None:
    written = yaml.safe_load(Path(environment["KUBECONFIG"]).read_text())
    assert written["current-context"] == f"coxswain-{NAME}"
    assert written == api.kubeconfig(NAME)
    assert written["clusters"][0]["cluster"]["server"] == api.get(NAME).api


def test_nodes_reach_each_other_and_nothing_else(cluster: machine.Machine) -> None:
    assert inside(WORKER, "hostname").strip() == WORKER
    routes = inside(WORKER, "ip", "route").splitlines()
    assert sorted(line.split(" ")[0] for line in routes) == ["10.96.0.0/16", "172.31.255.0/24"], routes
    # etcd's peer port of the control plane answers; its client port listens on its own 127.0.0.1 only.
    assert dial(WORKER, "172.31.255.2", 2380)
    assert not dial(WORKER, "172.31.255.2", 2379)
    assert inside(WORKER, "cat", "/proc/sys/net/ipv4/ip_forward").strip() == "1"


def dial(node_name: str, ip: str, port: int) -> bool:
    script = f"import socket\ntry: socket.create_connection(({ip!r}, {port}), 2)\nexcept OSError: print('refused')"
    return inside(node_name, sys.executable, "-c", script) == ""


@pytest.mark.parametrize("name", ["etcd", "containerd", *default_modules()])
def test_a_killed_process_is_back_and_no_container_restarts(cluster: machine.Machine, name: str) -> None:
    start_container(CONTROL_PLANE, "c")
    task = ctr(CONTROL_PLANE, "task", "ls")
    killed = service(CONTROL_PLANE, name).pid
    os.kill(killed, signal.SIGKILL)
    wait_for(f"another {name}", lambda: (found := service(CONTROL_PLANE, name)).state == "ready" and found.pid != killed)
    assert ctr(CONTROL_PLANE, "task", "ls") == task
    assert "RUNNING" in task


@pytest.mark.parametrize("end", [api.node_kill, api.node_stop], ids=["kill", "stop"])
def test_a_node_ends_and_comes_back_with_its_state(cluster: machine.Machine, end: Callable[[str, str], None]) -> None:
    start_container(WORKER, "c")
    namespaces = machine.namespaces_of([node(WORKER).pid])
    end(NAME, WORKER)
    assert node(WORKER).state == ("killed" if end is api.node_kill else "stopped")
    assert node(WORKER).pid == 0
    wait_for("the end of its namespaces", lambda: not namespaces & machine.live_namespaces())
    assert node(CONTROL_PLANE).state == "running"
    with pytest.raises(api.ClusterError, match="is not running"):
        end(NAME, WORKER)

    api.node_start(NAME, WORKER)
    wait_for("its services", lambda: (found := node(WORKER).services) != () and all(row.state == "ready" for row in found))
    assert BUSYBOX in ctr(WORKER, "images", "ls", "-q")
    assert "c" in ctr(WORKER, "containers", "ls", "-q").split(), "containerd remembers its containers"
    assert ctr(WORKER, "task", "ls", "-q") == "", "and knows that they do not run"
    assert dial(CONTROL_PLANE, "172.31.255.3", 2380) is False
    start_container(WORKER, "d")
    assert dial(WORKER, "172.31.255.2", 2380)


def test_the_control_plane_comes_back_too(cluster: machine.Machine) -> None:
    api.node_kill(NAME, CONTROL_PLANE)
    api.node_start(NAME, CONTROL_PLANE)
    wait_for("its API", lambda: any(row.name == "apiserver" and row.state == "ready" for row in node(CONTROL_PLANE).services))
    found: list[tuple[str, bool]] = []
    follow_nodes(api_access(), lambda name, ready: found.append((name, ready)), lambda: len(found) >= 2)
    assert sorted(found) == [(CONTROL_PLANE, True), (WORKER, True)], "127.0.0.1 leads to the new API server"


def api_access() -> Access:
    pki = ClusterPaths(NAME).pki
    port = int(api.get(NAME).api.rpartition(":")[2])
    return Access(port, pki / "ca.crt", pki / "admin.crt", pki / "admin.key")


def test_images_are_loaded_into_every_node(cluster: machine.Machine, tmp_path: Path) -> None:
    api.load_images(NAME, [str(ensure(("pause",))["pause"])])
    for name in (CONTROL_PLANE, WORKER):
        assert "registry.local/coxswain/pause:1" in ctr(name, "images", "ls", "-q")
    with pytest.raises(api.ClusterError, match="there is no image archive /no/such"):
        api.load_images(NAME, ["/no/such"])
    (tmp_path / "text").write_text("text")
    with pytest.raises(api.ClusterError, match="is not an image archive"):
        api.load_images(NAME, [str(tmp_path / "text")])
    subprocess.run(["tar", "-cf", str(tmp_path / "empty.tar"), "-C", str(tmp_path), "text"], check=True, timeout=10)
    with pytest.raises(api.ClusterError, match="could not load an image"):
        api.load_images(NAME, [str(tmp_path / "empty.tar")])


def test_logs(cluster: machine.Machine) -> None:
    assert b"".join(api.logs(NAME, "kubelet", node=WORKER)) == b"KubeletConfiguration is ready\n"
    assert b"SchedulerConfiguration" in b"".join(api.logs(NAME, "scheduler"))
    assert b"ControllerManagerConfiguration" in b"".join(api.logs(NAME, "controller-manager"))
    following = api.logs(NAME, "kubelet", follow=True)
    assert next(following) == b"KubeletConfiguration is ready\n"
    with pytest.raises(api.ClusterError, match="there is no log of 'nothing'; there is apiserver"):
        api.logs(NAME, "nothing")
    with pytest.raises(api.ClusterError, match=r"there is no log of '\.\./etc/services'"):
        api.logs(NAME, "../etc/services")
    with pytest.raises(api.ClusterError, match=f"it has {CONTROL_PLANE}, {WORKER}"):
        api.logs(NAME, "kubelet", node="other")


def test_published_ports_lead_to_the_nodes(before: machine.Machine, environment: dict[str, str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    create(environment, workers=1, publish=api.parse_publish([f"{port}:30080"]))
    script = "import socket\ns = socket.create_server(('0.0.0.0', 30080))\nwhile True: s.accept()[0].sendall(b'here')"
    pid = node(WORKER).pid
    answering = subprocess.Popen(["nsenter", "--target", str(pid), "--net", sys.executable, "-c", script])
    with answering:
        try:
            wait_for("an answer", lambda: fetch(port) == b"here")
            assert [fetch(port) for _ in range(4)] == [b"here"] * 4, "the node that refuses is passed over"
            api.node_kill(NAME, CONTROL_PLANE)
            assert [fetch(port) for _ in range(4)] == [b"here"] * 4, "and so is one that is dead"
        finally:
            answering.kill()


def fetch(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        try:
            return connection.recv(100)
        except ConnectionResetError:
            return b""
