"""So many at once, then so many a second: by tokens for whoever comes, by turns for keys that come back."""

import math

from apimachinery.clock import Clock

MIN_WAIT_S = 0.01


class TokenBucket:
    """Holds at most `burst` tokens and gains `per_s` a second."""

    def __init__(self, clock: Clock, *, per_s: float, burst: int) -> None:
        self._clock = clock
        self._per_s = per_s
        self._burst = burst
        self._tokens = float(burst)
        self._filled_at = clock.monotonic()

    def take(self) -> float:
        """Take a token and return 0; or, when there is none, the seconds until there will be."""
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_s)
        self._filled_at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return max((1 - self._tokens) / self._per_s, MIN_WAIT_S)


class Turns:
    """Gives each key a turn: the first `burst` now, then so many a second. A key keeps its turn until it is `done`.

    Whoever waits for a turn knows when it is, so that a thousand that wait need not try again and again. Turns come in rounds,
    every `round_s` seconds (0: each by itself), because what many write at once costs far less than what they write one by one.
    """

    def __init__(self, clock: Clock, *, per_s: float, burst: int, round_s: float = 0.0) -> None:
        self._clock = clock
        self._round_s = round_s
        self._pause_s = 1 / per_s
        self._burst_s = burst / per_s
        self._next_at = clock.monotonic() - self._burst_s
        self._turns: dict[str, float] = {}

    def wait_s(self, key: str, *, pace: float = 1.0) -> float:
        """Seconds until the turn of `key`; 0 once it has come, or nearly. pace: of `per_s`, for a key that has no turn yet."""
        now = self._clock.monotonic()
        turn = self._turns.get(key)
        if turn is None:
            self._next_at = max(self._next_at, now - self._burst_s) + self._pause_s / pace
            turn = self._turns[key] = now if self._next_at <= now else self._round_of(self._next_at)
        return turn - now if turn - now >= MIN_WAIT_S else 0.0

    def done(self, key: str) -> None:
        """Give up the turn of `key`, if it has one."""
        self._turns.pop(key, None)

    def _round_of(self, moment: float) -> float:
        return math.ceil(moment / self._round_s) * self._round_s if self._round_s else moment
