"""When watchers are told: a few at once, many a moment later and of several events together; never too early, never twice."""

from __future__ import annotations

import asyncio

import pytest

from apiserver.cache.errors import TooSlow
from apiserver.cache.events import Entry, EventBatch, Transition
from apiserver.cache.selection import Selection
from apiserver.cache.watchers import (
    HELD_BACK_EVENTS_MAX,
    PAUSE_MAX_S,
    SMALL_AUDIENCE,
    Dispatcher,
    QueueLimit,
    Watcher,
)

pytestmark = pytest.mark.looptime

MANY = SMALL_AUDIENCE + 40


class Scene:
    """A dispatcher with watchers of everything, and changes at revisions 1, 2, 3, ..."""

    def __init__(self, watchers: int, queue_events_max: int = 8_192) -> None:
        self.dispatcher = Dispatcher()
        self.revision = 0
        self._limit = QueueLimit(queue_events_max, 1 << 20)
        self.watchers = [self.join() for _ in range(watchers)]

    def join(self) -> Watcher:
        watcher = Watcher(self.dispatcher, Selection(), self._limit)
        self.dispatcher.add(watcher)
        return watcher

    def change(self, count: int = 1) -> None:
        for _ in range(count):
            self.revision += 1
            name = f"o{self.revision}"
            entry = Entry(name.encode(), "default", name, self.revision, b"{}")
            self.dispatcher.dispatch([Transition(None, entry, self.revision)], self.revision)


def revisions(batch: EventBatch) -> list[int]:
    return [event.revision for event in batch.events]


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_few_are_told_at_once() -> None:
    scene = Scene(SMALL_AUDIENCE)
    began = now()
    for number in (1, 2):
        scene.change()
        assert [revisions(await anext(each)) for each in scene.watchers] == [[number]] * SMALL_AUDIENCE
    assert now() == began


async def test_many_are_told_a_moment_later_of_all_that_came() -> None:
    scene = Scene(MANY)
    began = now()
    scene.change(3)
    await asyncio.sleep(0.001)
    scene.change(2)
    batches = [await anext(each) for each in scene.watchers]
    assert 0.001 < now() - began <= PAUSE_MAX_S
    assert revisions(batches[0]) == [1, 2, 3, 4, 5]
    assert batches[0].revision == 5
    assert all(each is batches[0] for each in batches), "what is encoded for one is encoded for all"
    scene.change()
    assert revisions(await anext(scene.watchers[0])) == [6], "each moment begins with an event"


async def test_the_pause_is_bounded_and_so_is_what_is_held_back() -> None:
    scene = Scene(1_000)
    began = now()
    scene.change(HELD_BACK_EVENTS_MAX)
    assert len((await anext(scene.watchers[0])).events) == HELD_BACK_EVENTS_MAX
    assert now() == began
    scene.change()
    await anext(scene.watchers[0])
    assert now() - began == pytest.approx(PAUSE_MAX_S)


async def test_who_joins_meanwhile_is_not_told_what_was_before() -> None:
    scene = Scene(MANY)
    scene.change()
    late = scene.join()
    assert revisions(await anext(scene.watchers[0])) == [1]
    scene.change()
    assert revisions(await anext(late)) == [2]
    assert revisions(await anext(scene.watchers[0])) == [2]


async def test_a_bookmark_comes_after_what_is_held_back() -> None:
    scene = Scene(MANY)
    scene.change()
    scene.dispatcher.bookmark(1)
    first, second = [await anext(scene.watchers[0]) for _ in range(2)]
    assert (revisions(first), first.bookmark) == ([1], False)
    assert (second.bookmark, second.revision) == (True, 1)
    await asyncio.sleep(1)
    scene.change()
    assert revisions(await anext(scene.watchers[0])) == [2], "nothing came a second time"


async def test_an_end_comes_after_what_is_held_back() -> None:
    scene = Scene(MANY)
    scene.change()
    scene.dispatcher.end(None)
    assert [revisions(each) async for each in scene.watchers[0]] == [[1]]


async def test_an_audience_that_has_gone_is_told_nothing() -> None:
    scene = Scene(MANY)
    scene.change()
    for watcher in scene.watchers:
        await watcher.aclose()
    await asyncio.sleep(1)
    assert not scene.dispatcher.busy
    late = scene.join()
    scene.change()
    assert revisions(await anext(late)) == [2]


async def test_who_joins_an_audience_that_is_cut_off_by_that_is_told_all_the_same() -> None:
    scene = Scene(MANY, queue_events_max=1)
    scene.change()
    await asyncio.sleep(1)
    scene.change()
    late = scene.join()
    with pytest.raises(TooSlow):
        await anext(scene.watchers[0])
    scene.change()
    assert revisions(await anext(late)) == [3]
