"""Sets of field paths, their spelling, and the shapes that they follow."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.apply import FREE, FieldSet, Form, Shape, fields_of, shape_of, structural_shape
from apimachinery.apply.fields import path_text
from apimachinery.apply.shapes import ATOMIC_TYPES
from apimachinery.kinds import Pod

ELEMENTS = st.sampled_from(("f:a", "f:b", "f:b.c/d", 'k:{"name":"x"}', 'k:{"port":80,"protocol":"TCP"}', 'v:"x"', "v:1", "i:0"))
PATHS = st.lists(ELEMENTS, min_size=1, max_size=4).map(tuple)
SETS = st.lists(PATHS, max_size=8).map(FieldSet.of_paths)


@given(st.lists(PATHS, max_size=8))
def test_a_set_has_the_paths_it_was_made_of(paths: list[tuple[str, ...]]) -> None:
    fields = FieldSet.of_paths(paths)
    assert set(fields) == set(paths)
    assert all(path in fields for path in paths)
    assert bool(fields) is bool(paths)


@given(SETS)
def test_decoding_restores_what_was_encoded(fields: FieldSet) -> None:
    assert FieldSet.decode(fields.encode()) == fields
    assert set(FieldSet.decode(fields.encode())) == set(fields)


@given(SETS, SETS)
def test_operations_are_those_of_sets(left: FieldSet, right: FieldSet) -> None:
    mine, theirs = set(left), set(right)
    assert set(left.union(right)) == mine | theirs
    assert set(left.difference(right)) == mine - theirs
    assert set(left.intersection(right)) == mine & theirs
    assert left.issubset(right) is (mine <= theirs)
    assert left.intersection(right).issubset(left)
    assert (set(left), set(right)) == (mine, theirs)
    below = {path for path in mine if any(path[: len(root)] == root for root in theirs)}
    assert set(left.without_subtrees(right)) == mine - below
    assert (left == right) is (mine == theirs)
    assert left != right or hash(left) == hash(right)


MALFORMED: tuple[tuple[str, Any], ...] = (
    ("no object", []),
    ("no path element", {"spec": {}}),
    ("keys that are no object", {"k:1": {}}),
    ("keys that are no JSON", {"k:{": {}}),
    ("an index that is no number", {'i:"x"': {}}),
    ("a leaf that is no object", {"f:a": 1}),
)


@pytest.mark.parametrize("fields", [row[1] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_malformed(fields: Any) -> None:
    with pytest.raises(ValueError, match=r"a set of fields|path element"):
        FieldSet.decode(fields)


def test_other_spellings_are_understood() -> None:
    assert FieldSet.decode({'k:{ "b": 1, "a": "\\u003c" }': {".": {}}, ".": {}}) == FieldSet({'k:{"a":"<","b":1}': {}})


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("f:spec", "f:replicas"), ".spec.replicas"),
        (("f:spec", "f:containers", 'k:{"name":"web"}', "f:image"), '.spec.containers[name="web"].image'),
        (("f:ports", 'k:{"containerPort":80,"protocol":"TCP"}'), '.ports[containerPort=80,protocol="TCP"]'),
        (("f:metadata", "f:finalizers", 'v:"x/y"'), '.metadata.finalizers[="x/y"]'),
        (("f:list", "i:3"), ".list[3]"),
        (("f:metadata", "f:labels", "f:app.kubernetes.io/name"), ".metadata.labels.app.kubernetes.io/name"),
    ],
)
def test_paths_in_messages(path: tuple[str, ...], text: str) -> None:
    assert path_text(path) == text


def test_order_of_elements() -> None:
    fields = FieldSet.decode(
        {"v:2": {}, "v:10": {}, 'v:"a"': {}, "i:10": {}, "i:9": {}, 'k:{"p":80}': {}, 'k:{"p":9}': {}, "f:z": {}}
    )
    assert list(fields.encode()) == ["f:z", 'k:{"p":9}', 'k:{"p":80}', "v:2", "v:10", 'v:"a"', "i:9", "i:10"]


GIVEN: tuple[tuple[str, Shape, Any, dict[str, Any]], ...] = (
    ("structs count through their members", shape_of(Pod), {"spec": {"hostNetwork": True}}, {"f:spec": {"f:hostNetwork": {}}}),
    ("an empty struct counts itself", shape_of(Pod), {"spec": {"securityContext": {}}}, {"f:spec": {"f:securityContext": {}}}),
    ("entries of maps count", shape_of(Pod), {"metadata": {"labels": {"a": "1"}}}, {"f:metadata": {"f:labels": {"f:a": {}}}}),
    ("an empty map counts itself", shape_of(Pod), {"metadata": {"labels": {}}}, {"f:metadata": {"f:labels": {}}}),
    ("an empty list gives nothing", shape_of(Pod), {"spec": {"containers": []}}, {}),
    (
        "elements count",
        shape_of(Pod),
        {"spec": {"containers": [{"name": "x"}]}},
        {"f:spec": {"f:containers": {'k:{"name":"x"}': {".": {}, "f:name": {}}}}},
    ),
    ("what nobody describes: maps merge, lists are one", FREE, {"a": {"b": [1]}}, {"f:a": {".": {}, "f:b": {}}}),
)


@pytest.mark.parametrize(("shape", "plain", "want"), [row[1:] for row in GIVEN], ids=[row[0] for row in GIVEN])
def test_fields_of_a_configuration(shape: Shape, plain: Any, want: dict[str, Any]) -> None:
    assert fields_of(shape, plain).encode() == want


SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "integer"},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "selector": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": {"type": "string"}}},
                "plain": {"type": "array", "items": {"type": "string"}},
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "ports": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["port", "proto"],
                    "items": {
                        "type": "object",
                        "properties": {"port": {"type": "integer"}, "proto": {"type": "string", "default": "udp"}},
                    },
                },
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "either": {"x-kubernetes-int-or-string": True},
                "pod": {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
            },
        }
    },
}
STRUCTURAL: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
    ("scalar", {"size": 1}, {"f:size": {}}),
    ("map", {"labels": {"a": "1"}}, {"f:labels": {"f:a": {}}}),
    ("atomic map", {"selector": {"a": "1"}}, {"f:selector": {}}),
    ("lists are atomic unless they say otherwise", {"plain": ["x"]}, {"f:plain": {}}),
    ("set", {"tags": ["x"]}, {"f:tags": {'v:"x"': {}}}),
    (
        "keyed list with a default",
        {"ports": [{"port": 1}]},
        {"f:ports": {'k:{"port":1,"proto":"udp"}': {".": {}, "f:port": {}}}},
    ),
    ("unknown fields", {"free": {"a": {"b": 1}}}, {"f:free": {"f:a": {".": {}, "f:b": {}}}}),
    ("int or string", {"either": "10%"}, {"f:either": {}}),
    (
        "embedded object",
        {"pod": {"metadata": {"finalizers": ["a/b"]}}},
        {"f:pod": {"f:metadata": {"f:finalizers": {'v:"a/b"': {}}}}},
    ),
)


@pytest.mark.parametrize(("spec", "want"), [row[1:] for row in STRUCTURAL], ids=[row[0] for row in STRUCTURAL])
def test_structural_schema(spec: dict[str, Any], want: dict[str, Any]) -> None:
    assert fields_of(structural_shape(SCHEMA), {"spec": spec}).encode() == {"f:spec": want}


def test_custom_resources_have_the_metadata_of_every_object() -> None:
    shape = structural_shape({"type": "object", "x-kubernetes-preserve-unknown-fields": True})
    fields = fields_of(shape, {"metadata": {"finalizers": ["a/b"]}, "spec": {"x": 1}})
    assert fields.encode() == {"f:metadata": {"f:finalizers": {'v:"a/b"': {}}}, "f:spec": {".": {}, "f:x": {}}}
    assert shape.fields["metadata"].form is Form.STRUCT


TABLE_PATH = Path(__file__).parents[5] / "shared" / "kubernetes-api" / "v1.36.json"


@pytest.mark.skipif(not TABLE_PATH.exists(), reason="the table of the Kubernetes API is not beside this repository")
def test_atomic_types_are_those_of_the_table() -> None:
    types = json.loads(TABLE_PATH.read_text())["types"]
    assert {name.rpartition(".")[2] for name, facts in types.items() if facts.get("map-type") == "atomic"} == ATOMIC_TYPES
