"""Nodes die, are cut off and come back, on a cluster of this module's own; and in the end nothing of it is left.

Times run from the fault, on this machine's clock. A node's lease is renewed each second and missed for four, its pods are
tolerated for five more, so a lost pod is Ready elsewhere some ten seconds after the fault.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cluster import api
from tests.support import chaos, machine
from tests.support.chaos import GUESTBOOK_PORT, Watch
from tests.support.cluster import NAME_PREFIX, LocalCluster, Namespace, Object, is_ready, remove_leftovers
from tests.support.load import Load
from tests.support.manifests import deployment, pod, service, sleeper, web_container
from tests.support.rest import path_of
from tests.support.waiting import always, eventually

# one for each test that needs one: the port of a namespace that is on its way out is not free yet
NODE_PORTS = (30081, 30082, 30083)
NOTICED_S = 6.0
RULES_S = 0.5
"""How long it may take from the moment a node is seen to be NotReady until every other node's kernel knows."""
REPLACED_S = 12.0
EVICTED_S = 7.0
"""Longer than pods are tolerated on a lost node once it is noticed."""
BACK_S = 20.0
HEALED_S = 30.0

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """A cluster whose nodes are killed: a control plane and two workers."""
    remove_leftovers()
    made = LocalCluster.create(f"{NAME_PREFIX}{os.getpid()}-nodes", tmp_path_factory.mktemp("nodes"))
    try:
        yield made
    finally:
        made.delete()


@pytest.fixture
def space(request: pytest.FixtureRequest, fragile: LocalCluster, show_in_reports: Callable[..., None]) -> Iterator[Namespace]:
    """A namespace of the test's own, on nodes that are all Ready; whatever it did to them, they run again afterwards."""
    slug = request.node.name.lower().removeprefix("test_").replace("_", "-")[:50].strip("-")
    with _nodes_restored(fragile), fragile.namespace(slug) as namespace:
        show_in_reports(request.node, namespace)
        yield namespace


@contextmanager
def _nodes_restored(cluster: LocalCluster) -> Iterator[None]:
    _all_ready(cluster)
    try:
        yield
    finally:
        for node in cluster.nodes():
            if node.state != "running":
                api.node_start(cluster.name, node.name)
        _all_ready(cluster)


def _all_ready(cluster: LocalCluster) -> None:
    names = {each.name for each in cluster.nodes()}

    def check() -> None:
        ready = chaos.ready_nodes(cluster)
        assert ready == names, f"not Ready: {names - ready}"
        for name in names:
            _assert_takes_pods(cluster, name)

    eventually(check, HEALED_S)


def _assert_takes_pods(cluster: LocalCluster, node: str) -> None:
    """Its taints go some time after it is Ready again."""
    taints = cluster.rest.get(path_of("nodes", name=node))["spec"].get("taints") or []
    left = [each["key"] for each in taints if each["key"].startswith("node.kubernetes.io/")]
    assert not left, f"{node} still has the taints {left}"


def _assert_unknown(cluster: LocalCluster, node: str, addresses: set[str]) -> None:
    """The rules of a node lead to none of these addresses."""
    rules = chaos.in_network(cluster, node, "iptables-save", "-t", "nat")
    found = [address for address in addresses if f"{address}:" in rules]
    assert not found, f"{node} still leads to {found}"


def _ready_elsewhere(space: Namespace, count: int, lost: str, app: str = "web") -> list[Object]:
    pods = [each for each in space.pods(f"app={app}") if is_ready(each) and each["spec"]["nodeName"] != lost]
    assert len(pods) == count, f"{len(pods)} pods are Ready elsewhere instead of {count}"
    return pods


def test_the_pods_of_a_killed_worker_are_replaced_and_it_is_used_again(fragile: LocalCluster, space: Namespace) -> None:
    replicas = 4
    space.create(deployment("web", replicas, web_container()), "deployments")
    space.create(service("web", node_port=NODE_PORTS[0]), "services")
    space.deployment_done("web")
    space.endpoints_ready("web", replicas)
    lost = str(space.pods()[0]["spec"]["nodeName"])
    assert len(chaos.nodes_of(space.pods())) == 2, "the pods are on one node"
    unreachable = {each["status"]["podIP"] for each in space.pods() if each["spec"]["nodeName"] == lost}
    others = [node.name for node in fragile.nodes() if node.name != lost]

    with Load(fragile.ports[NODE_PORTS[0]], clients=4, pause_s=0.05, timeout_s=3.0) as load:
        killed_at = time.monotonic()
        api.node_kill(fragile.name, lost)
        noticed_at = chaos.node_becomes(fragile, lost, False, NOTICED_S)
        for node in others:
            eventually(lambda node=node: _assert_unknown(fragile, node, unreachable), RULES_S)  # type: ignore[misc]
        avoided_at = time.monotonic()
        eventually(lambda: _ready_elsewhere(space, replicas, lost), REPLACED_S)
        replaced_at = time.monotonic()
        api.node_start(fragile.name, lost)
        back_at = chaos.node_becomes(fragile, lost, True, BACK_S)

        def cleaned_up() -> None:
            gone = [each["metadata"]["name"] for each in space.list("pods") if "deletionTimestamp" in each["metadata"]]
            assert not gone, f"the pods of the lost node are still there: {gone}"
            chaos.runtime_matches(fragile, lost, space)

        eventually(cleaned_up)
        eventually(lambda: _assert_takes_pods(fragile, lost))
        space.patch("deployments", "web", {"spec": {"replicas": 2 * replicas}})
        space.deployment_done("web")
        assert chaos.nodes_of(space.pods())[lost] >= 2, "the node that came back is not used"
        eventually(lambda: chaos.runtime_matches(fragile, lost, space))
        used_at = time.monotonic()
        eventually(lambda: _asked_since(load, used_at, 40))

    print(
        f"noticed after {noticed_at - killed_at:.1f} s, avoided {avoided_at - noticed_at:.2f} s later, "
        f"replaced after {replaced_at - killed_at:.1f} s, "
        f"back {back_at - replaced_at:.1f} s after its start; {len(load.failures)} of {load.count} requests failed"
    )
    late = [f"{since - killed_at:.1f} s: {text}" for since, (_, text) in zip(load.failed_since, load.failures, strict=True)
            if since > avoided_at]  # fmt: skip
    assert late == [], "requests failed that began after every node's rules left the lost one out"
    assert replaced_at - killed_at <= REPLACED_S


def _asked_since(load: Load, moment: float, count: int) -> None:
    asked = sum(each > moment for each in load.successes) + len(load.failures)
    assert asked >= count, f"only {asked} requests"


def test_an_application_with_a_database_survives_the_node_of_its_database(fragile: LocalCluster, space: Namespace) -> None:
    with chaos.guestbook(fragile) as guestbook:
        lost = str(guestbook.pods("app=redis")[0]["spec"]["nodeName"])
        killed_at = time.monotonic()
        api.node_kill(fragile.name, lost)
        eventually(lambda: _ready_elsewhere(guestbook, 1, lost, "redis"), REPLACED_S)
        eventually(lambda: _ready_elsewhere(guestbook, 3, lost), REPLACED_S + 3 - (time.monotonic() - killed_at))
        eventually(lambda: [chaos.visit(fragile) for _ in range(20)], 10)  # every node's rules lead to the new Redis
        began = time.monotonic()
        with Load(fragile.ports[GUESTBOOK_PORT], "/count", pause_s=0.02) as load:
            eventually(lambda: _asked_since(load, began, 50))
        assert load.failures == []


def test_a_worker_that_is_cut_off_and_healed_ends_what_was_replaced(fragile: LocalCluster, space: Namespace) -> None:
    replicas = 4
    space.create(deployment("web", replicas, web_container()), "deployments")
    space.create(pod("alone", sleeper()), "pods")
    space.deployment_done("web")
    space.pod_ready("alone")
    lost = str(space.pods("app=web")[0]["spec"]["nodeName"])
    before = {each["metadata"]["name"] for each in space.pods("app=web") if each["spec"]["nodeName"] == lost}
    with chaos.cut_off(fragile, lost):
        cut_at = time.monotonic()
        noticed_at = chaos.node_becomes(fragile, lost, False, NOTICED_S)
        eventually(lambda: _ready_elsewhere(space, replicas, lost), REPLACED_S)
        replaced_at = time.monotonic()
        held = {each.pod for each in chaos.runtime(fragile, lost) if each.namespace == space.name and each.running}
        assert before <= held, "a node that hears nothing ends nothing"
    healed_at = time.monotonic()
    back_at = chaos.node_becomes(fragile, lost, True, HEALED_S)
    for name in before:
        space.gone("pods", name, HEALED_S)
    eventually(lambda: chaos.runtime_matches(fragile, lost, space))
    print(
        f"noticed after {noticed_at - cut_at:.1f} s, replaced after {replaced_at - cut_at:.1f} s, "
        f"Ready {back_at - healed_at:.1f} s after it healed, cleaned up after {time.monotonic() - healed_at:.1f} s"
    )
    eventually(lambda: _assert_takes_pods(fragile, lost))
    space.patch("deployments", "web", {"spec": {"replicas": 2 * replicas}})
    space.deployment_done("web")
    assert chaos.nodes_of(space.pods("app=web"))[lost] >= 2, "the healed node is not used"


def test_a_short_cut_is_no_reason_to_replace_anything(fragile: LocalCluster, space: Namespace) -> None:
    """Noticed, so that its pods get no more requests, but healed before their time is up."""
    space.create(deployment("web", 4, web_container()), "deployments")
    space.create(service("web", node_port=NODE_PORTS[1]), "services")
    space.deployment_done("web")
    space.endpoints_ready("web", 4)
    lost = str(space.pods()[0]["spec"]["nodeName"])
    containers = chaos.containers_of(space.pods())
    with Watch(fragile.rest, space.path("pods")) as pods:
        with chaos.cut_off(fragile, lost):
            chaos.node_becomes(fragile, lost, False, NOTICED_S)
        chaos.node_becomes(fragile, lost, True, HEALED_S)
        space.endpoints_ready("web", 4)
        assert pods.types().keys() <= {"MODIFIED"}
    assert chaos.containers_of(space.pods()) == containers
    with Load(fragile.ports[NODE_PORTS[1]], pause_s=0.02) as load:
        began = time.monotonic()
        eventually(lambda: _asked_since(load, began, 40))
    assert load.failures == []


def test_nothing_is_evicted_when_all_workers_are_cut_off(fragile: LocalCluster, space: Namespace) -> None:
    space.create(deployment("web", 4, web_container()), "deployments")
    space.create(service("web", node_port=NODE_PORTS[2]), "services")
    space.deployment_done("web")
    space.endpoints_ready("web", 4)
    containers = chaos.containers_of(space.pods())
    workers = fragile.workers()
    with Watch(fragile.rest, space.path("pods")) as pods:
        with chaos.cut_off(fragile, *workers):
            for worker in workers:
                chaos.node_becomes(fragile, worker, False, NOTICED_S)

            def nobody_goes() -> None:
                assert not pods.problem, pods.problem
                assert pods.types().keys() <= {"MODIFIED"}, pods.types()
                assert not [each for each in pods.last.values() if "deletionTimestamp" in each["metadata"]]

            always(nobody_goes, EVICTED_S)
        for worker in workers:
            chaos.node_becomes(fragile, worker, True, HEALED_S)
        space.endpoints_ready("web", 4)
        nobody_goes()
    assert chaos.containers_of(space.pods()) == containers
    for worker in workers:
        chaos.runtime_matches(fragile, worker, space)


def test_a_cluster_is_deleted_without_a_trace_after_faults(tmp_path: Path) -> None:
    """The guestbook runs, a worker has been killed, another is cut off, processes die: all of it goes."""
    before = machine.observe()
    name = f"{NAME_PREFIX}{os.getpid()}-trace"
    cluster = LocalCluster.create(name, tmp_path)
    try:
        with chaos.guestbook(cluster):
            inside = set()
            for process in machine.processes_of(name):
                with suppress(OSError):  # it has ended meanwhile
                    inside |= machine.namespaces_of([process])
            first, second = cluster.workers()
            api.node_kill(name, first)
            for victim in ("kubelet", "containerd", "kube_proxy"):
                chaos.kill(cluster, second, victim)
            chaos.kill(cluster, chaos.control_plane(cluster), "controller_manager")
            api.node_start(name, first)
            eventually(lambda: _some_container(cluster, first))
            chaos.kill(cluster, chaos.control_plane(cluster), "etcd")
    finally:
        cluster.delete()

    def nothing_left() -> None:
        assert not machine.processes_of(name)
        assert not inside & machine.live_namespaces()

    eventually(nothing_left)
    assert machine.observe() == before


def _some_container(cluster: LocalCluster, node: str) -> None:
    assert any(each.running for each in chaos.runtime(cluster, node)), f"nothing runs on {node}"
