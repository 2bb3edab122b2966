"""Waiting times that double: for restarting crashed containers, pulling images, mounting volumes.

A back-off knows no clock; every question brings its own time, in seconds of any steady scale. After a quiet time twice the
longest delay it starts over. Source: the Kubernetes page "Pod Lifecycle", "Container restarts".
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class _Entry:
    delay_s: float
    updated: float


@dataclass(slots=True)
class Backoff:
    """Delays by key: `first_s`, then doubled up to `longest_s`."""

    first_s: float = 10.0
    longest_s: float = 300.0
    _entries: dict[str, _Entry] = field(default_factory=dict)

    def delay_s(self, key: str, now: float) -> float:
        """The present delay of `key`; 0 when it never failed, or long ago."""
        entry = self._entries.get(key)
        if entry is None or now - entry.updated > 2 * self.longest_s:
            return 0.0
        return entry.delay_s

    def remaining_s(self, key: str, since: float, now: float) -> float:
        """How long to wait still when the failure was at `since`."""
        delay_s = self.delay_s(key, now)
        return max(since + delay_s - now, 0.0) if delay_s else 0.0

    def fail(self, key: str, now: float) -> float:
        """Note a failure (or another try); the delay from now on."""
        delay_s = self.delay_s(key, now)
        entry = _Entry(min(delay_s * 2, self.longest_s) if delay_s else self.first_s, now)
        self._entries[key] = entry
        return entry.delay_s

    def forget(self, prefix: str) -> None:
        """Drop every key that starts with `prefix`."""
        for key in [key for key in self._entries if key.startswith(prefix)]:
            del self._entries[key]


def go_duration(seconds: float) -> str:
    """A duration as Kubernetes' messages write it: `10s`, `1m20s`, `5m0s`."""
    whole = int(seconds)
    return f"{whole}s" if whole < 60 else f"{whole // 60}m{whole % 60}s"
