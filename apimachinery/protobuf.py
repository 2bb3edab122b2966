"""Objects in protobuf into plain data, as JSON would have them: kubectl sends typed objects this way since 1.32.

    "k8s\\0" + Unknown{typeMeta, raw}  ->  the message of that apiVersion and kind  ->  plain data

Only reading is done here: all clients that write protobuf read JSON. What a message's fields are is read from
`protobuf_fields.txt` when the first such body comes. As in any protobuf, fields that the table does not have are passed over:
they come from a newer client. A field that stands twice counts once, the last time, unless it is a list.
Source: the Kubernetes page "API Concepts", section "Kubernetes Protobuf encoding"; the protobuf page "Encoding".
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any

import msgspec

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_VARINT_BYTES_MAX = 10
_ZEROS = ("", 0, False)
"""What Go writes of a plain field that nobody has set; JSON leaves these out."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ProtobufError(ValueError):
    """Bytes that are no object in protobuf, or one of a kind that is not known."""


@dataclass(frozen=True)
class _Field:
    name: str
    shape: str
    """ "" or "optional" for a single value, "list", "map" or "inline"."""
    type: str


def decode(body: bytes) -> dict[str, Any]:
    """The object in a request's body; raises ProtobufError."""
    if not body.startswith(MAGIC):
        raise ProtobufError("it does not begin as Kubernetes' protobuf does")
    envelope = _message("runtime.Unknown", memoryview(body)[len(MAGIC) :])
    if envelope.get("contentType") not in (None, "", MEDIA_TYPE) or envelope.get("contentEncoding"):
        raise ProtobufError("what it carries is not protobuf")
    meta = envelope.get("typeMeta") or {}
    api_version, kind = meta.get("apiVersion", ""), meta.get("kind", "")
    name = _message_name(api_version, kind)
    if name not in _table():
        raise ProtobufError(f'no kind "{kind}" of version "{api_version}" is known in protobuf; send it as JSON')
    return {"apiVersion": api_version, "kind": kind, **_message(name, memoryview(base64.b64decode(envelope.get("raw", ""))))}


def _message_name(api_version: str, kind: str) -> str:
    group, _, version = api_version.rpartition("/")
    if kind == "DeleteOptions":  # every group has it
        return "meta.v1.DeleteOptions"
    return f"{group.partition('.')[0] or 'core'}.{version}.{kind}"


@cache
def _table() -> Mapping[str, Mapping[int, _Field]]:
    text = resources.files(__package__).joinpath("protobuf_fields.txt").read_text()
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, fields = line.partition(": ")
            found[name] = dict(_field(each) for each in fields.split("; "))
    return found


def _field(text: str) -> tuple[int, _Field]:
    number, name, *shape, type_ = text.split(" ")
    return int(number), _Field(name, shape[0] if shape else "", type_)


def _message(name: str, data: memoryview) -> dict[str, Any]:
    fields = _table()[name]
    found: dict[str, Any] = {}
    for number, wire_type, raw in _wire(data):
        field = fields.get(number)
        if field is None:
            continue
        if field.shape == "map":
            key, value = _entry(field.type, _view(raw, wire_type))
            found.setdefault(field.name, {})[key] = value
            continue
        value = _value(field.type, raw, wire_type)
        if field.shape == "inline":
            found.update(value)
        elif field.shape == "list":
            found.setdefault(field.name, []).append(value)
        elif field.shape == "optional" or (value is not None and value not in _ZEROS):
            found[field.name] = value
    return found


def _entry(type_: str, data: memoryview) -> tuple[str, Any]:
    key, value = "", None
    for number, wire_type, raw in _wire(data):
        if number == 1:
            key = _text(raw, wire_type)
        elif number == 2:
            value = _value(type_, raw, wire_type)
    return key, "" if value is None and type_ in ("string", "bytes") else value


def _value(type_: str, raw: int | memoryview, wire_type: int) -> Any:
    special = _SPECIAL.get(type_)
    if special is not None:
        return special(raw, wire_type)
    if type_.endswith(".ExtraValue"):  # a list that has a message of its own, so that it can be the value of a map
        return _message(type_, _view(raw, wire_type)).get("items", [])
    return _message(type_, _view(raw, wire_type))


def _wire(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Field numbers, wire types and values: a number for varints, else bytes; raises ProtobufError."""
    place, end = 0, len(data)
    while place < end:
        tag, place = _varint(data, place)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, place = _varint(data, place)
            yield number, wire_type, value
            continue
        if wire_type == _BYTES:
            size, place = _varint(data, place)
        elif wire_type in (_FIXED64, _FIXED32):
            size = 8 if wire_type == _FIXED64 else 4
        else:
            raise ProtobufError(f"wire type {wire_type} is not known")
        if not number or size > end - place:
            raise ProtobufError("it ends in the middle of a field")
        yield number, wire_type, data[place : place + size]
        place += size


def varint(number: int) -> bytes:
    """A number that is not negative, as protobuf writes it."""
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for index in range(_VARINT_BYTES_MAX):
        if place + index >= len(data):
            raise ProtobufError("it ends in the middle of a number")
        byte = data[place + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, place + index + 1
    raise ProtobufError("a number is too long")


def _view(raw: int | memoryview, wire_type: int) -> memoryview:
    if wire_type != _BYTES or isinstance(raw, int):
        raise ProtobufError("a field has another type than it should have")
    return raw


def _integer(raw: int | memoryview, wire_type: int) -> int:
    if wire_type != _VARINT or not isinstance(raw, int):
        raise ProtobufError("a field has another type than it should have")
    raw &= (1 << 64) - 1
    return raw - (1 << 64) if raw >> 63 else raw


def _boolean(raw: int | memoryview, wire_type: int) -> bool:
    return _integer(raw, wire_type) != 0


def _double(raw: int | memoryview, wire_type: int) -> float:
    if wire_type != _FIXED64 or isinstance(raw, int):
        raise ProtobufError("a field has another type than it should have")
    number: float = struct.unpack("<d", raw)[0]
    return number


def _text(raw: int | memoryview, wire_type: int) -> str:
    try:
        return str(_view(raw, wire_type), "utf-8")
    except UnicodeDecodeError as error:
        raise ProtobufError("a text is not UTF-8") from error


def _base64(raw: int | memoryview, wire_type: int) -> str:
    return base64.b64encode(_view(raw, wire_type)).decode()


def _numbered(raw: int | memoryview, wire_type: int) -> dict[int, int | memoryview]:
    """The fields of one of the messages whose JSON is not an object, by number."""
    return {number: value for number, _, value in _wire(_view(raw, wire_type))}


def _quantity(raw: int | memoryview, wire_type: int) -> str:
    return _text(_numbered(raw, wire_type).get(1, memoryview(b"0")), _BYTES) or "0"


def _int_or_string(raw: int | memoryview, wire_type: int) -> int | str:
    parts = _numbered(raw, wire_type)
    if parts.get(1):
        return _text(parts.get(3, memoryview(b"")), _BYTES)
    return _integer(parts.get(2, 0), _VARINT)


def _time(raw: int | memoryview, wire_type: int) -> str | None:
    """None for a time that is not set."""
    parts = _numbered(raw, wire_type)
    return _moment(parts).strftime("%Y-%m-%dT%H:%M:%SZ") if parts else None


def _micro_time(raw: int | memoryview, wire_type: int) -> str | None:
    parts = _numbered(raw, wire_type)
    return _moment(parts).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if parts else None


def _moment(parts: Mapping[int, int | memoryview]) -> datetime:
    seconds, nanoseconds = _integer(parts.get(1, 0), _VARINT), _integer(parts.get(2, 0), _VARINT)
    try:
        return _EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000)
    except OverflowError as error:
        raise ProtobufError("a time is out of range") from error


def _json(raw: int | memoryview, wire_type: int) -> Any:
    """JSON that is carried as it is (owned fields, data of revisions)."""
    data = _numbered(raw, wire_type).get(1)
    if data is None:
        return None
    try:
        return msgspec.json.decode(_view(data, _BYTES))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ProtobufError(f"JSON in it is malformed: {error}") from error


def _schema_or_list(raw: int | memoryview, wire_type: int) -> Any:
    """JSONSchemaPropsOrArray"""
    parts = list(_wire(_view(raw, wire_type)))
    schemas = [_message(_SCHEMA, _view(value, each)) for number, each, value in parts if number == 1]
    return schemas[-1] if schemas else [_message(_SCHEMA, _view(value, each)) for number, each, value in parts if number == 2]


def _schema_or_boolean(raw: int | memoryview, wire_type: int) -> Any:
    """JSONSchemaPropsOrBool"""
    parts = _numbered(raw, wire_type)
    return _message(_SCHEMA, _view(parts[2], _BYTES)) if 2 in parts else _boolean(parts.get(1, 0), _VARINT)


def _schema_or_texts(raw: int | memoryview, wire_type: int) -> Any:
    """JSONSchemaPropsOrStringArray"""
    parts = list(_wire(_view(raw, wire_type)))
    schemas = [_message(_SCHEMA, _view(value, each)) for number, each, value in parts if number == 1]
    return schemas[-1] if schemas else [_text(value, each) for number, each, value in parts if number == 2]


def _nothing(raw: int | memoryview, wire_type: int) -> dict[str, Any]:
    """A message without fields."""
    _view(raw, wire_type)
    return {}


_SCHEMA = "apiextensions.v1.JSONSchemaProps"

_SPECIAL: Mapping[str, Callable[[int | memoryview, int], Any]] = {
    "string": _text,
    "int": _integer,
    "bool": _boolean,
    "bytes": _base64,
    "double": _double,
    "resource.Quantity": _quantity,
    "intstr.IntOrString": _int_or_string,
    "meta.v1.Time": _time,
    "meta.v1.MicroTime": _micro_time,
    "meta.v1.FieldsV1": _json,
    "runtime.RawExtension": _json,
    "apiextensions.v1.CustomResourceSubresourceStatus": _nothing,
    "apiextensions.v1.JSON": _json,
    "apiextensions.v1.JSONSchemaPropsOrArray": _schema_or_list,
    "apiextensions.v1.JSONSchemaPropsOrBool": _schema_or_boolean,
    "apiextensions.v1.JSONSchemaPropsOrStringArray": _schema_or_texts,
}
