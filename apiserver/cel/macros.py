"""Macros: calls whose arguments are not all evaluated, or more than once.

Each is a function of the compiler and the call. A loop pays for its body at every turn. `all` and `exists` go on after an
error, because a later element may still decide; the other loops do not.

Source: the language definition of the Common Expression Language, "Macros"; its extensions "two-variable comprehensions",
"bindings" and "optional types".
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

from apiserver.cel import syntax, types, values
from apiserver.cel.code import METER, Code, Frame
from apiserver.cel.errors import BudgetError, EvaluationError
from apiserver.cel.types import Type
from apiserver.cel.values import NOTHING, Optional, no_overload

if TYPE_CHECKING:
    from apiserver.cel.compiling import Compiler

Macro = Callable[["Compiler", syntax.Call], Code]


def _single(value: Any) -> Iterable[tuple[Any, ...]]:
    if isinstance(value, list | dict):
        return ((each,) for each in value)
    raise no_overload()


def _paired(value: Any) -> Iterable[tuple[Any, ...]]:
    if isinstance(value, list):
        return enumerate(value)
    if type(value) is dict:
        return value.items()
    raise no_overload()


class _Loop:
    """The range of a loop, its variables (one or two) and its parts."""

    def __init__(self, compiler: "Compiler", node: syntax.Call, variables: int, *, filtered: bool = False) -> None:
        assert node.target is not None, "a loop is a method"
        self.range = compiler.compile(node.target)
        kinds = _variable_types(compiler, self.range.type, node.target, variables)
        names = node.arguments[:variables]
        places, before = compiler.bind(tuple(zip(names, kinds, strict=True)))
        parts = node.arguments[variables:]
        shown = f"_{node.function}_"
        self.parts = [
            compiler.boolean(each, shown) if filtered and at == 0 and len(parts) > 1 else compiler.compile(each)
            for at, each in enumerate(parts)
        ]
        compiler.unbind(before)
        self.body = self.parts[-1]
        self.condition = self.parts[0] if len(self.parts) > 1 else None
        self.over = _single if variables == 1 else _paired
        self.places = places

    def turns(self, frame: Frame) -> Iterable[Sequence[Any]]:
        """Binds the variables for each turn, and pays for it."""
        meter, places = frame[METER], self.places
        cost = 2 + sum(each.cost for each in self.parts)
        condition = self.condition.run if self.condition is not None else None
        for bound in self.over(self.range.run(frame)):
            meter.spend(cost)
            for place, value in zip(places, bound, strict=True):
                frame[place] = value
            if condition is None or _truth(condition(frame)):
                yield bound

    def code(self, run: Callable[[Frame], Any], kind: Type) -> Code:
        return Code(run, kind, self.range.cost + 2)


def _variable_types(compiler: "Compiler", kind: Type, node: syntax.Node, variables: int) -> list[Type]:
    element = kind.element or types.DYN
    if kind.name == "list":
        return [element] if variables == 1 else [types.INT, element]
    if kind.name == "map":
        return [types.DYN, element][:variables]
    if kind.name == "dyn":
        return [types.DYN] * variables
    problem = f"expression of type '{kind}' cannot be range of a comprehension (must be list, map, or dynamic)"
    raise compiler.error(problem, node)


def _truth(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise no_overload()


def _require_bool(compiler: "Compiler", node: syntax.Call, loop: _Loop) -> None:
    if loop.body.type.name not in ("dyn", "bool"):
        problem = f"found no matching overload for '{node.function}' applied to '({loop.body.type})'"
        raise compiler.error(problem, node.arguments[-1])


def _deciding(variables: int, decisive: bool) -> Macro:
    """`all` is decided by false, `exists` by true."""

    def macro(compiler: "Compiler", node: syntax.Call) -> Code:
        loop = _Loop(compiler, node, variables)
        _require_bool(compiler, node, loop)
        body = loop.body.run

        def run(frame: Frame) -> bool:
            problem: EvaluationError | None = None
            for _ in loop.turns(frame):
                try:
                    if _truth(body(frame)) is decisive:
                        return decisive
                except BudgetError:
                    raise
                except EvaluationError as error:
                    problem = problem or error
            if problem is not None:
                raise problem
            return not decisive

        return loop.code(run, types.BOOL)

    return macro


def _exists_one(variables: int) -> Macro:
    def macro(compiler: "Compiler", node: syntax.Call) -> Code:
        loop = _Loop(compiler, node, variables)
        _require_bool(compiler, node, loop)
        body = loop.body.run
        return loop.code(lambda frame: sum(_truth(body(frame)) for _ in loop.turns(frame)) == 1, types.BOOL)

    return macro


def _filter(compiler: "Compiler", node: syntax.Call) -> Code:
    loop = _Loop(compiler, node, 1)
    _require_bool(compiler, node, loop)
    body = loop.body.run
    kind = loop.range.type if loop.range.type.name == "list" else types.LIST
    return loop.code(lambda frame: [bound[0] for bound in loop.turns(frame) if _truth(body(frame))], kind)


def _map(variables: int) -> Macro:
    def macro(compiler: "Compiler", node: syntax.Call) -> Code:
        loop = _Loop(compiler, node, variables, filtered=True)
        body = loop.body.run
        return loop.code(lambda frame: [body(frame) for _ in loop.turns(frame)], types.list_of(loop.body.type))

    return macro


def _transform_map(compiler: "Compiler", node: syntax.Call) -> Code:
    loop = _Loop(compiler, node, 2, filtered=True)
    body = loop.body.run
    return loop.code(lambda frame: {bound[0]: body(frame) for bound in loop.turns(frame)}, types.map_of(loop.body.type))


def _transform_map_entry(compiler: "Compiler", node: syntax.Call) -> Code:
    loop = _Loop(compiler, node, 2, filtered=True)
    body = loop.body.run

    def run(frame: Frame) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for _ in loop.turns(frame):
            entry = body(frame)
            if type(entry) is not dict:
                raise no_overload()
            frame[METER].touch(len(entry))
            if repeated := made.keys() & entry.keys():
                raise EvaluationError(f"insert failed: key {next(iter(repeated))} already exists")
            made.update(entry)
        return made

    return loop.code(run, types.MAP)


def _sort_by(compiler: "Compiler", node: syntax.Call) -> Code:
    loop = _Loop(compiler, node, 1)
    body = loop.body.run

    def run(frame: Frame) -> list[Any]:
        keyed = [(body(frame), bound[0]) for bound in loop.turns(frame)]

        def order(left: tuple[Any, Any], right: tuple[Any, Any]) -> int:
            return _order(left[0], right[0], frame)

        return [element for _, element in sorted(keyed, key=cmp_to_key(order))]

    return loop.code(run, types.LIST)


def _order(left: Any, right: Any, frame: Frame) -> int:
    frame[METER].spend(1)
    return values.compare(left, right, frame[METER]) or 0


def _has(compiler: "Compiler", node: syntax.Call) -> Code:
    (tested,) = node.arguments
    if not isinstance(tested, syntax.Select) or tested.optional:
        raise compiler.error("invalid argument to has() macro", tested)
    return compiler.presence(tested)


def _bind(compiler: "Compiler", node: syntax.Call) -> Code:
    name, value, body = node.arguments
    bound = compiler.compile(value)
    (place,), before = compiler.bind([(name, bound.type)])
    inner = compiler.compile(body)
    compiler.unbind(before)
    run_bound, run_inner = bound.run, inner.run

    def run(frame: Frame) -> Any:
        frame[place] = run_bound(frame)
        return run_inner(frame)

    return Code(run, inner.type, 1 + bound.cost + inner.cost)


def _optional_map(*, flat: bool) -> Macro:
    def macro(compiler: "Compiler", node: syntax.Call) -> Code:
        target = _optional_target(compiler, node)
        name, body = node.arguments
        (place,), before = compiler.bind([(name, target.type.element or types.DYN)])
        inner = compiler.compile(body)
        compiler.unbind(before)
        run_target, run_inner = target.run, inner.run

        def run(frame: Frame) -> Any:
            value = _optional(run_target(frame))
            if not value.present:
                return NOTHING
            frame[place] = value.content
            result = run_inner(frame)
            return _optional(result) if flat else Optional(True, result)

        return Code(run, types.OPTIONAL if flat else types.optional_of(inner.type), 1 + target.cost + inner.cost)

    return macro


def _optional_or(compiler: "Compiler", node: syntax.Call) -> Code:
    target, other = _optional_target(compiler, node), compiler.compile(node.arguments[0])
    run_target, run_other = target.run, other.run

    def run(frame: Frame) -> Optional:
        value = _optional(run_target(frame))
        return value if value.present else _optional(run_other(frame))

    return Code(run, target.type, 1 + target.cost + other.cost)


def _optional_or_value(compiler: "Compiler", node: syntax.Call) -> Code:
    target, other = _optional_target(compiler, node), compiler.compile(node.arguments[0])
    run_target, run_other = target.run, other.run

    def run(frame: Frame) -> Any:
        value = _optional(run_target(frame))
        return value.content if value.present else run_other(frame)

    kind = types.join((target.type.element or types.DYN, other.type))
    return Code(run, kind, 1 + target.cost + other.cost)


def _optional_target(compiler: "Compiler", node: syntax.Call) -> Code:
    assert node.target is not None, "a method has a target"
    target = compiler.compile(node.target)
    if target.type.name not in ("dyn", "optional_type"):
        raise compiler.error(f"found no matching overload for '{node.function}' applied to '{target.type}'", node)
    return target


def _optional(value: Any) -> Optional:
    if type(value) is Optional:
        return value
    raise no_overload()


QUALIFIED_MACROS: dict[tuple[str, int], Macro] = {("has", 1): _has, ("cel.bind", 3): _bind}
MACROS: dict[tuple[str, int], Macro] = {
    ("all", 2): _deciding(1, False),
    ("all", 3): _deciding(2, False),
    ("exists", 2): _deciding(1, True),
    ("exists", 3): _deciding(2, True),
    ("exists_one", 2): _exists_one(1),
    ("existsOne", 2): _exists_one(1),
    ("exists_one", 3): _exists_one(2),
    ("existsOne", 3): _exists_one(2),
    ("filter", 2): _filter,
    ("map", 2): _map(1),
    ("map", 3): _map(1),
    ("transformList", 3): _map(2),
    ("transformList", 4): _map(2),
    ("transformMap", 3): _transform_map,
    ("transformMap", 4): _transform_map,
    ("transformMapEntry", 3): _transform_map_entry,
    ("transformMapEntry", 4): _transform_map_entry,
    ("sortBy", 2): _sort_by,
    ("optMap", 2): _optional_map(flat=False),
    ("optFlatMap", 2): _optional_map(flat=True),
    ("or", 1): _optional_or,
    ("orValue", 1): _optional_or_value,
}
