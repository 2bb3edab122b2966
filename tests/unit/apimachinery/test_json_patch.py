"""JSON patches (RFC 6902) and pointers (RFC 6901), and merge patches (RFC 7386)."""

import copy
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery import patch
from apimachinery.patch import PatchError, PatchFormatError

DOCUMENT = {"a": {"b": [1, 2, 3]}, "x/y": {"m~n": 1}, "": {"": 0}, "t": True, "n": None}


@dataclass(frozen=True)
class Row:
    id: str
    operations: list[dict[str, Any]]
    want: Any
    document: Any = None


def op(name: str, path: str, **more: Any) -> dict[str, Any]:
    return {"op": name, "path": path, **more}


ROWS = (
    Row("no operation", [], {"a": 1}, {"a": 1}),
    Row("add a field", [op("add", "/b", value=2)], {"a": 1, "b": 2}, {"a": 1}),
    Row("add replaces a field", [op("add", "/a", value=2)], {"a": 2}, {"a": 1}),
    Row("add into a list", [op("add", "/a/1", value=9)], {"a": [1, 9, 2]}, {"a": [1, 2]}),
    Row("add at the end by index", [op("add", "/a/2", value=9)], {"a": [1, 2, 9]}, {"a": [1, 2]}),
    Row("add at the end", [op("add", "/a/-", value=9)], {"a": [1, 2, 9]}, {"a": [1, 2]}),
    Row("add null", [op("add", "/a", value=None)], {"a": None}, {}),
    Row("add the whole", [op("add", "", value=[1])], [1], {"a": 1}),
    Row("remove a field", [op("remove", "/a")], {}, {"a": 1}),
    Row("remove an element", [op("remove", "/a/0")], {"a": [2]}, {"a": [1, 2]}),
    Row("replace", [op("replace", "/a/1", value=9)], {"a": [1, 9]}, {"a": [1, 2]}),
    Row("replace the whole", [op("replace", "", value=3)], 3, {"a": 1}),
    Row("move", [op("move", "/b", **{"from": "/a"})], {"b": 1}, {"a": 1}),
    Row("move within a list", [op("move", "/a/2", **{"from": "/a/0"})], {"a": [2, 3, 1]}, {"a": [1, 2, 3]}),
    Row("move onto itself", [op("move", "/a", **{"from": "/a"})], {"a": 1}, {"a": 1}),
    Row("copy", [op("copy", "/b", **{"from": "/a"}), op("add", "/b/c", value=1)], {"a": {}, "b": {"c": 1}}, {"a": {}}),
    Row("test", [op("test", "/a", value={"b": [1.0]})], {"a": {"b": [1]}}, {"a": {"b": [1]}}),
    Row("escaped pointers", [op("replace", "/x~1y/m~0n", value=2)], {"x/y": {"m~n": 2}}, {"x/y": {"m~n": 1}}),
    Row("tilde one is no slash", [op("replace", "/~01", value=2)], {"~1": 2}, {"~1": 1}),
    Row("empty keys", [op("replace", "//", value=1)], {"": {"": 1}}, {"": {"": 0}}),
    Row("unknown members are ignored", [op("add", "/a", value=1, comment="x")], {"a": 1}, {}),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_applies(row: Row) -> None:
    before = copy.deepcopy((row.document, row.operations))
    assert patch.json_patch(row.document, row.operations) == row.want
    assert (row.document, row.operations) == before


REFUSED = (
    ("a missing field", op("remove", "/z")),
    ("a missing parent", op("add", "/z/z", value=1)),
    ("replace of nothing", op("replace", "/z", value=1)),
    ("an index beyond", op("add", "/a/b/4", value=1)),
    ("an index with zeros", op("replace", "/a/b/01", value=1)),
    ("a negative index", op("remove", "/a/b/-1")),
    ("the end, to remove", op("remove", "/a/b/-")),
    ("no index", op("add", "/a/b/x", value=1)),
    ("a digit of another script", op("remove", "/a/b/١")),
    ("an endless index", op("remove", "/a/b/" + "9" * 5000)),
    ("below a scalar", op("add", "/t/x", value=1)),
    ("move into itself", op("move", "/a/b", **{"from": "/a"})),
    ("a failed test", op("test", "/a/b/0", value=2)),
    ("true is not 1", op("test", "/t", value=1)),
    ("null is not absent", op("test", "/z", value=None)),
)
MALFORMED = (
    ("no path", {"op": "remove"}),
    ("no pointer", op("remove", "a")),
    ("no value", op("add", "/z")),
    ("no from", op("move", "/z")),
    ("no op", {"path": "/a"}),
    ("an unknown op", op("merge", "/a", value=1)),
    ("no object", "remove"),
)


@pytest.mark.parametrize(("name", "operation"), REFUSED, ids=[name for name, _ in REFUSED])
def test_refused(name: str, operation: Any) -> None:
    with pytest.raises(PatchError) as caught:
        patch.json_patch(DOCUMENT, [operation])
    assert not isinstance(caught.value, PatchFormatError)


@pytest.mark.parametrize(("name", "operation"), MALFORMED, ids=[name for name, _ in MALFORMED])
def test_malformed(name: str, operation: Any) -> None:
    with pytest.raises(PatchFormatError):
        patch.json_patch(DOCUMENT, [operation])


def test_bounds() -> None:
    many = [op("test", "/a", value=1)] * patch.MAX_OPERATIONS
    assert patch.json_patch({"a": 1}, many) == {"a": 1}
    with pytest.raises(PatchFormatError, match="10000"):
        patch.json_patch({"a": 1}, [*many, many[0]])
    doubling = [op("copy", "/a/-", **{"from": "/a"})] * 64
    with pytest.raises(PatchError, match="copy"):
        patch.json_patch({"a": ["x" * 1000]}, doubling)


def test_depth_is_bounded() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    for apply in (lambda: patch.json_patch(deep, []), lambda: patch.merge_patch({}, _nested(100_000))):
        with pytest.raises(PatchFormatError, match="deeply"):
            apply()


def _nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


MERGES = (
    ("replaces", {"a": "b"}, {"a": "c"}, {"a": "c"}),
    ("adds", {"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ("null deletes", {"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ("lists are replaced", {"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ("a list for a scalar", {"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ("nested", {"a": {"b": "c", "x": 1}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d", "x": 1}}),
    ("nulls in lists stay", {"a": [{"b": "c"}]}, {"a": [1, None]}, {"a": [1, None]}),
    ("no object: the patch", ["a", "b"], ["c", "d"], ["c", "d"]),
    ("the patch is null", {"e": 1}, None, None),
    ("an object for a list", [1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ("nested nulls vanish", {}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
)


@pytest.mark.parametrize(("name", "document", "change", "want"), MERGES, ids=[row[0] for row in MERGES])
def test_merge_patch(name: str, document: Any, change: Any, want: Any) -> None:
    before = copy.deepcopy((document, change))
    assert patch.merge_patch(document, change) == want
    assert (document, change) == before


SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab/~", max_size=2)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3),
    max_leaves=8,
)
WITHOUT_NULLS = st.recursive(
    st.booleans() | st.integers(-3, 3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), WITHOUT_NULLS, max_size=4)


@given(VALUES, VALUES)
def test_replacing_the_whole_and_testing_it(document: Any, other: Any) -> None:
    operations = [op("test", "", value=document), op("replace", "", value=other), op("test", "", value=other)]
    assert patch.equal(patch.json_patch(document, operations), other)


@given(OBJECTS, OBJECTS)
def test_the_patch_of_a_diff_restores_the_target(before: dict[str, Any], after: dict[str, Any]) -> None:
    change = patch.diff(before, after)
    assert patch.equal(patch.merge_patch(before, change), after)
    assert (change == {}) == patch.equal(before, after)


@given(OBJECTS, OBJECTS, OBJECTS)
def test_apply_by_merge_patch(original: dict[str, Any], modified: dict[str, Any], current: dict[str, Any]) -> None:
    once = patch.merge_patch(current, patch.three_way_json_merge_patch(original, modified, current))
    assert patch.three_way_json_merge_patch(modified, modified, once) == {}
    for key in current.keys() - original.keys() - modified.keys():
        assert patch.equal(once[key], current[key])
    for key in original.keys() - modified.keys():
        assert key not in once
