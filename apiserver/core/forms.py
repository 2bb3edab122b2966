"""One stored object in several forms: what becomes of a request, and of its answer, when its row shows what another one stores.

The chain settles a request on the stored row before anything else looks at it, with the form noted in it. Bodies are converted
where they are decoded; a patch is applied to the form that its author sees; answers are converted on their way to the door
(`registry.forms`), so lists and watches of the stored form stay as cheap as they are. The conversions themselves are the
resource table's.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from apimachinery import codec, errors, fields
from apimachinery.errors import ApiError
from apimachinery.fields import FieldSelectorError
from apimachinery.kinds.object import Object
from apimachinery.resources import Resource
from apiserver.core.request import Request


def settle(request: Request) -> Request:
    """The request on the row that stores its objects; raises ApiError (400) for a field that the form cannot be selected by."""
    conversion = request.resource.conversion
    if conversion is None:
        return request
    options = request.options
    if options.field_selector and conversion.field_names:
        options = msgspec.structs.replace(
            options, field_selector=_renamed(options.field_selector, dict(conversion.field_names))
        )
    return msgspec.structs.replace(request, resource=conversion.stored, form=request.resource, options=options)


def to_stored(row: Resource, obj: Object) -> Object:
    """An object of the row as it is stored; raises ApiError (400) for one that cannot be stored."""
    return obj if row.conversion is None else _object(row.conversion.to_stored(obj))


def as_shown(row: Resource, plain: Any, author: str) -> Any:
    """What `author` (a patch, a webhook) has made of an object that the row showed; raises ApiError (400)."""
    made = codec.convert(row.cls, plain)
    if (made.kind, made.api_version) != (row.kind, row.api_version):
        raise errors.bad_request(f"{author} cannot change kind and apiVersion")
    return made


def from_plain(row: Resource, plain: Any, author: str) -> Any:
    """The same as it is stored."""
    return to_stored(row, as_shown(row, plain, author))


def in_form(row: Resource, obj: Object) -> Object:
    """A stored object as the row shows it."""
    return obj if row.conversion is None else _object(row.conversion.from_stored(obj))


def shown(row: Resource, data: bytes) -> bytes:
    """A stored object's JSON as the row shows it; raises ApiError (500) for what is no such object."""
    if row.conversion is None:
        return data
    try:
        return codec.encode(in_form(row, codec.decode(row.conversion.stored.cls, data)))
    except ApiError as error:
        raise errors.internal(f"a stored object cannot be shown as {row.api_version}: {error}") from error


def _renamed(selector: str, names: Mapping[str, str]) -> str:
    try:
        requirements = fields.parse(selector).requirements
    except FieldSelectorError as error:
        raise errors.bad_request(str(error)) from error
    terms = []
    for each in requirements:
        if each.path not in names:
            raise errors.bad_request(f'field label not supported: "{each.path}"')
        value = re.sub(r"([\\,=])", r"\\\1", each.value)
        terms.append(f"{names[each.path]}{'!=' if each.negated else '='}{value}")
    return ",".join(terms)


def _object(converted: object) -> Object:
    assert isinstance(converted, Object)
    return converted
