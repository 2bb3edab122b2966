"""Resource quantities: `250m`, `1.5Gi`, `2e3`.

A quantity is an exact decimal number with a suffix that says how to print it. Arithmetic is done on integers: thousandths of a
core for CPU, whole units (bytes, pods) for the rest, both rounded up as Kubernetes rounds requests.
Source: the Kubernetes page "Quantity" of the API reference.
"""

import re
from collections.abc import Callable, Iterable
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from functools import lru_cache

from apimachinery.kinds.base import Quantity

_BINARY = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50, "Ei": 1 << 60}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BY_EXPONENT = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_PATTERN = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?")
_MAXIMUM = Decimal((1 << 63) - 1)


class QuantityError(ValueError):
    """The text is no quantity."""


@lru_cache(maxsize=4096)
def parse_quantity(text: Quantity) -> Decimal:
    """The exact value, finer than a billionth rounded up; raises QuantityError."""
    value, _ = _split(str(text))
    return value


def milli_value(text: Quantity) -> int:
    """Thousandths, rounded up: the unit of CPU arithmetic."""
    return _ceil(parse_quantity(text) * 1000)


def int_value(text: Quantity) -> int:
    """Whole units, rounded up: bytes of memory, number of pods."""
    return _ceil(parse_quantity(text))


@lru_cache(maxsize=4096)
def canonical(text: Quantity) -> str:
    """The form that Kubernetes stores: no fraction and the largest exact suffix; `0.5` is `500m`, `1024Ki` is `1Mi`."""
    return _spell(*_split(str(text)))


def total(quantities: Iterable[Quantity]) -> str:
    """The canonical sum, in the manner (binary or decimal) of the first that is not zero; of none, 0."""
    value, manner = Decimal(0), ""
    for text in quantities:
        number, suffix = _split(str(text))
        if number and not value:
            manner = suffix
        value += number
    return _spell(value, manner)


def difference(text: Quantity, less: Quantity) -> str:
    """The canonical `text` - `less`, in the manner of `text`."""
    value, manner = _split(str(text))
    return _spell(value - parse_quantity(less), manner)


def from_milli(value: int) -> str:
    """The canonical quantity of so many thousandths."""
    return canonical(f"{value}m")


def _spell(value: Decimal, suffix: str) -> str:
    if suffix in _BINARY and abs(value) >= 1024 and value == value.to_integral_value():
        return _canonical_binary(int(value))
    if suffix[:1] in ("e", "E") and suffix != "E":
        return _canonical_decimal(value, lambda exponent: f"e{exponent}" if exponent else "")
    return _canonical_decimal(value, lambda exponent: _BY_EXPONENT[exponent])


def _split(text: str) -> tuple[Decimal, str]:
    found = _PATTERN.fullmatch(text)
    if found is None:
        raise QuantityError(
            f"quantity {text!r} must be a number with an optional suffix such as m, k, M, G, Ki, Mi, Gi or an exponent"
        )
    digits, suffix = found.group(1), found.group(2) or ""
    try:
        value = Decimal(digits) * _scale(suffix)
    except InvalidOperation as error:
        raise QuantityError(f"quantity {text!r} is out of range") from error
    if abs(value) > _MAXIMUM:
        value = _MAXIMUM.copy_sign(value)
    finest = Decimal("1e-9")
    return value.quantize(finest, rounding=ROUND_CEILING) if value % finest else value, suffix


def _scale(suffix: str) -> Decimal:
    if suffix in _BINARY:
        return Decimal(_BINARY[suffix])
    if suffix in _DECIMAL:
        return Decimal(10) ** _DECIMAL[suffix]
    exponent = int(suffix[1:])
    if abs(exponent) > 30:
        raise QuantityError(f"exponent {suffix!r} is out of range")
    return Decimal(10) ** exponent


def _canonical_binary(value: int) -> str:
    for suffix, factor in reversed(_BINARY.items()):
        if value and value % factor == 0:
            return f"{value // factor}{suffix}"
    return str(value)


def _canonical_decimal(value: Decimal, suffix_of: Callable[[int], str]) -> str:
    if not value:
        return "0"
    for exponent in (18, 15, 12, 9, 6, 3, 0, -3, -6, -9):
        scaled = value.scaleb(-exponent)
        if scaled == scaled.to_integral_value():
            return f"{int(scaled)}{suffix_of(exponent)}"
    raise AssertionError(f"{value} is finer than a billionth")


def _ceil(value: Decimal) -> int:
    return int(value.to_integral_value(rounding=ROUND_CEILING))
