"""Rates from counters: CPU use as the growth of CPU time between two looks."""

from collections.abc import Collection
from dataclasses import dataclass, field

_SHORTEST_NS = 100_000_000


@dataclass
class UsageMeter:
    """Remembers the last two readings of each subject."""

    _readings: dict[str, tuple[int, int]] = field(default_factory=dict)
    _rates: dict[str, int] = field(default_factory=dict)

    def rate(self, subject: str, cpu_nanoseconds: int, taken_at: int) -> int:
        """Nanocores (billionths of a core) since the reading before; 0 at the first. Times in nanoseconds."""
        before = self._readings.get(subject)
        if before is not None and taken_at - before[1] < _SHORTEST_NS:
            return self._rates.get(subject, 0)
        self._readings[subject] = cpu_nanoseconds, taken_at
        if before is None:
            return 0
        rate = max(cpu_nanoseconds - before[0], 0) * 1_000_000_000 // (taken_at - before[1])
        self._rates[subject] = rate
        return rate

    def keep(self, subjects: Collection[str]) -> None:
        """Forget all others."""
        for known in (self._readings, self._rates):
            for subject in [each for each in known if each not in subjects]:
                del known[subject]
