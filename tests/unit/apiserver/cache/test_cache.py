"""The watch cache on memory storage: consistent reads, pages, watches that resume, selectors, slow readers, bad objects."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from apimachinery import fields, labels
from apiserver.cache import (
    ADDED,
    DELETED,
    MODIFIED,
    Continuation,
    EventBatch,
    NotFresh,
    Selection,
    TooOld,
    TooSlow,
    WatchCache,
    Watcher,
    WatchEvent,
)
from apiserver.core.selecting import Matches
from apiserver.storage.memory import MemoryStorage
from apiserver.storage.port import Compacted, Page

ALL = Selection()

pytestmark = pytest.mark.looptime

World = Any
Make = Callable[..., Awaitable[World]]


def revision_in(data: bytes) -> int:
    return int(json.loads(data)["metadata"]["resourceVersion"])


def by_label(text: str) -> Selection:
    return Selection(predicate=Matches(labels.parse(text), fields.EVERYTHING))


async def take(watcher: Watcher, count: int) -> list[WatchEvent]:
    """The next `count` events, which must be all there is in the batches taken."""
    events: list[WatchEvent] = []
    while len(events) < count:
        events.extend((await anext(watcher)).events)
    assert len(events) == count
    return events


def told(events: list[WatchEvent]) -> list[tuple[str, str, int]]:
    """Type, name and revision of events, each of which must carry that revision in its object."""
    for event in events:
        assert revision_in(event.data) == event.revision
        assert json.loads(event.line) == {"type": event.type, "object": json.loads(event.data)}
    return [(event.type, event.name, event.revision) for event in events]


async def quiet(watcher: Watcher) -> bool:
    """Whether nothing more comes; watchers take cancellation well."""
    try:
        async with asyncio.timeout(1):
            batch = await anext(watcher)
    except TimeoutError:
        return True
    return batch.bookmark


async def test_a_consistent_read_is_never_stale(world: World) -> None:
    for number in range(50):
        revision = await world.put(f"pod-{number}")
        entry = await world.cache.get("default", f"pod-{number}")
        assert (entry.revision, revision_in(entry.data)) == (revision, revision)
        assert len((await world.cache.list()).items) == number + 1
    await world.drop("pod-7")
    assert await world.cache.get("default", "pod-7") is None


async def test_a_write_elsewhere_does_not_hold_up_a_consistent_read(world: World) -> None:
    """The storage's revision moves without any change in this cache."""
    await world.put("a")
    await world.storage.create(b"/registry/secrets/default/x", b"{}")
    listing = await world.cache.list()
    assert [entry.name for entry in listing.items] == ["a"]
    assert listing.revision == await world.storage.current_revision()


async def test_a_read_may_ask_for_a_minimum_revision(make: Make) -> None:
    world = await make(freshness_timeout_s=5.0)
    revision = await world.put("a")
    assert (await world.cache.get("default", "a", min_revision=revision)).revision == revision
    assert await world.names(min_revision=0) == ["a"]
    waiting = asyncio.create_task(world.names(min_revision=revision + 2))
    await world.put("b")
    await world.put("c")
    assert await waiting == ["a", "b", "c"]
    with pytest.raises(NotFresh):
        await world.cache.list(min_revision=revision + 100)


class CountingStorage(MemoryStorage):
    """Counts what costs a round trip."""

    def __init__(self) -> None:
        super().__init__()
        self.lists = 0

    async def list(self, prefix: bytes, *, revision: int = 0, limit: int = 0, start_after: bytes = b"") -> Page:
        self.lists += 1
        return await super().list(prefix, revision=revision, limit=limit, start_after=start_after)


async def test_lists_come_from_memory(make: Make) -> None:
    storage = CountingStorage()
    world = await make(storage=storage)
    await world.put("a")
    before = storage.lists
    assert await asyncio.gather(*[world.names() for _ in range(100)]) == [["a"]] * 100
    assert storage.lists == before


async def test_order_is_that_of_the_keys(world: World) -> None:
    for namespace, name in (("b", "x"), ("a-b", "y"), ("a", "z"), ("a", "b"), ("a.c", "q")):
        await world.put(name, namespace)
    keys = [entry.key for entry in (await world.cache.list()).items]
    assert keys == [item.key for item in (await world.storage.list(b"/registry/pods/")).items]
    assert await world.names(selection=Selection("a")) == ["b", "z"]
    assert await world.names(selection=Selection("nowhere")) == []
    await world.drop("b", "a")
    await world.put("a", "a")
    await world.drop("z", "a")
    await world.put("z", "a")
    assert await world.names(selection=Selection("a")) == ["a", "z"]


@dataclass(frozen=True)
class Paging:
    id: str
    history_limit: int
    select: Selection = ALL
    remaining: int | None = 15


PAGINGS = (
    Paging("snapshot undone from the history", 8_192),
    Paging("snapshot read back from the storage", 4),
    Paging("with a selector, from the history", 8_192, by_label("even=yes"), None),
    Paging("with a selector, from the storage", 4, by_label("even=yes"), None),
    Paging("one namespace, from the history", 8_192, Selection("default")),
    Paging("one namespace, from the storage", 4, Selection("default")),
)


@pytest.mark.parametrize("case", PAGINGS, ids=lambda case: case.id)
async def test_pages_show_one_snapshot(make: Make, case: Paging) -> None:
    world = await make(history_limit=case.history_limit)
    for number in range(20):
        await world.put(f"p{number:02}", even="no" if number % 2 else "yes")
    whole = await world.cache.list(case.select)
    first = await world.cache.list(case.select, limit=5)
    assert first.remaining == case.remaining
    for number in range(0, 20, 3):
        await world.drop(f"p{number:02}")
        if number % 2:
            await world.put(f"p{number:02}", even="yes", again="yes")
        await world.put(f"p{number + 1:02}", even="yes")
    await world.put("p05-new", even="yes")
    await world.put("p05", "elsewhere", even="yes")
    await world.cache.catch_up()
    items, page = list(first.items), first
    while page.continuation is not None:
        page = await world.cache.list(case.select, limit=5, continuation=page.continuation)
        assert page.revision == first.revision
        items.extend(page.items)
        if case.remaining is not None:
            assert (page.remaining or 0) == 20 - len(items)
    assert items == list(whole.items)
    exact = await world.cache.list(case.select, continuation=Continuation(first.revision))
    assert list(exact.items) == list(whole.items)


async def test_a_page_of_a_compacted_snapshot_is_too_old(make: Make) -> None:
    world = await make(history_limit=1)
    for number in range(6):
        await world.put(f"p{number}")
    page = await world.cache.list(limit=2)
    await world.put("p6")
    await world.put("p7")
    await world.storage.compact(await world.storage.current_revision())
    await world.cache.catch_up()
    with pytest.raises(TooOld):
        await world.cache.list(limit=2, continuation=page.continuation)


@dataclass(frozen=True)
class Step:
    """A write (labels, or None for a delete) and what a watcher that selects app=web is told of it."""

    labels: dict[str, str] | None
    want: str | None


@dataclass(frozen=True)
class Seen:
    id: str
    steps: tuple[Step, ...]


WEB, OTHER = {"app": "web"}, {"app": "other"}
SEEN = (
    Seen("matches throughout", (Step(WEB, ADDED), Step(WEB, MODIFIED), Step(None, DELETED))),
    Seen("never matches", (Step(OTHER, None), Step(OTHER, None), Step(None, None))),
    Seen("starts to match", (Step(OTHER, None), Step(WEB, ADDED), Step(WEB, MODIFIED))),
    Seen("stops matching", (Step(WEB, ADDED), Step(OTHER, DELETED), Step(OTHER, None), Step(None, None))),
    Seen("comes back", (Step(WEB, ADDED), Step(OTHER, DELETED), Step(WEB, ADDED), Step(None, DELETED))),
    Seen("is made again", (Step(WEB, ADDED), Step(None, DELETED), Step(WEB, ADDED))),
)


@pytest.mark.parametrize("case", SEEN, ids=lambda case: case.id)
async def test_what_a_selector_sees(world: World, case: Seen) -> None:
    live = await world.cache.watch(by_label("app=web"), initial_events=False)
    start = await world.cache.catch_up()
    want = []
    for step in case.steps:
        revision = await (world.drop("a") if step.labels is None else world.put("a", **step.labels))
        if step.want is not None:
            want.append((step.want, "a", revision))
    await world.cache.catch_up()
    resumed = await world.cache.watch(by_label("app=web"), start_revision=start)
    for watcher in (live, resumed):
        if want:
            assert told(await take(watcher, len(want))) == want
        assert await quiet(watcher)


async def test_a_deleted_event_shows_the_last_state_the_watcher_selected(world: World) -> None:
    watcher = await world.cache.watch(by_label("app=web"), initial_events=False)
    await world.put("a", app="web", step="1")
    await world.put("a", app="other", step="2")
    events = await take(watcher, 2)
    assert json.loads(events[1].data)["metadata"]["labels"] == {"app": "web", "step": "1"}


async def test_a_watch_with_initial_events(world: World) -> None:
    await world.put("a", app="web")
    await world.put("b", app="other")
    last = await world.put("c", app="web")
    for start in (None, 0, last):
        watcher = await world.cache.watch(by_label("app=web"), start_revision=start, initial_events=True)
        first, end = await anext(watcher), await anext(watcher)
        assert [(event.type, event.name) for event in first.events] == [(ADDED, "a"), (ADDED, "c")]
        assert first.revision == 0
        assert (end.bookmark, end.initial_events_end, end.revision) == (True, True, last)
        changed = await world.put("b", app="web")
        assert told(await take(watcher, 1)) == [(ADDED, "b", changed)]
        await world.put("b", app="other")
        last = await world.cache.catch_up()
        await watcher.aclose()
    assert world.cache.watcher_count == 0


async def test_a_watch_resumes_anywhere_in_the_history(make: Make) -> None:
    world = await make(history_limit=10)
    revisions = [await world.put(f"p{number}") for number in range(20)]
    await world.cache.catch_up()
    for position in range(9, 20):
        watcher = await world.cache.watch(start_revision=revisions[position])
        if position < 19:
            events = await take(watcher, 19 - position)
            assert [event.revision for event in events] == revisions[position + 1 :]
        await watcher.aclose()
    for position in range(9):
        with pytest.raises(TooOld):
            await world.cache.watch(start_revision=revisions[position])


async def test_the_history_is_bounded_in_bytes(make: Make) -> None:
    world = await make(history_bytes_max=20_000)
    revisions = [await world.put(f"p{number}", filler="x" * 1_000) for number in range(40)]
    await world.cache.catch_up()
    with pytest.raises(TooOld):
        await world.cache.watch(start_revision=revisions[10])
    watcher = await world.cache.watch(start_revision=revisions[30])
    assert len(await take(watcher, 9)) == 9


async def test_two_watchers_share_what_is_made_for_one(world: World) -> None:
    one, two = [await world.cache.watch(by_label("app=web"), initial_events=False) for _ in range(2)]
    await world.put("a", app="web")
    first, second = await anext(one), await anext(two)
    assert first is second
    assert first.payload is second.payload
    assert first.payload == first.events[0].line


async def test_one_wake_up_for_a_burst(world: World) -> None:
    watcher = await world.cache.watch(initial_events=False)
    revisions = [await world.put(f"p{number}") for number in range(30)]
    batch = await anext(watcher)
    assert [event.revision for event in batch.events] == revisions
    assert batch.revision == revisions[-1]
    assert batch.payload.count(b"\n") == 30


async def test_watchers_of_a_field_value_hear_of_that_value_only(world: World) -> None:
    def on(node: str) -> Selection:
        chosen = fields.FieldSelector((fields.FieldRequirement("spec.nodeName", node),))
        return Selection(predicate=Matches(labels.EVERYTHING, chosen), exact=("spec.nodeName", node))

    first = await world.cache.watch(on("n1"), initial_events=False)
    second = await world.cache.watch(on("n2"), initial_events=False)
    unbound = await world.cache.watch(on(""), initial_events=False)
    created = await world.put("a")
    bound = await world.put("a", node="n1")
    moved = await world.put("a", node="n2")
    gone = await world.drop("a")
    assert told(await take(unbound, 2)) == [(ADDED, "a", created), (DELETED, "a", bound)]
    assert told(await take(first, 2)) == [(ADDED, "a", bound), (DELETED, "a", moved)]
    assert told(await take(second, 2)) == [(ADDED, "a", moved), (DELETED, "a", gone)]
    for watcher in (first, second, unbound):
        await watcher.aclose()
    assert world.cache.watcher_count == 0


async def test_watchers_of_a_namespace(world: World) -> None:
    watcher = await world.cache.watch(Selection("one"), initial_events=False)
    await world.put("a", "two")
    mine = await world.put("a", "one")
    assert told(await take(watcher, 1)) == [(ADDED, "a", mine)]


LIMITS = (
    pytest.param({"queue_events_max": 10}, id="by count"),
    pytest.param({"queue_bytes_max": 1_000}, id="by bytes"),
)


@pytest.mark.parametrize("limit", LIMITS)
async def test_a_slow_watcher_is_cut_off_and_the_others_are_not(make: Make, limit: dict[str, int]) -> None:
    world = await make(**limit)
    slow = await world.cache.watch(initial_events=False)
    quick = await world.cache.watch(initial_events=False)
    revisions, seen = [], []
    for number in range(40):
        revisions.append(await world.put(f"p{number:02}"))
        await world.cache.catch_up()
        seen.extend(await take(quick, 1))
    assert [event.revision for event in seen] == revisions
    with pytest.raises(TooSlow):
        await anext(slow)
    assert world.cache.watcher_count == 1


async def test_bookmarks_advance_without_events(make: Make) -> None:
    world = await make(bookmark_period_s=60.0)
    watcher = await world.cache.watch(initial_events=False)
    loop = asyncio.get_running_loop()
    for _ in range(3):
        await world.storage.create(b"/registry/other/%f" % loop.time(), b"{}")
        now, began = await world.storage.current_revision(), loop.time()
        batch: EventBatch = await anext(watcher)
        assert (batch.bookmark, batch.initial_events_end, list(batch.events)) == (True, False, [])
        assert batch.revision >= now
        assert 50 < loop.time() - began < 70


class FragileStorage(MemoryStorage):
    """Its watches lose their history on demand, as after a compaction during an outage."""

    def lose_history(self) -> None:
        self._hub.end(Compacted(self._revision))


async def test_lost_history_ends_the_watches_and_the_cache_lists_again(make: Make) -> None:
    storage = FragileStorage()
    world = await make(storage=storage)
    before = await world.put("a")
    await world.put("b")
    watcher = await world.cache.watch(initial_events=False)
    storage.lose_history()
    await world.drop("a")
    with pytest.raises(TooOld):
        await take(watcher, 100)
    early = await world.cache.watch(start_revision=0)
    assert [event.name for event in (await anext(early)).events] == ["b"]
    assert await world.names() == ["b"]
    with pytest.raises(TooOld):
        await world.cache.watch(start_revision=before)
    resumed = await world.cache.watch(initial_events=False)
    again = await world.put("a")
    assert told(await take(resumed, 1)) == [(ADDED, "a", again)]


BAD = (
    pytest.param(b"\x00garbage", id="not JSON"),
    pytest.param(b'{"metadata":{"resourceVersion":""}}', id="not such an object"),
    pytest.param(b'{"metadata":{"name":"x","labels":{}},"node":""}', id="no place for the revision"),
    pytest.param(b"", id="empty"),
)


@pytest.mark.parametrize("value", BAD)
async def test_an_object_that_cannot_be_read_does_not_stop_the_rest(
    world: World, value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    watcher = await world.cache.watch(initial_events=False)
    good = await world.put("a")
    broken = await world.put_raw("default/bad", value)
    again = await world.put_raw("default/bad", value)
    assert await world.names() == ["a"]
    entry = await world.cache.get("default", "bad")
    assert (entry.broken, entry.data, entry.revision) == (True, value, again)
    assert sum("cannot be read" in record.message for record in caplog.records) == 1
    mended = await world.put("bad")
    await world.put_raw("default/bad", value)
    await world.drop("bad")
    assert broken < again < mended
    assert [(kind, name) for kind, name, _ in told(await take(watcher, 3))] == [
        (ADDED, "a"),
        (ADDED, "bad"),
        (DELETED, "bad"),
    ]
    assert good < mended
    assert await world.names() == ["a"]


async def test_readers_see_revisions_in_their_own_object_only(world: World) -> None:
    """A user's text that looks like the placeholder stays as it is."""
    text = 'a "resourceVersion":"" b'
    revision = await world.put("a", note=text)
    entry = await world.cache.get("default", "a")
    assert json.loads(entry.data)["metadata"] == {
        "resourceVersion": str(revision),
        "name": "a",
        "labels": {"note": text},
    }


async def test_watchers_end_when_the_cache_stops() -> None:
    storage = MemoryStorage()
    cache = WatchCache(storage, b"/p/", index=lambda value: ({}, {}), rng=random.Random(1))
    running = asyncio.create_task(cache.run())
    watcher = await cache.watch(initial_events=False)
    running.cancel()
    assert [batch async for batch in watcher] == []
    late = await cache.watch(start_revision=0, initial_events=False)
    assert [batch async for batch in late] == []
    await asyncio.gather(running, return_exceptions=True)
    await storage.close()


@pytest.mark.parametrize("seed", range(20))
async def test_list_then_watch_adds_up_to_the_storage(make: Make, seed: int) -> None:
    """Random writes by several writers, random readers: list + watch always equals what is stored, in order."""
    rng = random.Random(seed)
    world = await make(history_limit=rng.choice((5, 50, 8_192)))

    async def churn() -> None:
        for _ in range(40):
            name = f"p{rng.randrange(8)}"
            key = b"/registry/pods/default/" + name.encode()
            if key in world.revisions and rng.random() < 0.4:
                await world.drop(name)
            else:
                await world.put(name, app=rng.choice(("web", "other")))
            await asyncio.sleep(rng.choice((0, 0, 0.01)))

    async def follow() -> None:
        select = rng.choice((Selection(), by_label("app=web"), Selection("default")))
        await asyncio.sleep(rng.random() / 10)
        listing = await world.cache.list(select)
        objects = {entry.name: entry.data for entry in listing.items}
        try:
            watcher = await world.cache.watch(select, start_revision=listing.revision)
        except TooOld:
            return
        position = listing.revision
        await writing
        end = await world.cache.catch_up()
        marker = await world.put("marker", app="web")
        assert marker > end
        while "marker" not in objects:
            for event in (await anext(watcher)).events:
                assert event.revision > position
                position = event.revision
                assert (event.type == ADDED) == (event.name not in objects)
                if event.type == DELETED:
                    del objects[event.name]
                else:
                    objects[event.name] = event.data
        stored = await world.cache.list(select, continuation=Continuation(position))
        assert objects == {entry.name: entry.data for entry in stored.items}
        await watcher.aclose()

    writing = asyncio.gather(churn(), churn())
    await asyncio.gather(writing, follow())
