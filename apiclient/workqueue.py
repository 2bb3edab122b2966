"""The queue of keys between informers and a reconciler.

Who owns what: handlers `add` keys from synchronous code; workers `get` a key, reconcile it and call `done`. A key waits at most
once however often it is added, and is never with two workers: added while it is being worked on, it returns when that is done.
A failed key comes back later each time (`add_rate_limited`) until it is `forget`ten. The queue is bounded by the number of
distinct keys, which is the number of objects.
"""

import asyncio
import heapq
import itertools
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable

from apimachinery.clock import Clock
from apimachinery.errors import ApiError, is_conflict


class WorkQueue:
    """De-duplicating, delaying, rate limiting; see the module."""

    def __init__(self, *, clock: Clock, rng: random.Random, base_delay_s: float = 0.005, max_delay_s: float = 60.0) -> None:
        self._clock = clock
        self._rng = rng
        self._base_delay_s = base_delay_s
        self._max_delay_s = max_delay_s
        self._ready: deque[str] = deque()
        self._waiting: set[str] = set()  # to be worked on: in _ready, or added while in _active
        self._active: set[str] = set()
        self._failures: dict[str, int] = {}
        self._later: list[tuple[float, int, str]] = []
        self._due_at: dict[str, float] = {}
        self._sequence = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._getters: deque[asyncio.Future[None]] = deque()
        self._shut_down = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: str) -> None:
        """Have `key` worked on as soon as a worker is free."""
        if self._shut_down or key in self._waiting:
            return
        self._waiting.add(key)
        if key not in self._active:
            self._ready.append(key)
            self._wake_one()

    def add_after(self, key: str, delay_s: float) -> None:
        """Have `key` worked on after `delay_s` seconds, or earlier if it is already due earlier."""
        if self._shut_down:
            return
        if delay_s <= 0:
            self.add(key)
            return
        due = self._clock.monotonic() + delay_s
        if self._due_at.get(key, due + 1) <= due:
            return
        self._due_at[key] = due
        heapq.heappush(self._later, (due, next(self._sequence), key))
        self._arm()

    def add_rate_limited(self, key: str) -> None:
        """Have `key` tried again, later after each failure."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay_s = min(self._max_delay_s, self._base_delay_s * 2.0 ** min(failures, 30))
        self.add_after(key, delay_s * (1 + self._rng.random() / 10))

    def forget(self, key: str) -> None:
        """`key` has succeeded; its next failure is its first."""
        self._failures.pop(key, None)

    async def get(self) -> str | None:
        """The next key, or None when the queue has been shut down and is empty."""
        while not self._ready:
            if self._shut_down:
                return None
            getter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                if getter.done() and not getter.cancelled():
                    self._wake_one()  # the wake-up was ours; hand it on
                raise
        key = self._ready.popleft()
        self._waiting.discard(key)
        self._active.add(key)
        return key

    def done(self, key: str) -> None:
        """The worker has finished with `key`."""
        self._active.discard(key)
        if key in self._waiting:
            self._ready.append(key)
            self._wake_one()

    def shut_down(self) -> None:
        """Accept nothing more; workers get what is ready, then None."""
        self._shut_down = True
        self._later.clear()
        self._due_at.clear()
        if self._timer is not None:
            self._timer.cancel()
        while self._getters:
            self._wake_one()

    def _wake_one(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._later:
            delay_s = max(0.0, self._later[0][0] - self._clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._release_due)

    def _release_due(self) -> None:
        self._timer = None
        # a loop timer may fire a hair early by the injected clock; that hair must not cost a turn
        now = self._clock.monotonic() + 1e-3
        while self._later and self._later[0][0] <= now:
            due, _, key = heapq.heappop(self._later)
            if self._due_at.get(key) == due:
                del self._due_at[key]
                self.add(key)
        self._arm()


async def work(queue: WorkQueue, reconcile: Callable[[str], Awaitable[None]], *, log: logging.Logger) -> None:
    """Reconcile keys until the queue is shut down; a key that fails is tried again later."""
    while (key := await queue.get()) is not None:
        try:
            await reconcile(key)
        except Exception as error:  # one poison object must not stop the others
            # a conflict is a lost race, no fault: the cache will have caught up by the next try
            log.log(
                logging.INFO if is_conflict(error) else logging.WARNING,
                "could not reconcile, will retry",
                extra={"key": key, "error": str(error) or type(error).__name__},
                exc_info=not isinstance(error, ApiError),
            )
            queue.add_rate_limited(key)
        else:
            queue.forget(key)
        finally:
            queue.done(key)
