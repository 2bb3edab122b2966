"""Templates applied to data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kctl.gotemplate import functions
from kctl.gotemplate.functions import MISSING, Missing
from kctl.gotemplate.nodes import (
    Body,
    Call,
    Choice,
    Command,
    Field,
    Function,
    Jump,
    Literal,
    Loop,
    Pipeline,
    Show,
    TemplateError,
    Text,
    Variable,
)

CALLS_MAX = 50


class _Jumped(Exception):  # noqa: N818 - no error: a loop's way out
    def __init__(self, jump: Jump) -> None:
        super().__init__()
        self.jump = jump


class Running:
    """One use of a template."""

    def __init__(self, defined: Mapping[str, Body]) -> None:
        self._defined = defined
        self._out: list[str] = []
        self._scopes: list[dict[str, Any]] = []  # the innermost last
        self._calls = 0

    def run(self, body: Body, data: Any) -> str:
        """The text; raises TemplateError."""
        self._scopes = [{"$": data}]
        try:
            self._body(body, data)
        except _Jumped as jumped:
            raise TemplateError("{{break}} or {{continue}} outside {{range}}") from jumped
        return "".join(self._out)

    def _body(self, body: Body, dot: Any) -> None:
        self._scopes.append({})
        try:
            for node in body:
                self._node(node, dot)
        finally:
            self._scopes.pop()

    def _node(self, node: Any, dot: Any) -> None:
        match node:
            case Text():
                self._out.append(node.text)
            case Show():
                value = self._pipeline(node.pipeline, dot)
                if not node.pipeline.variables:
                    self._out.append("<no value>" if value is None else functions.text(value))
            case Choice():
                self._choice(node, dot)
            case Loop():
                self._loop(node, dot)
            case Jump():
                raise _Jumped(node)
            case Call():
                self._call(node, dot)

    def _choice(self, node: Choice, dot: Any) -> None:
        self._scopes.append({})
        try:
            value = self._pipeline(node.pipeline, dot)
            if functions.true(value):
                self._body(node.body, value if node.moves_dot else dot)
            else:
                self._body(node.otherwise, dot)
        finally:
            self._scopes.pop()

    def _loop(self, node: Loop, dot: Any) -> None:
        bare = Pipeline(node.pipeline.commands)
        rows = list(_rows(self._pipeline(bare, dot)))
        names = node.pipeline.variables
        for key, value in rows:
            self._scopes.append(dict(zip(names, (value,) if len(names) == 1 else (key, value), strict=False)))
            try:
                self._body(node.body, value)
            except _Jumped as jumped:
                if jumped.jump.leaves:
                    break
            finally:
                self._scopes.pop()
        if not rows:
            self._body(node.otherwise, dot)

    def _call(self, node: Call, dot: Any) -> None:
        if node.name not in self._defined:
            raise TemplateError(f'template "{node.name}" not defined')
        self._calls += 1
        if self._calls > CALLS_MAX:
            raise TemplateError("templates call each other too deeply")
        value = self._pipeline(node.pipeline, dot) if node.pipeline else None
        kept, self._scopes = self._scopes, [{"$": value}]
        try:
            self._body(self._defined[node.name], value)
        finally:
            self._scopes = kept
        self._calls -= 1

    def _pipeline(self, pipeline: Pipeline, dot: Any) -> Any:
        value: Any = None
        for place, command in enumerate(pipeline.commands):
            value = self._command(command, dot, [value] if place else [])
        for name in pipeline.variables:
            scope = self._scopes[-1] if pipeline.declares else self._scope_of(name)
            scope[name] = value
        return value

    def _command(self, command: Command, dot: Any, piped: list[Any]) -> Any:
        head, *rest = command.words
        if not isinstance(head, Function):
            if rest or piped:
                raise TemplateError("can't give argument to what is no function")
            return self._operand(head, dot)
        if head.name in ("and", "or"):
            return self._lazy(head.name, [*rest, *map(Literal, piped)], dot)
        return functions.call(head.name, [*(self._operand(word, dot) for word in rest), *piped])

    def _lazy(self, name: str, words: list[Any], dot: Any) -> Any:
        value: Any = None
        for word in words:
            value = self._operand(word, dot)
            if functions.true(value) == (name == "or"):
                return value
        return value

    def _operand(self, word: Any, dot: Any) -> Any:
        match word:
            case Literal():
                return word.value
            case Variable():
                return self._scope_of(word.name)[word.name]
            case Field():
                return _walk(dot if word.of is None else self._operand(word.of, dot), word.names)
            case Pipeline():
                return self._pipeline(word, dot)
            case Function():
                return functions.call(word.name, []) if word.name in functions.FUNCTIONS else None
        raise AssertionError(f"no operand: {word}")

    def _scope_of(self, name: str) -> dict[str, Any]:
        for scope in self._scopes[::-1]:
            if name in scope:
                return scope
        raise TemplateError(f'undefined variable "{name}"')


def _walk(value: Any, names: tuple[str, ...]) -> Any:
    for place, name in enumerate(names):
        if isinstance(value, Mapping):
            value = value.get(name, MISSING)
        elif value is None or isinstance(value, Missing):
            raise TemplateError(f"nil data; no entry for key {name!r} below {'.'.join(names[:place]) or '.'}")
        else:
            raise TemplateError(f"can't evaluate field {name} in type {type(value).__name__}")
    return value


def _rows(value: Any) -> Iterator[tuple[Any, Any]]:
    match value:
        case Mapping():
            yield from ((key, value[key]) for key in sorted(value))
        case list():
            yield from enumerate(value)
        case None | Missing():
            return
        case int() if not isinstance(value, bool):
            yield from ((place, place) for place in range(value))
        case _:
            raise TemplateError(f"range can't iterate over {functions.text(value)}")
