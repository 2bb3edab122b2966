"""An OpenAPI 2 document as protobuf, in the messages of gnostic (openapi.v2), which is what kubectl asks for.

A table says which field of which message a member of the JSON is. Maps are lists of (name, value) messages, and what JSON puts
as one of several forms is wrapped in a message with a field for each; extensions (`x-...`) are carried as YAML text, which JSON
is. Source: OpenAPIv2.proto of google/gnostic.
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from apimachinery.protobuf import varint

Writer = Callable[[Any], bytes]
"""From a JSON value to the content of a length-delimited field."""


def encode(document: Mapping[str, Any]) -> bytes:
    """A message openapi.v2.Document."""
    return _document(document)


def _field(number: int, content: bytes) -> bytes:
    return b"%b%b%b" % (varint(number << 3 | 2), varint(len(content)), content)


def _flag(number: int, value: bool) -> bytes:
    return varint(number << 3) + b"\x01" if value else b""


def _text(value: Any) -> bytes:
    return str(value).encode()


def _wrapped(number: int, writer: Writer) -> Writer:
    return lambda value: _field(number, writer(value))


def _named(writer: Writer, number: int = 1) -> Writer:
    """A map as a message with a repeated field of {name = 1, value = 2}."""

    def write(values: Mapping[str, Any]) -> bytes:
        parts = [_field(number, _field(1, _text(name)) + _field(2, writer(value))) for name, value in values.items()]
        return b"".join(parts)

    return write


def _texts(values: Any) -> bytes:
    """A message with one repeated string = 1."""
    return b"".join([_field(1, _text(each)) for each in ([values] if isinstance(values, str) else values)])


def _yaml(value: Any) -> bytes:
    """Any {yaml = 2}."""
    return _field(2, msgspec.json.encode(value) + b"\n")


class _Message:
    """A message whose fields have the names of a JSON object's members.

    fields: number and writer of each; a list of one writer is a repeated field; `bool`, `int` and
    `float` are scalars. extensions: where they go.
    """

    def __init__(self, fields: Mapping[str, tuple[int, Any]], extensions: int) -> None:
        self._fields = fields
        self._extensions = extensions

    def __call__(self, value: Mapping[str, Any]) -> bytes:
        parts = []
        for name, content in value.items():
            if name.startswith("x-"):
                parts.append(_field(self._extensions, _field(1, _text(name)) + _field(2, _yaml(content))))
                continue
            number, writer = self._fields[name]
            if writer is bool:
                parts.append(_flag(number, content))
            elif writer is int:
                parts.append(varint(number << 3) + varint(content))
            elif writer is float:
                parts.append(varint(number << 3 | 1) + struct.pack("<d", content))
            elif isinstance(writer, list):
                parts.extend([_field(number, writer[0](each)) for each in content])
            else:
                parts.append(_field(number, writer(content)))
        return b"".join(parts)


def _schema(value: Any) -> bytes:
    return _SCHEMA(value)


def _additional(value: Any) -> bytes:
    """AdditionalPropertiesItem {schema = 1 | boolean = 2}."""
    return _flag(2, value) if isinstance(value, bool) else _field(1, _schema(value))


_SCHEMA = _Message(
    {
        "$ref": (1, _text),
        "format": (2, _text),
        "title": (3, _text),
        "description": (4, _text),
        "multipleOf": (6, float),
        "maximum": (7, float),
        "exclusiveMaximum": (8, bool),
        "minimum": (9, float),
        "exclusiveMinimum": (10, bool),
        "maxLength": (11, int),
        "minLength": (12, int),
        "pattern": (13, _text),
        "maxItems": (14, int),
        "minItems": (15, int),
        "uniqueItems": (16, bool),
        "maxProperties": (17, int),
        "minProperties": (18, int),
        "required": (19, [_text]),
        "enum": (20, [_yaml]),
        "additionalProperties": (21, _additional),
        "type": (22, _texts),
        "items": (23, _wrapped(1, _schema)),
        "properties": (25, _named(_schema)),
    },
    31,
)
_BODY = _Message(
    {"description": (1, _text), "name": (2, _text), "in": (3, _text), "required": (4, bool), "schema": (5, _schema)}, 6
)
_QUERY = _Message(
    {
        "required": (1, bool),
        "in": (2, _text),
        "description": (3, _text),
        "name": (4, _text),
        "type": (6, _text),
        "uniqueItems": (20, bool),
    },
    23,
)
_PATH = _Message(
    {
        "required": (1, bool),
        "in": (2, _text),
        "description": (3, _text),
        "name": (4, _text),
        "type": (5, _text),
        "uniqueItems": (19, bool),
    },
    22,
)


def _parameter(value: Mapping[str, Any]) -> bytes:
    """ParametersItem {parameter = 1: {body = 1 | non-body = 2: {query = 3 | path = 4}}}."""
    match value["in"]:
        case "body":
            return _field(1, _field(1, _BODY(value)))
        case "query":
            return _field(1, _field(2, _field(3, _QUERY(value))))
        case _:
            return _field(1, _field(2, _field(4, _PATH(value))))


_RESPONSE = _Message({"description": (1, _text), "schema": (2, _wrapped(1, _schema))}, 5)
_OPERATION = _Message(
    {
        "tags": (1, [_text]),
        "operationId": (5, _text),
        "produces": (6, [_text]),
        "consumes": (7, [_text]),
        "parameters": (8, [_parameter]),
        "responses": (9, _named(_wrapped(1, _RESPONSE))),
    },
    13,
)
_PATH_ITEM = _Message(
    {
        "get": (2, _OPERATION),
        "put": (3, _OPERATION),
        "post": (4, _OPERATION),
        "delete": (5, _OPERATION),
        "patch": (8, _OPERATION),
        "parameters": (9, [_parameter]),
    },
    10,
)
_document = _Message(
    {
        "swagger": (1, _text),
        "info": (2, _Message({"title": (1, _text), "version": (2, _text)}, 7)),
        "paths": (8, _named(_PATH_ITEM, number=2)),
        "definitions": (9, _named(_schema)),
    },
    16,
)
