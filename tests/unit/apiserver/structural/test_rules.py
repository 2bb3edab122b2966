"""Rules in CEL: what they say of values and of changes, where, and with which words."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from apiserver.structural import ABSENT, check_rules, compile_rules, compile_schema
from apiserver.structural.rules import Rules


def rules(schema: dict[str, Any]) -> Rules:
    compiled = compile_rules(schema, compile_schema(schema, root=True))
    assert compiled is not None
    return compiled


def spec(*stated: dict[str, Any], **properties: Any) -> Rules:
    inner = {"type": "object", "properties": properties, "x-kubernetes-validations": list(stated)}
    return rules({"type": "object", "properties": {"spec": inner}})


INTEGER, TEXT = {"type": "integer"}, {"type": "string"}
BOUND = {"rule": "self.min <= self.max", "message": "min must not exceed max"}
BOUNDS = {"min": INTEGER, "max": INTEGER}
FINAL = {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "is final"}]}
SAID = {"rule": "self.min > 0", "messageExpression": "'min is ' + string(self.min)"}
PLACED = {"rule": "self.min > 0", "reason": "FieldValueForbidden", "fieldPath": ".min"}
GROWS = {"rule": "!oldSelf.hasValue() || self.min >= oldSelf.value().min", "optionalOldSelf": True, "message": "must grow"}
KEYED = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    "items": {"type": "object", "properties": {"name": TEXT, "value": FINAL}},
}


class Case(NamedTuple):
    id: str
    rules: Rules
    value: dict[str, Any]
    old: Any = ABSENT
    want: tuple[str, ...] = ()


BAD = {"min": 2, "max": 1}
CASES = (
    Case("a rule that holds", spec(BOUND, **BOUNDS), {"min": 1, "max": 1}),
    Case("one that does not", spec(BOUND, **BOUNDS), BAD, want=('spec: Invalid value: "object": min must not exceed max',)),
    Case("not again of what has not changed", spec(BOUND, **BOUNDS), BAD, BAD),
    Case(
        "without a message",
        spec({"rule": "self.min > 0"}, **BOUNDS),
        {"min": 0},
        want=('spec: Invalid value: "object": failed rule: self.min > 0',),
    ),
    Case("with one that is made", spec(SAID, **BOUNDS), {"min": -1}, want=('spec: Invalid value: "object": min is -1',)),
    Case(
        "with a reason and a place",
        spec(PLACED, **BOUNDS),
        {"min": 0},
        want=("spec.min: Forbidden: failed rule: self.min > 0",),
    ),
    Case("a transition is nothing for a new value", spec(a=FINAL), {"a": "x"}),
    Case("a transition", spec(a=FINAL), {"a": "y"}, {"a": "x"}, ('spec.a: Invalid value: "string": is final',)),
    Case("from nothing it is none", spec(a=FINAL), {"a": "y"}, {}),
    Case("with an optional old value: new", spec(GROWS, **BOUNDS), {"min": 1}),
    Case("with an optional old value: grown", spec(GROWS, **BOUNDS), {"min": 2}, {"min": 1}),
    Case(
        "with an optional old value: shrunk",
        spec(GROWS, **BOUNDS),
        {"min": 0},
        {"min": 1},
        ('spec: Invalid value: "object": must grow',),
    ),
    Case(
        "elements of keyed lists are found by their keys",
        spec(l=KEYED),
        {"l": [{"name": "b", "value": "2"}, {"name": "a", "value": "changed"}]},
        {"l": [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]},
        ('spec.l[1].value: Invalid value: "string": is final',),
    ),
    Case(
        "a value that leads nowhere",
        spec({"rule": "self.m['k'] == 'x'"}, m={"type": "object", "additionalProperties": TEXT}),
        {"m": {}},
        want=("spec: Invalid value: \"object\": no such key: k evaluating rule: self.m['k'] == 'x'",),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_check_rules(case: Case) -> None:
    old = case.old if case.old is ABSENT else {"spec": case.old}
    found = check_rules(case.rules, {"spec": case.value}, "", old)
    assert tuple(f"{error.path}: {error.message}" for error in found) == case.want


def test_the_root_knows_the_names_of_the_object() -> None:
    compiled = rules({"type": "object", "x-kubernetes-validations": [{"rule": "self.metadata.name.startsWith('a')"}]})
    assert check_rules(compiled, {"metadata": {"name": "ab"}}) == []
    assert len(check_rules(compiled, {"metadata": {"name": "b"}})) == 1


def test_a_rule_that_costs_too_much_is_given_up() -> None:
    numbers = {"type": "array", "items": INTEGER}
    compiled = spec({"rule": "self.n.all(a, self.n.all(b, self.n.all(c, a + b + c >= 0)))"}, n=numbers)
    (error,) = check_rules(compiled, {"spec": {"n": list(range(500))}})
    assert "cost limit exceeded" in error.message


def test_a_schema_without_rules_costs_nothing() -> None:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": BOUNDS}}}
    assert compile_rules(schema, compile_schema(schema, root=True)) is None
