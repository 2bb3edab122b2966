"""Values and types by an OpenAPI schema, for rules about custom resources.

JSON does not tell an integer from a number that happens to be whole, a date from a text, nor a set from a list; a schema does.
`typed` turns plain JSON into the values that its schema means, `type_of` a schema into the type that rules are checked against.

Source: the Kubernetes page "Extend the Kubernetes API with CustomResourceDefinitions", "Validation rules", its table of types.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from apiserver.cel import types
from apiserver.cel.errors import EvaluationError
from apiserver.cel.library.times import parse_duration, parse_timestamp
from apiserver.cel.types import Type
from apiserver.cel.values import KeyedList, SetList

Schema = Mapping[str, Any]
_ROOT_FIELDS = {
    "apiVersion": types.STRING,
    "kind": types.STRING,
    "metadata": types.record("object", {"name": types.STRING, "generateName": types.STRING}),
}


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


_FORMATS: dict[str, tuple[Type, Callable[[str], object]]] = {
    "date-time": (types.TIMESTAMP, parse_timestamp),
    "date": (types.TIMESTAMP, lambda text: parse_timestamp(f"{text}T00:00:00Z")),
    "duration": (types.DURATION, parse_duration),
    "byte": (types.BYTES, _bytes),
}


def typed(value: Any, schema: Schema) -> Any:
    """`value` as its schema means it: numbers as double, dates as timestamps. What does not fit the schema stays as it is."""
    if isinstance(value, dict):
        return _typed_map(value, schema)
    if isinstance(value, list):
        return _typed_list(value, schema)
    if schema.get("x-kubernetes-int-or-string"):
        return value
    kind = schema.get("type")
    if type(value) is int and kind == "number":
        return float(value)
    if type(value) is float and kind == "integer" and value.is_integer():
        return int(value)
    if type(value) is str and kind == "string" and schema.get("format") in _FORMATS:
        try:
            return _FORMATS[schema["format"]][1](value)
        except (EvaluationError, binascii.Error, ValueError):
            return value
    return value


def _typed_list(value: list[Any], schema: Schema) -> list[Any]:
    items = schema.get("items")
    elements = [typed(each, items) for each in value] if items else value
    match schema.get("x-kubernetes-list-type"):
        case "set":
            return SetList(elements)
        case "map":
            return KeyedList(elements, tuple(schema.get("x-kubernetes-list-map-keys") or ()))
    return elements


def _typed_map(value: dict[str, Any], schema: Schema) -> dict[str, Any]:
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    rest = schema.get("additionalProperties")
    rest = rest if isinstance(rest, Mapping) else None
    if not properties and rest is None:
        return value
    found = {}
    for name, each in value.items():
        wanted = properties.get(name, rest)
        found[name] = typed(each, wanted) if wanted is not None else each
    return found


def type_of(schema: Schema, *, root: bool = False) -> Type:
    """The type of what a schema describes; `root`: of a whole object, which has `metadata` whatever the schema says."""
    if schema.get("x-kubernetes-int-or-string"):
        return types.DYN
    match schema.get("type"):
        case "object":
            return _object_type(schema, root=root)
        case "array":
            return types.list_of(type_of(schema.get("items") or {}))
        case "boolean":
            return types.BOOL
        case "integer":
            return types.INT
        case "number":
            return types.DOUBLE
        case "string":
            found = _FORMATS.get(schema.get("format") or "")
            return found[0] if found is not None else types.STRING
    return types.DYN


def _object_type(schema: Schema, *, root: bool) -> Type:
    rest = schema.get("additionalProperties")
    if isinstance(rest, Mapping):
        return types.map_of(type_of(rest))
    if rest:
        return types.map_of(types.DYN)
    fields = {name: type_of(each) for name, each in (schema.get("properties") or {}).items()}
    if root or schema.get("x-kubernetes-embedded-resource"):
        fields |= _ROOT_FIELDS
    elif not fields and schema.get("x-kubernetes-preserve-unknown-fields"):
        return types.DYN
    return types.record("object", fields)
