"""What the forms of patches share: errors, equality of JSON values, copies, a bound on depth."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class PatchError(ValueError):
    """The patch cannot be applied to this document (a failed test, a path that leads nowhere)."""


class PatchFormatError(PatchError):
    """The patch is malformed, whatever the document."""


def bounded_depth(function: Callable[P, R]) -> Callable[P, R]:
    @wraps(function)
    def bounded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except RecursionError as error:
            raise PatchFormatError("the document or the patch is nested too deeply") from error

    return bounded


def equal(left: Any, right: Any) -> bool:
    """Equality of JSON values: numbers by value, but true is not 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    return value


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value
