"""The scheduler's shell against the imitation of the API, in virtual time."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from apiclient.events import EventRecorder
from apiclient.informer import Informer
from apiclient.testing import FakeApi, fake_client
from apiclient.transport import Fence, PodBinding
from apimachinery import codec, errors, verdict
from apimachinery.kinds import ContainerStatus, Event, Namespace, Node, Pod, PodCondition
from scheduler.core.evaluate import Evaluator
from scheduler.loops import POD_FIELD_SELECTOR, Metrics, Scheduler

NodeMaker = Callable[..., Node]
PodMaker = Callable[..., Pod]


class LoopClock:
    def now(self) -> datetime:
        return datetime.fromtimestamp(1_700_000_000 + self.monotonic(), UTC)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


@asynccontextmanager
async def scheduling(api: FakeApi) -> AsyncIterator[Scheduler]:
    client, rng, clock = fake_client(api), random.Random(3), LoopClock()
    pods = Informer(client, Pod, rng=rng, field_selector=POD_FIELD_SELECTOR)
    nodes, namespaces = Informer(client, Node, rng=rng), Informer(client, Namespace, rng=rng)
    recorder = EventRecorder(client, component="default-scheduler", clock=clock, rng=rng)
    scheduler = Scheduler(
        client,
        pods=pods,
        nodes=nodes,
        namespaces=namespaces,
        evaluator=Evaluator(rng),
        recorder=recorder,
        clock=clock,
        metrics=Metrics(CollectorRegistry()),
    )
    tasks = [asyncio.create_task(each.run()) for each in (nodes, namespaces, pods, recorder)]
    for informer in (nodes, namespaces, pods):
        await informer.synced.wait()
    tasks.append(asyncio.create_task(scheduler.run()))
    try:
        yield scheduler
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def places(api: FakeApi) -> dict[str, str]:
    return {pod.metadata.name: pod.spec.node_name for pod in api.objects(Pod)}


@pytest.mark.looptime
async def test_places_pods_and_never_overcommits(node: NodeMaker, pod: PodMaker) -> None:
    api = FakeApi()
    api.seed(*(node(f"n{number}", cpu="2") for number in range(3)))
    async with scheduling(api):
        api.seed(*(pod(f"p{number}", cpu="500m") for number in range(14)))
        await asyncio.sleep(1)
        taken = list(places(api).values())
        assert sorted(taken.count(f"n{number}") for number in range(3)) == [4, 4, 4]
        assert taken.count("") == 2
    assert len({binding.uid for binding in api.bindings}) == len(api.bindings) == 12


@pytest.mark.looptime
async def test_a_pod_that_fits_nowhere_is_told_so_once_and_placed_when_room_appears(node: NodeMaker, pod: PodMaker) -> None:
    api = FakeApi()
    api.seed(node("n", cpu="1"), pod("first", cpu="800m"))
    async with scheduling(api):
        await asyncio.sleep(1)
        api.seed(pod("second", cpu="800m"))
        await asyncio.sleep(30)
        second = api.find(Pod, "second", "default")
        assert second is not None
        condition = next(each for each in second.status.conditions if each.type == "PodScheduled")
        assert (condition.status, condition.reason) == ("False", "Unschedulable")
        assert condition.message == "0/1 nodes are available: 1 Insufficient cpu."
        stored = verdict.decode(second.metadata.annotations[verdict.ANNOTATION])
        assert stored.nodes[0].refused_by == "NodeResourcesFit"
        assert sum(write.name.name == "second" for write in api.writes) == 1
        events = [event for event in api.objects(Event) if event.reason == "FailedScheduling"]
        assert [(event.type, event.message) for event in events] == [("Warning", condition.message)]
        api.remove(Pod, "first", "default")
        await asyncio.sleep(2)
        assert places(api) == {"second": "n"}


@pytest.mark.looptime
async def test_a_failed_binding_is_undone_and_tried_again(node: NodeMaker, pod: PodMaker) -> None:
    api = FakeApi()
    api.seed(node("n", cpu="1"), pod("p", cpu="1"))
    real, tries = api.bind, []

    async def bind(bindings: list[PodBinding], fence: Fence | None) -> list[bytes]:
        tries.append(len(bindings))
        if len(tries) < 3:
            raise errors.unavailable("no one there")
        return list(await real(bindings, fence))

    api.bind = bind  # type: ignore[method-assign,assignment]
    async with scheduling(api):
        await asyncio.sleep(20)
        assert places(api) == {"p": "n"}
        assert tries == [1, 1, 1]


@pytest.mark.looptime
async def test_a_binding_whose_answer_was_lost_keeps_its_room(node: NodeMaker, pod: PodMaker) -> None:
    api = FakeApi()
    api.seed(node("n", cpu="1"), pod("p", cpu="1"))
    real = api.bind

    async def bind(bindings: list[PodBinding], fence: Fence | None) -> list[bytes]:
        await real(bindings, fence)
        await asyncio.sleep(1)  # the informer sees the pod on its node before the answer is lost
        raise errors.timeout("lost")

    api.bind = bind  # type: ignore[method-assign,assignment]
    async with scheduling(api):
        await asyncio.sleep(3)
        api.bind = real  # type: ignore[method-assign]
        api.seed(pod("q", cpu="1"))
        await asyncio.sleep(30)
        assert places(api) == {"p": "n", "q": ""}


@pytest.mark.looptime
async def test_leaves_alone_what_is_not_its_own(node: NodeMaker, pod: PodMaker) -> None:
    api = FakeApi()
    api.seed(node("n"), pod("other", schedulerName="mine"), pod("gated", schedulingGates=[{"name": "wait"}]))
    going = pod("going")
    going.metadata.deletion_timestamp = "2026-01-01T00:00:00Z"
    api.seed(going)
    async with scheduling(api):
        await asyncio.sleep(5)
        assert set(places(api).values()) == {""}
        gated = codec.deep_copy(api.objects(Pod)[0])
        assert gated.metadata.name == "gated"
        gated.spec.scheduling_gates = []
        api.put(gated)
        await asyncio.sleep(1)
        assert places(api)["gated"] == "n"


@pytest.mark.looptime
async def test_a_finished_pod_gives_its_room_back(node: NodeMaker, pod: PodMaker) -> None:
    api = FakeApi()
    api.seed(node("n", cpu="1"), pod("p", cpu="1"))
    async with scheduling(api):
        await asyncio.sleep(1)
        done = api.find(Pod, "p", "default")
        assert done is not None
        done.status.phase = "Succeeded"
        api.put(done)
        api.seed(pod("q", cpu="1"))
        await asyncio.sleep(3)
        assert places(api)["q"] == "n"


@pytest.mark.looptime
async def test_a_resize_takes_room_and_gives_it_back(node: NodeMaker, pod: PodMaker) -> None:
    api = FakeApi()
    api.seed(node("n", cpu="2"), pod("first", cpu="500m"))

    def resize(cpu: str, granted: str, reason: str = "Deferred") -> None:
        first = api.find(Pod, "first", "default")
        assert first is not None
        first.spec.containers[0].resources.requests = {"cpu": cpu}
        first.status.container_statuses = [ContainerStatus(name="c", allocated_resources={"cpu": granted})]
        first.status.conditions = (
            [PodCondition(type="PodResizePending", status="True", reason=reason)] if cpu != granted else []
        )
        api.put(first)

    async with scheduling(api):
        await asyncio.sleep(1)
        resize("1500m", "500m")  # not granted yet, but it has to stay possible
        await asyncio.sleep(1)
        api.seed(pod("second", cpu="1"))
        await asyncio.sleep(30)
        assert places(api)["second"] == ""
        resize("5", "500m", "Infeasible")  # this node can never grant it: nothing is kept for it
        await asyncio.sleep(30)
        assert places(api)["second"] == "n"
        api.remove(Pod, "second", "default")
        resize("500m", "1500m")  # still has what it is about to give back
        await asyncio.sleep(1)
        api.seed(pod("third", cpu="1"))
        await asyncio.sleep(30)
        assert places(api)["third"] == ""
        resize("500m", "500m")
        await asyncio.sleep(30)
        assert places(api)["third"] == "n"
