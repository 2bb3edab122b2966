"""Waiting longer after each failure, with chance in it so that many do not return at once."""

import random


class Backoff:
    """Delays that double from `base_s` to `max_s`; each is drawn from the upper half of its range."""

    def __init__(self, rng: random.Random, *, base_s: float = 0.05, max_s: float = 5.0) -> None:
        self._rng = rng
        self._base_s = base_s
        self._max_s = max_s
        self._failures = 0

    def next_s(self) -> float:
        """The delay before the next try."""
        ceiling = min(self._max_s, self._base_s * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return ceiling * (0.5 + self._rng.random() / 2)

    def reset(self) -> None:
        """It worked: start from the base again."""
        self._failures = 0
