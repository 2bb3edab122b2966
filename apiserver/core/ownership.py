"""Who owns which fields after a write: where the write path meets `apimachinery.apply`.

A create is tracked once the object has its defaults and before admission adds anything; an update once the parts that it cannot
touch are the stored ones again, and before addresses and ports are reserved. What the server adds after that is nobody's.
Binding and deletion are the server's own changes and are not tracked.

A manager's name is what the request gives as fieldManager, else what the client calls itself (its User-Agent's first part; over
gRPC its user).
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from apimachinery import apply, codec
from apimachinery.apply import FieldSet, Shape
from apimachinery.kinds.custom import Custom
from apimachinery.kinds.meta import ManagedFieldsEntry
from apimachinery.kinds.object import Object
from apimachinery.resources import TABLE, Resource
from apiserver.core import forms
from apiserver.core.bodies import as_json
from apiserver.core.custom import CustomResource
from apiserver.core.request import Request
from apiserver.core.spelling import spelled

MANAGER_BYTES_MAX = 128
_MENTION = b"managedFields"

Entries = list[ManagedFieldsEntry]


def manager_of_agent(agent: str) -> str:
    """What a client that names no field manager is called: the part before the first slash, without what cannot be printed."""
    name = agent.partition("/")[0]
    if not name.isprintable():
        name = "".join(filter(str.isprintable, name))
    while len(name.encode()) > MANAGER_BYTES_MAX:
        name = name[:-1]
    return name


def created(request: Request, obj: Object, now: str) -> Entries:
    """The managers of a new object, which may come with some of its own."""
    row = spoken(request)
    return apply.track_update(
        None,
        _comparable(row, obj),
        apply.starting_managers((), obj.metadata.managed_fields or None),
        request.manager,
        shape=shape_of(row),
        now=now,
        api_version=row.api_version,
        ignored=_untouched(row),
    )


def updated(request: Request, new: Object, old: Object, given: Sequence[ManagedFieldsEntry] | None, now: str) -> Entries:
    """The managers after an update from `old` to `new`; `given` is what the client says of them, None if nothing.

    The very list of `old` when nothing about them changes.
    """
    before = old.metadata.managed_fields
    start = before if given is None else apply.starting_managers(before, given, request.subresource)
    row = spoken(request)
    after = apply.track_update(
        _comparable(row, old),
        _comparable(row, new),
        start,
        request.manager,
        shape=shape_of(row),
        now=now,
        api_version=row.api_version,
        subresource=request.subresource,
        ignored=_untouched(row, request.subresource),
        versions=FORMS.get(request.resource),
    )
    return before if after == before else after


def applied(
    request: Request, live: dict[str, Any] | None, wanted: dict[str, Any], managers: Sequence[ManagedFieldsEntry], now: str
) -> apply.Applied:
    """A server-side apply of `wanted` on plain data, both as the request speaks; raises ApplyConflict (409), ApiError (400)."""
    row = spoken(request)
    return apply.apply(
        live,
        wanted if isinstance(row, CustomResource) else spelled(row.cls, wanted),
        managers,
        manager=request.manager,
        shape=shape_of(row),
        now=now,
        api_version=row.api_version,
        force=bool(request.options.force),
        subresource=request.subresource,
        ignored=_untouched(row, request.subresource),
        versions=FORMS.get(request.resource),
    )


class Forms:
    """The versions of a kind that is shown in several forms (`core.forms`); see `apply.Versions`."""

    def __init__(self, rows: Sequence[Resource]) -> None:
        self._rows = {row.api_version: row for row in rows}

    def of(self, api_version: str) -> str:
        return api_version

    def shape(self, api_version: str) -> Shape | None:
        row = self._rows.get(api_version)
        return None if row is None else shape_of(row)

    def shown(self, obj: Any, api_version: str) -> Any:
        """See `apply.Versions`; what is in that version already stays as it is."""
        is_object = isinstance(obj, Object)
        given = obj.api_version if is_object else obj.get("apiVersion")
        if given == api_version:
            return obj
        row = self._rows[given]
        found = forms.in_form(self._rows[api_version], forms.to_stored(row, obj if is_object else codec.convert(row.cls, obj)))
        return found if is_object else codec.to_plain(found)


FORMS = {
    stored: Forms([stored, *(row for row in TABLE.rows if row.conversion is not None and row.conversion.stored is stored)])
    for stored in {row.stored_as for row in TABLE.rows if row.conversion is not None}
}
"""The kinds that are shown in several forms, by the row that stores them."""


def spoken(request: Request) -> Resource:
    """The row in whose version a request speaks of objects."""
    return request.form or request.resource


def is_applied(entries: Sequence[ManagedFieldsEntry]) -> bool:
    """Whether anything is owned by virtue of a configuration."""
    return any(entry.operation == apply.APPLY for entry in entries)


def given_in_body(request: Request, incoming: Object) -> Entries | None:
    """What the object in a body says of managers: None for nothing, which an empty list is not."""
    if incoming.metadata.managed_fields:
        return incoming.metadata.managed_fields
    if _MENTION not in request.body:
        return None
    body, _ = as_json(request.body, request.content_type)
    return apply.given_managers(msgspec.json.decode(body, type=_OnlyMetadata).metadata)


def without_managers(plain: Any) -> tuple[Any, Any]:
    """An object's plain data without metadata.managedFields, and those, None if there are none."""
    metadata = plain.get("metadata") if isinstance(plain, dict) else None
    if not isinstance(metadata, dict) or "managedFields" not in metadata:
        return plain, None
    rest = {key: value for key, value in metadata.items() if key != "managedFields"}
    return {**plain, "metadata": rest}, metadata["managedFields"]


def given_in_patched(plain: Any) -> tuple[Any, Entries | None]:
    """A patched object's plain data without its managers, and what the patch has made of those; raises ApiError (400)."""
    rest, managers = without_managers(plain)
    return rest, apply.given_managers({"managedFields": managers}) if managers is not None else None


def is_mentioned(patch: bytes) -> bool:
    """Whether a patch can be about managers."""
    return _MENTION in patch


def shape_of(resource: Resource) -> Shape:
    """How the lists and maps of a kind are owned: by its class, or by its schema."""
    return resource.ownership if isinstance(resource, CustomResource) else apply.shape_of(resource.cls)


def _untouched(resource: Resource, subresource: str = "") -> FieldSet:
    return resource.untouched(subresource) if isinstance(resource, CustomResource) else apply.status_fields(subresource)


def _comparable(row: Resource, obj: Object) -> Any:
    """A stored object in the version of a row.

    Structs are compared as they are; objects of custom resources as plain data, which is what they are made of.
    """
    return codec.to_plain(obj) if isinstance(obj, Custom) else forms.in_form(row, obj)


class _OnlyMetadata(msgspec.Struct):
    metadata: dict[str, Any] = {}
