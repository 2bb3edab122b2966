"""What single values must satisfy: types, formats, bounds, patterns.

The sentences are those that users of Kubernetes know. Source: the Kubernetes page on CustomResourceDefinitions, section
"Validation", for the formats; OpenAPI 3.0 for the rest.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from apimachinery import names
from apimachinery.errors import FieldError
from apiserver.structural.patterns import compile_pattern
from apiserver.structural.schema import OBJECT_FIELDS, Node

INT32, INT64 = 1 << 31, 1 << 63


def type_of(value: Any) -> str:
    """The JSON type of a value; a whole number is an integer however it is written."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    return {float: "number", str: "string", list: "array", dict: "object", type(None): "null"}[type(value)]


def fits_type(node: Node, value: Any) -> bool:
    """Whether the value has the type that the schema asks for, if it asks for any."""
    found = type_of(value)
    if node.int_or_string:
        return found in ("integer", "string")
    return not node.type or found == node.type or (node.type == "number" and found == "integer")


def check_value(node: Node, value: Any, path: str) -> Iterator[FieldError]:
    """What is wrong with a value of the right type, apart from its members."""
    if node.enum and not any(same(value, choice) for choice in node.enum):
        yield FieldError.not_supported(path, value, [_plain_text(choice) for choice in node.enum])
    if isinstance(value, str):
        yield from _check_text(node, value, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _check_number(node, value, path)
    elif isinstance(value, list):
        yield from _check_list(node.limits, value, path)
    elif isinstance(value, dict):
        yield from _check_object(node, value, path)


def same(one: Any, other: Any) -> bool:
    """Equality of JSON values: numbers by value, but true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(member, other[name]) for name, member in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(mine, theirs) for mine, theirs in zip(one, other, strict=True))
    return bool(one == other)


def key_of(value: Any) -> bytes:
    """Bytes that equal JSON values share."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return msgspec.json.encode(value, order="deterministic")


def wrong_type(path: str, wanted: str, found: Any) -> FieldError:
    """`found` is the name of a type, or the value that is not of a format."""
    return FieldError.type_invalid(path, found, f"{path} in body must be of type {wanted}: {_quoted(found)}")


def _check_text(node: Node, value: str, path: str) -> Iterator[FieldError]:
    limits = node.limits
    if (longest := limits.get("maxLength")) is not None and len(value) > longest:
        yield FieldError.too_long(path, int(longest))
    if (shortest := limits.get("minLength")) is not None and len(value) < shortest:
        yield FieldError.invalid(path, value, f"{path} in body should be at least {int(shortest)} chars long")
    if node.pattern and not compile_pattern(node.pattern).search(value):
        yield FieldError.invalid(path, value, f"{path} in body should match '{node.pattern}'")
    if (is_right := _FORMATS.get(node.format)) is not None and not is_right(value):
        yield wrong_type(path, node.format, value)


def _check_number(node: Node, value: float, path: str) -> Iterator[FieldError]:
    limits = node.limits
    if (least := limits.get("minimum")) is not None:
        exclusive = bool(limits.get("exclusiveMinimum"))
        if value < least or (exclusive and value == least):
            word = "greater than" if exclusive else "greater than or equal to"
            yield FieldError.invalid(path, value, f"{path} in body should be {word} {number_text(least)}")
    if (most := limits.get("maximum")) is not None:
        exclusive = bool(limits.get("exclusiveMaximum"))
        if value > most or (exclusive and value == most):
            word = "less than" if exclusive else "less than or equal to"
            yield FieldError.invalid(path, value, f"{path} in body should be {word} {number_text(most)}")
    if (factor := limits.get("multipleOf")) and Decimal(repr(value)) % Decimal(repr(factor)):
        yield FieldError.invalid(path, value, f"{path} in body should be a multiple of {number_text(factor)}")
    bound = {"int32": INT32, "int64": INT64}.get(node.format)
    if bound is not None and node.type == "integer" and not -bound <= value < bound:
        yield FieldError.invalid(path, value, f"Checked value must be of type integer with format {node.format}")


def _check_list(limits: Mapping[str, Any], value: list[Any], path: str) -> Iterator[FieldError]:
    if (most := limits.get("maxItems")) is not None and len(value) > most:
        yield FieldError.too_many(path, len(value), int(most))
    if (least := limits.get("minItems")) is not None and len(value) < least:
        yield FieldError.invalid(path, len(value), f"{path} in body should have at least {int(least)} items")
    if limits.get("uniqueItems") and len({key_of(item) for item in value}) < len(value):
        yield FieldError.invalid(path, value, f"{path} in body shouldn't contain duplicates")


def _check_object(node: Node, value: dict[str, Any], path: str) -> Iterator[FieldError]:
    for name in node.required:
        if name not in value and not (node.whole_object and name in OBJECT_FIELDS):
            yield FieldError.required(f"{path}.{name}" if path else name)
    if (most := node.limits.get("maxProperties")) is not None and len(value) > most:
        yield FieldError.too_many(path, len(value), int(most))
    if (least := node.limits.get("minProperties")) is not None and len(value) < least:
        yield FieldError.invalid(path, len(value), f"{path} in body should have at least {int(least)} properties")


def number_text(value: float) -> str:
    """`1` for 1.0: schemas hold numbers as floats."""
    return str(int(value)) if float(value).is_integer() else repr(value)


def _plain_text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _quoted(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


def _is_date_time(text: str) -> bool:
    if not _DATE_TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(re.sub(r"\.\d+", "", text.upper()))
    except ValueError:
        return False
    return True


def _is_date(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None and _parses(date.fromisoformat)(text)


def _is_base64(text: str) -> bool:
    return _parses(lambda given: base64.b64decode(given, validate=True))(text)


def _is_version(number: int | None) -> Callable[[str], bool]:
    shape = _matches(r"(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
    return lambda text: shape(text) and (number is None or uuid.UUID(text).version == number)


def _is_card(text: str) -> bool:
    digits = [int(character) for character in re.sub(r"[ -]", "", text) if character.isdigit()]
    if not 12 <= len(digits) <= 19 or not re.fullmatch(r"[\d -]+", text):
        return False
    doubled = [digit * 2 - 9 * (digit > 4) if index % 2 else digit for index, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _is_isbn10(text: str) -> bool:
    digits = text.replace("-", "").replace(" ", "").upper()
    if not re.fullmatch(r"\d{9}[\dX]", digits):
        return False
    return sum((10 - index) * (10 if each == "X" else int(each)) for index, each in enumerate(digits)) % 11 == 0


def _is_isbn13(text: str) -> bool:
    digits = text.replace("-", "").replace(" ", "")
    return re.fullmatch(r"\d{13}", digits) is not None and (
        sum(int(each) * (3 if index % 2 else 1) for index, each in enumerate(digits)) % 10 == 0
    )


_FORMATS: Mapping[str, Callable[[str], bool]] = {
    "bsonobjectid": _matches(r"[0-9a-fA-F]{24}"),
    "uri": _matches(r"(/\S*|[a-zA-Z][a-zA-Z0-9+.-]*:\S+)"),
    "email": _matches(r"[^@\s<>]+@[^@\s<>]+"),
    "hostname": lambda text: not names.dns_1123_subdomain(text.lower().removesuffix(".")),
    "ipv4": _parses(ipaddress.IPv4Address),
    "ipv6": _parses(ipaddress.IPv6Address),
    "ip": _parses(ipaddress.ip_address),
    "cidr": lambda text: "/" in text and _parses(lambda given: ipaddress.ip_network(given, strict=False))(text),
    "mac": _matches(r"([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}|([0-9a-fA-F]{4}\.){2}[0-9a-fA-F]{4}"),
    "uuid": _is_version(None),
    "uuid3": _is_version(3),
    "uuid4": _is_version(4),
    "uuid5": _is_version(5),
    "isbn": lambda text: _is_isbn10(text) or _is_isbn13(text),
    "isbn10": _is_isbn10,
    "isbn13": _is_isbn13,
    "creditcard": _is_card,
    "ssn": _matches(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "hexcolor": _matches(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "rgbcolor": _matches(r"rgb\(\s*(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])\s*(,\s*(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])\s*){2}\)"),
    "byte": _is_base64,
    "date": _is_date,
    "duration": _matches(r"[+-]?(\d+(\.\d*)?|\.\d+)\s*(ns|us|µs|ms|s|m|h|d|w)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h|d|w))*|0"),
    "datetime": _is_date_time,
    "date-time": _is_date_time,
    "k8s-short-name": lambda text: not names.dns_1123_label(text),
    "k8s-long-name": lambda text: not names.dns_1123_subdomain(text),
}
"""Formats that are checked; others are taken as descriptions, as `password` is."""
