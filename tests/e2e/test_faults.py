"""Single processes die under a running application, on a cluster of this module's own, and nobody who uses it notices.

While a process is killed, clients ask the guestbook through its published port, another creates ConfigMaps, and watches look
on. What must hold each time: no request to the Service fails; nothing the API server acknowledged is lost; no container is
restarted or replaced, by the API's account and by the runtime's; no node and no pod of the application becomes unready; and
afterwards every part works, which a new pod, its Service and its name show.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pytest

from tests.support import chaos
from tests.support.chaos import GUESTBOOK_PORT, Watch, Writer
from tests.support.cluster import (
    NAME_PREFIX,
    LocalCluster,
    Namespace,
    Object,
    condition,
    container_status,
    is_ready,
    remove_leftovers,
)
from tests.support.load import Load
from tests.support.manifests import deployment, pod, python, service, sleeper, web_container
from tests.support.waiting import always, eventually

HANGS_S = 7.0
"""Longer than the lease of a node (4 s), of a leader (6 s), and what a leader waits before it gives up (4 s)."""
LATER_S = 6.0
"""Longer than a node's lease: what a fault does to it shows within this time."""

pytestmark = pytest.mark.timeout(90)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """A cluster for faults: a control plane and two workers."""
    remove_leftovers()
    made = LocalCluster.create(f"{NAME_PREFIX}{os.getpid()}-faults", tmp_path_factory.mktemp("faults"))
    try:
        yield made
    finally:
        made.delete()


@pytest.fixture(scope="module")
def guestbook(
    request: pytest.FixtureRequest, faulty: LocalCluster, show_in_reports: Callable[..., None]
) -> Iterator[Namespace]:
    with chaos.guestbook(faulty) as namespace:
        show_in_reports(request.node, namespace)
        yield namespace


@pytest.fixture
def space(request: pytest.FixtureRequest, faulty: LocalCluster, show_in_reports: Callable[..., None]) -> Iterator[Namespace]:
    """A namespace of the test's own."""
    slug = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test_"))[:50].strip("-")
    with faulty.namespace(f"{slug}-{next(_numbers)}") as namespace:
        show_in_reports(request.node, namespace)
        yield namespace


@pytest.fixture(scope="module")
def onlookers(faulty: LocalCluster, guestbook: Namespace) -> Iterator[tuple[Watch, Watch]]:
    """Watches of the guestbook's pods and of the nodes, through everything that the tests of this module do."""
    with (
        Watch(faulty.rest, guestbook.path("pods"), may_relist=True) as pods,
        Watch(faulty.rest, "/api/v1/nodes", may_relist=True) as nodes,
    ):
        yield pods, nodes


_numbers = itertools.count(1)


@dataclass(frozen=True)
class Victim:
    """A process, and where: on the control plane, or on the worker that runs Redis."""

    name: str
    on_worker: bool = False


VICTIMS = (
    Victim("etcd"),
    Victim("apiserver"),
    Victim("scheduler"),
    Victim("controller_manager"),
    Victim("kubelet", on_worker=True),
    Victim("kube_proxy", on_worker=True),
    Victim("containerd", on_worker=True),
    Victim("cluster_dns", on_worker=True),
)


@pytest.mark.parametrize("victim", VICTIMS, ids=lambda victim: victim.name)
@pytest.mark.usefixtures("onlookers")
def test_a_killed_process_is_not_missed(faulty: LocalCluster, guestbook: Namespace, space: Namespace, victim: Victim) -> None:
    worker = str(guestbook.pods("app=redis")[0]["spec"]["nodeName"])
    node = worker if victim.on_worker else chaos.control_plane(faulty)
    containers = chaos.containers_of(guestbook.pods())
    held = chaos.held_of(guestbook)
    with (
        Watch(faulty.rest, guestbook.path("pods")) as pods,
        Watch(faulty.rest, "/api/v1/nodes") as nodes,
        Load(faulty.ports[GUESTBOOK_PORT], "/count", pause_s=0.05) as load,
        Writer(faulty.rest, space.name) as writer,
    ):
        writer.more(10)
        pid = chaos.kill(faulty, node, victim.name)
        chaos.back(faulty, node, victim.name, pid)
        faulty.rest.close()  # a kept connection to a dead server tells nothing about the new one
        writer.more(10)
        _every_part_works(faulty, space, worker)
        writer.more(10)

    assert [text for _, text in load.failures] == []
    assert len(load.successes) > 20
    writer.nothing_lost()
    assert not pods.problem
    assert not nodes.problem
    assert [each["metadata"]["name"] for each in pods.versions() if not is_ready(each)] == []
    assert [each["metadata"]["name"] for each in nodes.versions() if not is_ready(each)] == []
    assert chaos.containers_of(guestbook.pods()) == containers
    assert chaos.held_of(guestbook) == held


def _every_part_works(cluster: LocalCluster, space: Namespace, node: str) -> None:
    """A Deployment becomes a pod on the node (controller manager, scheduler, kubelet, containerd), its Service answers there
    (kube_proxy), its name is known there (cluster_dns), and its log can be read (API server to kubelet)."""
    place = {"nodeSelector": {"kubernetes.io/hostname": node}}
    space.create(deployment("probe", 1, web_container("here"), template=place), "deployments")
    address = str(space.create(service("probe"), "services")["spec"]["clusterIP"])
    space.deployment_done("probe", chaos.RECOVERY_S)

    def answers() -> None:
        assert chaos.ask_from(cluster, node, address, 80).endswith("here\n")
        looked_up = cluster.inside(
            node, "busybox", "nslookup", f"probe.{space.name}.svc.cluster.local", "10.96.0.10", check=False
        )
        assert address in looked_up.stdout, f"the name is not known: {looked_up.stdout} {looked_up.stderr}"

    eventually(answers)
    assert space.log(space.pods("app=probe")[0]["metadata"]["name"]) == ""


HANGING = (Victim("etcd"), Victim("apiserver"), Victim("controller_manager"))


@pytest.mark.parametrize("victim", HANGING, ids=lambda victim: victim.name)
def test_a_process_that_hangs_for_longer_than_a_lease_condemns_nobody(
    faulty: LocalCluster, guestbook: Namespace, space: Namespace, victim: Victim
) -> None:
    """Nothing moves for longer than nodes' leases are good for. That is no sign of any node's death."""
    node = chaos.control_plane(faulty)
    containers = chaos.containers_of(guestbook.pods())
    with (
        Watch(faulty.rest, guestbook.path("pods")) as pods,
        Watch(faulty.rest, "/api/v1/nodes") as nodes,
        Load(faulty.ports[GUESTBOOK_PORT], "/count", pause_s=0.05) as load,
        Writer(faulty.rest, space.name) as writer,
    ):
        stopped = chaos.kill(faulty, node, victim.name, signal.SIGSTOP)
        time.sleep(HANGS_S)
        os.kill(stopped, signal.SIGCONT)
        faulty.rest.close()
        writer.more(10)
        _every_part_works(faulty, space, str(guestbook.pods("app=redis")[0]["spec"]["nodeName"]))
        writer.more(10)
    assert [text for _, text in load.failures] == []
    writer.nothing_lost()
    assert not pods.problem
    assert [each["metadata"]["name"] for each in pods.versions() if not is_ready(each)] == []
    assert [each["metadata"]["name"] for each in nodes.versions() if not is_ready(each)] == []
    assert chaos.containers_of(guestbook.pods()) == containers


def test_an_api_server_that_is_told_to_stop_drops_no_request(faulty: LocalCluster, space: Namespace) -> None:
    """It listens on a socket that outlives it, so a client that connects meanwhile waits for the next one.

    A client may send a request on a kept connection in the moment that it is closed: that one fails, and has no effect.
    """
    node = chaos.control_plane(faulty)
    with contextlib.ExitStack() as stack:
        fresh, kept = (
            [
                stack.enter_context(
                    Writer(faulty.rest, space.name, prefix=f"{kind}-{n}", pause_s=0.0, keep_alive=kind == "kept")
                )
                for n in range(4)
            ]
            for kind in ("fresh", "kept")
        )
        for _ in range(3):
            for writer in (*fresh, *kept):
                writer.more(5)
            pid = chaos.kill(faulty, node, "apiserver", signal.SIGTERM)
            chaos.back(faulty, node, "apiserver", pid)
        for writer in (*fresh, *kept):
            writer.more(5)
    faulty.rest.close()
    assert [each.failures for each in fresh] == [{}] * 4
    present = {each["metadata"]["name"] for each in space.list("configmaps")}
    for writer in (*fresh, *kept):
        writer.nothing_lost()
        assert present.isdisjoint(writer.failures), "a request took effect whose answer was dropped"


def test_a_scheduler_killed_over_pending_pods_binds_none_twice(faulty: LocalCluster, space: Namespace) -> None:
    """Twenty pods of which only some fit; the scheduler dies before, and twice while it binds."""
    node = chaos.control_plane(faulty)
    asked = {"resources": {"requests": {"cpu": "300m"}}}
    with Watch(faulty.rest, space.path("pods")) as pods:
        before = chaos.kill(faulty, node, "scheduler")
        for number in range(20):
            space.create(pod(f"p{number}", sleeper(**asked)))
        for bound in (1, 3):
            chaos.back(faulty, node, "scheduler", before)
            pods.wait(lambda seen, bound=bound: sum(_bound(seen.last.values()).values()) >= bound, f"{bound} pods bound")
            before = chaos.kill(faulty, node, "scheduler")
        chaos.back(faulty, node, "scheduler", before)
        pods.wait(lambda seen: all(_decided(each) for each in seen.last.values()), "every pod bound or refused")

    places: dict[str, set[str]] = {}
    for each in pods.versions():
        places.setdefault(each["metadata"]["name"], set()).add(each["spec"].get("nodeName", ""))
    assert {name: names for name, names in places.items() if len(names - {""}) > 1} == {}, "bound to two nodes"
    rooms = _rooms(faulty)
    # A pod may have been refused for the sake of another whose binding the scheduler's end prevented, or that is under way.
    eventually(lambda: _assert_full(faulty, rooms))
    for name, used in _given(faulty, rooms).items():
        assert used <= rooms[name], f"{name} has {rooms[name]}m and was given {used}m"


def _rooms(cluster: LocalCluster) -> dict[str, int]:
    """The millicores of each worker."""
    nodes = [each for each in cluster.rest.list("/api/v1/nodes") if not each["spec"].get("taints")]
    return {each["metadata"]["name"]: milli(each["status"]["allocatable"]["cpu"]) for each in nodes}


def _given(cluster: LocalCluster, rooms: Iterable[str]) -> dict[str, int]:
    """The millicores of each worker that pods on it ask for."""
    everywhere = cluster.rest.list("/api/v1/pods")
    return {name: sum(_cpu(each) for each in everywhere if each["spec"].get("nodeName") == name) for name in rooms}


def _assert_full(cluster: LocalCluster, rooms: dict[str, int]) -> None:
    for name, used in _given(cluster, rooms).items():
        assert used > rooms[name] - 300, f"{name} has {rooms[name]}m of which only {used}m are used, while pods wait"


def _bound(pods: Iterable[Object]) -> Counter[str]:
    return Counter(each["spec"]["nodeName"] for each in pods if each["spec"].get("nodeName"))


def _decided(pod: Object) -> bool:
    return bool(pod["spec"].get("nodeName")) or condition(pod, "PodScheduled").get("reason") == "Unschedulable"


def _cpu(pod: Object) -> int:
    return sum(milli(each.get("resources", {}).get("requests", {}).get("cpu", "0")) for each in pod["spec"]["containers"])


def milli(cpu: str) -> int:
    return int(cpu[:-1]) if cpu.endswith("m") else int(cpu) * 1000


def test_a_controller_manager_killed_while_it_scales_makes_the_exact_count(faulty: LocalCluster, space: Namespace) -> None:
    node = chaos.control_plane(faulty)
    with Watch(faulty.rest, space.path("pods")) as pods:
        space.create(deployment("web", 2, sleeper()), "deployments")
        pods.wait(lambda seen: len(seen.last) == 2, "scaled to 2")
        space.patch("deployments", "web", {"spec": {"replicas": 24}})
        for count in (3, 12):
            pods.wait(lambda seen, count=count: len(seen.last) >= count, f"scaled to {count}")
            chaos.back(faulty, node, "controller_manager", chaos.kill(faulty, node, "controller_manager"))
        space.deployment_done("web")
        pods.wait(lambda seen: len(seen.last) == 24, "scaled to 24")
        assert pods.types()["ADDED"] == 24
        assert pods.types()["DELETED"] == 0

        space.patch("deployments", "web", {"spec": {"replicas": 3}})
        pods.wait(lambda seen: seen.types()["DELETED"] >= 1, "a pod is deleted")
        chaos.back(faulty, node, "controller_manager", chaos.kill(faulty, node, "controller_manager"))
        pods.wait(lambda seen: len(seen.last) == 3, "scaled to 3")
        space.deployment_done("web")
        assert pods.types()["ADDED"] == 24
        assert pods.types()["DELETED"] == 21


def test_what_happens_while_a_kubelet_is_down_is_made_up_for(faulty: LocalCluster, space: Namespace) -> None:
    """Pods come, go, go by force and break while the kubelet stands still; another one takes its place."""
    node = faulty.workers()[0]
    on_node = {"nodeSelector": {"kubernetes.io/hostname": node}, "restartPolicy": "Always"}
    names = ("stays", "goes", "vanishes", "breaks")
    for name in names:
        space.create(pod(name, sleeper(), **on_node))
    for name in names:
        space.pod_ready(name)
    stays, breaks = (container_status(space.get("pods", name))["containerID"] for name in ("stays", "breaks"))

    stopped = chaos.kill(faulty, node, "kubelet", signal.SIGSTOP)
    space.delete("pods", "goes")
    space.delete("pods", "vanishes", gracePeriodSeconds=0)
    space.create(pod("comes", sleeper(), **on_node))
    identity = breaks.removeprefix("containerd://")
    faulty.inside(node, "ctr", "-n", "k8s.io", "task", "kill", "-s", "SIGKILL", identity)
    space.pod_where("comes", lambda found: found["spec"].get("nodeName") == node, "bound")
    os.kill(stopped, signal.SIGKILL)
    chaos.back(faulty, node, "kubelet", stopped)

    space.pod_ready("comes")
    space.gone("pods", "goes")
    space.pod_where("breaks", lambda found: container_status(found)["restartCount"] == 1 and is_ready(found), "restarted")
    eventually(lambda: chaos.runtime_matches(faulty, node, space, dead_containers=1))
    assert container_status(space.get("pods", "stays"))["containerID"] == stays
    assert container_status(space.get("pods", "stays"))["restartCount"] == 0


def test_a_containerd_killed_while_pods_start_makes_each_once(faulty: LocalCluster, space: Namespace) -> None:
    node = faulty.workers()[0]
    names = [f"p{number}" for number in range(8)]
    on_node = {"nodeSelector": {"kubernetes.io/hostname": node}, "restartPolicy": "Always"}
    for name in names:
        space.create(pod(name, web_container(), **on_node))
    for count in (1, 4):
        eventually(lambda count=count: _some_run(faulty, node, space, count))
        chaos.back(faulty, node, "containerd", chaos.kill(faulty, node, "containerd"))
    for name in names:
        space.pod_ready(name)
    eventually(lambda: chaos.runtime_matches(faulty, node, space, dead_containers=None))
    for name in names:
        space.delete("pods", name)
    chaos.back(faulty, node, "containerd", chaos.kill(faulty, node, "containerd"))
    for name in names:
        space.gone("pods", name)
    eventually(lambda: chaos.runtime_matches(faulty, node, space))


def _some_run(cluster: LocalCluster, node: str, space: Namespace, count: int) -> None:
    held = [each for each in chaos.runtime(cluster, node) if each.namespace == space.name]
    running = [each.pod for each in held if each.container and each.running]
    assert len(running) >= count, f"only {running} run"


def test_processes_of_nodes_reach_service_addresses(faulty: LocalCluster, guestbook: Namespace, space: Namespace) -> None:
    web = guestbook.get("services", "web")["spec"]["clusterIP"]
    for node in faulty.nodes():
        eventually(lambda of=node.name: _is_healthy(faulty, of, web))  # type: ignore[misc]
    script = f"import socket; print(socket.create_connection(('{web}', 80), 5).getpeername()[0])"
    assert space.run(pod("host", python(script), hostNetwork=True)) == f"{web}\n"
    # What no rule of a node sends elsewhere ends at the switch.
    argv = ["nsenter", f"--net=/proc/{chaos.switch_pid(faulty)}/ns/net", "cat", "/proc/sys/net/ipv4/ip_forward"]
    assert subprocess.run(argv, capture_output=True, text=True, timeout=10, check=True).stdout == "0\n"


def _is_healthy(cluster: LocalCluster, node: str, address: str) -> None:
    found = chaos.ask_from(cluster, node, address, 80, "/healthz")
    assert found.endswith("ok\n"), found


def test_none_of_it_has_shown_later(faulty: LocalCluster, guestbook: Namespace, onlookers: tuple[Watch, Watch]) -> None:
    """The last test of the module: after the faults of all others nothing has become unready, also later than they looked."""

    def nobody_suffers() -> None:
        for watch in onlookers:
            assert not watch.problem, watch.problem
            unready = {each["metadata"]["name"]: condition(each, "Ready") for each in watch.versions() if not is_ready(each)}
            assert unready == {}

    always(nobody_suffers, LATER_S)
    assert {restarts for _, restarts in chaos.containers_of(guestbook.pods()).values()} == {0}
    assert onlookers[0].types().keys() <= {"MODIFIED"}
    assert len(chaos.ready_nodes(faulty)) == 3
