"""Functions of lists.

Source: the Kubernetes page "Common Expression Language in Kubernetes", "Kubernetes list library"; the language's extension
"Lists".
"""

from functools import cmp_to_key
from itertools import pairwise
from typing import Any

from apiserver.cel import values
from apiserver.cel.budget import Meter
from apiserver.cel.calls import Library
from apiserver.cel.errors import EvaluationError
from apiserver.cel.operators import OPERATORS
from apiserver.cel.values import Duration

_SUMMED = (int, float, values.Uint, Duration)


def _is_sorted(meter: Meter, elements: list[Any]) -> bool:
    for before, after in pairwise(elements):
        meter.spend(1)
        if values.compare(before, after, meter) == 1:
            return False
    return True


def _sum(meter: Meter, elements: list[Any]) -> Any:
    if not elements:
        return 0
    total = elements[0]
    if type(total) not in _SUMMED:
        raise values.no_overload()
    for each in elements[1:]:
        meter.spend(1)
        total = OPERATORS["+"](total, each, meter)
    return total


def _extreme(meter: Meter, elements: list[Any], name: str, wanted: int) -> Any:
    if not elements:
        raise EvaluationError(f"{name} called on empty list")
    best = elements[0]
    for each in elements[1:]:
        meter.spend(1)
        if values.compare(each, best, meter) == wanted:
            best = each
    return best


def _index_of(meter: Meter, elements: list[Any], wanted: Any) -> int:
    for position, each in enumerate(elements):
        meter.spend(1)
        if values.equal(each, wanted, meter):
            return position
    return -1


def _last_index_of(meter: Meter, elements: list[Any], wanted: Any) -> int:
    for position in range(len(elements) - 1, -1, -1):
        meter.spend(1)
        if values.equal(elements[position], wanted, meter):
            return position
    return -1


def _slice(elements: list[Any], start: int, end: int) -> list[Any]:
    if start < 0 or end < 0:
        raise EvaluationError(f"cannot slice({start}, {end}), negative indexes not supported")
    if start > end:
        raise EvaluationError(f"cannot slice({start}, {end}), start index must be less than or equal to end index")
    if end > len(elements):
        raise EvaluationError(f"cannot slice({start}, {end}), list is length {len(elements)}")
    return elements[start:end]


def _flatten(meter: Meter, elements: list[Any], depth: int = 1) -> list[Any]:
    if depth < 0:
        raise EvaluationError("level must be non-negative")
    flat: list[Any] = []
    for each in elements:
        meter.spend(1)
        if isinstance(each, list) and depth > 0:
            flat.extend(_flatten(meter, each, depth - 1))
        else:
            flat.append(each)
    return flat


def _range(meter: Meter, count: int) -> list[int]:
    meter.spend(max(count, 0))
    return list(range(count))


def _distinct(meter: Meter, elements: list[Any]) -> list[Any]:
    found: list[Any] = []
    for each in elements:
        if not values.contains(found, each, meter):
            found.append(each)
        meter.spend(1)
    return found


def _sort(meter: Meter, elements: list[Any]) -> list[Any]:
    def order(left: Any, right: Any) -> int:
        meter.spend(1)
        if type(left) is not type(right):
            raise EvaluationError("list elements must have the same type")
        return values.compare(left, right, meter) or 0

    return sorted(elements, key=cmp_to_key(order))


def declare(library: Library) -> None:
    library.method("isSorted", "list", result="bool", metered=True)(_is_sorted)
    library.method("sum", "list", result="dyn", metered=True)(_sum)
    library.method("min", "list", result="dyn", metered=True)(lambda meter, given: _extreme(meter, given, "min", -1))
    library.method("max", "list", result="dyn", metered=True)(lambda meter, given: _extreme(meter, given, "max", 1))
    library.method("indexOf", "list", "dyn", result="int", metered=True)(_index_of)
    library.method("lastIndexOf", "list", "dyn", result="int", metered=True)(_last_index_of)
    library.method("slice", "list", "int", "int", result="list", linear=True)(_slice)
    library.method("flatten", "list", result="list", metered=True)(_flatten)
    library.method("flatten", "list", "int", result="list", metered=True)(_flatten)
    library.method("distinct", "list", result="list", metered=True)(_distinct)
    library.method("reverse", "list", result="list", linear=True)(lambda elements: elements[::-1])
    library.method("sort", "list", result="list", metered=True)(_sort)
    library.function("lists.range", "int", result="list<int>", metered=True)(_range)
