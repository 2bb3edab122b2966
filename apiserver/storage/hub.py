"""One ordered feed of changes, shared by every watch of a storage adapter.

Model. The adapter publishes the changes of the whole key space in revision order; the hub keeps the last `history_limit` of
them (fewer when they hold more than `history_bytes_max`) and hands each subscription those under its prefix. Because the
feed is one and total, having seen any change at revision R means having seen everything up to R, whatever the prefix: that is
what makes consistent reads cheap (see `request_progress`).

A subscription holds at most `queue_limit` changes and `QUEUE_BYTES_MAX` bytes. When its reader is slower than that the queue
is dropped and the reader continues from the shared history after the last batch it took; once that is gone too,
`HistoryGone` is raised. So a slow reader costs a bounded amount of memory and never a gap. A change costs nothing to readers
whom it does not concern and who wait for no revision. Everything here is synchronous but the wait in `__anext__`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Self

from apiserver.storage.port import Batch, Change, Compacted, StorageError

QUEUE_BYTES_MAX = 64 << 20


class HistoryGone(Compacted):
    """The hub no longer remembers the changes asked for; the store itself may."""


class Hub:
    """Holds the changes with revisions in [`floor`, `position`]."""

    def __init__(self, *, history_limit: int, history_bytes_max: int = 1 << 40, queue_limit: int = 16_384) -> None:
        self.position = 0
        self.floor = 1
        self.queue_limit = queue_limit
        self._history_limit = history_limit
        self._history_bytes_max = history_bytes_max
        self._history_bytes = 0
        self._history: deque[Batch] = deque()
        self._history_size = 0
        self._by_prefix: dict[bytes, list[Subscription]] = {}
        self._prefix_lengths: list[int] = []
        self._asking: dict[Subscription, None] = {}

    def reset(self, position: int) -> None:
        """Forget the history; the next change published comes after `position`.

        Readers that still wait for what came before are told so: it will never be published.
        """
        self._history.clear()
        self._history_size = 0
        self._history_bytes = 0
        self.position = position
        self.floor = position + 1
        for subscriptions in self._by_prefix.values():
            for subscription in subscriptions:
                subscription.passed_over(position)

    def publish(self, changes: Sequence[Change], position: int) -> None:
        """Deliver whole revisions: everything up to `position` is now published."""
        if position <= self.position:
            raise ValueError(f"revision {position} published after {self.position}")
        self.position = position
        self._remember(Batch(position, changes))
        concerned = dict(self._asking)
        for change in changes:
            key = change.key
            for length in self._prefix_lengths:
                for subscription in self._by_prefix.get(key[:length], ()):
                    subscription.push(change)
                    concerned[subscription] = None
        for subscription in concerned:
            subscription.wake_if_due(position)

    def ask(self, subscription: Subscription, *, asks: bool) -> None:
        """Whether the subscription waits for a revision, so that it must be looked at whatever the change is."""
        if asks:
            self._asking[subscription] = None
        else:
            self._asking.pop(subscription, None)

    def discard_before(self, revision: int) -> None:
        """Forget changes below `revision` (never above the position)."""
        revision = min(revision, self.position + 1)
        while self._history and self._history[0].revision < revision:
            self._forget_oldest()
        self.floor = max(self.floor, revision)

    def end(self, error: StorageError | None) -> None:
        """End every subscription: with `error`, or orderly when there is none."""
        for subscriptions in list(self._by_prefix.values()):
            for subscription in list(subscriptions):
                subscription.end(error)

    def subscribe(self, prefix: bytes, start_revision: int) -> Subscription:
        """Changes under `prefix` from `start_revision` on; raises `HistoryGone` when the hub does not reach back so far."""
        subscription = Subscription(self, prefix, start_revision)
        subscription.refill()
        self._by_prefix.setdefault(prefix, []).append(subscription)
        self._prefix_lengths = sorted({len(known) for known in self._by_prefix})
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forget a subscription; harmless when it is gone already."""
        members = self._by_prefix.get(subscription.prefix, [])
        if subscription in members:
            members.remove(subscription)
        if not members:
            self._by_prefix.pop(subscription.prefix, None)
            self._prefix_lengths = sorted({len(known) for known in self._by_prefix})
        self._asking.pop(subscription, None)

    def changes_from(self, prefix: bytes, revision: int) -> Sequence[Change]:
        """The remembered changes under `prefix` at or after `revision`; raises `HistoryGone` when some are forgotten."""
        if revision < self.floor:
            raise HistoryGone(self.floor - 1)
        return [
            change
            for batch in self._history
            if batch.revision >= revision
            for change in batch.changes
            if change.mod_revision >= revision and change.key.startswith(prefix)
        ]

    def _remember(self, batch: Batch) -> None:
        self._history.append(batch)
        self._history_size += len(batch.changes)
        self._history_bytes += _size_bytes(batch.changes)
        while len(self._history) > 1 and (
            self._history_size > self._history_limit or self._history_bytes > self._history_bytes_max
        ):
            self.floor = self._forget_oldest() + 1

    def _forget_oldest(self) -> int:
        oldest = self._history.popleft()
        self._history_size -= len(oldest.changes)
        self._history_bytes -= _size_bytes(oldest.changes)
        return oldest.revision


class Subscription:
    """One reader of the hub; see `port.Watch`."""

    def __init__(self, hub: Hub, prefix: bytes, start_revision: int) -> None:
        self.prefix = prefix
        self._hub = hub
        self._next = start_revision
        self._queue: list[Change] = []
        self._queue_bytes = 0
        self._lagging = False
        self._wanted: set[int] = set()
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._error: StorageError | None = None

    @property
    def next_revision(self) -> int:
        """Where a reader continues that has taken every batch delivered so far."""
        return self._next

    def push(self, change: Change) -> None:
        """Queue a change; called by the hub only."""
        if self._lagging or change.mod_revision < self._next:
            return
        self._queue.append(change)
        self._queue_bytes += len(change.value)
        if len(self._queue) > self._hub.queue_limit or self._queue_bytes > QUEUE_BYTES_MAX:
            self._queue, self._queue_bytes = [], 0
            self._lagging = True

    def passed_over(self, position: int) -> None:
        """What came up to `position` is not to be had here any more; called by the hub only."""
        if self._next <= position and not self._ended:
            self._queue, self._queue_bytes = [], 0
            self._lagging = True
            self._wake()

    def wake_if_due(self, position: int) -> None:
        """Let the reader run when there is something for it; called by the hub only."""
        if self._queue or self._lagging or self._due(position):
            self._wake()

    def request_progress(self, revision: int) -> None:
        """See `port.Watch.request_progress`."""
        self._wanted.add(revision)
        self._hub.ask(self, asks=not self._ended)
        self.wake_if_due(self._hub.position)

    def refill(self) -> None:
        """Fill the queue from the shared history."""
        self._queue = list(self._hub.changes_from(self.prefix, self._next))
        self._lagging = False

    def end(self, error: StorageError | None) -> None:
        """Stop after what is queued; then raise `error` or finish."""
        self._ended = True
        self._error = error
        self._hub.unsubscribe(self)
        self._wake()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        while True:
            if self._lagging:
                self.refill()
            position = self._hub.position
            if self._queue or self._due(position):
                return self._take(position)
            if self._ended:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    async def aclose(self) -> None:
        """Leave the hub."""
        self._queue = []
        self.end(None)

    def _take(self, position: int) -> Batch:
        changes, self._queue = self._queue, []
        self._queue_bytes = 0
        if self._wanted:
            self._wanted = {wanted for wanted in self._wanted if wanted > position}
            self._hub.ask(self, asks=bool(self._wanted) and not self._ended)
        revision = changes[-1].mod_revision if self._ended and changes else position
        self._next = max(self._next, revision + 1)
        return Batch(revision, changes)

    def _due(self, position: int) -> bool:
        return bool(self._wanted) and min(self._wanted) <= position

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _size_bytes(changes: Sequence[Change]) -> int:
    return sum([len(change.value) for change in changes])
