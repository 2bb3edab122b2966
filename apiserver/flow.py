"""Flow control: how many requests are worked on at once, and how many may wait.

Reads and writes are counted apart, so that a flood of lists does not hold up the leases. What finds the line too long is
refused with 429 and told when to try again. Watches and streams count only while they are being set up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from apimachinery import errors


class FlowControl:
    """One line: at most `in_flight_max` at work, at most `waiting_max` waiting."""

    def __init__(self, in_flight_max: int, waiting_max: int) -> None:
        self._free = asyncio.Semaphore(in_flight_max)
        self._waiting_max = waiting_max
        self._in_flight_max = in_flight_max
        self.in_flight = 0
        self.waiting = 0

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Hold a place while the body runs; raises ApiError (429) when the line is full."""
        if self._free.locked():
            if self.waiting >= self._waiting_max:
                raise errors.too_many_requests("too many requests are waiting, please try again later")
            self.waiting += 1
            try:
                await self._free.acquire()
            finally:
                self.waiting -= 1
        else:
            await self._free.acquire()
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            self._free.release()
