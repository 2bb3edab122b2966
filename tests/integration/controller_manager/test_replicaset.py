"""The ReplicaSet controller over an imitated API, in virtual time: convergence, crashes, lost events, adoption."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from apiclient.transport import EventType, Verb
from apimachinery import errors
from apimachinery.codec import convert
from apimachinery.kinds import OwnerReference, Pod, ReplicaSet
from controller_manager.replicaset.controller import ReplicaSetController
from controller_manager.shared.ownership import controller_of
from tests.support.controllers import CrashingTransport, Machines, Stage

pytestmark = pytest.mark.looptime


def replica_set(replicas: int, name: str = "web", **labels: str) -> ReplicaSet:
    wanted = labels or {"app": name}
    return convert(
        ReplicaSet,
        {
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": wanted},
                "template": {"metadata": {"labels": wanted}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
            },
        },
    )


def stage() -> Stage:
    return Stage(lambda context: [ReplicaSetController(context)])


def active(scene: Stage) -> list[Pod]:
    pods = scene.api.objects(Pod)
    return [pod for pod in pods if pod.metadata.deletion_timestamp is None and pod.status.phase not in ("Failed", "Succeeded")]


def scale(scene: Stage, replicas: int, name: str = "web") -> None:
    rs = scene.api.find(ReplicaSet, name, "default")
    assert rs is not None
    rs.spec.replicas = replicas
    rs.metadata.generation = (rs.metadata.generation or 0) + 1
    scene.api.put(rs)


def available(scene: Stage, count: int, name: str = "web") -> Callable[[], bool]:
    def reached() -> bool:
        rs = scene.api.find(ReplicaSet, name, "default")
        return rs is not None and (rs.status.replicas, rs.status.available_replicas or 0) == (count, count)

    return reached


async def test_scales_up_and_down_and_says_so() -> None:
    scene = stage()
    scene.api.seed(replica_set(30))
    await scene.start()
    scene.play(Machines(scene, "node-a", "node-b").run())
    await scene.until(available(scene, 30))
    assert len(scene.created(Pod)) == 30
    assert scene.told.reasons().count("SuccessfulCreate") == 30
    assert all(name.startswith("web-") for name in scene.created(Pod))
    scale(scene, 2)
    await scene.until(available(scene, 2))
    await scene.settle()
    assert len(scene.writes(Verb.DELETE, "pods")) == 28
    assert scene.told.reasons().count("SuccessfulDelete") == 28
    await scene.stop()


async def test_replaces_pods_that_end_however_they_end() -> None:
    scene = stage()
    scene.api.seed(replica_set(3))
    await scene.start()
    scene.play(Machines(scene).run())
    await scene.until(available(scene, 3))
    first, second, _ = active(scene)
    scene.api.remove(Pod, first.metadata.name, "default")
    second.status.phase = "Failed"
    scene.api.put(second)
    await scene.until(lambda: len(active(scene)) == 3 and available(scene, 3)())
    assert len(scene.created(Pod)) == 5
    await scene.stop()


async def test_adopts_free_pods_and_releases_those_that_match_no_longer() -> None:
    scene = stage()
    free = convert(
        Pod,
        {
            "metadata": {"name": "free", "namespace": "default", "labels": {"app": "web"}},
            "spec": {"containers": []},
        },
    )
    strangers = convert(
        Pod,
        {
            "metadata": {
                "name": "strangers",
                "namespace": "default",
                "labels": {"app": "web"},
                "ownerReferences": [
                    {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "x", "uid": "x", "controller": True}
                ],
            },
            "spec": {"containers": []},
        },
    )
    scene.api.seed(replica_set(2), free, strangers)
    await scene.start()
    scene.play(Machines(scene).run())
    await scene.until(available(scene, 2))
    rs = scene.api.find(ReplicaSet, "web", "default")
    assert rs is not None
    adopted = scene.api.find(Pod, "free", "default")
    assert adopted is not None
    assert (owner := controller_of(adopted)) is not None
    assert owner.uid == rs.metadata.uid
    assert len(scene.created(Pod)) == 3, "the free pod counts"

    adopted.metadata.labels = {"app": "debug"}
    scene.api.put(adopted)
    await scene.until(lambda: len(scene.created(Pod)) == 4 and available(scene, 2)())
    released = scene.api.find(Pod, "free", "default")
    assert released is not None
    assert released.metadata.owner_references == []
    kept = scene.api.find(Pod, "strangers", "default")
    assert kept is not None
    assert [each.uid for each in kept.metadata.owner_references] == ["x"]
    await scene.stop()


async def test_a_recreated_set_of_the_same_name_does_not_take_its_predecessors_pods_by_name() -> None:
    scene = stage()
    pod = convert(Pod, {"metadata": {"name": "old", "namespace": "default", "labels": {"app": "web"}}, "spec": {}})
    pod.metadata.owner_references = [
        OwnerReference(api_version="apps/v1", kind="ReplicaSet", name="web", uid="predecessor", controller=True)
    ]
    scene.api.seed(replica_set(1), pod)
    await scene.start()
    await scene.until(lambda: len(scene.api.objects(Pod)) == 2)
    await scene.settle()
    kept = scene.api.find(Pod, "old", "default")
    assert kept is not None
    assert kept.metadata.owner_references[0].uid == "predecessor"
    await scene.stop()


async def test_a_refused_create_is_told_and_tried_again_ever_more_slowly() -> None:
    scene = stage()
    scene.api.seed(replica_set(40))
    refused = errors.forbidden("pods", "", "exceeded quota")
    scene.api.fail = lambda write: refused if write.verb == Verb.CREATE else None
    await scene.start()

    def failing() -> bool:
        rs = scene.api.find(ReplicaSet, "web", "default")
        return rs is not None and [each.reason for each in rs.status.conditions] == ["FailedCreate"]

    await scene.until(failing)
    await scene.settle(quiet_s=5)
    assert len(scene.writes(Verb.CREATE, "pods")) < 20, "slow start stops at the first failure, and backs off"
    scene.api.fail = lambda write: None
    scene.play(Machines(scene).run())
    await scene.until(available(scene, 40))
    rs = scene.api.find(ReplicaSet, "web", "default")
    assert rs is not None
    assert rs.status.conditions == []
    assert len(scene.created(Pod)) == 40
    await scene.stop()


async def test_a_create_whose_answer_is_lost_is_not_repeated() -> None:
    """The pod was made, the answer was not heard, and the watch is behind: no second pod may be made for it."""
    scene = stage()
    scene.api.seed(replica_set(1))
    lost = 0

    class Losing(CrashingTransport):
        async def write(self, write):  # type: ignore[no-untyped-def]
            nonlocal lost
            answer = await self.api.write(write)
            if write.verb == Verb.CREATE and lost == 0:
                lost += 1
                held.append(True)
                raise errors.unavailable("connection lost")
            return answer

    held: list[bool] = []
    scene.api.drop = lambda resource, event: bool(held) and resource.plural == "pods"
    await scene.start(Losing(scene.api))
    await scene.until(lambda: lost == 1)
    await scene.settle(quiet_s=3)
    assert len(scene.created(Pod)) == 1
    held.clear()
    scene.forget_history()
    scene.play(Machines(scene).run())
    await scene.until(available(scene, 1), timeout_s=120)
    assert len(scene.created(Pod)) == 1
    await scene.stop()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_crash_around_every_write_changes_nothing_in_the_end(after: bool) -> None:
    reached = 0
    for at in itertools.count(1):
        scene = stage()
        scene.api.seed(replica_set(5))
        machines = Machines(scene)
        scene.play(machines.run())
        transport = CrashingTransport(scene.api, at=at, after=after)
        await scene.start(transport)
        for size in (5, 2):
            scale(scene, size)
            goal = available(scene, size)
            await scene.until(lambda goal=goal, crash=transport.crashed: goal() or crash.is_set())
            if transport.crashed.is_set():
                await scene.restart()
                await scene.until(goal)
        await scene.settle()
        assert len(active(scene)) == 2
        assert len(scene.created(Pod)) == 5, f"crash {'after' if after else 'before'} write {at}"
        assert transport.count < 200
        crashed = transport.crashed.is_set()
        await scene.stop()
        reached = at
        if not crashed:
            break
    assert reached > 8, "every write was a crash point"


@pytest.mark.parametrize("kind", [EventType.ADDED, EventType.MODIFIED, EventType.DELETED])
@pytest.mark.parametrize("plural", ["pods", "replicasets"])
async def test_an_event_that_never_comes_is_made_up_for_by_the_next_list(plural: str, kind: EventType) -> None:
    scene = stage()
    dropped: list[int] = []

    def drop(resource, event) -> bool:  # type: ignore[no-untyped-def]
        if resource.plural == plural and event.type == kind and not dropped:
            dropped.append(event.revision)
            return True
        return event.revision in dropped and resource.plural == plural

    scene.play(Machines(scene).run())
    await scene.start()
    scene.api.drop = drop
    scene.api.seed(replica_set(3))
    await scene.settle(quiet_s=5)
    if scene.api.find(ReplicaSet, "web", "default") is not None:
        scale(scene, 1)
    await scene.settle(quiet_s=5)
    if plural == "replicasets" and kind == EventType.DELETED:
        scene.api.remove(ReplicaSet, "web", "default")
        await scene.settle()
        scene.forget_history()
        await scene.settle(quiet_s=10)
        assert scene.context is not None
        assert scene.context.informers.replica_sets.store.list() == []
    else:
        scene.forget_history()
        await scene.settle(quiet_s=10)
        await scene.until(available(scene, 1), timeout_s=400)
        assert len(active(scene)) == 1
    assert dropped
    await scene.stop()


async def test_minimum_ready_time_is_waited_for_without_any_event() -> None:
    scene = stage()
    rs = replica_set(1)
    rs.spec.min_ready_seconds = 10
    scene.api.seed(rs)
    await scene.start()
    scene.play(Machines(scene).run())
    took_s = await scene.until(available(scene, 1))
    assert 9 <= took_s <= 12
    await scene.stop()


async def test_while_the_cache_lags_behind_its_own_creates_nothing_more_is_created() -> None:
    scene = stage()
    await scene.start()
    scene.api.drop = lambda resource, event: resource.plural == "pods"
    scene.api.seed(replica_set(3))
    await scene.settle()
    for controller in scene.controllers:
        controller.resync()
    scale(scene, 5)
    await scene.settle()
    assert len(scene.created(Pod)) == 3
    scene.api.drop = lambda resource, event: False
    scene.forget_history()
    scene.play(Machines(scene).run())
    await scene.until(available(scene, 5))
    assert len(scene.created(Pod)) == 5
    await scene.stop()


async def test_a_set_that_is_gone_but_still_cached_adopts_nothing() -> None:
    scene = stage()
    scene.api.seed(replica_set(0))
    await scene.start()
    scene.api.drop = lambda resource, event: resource.plural == "replicasets"
    scene.api.remove(ReplicaSet, "web", "default")
    free = {"metadata": {"name": "free", "namespace": "default", "labels": {"app": "web"}}, "spec": {"containers": []}}
    scene.api.seed(convert(Pod, free))
    await scene.settle()
    left = scene.api.find(Pod, "free", "default")
    assert left is not None
    assert left.metadata.owner_references == []
    await scene.stop()
