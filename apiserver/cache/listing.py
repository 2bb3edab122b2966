"""Lists: what a page is, and how a page is cut from a snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from apiserver.cache.events import Entry
from apiserver.cache.selection import Selection


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
    selected: list[Entry] = []
    selects = selection.selects
    for position in range(first, len(view)):
        entry = view[position]
        if selects(entry):
            if limit and len(selected) == limit:
                return Listing(selected, revision, Continuation(revision, selected[-1].key))
            selected.append(entry)
    return Listing(selected, revision)


def _position_after(view: Sequence[Entry], key: bytes) -> int:
    low, high = 0, len(view)
    while low < high:
        middle = (low + high) // 2
        if view[middle].key <= key:
            low = middle + 1
        else:
            high = middle
    return low
