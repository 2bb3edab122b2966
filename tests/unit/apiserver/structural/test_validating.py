"""Every keyword of a schema, with the sentences that users know; list types; what an update is judged by."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from apiserver.structural import PatternError, compile_pattern, compile_schema, validate


class Case(NamedTuple):
    id: str
    schema: dict[str, Any]
    value: Any
    want: tuple[str, ...] = ()


INTEGER, NUMBER, TEXT = {"type": "integer"}, {"type": "number"}, {"type": "string"}
KEYED = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    "items": {"type": "object", "properties": {"name": TEXT, "size": {"type": "integer", "maximum": 3}}},
}
ANY_OF = {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}
ONE_OF = {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}

CASES = (
    Case("an integer", INTEGER, 3),
    Case("a whole number is an integer", INTEGER, 3.0),
    Case("a text is none", INTEGER, "3", ('v: Invalid value: "string": v in body must be of type integer: "string"',)),
    Case("a fraction is none", INTEGER, 1.5, ('v: Invalid value: "number": v in body must be of type integer: "number"',)),
    Case("an integer is a number", NUMBER, 3),
    Case("true is no number", NUMBER, True, ('v: Invalid value: "boolean": v in body must be of type number: "boolean"',)),
    Case("null where it may not stand", TEXT, None, ('v: Invalid value: "null": v in body must be of type string: "null"',)),
    Case("null where it may", {**TEXT, "nullable": True}, None),
    Case("int or string: either", {"x-kubernetes-int-or-string": True}, "80"),
    Case(
        "int or string: nothing else",
        {"x-kubernetes-int-or-string": True},
        True,
        ('v: Invalid value: "boolean": v in body must be of type integer,string: "boolean"',),
    ),
    Case("enum", {**TEXT, "enum": ["a", "b"]}, "a"),
    Case("not in the enum", {**TEXT, "enum": ["a", "b"]}, "c", ('v: Unsupported value: "c": supported values: "a", "b"',)),
    Case("1 is not true", {"enum": [True]}, 1, ('v: Unsupported value: 1: supported values: "true"',)),
    Case("minimum", {**INTEGER, "minimum": 2.0}, 1, ("v: Invalid value: 1: v in body should be greater than or equal to 2",)),
    Case(
        "exclusive minimum",
        {**INTEGER, "minimum": 2.0, "exclusiveMinimum": True},
        2,
        ("v: Invalid value: 2: v in body should be greater than 2",),
    ),
    Case("maximum", {**NUMBER, "maximum": 1.5}, 1.6, ("v: Invalid value: 1.6: v in body should be less than or equal to 1.5",)),
    Case(
        "exclusive maximum",
        {**NUMBER, "maximum": 1.5, "exclusiveMaximum": True},
        1.5,
        ("v: Invalid value: 1.5: v in body should be less than 1.5",),
    ),
    Case("multiple of a fraction", {**NUMBER, "multipleOf": 0.1}, 0.3),
    Case(
        "not a multiple",
        {**NUMBER, "multipleOf": 0.1},
        0.35,
        ("v: Invalid value: 0.35: v in body should be a multiple of 0.1",),
    ),
    Case(
        "more than 32 bits",
        {**INTEGER, "format": "int32"},
        1 << 31,
        ("v: Invalid value: 2147483648: Checked value must be of type integer with format int32",),
    ),
    Case("too short", {**TEXT, "minLength": 2}, "a", ('v: Invalid value: "a": v in body should be at least 2 chars long',)),
    Case("too long", {**TEXT, "maxLength": 2}, "äää", ("v: Too long: may not be more than 2 bytes",)),
    Case("a pattern matches anywhere", {**TEXT, "pattern": "b+"}, "abbc"),
    Case("no match", {**TEXT, "pattern": "^b+$"}, "abbc", ("v: Invalid value: \"abbc\": v in body should match '^b+$'",)),
    Case(
        "format",
        {**TEXT, "format": "date-time"},
        "now",
        ('v: Invalid value: "now": v in body must be of type date-time: "now"',),
    ),
    Case("an unknown format is a description", {**TEXT, "format": "poem"}, "now"),
    Case(
        "too few items", {"type": "array", "minItems": 1}, [], ("v: Invalid value: 0: v in body should have at least 1 items",)
    ),
    Case("too many items", {"type": "array", "maxItems": 1}, [1, 2], ("v: Too many: 2: must have at most 1 items",)),
    Case(
        "unique items",
        {"type": "array", "uniqueItems": True},
        [1, 1.0],
        ("v: Invalid value: [1,1.0]: v in body shouldn't contain duplicates",),
    ),
    Case("required", {"type": "object", "required": ["a"]}, {}, ("v.a: Required value",)),
    Case(
        "too few members",
        {"type": "object", "minProperties": 1},
        {},
        ("v: Invalid value: 0: v in body should have at least 1 properties",),
    ),
    Case("too many members", {"type": "object", "maxProperties": 0}, {"a": 1}, ("v: Too many: 1: must have at most 0 items",)),
    Case(
        "values of a map",
        {"type": "object", "additionalProperties": INTEGER},
        {"k": "x"},
        ('v.k: Invalid value: "string": v.k in body must be of type integer: "string"',),
    ),
    Case(
        "items",
        {"type": "array", "items": TEXT},
        ["a", 1],
        ('v[1]: Invalid value: "integer": v[1] in body must be of type string: "integer"',),
    ),
    Case(
        "all of",
        {"allOf": [{"minimum": 1}, {"maximum": 3}]},
        4,
        ("v: Invalid value: 4: v in body should be less than or equal to 3",),
    ),
    Case("any of", ANY_OF, {"b": 1}),
    Case(
        "none of any",
        ANY_OF,
        {},
        ('v: Invalid value: "": "v" must validate at least one schema (anyOf)', "v.a: Required value"),
    ),
    Case("one of", ONE_OF, {"b": 1}),
    Case(
        "two of one",
        ONE_OF,
        {"a": 1, "b": 1},
        ('v: Invalid value: "": "v" must validate one and only one schema (oneOf). Found 2 valid alternatives',),
    ),
    Case(
        "none of one",
        ONE_OF,
        {},
        ('v: Invalid value: "": "v" must validate one and only one schema (oneOf). Found none valid', "v.a: Required value"),
    ),
    Case("not", {"not": {"enum": ["a"]}}, "a", ('v: Invalid value: "": "v" must not validate the schema (not)',)),
    Case("a set", {"type": "array", "x-kubernetes-list-type": "set"}, ["a", "b"]),
    Case(
        "twice in a set", {"type": "array", "x-kubernetes-list-type": "set"}, ["a", "b", "a"], ('v[2]: Duplicate value: "a"',)
    ),
    Case("keys that stand twice", KEYED, [{"name": "a"}, {"name": "a", "size": 1}], ('v[1]: Duplicate value: {"name":"a"}',)),
    Case(
        "an object inside says what it is",
        {"type": "object", "x-kubernetes-embedded-resource": True},
        {"kind": "Pod"},
        ("v.apiVersion: Required value: must not be empty",),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_validate(case: Case) -> None:
    found = validate(compile_schema(case.schema), case.value, "v")
    assert tuple(f"{error.path}: {error.message}" for error in found) == case.want


FORMATS = {
    "bsonobjectid": ("5f1a0b1c2d3e4f5a6b7c8d9e", "5f1a"),
    "byte": ("aGk=", "a"),
    "cidr": ("10.0.0.0/8", "10.0.0.0"),
    "creditcard": ("4111 1111 1111 1111", "4111 1111 1111 1112"),
    "date": ("2026-01-31", "2026-02-31"),
    "date-time": ("2026-01-31T12:00:00.5+01:00", "2026-01-31 12:00"),
    "duration": ("1h30m", "soon"),
    "email": ("a@example.com", "a"),
    "hexcolor": ("#0Ff", "#0F"),
    "hostname": ("example.com", "-example"),
    "ipv4": ("10.0.0.1", "10.0.0.256"),
    "ipv6": ("fe80::1", "10.0.0.1"),
    "isbn": ("978-0321751041", "978-0321751042"),
    "isbn10": ("0321751043", "0321751044"),
    "mac": ("01:23:45:67:89:ab", "01:23"),
    "rgbcolor": ("rgb(255,0,10)", "rgb(256,0,10)"),
    "ssn": ("123-45-6789", "123-45"),
    "uri": ("https://example.com/a", "example"),
    "uuid": ("0fe9f2a4-1b2c-4d3e-8f4a-5b6c7d8e9f00", "0fe9"),
    "uuid4": ("0fe9f2a4-1b2c-4d3e-8f4a-5b6c7d8e9f00", "0fe9f2a4-1b2c-3d3e-8f4a-5b6c7d8e9f00"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats(name: str) -> None:
    right, wrong = FORMATS[name]
    node = compile_schema({"type": "string", "format": name})
    assert validate(node, right, "v") == []
    assert [error.path for error in validate(node, wrong, "v")] == ["v"]


def test_what_has_not_changed_is_not_judged_again() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 1}, "b": {"type": "integer"}, "l": KEYED}}
    node = compile_schema(schema)
    old = {"a": "long", "b": 1, "l": [{"name": "x", "size": 9}, {"name": "y"}]}
    assert validate(node, {**old, "b": 2}, "", old) == []
    moved = {**old, "l": [{"name": "y", "size": 9}, {"name": "x", "size": 9}]}
    assert [error.path for error in validate(node, moved, "", old)] == ["l[0].size"]
    assert [error.path for error in validate(node, {**old, "a": "longer"}, "", old)] == ["a"]


def test_patterns_take_time_that_is_linear() -> None:
    assert compile_pattern("^(a+)+$").search("a" * 50_000 + "b") is None
    with pytest.raises(PatternError):
        compile_pattern("(?=a)")
