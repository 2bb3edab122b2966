"""Lists: what a page is, and how a page is cut from a snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec

from apiserver.cache.events import Entry
from apiserver.cache.selection import Selection

NEWEST = -1
"""As the revision of a continuation: not that of the pages before, which is gone, but what is there now."""


class Continuation(NamedTuple):
    """Where a list goes on: the snapshot at exactly `revision`, after the key `start_after` (b"" for its beginning)."""

    revision: int
    start_after: bytes = b""


class Listing(msgspec.Struct, frozen=True):
    """A page of the snapshot at `revision`, in key order.

    `continuation` leads to the next page, None when this is the last. `remaining` counts what the later pages hold, where
    that is known: not for selections by label or field.
    """

    items: Sequence[Entry]
    revision: int
    continuation: Continuation | None = None
    remaining: int | None = None


def page(view: Sequence[Entry], revision: int, selection: Selection, *, limit: int = 0, start_after: bytes = b"") -> Listing:
    """At most `limit` (0: all) of the selected objects in `view`, a whole namespace or resource in key order."""
    first = _position_after(view, start_after) if start_after else 0
    if selection.total:
        items = view[first : first + limit] if limit else view[first:]
        left = len(view) - first - len(items)
        following = Continuation(revision, items[-1].key) if left else None
        return Listing(items, revision, following, left if left else None)
    found = _selected(view[first:], selection)
    selected = list(islice(found, limit) if limit else found)
    more = limit and next(found, None) is not None
    return Listing(selected, revision, Continuation(revision, selected[-1].key) if more else None)


def _selected(view: Sequence[Entry], selection: Selection) -> Iterator[Entry]:
    """What `Selection.selects` says, without asking again what is true of a whole view: its namespace, nothing broken."""
    predicate, exact = selection.predicate, selection.exact
    if exact is not None:
        field, value = exact
        view = [entry for entry in view if entry.fields.get(field, "") == value]
    if predicate is None:
        return iter(view)
    if selection.label is not None:
        key, value = selection.label
        view = [entry for entry in view if entry.labels.get(key) == value]
    return (entry for entry in view if predicate(entry.labels, entry.fields))


def _position_after(view: Sequence[Entry], key: bytes) -> int:
    low, high = 0, len(view)
    while low < high:
        middle = (low + high) // 2
        if view[middle].key <= key:
            low = middle + 1
        else:
            high = middle
    return low
