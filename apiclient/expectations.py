"""Act only once the cache has seen your own writes.

A reconciler that has created or deleted objects notes here what it expects to see; until its informer has seen it (or five
minutes have passed) the cache is behind and the key must not be acted on again.
Source: the pattern of Kubernetes' controller expectations.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from apimachinery.clock import Clock

EXPIRY_S = 300.0


@dataclass
class _Pending:
    since: float
    creations: int = 0
    deletions: set[str] = field(default_factory=set)


class Expectations:
    """Creations are counted, deletions are known by uid, so that a deletion seen twice counts once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pending: dict[str, _Pending] = {}

    def expect_creations(self, key: str, count: int) -> None:
        self._entry(key).creations += count

    def expect_deletions(self, key: str, uids: Iterable[str]) -> None:
        self._entry(key).deletions.update(uids)

    def creation_observed(self, key: str) -> None:
        """A creation was seen, or failed and will never be."""
        if (pending := self._pending.get(key)) is not None and pending.creations > 0:
            pending.creations -= 1

    def deletion_observed(self, key: str, uid: str) -> None:
        """A deletion was seen, or failed and will never be."""
        if (pending := self._pending.get(key)) is not None:
            pending.deletions.discard(uid)

    def satisfied(self, key: str) -> bool:
        """Whether the cache has caught up with what was written for `key`."""
        pending = self._pending.get(key)
        if pending is None:
            return True
        if (pending.creations <= 0 and not pending.deletions) or self._clock.monotonic() - pending.since > EXPIRY_S:
            del self._pending[key]
            return True
        return False

    def forget(self, key: str) -> None:
        """The object is gone; so is what was expected of it."""
        self._pending.pop(key, None)

    def _entry(self, key: str) -> _Pending:
        if key not in self._pending:
            self._pending[key] = _Pending(self._clock.monotonic())
        return self._pending[key]
