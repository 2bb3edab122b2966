"""Rules for the schemas of custom resources: what makes one structural, and what its extensions ask for.

Structural means: each place says its type, apart from what junctors (allOf, anyOf, oneOf, not) add to what is said of its
value.
Source: the Kubernetes page on CustomResourceDefinitions, section "Specifying a structural schema"; the API reference of
JSONSchemaProps.
"""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any, TypeAlias

from apimachinery import codec
from apimachinery.errors import FieldError
from apimachinery.kinds import JSONSchemaProps
from apiserver.cel import CompileError
from apiserver.strategy.checks import Errors
from apiserver.structural import PatternError, compile_pattern, compile_schema, prune, validate
from apiserver.structural.rules import CAUSES, compile_one, is_transition
from apiserver.structural.schema import Rule

Plain: TypeAlias = Mapping[str, Any]

TYPES = ("array", "boolean", "integer", "number", "object", "string")
LIST_TYPES = ("atomic", "map", "set")
MAP_TYPES = ("atomic", "granular")
SCALARS = ("boolean", "integer", "number", "string")
DEPTH_MAX = 200

_STEP = re.compile(r"\.([a-zA-Z_][a-zA-Z0-9_-]*)|\['([^']+)'\]")
_NOT_SUPPORTED = ("$ref", "definitions", "dependencies", "patternProperties", "additionalItems", "id", "$schema")
_NOT_IN_JUNCTORS = (
    "description",
    "type",
    "default",
    "additionalProperties",
    "nullable",
    "title",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-validations",
)
_JUNCTORS = ("allOf", "anyOf", "oneOf")


def validate_schema(schema: JSONSchemaProps, path: str) -> Errors:
    """What is wrong with the schema of a whole object."""
    plain = codec.to_plain(schema)
    if _depth(plain) > DEPTH_MAX:
        yield FieldError.invalid(path, "", f"the schema must not be nested more than {DEPTH_MAX} levels deep")
        return
    kind = plain.get("type", "")
    if not kind:
        yield FieldError.required(f"{path}.type", "must not be empty at the root")
    elif kind != "object":
        yield FieldError.invalid(f"{path}.type", kind, "must be object at the root")
    if plain.get("nullable"):
        yield FieldError.forbidden(f"{path}.nullable", "nullable cannot be true at the root")
    wrong = list(_structural(plain, path, root=True))
    yield from wrong
    if not wrong:
        yield from _defaults(plain, path)


def _structural(schema: Plain, path: str, *, root: bool = False, followed: bool = True) -> Errors:
    """Rules for a place and all below it; `followed`: whether its value before an update can be told."""
    yield from _keywords(schema, path)
    yield from _extensions(schema, path, root=root)
    yield from _rules(schema, path, root=root, followed=followed)
    kind = schema.get("type", "")
    typeless = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    if not kind and not root and not typeless:
        what = "array items" if path.endswith(".items") else "object fields"
        yield FieldError.required(f"{path}.type", f"must not be empty for specified {what}")
    if kind == "array" and "items" not in schema:
        yield FieldError.required(f"{path}.items", "must be specified")
    if root or schema.get("x-kubernetes-embedded-resource"):
        yield from _metadata(schema, path)
    for where, below in _below(schema, path):
        if not (_is_metadata(where, path) and (root or schema.get("x-kubernetes-embedded-resource"))):
            in_list = where == f"{path}.items"
            keyed = schema.get("x-kubernetes-list-type") == "map"
            yield from _structural(below, where, followed=followed and (keyed or not in_list))
    yield from _junctors(schema, schema, path)


def _below(schema: Plain, path: str) -> Iterator[tuple[str, Plain]]:
    for name, part in schema.get("properties", {}).items():
        yield f"{path}.properties[{name}]", part
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield f"{path}.{name}", schema[name]


def _is_metadata(where: str, path: str) -> bool:
    return where == f"{path}.properties[metadata]"


def _keywords(schema: Plain, path: str) -> Errors:
    """Rules for the keywords that stand in structural parts and in junctors alike."""
    for name in _NOT_SUPPORTED:
        if schema.get(name) not in (None, "", [], {}):
            yield FieldError.forbidden(f"{path}.{name}", f"{name} is not supported")
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield FieldError.forbidden(f"{path}.uniqueItems", detail)
    if schema.get("additionalProperties") is False:
        yield FieldError.forbidden(f"{path}.additionalProperties", "additionalProperties cannot be set to false")
    if schema.get("additionalProperties") is not None and schema.get("properties"):
        yield FieldError.forbidden(f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive")
    if isinstance(schema.get("items"), list):
        yield FieldError.forbidden(f"{path}.items", "items must be a schema object and not an array")
    kind = schema.get("type", "")
    if kind and kind not in TYPES:
        yield FieldError.not_supported(f"{path}.type", kind, TYPES)
    if pattern := schema.get("pattern"):
        try:
            compile_pattern(pattern)
        except PatternError as error:
            yield FieldError.invalid(f"{path}.pattern", pattern, f"must be a valid regular expression, but isn't: {error}")
    for smallest in ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"):
        if schema.get(smallest, 0) < 0:
            yield FieldError.invalid(f"{path}.{smallest}", schema[smallest], "must be greater than or equal to 0")
    if schema.get("multipleOf", 1) <= 0:
        yield FieldError.invalid(f"{path}.multipleOf", schema["multipleOf"], "must be greater than 0")


def _extensions(schema: Plain, path: str, *, root: bool) -> Errors:
    kind = schema.get("type", "")
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        where = f"{path}.x-kubernetes-preserve-unknown-fields"
        yield FieldError.invalid(where, False, "must be true or undefined")
    elif schema.get("x-kubernetes-preserve-unknown-fields") and kind not in ("", "object"):
        yield FieldError.invalid(f"{path}.type", kind, "must be object if x-kubernetes-preserve-unknown-fields is true")
    if schema.get("x-kubernetes-embedded-resource"):
        if kind != "object":
            detail = "must be object if x-kubernetes-embedded-resource is true"
            yield FieldError.invalid(f"{path}.type", kind, detail) if kind else FieldError.required(f"{path}.type", detail)
        if not schema.get("x-kubernetes-preserve-unknown-fields") and not schema.get("properties"):
            detail = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
            yield FieldError.required(f"{path}.properties", detail)
    if schema.get("x-kubernetes-int-or-string") and kind:
        yield FieldError.invalid(f"{path}.type", kind, "must be empty if x-kubernetes-int-or-string is true")
    if schema.get("x-kubernetes-int-or-string") and root:
        yield FieldError.forbidden(f"{path}.x-kubernetes-int-or-string", "must be false at the root")
    yield from _list_type(schema, path)
    if map_type := schema.get("x-kubernetes-map-type"):
        if map_type not in MAP_TYPES:
            yield FieldError.not_supported(f"{path}.x-kubernetes-map-type", map_type, MAP_TYPES)
        if kind != "object":
            yield FieldError.invalid(f"{path}.type", kind, "must be object if x-kubernetes-map-type is specified")


def _rules(schema: Plain, path: str, *, root: bool, followed: bool) -> Errors:
    """Rules in CEL must compile for what the schema describes, and say in a line what is wrong."""
    for index, rule in enumerate(
        compile_schema({"x-kubernetes-validations": schema.get("x-kubernetes-validations", ())}).rules
    ):
        where = f"{path}.x-kubernetes-validations[{index}]"
        yield from _rule_text(rule, where)
        if is_transition(rule.rule) and not followed:
            detail = "oldSelf cannot be used on the uncorrelatable portion of the schema"
            yield FieldError.invalid(f"{where}.rule", rule.rule, detail)
        if rule.field_path and not _leads_somewhere(rule.field_path, schema):
            yield FieldError.invalid(f"{where}.fieldPath", rule.field_path, "fieldPath must be a valid path")
        if not rule.rule.strip():
            continue
        try:
            compile_one(rule, schema, root=root)
        except CompileError as error:
            field = "rule" if not rule.message_expression or not _compiles(rule, schema, root=root) else "messageExpression"
            shown = rule.rule if field == "rule" else rule.message_expression
            yield FieldError.invalid(f"{where}.{field}", shown, f"compilation failed: {error}")


def _rule_text(rule: Rule, path: str) -> Errors:
    if not rule.rule.strip():
        yield FieldError.required(f"{path}.rule", "rule is not specified")
    if "\n" in rule.message.strip():
        yield FieldError.invalid(f"{path}.message", rule.message, "message must not contain line breaks")
    if "\n" in rule.rule.strip() and not rule.message.strip():
        yield FieldError.required(f"{path}.message", "message must be specified if rule contains line breaks")
    if rule.reason not in CAUSES:
        yield FieldError.not_supported(f"{path}.reason", rule.reason, [each for each in CAUSES if each])
    if rule.optional_old_self and not is_transition(rule.rule):
        detail = "optionalOldSelf may only be set if oldSelf is used in rule"
        yield FieldError.invalid(f"{path}.optionalOldSelf", True, detail)


def _compiles(rule: Rule, schema: Plain, *, root: bool) -> bool:
    """Whether the rule itself does, whatever the expression of its message."""
    try:
        compile_one(replace(rule, message_expression=""), schema, root=root)
    except CompileError:
        return False
    return True


def _leads_somewhere(path: str, schema: Plain) -> bool:
    """Whether a fieldPath (`.spec.replicas`, `['spec']`) names a place that the schema describes."""
    steps = [name or quoted for name, quoted in _STEP.findall(path)]
    if "".join(found.group() for found in _STEP.finditer(path)) != path:
        return False
    place: Any = schema
    for name in steps:
        place = place.get("properties", {}).get(name) or place.get("additionalProperties")
        if not isinstance(place, dict):
            return False
    return True


def _list_type(schema: Plain, path: str) -> Errors:
    list_type, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys", [])
    where = f"{path}.x-kubernetes-list-map-keys"
    if not list_type:
        if keys:
            yield FieldError.forbidden(where, "may not be set if x-kubernetes-list-type is unset")
        return
    if list_type not in LIST_TYPES:
        yield FieldError.not_supported(f"{path}.x-kubernetes-list-type", list_type, LIST_TYPES)
    if schema.get("type") != "array":
        detail = "must be array if x-kubernetes-list-type is specified"
        yield FieldError.invalid(f"{path}.type", schema.get("type", ""), detail)
        return
    if list_type != "map":
        if keys:
            yield FieldError.forbidden(where, "must not be set if x-kubernetes-list-type is not map")
        if list_type == "set":
            yield from _set_items(schema.get("items"), path)
        return
    if not keys:
        yield FieldError.required(where, "must not be empty if x-kubernetes-list-type is map")
    for index, key in enumerate(keys):
        if key in keys[:index]:
            yield FieldError.duplicate(f"{where}[{index}]", key)
    items = schema.get("items")
    if isinstance(items, dict):
        yield from _keyed_items(items, keys, path)


def _set_items(items: Any, path: str) -> Errors:
    if not isinstance(items, dict):
        return
    kind = items.get("type", "")
    if items.get("nullable"):
        yield FieldError.forbidden(f"{path}.items.nullable", "cannot be nullable when x-kubernetes-list-type is set")
    if kind == "object" and items.get("x-kubernetes-map-type") != "atomic":
        detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
        yield FieldError.forbidden(f"{path}.items.x-kubernetes-map-type", detail)
    if kind == "array" and items.get("x-kubernetes-list-type") not in (None, "", "atomic"):
        detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
        yield FieldError.forbidden(f"{path}.items.x-kubernetes-list-type", detail)


def _keyed_items(items: Plain, keys: list[str], path: str) -> Errors:
    where = f"{path}.items"
    if items.get("type") != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        yield FieldError.invalid(f"{where}.type", items.get("type", ""), detail)
        return
    for key in keys:
        described = items.get("properties", {}).get(key)
        if described is None:
            detail = "entries must all be names of item properties"
            yield FieldError.invalid(f"{path}.x-kubernetes-list-map-keys", key, detail)
            continue
        below = f"{where}.properties[{key}]"
        if described.get("type") not in SCALARS:
            yield FieldError.invalid(f"{below}.type", described.get("type", ""), "must be a scalar type if it is a key")
        if described.get("nullable"):
            detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"
            yield FieldError.forbidden(f"{below}.nullable", detail)
        if key not in items.get("required", []) and described.get("default") is None:
            detail = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            yield FieldError.required(f"{below}.default", detail)


def _metadata(schema: Plain, path: str) -> Errors:
    """What every object has is given; a schema may only restrict its name."""
    given = schema.get("properties", {})
    for name in ("apiVersion", "kind"):
        if name in given and given[name].get("type") != "string":
            yield FieldError.invalid(f"{path}.properties[{name}].type", given[name].get("type", ""), "must be string")
    meta = given.get("metadata")
    if meta is None:
        return
    where = f"{path}.properties[metadata]"
    if meta.get("type") != "object":
        yield FieldError.invalid(f"{where}.type", meta.get("type", ""), "must be object")
    others = set(meta) - {"type", "description", "properties"}
    if others or set(meta.get("properties", {})) - {"name", "generateName"}:
        detail = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        yield FieldError.forbidden(where, detail)


def _junctors(schema: Plain, structure: Plain, path: str) -> Errors:
    """Rules for what allOf, anyOf, oneOf and not say of a place whose structural part is `structure`."""
    for name in _JUNCTORS:
        for index, part in enumerate(schema.get(name, [])):
            yield from _in_junctor(part, structure, f"{path}.{name}[{index}]", name)
    if isinstance(schema.get("not"), dict):
        yield from _in_junctor(schema["not"], structure, f"{path}.not", "not")


def _in_junctor(part: Plain, structure: Plain, path: str, name: str) -> Errors:
    yield from _keywords(part, path)
    int_or_string = bool(structure.get("x-kubernetes-int-or-string"))
    for keyword in _NOT_IN_JUNCTORS:
        if part.get(keyword) in (None, "", [], {}):
            continue
        if keyword == "type" and int_or_string and name == "anyOf" and part.get("type") in ("integer", "string"):
            continue
        yield FieldError.forbidden(f"{path}.{keyword}", "must be empty to be structural")
    known = structure.get("properties", {})
    for member, below in part.get("properties", {}).items():
        where = f"{path}.properties[{member}]"
        inner = known.get(member)
        if inner is None and isinstance(structure.get("additionalProperties"), dict):
            inner = structure["additionalProperties"]
        if inner is None:
            yield FieldError.required(where, f"because it is defined in {path.rpartition('.')[2]}, it must be specified")
        else:
            yield from _in_junctor(below, inner, where, "properties")
    if isinstance(part.get("items"), dict):
        inner = structure.get("items")
        if isinstance(inner, dict):
            yield from _in_junctor(part["items"], inner, f"{path}.items", "items")
        else:
            yield FieldError.required(f"{path}.items", "because it is defined in a junctor, it must be specified")
    yield from _junctors(part, structure, path)


def _defaults(schema: Plain, path: str) -> Errors:
    """A default must be a value of its own schema."""
    default = schema.get("default")
    if default is not None:
        node, where, value = compile_schema(schema), f"{path}.default", deepcopy(default)
        if prune(node, value):
            yield FieldError.invalid(where, default, "must not have unknown fields")
        yield from validate(node, value, where)
    for where, below in _below(schema, path):
        yield from _defaults(below, where)


def _depth(plain: Any) -> int:
    """How deeply data is nested, without the help of the stack."""
    level, depth = [plain], 0
    while level:
        depth += 1
        level = [
            member
            for value in level
            if isinstance(value, dict | list)
            for member in (value.values() if isinstance(value, dict) else value)
        ]
    return depth
