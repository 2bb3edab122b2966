"""Time as a parameter. Components never ask the system for it themselves, so that tests and simulations own it."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for what is written into objects, monotonic time for measuring and waiting."""

    def now(self) -> datetime:
        """The wall time, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class FakeClock:
    """A clock that stands still until told otherwise."""

    def __init__(self, now: datetime | None = None, monotonic: float = 0.0) -> None:
        self._start = now or datetime(2026, 1, 1, tzinfo=UTC)
        self._origin = monotonic
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._start.timestamp() + self._elapsed_s, UTC)

    def monotonic(self) -> float:
        return self._origin + self._elapsed_s

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._elapsed_s += seconds
