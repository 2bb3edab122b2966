"""A class of the object model as an OpenAPI schema: types, formats, references and the `x-kubernetes-*` marks of merging.

Names are Kubernetes' own (`io.k8s.api.apps.v1.Deployment`), since clients look types up by them. They follow from the first
line of a class's docstring, which names its type (`apps/v1.Deployment`); what stands below that line is the description.
OpenAPI 2 and 3 differ in where definitions are and in how a value of two types is put: a `Dialect` says how.
"""

import re
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from inspect import cleandoc
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin, get_type_hints

import msgspec

from apimachinery.apply.shapes import ATOMIC_TYPES
from apimachinery.kinds.base import Merge, MicroTime, required_list, required_map
from apiserver.openapi.required import ALSO_REQUIRED, WRITTEN_YET_OPTIONAL

Schema: TypeAlias = dict[str, Any]

META = "io.k8s.apimachinery.pkg.apis.meta.v1"
PATCH = f"{META}.Patch"
_TIME, _MICRO_TIME = f"{META}.Time", f"{META}.MicroTime"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"

_TYPE = re.compile(r"([a-z]+)/(v\w+)\.(\w+)")
_PACKAGES = {
    "meta": "io.k8s.apimachinery.pkg.apis.meta",
    "apiextensions": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions",
    "apiregistration": "io.k8s.kube-aggregator.pkg.apis.apiregistration",
}

_BYTES = frozenset(
    (
        ("APIServiceSpec", "caBundle"),
        ("CertificateSigningRequestSpec", "request"),
        ("CertificateSigningRequestStatus", "certificate"),
        ("ConfigMap", "binaryData"),
        ("Secret", "data"),
        ("WebhookClientConfig", "caBundle"),
    )
)
"""Fields whose strings are base64."""

_ANYTHING: Mapping[tuple[str, str], Schema] = {
    ("JSONSchemaProps", "default"): {},
    ("JSONSchemaProps", "enum"): {"type": "array", "items": {}},
    ("JSONSchemaProps", "example"): {},
}
"""Fields whose JSON need not be an object."""

_API_VERSION_TEXT = "The version of the API that the object is written for."
_KIND_TEXT = "What kind of object this is."

_WRITTEN = (str, int, bool, float, required_list, required_map)


@dataclass(frozen=True)
class Dialect:
    """What OpenAPI 2 and 3 put differently."""

    definitions: str
    int_or_string: Mapping[str, Any]
    quantity: Mapping[str, Any]
    marks_beside_references: bool

    def reference(self, name: str) -> Schema:
        return {"$ref": f"{self.definitions}{name}"}


V2 = Dialect("#/definitions/", {"type": "string", "format": "int-or-string"}, {"type": "string"}, True)
V3 = Dialect(
    "#/components/schemas/",
    {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
    {"oneOf": [{"type": "string"}, {"type": "number"}]},
    False,
)


def type_name(cls: type[msgspec.Struct]) -> str:
    """The type that a class states, by the first line of its docstring: `core/v1.Pod`."""
    return (cls.__doc__ or "").strip().partition("\n")[0]


@cache
def schema_name(cls: type[msgspec.Struct]) -> str:
    """`io.k8s.api.core.v1.Pod`; a name of our own for a class whose docstring names no type."""
    named = _TYPE.fullmatch(type_name(cls))
    if named is None:
        return f"coxswain.{cls.__module__.rpartition('.')[2]}.{cls.__name__}"
    group, version, name = named.groups()
    return f"{_PACKAGES.get(group, f'io.k8s.api.{group}')}.{version}.{name}"


def description_of(cls: type[msgspec.Struct]) -> str:
    """What the docstring says below its first line."""
    return " ".join(cleandoc(cls.__doc__ or "").partition("\n")[2].split())


def group_version_kind(cls: type[msgspec.Struct]) -> tuple[str, str, str] | None:
    """The group, version and kind that objects of the class carry; None for what is no whole object."""
    constants = {}
    for field in msgspec.structs.fields(cls):
        if field.encode_name in ("apiVersion", "kind") and callable(field.default_factory):
            constants[field.encode_name] = field.default_factory()
    api_version, kind = constants.get("apiVersion", ""), constants.get("kind", "")
    if not api_version or not kind:
        return None
    group, _, version = api_version.rpartition("/")
    return group, version, kind


def gvk_mark(group: str, version: str, kind: str) -> dict[str, str]:
    """One value of `x-kubernetes-group-version-kind`."""
    return {"group": group, "kind": kind, "version": version}


def reachable(classes: Iterable[type[msgspec.Struct]]) -> list[type[msgspec.Struct]]:
    """The classes and all that their fields hold, each once."""
    found: dict[type[msgspec.Struct], None] = {}
    waiting = list(classes)
    while waiting:
        cls = waiting.pop()
        if cls not in found:
            found[cls] = None
            waiting.extend(part for hint in _hints(cls).values() for part in _classes(hint))
    return list(found)


def definitions(classes: Iterable[type[msgspec.Struct]], dialect: Dialect) -> dict[str, Schema]:
    """The schemas of the classes and of all that they refer to, by name and in its order."""
    found = {schema_name(cls): struct_schema(cls, dialect) for cls in reachable(classes)}
    found[PATCH] = {"type": "object", "description": "A change to an object, in one of the forms that its media type names."}
    found[_TIME] = found[_MICRO_TIME] = {"type": "string", "format": "date-time"}
    found[_QUANTITY] = dict(dialect.quantity)
    found[_INT_OR_STRING] = dict(dialect.int_or_string)
    return dict(sorted(found.items()))


def struct_schema(cls: type[msgspec.Struct], dialect: Dialect) -> Schema:
    """The schema of one class; other classes are references."""
    hints = _hints(cls)
    fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
    properties = {name: _property(hints[field.name], dialect, (cls.__name__, name)) for name, field in fields.items()}
    required = _required(cls, [name for name, field in fields.items() if field.default_factory in _WRITTEN])
    schema: Schema = {"type": "object"}
    if description := description_of(cls):
        schema["description"] = description
    if properties:
        schema["properties"] = dict(sorted(properties.items()))
    if required:
        schema["required"] = sorted(required)
    if cls.__name__ in ATOMIC_TYPES:
        schema["x-kubernetes-map-type"] = "atomic"
    if (gvk := group_version_kind(cls)) is not None:
        schema["x-kubernetes-group-version-kind"] = [gvk_mark(*gvk)]
        properties["apiVersion"]["description"] = _API_VERSION_TEXT
        properties["kind"]["description"] = _KIND_TEXT
    return schema


def _required(cls: type[msgspec.Struct], written: Iterable[str]) -> list[str]:
    name = type_name(cls)
    optional = WRITTEN_YET_OPTIONAL.get(name, ())
    return [*(each for each in written if each not in optional), *ALSO_REQUIRED.get(name, ())]


def list_schema(cls: type[msgspec.Struct], group: str, version: str, kind: str, dialect: Dialect) -> Schema:
    """The schema of a list of these objects."""
    return list_schema_of(schema_name(cls), (group, version, kind), f"{kind}List", dialect)


def list_schema_of(name: str, gvk: tuple[str, str, str], list_kind: str, dialect: Dialect) -> Schema:
    """The schema of a list of what the schema of that name describes."""
    group, version, kind = gvk
    return {
        "type": "object",
        "description": f"{list_kind} is a list of objects of kind {kind}.",
        "properties": {
            "apiVersion": {"type": "string", "description": _API_VERSION_TEXT},
            "items": {"type": "array", "items": dialect.reference(name)},
            "kind": {"type": "string", "description": _KIND_TEXT},
            "metadata": dialect.reference(f"{META}.ListMeta"),
        },
        "required": ["items"],
        "x-kubernetes-group-version-kind": [gvk_mark(group, version, list_kind)],
    }


def _property(hint: Any, dialect: Dialect, place: tuple[str, str]) -> Schema:
    merge = next((mark for mark in get_args(hint)[1:] if isinstance(mark, Merge)), None) if _is_annotated(hint) else None
    schema = dict(_ANYTHING[place]) if place in _ANYTHING else _value(hint, dialect, "byte" if place in _BYTES else "")
    marks = _marks(merge) if merge is not None else {}
    if not marks:
        return schema
    if "$ref" in schema and not dialect.marks_beside_references:
        return {"allOf": [schema], **marks}
    return {**schema, **marks}


def _value(hint: Any, dialect: Dialect, text_format: str = "") -> Schema:
    origin, arguments = get_origin(hint), get_args(hint)
    if _is_annotated(hint):
        return _annotated(hint, dialect, text_format)
    if origin in (Union, types.UnionType):
        return _union([each for each in arguments if each is not type(None)], dialect, text_format)
    if origin is list:
        return {"type": "array", "items": _value(arguments[0], dialect, text_format)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _value(arguments[1], dialect, text_format)}
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return dialect.reference(schema_name(hint))
    if hint is str:
        return {"type": "string", "format": text_format} if text_format else {"type": "string"}
    if hint is float:
        return {"type": "number", "format": "double"}
    return {bool: {"type": "boolean"}, int: {"type": "integer", "format": "int64"}}.get(hint, {"type": "object"})


def _annotated(hint: Any, dialect: Dialect, text_format: str) -> Schema:
    inner, *marks = get_args(hint)
    meta = next((mark for mark in marks if isinstance(mark, msgspec.Meta)), None)
    if meta is None:
        return _value(inner, dialect, text_format)
    if inner is int:
        return {"type": "integer", "format": "int32" if meta.le == (1 << 31) - 1 else "int64"}
    return dialect.reference(_MICRO_TIME if meta == get_args(MicroTime)[1] else _TIME)


def _union(options: list[Any], dialect: Dialect, text_format: str) -> Schema:
    if len(options) == 1:
        return _value(options[0], dialect, text_format)
    if any(isinstance(option, type) and issubclass(option, msgspec.Struct) for option in options):
        return {}  # a schema, or something in its place: OpenAPI 2 has no words for that
    return dialect.reference(_QUANTITY if float in options else _INT_OR_STRING)


def _marks(merge: Merge) -> Schema:
    given: Schema = {
        "x-kubernetes-list-map-keys": list(merge.keys),
        "x-kubernetes-list-type": merge.list_type,
        "x-kubernetes-map-type": merge.map_type,
        "x-kubernetes-patch-merge-key": merge.merge_key,
        "x-kubernetes-patch-strategy": merge.patch,
    }
    return {name: value for name, value in given.items() if value}


def _is_annotated(hint: Any) -> bool:
    return get_origin(hint) is Annotated


@cache
def _hints(cls: type[msgspec.Struct]) -> Mapping[str, Any]:
    return get_type_hints(cls, include_extras=True)


def _classes(hint: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for part in get_args(hint):
        yield from _classes(part)
