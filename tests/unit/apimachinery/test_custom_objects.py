"""Objects of kinds that have no class: bytes and back, pruning, tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery import codec
from apimachinery.errors import ApiError
from apimachinery.kinds.custom import Custom
from apimachinery.printing.extensions import custom_shape
from apimachinery.resources import TABLE, Resource, ResourceTable
from tests.support.schemas import json_values

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NAMES = st.sampled_from(["spec", "status", "data", "content", "z"])


class OnlySpec(Custom):
    """A kind that has nothing but a spec."""

    @classmethod
    def pruned(cls, content: dict[str, Any]) -> Sequence[str]:
        others = [name for name in content if name != "spec"]
        for name in others:
            del content[name]
        return others


def whole(content: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a", "resourceVersion": "5"}, **content}


@given(st.dictionaries(NAMES, json_values()))
def test_any_content_there_and_back(content: dict[str, Any]) -> None:
    plain = whole(content)
    obj = codec.decode(Custom, codec.encode(plain))
    assert obj.content == content
    assert codec.to_plain(obj) == plain
    assert codec.decode(Custom, codec.encode(obj)) == obj
    assert codec.decode_plain(codec.encode(obj)) == plain
    assert codec.deep_copy(obj) == obj
    stored = codec.encode_stored(obj)
    assert codec.splice_revision(stored, 5) == codec.encode(obj)


def test_the_own_revision_stands_before_any_content() -> None:
    obj = codec.convert(Custom, whole({"data": {"resourceVersion": "7"}}))
    stored = codec.encode_stored(obj)
    assert stored.index(b'"resourceVersion":""') < stored.index(b'"resourceVersion":"7"')


def test_names_stand_in_one_order_however_they_came() -> None:
    one, other = whole({"spec": {"b": 1, "a": 2}}), whole({"spec": {"a": 2, "b": 1}})
    assert codec.encode(codec.convert(Custom, one)) == codec.encode(codec.convert(Custom, other))


def test_what_is_pruned_is_named_and_nothing_given_is_changed() -> None:
    plain = whole({"spec": {"a": 1}, "other": 1})
    plain["metadata"]["nothing"] = 1
    assert codec.unknown_fields(OnlySpec, plain) == ["metadata.nothing", "other"]
    assert codec.convert(OnlySpec, plain).content == {"spec": {"a": 1}}
    assert plain["other"] == 1
    copied = codec.convert(OnlySpec, plain)
    copied.content["spec"]["a"] = 2
    assert plain["spec"] == {"a": 1}


@pytest.mark.parametrize("given", [[], "x", None, {"metadata": {"labels": {"a": 1}}}, {"kind": 5}])
def test_what_is_no_object_is_refused(given: Any) -> None:
    with pytest.raises(ApiError) as caught:
        codec.convert(Custom, given)
    assert caught.value.code == 400
    assert "_Head" not in str(caught.value)


def test_what_is_nested_without_end_is_refused() -> None:
    value: Any = 1
    for _ in range(400):
        value = [value]
    with pytest.raises(ApiError, match="nested too deeply"):
        codec.convert(Custom, whole({"spec": value}))


COLUMNS = [
    {"name": "Text", "type": "string", "jsonPath": ".spec.text"},
    {"name": "Count", "type": "integer", "jsonPath": ".spec.count", "priority": 1},
    {"name": "Share", "type": "number", "jsonPath": ".spec.share"},
    {"name": "On", "type": "boolean", "jsonPath": ".spec.on"},
    {"name": "Since", "type": "date", "jsonPath": ".status.since"},
    {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
]


@pytest.mark.parametrize(
    ("content", "cells"),
    [
        ({}, ["a", None, None, None, None, None, None]),
        (
            {
                "spec": {"text": "x", "count": 3, "share": 0.5, "on": False},
                "status": {"since": "2026-01-31T11:00:00Z", "conditions": [{"type": "Ready", "status": "True"}]},
            },
            ["a", "x", 3, 0.5, False, "60m", "True"],
        ),
        ({"spec": {"text": {"a": 1}, "count": "3", "share": True, "on": 1}}, ["a", '{"a":1}', None, None, None, None, None]),
        ({"status": {"since": "yesterday"}}, ["a", None, None, None, None, "<invalid>", None]),
    ],
    ids=["nothing there", "everything", "other types", "no time"],
)
def test_tables(content: dict[str, Any], cells: list[Any]) -> None:
    shape = custom_shape(COLUMNS)
    assert shape.cells(whole(content), NOW) == cells
    assert [each.priority for each in shape.columns] == [0, 0, 1, 0, 0, 0, 0]


def test_a_table_without_columns_has_the_age() -> None:
    assert [each.name for each in custom_shape([]).columns] == ["Name", "Age"]


def test_rows_come_and_go_and_displace_no_built_in_one() -> None:
    table = ResourceTable(TABLE.rows)
    row = Resource("example.com", "v1", "things", "Thing", OnlySpec, short_names=("th",))
    table.replace_custom([row, Resource("apps", "v1", "deployments", "Mine", Custom)])
    assert table.custom == (row,)
    assert (table.by_plural("example.com", "v1", "things"), table.find("th")) == (row, row)
    built_in = table.by_plural("apps", "v1", "deployments")
    assert built_in is not None
    assert built_in.kind == "Deployment"
    assert row in table.stored
    before = table.generation
    table.replace_custom([])
    assert (table.by_plural("example.com", "v1", "things"), table.rows, table.generation) == (None, TABLE.rows, before + 1)
