"""The other side of `apimachinery.protobuf`: plain data into Kubernetes' protobuf, by the same table."""

from __future__ import annotations

import base64
import struct
from datetime import datetime
from typing import Any

import msgspec

from apimachinery import protobuf


def body_of(plain: dict[str, Any]) -> bytes:
    """An object as a client that writes protobuf sends it."""
    name = protobuf._message_name(plain["apiVersion"], plain["kind"])
    rest = {key: value for key, value in plain.items() if key not in ("apiVersion", "kind")}
    meta = {"apiVersion": plain["apiVersion"], "kind": plain["kind"]}
    envelope = {"typeMeta": meta, "raw": base64.b64encode(message(name, rest)).decode()}
    return protobuf.MAGIC + message("runtime.Unknown", envelope)


def message(name: str, plain: dict[str, Any]) -> bytes:
    parts = []
    for number, field in sorted(protobuf._table()[name].items()):
        if field.shape == "inline":
            inner = message(field.type, plain)
            parts.append(_sized(number, inner) if inner else b"")
        elif field.name in plain:
            value = plain[field.name]
            if field.shape == "map":
                parts += [_sized(number, _sized(1, key.encode()) + _field(2, field.type, each)) for key, each in value.items()]
            else:
                parts += [_field(number, field.type, each) for each in (value if field.shape == "list" else [value])]
    return b"".join(parts)


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, type_: str, value: Any) -> bytes:
    if type_ in ("int", "bool"):
        return varint(number << 3) + varint(int(value))
    if type_ == "double":
        return varint(number << 3 | 1) + struct.pack("<d", value)
    return _sized(number, _content(type_, value))


def _content(type_: str, value: Any) -> bytes:
    if type_ == "string":
        return str(value).encode()
    if type_ == "bytes":
        return base64.b64decode(value)
    if type_ == "resource.Quantity":
        return _sized(1, value.encode())
    if type_ == "intstr.IntOrString":
        return b"\x08\x00" + b"\x10" + varint(value) if isinstance(value, int) else b"\x08\x01" + _sized(3, value.encode())
    if type_ in ("meta.v1.Time", "meta.v1.MicroTime"):
        moment = datetime.fromisoformat(value)
        return b"\x08" + varint(int(moment.timestamp())) + b"\x10" + varint(moment.microsecond * 1000)
    if type_.startswith(f"{_SCHEMA}Or"):
        return _schema_or_else(type_, value)
    if type_ == "apiextensions.v1.CustomResourceSubresourceStatus":
        return b""
    if type_ in ("meta.v1.FieldsV1", "runtime.RawExtension", "apiextensions.v1.JSON"):
        return _sized(1, msgspec.json.encode(value))
    return message(type_, {"items": value} if type_.endswith(".ExtraValue") else value)


def _sized(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


_SCHEMA = "apiextensions.v1.JSONSchemaProps"


def _schema_or_else(type_: str, value: Any) -> bytes:
    """A schema, or a boolean, a list of schemas or of texts in its place."""
    if isinstance(value, bool):
        return varint(1 << 3) + varint(int(value))
    if isinstance(value, list):
        return b"".join(_sized(2, each.encode() if isinstance(each, str) else message(_SCHEMA, each)) for each in value)
    schema = message(_SCHEMA, value)
    return varint(1 << 3) + b"\x01" + _sized(2, schema) if type_.endswith("Bool") else _sized(1, schema)
