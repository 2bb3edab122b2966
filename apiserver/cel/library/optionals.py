"""Values that may be there or not; what evaluates its argument only when needed (`orValue`) is a macro.

Source: the language's extension "Optional types".
"""

from typing import Any

from apiserver.cel.calls import Library
from apiserver.cel.errors import EvaluationError
from apiserver.cel.values import NOTHING, Optional, no_overload


def _value(optional: Optional) -> Any:
    if not optional.present:
        raise EvaluationError("optional.none() dereference")
    return optional.content


def _of_non_zero(value: Any) -> Optional:
    return Optional(True, value) if value or isinstance(value, Optional) else NOTHING


def _unwrap(elements: list[Any]) -> list[Any]:
    if any(type(each) is not Optional for each in elements):
        raise no_overload()
    return [each.content for each in elements if each.present]


def declare(library: Library) -> None:
    library.function("optional.of", "dyn", result="optional<dyn>")(lambda value: Optional(True, value))
    library.function("optional.none", result="optional<dyn>")(lambda: NOTHING)
    library.function("optional.ofNonZeroValue", "dyn", result="optional<dyn>")(_of_non_zero)
    library.function("optional.unwrap", "list", result="list", linear=True)(_unwrap)
    library.method("unwrapOpt", "list", result="list", linear=True)(_unwrap)
    library.method("hasValue", "optional", result="bool")(lambda optional: optional.present)
    library.method("value", "optional", result="dyn")(_value)
    library.method("first", "list", result="optional<dyn>")(lambda given: Optional(True, given[0]) if given else NOTHING)
    library.method("last", "list", result="optional<dyn>")(lambda given: Optional(True, given[-1]) if given else NOTHING)
