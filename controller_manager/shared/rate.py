"""A token bucket: so many at once, then so many a second."""

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
