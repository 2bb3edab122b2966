"""The watchers of one resource, and how an event finds them.

Model. Watchers with the same selection form an audience: an event is judged once for the audience, and all its members get the
same batch object, so that what is encoded for one is encoded for all. Audiences are found by the namespace of the object, or
by the value of a field (`Selection.exact`), so that an event costs nothing to those it cannot concern.

Every delivery wakes each member and costs each a write, whose price hardly depends on how many events are in it. So after a
delivery an audience is left alone for a moment, and what comes meanwhile is held back and goes together; a change that comes by
itself is told at once. The moment grows with the audience, from `PAUSE_MIN_S` for the few components that watch a resource to
`PAUSE_MAX_S`. Whoever joins meanwhile has what is held back in its initial state, so the others get it before that. Bookmarks
and ends come after it.

Each watcher holds a bounded queue. A watcher whose queue overflows is cut off with `TooSlow`: its queue is dropped, the others
are not held up. Delivery is synchronous; only `__anext__` waits.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

from apiserver.cache.errors import CacheError, TooSlow
from apiserver.cache.events import Entry, EventBatch, Transition, WatchEvent
from apiserver.cache.selection import Selection

PAUSE_MIN_S = 0.005
PAUSE_PER_MEMBER_S = 0.0004
PAUSE_MAX_S = 0.025
HELD_BACK_EVENTS_MAX = 500


class QueueLimit(NamedTuple):
    """What may wait for one watcher; a single batch is taken whatever its size."""

    events: int
    size_bytes: int


class Watcher:
    """One watch; iterate it for batches, close it when done.

    Iteration raises `TooSlow` when the watcher was cut off and `TooOld` when the cache lost the history that follows; it ends
    when the cache stops.
    """

    def __init__(self, dispatcher: Dispatcher, selection: Selection, limit: QueueLimit) -> None:
        self.selection = selection
        self._dispatcher = dispatcher
        self._limit = limit
        self._queue: deque[EventBatch] = deque()
        self._preloaded = 0
        self._queued_events = 0
        self._queued_bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._error: CacheError | None = None

    def preload(self, batches: Iterable[EventBatch]) -> None:
        """What comes first: the initial state or the events since a revision; not subject to the limit."""
        self._queue.extend(batches)
        self._preloaded = len(self._queue)

    def deliver(self, batch: EventBatch) -> None:
        """Queue a batch, or cut the watcher off."""
        events = self._queued_events + len(batch.events)
        size_bytes = self._queued_bytes + batch.size_bytes
        if self._queued_events and (events > self._limit.events or size_bytes > self._limit.size_bytes):
            self._queue.clear()
            self.end(TooSlow(f"{events} events of {size_bytes} bytes are waiting"))
            return
        self._queued_events = events
        self._queued_bytes = size_bytes
        self._queue.append(batch)
        self._wake()

    def end(self, error: CacheError | None) -> None:
        """Stop after what is queued; then raise `error` or finish."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._dispatcher.remove(self)
            self._wake()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> EventBatch:
        while not self._queue:
            if self._ended:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        batch = self._queue.popleft()
        if self._preloaded:
            self._preloaded -= 1
        else:
            self._queued_events -= len(batch.events)
            self._queued_bytes -= batch.size_bytes
        return batch

    async def aclose(self) -> None:
        """Leave the cache; what is queued is dropped."""
        self._queue.clear()
        self.end(None)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class _Audience:
    """The watchers of one selection, the events gathered for them, and when these are delivered."""

    __slots__ = ("events", "members", "not_before", "selection", "timer")

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.members: dict[Watcher, None] = {}
        self.events: list[WatchEvent] = []
        self.not_before = 0.0
        self.timer: asyncio.TimerHandle | None = None

    def gather(self, transition: Transition) -> bool:
        """Add the event for this audience, if there is one."""
        event = self.selection.see(transition)
        if event is None:
            return False
        self.events.append(event)
        return True

    @property
    def pause_s(self) -> float:
        """How long it is left alone after a delivery."""
        return min(PAUSE_MIN_S + PAUSE_PER_MEMBER_S * len(self.members), PAUSE_MAX_S)


class Dispatcher:
    """Hands transitions to the watchers they concern."""

    def __init__(self) -> None:
        self._audiences: dict[Selection, _Audience] = {}
        self._everywhere: dict[_Audience, None] = {}
        self._by_namespace: dict[str, dict[_Audience, None]] = {}
        self._by_value: dict[tuple[str, str], dict[_Audience, None]] = {}
        self._exact_fields: Counter[str] = Counter()
        self._revision = 0

    @property
    def busy(self) -> bool:
        """Whether anybody watches."""
        return bool(self._audiences)

    def __len__(self) -> int:
        return sum(len(audience.members) for audience in self._audiences.values())

    def add(self, watcher: Watcher) -> None:
        """Let a watcher have what comes from now on."""
        selection = watcher.selection
        if (earlier := self._audiences.get(selection)) is not None:
            self._flush(earlier)  # which may be more than any of them can take, and the end of this audience
        audience = self._audiences.get(selection)
        if audience is None:
            audience = self._audiences[selection] = _Audience(selection)
            self._shelf(selection)[audience] = None
            if selection.exact is not None:
                self._exact_fields[selection.exact[0]] += 1
        audience.members[watcher] = None

    def remove(self, watcher: Watcher) -> None:
        """Forget a watcher; harmless when it is gone already."""
        selection = watcher.selection
        audience = self._audiences.get(selection)
        if audience is None or watcher not in audience.members:
            return
        del audience.members[watcher]
        if audience.members:
            return
        del self._audiences[selection]
        self._flush(audience)
        shelf = self._shelf(selection)
        shelf.pop(audience)
        if selection.exact is not None:
            self._exact_fields -= Counter([selection.exact[0]])
            if not shelf:
                del self._by_value[selection.exact]
        elif selection.namespace and not shelf:
            del self._by_namespace[selection.namespace]

    def dispatch(self, transitions: Sequence[Transition], revision: int) -> None:
        """Give every audience the events it selects, as one batch, now or in a moment."""
        self._revision = revision
        if not self._audiences:
            return
        concerned: dict[_Audience, None] = {}
        for transition in transitions:
            for audience in self._candidates(transition):
                if audience.gather(transition):
                    concerned[audience] = None
        loop = asyncio.get_running_loop()
        for audience in concerned:
            wait_s = audience.not_before - loop.time()
            if wait_s <= 0 or len(audience.events) >= HELD_BACK_EVENTS_MAX:
                self._flush(audience)
            elif audience.timer is None:
                audience.timer = loop.call_later(wait_s, self._flush, audience)
        for transition in transitions:
            transition.release()

    def bookmark(self, revision: int) -> None:
        """Tell every watcher how far it is."""
        batch = EventBatch((), revision, bookmark=True)
        for audience in list(self._audiences.values()):
            self._flush(audience)
            self._deliver(audience, batch)

    def end(self, error: CacheError | None) -> None:
        """End every watcher."""
        for audience in list(self._audiences.values()):
            self._flush(audience)
            for watcher in list(audience.members):
                watcher.end(error)

    def _flush(self, audience: _Audience) -> None:
        """Deliver what is held back."""
        if audience.timer is not None:
            audience.timer.cancel()
            audience.timer = None
        if audience.events:
            events, audience.events = audience.events, []
            audience.not_before = asyncio.get_running_loop().time() + audience.pause_s
            self._deliver(audience, EventBatch(events, self._revision))

    def _deliver(self, audience: _Audience, batch: EventBatch) -> None:
        for watcher in list(audience.members):
            watcher.deliver(batch)

    def _candidates(self, transition: Transition) -> list[_Audience]:
        candidates = list(self._everywhere)
        if self._by_namespace:
            candidates.extend(self._by_namespace.get(transition.either.namespace, ()))
        for field in self._exact_fields:
            values = {_value(transition.old, field), _value(transition.new, field)} - {None}
            for value in values:
                candidates.extend(self._by_value.get((field, value or ""), ()))
        return candidates

    def _shelf(self, selection: Selection) -> dict[_Audience, None]:
        if selection.exact is not None:
            return self._by_value.setdefault(selection.exact, {})
        if selection.namespace:
            return self._by_namespace.setdefault(selection.namespace, {})
        return self._everywhere


def _value(entry: Entry | None, field: str) -> str | None:
    return None if entry is None else entry.fields.get(field, "")
