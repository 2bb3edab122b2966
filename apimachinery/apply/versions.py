"""Objects that are served in several versions: the fields of each manager are paths in the version that it has written in.

What a write changes is therefore looked for once in each of these versions, in the object as that version shows it; so a field
that two versions spell differently has the same owners in both. Most objects have one version, and then nothing is converted.
Source: the Kubernetes page "Server-Side Apply"; how managers of other versions are treated is what Kubernetes does.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import msgspec

from apimachinery.apply import merging
from apimachinery.apply.fields import NO_FIELDS, FieldSet
from apimachinery.apply.managers import NEVER_OWNED, Held, Table
from apimachinery.apply.shapes import Shape
from apimachinery.apply.structs import struct_difference
from apimachinery.apply.walking import Difference, difference, places_of

ByVersion = Mapping[str, FieldSet]
"""Fields by the version whose paths they are."""


class Versions(Protocol):
    """The versions of one kind."""

    def of(self, api_version: str) -> str:
        """The version whose paths an entry that names this one holds."""
        ...

    def shape(self, api_version: str) -> Shape | None:
        """None for a version that is not served any more: what its managers held is nobody's."""
        ...

    def shown(self, obj: Any, api_version: str) -> Any:
        """An object of any of the versions, plain or a Struct, in this one; raises ApiError (400) where that cannot be."""
        ...


class OneVersion:
    """Versions of a kind that has one, or whose versions all have the same paths."""

    def __init__(self, api_version: str, shape: Shape) -> None:
        self._api_version = api_version
        self._shape = shape

    def of(self, api_version: str) -> str:
        return self._api_version

    def shape(self, api_version: str) -> Shape:
        return self._shape

    def shown(self, obj: Any, api_version: str) -> Any:
        return obj


def known(table: Table, versions: Versions) -> Table:
    """The managers whose version is still served."""
    return {identity: held for identity, held in table.items() if versions.shape(versions.of(held.api_version)) is not None}


def united(holders: Iterable[Held], versions: Versions) -> dict[str, FieldSet]:
    """What somebody holds, by version."""
    found: dict[str, FieldSet] = {}
    for held in holders:
        version = versions.of(held.api_version)
        found[version] = found.get(version, NO_FIELDS).union(held.fields)
    return found


def without(
    after: dict[str, Any],
    given_up: ByVersion,
    owned: ByVersion,
    api_version: str,
    versions: Versions,
    *,
    kept: FieldSet,
    places: Callable[[], FieldSet],
) -> dict[str, Any]:
    """An object of `api_version` without the fields that were given up and that nobody owns in any version.

    kept, places: what stays although nobody owns it, in all versions and in `api_version`; the latter is only asked for if
    anything has to go.
    """
    for version, fields in given_up.items():
        stays = NEVER_OWNED.union(kept).union(owned.get(version, NO_FIELDS))
        if not fields.difference(stays):
            continue
        if version == api_version:
            stays = stays.union(places())
        before = versions.shown(after, version)
        less = merging.removed(_shape(versions, version), before, fields.difference(NEVER_OWNED).tree, stays.tree)
        for other, theirs in owned.items():
            if other != version:
                less = _with_owned(before, less, other, theirs, version, versions)
        after = versions.shown(less, api_version)
    return after


def lost(table: Table, changes: Difference) -> Table:
    """The managers, each without what has changed or gone; those left with nothing are gone too."""
    changed, removed = FieldSet(changes.changed), FieldSet(changes.removed)
    result: Table = {}
    for identity, held in table.items():
        fields = held.fields
        for gone in (changed, removed):
            fields = fields.difference(gone)
        if fields:
            result[identity] = held.with_fields(fields)
    return result


def changes_by_version(versions: Versions, before: Any, after: Any, wanted: Iterable[str]) -> dict[str, Difference]:
    """What differs between two objects, as each of some versions shows them."""
    return {
        each: changes_between(_shape(versions, each), versions.shown(before, each), versions.shown(after, each))
        for each in wanted
    }


def lost_in_versions(table: Table, changes: Mapping[str, Difference], versions: Versions) -> Table:
    """The managers, each without what has changed or gone in its version; those left with nothing are gone too."""
    result: Table = {}
    for identity, held in table.items():
        result |= lost({identity: held}, changes[versions.of(held.api_version)])
    return result


def changes_between(
    shape: Shape,
    before: Mapping[str, Any] | msgspec.Struct | None,
    after: Mapping[str, Any] | msgspec.Struct,
) -> Difference:
    """What differs between two objects of one version (None: there was nothing)."""
    if isinstance(after, msgspec.Struct):
        if isinstance(before, msgspec.Struct):
            return struct_difference(before, after)
        after = msgspec.to_builtins(after)
    return difference(shape, shape.blank if before is None else before, after)


def _with_owned(
    before: dict[str, Any], less: dict[str, Any], other: str, theirs: FieldSet, version: str, versions: Versions
) -> dict[str, Any]:
    """`less`, which was taken out of `before`, with what somebody owns by its paths in another version."""
    shape, whole, left = _shape(versions, other), versions.shown(before, other), versions.shown(less, other)
    changes = difference(shape, whole, left)
    if not any(theirs.intersection(FieldSet(each)) for each in (changes.changed, changes.removed)):
        return less
    owned = merging.removed(shape, whole, places_of(shape, whole).tree, theirs.tree)
    restored: dict[str, Any] = versions.shown(merging.merged(shape, left, owned), version)
    return restored


def _shape(versions: Versions, version: str) -> Shape:
    shape = versions.shape(version)
    assert shape is not None, "managers of versions that are not served have been left out"
    return shape
