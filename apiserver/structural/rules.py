"""Rules in CEL that a schema states of its values (`x-kubernetes-validations`).

`compile_rules` makes a tree that has only the places with rules in or below them, so that an object is walked no further than
needed; None for a schema without rules. A rule that speaks of `oldSelf` is about transitions: it is asked on updates, of values
whose old state is known. Other rules are not asked again of what has not changed.

Source: the Kubernetes page on CustomResourceDefinitions, section "Validation rules"; the API reference of ValidationRule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apimachinery.errors import Cause, FieldError
from apiserver import cel
from apiserver.cel import types
from apiserver.cel.schemas import type_of, typed
from apiserver.cel.values import NOTHING, Optional
from apiserver.structural.schema import ABSENT, Node, Rule
from apiserver.structural.validating import elements_by_key, old_element
from apiserver.structural.values import same

CAUSES: Mapping[str, Cause] = {
    "": Cause.INVALID,
    "FieldValueInvalid": Cause.INVALID,
    "FieldValueForbidden": Cause.FORBIDDEN,
    "FieldValueRequired": Cause.REQUIRED,
    "FieldValueDuplicate": Cause.DUPLICATE,
}
"""What a rule may give as its reason."""

_OLD = re.compile(r"\boldSelf\b")


@dataclass(frozen=True, eq=False)
class _Compiled:
    rule: Rule
    program: cel.Program
    message: cel.Program | None
    of_transitions: bool


@dataclass(frozen=True, eq=False)
class Rules:
    """The rules of one place, and the places below it that have some."""

    schema: Mapping[str, Any]
    node: Node
    compiled: Sequence[_Compiled] = ()
    properties: Mapping[str, Rules] = field(default_factory=dict)
    additional: Rules | None = None
    items: Rules | None = None


def is_transition(rule: str) -> bool:
    """Whether a rule compares with the state before."""
    return _OLD.search(rule) is not None


def compile_one(rule: Rule, schema: Mapping[str, Any], *, root: bool = False) -> tuple[cel.Program, cel.Program | None]:
    """A rule and the expression of its message; raises CompileError."""
    self_type = type_of(schema, root=root)
    variables = {"self": self_type, "oldSelf": types.OPTIONAL if rule.optional_old_self else self_type}
    program = cel.compile(rule.rule, variables)
    message = cel.compile(rule.message_expression, variables, result=cel.STRING) if rule.message_expression else None
    return program, message


def compile_rules(schema: Mapping[str, Any], node: Node, *, root: bool = True) -> Rules | None:
    """The rules of a valid schema and of all below it."""
    compiled = [
        _Compiled(rule, *compile_one(rule, schema, root=root or node.whole_object), is_transition(rule.rule))
        for rule in node.rules
    ]
    properties = {
        name: found
        for name, part in schema.get("properties", {}).items()
        if (found := compile_rules(part, node.properties[name], root=False)) is not None
    }
    additional = compile_rules(schema["additionalProperties"], node.additional, root=False) if node.additional else None
    items = compile_rules(schema["items"], node.items, root=False) if node.items else None
    if not compiled and not properties and additional is None and items is None:
        return None
    return Rules(schema, node, compiled, properties, additional, items)


def check_rules(rules: Rules, value: Any, path: str = "", old: Any = ABSENT) -> list[FieldError]:
    """What the rules say is wrong with a valid value, of which `old` is the state that is stored (ABSENT: none)."""
    budget = cel.Budget()
    return list(_broken(rules, value, path, old, budget))


def _broken(rules: Rules, value: Any, path: str, old: Any, budget: cel.Budget) -> Iterator[FieldError]:
    if value is None:
        return
    unchanged = old is not ABSENT and same(value, old)
    if rules.compiled:
        yield from _broken_here(rules, value, path, old, budget, unchanged=unchanged)
    if isinstance(value, dict):
        before = old if isinstance(old, dict) else {}
        for name, member in value.items():
            below = rules.properties.get(name) or (rules.additional if name not in rules.node.properties else None)
            if below is not None:
                yield from _broken(below, member, f"{path}.{name}" if path else name, before.get(name, ABSENT), budget)
    elif isinstance(value, list) and rules.items is not None:
        known = elements_by_key(rules.node, old)
        for index, item in enumerate(value):
            yield from _broken(rules.items, item, f"{path}[{index}]", old_element(rules.node, known, item), budget)


def _broken_here(rules: Rules, value: Any, path: str, old: Any, budget: cel.Budget, *, unchanged: bool) -> Iterator[FieldError]:
    values: dict[str, object] = {}
    for each in rules.compiled:
        if each.of_transitions:
            if old is ABSENT and not each.rule.optional_old_self:
                continue
        elif unchanged:
            continue
        if not values:
            values = {"self": typed(value, rules.schema)}
            if old is not ABSENT:
                values["oldSelf"] = typed(old, rules.schema)
        given = values
        if each.rule.optional_old_self:
            given = {**values, "oldSelf": Optional(True, values["oldSelf"]) if "oldSelf" in values else NOTHING}
        try:
            if each.program.evaluate(given, budget):
                continue
        except cel.EvaluationError as error:
            yield FieldError.invalid(path, rules.node.type, f"{error} evaluating rule: {each.rule.message or each.rule.rule}")
            if isinstance(error, cel.BudgetError):
                return
            continue
        yield _error(rules, each, path, _message(each, given, budget))


def _message(each: _Compiled, values: Mapping[str, object], budget: cel.Budget) -> str:
    """What the expression of the message says, if it says something printable on one line."""
    if each.message is not None:
        try:
            said = str(each.message.evaluate(values, budget)).strip()
        except cel.EvaluationError:
            said = ""
        if said and "\n" not in said:
            return said
    return each.rule.message.strip() or f"failed rule: {each.rule.rule.strip()}"


def _error(rules: Rules, each: _Compiled, path: str, message: str) -> FieldError:
    where = f"{path}{each.rule.field_path}" if path else each.rule.field_path.removeprefix(".")
    match CAUSES.get(each.rule.reason, Cause.INVALID):
        case Cause.FORBIDDEN:
            return FieldError.forbidden(where, message)
        case Cause.REQUIRED:
            return FieldError.required(where, message)
        case Cause.DUPLICATE:
            return FieldError(where, Cause.DUPLICATE, f'Duplicate value: "{rules.node.type}": {message}')
        case _:
            return FieldError.invalid(where, rules.node.type, message)
