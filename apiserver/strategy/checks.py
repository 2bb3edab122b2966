"""Small rules that every kind's validation is made of.

A rule is a generator of `FieldError`s: it takes the path of a field and its value, and yields nothing when the value is right.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds.base import IntOrString

Errors: TypeAlias = Iterator[FieldError]

INT32_MAX = (1 << 31) - 1
INT64_MAX = (1 << 63) - 1
IMMUTABLE = "field is immutable"
PROTOCOLS = ("SCTP", "TCP", "UDP")

_PERCENTAGE = re.compile(r"[0-9]+%")


def required(path: str, value: object, detail: str = "") -> Errors:
    """The value must be given."""
    if not value:
        yield FieldError.required(path, detail)


def named(path: str, value: str, rule: names.NameRule) -> Errors:
    """The value must satisfy a name rule; every problem is an error of its own."""
    for problem in rule(value):
        yield FieldError.invalid(path, value, problem)


def required_name(path: str, value: str, rule: names.NameRule) -> Errors:
    """The value must be given and satisfy a name rule."""
    if value:
        yield from named(path, value, rule)
    else:
        yield FieldError.required(path)


def one_of(path: str, value: str, supported: Sequence[str]) -> Errors:
    """The value must be given, and be one of these."""
    if not value:
        yield FieldError.required(path)
    elif value not in supported:
        yield FieldError.not_supported(path, value, supported)


def optional_one_of(path: str, value: str, supported: Sequence[str]) -> Errors:
    """The value must be one of these when it is given."""
    if value:
        yield from one_of(path, value, supported)


def not_negative(path: str, value: int | None) -> Errors:
    if value is not None and value < 0:
        yield FieldError.invalid(path, value, "must be greater than or equal to 0")


def positive(path: str, value: int | None) -> Errors:
    if value is not None and value <= 0:
        yield FieldError.invalid(path, value, "must be greater than zero")


def in_range(path: str, value: int | None, smallest: int, largest: int) -> Errors:
    if value is not None and not smallest <= value <= largest:
        yield FieldError.invalid(path, value, f"must be between {smallest} and {largest}, inclusive")


def port_number(path: str, value: int | None) -> Errors:
    yield from in_range(path, value, 1, 65535)


def port_number_or_name(path: str, value: IntOrString) -> Errors:
    """A port by number, or by the name that a container gives it."""
    if isinstance(value, int):
        yield from port_number(path, value)
    else:
        yield from named(path, value, names.port_name)


def user_id(path: str, value: int | None) -> Errors:
    """Identities of users and groups."""
    yield from in_range(path, value, 0, INT32_MAX)


def percentage(value: IntOrString | None) -> int | None:
    """The number of `25%`; None for what is no percentage."""
    return int(value[:-1]) if isinstance(value, str) and _PERCENTAGE.fullmatch(value) else None


def count_or_percentage(path: str, value: IntOrString | None) -> Errors:
    """A number of pods that is not negative, or a percentage."""
    if isinstance(value, int):
        yield from not_negative(path, value)
    elif value is not None and percentage(value) is None:
        yield FieldError.invalid(path, value, "a valid percent string must be a numeric string followed by an ending '%'")


def unchanged(path: str, new: Any, old: Any, detail: str = IMMUTABLE) -> Errors:
    if new != old:
        yield FieldError.invalid(path, new, detail)


def unique(path: str, values: Iterable[object], member: str = "") -> Errors:
    """No value may stand twice; empty ones are left to other rules. `path` is the list's, `member` what follows an index."""
    seen = set()
    for index, value in enumerate(values):
        if value and value in seen:
            yield FieldError.duplicate(f"{path}[{index}]{member}", value)
        seen.add(value)


def exactly_one(path: str, given: Sequence[str], what: str) -> Errors:
    """Exactly one member of a union must be given; `given` are the wire names of those that are."""
    if not given:
        yield FieldError.required(path, f"must specify a {what}")
    for name in given[1:]:
        yield FieldError.forbidden(f"{path}.{name}", f"may not specify more than 1 {what}")


def ip_address(path: str, value: str) -> Errors:
    yield from named(path, value, names.ip_address)


def no_backsteps(path: str, value: str) -> Errors:
    """A path must not leave its directory."""
    if ".." in value.split("/"):
        yield FieldError.invalid(path, value, "must not contain '..'")


def relative_path(path: str, value: str) -> Errors:
    """A path inside a volume: relative, and not leaving it."""
    if value.startswith("/"):
        yield FieldError.invalid(path, value, "must be a relative path")
    yield from no_backsteps(path, value)


Rule: TypeAlias = Callable[[str, str], Errors]
