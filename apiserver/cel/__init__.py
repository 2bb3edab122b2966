"""The Common Expression Language (CEL), as Kubernetes uses it: in policies, webhooks' conditions and rules of custom resources.

    program = compile("object.spec.replicas <= 5", {"object"})
    program.evaluate({"object": {"spec": {"replicas": 3}}})   # True

An expression is compiled once and evaluated for many values, in bounded time and memory: see `budget`. Compiling finds what is
wrong whatever the values are: syntax, names, functions, types where they are known. Values are plain JSON, and what `values`
adds.

Order: `syntax` and `parsing` (text → tree), `compiling` with `macros`, `operators`, `calls` and `library` (tree → closures),
`Program` (closures and values → a value). No I/O, no clock, no state but caches.

Source: the language definition at cel.dev; the Kubernetes page "Common Expression Language in Kubernetes".
"""

from collections.abc import Collection, Mapping
from functools import lru_cache

from apiserver.cel import types
from apiserver.cel.budget import CALL_LIMIT, TOTAL_LIMIT, Budget, Meter
from apiserver.cel.code import METER, MISSING, Code
from apiserver.cel.compiling import Compiler
from apiserver.cel.errors import BudgetError, CelError, CompileError, EvaluationError
from apiserver.cel.library import standard
from apiserver.cel.parsing import parse
from apiserver.cel.types import Type
from apiserver.cel.values import kind_of

ResultType = Type | tuple[Type, ...]
BOOL: ResultType = types.BOOL
STRING: ResultType = types.STRING
ANY: ResultType = types.DYN

__all__ = [
    "ANY",
    "BOOL",
    "CALL_LIMIT",
    "STRING",
    "TOTAL_LIMIT",
    "Budget",
    "BudgetError",
    "CelError",
    "CompileError",
    "EvaluationError",
    "Program",
    "ResultType",
    "compile",
]

_LIBRARY = standard()


class Program:
    """A compiled expression. Immutable, so that many may evaluate it; `type` is what is known of its value's type."""

    __slots__ = ("_code", "_loops", "_names", "_wanted", "expression", "type")

    def __init__(self, expression: str, code: Code, names: tuple[str, ...], slots: int, wanted: frozenset[str]) -> None:
        self.expression = expression
        self.type = code.type
        self._code = code
        self._names = names
        self._loops = (None,) * (slots - len(names) - 1)
        self._wanted = wanted

    def evaluate(self, values: Mapping[str, object], budget: Budget | None = None) -> object:
        """The value of the expression for these values of its variables; a variable without one must not be reached.

        Raises EvaluationError, of which BudgetError when it costs more than the budget (or CALL_LIMIT) allows.
        """
        meter = budget.meter() if budget is not None else Meter()
        frame = [meter, *(values.get(name, MISSING) for name in self._names), *self._loops]
        assert frame[METER] is meter, "the meter has its place"
        try:
            meter.spend(self._code.cost)
            result = self._code.run(frame)
        except RecursionError as error:
            raise EvaluationError("values are nested too deeply") from error
        finally:
            if budget is not None:
                budget.take(meter.spent)
        if self._wanted and (kind := kind_of(result)) not in self._wanted:
            raise EvaluationError(f"the expression's value is of type {kind}, must be {' or '.join(sorted(self._wanted))}")
        return result


def compile(
    expression: str,
    variables: Collection[str] | Mapping[str, Type],
    *,
    result: ResultType = BOOL,
    messages: Collection[str] = (),
) -> Program:
    """The program of an expression; raises CompileError, whose message points at what is wrong.

    `variables` are the names it may use, with their types where they are known (see `types`); `result` is what its value must
    be; `messages` are the names of messages that it may make, as `Object` in `Object.spec{}`.
    """
    wanted = result if isinstance(result, tuple) else (result,)
    typed = tuple(variables.items()) if isinstance(variables, Mapping) else tuple((name, types.DYN) for name in variables)
    return _compile(expression, _Key(typed), wanted, tuple(messages))


class _Key:
    """Variables as a key of the cache: by name, and by identity where types have fields."""

    __slots__ = ("_key", "items")

    def __init__(self, items: tuple[tuple[str, Type], ...]) -> None:
        self.items = items
        self._key = tuple((name, _identity(kind)) for name, kind in items)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._key == other._key


def _identity(kind: Type) -> tuple[object, ...]:
    fields = id(kind.fields) if kind.fields is not None else None
    return kind.name, fields, _identity(kind.element) if kind.element is not None else None


@lru_cache(maxsize=1024)
def _compile(expression: str, variables: _Key, wanted: tuple[Type, ...], messages: tuple[str, ...]) -> Program:
    typed = dict(variables.items)
    try:
        tree = parse(expression)
        compiler = Compiler(expression, typed, _LIBRARY, messages)
        code = compiler.compile(tree)
    except RecursionError as error:
        raise CompileError("expression is nested too deeply", expression) from error
    names = frozenset(each.name for each in wanted)
    if "dyn" in names:
        names = frozenset()
    if names and code.type.name != "dyn" and code.type.name not in names:
        shown = wanted[0].name if len(wanted) == 1 else f"one of [{' '.join(each.name for each in wanted)}]"
        raise CompileError(f"must evaluate to {shown}")
    return Program(expression, code, tuple(typed), compiler.slots, names)
