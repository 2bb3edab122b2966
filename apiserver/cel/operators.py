"""What the operators do, and to what.

`OPERATORS` gives each a function of both values and the meter; `result_type` tells what is known beforehand. Numbers of
different types are compared, never added.
"""

import math
from collections.abc import Callable
from typing import Any

from apiserver.cel import types, values
from apiserver.cel.budget import Meter
from apiserver.cel.errors import EvaluationError
from apiserver.cel.types import Type
from apiserver.cel.values import Duration, KeyedList, Optional, SetList, Timestamp, Uint, checked_int, checked_uint, no_overload

Operation = Callable[[Any, Any, Meter], Any]


def _joined(left: Any, right: Any, meter: Meter) -> Any:
    meter.touch(len(left) + len(right))
    return left + right


def _joined_by_schema(left: SetList | KeyedList, right: list[Any], meter: Meter) -> list[Any]:
    meter.touch(len(left) + len(right))
    return left.joined(right, meter)


def _divided(left: int, right: int) -> int:
    if right == 0:
        raise EvaluationError("division by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _remainder(left: int, right: int) -> int:
    if right == 0:
        raise EvaluationError("modulus by zero")
    return int(math.fmod(left, right)) if abs(left) < 1 << 53 and abs(right) < 1 << 53 else left - right * _divided(left, right)


def _float_divided(left: float, right: float) -> float:
    if right:
        return left / right
    return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)


_ADD: dict[tuple[type, type], Operation] = {
    (int, int): lambda a, b, _: checked_int(a + b),
    (Uint, Uint): lambda a, b, _: checked_uint(int(a) + int(b)),
    (float, float): lambda a, b, _: a + b,
    (str, str): _joined,
    (bytes, bytes): _joined,
    (list, list): _joined,
    **{(list, each): _joined for each in (SetList, KeyedList)},
    **{(SetList, each): _joined_by_schema for each in (list, SetList, KeyedList)},
    **{(KeyedList, each): _joined_by_schema for each in (list, SetList, KeyedList)},
    (Duration, Duration): lambda a, b, _: Duration(a.nanoseconds + b.nanoseconds),
    (Timestamp, Duration): lambda a, b, _: Timestamp(a.nanoseconds + b.nanoseconds),
    (Duration, Timestamp): lambda a, b, _: Timestamp(a.nanoseconds + b.nanoseconds),
}
_SUBTRACT: dict[tuple[type, type], Operation] = {
    (int, int): lambda a, b, _: checked_int(a - b),
    (Uint, Uint): lambda a, b, _: checked_uint(int(a) - int(b)),
    (float, float): lambda a, b, _: a - b,
    (Duration, Duration): lambda a, b, _: Duration(a.nanoseconds - b.nanoseconds),
    (Timestamp, Duration): lambda a, b, _: Timestamp(a.nanoseconds - b.nanoseconds),
    (Timestamp, Timestamp): lambda a, b, _: Duration(a.nanoseconds - b.nanoseconds),
}
_MULTIPLY: dict[tuple[type, type], Operation] = {
    (int, int): lambda a, b, _: checked_int(a * b),
    (Uint, Uint): lambda a, b, _: checked_uint(int(a) * int(b)),
    (float, float): lambda a, b, _: a * b,
}
_DIVIDE: dict[tuple[type, type], Operation] = {
    (int, int): lambda a, b, _: checked_int(_divided(a, b)),
    (Uint, Uint): lambda a, b, _: checked_uint(_divided(int(a), int(b))),
    (float, float): lambda a, b, _: _float_divided(a, b),
}
_MODULO: dict[tuple[type, type], Operation] = {
    (int, int): lambda a, b, _: _remainder(a, b),
    (Uint, Uint): lambda a, b, _: checked_uint(_remainder(int(a), int(b))),
}


def _by_types(table: dict[tuple[type, type], Operation]) -> Operation:
    def operate(left: Any, right: Any, meter: Meter) -> Any:
        operation = table.get((type(left), type(right)))
        if operation is None:
            raise no_overload()
        return operation(left, right, meter)

    return operate


def _compared(holds: Callable[[int], bool]) -> Operation:
    def operate(left: Any, right: Any, meter: Meter) -> bool:
        order = values.compare(left, right, meter)
        return order is not None and holds(order)

    return operate


def _in(left: Any, right: Any, meter: Meter) -> bool:
    if isinstance(right, list):
        return values.contains(right, left, meter)
    if type(right) is dict:
        return type(left) in (str, int, bool, float, Uint) and left in right
    raise no_overload()


OPERATORS: dict[str, Operation] = {
    "+": _by_types(_ADD),
    "-": _by_types(_SUBTRACT),
    "*": _by_types(_MULTIPLY),
    "/": _by_types(_DIVIDE),
    "%": _by_types(_MODULO),
    "==": values.equal,
    "!=": lambda a, b, meter: not values.equal(a, b, meter),
    "<": _compared(lambda order: order < 0),
    "<=": _compared(lambda order: order <= 0),
    ">": _compared(lambda order: order > 0),
    ">=": _compared(lambda order: order >= 0),
    "in": _in,
}


def negated(value: Any) -> Any:
    """-value; raises EvaluationError."""
    if type(value) is int:
        return checked_int(-value)
    if type(value) is float:
        return -value
    raise no_overload()


def select(value: Any, field: str, unescaped: str) -> Any:
    """`value.field`; raises EvaluationError. `unescaped` is what an escaped name like `__namespace__` stands for."""
    if type(value) is dict:
        if field in value:
            return value[field]
        if unescaped in value:
            return value[unescaped]
        raise EvaluationError(f"no such key: {field}")
    if isinstance(value, values.Record):
        return value.select(field)
    if type(value) is Optional:
        return select_optional(value, field, unescaped)
    raise no_overload()


def present(value: Any, field: str, unescaped: str) -> bool:
    """`has(value.field)`; raises EvaluationError."""
    if type(value) is dict:
        return field in value or unescaped in value
    if isinstance(value, values.Record):
        return value.has(field)
    if type(value) is Optional:
        return value.present and present(value.content, field, unescaped)
    raise no_overload()


def select_optional(value: Any, field: str, unescaped: str) -> Optional:
    """`value.?field`; raises EvaluationError."""
    if type(value) is Optional:
        return select_optional(value.content, field, unescaped) if value.present else value
    if not present(value, field, unescaped):
        return values.NOTHING
    return Optional(True, select(value, field, unescaped))


def index(value: Any, key: Any) -> Any:
    """`value[key]`; raises EvaluationError."""
    if isinstance(value, list):
        position = _position(key)
        if not 0 <= position < len(value):
            raise EvaluationError(f"index out of bounds: {position}")
        return value[position]
    if type(value) is dict:
        if type(key) not in (str, int, bool, float, Uint):
            raise no_overload()
        if key in value:
            return value[key]
        raise EvaluationError(f"no such key: {key}")
    if isinstance(value, values.Record) and type(key) is str:
        return value.select(key)
    if type(value) is Optional:
        return index_optional(value, key)
    raise no_overload()


def index_optional(value: Any, key: Any) -> Optional:
    """`value[?key]`; raises EvaluationError."""
    if type(value) is Optional:
        return index_optional(value.content, key) if value.present else value
    if isinstance(value, list):
        found = 0 <= _position(key) < len(value)
    elif type(value) is dict:
        found = type(key) in (str, int, bool, float, Uint) and key in value
    else:
        found = isinstance(value, values.Record) and type(key) is str and value.has(key)
    return Optional(True, index(value, key)) if found else values.NOTHING


def _position(key: Any) -> int:
    if not values.is_number(key) or key != key or key in (math.inf, -math.inf) or int(key) != key:
        raise no_overload()
    return int(key)


_ARITHMETIC = {
    "+": {("string", "string"), ("bytes", "bytes"), ("list", "list"), ("int", "int"), ("uint", "uint"), ("double", "double")},
    "-": {("int", "int"), ("uint", "uint"), ("double", "double")},
    "*": {("int", "int"), ("uint", "uint"), ("double", "double")},
    "/": {("int", "int"), ("uint", "uint"), ("double", "double")},
    "%": {("int", "int"), ("uint", "uint")},
}
_D, _T = types.DURATION.name, types.TIMESTAMP.name
_TIMES = {
    ("+", _D, _D): types.DURATION,
    ("+", _T, _D): types.TIMESTAMP,
    ("+", _D, _T): types.TIMESTAMP,
    ("-", _D, _D): types.DURATION,
    ("-", _T, _D): types.TIMESTAMP,
    ("-", _T, _T): types.DURATION,
}
_ORDERED = frozenset(("bool", "int", "uint", "double", "string", "bytes", _D, _T))


def result_type(operator: str, left: Type, right: Type) -> Type | None:
    """The type of `left operator right`; None when there is no such operator."""
    a, b = left.name, right.name
    if operator in ("==", "!="):
        return types.BOOL if "dyn" in (a, b) or a == b or "null_type" in (a, b) or _objects(left, right) else None
    if operator == "in":
        fits = b in ("dyn", "map") or right.fields is not None
        fits = fits or (b == "list" and (right.element is None or types.accepts(right.element, left)))
        return types.BOOL if fits else None
    if operator in ("<", "<=", ">", ">="):
        known = {a, b} - {"dyn"}
        return types.BOOL if known <= _ORDERED and (len(known) < 2 or known <= types.NUMBERS) else None
    return _arithmetic_type(operator, left, right)


def _arithmetic_type(operator: str, left: Type, right: Type) -> Type | None:
    a, b = left.name, right.name
    pairs = _ARITHMETIC[operator]
    if "dyn" not in (a, b):
        if (a, b) in pairs:
            return types.join((left, right)) if a != "list" or left == right else types.LIST
        return _TIMES.get((operator, a, b))
    known = ({a, b} - {"dyn"}) or {""}
    name = known.pop()
    if not name or name in (_D, _T):
        return types.DYN
    if (name, name) in pairs:
        return types.LIST if name == "list" else types.named(name)
    return None


def _objects(left: Type, right: Type) -> bool:
    return (left.fields is not None or left.name == "map") and (right.fields is not None or right.name == "map")
