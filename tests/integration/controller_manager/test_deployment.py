"""Deployments rolled out by both controllers over an imitated API, in virtual time."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from apiclient.transport import EventType, Name, Selection, Verb
from apimachinery import errors
from apimachinery.codec import convert
from apimachinery.kinds import Deployment, Pod, ReplicaSet
from apimachinery.resources import PODS
from controller_manager.deployment import hashing
from controller_manager.deployment.controller import DeploymentController
from controller_manager.replicaset.controller import ReplicaSetController
from controller_manager.shared import pods as podinfo
from tests.support.controllers import CrashingTransport, Machines, Stage

pytestmark = pytest.mark.looptime


def deployment(replicas: int = 3, image: str = "app:1", **spec: Any) -> Deployment:
    return convert(
        Deployment,
        {
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "web"}},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "c", "image": image}]},
                },
                "progressDeadlineSeconds": 600,
                "revisionHistoryLimit": 10,
                **spec,
            },
        },
    )


def stage() -> Stage:
    return Stage(lambda context: [DeploymentController(context), ReplicaSetController(context)])


def current(scene: Stage) -> Deployment:
    found = scene.api.find(Deployment, "web", "default")
    assert found is not None
    return found


def change(scene: Stage, *, image: str = "", replicas: int | None = None, paused: bool | None = None) -> None:
    wanted = current(scene)
    if image:
        wanted.spec.template.spec.containers[0].image = image
    if replicas is not None:
        wanted.spec.replicas = replicas
    if paused is not None:
        wanted.spec.paused = paused
    wanted.metadata.generation = (wanted.metadata.generation or 0) + 1
    scene.api.put(wanted)


def reason(scene: Stage, kind: str = "Progressing") -> str:
    return next((each.reason for each in current(scene).status.conditions if each.type == kind), "")


def complete(scene: Stage) -> bool:
    wanted = current(scene)
    status = wanted.status
    return (
        status.observed_generation == wanted.metadata.generation
        and (status.updated_replicas or 0) == (status.replicas or 0) == (status.available_replicas or 0) == wanted.spec.replicas
        and reason(scene) == "NewReplicaSetAvailable"
        and len(scene.api.objects(Pod)) == wanted.spec.replicas
    )


def images(scene: Stage) -> dict[str, int]:
    return {rs.spec.template.spec.containers[0].image: rs.spec.replicas or 0 for rs in scene.api.objects(ReplicaSet)}


async def test_rolls_out_without_losing_a_pod_and_goes_back() -> None:
    scene = stage()
    scene.api.seed(deployment(5))
    await scene.start()
    scene.play(Machines(scene, "a", "b").run())
    await scene.until(lambda: complete(scene))
    fewest, most = 99, 0

    async def watch() -> None:
        nonlocal fewest, most
        async for _ in scene.api.watch(Name(PODS), Selection(), resource_version=str(scene.api.revision)):
            pods = [each for each in scene.api.objects(Pod) if podinfo.is_active(each)]
            fewest, most = min(fewest, sum(map(podinfo.is_ready, pods))), max(most, len(pods))

    scene.play(watch())
    change(scene, image="app:2")
    await scene.until(lambda: complete(scene))
    assert images(scene) == {"app:1": 0, "app:2": 5}
    assert (fewest, most) == (5, 6)
    change(scene, image="app:1")
    await scene.until(lambda: complete(scene))
    assert images(scene) == {"app:1": 5, "app:2": 0}
    assert (fewest, most) == (5, 6)
    assert current(scene).metadata.annotations["deployment.kubernetes.io/revision"] == "3"
    assert any(
        message.endswith(" from 0 to 5") and message.startswith("Scaled up replica set web-")
        for *_, message in scene.told.events
    )
    assert any(
        message.endswith(" from 1 to 0") and message.startswith("Scaled down replica set web-")
        for *_, message in scene.told.events
    )
    await scene.stop()


async def test_scales_to_thirty_and_back() -> None:
    scene = stage()
    scene.api.seed(deployment(3))
    await scene.start()
    scene.play(Machines(scene, "a", "b").run())
    await scene.until(lambda: complete(scene))
    for size in (30, 3, 0):
        change(scene, replicas=size)
        await scene.until(lambda: complete(scene))
    assert len(scene.created(Pod)) == 30
    assert len(scene.created(ReplicaSet)) == 1
    await scene.stop()


async def test_a_broken_image_leaves_the_old_pods_and_misses_its_deadline() -> None:
    scene = stage()
    wanted = deployment(3)
    wanted.spec.progress_deadline_seconds = 30
    scene.api.seed(wanted)
    await scene.start()
    machines = Machines(scene)
    machines.ready = lambda pod: pod.spec.containers[0].image != "broken"
    scene.play(machines.run())
    await scene.until(lambda: complete(scene))
    change(scene, image="broken")
    took_s = await scene.until(lambda: reason(scene) == "ProgressDeadlineExceeded")
    assert 30 <= took_s <= 33
    assert images(scene) == {"app:1": 3, "broken": 1}
    assert reason(scene, "Available") == "MinimumReplicasAvailable"
    change(scene, image="app:1")
    await scene.until(lambda: complete(scene))
    await scene.stop()


async def test_recreate_never_runs_two_versions() -> None:
    scene = stage()
    scene.api.seed(deployment(3, strategy={"type": "Recreate"}))
    await scene.start()
    scene.play(Machines(scene).run())
    await scene.until(lambda: complete(scene))
    mixed = False

    async def watch() -> None:
        nonlocal mixed
        async for _ in scene.api.watch(Name(PODS), Selection(), resource_version=str(scene.api.revision)):
            mixed = mixed or len({each.spec.containers[0].image for each in scene.api.objects(Pod)}) > 1

    scene.play(watch())
    change(scene, image="app:2")
    await scene.until(lambda: complete(scene))
    assert images(scene) == {"app:1": 0, "app:2": 3}
    assert not mixed
    await scene.stop()


async def test_a_stranger_with_the_sets_name_is_stepped_aside_for() -> None:
    scene = stage()
    wanted = deployment(1)
    digest = hashing.template_hash(wanted.spec.template, None)
    stranger = convert(ReplicaSet, {"metadata": {"name": f"web-{digest}", "namespace": "default"}, "spec": {"replicas": 0}})
    stranger.spec.selector.match_labels = {"app": "other"}
    scene.api.seed(wanted, stranger)
    await scene.start()
    scene.play(Machines(scene).run())
    await scene.until(lambda: complete(scene))
    assert current(scene).status.collision_count == 1
    assert f"web-{hashing.template_hash(wanted.spec.template, 1)}" in scene.created(ReplicaSet)
    await scene.stop()


async def test_a_set_that_cannot_be_created_is_told() -> None:
    scene = stage()
    scene.api.seed(deployment(1))
    refused = errors.forbidden("replicasets", "", "exceeded quota", group="apps")
    scene.api.fail = lambda write: (
        refused if write.verb == Verb.CREATE and write.name.resource.plural == "replicasets" else None
    )
    await scene.start()
    scene.play(Machines(scene).run())
    await scene.until(lambda: reason(scene) == "ReplicaSetCreateError")
    scene.api.fail = lambda write: None
    await scene.until(lambda: complete(scene))
    await scene.stop()


async def test_adopts_a_free_set_of_its_template() -> None:
    scene = stage()
    wanted = deployment(2)
    free = convert(
        ReplicaSet,
        {
            "metadata": {"name": "web-free", "namespace": "default", "labels": {"app": "web"}},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}},
        },
    )
    free.spec.template = wanted.spec.template
    scene.api.seed(wanted, free)
    await scene.start()
    scene.play(Machines(scene).run())
    await scene.until(lambda: complete(scene))
    assert scene.created(ReplicaSet) == ["web-free"]
    await scene.stop()


async def roll_out(scene: Stage, transport: CrashingTransport) -> None:
    await scene.until(lambda: complete(scene) or transport.crashed.is_set())
    if transport.crashed.is_set():
        await scene.restart()
        await scene.until(lambda: complete(scene))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_crash_around_every_write_of_a_roll_out(after: bool) -> None:
    """Both controllers live in one process: all its writes are crash points, and the end is that of a run without one."""
    for at in itertools.count(1):
        scene = stage()
        scene.api.seed(deployment(2))
        scene.play(Machines(scene).run())
        transport = CrashingTransport(scene.api, at=at, after=after)
        await scene.start(transport)
        for image in ("app:1", "app:2"):
            change(scene, image=image)
            await roll_out(scene, transport)
        await scene.settle()
        where = f"crash {'after' if after else 'before'} write {at}"
        assert images(scene) == {"app:1": 0, "app:2": 2}, where
        assert (len(scene.created(ReplicaSet)), len(scene.created(Pod))) == (2, 4), where
        crashed = transport.crashed.is_set()
        await scene.stop()
        if not crashed:
            break
    assert at > 15, "every write was a crash point"


@pytest.mark.parametrize("kind", [EventType.ADDED, EventType.MODIFIED, EventType.DELETED])
@pytest.mark.parametrize("plural", ["pods", "replicasets", "deployments"])
async def test_an_event_that_never_comes_is_made_up_for_by_the_next_list(plural: str, kind: EventType) -> None:
    scene = stage()
    dropped: list[int] = []

    def drop(resource: Any, event: Any) -> bool:
        if resource.plural != plural:
            return False
        if event.type == kind and not dropped:
            dropped.append(event.revision)
        return event.revision in dropped

    scene.play(Machines(scene).run())
    await scene.start()
    scene.api.drop = drop
    wanted = deployment(2)
    wanted.spec.revision_history_limit = 0
    scene.api.seed(wanted)
    await scene.settle(quiet_s=5)
    change(scene, image="app:2")
    await scene.settle(quiet_s=5)
    scene.forget_history()
    await scene.until(lambda: complete(scene) and images(scene) == {"app:2": 2}, timeout_s=400)
    assert dropped or (plural, kind) == ("deployments", EventType.DELETED)
    await scene.stop()
