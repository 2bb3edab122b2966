"""The event recorder: counting instead of repeating, limits, and what it does when the API fails. Virtual time."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from apiclient.events import QUEUE_LIMIT, ROUND, EventRecorder
from apiclient.testing import FakeApi, fake_client
from apiclient.transport import Verb
from apimachinery import errors
from apimachinery.kinds import Event, Node, ObjectMeta, Pod


class LoopClock:
    def now(self) -> datetime:
        return datetime.fromtimestamp(1_700_000_000 + self.monotonic(), UTC)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


def pod(name: str = "p") -> Pod:
    return Pod(metadata=ObjectMeta(name=name, namespace="default", uid=f"uid-{name}"))


@asynccontextmanager
async def recording(api: FakeApi) -> AsyncIterator[EventRecorder]:
    recorder = EventRecorder(fake_client(api), component="test", host="here", clock=LoopClock(), rng=random.Random(0))
    task = asyncio.create_task(recorder.run())
    try:
        yield recorder
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.looptime
async def test_the_same_again_is_counted_and_something_else_is_not() -> None:
    api = FakeApi()
    async with recording(api) as recorder:
        for message in ("a", "a", "b", "a"):
            recorder.event(pod(), "Warning", "BackOff", message)
            await asyncio.sleep(10)
    assert sorted((event.message, event.count) for event in api.objects(Event)) == [("a", 3), ("b", 1)]
    counted = next(event for event in api.objects(Event) if event.message == "a")
    assert counted.first_timestamp is not None
    assert counted.last_timestamp is not None
    assert counted.first_timestamp < counted.last_timestamp
    assert (counted.source.component, counted.source.host) == ("test", "here")  # type: ignore[union-attr]


@pytest.mark.looptime
async def test_an_event_of_a_node_lives_in_the_default_namespace() -> None:
    api = FakeApi()
    async with recording(api) as recorder:
        recorder.event(Node(metadata=ObjectMeta(name="n", uid="u")), "Normal", "NodeReady", "ready")
        await asyncio.sleep(1)
    assert [event.metadata.namespace for event in api.objects(Event)] == ["default"]


@pytest.mark.looptime
async def test_a_chatty_object_is_cut_short_and_the_others_are_not() -> None:
    api = FakeApi()
    async with recording(api) as recorder:
        for number in range(100):
            recorder.event(pod("chatty"), "Normal", "Noise", str(number))
        recorder.event(pod("quiet"), "Normal", "Word", "heard")
        await asyncio.sleep(1)
        assert recorder.dropped == 75
    assert sum(event.involved_object.name == "chatty" for event in api.objects(Event)) == 25
    assert any(event.message == "heard" for event in api.objects(Event))


@pytest.mark.looptime
async def test_a_full_queue_drops_instead_of_growing() -> None:
    recorder = EventRecorder(fake_client(FakeApi()), component="t", clock=LoopClock(), rng=random.Random(0))
    for number in range(QUEUE_LIMIT + 50):
        recorder.event(pod(f"p{number}"), "Normal", "Word", "x")
    assert recorder.dropped == 50


@pytest.mark.looptime
async def test_an_event_that_expired_is_written_anew() -> None:
    api = FakeApi()
    async with recording(api) as recorder:
        recorder.event(pod(), "Normal", "Word", "x")
        await asyncio.sleep(1)
        api.remove(Event, api.objects(Event)[0].metadata.name, "default")
        recorder.event(pod(), "Normal", "Word", "x")
        await asyncio.sleep(1)
    assert [(event.message, event.count) for event in api.objects(Event)] == [("x", 1)]


@pytest.mark.looptime
async def test_a_refused_event_does_not_stop_the_next() -> None:
    api = FakeApi()
    api.fail = lambda write: errors.unavailable("away") if write.verb == Verb.CREATE and b'"first"' in write.body else None
    async with recording(api) as recorder:
        recorder.event(pod(), "Normal", "Word", "first")
        recorder.event(pod(), "Normal", "Word", "second")
        await asyncio.sleep(1)
    assert [event.message for event in api.objects(Event)] == ["second"]


@pytest.mark.looptime
async def test_what_was_noted_together_is_written_together_and_the_same_only_once() -> None:
    api = FakeApi()
    async with recording(api) as recorder:
        for message in ("a", "b", "a", "a"):
            recorder.event(pod(), "Normal", "Word", message)
        await asyncio.sleep(0.01)
        assert {(event.message, event.count) for event in api.objects(Event)} == {("a", 3), ("b", 1)}
        for message in ("c", "a", "a"):
            recorder.event(pod(), "Normal", "Word", message)
        await asyncio.sleep(1)
    by_name = sorted(api.objects(Event), key=lambda event: event.metadata.name)
    assert [(event.message, event.count) for event in by_name] == [("a", 5), ("b", 1), ("c", 1)], "names are in order of time"
    assert len([write for write in api.writes if write.verb == Verb.CREATE]) == 3


@pytest.mark.looptime
async def test_a_slow_api_is_left_alone_most_of_the_time() -> None:
    api, writing = FakeApi(), list[tuple[float, float]]()
    client = fake_client(api)
    create, clock = client.create, LoopClock()

    async def slowly(obj: Event) -> Event:
        began = clock.monotonic()
        await asyncio.sleep(0.05)
        writing.append((began, clock.monotonic()))
        return await create(obj)

    client.create = slowly  # type: ignore[method-assign, assignment]
    recorder = EventRecorder(client, component="t", clock=clock, rng=random.Random(0))
    task = asyncio.create_task(recorder.run())
    for number in range(3 * ROUND):
        recorder.event(pod(f"p{number}"), "Normal", "Word", "x")
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(api.objects(Event)) == 3 * ROUND
    rounds = sorted(set(writing))
    assert len(rounds) == 3
    for (_, ended), (began, _) in itertools.pairwise(rounds):
        assert began - ended == pytest.approx(0.2)
