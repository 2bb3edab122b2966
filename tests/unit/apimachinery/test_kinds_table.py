"""The classes against the table of Kubernetes 1.36: names, types, lists and merge keys of every type that is reachable.

The table is not part of this repository; where it is not there, there is nothing to compare with.
"""

import json
import types
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from apimachinery import kinds
from apimachinery.kinds.base import Merge
from apimachinery.kinds.object import Object
from apimachinery.resources import TABLE, Resource

TABLE_PATH = Path(__file__).parents[4] / "shared" / "kubernetes-api" / "v1.36.json"
pytestmark = pytest.mark.skipif(not TABLE_PATH.exists(), reason="the table of the Kubernetes API is not beside this repository")

Facts = dict[str, Any]
_KINDS_ONLY_HERE = ("Object",)


@cache
def table() -> Facts:
    loaded: Facts = json.loads(TABLE_PATH.read_text())
    return loaded


def all_types() -> Iterator[type[msgspec.Struct]]:
    """Every class of the object model that states a type of the table, as the first line of its docstring says."""
    for value in vars(kinds).values():
        if isinstance(value, type) and issubclass(value, msgspec.Struct) and value.__name__ not in _KINDS_ONLY_HERE:
            yield from _reachable(value, set())


def _reachable(cls: type[msgspec.Struct], seen: set[type]) -> Iterator[type[msgspec.Struct]]:
    if cls in seen:
        return
    seen.add(cls)
    yield cls
    for hint in get_type_hints(cls).values():
        for part in (hint, *get_args(hint), *(inner for each in get_args(hint) for inner in get_args(each))):
            if isinstance(part, type) and issubclass(part, msgspec.Struct):
                yield from _reachable(part, seen)


def type_name(cls: type[msgspec.Struct]) -> str:
    return (cls.__doc__ or "").strip().partition("\n")[0]


TYPES = sorted({type_name(cls): cls for cls in all_types()}.items())


@pytest.mark.parametrize(("name", "cls"), TYPES, ids=[name for name, _ in TYPES])
def test_a_type_has_the_fields_of_the_table(name: str, cls: type[msgspec.Struct]) -> None:
    facts = table()["types"].get(name)
    if facts is None:
        pytest.fail(f"{cls.__name__}: its docstring {name!r} names no type of the table")
    hints = get_type_hints(cls, include_extras=True)
    fields = dict(zip(cls.__struct_encode_fields__, (hints[field] for field in cls.__struct_fields__), strict=True))
    assert fields.keys() == facts["fields"].keys()
    stated = {wire_name: describe(hint) for wire_name, hint in fields.items()}
    assert stated == {wire_name: expected(field) for wire_name, field in facts["fields"].items()}


@pytest.mark.parametrize(("name", "cls"), TYPES, ids=[name for name, _ in TYPES])
def test_required_fields_are_always_written(name: str, cls: type[msgspec.Struct]) -> None:
    written = msgspec.to_builtins(cls()).keys()
    facts = table()["types"][name]
    missing = [field for field in facts["required"] if field not in written]
    assert [field for field in missing if not str(facts["fields"][field]).endswith("Time")] == []  # a time has no default


@pytest.mark.parametrize("resource", TABLE.rows, ids=lambda resource: f"{resource.api_version}/{resource.plural}")
def test_a_resource_is_where_the_table_has_it(resource: Resource) -> None:
    group = f"{resource.group}/" if resource.group else ""
    keys = (f"{group}{resource.version}/{resource.plural}", f"core/{resource.version}/{resource.plural}")
    facts = next(table()["resources"][key] for key in keys if key in table()["resources"])
    assert facts["kind"] == resource.kind
    assert facts["namespaced"] == resource.namespaced
    assert set(resource.subresources) <= set(facts["subresources"])
    assert issubclass(resource.cls, Object)


def expected(field: Any) -> Facts:
    """A field of the table in the words of `describe`."""
    if isinstance(field, str):
        field = {"type": field}
    kept = ("listType", "listMapKeys", "patchStrategy", "patchMergeKey", "mapType")
    return {"type": _loosened(field["type"])} | {key: _as_set(field[key]) for key in kept if key in field}


def _as_set(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


_ALIASES = {
    "meta/v1.Time": "time",
    "meta/v1.MicroTime": "time",
    "meta/v1.FieldsV1": "any",
    "RawExtension": "any",
    "string:byte": "string",
    "apiextensions/v1.CustomResourceSubresourceStatus": "any",
    "apiextensions/v1.JSON": "any",
    "apiextensions/v1.JSONSchemaPropsOrArray": "apiextensions/v1.JSONSchemaProps",
    "apiextensions/v1.JSONSchemaPropsOrBool": "apiextensions/v1.JSONSchemaProps",
    "apiextensions/v1.JSONSchemaPropsOrStringArray": "apiextensions/v1.JSONSchemaProps",
}


def _loosened(name: str) -> str:
    for bracket, closing in (("[", "]"), ("{", "}")):
        if name.startswith(bracket):
            return f"{bracket}{_loosened(name[1:-1])}{closing}"
    return _ALIASES.get(name, name)


def describe(hint: Any) -> Facts:
    """What an annotation says, in the words of the table."""
    merge = Merge()
    if get_origin(hint) is Annotated:
        merge = next((mark for mark in hint.__metadata__ if isinstance(mark, Merge)), merge)
    facts: Facts = {"type": _type(hint)}
    for key, value in (
        ("listType", merge.list_type),
        ("listMapKeys", merge.keys),
        ("patchStrategy", merge.patch),
        ("patchMergeKey", merge.merge_key),
        ("mapType", merge.map_type),
    ):
        if value:
            facts[key] = value
    return facts


def _type(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _annotated(arguments)
    if origin in (Union, types.UnionType):
        return _union([each for each in arguments if each is not type(None)])
    if origin is list:
        return f"[{_type(arguments[0])}]"
    if origin is dict:
        return f"{{{_type(arguments[1])}}}"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return type_name(hint)
    names = {str: "string", bool: "boolean", float: "number:double", Any: "any"}
    return names[hint]


def _annotated(arguments: tuple[Any, ...]) -> str:
    meta = next((mark for mark in arguments[1:] if isinstance(mark, msgspec.Meta)), None)
    if meta is None:
        return _type(arguments[0])
    if arguments[0] is int:
        return "integer:int32" if meta.le == (1 << 31) - 1 else "integer:int64"
    return "time"


def _union(options: list[Any]) -> str:
    if set(options) == {str, int, float}:
        return "Quantity"
    if len(options) == 2 and str in options:
        return "IntOrString"
    return _type(options[0])
