"""Lists taken as sets.

Source: the language's extension "Sets".
"""

from typing import Any

from apiserver.cel import values
from apiserver.cel.budget import Meter
from apiserver.cel.calls import Library


def _contains(meter: Meter, whole: list[Any], part: list[Any]) -> bool:
    return all(values.contains(whole, each, meter) for each in part)


def _equivalent(meter: Meter, left: list[Any], right: list[Any]) -> bool:
    return _contains(meter, left, right) and _contains(meter, right, left)


def _intersects(meter: Meter, left: list[Any], right: list[Any]) -> bool:
    return any(values.contains(right, each, meter) for each in left)


def declare(library: Library) -> None:
    library.function("sets.contains", "list", "list", result="bool", metered=True, linear=True)(_contains)
    library.function("sets.equivalent", "list", "list", result="bool", metered=True, linear=True)(_equivalent)
    library.function("sets.intersects", "list", "list", result="bool", metered=True, linear=True)(_intersects)
