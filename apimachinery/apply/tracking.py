"""Ownership after a create, an update or a patch: what a write changes becomes the writer's, and nobody else's.

A write that changes nothing leaves every entry as it is, times included. An object that nobody is known to own (from before
ownership was tracked, or because a client cleared it) stays that way until someone applies to it.
"""

from collections.abc import Hashable, Mapping, Sequence
from copy import copy
from functools import lru_cache
from typing import Any

import msgspec

from apimachinery.apply.elements import FIELD
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
from apimachinery.apply.versions import Versions, changes_between, changes_by_version, known, lost, lost_in_versions
from apimachinery.apply.walking import Difference, bounded_depth, difference
from apimachinery.kinds.meta import ManagedFieldsEntry, ObjectMeta

_IDENTITY = ("apiVersion", "kind")
_OF_TEMPLATES = {"metadata", "spec"}
_NOTHING: tuple[Any, ...] = ("", [], {})
_REMEMBERED_MAX = 512
_REMEMBERED_BYTES_MAX = 16 << 10


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
    versions: Versions | None = None,
) -> list[ManagedFieldsEntry]:
    """metadata.managedFields after `manager` turned `before` (None: there was nothing) into `after`.

    Both are plain data or both Structs of one class, which is faster. `managers` are those that the write starts from
    (`starting_managers`); `ignored` are fields that this write cannot touch (`status_fields`); `now` is RFC 3339. Both objects
    are of `api_version`; `versions` are those of the kind, where they have paths of their own.
    """
    if before is not None and not managers:
        return []
    if before is None and not managers and isinstance(after, msgspec.Struct):
        given = _creation(shape, after, ignored)
        return entries_of({identify(manager, UPDATE, api_version, subresource): Held(given, api_version, now)})
    changes = changes_between(shape, before, after).excluding(ignored)
    taken = FieldSet(changes.changed).difference(NEVER_OWNED)
    if not taken and not changes.removed:
        return list(managers)
    identity = identify(manager, UPDATE, api_version, subresource)
    table, others = table_of(managers), Table()
    if versions is not None and before is not None:
        table = known(table, versions)
        others = {identity: held for identity, held in table.items() if versions.of(held.api_version) != api_version}
    if not others or versions is None:
        result = settled(table, identity, changes, taken, api_version, now)
        return list(managers) if result is None else entries_of(capped(result))
    mine = {identity: held for identity, held in table.items() if identity not in others}
    result = settled(mine, identity, changes, taken, api_version, now)
    foreign = changes_by_version(versions, before, after, {held.api_version for held in others.values()})
    return entries_of(capped({**lost_in_versions(others, foreign, versions), **(mine if result is None else result)}))


def first_managers(
    shape: Shape, live: Mapping[str, Any], *, now: str, api_version: str, ignored: FieldSet = NO_FIELDS
) -> list[ManagedFieldsEntry]:
    """The owner of everything in an object that has been there before anyone's ownership was known."""
    return track_update(None, live, (), BEFORE_FIRST_APPLY, shape=shape, now=now, api_version=api_version, ignored=ignored)


def settled(table: Table, writer: Identity, changes: Difference, taken: FieldSet, api_version: str, now: str) -> Table | None:
    """The managers after a write; None when it leaves all of them as they are."""
    held = table.get(writer)
    if not taken:
        result = lost(table, changes)
        return None if all(result.get(identity) is each for identity, each in table.items()) else result
    result = lost({identity: each for identity, each in table.items() if identity != writer}, changes)
    if held is None:
        result[writer] = Held(taken, api_version, now)
    elif taken.issubset(held.fields) and not held.fields.intersection(FieldSet(changes.removed)):
        result[writer] = Held(held.fields, held.api_version, now, held.source)
    else:
        left = lost({writer: held}, changes).get(writer)
        result[writer] = Held(left.fields.union(taken) if left else taken, api_version, now)
    return result


def _creation(shape: Shape, after: msgspec.Struct, ignored: FieldSet) -> FieldSet:
    """What a new object gives its creator.

    Many objects are made from one template: what their metadata and specification give is remembered by their encoded form,
    without names, times and what else nobody owns.
    """
    members: dict[str, Any] = {}
    for name, wire_name in zip(after.__struct_fields__, after.__struct_encode_fields__, strict=True):
        if wire_name not in _IDENTITY and ignored.tree.get(FIELD + wire_name) != {}:
            value = getattr(after, name)
            members[wire_name] = _ownable(value) if isinstance(value, ObjectMeta) else value
    encoded = msgspec.json.encode(members)
    if len(encoded) > _REMEMBERED_BYTES_MAX or not members.keys() <= _OF_TEMPLATES or not isinstance(shape, Hashable):
        return _given(shape, encoded)
    return _remembered(shape, encoded)


def _ownable(metadata: ObjectMeta) -> ObjectMeta:
    """Metadata without what tells the objects of one template apart."""
    rest = copy(metadata)
    rest.name = rest.namespace = rest.uid = rest.resource_version = rest.self_link = ""
    rest.creation_timestamp = rest.generation = None
    rest.managed_fields = []
    return rest


def _given(shape: Any, encoded: bytes) -> FieldSet:
    """The fields of some members of an object that are not in a blank one."""
    members = msgspec.json.decode(encoded)
    before = {name: value for name, value in shape.blank.items() if name in members}
    after = {
        name: value for name, value in members.items() if value is not None and (name in shape.blank or value not in _NOTHING)
    }
    return FieldSet(difference(shape, before, after).changed).difference(NEVER_OWNED)


_remembered = lru_cache(maxsize=_REMEMBERED_MAX)(_given)
