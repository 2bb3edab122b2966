"""Ownership after a create, an update or a patch: what a write changes becomes the writer's, and nobody else's.

A write that changes nothing leaves every entry as it is, times included. An object that nobody is known to own (from before
ownership was tracked, or because a client cleared it) stays that way until someone applies to it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from apimachinery.apply.fields import NO_FIELDS, FieldSet
from apimachinery.apply.managers import (
    BEFORE_FIRST_APPLY,
    NEVER_OWNED,
    UPDATE,
    Held,
    Identity,
    Table,
    capped,
    entries_of,
    identify,
    table_of,
)
from apimachinery.apply.shapes import Shape
from apimachinery.apply.walking import Difference, bounded_depth, difference, differing
from apimachinery.kinds.meta import ManagedFieldsEntry


@bounded_depth
def track_update(
    before: Mapping[str, Any] | msgspec.Struct | None,
    after: Mapping[str, Any] | msgspec.Struct,
    managers: Sequence[ManagedFieldsEntry],
    manager: str,
    *,
    shape: Shape,
    now: str,
    api_version: str,
    subresource: str = "",
    ignored: FieldSet = NO_FIELDS,
) -> list[ManagedFieldsEntry]:
    """metadata.managedFields after `manager` turned `before` (None: there was nothing) into `after`.

    Both are plain data or both Structs of one class, which is faster. `managers` are those that the write starts from
    (`starting_managers`); `ignored` are fields that this write cannot touch (`status_fields`); `now` is RFC 3339.
    """
    if before is not None and not managers:
        return []
    changes = _changes(shape, before, after).excluding(ignored)
    taken = FieldSet(changes.changed).difference(NEVER_OWNED)
    if not taken and not changes.removed:
        return list(managers)
    identity = identify(manager, UPDATE, api_version, subresource)
    table = settled(table_of(managers), identity, changes, taken, api_version, now)
    return list(managers) if table is None else entries_of(capped(table))


def first_managers(shape: Shape, live: Mapping[str, Any], *, now: str, api_version: str) -> list[ManagedFieldsEntry]:
    """The owner of everything in an object that has been there before anyone's ownership was known."""
    return track_update(None, live, (), BEFORE_FIRST_APPLY, shape=shape, now=now, api_version=api_version)


def settled(table: Table, writer: Identity, changes: Difference, taken: FieldSet, api_version: str, now: str) -> Table | None:
    """The managers after a write; None when it leaves all of them as they are."""
    result = lost(table, changes)
    if taken:
        held = table.get(writer)
        if held is None:
            result[writer] = Held(taken, api_version, now)
        elif not taken.difference(held.fields) and not held.fields.intersection(FieldSet(changes.removed)):
            result[writer] = replace(held, time=now)
        else:
            left = result.get(writer)
            result[writer] = Held(left.fields.union(taken) if left else taken, api_version, now)
    elif all(result.get(identity) is held for identity, held in table.items()):
        return None
    return result


def lost(table: Table, changes: Difference) -> Table:
    """The managers, each without what has changed or gone; those left with nothing are gone too."""
    changed, removed = FieldSet(changes.changed), FieldSet(changes.removed)
    result: Table = {}
    for identity, held in table.items():
        fields = held.fields
        for gone in (changed, removed):
            if fields.intersection(gone):
                fields = fields.difference(gone)
        if fields:
            result[identity] = held.with_fields(fields)
    return result


def _changes(
    shape: Shape, before: Mapping[str, Any] | msgspec.Struct | None, after: Mapping[str, Any] | msgspec.Struct
) -> Difference:
    if isinstance(after, msgspec.Struct):
        if isinstance(before, msgspec.Struct):
            old, new = differing(before, after)
            return difference(shape, old, new)
        after = msgspec.to_builtins(after)
    return difference(shape, shape.blank if before is None else before, after)
