"""What a schema drops from an object and what it adds: a table, and what holds for any schema and any value."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.structural import Node, compile_schema, fill_defaults, prune, validate
from tests.support.schemas import json_values, schemas


def obj(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


TEXT = {"type": "string"}
OPEN = {"x-kubernetes-preserve-unknown-fields": True}


class Pruned(NamedTuple):
    id: str
    schema: dict[str, Any]
    value: Any
    want: Any
    dropped: list[str]


PRUNED = (
    Pruned("nothing is dropped that is described", obj(a=TEXT), {"a": "x"}, {"a": "x"}, []),
    Pruned("what is not described is", obj(a=TEXT), {"b": 1, "a": "x"}, {"a": "x"}, ["b"]),
    Pruned("at every depth", obj(a=obj(b=TEXT)), {"a": {"c": {}}}, {"a": {}}, ["a.c"]),
    Pruned(
        "in lists",
        obj(a={"type": "array", "items": obj(b=TEXT)}),
        {"a": [{"b": "x"}, {"c": 1}]},
        {"a": [{"b": "x"}, {}]},
        ["a[1].c"],
    ),
    Pruned(
        "in maps",
        obj(a={"type": "object", "additionalProperties": obj(b=TEXT)}),
        {"a": {"k": {"c": 1}}},
        {"a": {"k": {}}},
        ["a.k.c"],
    ),
    Pruned(
        "not where anything may stand",
        obj(a={"type": "object", **OPEN}),
        {"a": {"c": {"d": 1}}},
        {"a": {"c": {"d": 1}}},
        [],
    ),
    Pruned(
        "but below that again, where it is described",
        obj(a={**obj(b=obj(c=TEXT)), **OPEN}),
        {"a": {"b": {"c": "x", "d": 1}, "e": 1}},
        {"a": {"b": {"c": "x"}, "e": 1}},
        ["a.b.d"],
    ),
    Pruned(
        "nor in a map of anything",
        obj(a={"type": "object", "additionalProperties": True}),
        {"a": {"k": [1]}},
        {"a": {"k": [1]}},
        [],
    ),
    Pruned(
        "what every object has stays in one inside of another",
        obj(a={**obj(spec=TEXT), "x-kubernetes-embedded-resource": True}),
        {"a": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "b": 1}},
        {"a": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}},
        ["a.b"],
    ),
    Pruned("a number or a text has nothing to drop", obj(a={"x-kubernetes-int-or-string": True}), {"a": "1"}, {"a": "1"}, []),
    Pruned("what is of another type is left to validation", obj(a=obj(b=TEXT)), {"a": [{"c": 1}]}, {"a": [{"c": 1}]}, []),
)


@pytest.mark.parametrize("case", PRUNED, ids=lambda case: case.id)
def test_prune(case: Pruned) -> None:
    value = deepcopy(case.value)
    assert prune(compile_schema(case.schema), value) == case.dropped
    assert value == case.want


class Filled(NamedTuple):
    id: str
    schema: dict[str, Any]
    value: Any
    want: Any


DEEP = {**obj(b={**TEXT, "default": "x"}), "default": {}}
FILLED = (
    Filled("what is not given", obj(a={**TEXT, "default": "x"}), {}, {"a": "x"}),
    Filled("not what is", obj(a={**TEXT, "default": "x"}), {"a": ""}, {"a": ""}),
    Filled("a default is filled in turn", obj(a=DEEP), {}, {"a": {"b": "x"}}),
    Filled("nothing is made only to hold one", obj(a=obj(b={**TEXT, "default": "x"})), {}, {}),
    Filled("a null that may not stand counts as not given", obj(a={**TEXT, "default": "x"}), {"a": None}, {"a": "x"}),
    Filled("and goes where there is no default", obj(a=TEXT), {"a": None}, {}),
    Filled("one that may stand stays", obj(a={**TEXT, "nullable": True, "default": "x"}), {"a": None}, {"a": None}),
    Filled(
        "in lists and maps",
        obj(l={"type": "array", "items": DEEP}, m={"type": "object", "additionalProperties": DEEP}),
        {"l": [{}], "m": {"k": {}}},
        {"l": [{"b": "x"}], "m": {"k": {"b": "x"}}},
    ),
    Filled("false and zero are defaults", obj(a={"type": "boolean", "default": False}), {}, {"a": False}),
)


@pytest.mark.parametrize("case", FILLED, ids=lambda case: case.id)
def test_fill_defaults(case: Filled) -> None:
    node = compile_schema(case.schema)
    value = deepcopy(case.value)
    fill_defaults(node, value)
    assert value == case.want
    fill_defaults(node, value)
    assert value == case.want


def test_a_default_is_not_shared_between_objects() -> None:
    node = compile_schema(obj(a={"type": "object", "default": {"k": "v"}, "additionalProperties": TEXT}))
    one: dict[str, Any] = {}
    other: dict[str, Any] = {}
    fill_defaults(node, one)
    fill_defaults(node, other)
    one["a"]["k"] = "changed"
    assert other == {"a": {"k": "v"}}


@given(schemas(), st.dictionaries(st.sampled_from("abc"), json_values()))
def test_any_object_of_any_schema(schema: dict[str, Any], value: dict[str, Any]) -> None:
    """Pruning finds nothing the second time, and adds nothing; defaulting is stable; validation answers."""
    node = compile_schema(schema, root=True)
    before = deepcopy(value)
    dropped = prune(node, value)
    assert bool(dropped) == (value != before)
    assert prune(node, value) == []
    fill_defaults(node, value)
    once = deepcopy(value)
    fill_defaults(node, value)
    assert value == once
    for error in validate(node, value):
        assert error.message
    assert validate(node, value, "", deepcopy(value)) == [], "what has not changed is not judged"


@given(json_values())
def test_what_may_be_anything_is_anything(value: Any) -> None:
    node = Node(preserves_unknown=True)
    before = deepcopy(value)
    assert prune(node, value) == []
    fill_defaults(node, value)
    assert value == before
    assert validate(node, value) == []
