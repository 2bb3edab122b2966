"""Quantities: `quantity("1.5Gi")`, compared and added exactly.

Source: the Kubernetes page "Common Expression Language in Kubernetes", "Kubernetes quantity library".
"""

from dataclasses import dataclass
from decimal import Decimal

from apimachinery import quantity
from apimachinery.quantity import QuantityError
from apiserver.cel.calls import Library
from apiserver.cel.errors import EvaluationError
from apiserver.cel.values import INT_MAX, INT_MIN, Opaque

_TEXT_CHARACTERS_MAX = 128
_Q = "kubernetes.Quantity"


@dataclass(frozen=True, slots=True)
class QuantityValue(Opaque):
    """A quantity by its value."""

    amount: Decimal
    type_name = _Q


def _parse(text: str) -> QuantityValue:
    try:
        if len(text) > _TEXT_CHARACTERS_MAX:
            raise QuantityError("too long")
        return QuantityValue(quantity.parse_quantity(text))
    except QuantityError as error:
        raise EvaluationError(f"quantities must match the regular expression of a number with a suffix: {error}") from error


def _is_quantity(text: str) -> bool:
    try:
        _parse(text)
    except EvaluationError:
        return False
    return True


def _is_integer(value: QuantityValue) -> bool:
    return value.amount == value.amount.to_integral_value() and INT_MIN <= value.amount <= INT_MAX


def _as_integer(value: QuantityValue) -> int:
    if not _is_integer(value):
        raise EvaluationError("cannot convert value to integer")
    return int(value.amount)


def _compare(left: QuantityValue, right: QuantityValue) -> int:
    return (left.amount > right.amount) - (left.amount < right.amount)


def declare(library: Library) -> None:
    library.function("quantity", "string", result=_Q)(_parse)
    library.function("isQuantity", "string", result="bool")(_is_quantity)
    library.method("sign", _Q, result="int")(lambda value: _compare(value, QuantityValue(Decimal(0))))
    library.method("isInteger", _Q, result="bool")(_is_integer)
    library.method("asInteger", _Q, result="int")(_as_integer)
    library.method("asApproximateFloat", _Q, result="double")(lambda value: float(value.amount))
    library.method("isGreaterThan", _Q, _Q, result="bool")(lambda a, b: a.amount > b.amount)
    library.method("isLessThan", _Q, _Q, result="bool")(lambda a, b: a.amount < b.amount)
    library.method("compareTo", _Q, _Q, result="int")(_compare)
    library.method("add", _Q, _Q, result=_Q)(lambda a, b: QuantityValue(a.amount + b.amount))
    library.method("add", _Q, "int", result=_Q)(lambda a, b: QuantityValue(a.amount + b))
    library.method("sub", _Q, _Q, result=_Q)(lambda a, b: QuantityValue(a.amount - b.amount))
    library.method("sub", _Q, "int", result=_Q)(lambda a, b: QuantityValue(a.amount - b))
