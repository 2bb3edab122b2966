"""Values at run time: JSON's own, as Python has them, and those that only expressions make.

An int is an `int`, a double a `float`: whether a JSON number is the one or the other is settled by how it was written, or by
`schemas.typed`. A uint is an `Uint`. bool is a subclass of int in Python but not here, so values are told apart by their exact
type. What is neither JSON nor plain (a quantity, an address) is an `Opaque`; an object that computes its fields is a `Record`.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apiserver.cel.budget import Meter
from apiserver.cel.errors import EvaluationError

INT_MIN, INT_MAX, UINT_MAX = -(1 << 63), (1 << 63) - 1, (1 << 64) - 1
NANOSECONDS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_1, _YEAR_9999 = -62_135_596_800 * NANOSECONDS, 253_402_300_800 * NANOSECONDS - 1


class Uint(int):
    """An unsigned integer."""

    __slots__ = ()


class SetList(list[Any]):
    """A list whose elements have no order and stand in it once, as its schema says (listType `set`)."""

    __slots__ = ()

    def joined(self, other: list[Any], meter: Meter) -> list[Any]:
        """`self + other`: what is not there yet comes to the end."""
        result = SetList(self)
        for each in other:
            if not contains(result, each, meter):
                result.append(each)
        return result

    def equals(self, other: list[Any], meter: Meter) -> bool:
        return len(self) == len(other) and all(contains(other, each, meter) for each in self)


class KeyedList(list[Any]):
    """A list whose elements have no order but keys, as its schema says (listType `map`)."""

    __slots__ = ("keys",)

    def __init__(self, elements: Iterable[Any], keys: tuple[str, ...]) -> None:
        super().__init__(elements)
        self.keys = keys

    def joined(self, other: list[Any], meter: Meter) -> list[Any]:
        """`self + other`: elements of `other` take the place of those with their keys, or come to the end."""
        meter.spend(len(self) + len(other))
        merged = {self._key(each): each for each in self} | {self._key(each): each for each in other}
        return KeyedList(merged.values(), self.keys)

    def equals(self, other: list[Any], meter: Meter) -> bool:
        meter.spend(len(self) + len(other))
        there = {self._key(each): each for each in other}
        return len(self) == len(other) and all(
            (key := self._key(each)) in there and equal(each, there[key], meter) for each in self
        )

    def _key(self, element: Any) -> tuple[str, ...]:
        found = element if isinstance(element, dict) else {}
        return tuple(repr(found.get(key)) for key in self.keys)


class Opaque:
    """A value of a type of its own; subclasses are frozen dataclasses, equal when their fields are."""

    __slots__ = ()
    type_name = "opaque"


class Record(Opaque):
    """An object whose fields are computed when asked for."""

    __slots__ = ()
    type_name = "object"

    def has(self, field: str) -> bool:
        raise NotImplementedError

    def select(self, field: str) -> object:
        """Raises EvaluationError."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, order=True)
class Duration(Opaque):
    """A span of time."""

    nanoseconds: int
    type_name = "google.protobuf.Duration"

    def __post_init__(self) -> None:
        if not INT_MIN <= self.nanoseconds <= INT_MAX:
            raise EvaluationError("range error converting to duration: overflow")


@dataclass(frozen=True, slots=True, order=True)
class Timestamp(Opaque):
    """A point in time, in nanoseconds since 1970 UTC, within the years 1 to 9999."""

    nanoseconds: int
    type_name = "google.protobuf.Timestamp"

    def __post_init__(self) -> None:
        if not _YEAR_1 <= self.nanoseconds <= _YEAR_9999:
            raise EvaluationError("range error converting to timestamp: out of range")

    def moment(self) -> datetime:
        """To the microsecond."""
        return _EPOCH + timedelta(microseconds=self.nanoseconds // 1000)

    @classmethod
    def of(cls, moment: datetime) -> "Timestamp":
        span = moment - _EPOCH
        return cls((span.days * 86_400 + span.seconds) * NANOSECONDS + span.microseconds * 1000)


@dataclass(frozen=True, slots=True)
class Optional(Opaque):
    """A value, or none."""

    present: bool = False
    content: object = None
    type_name = "optional_type"


NOTHING = Optional()


@dataclass(frozen=True, slots=True)
class TypeValue(Opaque):
    """A type as a value: what `type(x)` answers and names like `int` mean."""

    name: str
    type_name = "type"


@dataclass(slots=True)
class Structure(Record):
    """A message that an expression has made, like `Object{}`: its name and the fields it names."""

    name: str
    fields: Mapping[str, object]

    def has(self, field: str) -> bool:
        return field in self.fields

    def select(self, field: str) -> object:
        if field not in self.fields:
            raise EvaluationError(f"no such key: {field}")
        return self.fields[field]


_KINDS: dict[type, str] = {
    str: "string",
    int: "int",
    bool: "bool",
    float: "double",
    Uint: "uint",
    bytes: "bytes",
    list: "list",
    SetList: "list",
    KeyedList: "list",
    dict: "map",
    type(None): "null_type",
}


def kind_of(value: object) -> str:
    """The name of a value's type; raises EvaluationError for what is no value."""
    kind = _KINDS.get(type(value))
    if kind is not None:
        return kind
    if isinstance(value, Structure):
        return value.name
    if isinstance(value, Opaque):
        return value.type_name
    raise EvaluationError(f"unsupported value of type {type(value).__name__}")


def is_number(value: object) -> bool:
    return type(value) in (int, float, Uint)


def equal(left: object, right: object, meter: Meter) -> bool:
    """Whether two values are the same; numbers are compared by value, whatever their types. Pays for what it looks at."""
    kind = type(left)
    if isinstance(left, list):
        return isinstance(right, list) and _equal_lists(left, right, meter)
    if kind is not type(right):
        return is_number(left) and is_number(right) and left == right
    if kind is dict:
        return _equal_maps(left, right, meter)  # type: ignore[arg-type]
    if kind is Optional:
        return _equal_optionals(left, right, meter)  # type: ignore[arg-type]
    if kind is Structure:
        return _equal_structures(left, right, meter)  # type: ignore[arg-type]
    if kind is str or kind is bytes:
        meter.touch(len(left))  # type: ignore[arg-type]
    return left == right


def _equal_lists(left: list[Any], right: list[Any], meter: Meter) -> bool:
    if isinstance(left, SetList | KeyedList):
        return left.equals(right, meter)
    if isinstance(right, SetList | KeyedList):
        return right.equals(left, meter)
    if len(left) != len(right):
        return False
    meter.spend(1 + len(left))
    return all(equal(a, b, meter) for a, b in zip(left, right, strict=True))


def _equal_maps(left: dict[Any, Any], right: dict[Any, Any], meter: Meter) -> bool:
    if len(left) != len(right):
        return False
    meter.spend(1 + len(left))
    return all(key in right and equal(value, right[key], meter) for key, value in left.items())


def _equal_optionals(left: Optional, right: Optional, meter: Meter) -> bool:
    return left.present == right.present and equal(left.content, right.content, meter)


def _equal_structures(left: Structure, right: Structure, meter: Meter) -> bool:
    return left.name == right.name and _equal_maps(dict(left.fields), dict(right.fields), meter)


def contains(elements: Iterable[object], wanted: object, meter: Meter) -> bool:
    """Whether a list holds a value."""
    if isinstance(elements, list) and type(wanted) is str:
        meter.touch(len(elements) + len(wanted))
        return wanted in elements
    for each in elements:
        meter.spend(1)
        if equal(each, wanted, meter):
            return True
    return False


def compare(left: Any, right: Any, meter: Meter) -> int | None:
    """-1, 0 or 1; None where there is no order (a NaN). Raises EvaluationError for values that have none at all."""
    kind = type(left)
    if kind is not type(right):
        if not (is_number(left) and is_number(right)):
            raise no_overload()
    elif kind is str or kind is bytes:
        meter.touch(min(len(left), len(right)))
    elif kind not in (int, float, Uint, bool) and not (
        isinstance(left, Duration | Timestamp) and isinstance(right, Duration | Timestamp)
    ):
        raise no_overload()
    if kind is float and (math.isnan(left) or math.isnan(right)):
        return None
    return -1 if left < right else int(left > right)


def no_overload() -> EvaluationError:
    return EvaluationError("no such overload")


def checked_int(value: int) -> int:
    if not INT_MIN <= value <= INT_MAX:
        raise EvaluationError("integer overflow")
    return value


def checked_uint(value: int) -> Uint:
    if not 0 <= value <= UINT_MAX:
        raise EvaluationError("unsigned integer overflow")
    return Uint(value)
