"""When watchers are told: at once, then after a moment of all that came meanwhile; never too early, never twice."""

from __future__ import annotations

import asyncio

import pytest

from apiserver.cache.errors import TooSlow
from apiserver.cache.events import Entry, EventBatch, Transition
from apiserver.cache.selection import Selection
from apiserver.cache.watchers import (
    HELD_BACK_EVENTS_MAX,
    PAUSE_MAX_S,
    PAUSE_MIN_S,
    Dispatcher,
    QueueLimit,
    Watcher,
)

pytestmark = pytest.mark.looptime

FEW, MANY = 2, 40


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


@pytest.mark.parametrize("size", [FEW, MANY])
async def test_what_comes_by_itself_is_told_at_once(size: int) -> None:
    scene = Scene(size)
    for number in (1, 2):
        began = now()
        scene.change()
        assert [revisions(await anext(each)) for each in scene.watchers] == [[number]] * size
        assert now() == began
        await asyncio.sleep(PAUSE_MAX_S)


@pytest.mark.parametrize("size", [FEW, MANY])
async def test_what_comes_in_the_moment_after_is_told_together(size: int) -> None:
    scene = Scene(size)
    began = now()
    scene.change(3)
    await asyncio.sleep(0.001)
    scene.change(2)
    first, second = [[await anext(each) for each in scene.watchers] for _ in range(2)]
    assert PAUSE_MIN_S <= now() - began <= PAUSE_MAX_S
    assert (revisions(first[0]), revisions(second[0])) == ([1], [2, 3, 4, 5])
    assert second[0].revision == 5
    assert all(each is second[0] for each in second), "what is encoded for one is encoded for all"


async def test_the_moment_grows_with_the_audience() -> None:
    took_s = []
    for size in (FEW, MANY, 10 * MANY):
        scene = Scene(size)
        scene.change(2)
        await anext(scene.watchers[0])
        began = now()
        await anext(scene.watchers[0])
        took_s.append(now() - began)
    assert PAUSE_MIN_S < took_s[0] < took_s[1] < took_s[2] == pytest.approx(PAUSE_MAX_S)


async def test_what_is_held_back_is_bounded() -> None:
    scene = Scene(MANY)
    began = now()
    scene.change(1 + HELD_BACK_EVENTS_MAX)
    assert [len((await anext(scene.watchers[0])).events) for _ in range(2)] == [1, HELD_BACK_EVENTS_MAX]
    assert now() == began


async def test_who_joins_meanwhile_is_not_told_what_was_before() -> None:
    scene = Scene(MANY)
    scene.change(2)
    late = scene.join()
    assert [revisions(await anext(scene.watchers[0])) for _ in range(2)] == [[1], [2]]
    scene.change()
    assert revisions(await anext(late)) == [3]
    assert revisions(await anext(scene.watchers[0])) == [3]


async def test_a_bookmark_comes_after_what_is_held_back() -> None:
    scene = Scene(MANY)
    scene.change(2)
    scene.dispatcher.bookmark(2)
    first, second, third = [await anext(scene.watchers[0]) for _ in range(3)]
    assert [(revisions(each), each.bookmark) for each in (first, second)] == [([1], False), ([2], False)]
    assert (third.bookmark, third.revision) == (True, 2)
    await asyncio.sleep(1)
    scene.change()
    assert revisions(await anext(scene.watchers[0])) == [3], "nothing came a second time"


async def test_an_end_comes_after_what_is_held_back() -> None:
    scene = Scene(MANY)
    scene.change(2)
    scene.dispatcher.end(None)
    assert [revisions(each) async for each in scene.watchers[0]] == [[1], [2]]


async def test_an_audience_that_has_gone_is_told_nothing() -> None:
    scene = Scene(MANY)
    scene.change(2)
    for watcher in scene.watchers:
        await watcher.aclose()
    await asyncio.sleep(1)
    assert not scene.dispatcher.busy
    late = scene.join()
    scene.change()
    assert revisions(await anext(late)) == [3]


async def test_who_joins_an_audience_that_is_cut_off_by_that_is_told_all_the_same() -> None:
    scene = Scene(MANY, queue_events_max=1)
    scene.change(2)
    late = scene.join()
    with pytest.raises(TooSlow):
        await anext(scene.watchers[0])
    scene.change()
    assert revisions(await anext(late)) == [3]
