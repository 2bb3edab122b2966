"""The life of nodes over an imitated API, in virtual time: silence, eviction, healing, and when not to believe in silence."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from apiclient.transport import Verb
from apimachinery import errors
from apimachinery.codec import convert
from apimachinery.kinds import Lease, Node, Pod, Taint
from apimachinery.resources import LEASES
from apimachinery.times import format_micro_time, format_time
from controller_manager.node_ipam.controller import NodeIpamController
from controller_manager.node_lifecycle.controller import (
    DECLARED_EVERY_S,
    DECLARED_NODES_BURST,
    DECLARED_NODES_PER_S,
    DOUBTFUL_PACE,
    LEASE_NAMESPACE,
    NodeLifecycleController,
)
from controller_manager.pod_gc.controller import PodGcController
from controller_manager.shared.context import Context
from controller_manager.shared.loop import Controller
from controller_manager.taint_eviction.controller import TaintEvictionController
from tests.support.controllers import CrashingTransport, Stage, ready_node, running

pytestmark = pytest.mark.looptime

GRACE_S, TOLERATION_S = 4.0, 5


def build(context: Context) -> Sequence[Controller]:
    return [
        NodeLifecycleController(context, grace_s=GRACE_S, unhealthy_fraction=0.55),
        TaintEvictionController(context, settle_s=2 * GRACE_S),
        PodGcController(context),
    ]


class Kubelets:
    """Renew leases each second, post Ready when they find their node otherwise; the dead and the unheard do nothing."""

    def __init__(self, scene: Stage, *names: str) -> None:
        self.scene = scene
        self.names = names
        self.dead: set[str] = set()
        self.cut_off = False
        for name in names:
            scene.api.seed(ready_node(name, scene.clock.now()))
            lease = Lease()
            lease.metadata.name, lease.metadata.namespace = name, LEASE_NAMESPACE
            scene.api.seed(lease)

    async def run(self) -> None:
        while True:
            for name in self.names:
                if name not in self.dead and not self.cut_off:
                    self._live(name)
            await asyncio.sleep(1)

    def _live(self, name: str) -> None:
        api, now = self.scene.api, self.scene.clock.now()
        lease = api.find(Lease, name, LEASE_NAMESPACE)
        assert lease is not None
        # a node's clock may be years off; only the change counts
        lease.spec.renew_time = format_micro_time(now.replace(year=2020))
        api.put(lease)
        node = api.find(Node, name)
        if node is not None and node.status.conditions[0].status != "True":
            fresh = ready_node(name, now)
            node.status = fresh.status
            api.put(node)


def pod(scene: Stage, name: str, node: str, toleration_s: int | None = TOLERATION_S, **spec: Any) -> Pod:
    tolerations = [
        {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": toleration_s}
        for key in ("not-ready", "unreachable")
        if toleration_s is not None
    ]
    plain = {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"nodeName": node, "containers": [], "tolerations": tolerations, **spec},
    }
    made = convert(Pod, plain)
    made.metadata.uid = f"uid-{name}"
    return running(made, scene.clock.now(), ready=True)


def readiness(scene: Stage, name: str) -> str:
    node = scene.api.find(Node, name)
    assert node is not None
    return next(each.status for each in node.status.conditions if each.type == "Ready")


def taints(scene: Stage, name: str) -> set[str]:
    node = scene.api.find(Node, name)
    assert node is not None
    return {f"{each.key.rpartition('/')[2]}:{each.effect}" for each in node.spec.taints}


def is_ready(scene: Stage, name: str) -> bool:
    found = scene.api.find(Pod, name, "default")
    assert found is not None
    return any(each.type == "Ready" and each.status == "True" for each in found.status.conditions)


def is_going(scene: Stage, name: str) -> bool:
    found = scene.api.find(Pod, name, "default")
    return found is None or found.metadata.deletion_timestamp is not None


async def begin(*names: str) -> tuple[Stage, Kubelets]:
    scene = Stage(build)
    kubelets = Kubelets(scene, *names)
    scene.play(kubelets.run())
    for number, name in enumerate(names):
        scene.api.seed(pod(scene, f"p{number}", name))
    await scene.start()
    await asyncio.sleep(20)
    return scene, kubelets


async def test_the_time_line_of_a_lost_node() -> None:
    scene, kubelets = await begin("a", "b", "c")
    scene.api.seed(pod(scene, "short", "b", 0), pod(scene, "long", "b", 60), pod(scene, "unlimited", "b", None))
    scene.api.seed(pod(scene, "everywhere", "b", None, tolerations=[{"operator": "Exists"}]))
    await asyncio.sleep(1)
    assert scene.api.writes == []
    kubelets.dead.add("b")
    noticed_s = await scene.until(lambda: readiness(scene, "b") == "Unknown")
    assert GRACE_S - 1 <= noticed_s <= GRACE_S + 0.5
    assert await scene.until(lambda: not is_ready(scene, "p1")) <= 0.1, "its pods leave service with it"
    assert await scene.until(lambda: taints(scene, "b") == {"unreachable:NoSchedule", "unreachable:NoExecute"}) <= 0.1
    assert await scene.until(lambda: is_going(scene, "short")) <= 0.2
    assert await scene.until(lambda: is_going(scene, "unlimited")) <= 0.2, "no toleration is no time"
    assert not is_going(scene, "p1")
    assert TOLERATION_S - 0.5 <= await scene.until(lambda: is_going(scene, "p1")) <= TOLERATION_S + 0.2
    gone = scene.api.find(Pod, "p1", "default")
    assert gone is not None
    assert [each.reason for each in gone.status.conditions if each.type == "DisruptionTarget"] == ["DeletionByTaintManager"]
    assert not is_going(scene, "long")
    assert 54 <= await scene.until(lambda: is_going(scene, "long")) <= 56
    assert not is_going(scene, "everywhere")
    assert is_ready(scene, "p0")
    assert is_ready(scene, "p2")
    assert "NodeNotReady" in scene.told.reasons("b")
    assert "TaintManagerEviction" in scene.told.reasons("p1")
    await scene.stop()


async def test_a_node_that_comes_back_in_time_keeps_its_pods() -> None:
    scene, kubelets = await begin("a", "b", "c")
    kubelets.dead.add("b")
    await scene.until(lambda: "unreachable:NoExecute" in taints(scene, "b"))
    await asyncio.sleep(2)
    kubelets.dead.clear()
    assert await scene.until(lambda: taints(scene, "b") == set()) <= 1.2
    await asyncio.sleep(20)
    assert not is_going(scene, "p1")
    assert readiness(scene, "b") == "True"
    await scene.stop()


async def test_a_node_that_says_it_is_not_ready_is_tainted_but_its_pods_stay_in_service() -> None:
    scene, kubelets = await begin("a", "b", "c")
    kubelets.dead.add("b")
    node = scene.api.find(Node, "b")
    assert node is not None
    node.status.conditions[0].status = "False"
    scene.api.put(node)
    assert await scene.until(lambda: taints(scene, "b") == {"not-ready:NoSchedule", "not-ready:NoExecute"}) <= 0.3
    assert is_ready(scene, "p1")
    await scene.stop()


async def test_when_every_node_vanishes_nothing_is_evicted() -> None:
    scene, kubelets = await begin("a", "b", "c", "d")
    kubelets.cut_off = True
    await scene.until(lambda: all(readiness(scene, name) == "Unknown" for name in "abcd"))
    await asyncio.sleep(60)
    assert not any(is_going(scene, f"p{number}") for number in range(4))
    assert all(taints(scene, name) == {"unreachable:NoSchedule"} for name in "abcd")
    kubelets.cut_off = False
    await scene.until(lambda: all(taints(scene, name) == set() for name in "abcd"))
    kubelets.dead.add("a")
    await scene.until(lambda: is_going(scene, "p0"))
    await scene.stop()


async def test_most_nodes_vanishing_one_after_the_other_stops_what_has_begun() -> None:
    names = "abcdefgh"
    scene, kubelets = await begin(*names)
    for name in "abcde":
        kubelets.dead.add(name)
        await asyncio.sleep(0.4)
    await asyncio.sleep(60)
    assert not any(is_going(scene, f"p{number}") for number in range(len(names)))
    kubelets.dead -= set("abc")
    await scene.until(lambda: is_going(scene, "p3") and is_going(scene, "p4"))
    assert not any(is_going(scene, f"p{number}") for number in (0, 1, 2, 5, 6, 7))
    await scene.stop()


async def test_control_planes_do_not_count_as_survivors() -> None:
    scene = Stage(build)
    kubelets = Kubelets(scene, "cp", "a", "b")
    master = scene.api.find(Node, "cp")
    assert master is not None
    master.spec.taints = convert(
        Node, {"spec": {"taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]}}
    ).spec.taints
    scene.api.put(master)
    scene.play(kubelets.run())
    scene.api.seed(pod(scene, "p0", "a"), pod(scene, "p1", "b"))
    await scene.start()
    await asyncio.sleep(20)
    kubelets.dead |= {"a", "b"}
    await asyncio.sleep(60)
    assert not is_going(scene, "p0")
    assert not is_going(scene, "p1")
    assert readiness(scene, "a") == "Unknown"
    await scene.stop()


class Unreachable(CrashingTransport):
    """An API server that is away while `away` is set: nobody can write leases, and nobody can see any."""

    away = False

    async def get(self, name: Any, *, resource_version: str = "") -> bytes:
        if self.away:
            raise errors.unavailable("no API server")
        return await super().get(name, resource_version=resource_version)


async def test_an_api_server_that_was_away_takes_no_node_with_it() -> None:
    scene = Stage(build)
    kubelets = Kubelets(scene, "a", "b", "c")
    scene.play(kubelets.run())
    scene.api.seed(pod(scene, "p0", "a"))
    transport = Unreachable(scene.api)
    await scene.start(transport)
    await asyncio.sleep(20)
    transport.away = kubelets.cut_off = True
    await asyncio.sleep(15)
    transport.away = False
    await asyncio.sleep(2.5)  # the kubelets take their time to come back
    kubelets.cut_off = False
    await asyncio.sleep(20)
    assert all(readiness(scene, name) == "True" for name in "abc")
    assert scene.api.writes == []
    kubelets.dead.add("a")
    assert await scene.until(lambda: readiness(scene, "a") == "Unknown") <= GRACE_S + 0.5
    await scene.stop()


async def test_a_lease_watch_that_hangs_takes_no_node_with_it() -> None:
    scene, _ = await begin("a", "b", "c")
    scene.api.drop = lambda resource, event: resource.plural == "leases"
    await asyncio.sleep(60)
    assert all(readiness(scene, name) == "True" for name in "abc")
    assert scene.api.writes == []
    await scene.stop()


async def test_a_restart_evicts_nothing_hastily() -> None:
    scene, kubelets = await begin("a", "b", "c")
    scene.api.seed(pod(scene, "unlimited", "b", None))
    kubelets.dead.add("b")
    await scene.until(lambda: "unreachable:NoExecute" in taints(scene, "b"))
    await scene.crash()
    scene.api.seed(pod(scene, "late", "b", None))
    await asyncio.sleep(600)
    kubelets.dead.clear()
    await scene.start()
    await asyncio.sleep(30)
    assert not is_going(scene, "p1")
    assert not is_going(scene, "late")
    assert taints(scene, "b") == set()
    kubelets.dead.add("b")
    await scene.crash()
    await asyncio.sleep(600)
    await scene.start()
    took_s = await scene.until(lambda: is_going(scene, "p1"))
    assert GRACE_S + TOLERATION_S <= took_s <= GRACE_S + TOLERATION_S + 1
    await scene.stop()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_crash_around_every_write_of_a_lost_node(after: bool) -> None:
    at = 0
    while True:
        at += 1
        scene = Stage(build)
        kubelets = Kubelets(scene, "a", "b", "c")
        scene.play(kubelets.run())
        scene.api.seed(pod(scene, "p0", "a"), pod(scene, "p1", "b"), pod(scene, "p2", "b"))
        transport = CrashingTransport(scene.api, at=at, after=after)
        await scene.start(transport)
        await asyncio.sleep(10)
        kubelets.dead.add("b")
        await scene.until(
            lambda scene=scene, crash=transport.crashed: crash.is_set() or (is_going(scene, "p1") and is_going(scene, "p2"))
        )
        if transport.crashed.is_set():
            await scene.restart()
            await scene.until(lambda scene=scene: is_going(scene, "p1") and is_going(scene, "p2"))
        await asyncio.sleep(5)
        assert taints(scene, "b") == {"unreachable:NoSchedule", "unreachable:NoExecute"}, at
        assert is_ready(scene, "p0")
        assert not is_going(scene, "p0")
        crashed = transport.crashed.is_set()
        await scene.stop()
        if not crashed:
            break
    assert at > 6


async def test_pods_of_a_node_that_no_longer_exists_are_removed_but_not_at_once() -> None:
    scene, kubelets = await begin("a", "b", "c")
    kubelets.dead.add("b")
    await scene.until(lambda: is_going(scene, "p1"))
    scene.api.remove(Node, "b")
    took_s = await scene.until(lambda: scene.api.find(Pod, "p1", "default") is None)
    assert 9 <= took_s <= 12
    await scene.stop()


async def test_a_node_missing_only_in_the_cache_loses_no_pod() -> None:
    scene, _ = await begin("a")
    scene.api.drop = lambda resource, event: resource.plural == "nodes"
    scene.api.seed(ready_node("new", scene.clock.now()), pod(scene, "fresh", "new"))
    await asyncio.sleep(120)
    assert not is_going(scene, "fresh")
    await scene.stop()


async def test_a_deleted_pod_that_was_never_placed_is_removed() -> None:
    scene, _ = await begin("a")
    waiting = convert(Pod, {"metadata": {"name": "w", "namespace": "default"}, "spec": {"containers": []}})
    waiting.metadata.deletion_timestamp = format_time(scene.clock.now())
    scene.api.seed(waiting)
    await scene.until(lambda: scene.api.find(Pod, "w", "default") is None, timeout_s=2)
    await scene.stop()


async def test_deleted_pods_of_a_node_that_is_out_of_service_are_let_go_of() -> None:
    scene, kubelets = await begin("a", "b", "c")
    scene.api.seed(pod(scene, "patient", "b", toleration_s=None, tolerations=[{"operator": "Exists"}]))
    for name in ("a", "b"):  # a lives, so what is said of it is not believed
        node = scene.api.find(Node, name)
        assert node is not None
        node.spec.taints.append(Taint(key="node.kubernetes.io/out-of-service", effect="NoSchedule"))
        scene.api.put(node)
    kubelets.dead.add("b")
    await scene.until(lambda: readiness(scene, "b") == "Unknown")
    for name in ("p0", "patient"):
        gone = scene.api.find(Pod, name, "default")
        assert gone is not None
        gone.metadata.deletion_timestamp = format_time(scene.clock.now())
        scene.api.put(gone)
    await scene.until(lambda: scene.api.find(Pod, "patient", "default") is None, timeout_s=2)
    await asyncio.sleep(60)
    assert scene.api.find(Pod, "p0", "default") is not None
    await scene.stop()


async def test_the_oldest_finished_pods_above_the_limit_are_removed() -> None:
    scene = Stage(lambda context: [PodGcController(context, finished_limit=2)])
    scene.api.seed(ready_node("a", scene.clock.now()))
    for number in (2, 0, 3, 1):
        finished = pod(scene, f"p{number}", "a")
        finished.metadata.creation_timestamp = f"2025-01-01T00:00:0{number}Z"
        finished.status.phase = "Failed" if number % 2 else "Succeeded"
        scene.api.seed(finished)
    scene.api.seed(pod(scene, "running", "a"))
    await scene.start()
    await scene.until(lambda: scene.api.find(Pod, "p1", "default") is None)
    await asyncio.sleep(60)
    assert [each.metadata.name for each in scene.api.objects(Pod)] == ["p2", "p3", "running"]
    await scene.stop()


async def test_changes_of_nodes_do_not_make_the_pod_collector_walk_over_all_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, _ = await begin("a", "b", "c")
    walks: list[float] = []
    assert scene.context is not None
    store = scene.context.informers.pods.store
    whole = store.list
    monkeypatch.setattr(store, "list", lambda *of, **options: (walks.append(scene.clock.monotonic()), whole(*of, **options))[1])
    for number in range(100):
        node = scene.api.find(Node, "a")
        assert node is not None
        node.spec.taints = [Taint(key="turn", value=str(number), effect="PreferNoSchedule")]
        scene.api.put(node)
        await asyncio.sleep(0.1)
    assert len(walks) <= 2
    await scene.stop()


async def test_evictions_of_many_nodes_are_spread() -> None:
    names = [f"n{number}" for number in range(20)]
    scene, kubelets = await begin(*names)
    kubelets.dead |= set(names[:8])
    evicting: set[str] = set()
    began = scene.clock.monotonic()
    while len(evicting) < 8 and scene.clock.monotonic() - began < 60:
        await asyncio.sleep(0.1)
        evicting = {name for name in names if "unreachable:NoExecute" in taints(scene, name)}
        if scene.clock.monotonic() - began < GRACE_S + 0.6:
            assert len(evicting) <= 6
    assert len(evicting) == 8
    await scene.stop()


def ipam(context: Context) -> Sequence[Controller]:
    return [NodeIpamController(context, cluster_cidr="10.244.0.0/16", mask_size=24)]


def cidrs(scene: Stage) -> dict[str, str]:
    return {node.metadata.name: node.spec.pod_cidr for node in scene.api.objects(Node)}


async def test_each_node_gets_its_own_cidr_at_once_also_after_a_restart() -> None:
    scene = Stage(ipam)
    taken = ready_node("old", scene.clock.now())
    taken.spec.pod_cidr, taken.spec.pod_cidrs = "10.244.0.0/24", ["10.244.0.0/24"]
    scene.api.seed(taken, *(ready_node(f"n{number}", scene.clock.now()) for number in range(5)))
    await scene.start()
    assert await scene.until(lambda: all(cidrs(scene).values())) <= 0.1
    assert len(set(cidrs(scene).values())) == 6
    await scene.restart()
    scene.api.remove(Node, "n2")
    freed = "10.244.3.0/24"
    await scene.settle()
    scene.api.seed(ready_node("n9", scene.clock.now()))
    await scene.until(lambda: bool(cidrs(scene)["n9"]))
    assert cidrs(scene)["n9"] == freed
    assert len(set(cidrs(scene).values())) == 6
    await scene.stop()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_no_cidr_is_given_twice_however_the_process_dies(after: bool) -> None:
    for at in range(1, 5):
        scene = Stage(ipam)
        scene.api.seed(*(ready_node(f"n{number}", scene.clock.now()) for number in range(4)))
        transport = CrashingTransport(scene.api, at=at, after=after)
        await scene.start(transport)
        await scene.until(transport.crashed.is_set)
        # the new leader's cache lacks the old one's last write
        last = scene.api.revision
        scene.api.drop = lambda resource, event, last=last: event.revision == last
        await scene.restart()
        await scene.until(lambda scene=scene: all(cidrs(scene).values()))
        assert len(set(cidrs(scene).values())) == 4
        await scene.stop()


async def test_a_node_that_changes_meanwhile_still_gets_its_cidr() -> None:
    scene = Stage(ipam)
    conflicts = 2

    def interfere(write: Any) -> Any:
        nonlocal conflicts
        if write.verb == Verb.UPDATE and conflicts:
            conflicts -= 1
            node = scene.api.find(Node, "n")
            assert node is not None
            node.metadata.labels[f"l{conflicts}"] = "x"
            scene.api.put(node)
        return None

    scene.api.fail = interfere
    scene.api.seed(ready_node("n", scene.clock.now()))
    await scene.start()
    await scene.until(lambda: cidrs(scene) == {"n": "10.244.0.0/24"})
    assert conflicts == 0
    await scene.stop()


async def test_no_cidr_left_is_told() -> None:
    scene = Stage(lambda context: [NodeIpamController(context, cluster_cidr="10.244.0.0/24", mask_size=24)])
    scene.api.seed(ready_node("a", scene.clock.now()), ready_node("b", scene.clock.now()))
    await scene.start()
    await scene.until(lambda: "CIDRNotAvailable" in scene.told.reasons())
    holder = next(name for name, cidr in cidrs(scene).items() if cidr)
    scene.api.remove(Node, holder)
    await scene.until(lambda: all(cidrs(scene).values()), timeout_s=120)
    await scene.stop()


async def test_what_an_earlier_leader_believed_evicts_nobody_before_it_is_seen_again() -> None:
    scene = Stage(build)
    kubelets = Kubelets(scene, "a", "b", "c")
    suspected = scene.api.find(Node, "b")
    assert suspected is not None
    suspected.status.conditions[0].status = "Unknown"
    scene.api.put(suspected)
    scene.api.seed(pod(scene, "p1", "b"))
    await scene.start()
    await scene.until(lambda: "unreachable:NoSchedule" in taints(scene, "b"))
    await asyncio.sleep(GRACE_S - 1)
    assert "unreachable:NoExecute" not in taints(scene, "b")
    scene.play(kubelets.run())
    await scene.until(lambda: taints(scene, "b") == set())
    await asyncio.sleep(20)
    assert not is_going(scene, "p1")
    await scene.stop()


async def test_the_api_is_asked_about_a_silent_node_once_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, kubelets = await begin("a", "b", "c")
    asked: list[float] = []
    get = scene.api.get

    async def counting(name: Any, **options: Any) -> bytes:
        if name.resource is LEASES and name.name == "b":
            asked.append(scene.clock.monotonic())
        return await get(name, **options)

    monkeypatch.setattr(scene.api, "get", counting)
    kubelets.dead.add("b")
    await scene.until(lambda: taints(scene, "b") == {"unreachable:NoSchedule", "unreachable:NoExecute"})
    assert len(asked) == 1, "what it writes itself brings the node back, and is no reason to ask again"
    for number in range(30):
        scene.api.seed(pod(scene, f"late-{number}", "b", tolerations=[{"operator": "Exists"}]))
        await asyncio.sleep(0.1)
    assert 2 <= len(asked) <= 5
    assert await scene.until(lambda: not is_ready(scene, "late-29")) <= 0.1
    kubelets.dead.clear()
    await scene.until(lambda: not taints(scene, "b"))
    kubelets.dead.add("b")
    asked.clear()
    assert await scene.until(lambda: readiness(scene, "b") == "Unknown") >= GRACE_S - 1
    assert len(asked) == 1, "another silence is another matter"


@pytest.mark.parametrize(("others", "pace"), [(DECLARED_NODES_BURST + 20, 1.0), (0, DOUBTFUL_PACE)], ids=["some", "all"])
async def test_many_silent_nodes_are_declared_by_turns(others: int, pace: float) -> None:
    many = DECLARED_NODES_BURST + 20
    names = [f"n{number}" for number in range(many)]
    scene, kubelets = await begin(*names, *(f"alive{number}" for number in range(others)))

    def declared() -> int:
        return sum(readiness(scene, name) == "Unknown" for name in names)

    kubelets.dead.update(names)
    await scene.until(lambda: any(readiness(scene, name) == "Unknown" for name in names[:2]))
    await asyncio.sleep(0.05)
    at_once = DECLARED_NODES_BURST * pace  # what has been saved up is spent at the pace of who spends it
    assert at_once - 1 <= declared() <= at_once + 10
    took_s = await scene.until(lambda: declared() == many)
    least_s = (many - at_once) / (DECLARED_NODES_PER_S * pace)
    assert least_s - 0.3 <= took_s <= least_s + DECLARED_EVERY_S
    await scene.stop()
