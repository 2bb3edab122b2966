"""The managers of an object: entries of metadata.managedFields with their sets, and the rules that all writes share.

A manager is told apart by name, operation and subresource, and by API version unless it applies: an applier has one entry in
whatever version it speaks. An entry without fields does not exist. A manager that only updates is one of at most
MAX_UPDATE_MANAGERS; the oldest ones are united beyond that.
"""

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from apimachinery import codec, errors, times
from apimachinery.apply.elements import FIELD
from apimachinery.apply.fields import NO_FIELDS, FieldSet
from apimachinery.kinds.meta import ManagedFieldsEntry

APPLY = "Apply"
UPDATE = "Update"
FIELDS_TYPE = "FieldsV1"
MAX_UPDATE_MANAGERS = 10
ANCIENT = "ancient-changes"
BEFORE_FIRST_APPLY = "before-first-apply"
UNKNOWN_MANAGER = "unknown"

_UNOWNED_METADATA = (
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
)
NEVER_OWNED = FieldSet.decode(
    {
        "f:apiVersion": {},
        "f:kind": {},
        "f:metadata": {".": {}, **{FIELD + name: {} for name in _UNOWNED_METADATA}},
    }
)
"""Fields that identify an object or that the server keeps: no manager ever owns them."""


class Identity(NamedTuple):
    """What tells managers apart; `api_version` is empty for one that applies."""

    manager: str
    operation: str
    api_version: str
    subresource: str


@dataclass(frozen=True)
class Held:
    """What one manager holds: its fields, in the paths of `api_version`, and when it last wrote any of them.

    `source` is the entry that already spells out these fields.
    """

    fields: FieldSet
    api_version: str
    time: str | None
    source: ManagedFieldsEntry | None = None

    def with_fields(self, fields: FieldSet) -> "Held":
        return self if fields.tree is self.fields.tree else replace(self, fields=fields, source=None)


Table = dict[Identity, Held]


def identify(manager: str, operation: str, api_version: str, subresource: str) -> Identity:
    return Identity(manager or UNKNOWN_MANAGER, operation, "" if operation == APPLY else api_version, subresource)


def table_of(entries: Iterable[ManagedFieldsEntry]) -> Table:
    """The managers of stored entries, which are in normal spelling."""
    table: Table = {}
    for entry in entries:
        identity = Identity(
            entry.manager, entry.operation, "" if entry.operation == APPLY else entry.api_version, entry.subresource
        )
        table[identity] = Held(FieldSet(entry.fields_v1), entry.api_version, entry.time, entry)
    return table


def entries_of(table: Table) -> list[ManagedFieldsEntry]:
    """Entries to store: those of appliers first, each group oldest first."""
    entries = [_entry(identity, held) for identity, held in table.items() if held.fields]
    return sorted(entries, key=_place)


def _entry(identity: Identity, held: Held) -> ManagedFieldsEntry:
    if held.source is not None and held.source.time == held.time:
        return held.source
    if held.source is not None:
        renewed = copy(held.source)
        renewed.time = held.time
        return renewed
    return ManagedFieldsEntry(
        manager=identity.manager,
        operation=identity.operation,
        api_version=held.api_version,
        time=held.time,
        fields_type=FIELDS_TYPE,
        fields_v1=held.fields.encode(),
        subresource=identity.subresource,
    )


def _place(entry: ManagedFieldsEntry) -> tuple[str, float, str, str, str]:
    return entry.operation, _seconds(entry.time), entry.manager, entry.api_version, entry.subresource


@lru_cache(maxsize=1024)
def _seconds(time: str | None) -> float:
    return times.parse_time(time).timestamp() if time else 0.0


def capped(table: Table) -> Table:
    """At most MAX_UPDATE_MANAGERS that update: beyond it the oldest of each API version become one, `ancient-changes`."""
    updaters = [identity for identity in table if identity.operation == UPDATE]
    surplus = len(updaters) - MAX_UPDATE_MANAGERS
    if surplus <= 0:
        return table
    result = dict(table)
    first: dict[str, Identity] = {}
    for identity in sorted(updaters, key=lambda each: (_seconds(table[each].time), each)):
        if surplus <= 0:
            break
        held = table[identity]
        if held.api_version not in first:
            first[held.api_version] = identity
            continue
        bucket = Identity(ANCIENT, UPDATE, held.api_version, "")
        if bucket not in result:
            result[bucket] = replace(result.pop(first[held.api_version]), source=None)
        del result[identity]
        fields = held.fields.union(result[bucket].fields)
        result[bucket] = Held(fields, held.api_version, held.time)
        surplus -= 1
    return result


def given_managers(metadata: Any) -> list[ManagedFieldsEntry] | None:
    """What a client says of managers in the plain metadata of its object; None when it says nothing.

    Raises ApiError (400) for what are no entries.
    """
    plain = metadata.get("managedFields") if isinstance(metadata, dict) else None
    if plain is None:
        return None
    if not isinstance(plain, list):
        raise errors.bad_request("metadata.managedFields: expected a list")
    return [codec.convert(ManagedFieldsEntry, entry) for entry in plain]


def starting_managers(
    live: Sequence[ManagedFieldsEntry], given: Sequence[ManagedFieldsEntry] | None, subresource: str = ""
) -> list[ManagedFieldsEntry]:
    """The managers that a write starts from.

    A client may replace them (`given`), except through a subresource. An empty list, or one with a single empty entry, clears
    them; one that says nothing, or holds something malformed, leaves the live ones as they are.
    """
    if given is None or subresource:
        return list(live)
    if not given or list(given) == [ManagedFieldsEntry()]:
        return []
    if given is live or list(given) == list(live):
        return list(live)
    try:
        return [_normal_entry(entry, live) for entry in given]
    except ValueError:
        return list(live)


def _normal_entry(entry: ManagedFieldsEntry, live: Sequence[ManagedFieldsEntry]) -> ManagedFieldsEntry:
    if entry.operation not in (APPLY, UPDATE):
        raise ValueError(f"{entry.operation!r} is no operation of a field manager")
    # mostly a client sends back what it has got, and that is in normal spelling
    fields_v1 = next(
        (each.fields_v1 for each in live if each.fields_v1 is not None and each.fields_v1 == entry.fields_v1), None
    )
    if fields_v1 is None:
        fields_v1 = (FieldSet.decode(entry.fields_v1) if entry.fields_v1 is not None else NO_FIELDS).encode()
    return msgspec.structs.replace(entry, fields_type=FIELDS_TYPE, fields_v1=fields_v1)


def keep_times(before: Sequence[ManagedFieldsEntry], after: list[ManagedFieldsEntry]) -> list[ManagedFieldsEntry]:
    """`before` where `after` differs in nothing but times, so that a write that changes nothing else is no write.

    For a caller that has found the rest of the object unchanged (after defaulting, for instance).
    """
    fields = {_untimed(entry): entry.fields_v1 for entry in before}
    return list(before) if fields == {_untimed(entry): entry.fields_v1 for entry in after} else after


def _untimed(entry: ManagedFieldsEntry) -> Identity:
    return Identity(entry.manager, entry.operation, entry.api_version, entry.subresource)
