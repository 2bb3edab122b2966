"""Structural schemas and JSON values of any shape, for properties."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from("abc")


def json_values() -> st.SearchStrategy[Any]:
    """Values that schemas of `schemas` may be about."""
    scalars = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(-5, 5), st.text("xyz", max_size=3))
    return st.recursive(
        scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)), max_leaves=8
    )


def schemas() -> st.SearchStrategy[dict[str, Any]]:
    """Schemas of whole objects."""
    return st.dictionaries(NAMES, _schemas(), max_size=3).map(lambda properties: {"type": "object", "properties": properties})


def _schemas() -> st.SearchStrategy[dict[str, Any]]:
    marks = st.fixed_dictionaries({}, optional={"nullable": st.booleans()})
    texts = st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={"default": st.just("x"), "enum": st.just(["x", "y"]), "maxLength": st.just(2), "pattern": st.just("^x")},
    )
    numbers = st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={"minimum": st.just(0), "multipleOf": st.just(0.5), "default": st.just(1)},
    )
    either = st.just({"x-kubernetes-int-or-string": True})
    open_ = st.just({"type": "object", "x-kubernetes-preserve-unknown-fields": True})
    leaves = st.one_of(texts, numbers, either, open_, st.just({"type": "boolean"}))

    def above(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
        lists = st.fixed_dictionaries(
            {"type": st.just("array"), "items": inner}, optional={"x-kubernetes-list-type": st.sampled_from(["atomic", "set"])}
        )
        objects = st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(NAMES, inner, max_size=3)},
            optional={"default": st.just({}), "required": st.just(["a"])},
        )
        maps = st.fixed_dictionaries({"type": st.just("object"), "additionalProperties": inner})
        return st.one_of(lists, objects, maps)

    return st.builds(lambda schema, mark: {**schema, **mark}, st.recursive(leaves, above, max_leaves=5), marks)
