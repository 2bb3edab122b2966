"""The objects of one resource as of one revision, and the recent changes that led there. Pure: no waiting, no I/O.

Model. Objects lie in one shelf for each namespace, because most reads name one. A shelf's order is made when somebody lists it
and kept until a key comes or goes; an update keeps it. Changes go into a history of at most `history_limit` transitions and
`history_bytes_max` bytes, which serves watches that resume, and snapshots of the recent past by undoing what came after.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from apimachinery.codec import splice_revision
from apiserver.cache.events import Entry, Transition
from apiserver.storage.port import Change, ChangeType, KeyValue

log = logging.getLogger(__name__)

Index = Callable[[bytes], tuple[Mapping[str, str], Mapping[str, str]]]
"""Stored bytes -> (labels, selectable fields). May raise anything for bytes that are no such object."""

_PLACEHOLDER = b'"resourceVersion":""'


class _Shelf:
    """The objects of one namespace."""

    __slots__ = ("_keys", "_sorted", "_view", "entries")

    def __init__(self) -> None:
        self.entries: dict[bytes, Entry] = {}
        self._keys: list[bytes] = []
        self._sorted = True
        self._view: Sequence[Entry] | None = None

    def put(self, entry: Entry) -> None:
        if entry.key not in self.entries:
            self._keys.append(entry.key)
            self._sorted = False
        self.entries[entry.key] = entry
        self._view = None

    def drop(self, key: bytes) -> None:
        del self.entries[key]
        # The key stays in the list, or comes back and stands there twice; the next sort sees to that, or, when nobody
        # ever lists, this:
        if len(self._keys) > 2 * len(self.entries) + 64:
            self._keys = list(self.entries)
        self._sorted = False
        self._view = None

    def view(self) -> Sequence[Entry]:
        """The readable objects in key order; shared, not to be changed."""
        if self._view is None:
            if not self._sorted:
                self._keys.sort()
                self._keys = [key for key in dict.fromkeys(self._keys) if key in self.entries]
                self._sorted = True
            entries = self.entries
            self._view = tuple([entry for key in self._keys if not (entry := entries[key]).broken])
        return self._view


class State:
    """The objects under `prefix` as of `revision`; the changes after `floor` are remembered.

    `changes` grows whenever the objects become others, and only then: what is derived from them is good as long as it stays.
    """

    def __init__(self, prefix: bytes, index: Index, *, history_limit: int, history_bytes_max: int) -> None:
        self.revision = 0
        self.floor = 0
        self.changes = 0
        self._prefix = prefix
        self._index = index
        self._history_limit = history_limit
        self._history_bytes_max = history_bytes_max
        self._history_bytes = 0
        self._history: deque[Transition] = deque()
        self._shelves: dict[str, _Shelf] = {}
        self._whole: Sequence[Entry] | None = None

    def replace(self, items: Iterable[KeyValue], revision: int) -> None:
        """Start again from a snapshot; the history is forgotten."""
        self._shelves = {}
        for item in items:
            entry = self.entry(item.key, item.value, item.mod_revision)
            self._shelf(entry.namespace).put(entry)
        self._history.clear()
        self._history_bytes = 0
        self._whole = None
        self.changes += 1
        self.revision = self.floor = revision

    def apply(self, changes: Iterable[Change], revision: int) -> Sequence[Transition]:
        """Take over changes in order; afterwards the state is that of `revision`."""
        transitions = [self._take(change) for change in changes]
        if transitions:
            self.changes += 1
            self._whole = None
            self._history.extend(transitions)
            self._history_bytes += sum([len(transition.either.data) for transition in transitions])
        self.revision = max(self.revision, revision)
        self._trim()
        return transitions

    def get(self, namespace: str, name: str) -> Entry | None:
        """An object by name; it may be broken."""
        shelf = self._shelves.get(namespace)
        return shelf.entries.get(self._key(namespace, name)) if shelf else None

    def view(self, namespace: str) -> Sequence[Entry]:
        """The readable objects of a namespace, or of all (""), in key order; shared, not to be changed."""
        if namespace:
            shelf = self._shelves.get(namespace)
            return shelf.view() if shelf else ()
        if self._whole is None:
            # Keys order as namespace + "/" does, which is not how the bare names order.
            ordered = sorted(self._shelves, key=lambda each: each.encode() + b"/")
            parts = [self._shelves[each].view() for each in ordered]
            self._whole = parts[0] if len(parts) == 1 else tuple([entry for part in parts for entry in part])
        return self._whole

    def view_at(self, namespace: str, revision: int) -> Sequence[Entry]:
        """The readable objects as of a `revision` in [`floor`, `self.revision`], in key order."""
        undone: dict[bytes, Entry | None] = {}
        for transition in reversed(self._history):
            if transition.revision <= revision:
                break
            entry = transition.either
            if not namespace or entry.namespace == namespace:
                undone[entry.key] = transition.old
        if not undone:
            return self.view(namespace)
        entries = {entry.key: entry for entry in self.view(namespace)}
        for key, old in undone.items():
            if old is None or old.broken:
                entries.pop(key, None)
            else:
                entries[key] = old
        return tuple([entries[key] for key in sorted(entries)])

    def after(self, revision: int) -> Sequence[Transition]:
        """The remembered changes after a `revision` that is at least `floor`."""
        found = []
        for transition in reversed(self._history):
            if transition.revision <= revision:
                break
            found.append(transition)
        found.reverse()
        return found

    def entry(self, key: bytes, value: bytes, revision: int, *, known_broken: bool = False) -> Entry:
        """A stored object in its cached form. What cannot be read must not stop the rest: it becomes a broken entry."""
        namespace, name = self._names(key)
        try:
            if _PLACEHOLDER not in value:
                raise ValueError("the object has no place for its revision")
            labels, fields = self._index(value)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one object, the others are served
            if not known_broken:
                log.warning(
                    "object in storage cannot be read; it is left out and can be deleted",
                    extra={"key": key.decode(errors="replace"), "revision": revision, "error": repr(error)},
                )
            return Entry(key, namespace, name, revision, value, broken=True)
        return Entry(key, namespace, name, revision, splice_revision(value, revision), labels, fields)

    def _take(self, change: Change) -> Transition:
        namespace, _ = self._names(change.key)
        shelf = self._shelf(namespace)
        old = shelf.entries.get(change.key)
        if change.type is ChangeType.PUT:
            known_broken = old is not None and old.broken
            new = self.entry(change.key, change.value, change.mod_revision, known_broken=known_broken)
            shelf.put(new)
            return Transition(old, new, change.mod_revision)
        if old is None:
            raise ValueError(f"deletion of {change.key!r} at {change.mod_revision}, which was never there")
        shelf.drop(change.key)
        if not shelf.entries:
            del self._shelves[namespace]
        return Transition(old, None, change.mod_revision)

    def _trim(self) -> None:
        history = self._history
        while history and (len(history) > self._history_limit or self._history_bytes > self._history_bytes_max):
            oldest = history.popleft()
            self._history_bytes -= len(oldest.either.data)
            self.floor = oldest.revision

    def _shelf(self, namespace: str) -> _Shelf:
        shelf = self._shelves.get(namespace)
        if shelf is None:
            shelf = self._shelves[namespace] = _Shelf()
        return shelf

    def _names(self, key: bytes) -> tuple[str, str]:
        namespace, separator, name = key[len(self._prefix) :].decode(errors="replace").partition("/")
        return (namespace, name) if separator else ("", namespace)

    def _key(self, namespace: str, name: str) -> bytes:
        below = f"{namespace}/{name}" if namespace else name
        return self._prefix + below.encode()
