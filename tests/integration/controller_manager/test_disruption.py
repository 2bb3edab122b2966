"""The disruption controller over an imitated API, in virtual time: counts that follow pods, scales and evictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from apiclient.transport import Verb
from apimachinery import codec
from apimachinery.codec import convert
from apimachinery.kinds import Event, Pod, PodDisruptionBudget, ReplicaSet, StatefulSet
from apimachinery.times import format_time
from controller_manager.disruption.controller import DisruptionController
from controller_manager.replicaset.controller import ReplicaSetController
from tests.support.controllers import CrashingTransport, Machines, Stage

pytestmark = pytest.mark.looptime


def stage() -> Stage:
    return Stage(lambda context: [ReplicaSetController(context), DisruptionController(context)])


def budget(**spec: Any) -> PodDisruptionBudget:
    return convert(
        PodDisruptionBudget,
        {
            "metadata": {"name": "web", "namespace": "default", "generation": 1},
            "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec},
        },
    )


def replica_set(replicas: int) -> ReplicaSet:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return convert(ReplicaSet, {"metadata": {"name": "web", "namespace": "default"}, "spec": spec})


def found(scene: Stage) -> PodDisruptionBudget:
    present = scene.api.find(PodDisruptionBudget, "web", "default")
    assert present is not None
    return present


def counted(scene: Stage, healthy: int, desired: int, expected: int, allowed: int) -> Callable[[], bool]:
    def reached() -> bool:
        status = found(scene).status
        numbers = (status.current_healthy, status.desired_healthy, status.expected_pods, status.disruptions_allowed)
        return numbers == (healthy, desired, expected, allowed) and status.observed_generation is not None

    return reached


async def test_counts_follow_pods_scale_and_spec() -> None:
    scene = stage()
    scene.play(Machines(scene).run())
    scene.api.seed(replica_set(4), budget(maxUnavailable="25%"))
    await scene.start()
    await scene.until(counted(scene, 4, 3, 4, 1))
    (condition,) = found(scene).status.conditions
    assert (condition.status, condition.reason) == ("True", "SufficientPods")

    rs = scene.api.find(ReplicaSet, "web", "default")
    assert rs is not None
    rs.spec.replicas = 8
    scene.api.put(rs)
    await scene.until(counted(scene, 8, 6, 8, 2))

    changed = found(scene)
    changed.spec.max_unavailable, changed.spec.min_available = None, 8
    changed.metadata.generation = 2
    scene.api.put(changed)
    await scene.until(counted(scene, 8, 8, 8, 0))
    assert found(scene).status.observed_generation == 2
    (condition,) = found(scene).status.conditions
    assert (condition.status, condition.reason) == ("False", "InsufficientPods")

    await scene.settle()
    writes = len(scene.writes(Verb.UPDATE, "poddisruptionbudgets"))
    await scene.restart()
    await scene.settle()
    assert len(scene.writes(Verb.UPDATE, "poddisruptionbudgets")) == writes  # what is right is not written again
    await scene.stop()


async def test_a_budget_without_pods() -> None:
    scene = stage()
    scene.api.seed(budget(minAvailable=1))
    await scene.start()
    await scene.until(counted(scene, 0, 1, 0, 0))
    await scene.settle()
    assert scene.told.reasons("web") == ["NoPods"]
    await scene.stop()


async def test_an_eviction_is_believed_for_two_minutes() -> None:
    scene = stage()
    scene.play(Machines(scene).run())
    scene.api.seed(replica_set(3), budget(minAvailable=1))
    await scene.start()
    await scene.until(counted(scene, 3, 1, 3, 2))

    charged = found(scene)
    name = scene.api.objects(Pod)[0].metadata.name
    charged.status.disruptions_allowed -= 1
    charged.status.disrupted_pods = {name: format_time(scene.clock.now())}
    scene.api.put(charged)
    await scene.until(counted(scene, 2, 1, 3, 1))
    assert list(found(scene).status.disrupted_pods) == [name]
    assert 115 <= await scene.until(counted(scene, 3, 1, 3, 2), 200) <= 121
    assert found(scene).status.disrupted_pods == {}
    assert scene.told.reasons(name)[-1:] == ["NotDeleted"]
    await scene.stop()


async def test_what_cannot_be_counted_waits_for_its_owner() -> None:
    scene = stage()
    scene.play(Machines(scene).run())
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "uid-db", "controller": True}
    meta = {"name": "db-0", "namespace": "default", "labels": {"app": "web"}, "ownerReferences": [owner]}
    scene.api.seed(convert(Pod, {"metadata": meta}), budget(maxUnavailable=1))
    await scene.start()
    await scene.until(lambda: found(scene).status.conditions)
    (condition,) = found(scene).status.conditions
    assert (condition.reason, condition.message) == ("SyncFailed", 'found no controllers for pod "db-0"')
    assert "CalculateExpectedPodCountFailed" in scene.told.reasons("web")

    scene.api.seed(
        convert(StatefulSet, {"metadata": {"name": "db", "namespace": "default", "uid": "uid-db"}, "spec": {"replicas": 1}})
    )
    await scene.until(counted(scene, 1, 0, 1, 1))
    await scene.stop()


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after it"])
async def test_a_crash_around_the_first_status(after: bool) -> None:
    scene = stage()
    scene.play(Machines(scene).run())
    scene.api.seed(budget(minAvailable=1))
    transport = CrashingTransport(scene.api, at=1, after=after)
    await scene.start(transport)
    await transport.crashed.wait()
    await scene.crash()
    scene.api.seed(replica_set(2))
    await scene.start()
    await scene.until(counted(scene, 2, 1, 2, 1))
    assert not scene.api.objects(Event)
    await scene.stop()


async def test_an_eviction_that_comes_between_is_not_undone() -> None:
    """The status is counted from a budget that an eviction changes before the write arrives."""
    scene = stage()
    scene.play(Machines(scene).run())
    scene.api.seed(replica_set(3), budget(minAvailable=1))

    class Racing(CrashingTransport):
        raced = False

        async def write(self, write: Any) -> bytes:
            budget_now = scene.api.find(PodDisruptionBudget, "web", "default")
            ready = write.name.resource.plural == "poddisruptionbudgets" and b'"disruptionsAllowed":2' in write.body
            if ready and not self.raced and budget_now is not None:
                self.raced = True
                racing = codec.deep_copy(budget_now)
                racing.status.disrupted_pods = {scene.api.objects(Pod)[0].metadata.name: format_time(scene.clock.now())}
                scene.api.put(racing)
            return await super().write(write)

    transport = Racing(scene.api)
    await scene.start(transport)
    await scene.until(lambda: transport.raced)
    await scene.until(counted(scene, 2, 1, 3, 1))
    await scene.settle()
    assert len(found(scene).status.disrupted_pods) == 1
    await scene.stop()
