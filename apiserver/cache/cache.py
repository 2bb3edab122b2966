"""The watch cache of one resource: consistent reads and resumable watches without a read of the storage for each.

Model. `run` owns the state: it takes a snapshot of the storage and applies the one watch that follows it. Everything between
two awaits is atomic, so readers see whole batches, and therefore whole revisions. Readers never change anything.

Consistent reads. A reader that asks for no revision gets what a quorum read would give: the storage is asked for its current
revision (concurrent askers share the question) and the reader waits until the cache has got there. Its watch says when,
because the changes of all resources are one ordered feed.

When the storage has compacted the history the cache still needs, what happened in between is unknown: objects may have come and
gone, and been deleted and made again under one name. Sending the difference of the two snapshots would pass that off as a
complete history, so the watchers end with `TooOld` instead and list again (invariant I3 asks for no gap, or an explicit 410);
until the new snapshot is in place nobody can begin to watch.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterator

from apiserver.cache.errors import NotFresh, TooOld
from apiserver.cache.events import ADDED, Entry, EventBatch, WatchEvent
from apiserver.cache.listing import NEWEST, Continuation, Listing, page
from apiserver.cache.selection import Selection
from apiserver.cache.state import Index, Normalize, State
from apiserver.cache.watchers import Dispatcher, QueueLimit, Watcher
from apiserver.storage.port import Batch, Compacted, Storage, Unavailable, Watch

log = logging.getLogger(__name__)

_RETRY_PAUSE_S = 0.2
_INITIAL_EVENTS_PER_BATCH = 500
_STORAGE_PAGE_ITEMS = 1_000

ALL = Selection()


class WatchCache:
    """The objects whose keys are `prefix` + [namespace + "/"] + name.

    `index` gives an object's labels and selectable fields. Watches resume within the last `history_limit` changes (fewer when
    these hold more than `history_bytes_max`). A watcher that lets more than `queue_events_max` events or `queue_bytes_max`
    bytes wait is cut off. Bookmarks come every `bookmark_period_s` seconds, give or take a tenth by `rng`. A read that waits
    for a revision gives up after `freshness_timeout_s`; `on_waited` is told how long each read waited. `current_revision` tells
    a consistent read what it must wait for, if it is not to ask the storage itself. `normalize` brings what is stored into the
    form that readers get, where that is another one.
    """

    def __init__(
        self,
        storage: Storage,
        prefix: bytes,
        *,
        index: Index,
        rng: random.Random,
        history_limit: int = 8_192,
        history_bytes_max: int = 32 << 20,
        queue_events_max: int = 8_192,
        queue_bytes_max: int = 32 << 20,
        bookmark_period_s: float = 60.0,
        freshness_timeout_s: float = 10.0,
        on_waited: Callable[[float], None] | None = None,
        current_revision: Callable[[], Awaitable[int]] | None = None,
        normalize: Normalize | None = None,
    ) -> None:
        self.synced = asyncio.Event()
        self._storage = storage
        self._current_revision = current_revision or storage.current_revision
        self._prefix = prefix
        self._rng = rng
        self._queue_limit = QueueLimit(queue_events_max, queue_bytes_max)
        self._bookmark_period_s = bookmark_period_s
        self._freshness_timeout_s = freshness_timeout_s
        self._state = State(
            prefix, index, history_limit=history_limit, history_bytes_max=history_bytes_max, normalize=normalize
        )
        self._dispatcher = Dispatcher()
        self._watch: Watch | None = None
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._stopped = False
        self._on_waited = on_waited

    async def run(self) -> None:
        """Keep the cache up to date until cancelled; then end every watcher. Raises only what is a bug."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow_forever(), name="cache/follow")
                group.create_task(self._bookmark_forever(), name="cache/bookmark")
        finally:
            self._stopped = True
            self._dispatcher.end(None)

    @property
    def revision(self) -> int:
        """How far the cache is."""
        return self._state.revision

    @property
    def changes(self) -> int:
        """A number that differs whenever the objects do."""
        return self._state.changes

    @property
    def watcher_count(self) -> int:
        """How many watchers there are."""
        return len(self._dispatcher)

    def peek(self, namespace: str, name: str) -> Entry | None:
        """An object as the cache has it now, which may be behind the storage; it may be broken."""
        return self._state.get(namespace, name)

    def view(self, namespace: str = "") -> tuple[Entry, ...]:
        """All readable objects as the cache has them now, in key order."""
        return tuple(self._state.view(namespace))

    async def get(self, namespace: str, name: str, *, min_revision: int | None = None) -> Entry | None:
        """An object as of now (`min_revision` None: a consistent read), or as of at least `min_revision` (0: any).

        The entry may be broken. Raises `NotFresh`, and StorageError when the storage does not tell its revision.
        """
        await self._reach(min_revision)
        return self._state.get(namespace, name)

    async def list(
        self,
        selection: Selection = ALL,
        *,
        min_revision: int | None = None,
        limit: int = 0,
        continuation: Continuation | None = None,
    ) -> Listing:
        """A snapshot as of now (`min_revision` None) or at least `min_revision` (0: any); or exactly at a continuation's.

        Pages of recent snapshots are cut from memory, of older ones from the storage. Raises `NotFresh`; `TooOld` when the
        snapshot of the continuation is gone; StorageError.
        """
        if continuation is not None:
            return await self._list_at(continuation, selection, limit)
        await self._reach(min_revision)
        return page(self._state.view(selection.namespace), self._state.revision, selection, limit=limit)

    async def watch(
        self,
        selection: Selection = ALL,
        *,
        start_revision: int | None = None,
        initial_events: bool | None = None,
    ) -> Watcher:
        """Watch from a point on.

        With `initial_events` (the default when `start_revision` is None or 0) the watch begins with the state as ADDED
        events, at least as new as `start_revision` (None: consistent, 0: any), closed by a bookmark with `initial_events_end`.
        Without, it begins after `start_revision`, or with what comes next (None: consistent, 0: any).

        Raises `TooOld` when the history does not reach back to `start_revision`, `NotFresh`, StorageError.
        """
        if initial_events is None:
            initial_events = not start_revision
        await self._reach(start_revision)
        state = self._state
        watcher = Watcher(self._dispatcher, selection, self._queue_limit)
        if initial_events:
            watcher.preload(self._initial(selection))
        elif start_revision:
            if start_revision < state.floor:
                raise TooOld(start_revision)
            seen = [selection.see(transition) for transition in state.after(start_revision)]
            if events := [event for event in seen if event is not None]:
                watcher.preload([EventBatch(events, state.revision)])
        if self._stopped:
            watcher.end(None)
        else:
            self._dispatcher.add(watcher)
        return watcher

    async def catch_up(self) -> int:
        """Wait until everything acknowledged before this call is in the cache; returns the revision that stands for it."""
        revision = await self._current_revision()
        await self.wait_for(revision)
        return revision

    async def wait_for(self, revision: int) -> None:
        """Wait until the cache is synced and has reached `revision`; raises `NotFresh` when it takes too long."""
        if self.synced.is_set() and self._state.revision >= revision:
            return
        try:
            async with asyncio.timeout(self._freshness_timeout_s):
                await self.synced.wait()
                while self._state.revision < revision:
                    waiter = asyncio.get_running_loop().create_future()
                    self._waiters.append((revision, waiter))
                    if self._watch is not None:
                        self._watch.request_progress(revision)
                    await waiter
        except TimeoutError as error:
            raise NotFresh(revision, self._state.revision) from error
        finally:
            self._waiters = [entry for entry in self._waiters if not entry[1].done()]

    async def _reach(self, revision: int | None) -> None:
        clock = asyncio.get_running_loop().time
        started = clock()
        if revision is None:
            await self.catch_up()
        else:
            await self.wait_for(revision)
        if self._on_waited is not None:
            self._on_waited(clock() - started)

    async def _list_at(self, continuation: Continuation, selection: Selection, limit: int) -> Listing:
        revision, start_after = continuation
        if revision == NEWEST:
            await self._reach(None)
            state = self._state
            return page(state.view(selection.namespace), state.revision, selection, limit=limit, start_after=start_after)
        await self.wait_for(revision)
        if revision >= self._state.floor:
            view = self._state.view_at(selection.namespace, revision)
            return page(view, revision, selection, limit=limit, start_after=start_after)
        try:
            return await self._list_stored(revision, start_after, selection, limit)
        except Compacted as error:
            raise TooOld(revision) from error

    async def _list_stored(self, revision: int, start_after: bytes, selection: Selection, limit: int) -> Listing:
        """A page of a snapshot from before the cache's history, read from the storage until `limit` are selected."""
        prefix = self._prefix + (f"{selection.namespace}/".encode() if selection.namespace else b"")
        selected: list[Entry] = []
        while True:
            stored = await self._storage.list(
                prefix, revision=revision, limit=limit or _STORAGE_PAGE_ITEMS, start_after=start_after
            )
            for position, item in enumerate(stored.items, start=1):
                entry = self._state.entry(item.key, item.value, item.mod_revision, known_broken=True)
                if selection.selects(entry):
                    selected.append(entry)
                if limit and len(selected) == limit:
                    left = len(stored.items) - position + stored.remaining
                    following = Continuation(revision, item.key) if left else None
                    return Listing(selected, revision, following, left if left and selection.total else None)
            if not stored.more:
                return Listing(selected, revision)
            start_after = stored.items[-1].key

    def _initial(self, selection: Selection) -> Iterator[EventBatch]:
        state = self._state
        entries = page(state.view(selection.namespace), state.revision, selection).items
        for first in range(0, len(entries), _INITIAL_EVENTS_PER_BATCH):
            chunk = entries[first : first + _INITIAL_EVENTS_PER_BATCH]
            yield EventBatch([WatchEvent(ADDED, entry, entry.revision, entry.data) for entry in chunk], 0)
        yield EventBatch((), state.revision, bookmark=True, initial_events_end=True)

    async def _follow_forever(self) -> None:
        fresh = False
        while True:
            try:
                if not fresh:
                    await self._take_snapshot()
                    fresh = True
                await self._follow()
            except Compacted:
                fresh = False
                self.synced.clear()
                log.warning("history lost, listing again", extra={"prefix": self._prefix.decode()})
                self._dispatcher.end(TooOld(self._state.revision))
            except Unavailable as error:
                log.info("storage not available, trying again", extra={"error": str(error)})
            await asyncio.sleep(_RETRY_PAUSE_S)

    async def _take_snapshot(self) -> None:
        """Begin a little in the past, so that the history that watches resume within is there from the start."""
        try:
            snapshot = await self._storage.list(self._prefix, revision=await self._storage.recent_revision())
        except Compacted:
            snapshot = await self._storage.list(self._prefix)
        if snapshot.revision < self._state.revision:
            snapshot = await self._storage.list(self._prefix)
        self._state.replace(snapshot.items, snapshot.revision)

    async def _follow(self) -> None:
        watch = self._watch = self._storage.watch(self._prefix, self._state.revision + 1)
        try:
            present = await self._storage.current_revision()
            for revision in {present, *(waiting for waiting, _ in self._waiters)}:
                watch.request_progress(revision)
            if self._state.revision >= present:
                self.synced.set()
            async for batch in watch:
                self._apply(batch)
                if self._state.revision >= present:
                    self.synced.set()
            raise Unavailable("the watch of the storage has ended")
        finally:
            self._watch = None
            await watch.aclose()

    def _apply(self, batch: Batch) -> None:
        transitions = self._state.apply(batch.changes, batch.revision)
        if transitions:
            self._dispatcher.dispatch(transitions, self._state.revision)
        for revision, waiter in self._waiters:
            if revision <= self._state.revision and not waiter.done():
                waiter.set_result(None)

    async def _bookmark_forever(self) -> None:
        while True:
            await asyncio.sleep(self._bookmark_period_s * self._rng.uniform(0.9, 1.1))
            if self._dispatcher.busy:
                try:
                    await self.catch_up()
                except (Unavailable, NotFresh) as error:
                    log.info("no bookmark now", extra={"error": str(error)})
                else:
                    self._dispatcher.bookmark(self._state.revision)
