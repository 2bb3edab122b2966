"""From tree to code: names are resolved, types checked as far as they are known, every node becomes a closure over its parts.

Source: the language definition of the Common Expression Language, "Gradual Type Checking" and "Evaluation".
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from apiserver.cel import calls, operators, syntax, types, values
from apiserver.cel.calls import Function, Library
from apiserver.cel.code import METER, MISSING, Code, Frame, Run
from apiserver.cel.errors import BudgetError, CompileError, EvaluationError
from apiserver.cel.escaping import unescape
from apiserver.cel.library.regexes import compiled
from apiserver.cel.library.times import parse_duration, parse_timestamp
from apiserver.cel.macros import MACROS, QUALIFIED_MACROS
from apiserver.cel.types import Type
from apiserver.cel.values import Optional, Structure, TypeValue, no_overload

TREE_DEPTH_MAX = 220
LITERAL_CHECKS: Mapping[str, Callable[[str], object]] = {
    "matches": compiled,
    "find": compiled,
    "duration": parse_duration,
    "timestamp": parse_timestamp,
}
_TYPE_NAMES = ("bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type", "optional_type")
_TYPE_VALUES = {name: TypeValue(name) for name in (*_TYPE_NAMES, types.DURATION.name, types.TIMESTAMP.name)}


class Compiler:
    """Compiles one expression; `slots` is how long its frames are."""

    def __init__(
        self, expression: str, variables: Mapping[str, Type], library: Library, messages: Collection[str] = ()
    ) -> None:
        self._text = expression
        self._library = library
        self._messages = messages
        self._scope: dict[str, tuple[int, Type, bool]] = {
            name: (at, kind, True) for at, (name, kind) in enumerate(variables.items(), METER + 1)
        }
        self.slots = len(variables) + 1
        self._depth = 0

    def error(self, problem: str, node: syntax.Node) -> CompileError:
        return CompileError(problem, self._text, node.position)

    def compile(self, node: syntax.Node) -> Code:
        """Raises CompileError."""
        self._depth += 1
        if self._depth > TREE_DEPTH_MAX:
            raise self.error(f"expression recursion limit exceeded: {TREE_DEPTH_MAX}", node)
        code = self._compile(node)
        self._depth -= 1
        return code

    def bind(self, names: Sequence[tuple[syntax.Node, Type]]) -> tuple[list[int], dict[str, tuple[int, Type, bool]]]:
        """Declare names for what is compiled next; answers their places, and the scope that `unbind` restores."""
        before, places = self._scope, []
        self._scope = dict(before)
        for node, kind in names:
            if not isinstance(node, syntax.Name):
                raise self.error("argument must be a simple name", node)
            self._scope[node.name] = (self.slots, kind, False)
            places.append(self.slots)
            self.slots += 1
        return places, before

    def unbind(self, before: dict[str, tuple[int, Type, bool]]) -> None:
        self._scope = before

    def _compile(self, node: syntax.Node) -> Code:
        match node:
            case syntax.Literal(value=value):
                return Code(lambda _: value, types.named(values.kind_of(value)))
            case syntax.Name():
                return self._name(node)
            case syntax.Select():
                return self._select(node)
            case syntax.Index():
                return self._index(node)
            case syntax.Call():
                return self._call(node)
            case syntax.Unary():
                return self._unary(node)
            case syntax.Binary():
                return self._binary(node)
            case syntax.Logical():
                return self._logical(node)
            case syntax.Conditional():
                return self._conditional(node)
            case syntax.ListOf():
                return self._list(node)
            case syntax.MapOf():
                return self._map(node)
            case syntax.Message():
                return self._message(node)
        raise AssertionError(f"no such node: {node}")

    def _name(self, node: syntax.Name) -> Code:
        if node.name not in self._scope:
            if node.name in _TYPE_VALUES:
                named = _TYPE_VALUES[node.name]
                return Code(lambda _: named, types.TYPE)
            raise self.error(f"undeclared reference to '{node.name}' (in container '')", node)
        place, kind, may_miss = self._scope[node.name]
        if not may_miss:
            return Code(lambda frame: frame[place], kind)
        name = node.name

        def run(frame: Frame) -> Any:
            value = frame[place]
            if value is MISSING:
                raise EvaluationError(f"no such attribute(s): {name}")
            return value

        return Code(run, kind)

    def dotted(self, node: syntax.Node) -> str:
        """`a.b` when the node is only names and none of them a variable; else nothing."""
        match node:
            case syntax.Name(name=name):
                return "" if name in self._scope else name
            case syntax.Select(operand=operand, field=field, optional=False):
                before = self.dotted(operand)
                return f"{before}.{field}" if before else ""
        return ""

    def _select(self, node: syntax.Select) -> Code:
        if (name := self.dotted(node)) in _TYPE_VALUES:
            named = _TYPE_VALUES[name]
            return Code(lambda _: named, types.TYPE)
        operand, field, unescaped = self.compile(node.operand), node.field, unescape(node.field)
        kind = self._field_type(operand.type, node)
        run = operand.run
        if node.optional:
            return Code(
                lambda frame: operators.select_optional(run(frame), field, unescaped), types.optional_of(kind), operand.cost + 1
            )
        if operand.type.name == "optional_type":
            kind = types.optional_of(kind)

        def select(frame: Frame) -> Any:
            value = run(frame)
            if type(value) is dict and field in value:
                return value[field]
            return operators.select(value, field, unescaped)

        return Code(select, kind, operand.cost + 1)

    def presence(self, node: syntax.Select) -> Code:
        """has(node)."""
        operand, field, unescaped = self.compile(node.operand), node.field, unescape(node.field)
        self._field_type(operand.type, node)
        run = operand.run
        return Code(lambda frame: operators.present(run(frame), field, unescaped), types.BOOL, operand.cost + 1)

    def _field_type(self, operand: Type, node: syntax.Select) -> Type:
        if operand.name == "optional_type":
            operand = operand.element or types.DYN
        if operand.fields is not None:
            for name in (node.field, unescape(node.field)):
                if name in operand.fields:
                    return operand.fields[name]
            raise self.error(f"undefined field '{node.field}'", node)
        if operand.name == "map":
            return operand.element or types.DYN
        if operand.name == "dyn" or operand.name.split(".")[0] in self._messages:
            return types.DYN
        raise self.error(f"type '{operand}' does not support field selection", node)

    def _index(self, node: syntax.Index) -> Code:
        operand, key = self.compile(node.operand), self.compile(node.key)
        inner = operand.type
        if inner.name == "optional_type":
            inner = inner.element or types.DYN
        fits = inner.name in ("dyn", "map") or inner.fields is not None
        fits = fits or (inner.name == "list" and (key.type.name == "dyn" or key.type.name in types.NUMBERS))
        if not fits:
            raise self.error(f"found no matching overload for '_[_]' applied to '({operand.type}, {key.type})'", node)
        kind, run, run_key = inner.element or types.DYN, operand.run, key.run
        cost = operand.cost + key.cost + 1
        if node.optional or operand.type.name == "optional_type":
            operation = operators.index_optional if node.optional else operators.index
            return Code(lambda frame: operation(run(frame), run_key(frame)), types.optional_of(kind), cost)
        return Code(lambda frame: operators.index(run(frame), run_key(frame)), kind, cost)

    def _call(self, node: syntax.Call) -> Code:
        name, count = node.function, len(node.arguments)
        if node.target is None:
            macro = QUALIFIED_MACROS.get((name, count))
            return (
                macro(self, node)
                if macro
                else self._invoke(node, self._library.functions.get(name), name, node.arguments, method=False)
            )
        qualified = f"{scope}.{name}" if (scope := self.dotted(node.target)) else ""
        if macro := QUALIFIED_MACROS.get((qualified, count)) or MACROS.get((name, count)):
            return macro(self, node)
        if qualified and (function := self._library.functions.get(qualified)):
            return self._invoke(node, function, qualified, node.arguments, method=False)
        return self._invoke(node, self._library.methods.get(name), name, (node.target, *node.arguments), method=True)

    def _invoke(
        self, node: syntax.Call, function: Function | None, name: str, arguments: Sequence[syntax.Node], *, method: bool
    ) -> Code:
        if function is None:
            raise self.error(f"undeclared reference to '{name}' (in container '')", node)
        given = [self.compile(each) for each in arguments]
        kinds = [each.type for each in given]
        fitting = function.fitting(kinds)
        if not fitting:
            raise self.error(calls.call_message(name, kinds, method=method), node)
        self._check_literal(node, name, arguments)
        runs = tuple(each.run for each in given)
        chosen = function
        cost = 2 + sum(each.cost for each in given)
        return Code(
            lambda frame: chosen.call(frame[METER], [run(frame) for run in runs]),
            types.join(each.result for each in fitting),
            cost,
        )

    def _check_literal(self, node: syntax.Call, name: str, arguments: Sequence[syntax.Node]) -> None:
        """A pattern, time or span that is written out is wrong at once, and not when it is met."""
        last = arguments[-1] if arguments else None
        if name in LITERAL_CHECKS and isinstance(last, syntax.Literal) and isinstance(last.value, str):
            try:
                LITERAL_CHECKS[name](last.value)
            except EvaluationError as error:
                raise self.error(f"invalid {name} argument: {error}", last) from error

    def _unary(self, node: syntax.Unary) -> Code:
        operand = self.compile(node.operand)
        run = operand.run
        wanted = ("dyn", "bool") if node.operator == "!" else ("dyn", "int", "double")
        if operand.type.name not in wanted:
            raise self.error(f"found no matching overload for '{node.operator}_' applied to '({operand.type})'", node)
        if node.operator == "-":
            return Code(lambda frame: operators.negated(run(frame)), operand.type, operand.cost + 1)

        def negate(frame: Frame) -> bool:
            value = run(frame)
            if value is True or value is False:
                return not value
            raise no_overload()

        return Code(negate, types.BOOL, operand.cost + 1)

    def _binary(self, node: syntax.Binary) -> Code:
        left, right = self.compile(node.left), self.compile(node.right)
        kind = operators.result_type(node.operator, left.type, right.type)
        if kind is None:
            shown = "@in" if node.operator == "in" else f"_{node.operator}_"
            raise self.error(f"found no matching overload for '{shown}' applied to '({left.type}, {right.type})'", node)
        operation, run_left, run_right = operators.OPERATORS[node.operator], left.run, right.run
        return Code(lambda frame: operation(run_left(frame), run_right(frame), frame[METER]), kind, left.cost + right.cost + 1)

    def boolean(self, node: syntax.Node, shown: str) -> Code:
        """The code of a part that must be a bool; `shown` is what needs it."""
        code = self.compile(node)
        if code.type.name not in ("dyn", "bool"):
            raise self.error(f"found no matching overload for '{shown}' applied to '({code.type})'", node)
        return code

    def _logical(self, node: syntax.Logical) -> Code:
        parts = [self.boolean(each, f"_{node.operator}_") for each in node.operands]
        runs, decisive = tuple(each.run for each in parts), node.operator == "||"

        def run(frame: Frame) -> bool:
            problem: EvaluationError | None = None
            for each in runs:
                try:
                    value = each(frame)
                except BudgetError:
                    raise
                except EvaluationError as error:
                    problem = problem or error
                    continue
                if value is decisive:
                    return value is True
                if value is not True and value is not False:
                    problem = problem or no_overload()
            if problem is not None:
                raise problem
            return not decisive

        return Code(run, types.BOOL, 1 + sum(each.cost for each in parts))

    def _conditional(self, node: syntax.Conditional) -> Code:
        condition = self.boolean(node.condition, "_?_:_")
        then, otherwise = self.compile(node.then), self.compile(node.otherwise)
        run_condition, run_then, run_otherwise = condition.run, then.run, otherwise.run

        def run(frame: Frame) -> Any:
            value = run_condition(frame)
            if value is True:
                return run_then(frame)
            if value is False:
                return run_otherwise(frame)
            raise no_overload()

        return Code(run, types.join((then.type, otherwise.type)), 1 + condition.cost + then.cost + otherwise.cost)

    def _list(self, node: syntax.ListOf) -> Code:
        parts = [(self.compile(each.value), each.optional) for each in node.elements]
        if all(not optional for _, optional in parts):
            runs = tuple(code.run for code, _ in parts)
            run: Run = lambda frame: [each(frame) for each in runs]  # noqa: E731
            kind = types.list_of(types.join(code.type for code, _ in parts))
        else:
            members = tuple((code.run, optional) for code, optional in parts)
            run, kind = (lambda frame: _present_elements(members, frame)), types.LIST
        return Code(run, kind, 1 + sum(code.cost for code, _ in parts))

    def _entries(self, elements: Sequence[syntax.Element]) -> tuple[tuple[tuple[Run, Run, bool], ...], int, list[Type]]:
        found, cost, kinds = [], 1, []
        for each in elements:
            key, value = self.compile(each.key) if each.key is not None else None, self.compile(each.value)
            assert key is not None, "entries have keys"
            found.append((key.run, value.run, each.optional))
            kinds.append(value.type if not each.optional else types.DYN)
            cost += key.cost + value.cost
        return tuple(found), cost, kinds

    def _map(self, node: syntax.MapOf) -> Code:
        entries, cost, kinds = self._entries(node.elements)
        return Code(lambda frame: _made_map(entries, frame), types.map_of(types.join(kinds)) if kinds else types.MAP, cost)

    def _message(self, node: syntax.Message) -> Code:
        name = node.name
        if name.split(".")[0] not in self._messages:
            raise self.error(f"undeclared reference to '{name}' (in container '')", node)
        entries, cost, _ = self._entries(node.elements)
        return Code(lambda frame: Structure(name, _made_map(entries, frame)), types.Type(name), cost)


def _present_elements(members: Sequence[tuple[Run, bool]], frame: Frame) -> list[Any]:
    found = []
    for run, optional in members:
        value = run(frame)
        if not optional:
            found.append(value)
        elif type(value) is not Optional:
            raise no_overload()
        elif value.present:
            found.append(value.content)
    return found


def _made_map(entries: Sequence[tuple[Run, Run, bool]], frame: Frame) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for run_key, run_value, optional in entries:
        key, value = run_key(frame), run_value(frame)
        if type(key) not in (str, int, bool, values.Uint):
            raise EvaluationError("unsupported key type")
        if optional:
            if type(value) is not Optional:
                raise no_overload()
            if not value.present:
                continue
            value = value.content
        if key in made:
            raise EvaluationError(f"Failed with repeated key [{key}]")
        made[key] = value
    return made
