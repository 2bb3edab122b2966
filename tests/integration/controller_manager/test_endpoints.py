"""Endpoints and EndpointSlices follow Services and pods, at once and through crashes."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from apimachinery import codec
from apimachinery.codec import convert
from apimachinery.kinds import Endpoints, EndpointSlice, Pod, Service
from apimachinery.times import format_time
from controller_manager.endpoints.controller import EndpointsController
from controller_manager.endpointslice.controller import EndpointSliceController
from tests.support.controllers import CrashingTransport, Stage, running

pytestmark = pytest.mark.looptime


def stage() -> Stage:
    return Stage(lambda context: [EndpointSliceController(context), EndpointsController(context)])


def service(name: str = "web", **spec: Any) -> Service:
    spec.setdefault("selector", {"app": "web"})
    return convert(Service, {"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": [{"port": 80}], **spec}})


def pod(scene: Stage, name: str, *, ready: bool = True, label: str = "web") -> Pod:
    meta = {"name": name, "namespace": "default", "labels": {"app": label}, "uid": f"uid-{name}"}
    made = convert(Pod, {"metadata": meta, "spec": {"nodeName": "n", "containers": []}})
    made.status.pod_ip = "10.244.0." + "".join(filter(str.isdigit, name))
    return running(made, scene.clock.now(), ready=ready)


def told(scene: Stage, name: str = "web") -> tuple[list[str], list[str], list[str]]:
    """Ready names by slices, serving ones, and ready ones by Endpoints."""
    mine = [each for each in scene.api.objects(EndpointSlice) if each.metadata.labels.get("kubernetes.io/service-name") == name]
    points = [point for each in mine for point in each.endpoints]
    ready = sorted(point.target_ref.name for point in points if point.conditions.ready)
    serving = sorted(point.target_ref.name for point in points if point.conditions.serving)
    endpoints = scene.api.find(Endpoints, name, "default")
    plain = [] if endpoints is None else sorted(e.target_ref.name for s in endpoints.subsets for e in s.addresses)
    return ready, serving, plain


async def test_a_pod_that_stops_serving_is_out_at_once() -> None:
    scene = stage()
    scene.api.seed(service(), pod(scene, "p1"), pod(scene, "p2"), pod(scene, "p3", ready=False), pod(scene, "q4", label="x"))
    await scene.start()
    await scene.until(lambda: told(scene) == (["p1", "p2"], ["p1", "p2"], ["p1", "p2"]))

    scene.api.put(pod(scene, "p1", ready=False))
    assert await scene.until(lambda: told(scene) == (["p2"], ["p2"], ["p2"])) <= 0.05

    going = pod(scene, "p2")
    going.metadata.deletion_timestamp = format_time(scene.clock.now())
    scene.api.put(going)
    assert await scene.until(lambda: told(scene) == ([], ["p2"], [])) <= 0.05

    scene.api.put(pod(scene, "p3"))
    assert await scene.until(lambda: told(scene) == (["p3"], ["p2", "p3"], ["p3"])) <= 0.05

    relabelled = pod(scene, "q4", label="web")
    scene.api.put(relabelled)
    assert await scene.until(lambda: told(scene)[0] == ["p3", "q4"]) <= 0.05
    await scene.settle()
    assert len(scene.api.objects(EndpointSlice)) == 1
    await scene.stop()


async def test_a_change_that_matters_to_nobody_writes_nothing() -> None:
    scene = stage()
    scene.api.seed(service(), pod(scene, "p1"))
    await scene.start()
    await scene.until(lambda: told(scene)[2] == ["p1"])
    await scene.settle()
    before = len(scene.api.writes)
    noted = pod(scene, "p1")
    noted.metadata.annotations = {"note": "x"}
    scene.api.put(noted)
    for controller in scene.controllers:
        controller.resync()
    await scene.settle()
    assert len(scene.api.writes) == before
    await scene.stop()


async def test_services_that_others_keep_are_left_alone() -> None:
    scene = stage()
    manual = convert(Endpoints, {"metadata": {"name": "manual", "namespace": "default"}})
    scene.api.seed(
        service("manual", selector={}), manual, service("outside", type="ExternalName", externalName="x"), pod(scene, "p1")
    )
    await scene.start()
    await scene.settle()
    assert scene.api.writes == []
    scene.api.remove(Service, "manual", "default")
    await scene.settle()
    assert scene.api.find(Endpoints, "manual", "default") is not None
    await scene.stop()


async def test_a_deleted_service_leaves_nothing_even_if_it_went_unseen() -> None:
    scene = stage()
    scene.api.seed(service(), pod(scene, "p1"))
    await scene.start()
    await scene.until(lambda: told(scene)[2] == ["p1"])
    await scene.settle()
    await scene.crash()
    scene.api.remove(Service, "web", "default")
    await scene.start()
    await scene.until(lambda: not scene.api.objects(EndpointSlice) and not scene.api.objects(Endpoints))
    await scene.stop()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_crash_around_every_write(after: bool) -> None:
    for at in itertools.count(1):
        scene = stage()
        scene.api.seed(service(), *(pod(scene, f"p{number}") for number in range(130)))
        transport = CrashingTransport(scene.api, at=at, after=after)
        await scene.start(transport)
        await scene.settle()
        scene.api.put(pod(scene, "p7", ready=False))
        scene.api.remove(Pod, "p8", "default")
        await scene.settle()
        if transport.crashed.is_set():
            await scene.restart()
            await scene.settle()
        names = sorted({f"p{number}" for number in range(130)} - {"p7", "p8"})
        assert told(scene) == (names, names, names), at
        assert len(scene.api.objects(EndpointSlice)) == 2
        crashed = transport.crashed.is_set()
        await scene.stop()
        if not crashed:
            break
    assert at > 4


async def test_writes_not_yet_in_the_cache_are_not_repeated() -> None:
    """The slice watch is held back: the next change must be planned over what was already written."""
    scene = stage()
    scene.api.seed(service(), pod(scene, "p1"))
    await scene.start()
    await scene.settle()
    scene.api.drop = lambda resource, event: resource.plural == "endpointslices"
    for number in range(2, 6):
        scene.api.put(codec.deep_copy(pod(scene, f"p{number}")))
        await scene.settle()
    assert told(scene)[0] == ["p1", "p2", "p3", "p4", "p5"]
    assert len(scene.api.objects(EndpointSlice)) == 1
    await scene.stop()
