"""A controller's own writes that its informer has not shown yet, laid over the cache.

A controller that writes several objects for one key must not plan from a cache that lacks its last writes: it would
write them twice. Each written object is kept here until the cache holds it or something newer, each deletion until the
cache has dropped the object; `over` gives the cache's view with them applied. What the cache never shows (created and
deleted between two of its lists) leaves after `EXPIRY_S`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from apimachinery.clock import Clock
from apimachinery.kinds import Object

ObjectT = TypeVar("ObjectT", bound=Object)

EXPIRY_S = 60.0


@dataclass(frozen=True)
class _Write(Generic[ObjectT]):
    obj: ObjectT
    deleted: bool
    at: float


class OwnWrites(Generic[ObjectT]):
    """Writes by group (the reconciled key) and uid."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._groups: dict[str, dict[str, _Write[ObjectT]]] = {}

    def wrote(self, group: str, obj: ObjectT) -> None:
        """`obj` is what the API server answered to a create or an update."""
        self._groups.setdefault(group, {})[obj.metadata.uid] = _Write(obj, False, self._clock.monotonic())

    def deleted(self, group: str, obj: ObjectT) -> None:
        """The API server has accepted the deletion of `obj`."""
        self._groups.setdefault(group, {})[obj.metadata.uid] = _Write(obj, True, self._clock.monotonic())

    def over(self, group: str, cached: Iterable[ObjectT]) -> list[ObjectT]:
        """The cached objects of a group as they are with the writes that the cache does not show yet."""
        view = {obj.metadata.uid: obj for obj in cached}
        writes = self._groups.get(group)
        if writes is None:
            return list(view.values())
        oldest = self._clock.monotonic() - EXPIRY_S
        for uid, write in list(writes.items()):
            known = view.get(uid)
            if write.at < oldest or _shown(write, known):
                del writes[uid]
            elif write.deleted:
                view.pop(uid, None)
            else:
                view[uid] = write.obj
        if not writes:
            del self._groups[group]
        return list(view.values())

    def gone(self, group: str, uid: str) -> None:
        """The informer reports the object's end."""
        writes = self._groups.get(group)
        if writes is not None:
            writes.pop(uid, None)
            if not writes:
                del self._groups[group]


def _shown(write: _Write[ObjectT], known: ObjectT | None) -> bool:
    if write.deleted:
        return known is None
    return known is not None and _revision(known) >= _revision(write.obj)


def _revision(obj: Object) -> int:
    return int(obj.metadata.resource_version or 0)
