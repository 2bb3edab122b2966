"""The cached form of objects and of what happens to them. All of it is immutable once made, and shared by every reader.

An object's bytes get their revision once, when they enter the cache; GET, LIST and every watch hand out the same bytes. An
event's JSON line is made when the first watcher asks for it, and kept for the others as long as one has the event waiting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

ADDED = "ADDED"
MODIFIED = "MODIFIED"
DELETED = "DELETED"
BOOKMARK = "BOOKMARK"

_NOTHING: Mapping[str, str] = {}


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One object: `data` is its final JSON. Treat it as read-only, labels and fields included.

    `broken` marks an object that cannot be read: it is in no list and no watch, and its `data` is what the storage holds; it
    can still be looked up by name and deleted at `revision`.
    """

    key: bytes
    namespace: str
    name: str
    revision: int
    data: bytes
    labels: Mapping[str, str] = _NOTHING
    fields: Mapping[str, str] = _NOTHING
    broken: bool = False


class WatchEvent:
    """What a watcher is told about one object. `revision` is that of the change, and the one inside `data`.

    `wire` is for the gRPC door, which keeps its own form of the event there.
    """

    __slots__ = ("_line", "data", "name", "namespace", "revision", "type", "wire")

    def __init__(self, type: str, entry: Entry, revision: int, data: bytes) -> None:
        self.type = type
        self.namespace = entry.namespace
        self.name = entry.name
        self.revision = revision
        self.data = data
        self.wire: bytes | None = None
        self._line: bytes | None = None

    @property
    def line(self) -> bytes:
        """The event as REST sends it: one line of JSON with its newline."""
        if self._line is None:
            self._line = b'{"type":"%b","object":%b}\n' % (self.type.encode(), self.data)
        return self._line

    def __repr__(self) -> str:
        return f"WatchEvent({self.type} {self.namespace}/{self.name} at {self.revision})"


class EventBatch:
    """Events in order, for one wake-up of a watcher.

    After it, a watcher has seen everything it selects up to `revision`, which it may resume after. While the initial state is
    being sent `revision` is 0: there is nothing to resume after before all of it is there. A `bookmark` has no events;
    `initial_events_end` marks the one that closes the initial state. `wire` is for the gRPC door, as in `WatchEvent`.
    """

    __slots__ = ("_payload", "bookmark", "events", "initial_events_end", "revision", "size_bytes", "wire")

    def __init__(
        self,
        events: Sequence[WatchEvent],
        revision: int,
        *,
        bookmark: bool = False,
        initial_events_end: bool = False,
    ) -> None:
        self.events = events
        self.revision = revision
        self.bookmark = bookmark
        self.initial_events_end = initial_events_end
        self.wire: bytes | None = None
        self.size_bytes = sum([len(event.data) for event in events])
        self._payload: bytes | None = None

    @property
    def payload(self) -> bytes:
        """The lines of all events, joined once for all watchers that share this batch."""
        if self._payload is None:
            events = self.events
            self._payload = events[0].line if len(events) == 1 else b"".join([event.line for event in events])
        return self._payload


class Transition:
    """One change of one object, from `old` to `new` (None: not there), and the events it may be seen as."""

    __slots__ = ("_added", "_deleted", "_modified", "new", "old", "revision")

    def __init__(self, old: Entry | None, new: Entry | None, revision: int) -> None:
        self.old = old
        self.new = new
        self.revision = revision
        self._added: WatchEvent | None = None
        self._modified: WatchEvent | None = None
        self._deleted: WatchEvent | None = None

    @property
    def either(self) -> Entry:
        """The object after the change, or before it when it is gone."""
        entry = self.new or self.old
        assert entry is not None
        return entry

    def seen(self, before: bool, after: bool) -> WatchEvent | None:
        """The event for a watcher that selects the object `before` and/or `after` the change."""
        if after:
            return self._as_modified() if before else self._as_added()
        return self._as_deleted() if before else None

    def release(self) -> None:
        """Forget the events: who still needs them has them, and the history need not keep their lines."""
        self._added = self._modified = self._deleted = None

    def _as_added(self) -> WatchEvent:
        if self._added is None:
            assert self.new is not None
            self._added = WatchEvent(ADDED, self.new, self.revision, self.new.data)
        return self._added

    def _as_modified(self) -> WatchEvent:
        if self._modified is None:
            assert self.new is not None
            self._modified = WatchEvent(MODIFIED, self.new, self.revision, self.new.data)
        return self._modified

    def _as_deleted(self) -> WatchEvent:
        """The last state the watcher selected, at the revision that ended it."""
        if self._deleted is None:
            assert self.old is not None
            data = restamp(self.old.data, self.old.revision, self.revision)
            self._deleted = WatchEvent(DELETED, self.old, self.revision, data)
        return self._deleted


def restamp(data: bytes, old_revision: int, revision: int) -> bytes:
    """An object's final JSON with another revision; its own comes before anything a user controls."""
    return data.replace(b'"resourceVersion":"%d"' % old_revision, b'"resourceVersion":"%d"' % revision, 1)
