"""Rules for expressions in CEL: what is stored compiles."""

from collections.abc import Callable, Sequence
from functools import partial

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import MatchCondition
from apiserver import cel
from apiserver.strategy.checks import Errors, named, unique

MATCH_CONDITIONS_MAX = 64


def compiled(path: str, expression: str, compile_it: Callable[[], cel.Program]) -> Errors:
    """The expression must be given, and compile."""
    if not expression.strip():
        yield FieldError.required(path, "expression is not specified")
        return
    try:
        compile_it()
    except cel.CelError as error:
        yield FieldError.invalid(path, expression, f"compilation failed: {error}")


def validate_match_conditions(
    conditions: Sequence[MatchCondition], compile_condition: Callable[[MatchCondition], cel.Program], path: str
) -> Errors:
    """Named expressions, not too many, each of which compiles to a truth value."""
    if len(conditions) > MATCH_CONDITIONS_MAX:
        yield FieldError.too_many(path, len(conditions), MATCH_CONDITIONS_MAX)
        return
    yield from unique(path, (condition.name for condition in conditions), ".name")
    for index, condition in enumerate(conditions):
        where = f"{path}[{index}]"
        if condition.name:
            yield from named(f"{where}.name", condition.name, names.qualified_name)
        else:
            yield FieldError.required(f"{where}.name")
        yield from compiled(f"{where}.expression", condition.expression, partial(compile_condition, condition))
