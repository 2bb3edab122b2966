"""A schema, compiled: one Node for each place that it describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class _Absent:
    """Nothing, where None is something."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Any = _Absent()
OBJECT_FIELDS = ("apiVersion", "kind", "metadata")
"""What every whole object has, whether its schema says so or not."""


@dataclass(frozen=True, eq=False)
class Rule:
    """One of a place's `x-kubernetes-validations`; see the API reference of ValidationRule."""

    rule: str
    message: str = ""
    message_expression: str = ""
    reason: str = ""
    field_path: str = ""
    optional_old_self: bool = False


@dataclass(frozen=True, eq=False)
class Node:
    """One place: what may stand there, and what that must satisfy.

    additional: the schema of values under names that `properties` does not have; open: whether any may stand there, unseen;
    whole_object: whether apiVersion, kind and metadata stand here; described: whether the schema says more than that a value
    may be anything.
    """

    type: str = ""
    nullable: bool = False
    int_or_string: bool = False
    preserves_unknown: bool = False
    whole_object: bool = False
    properties: Mapping[str, Node] = field(default_factory=dict)
    additional: Node | None = None
    open: bool = False
    items: Node | None = None
    default: Any = ABSENT
    list_type: str = ""
    list_keys: Sequence[str] = ()
    map_type: str = ""
    required: Sequence[str] = ()
    enum: Sequence[Any] = ()
    format: str = ""
    pattern: str = ""
    limits: Mapping[str, Any] = field(default_factory=dict)
    all_of: Sequence[Node] = ()
    any_of: Sequence[Node] = ()
    one_of: Sequence[Node] = ()
    not_: Node | None = None
    rules: Sequence[Rule] = ()
    description: str = ""

    def child(self, name: str) -> Node | None:
        """What describes a member, None for what nothing does."""
        return self.properties.get(name, self.additional)


_LIMITS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
)


def compile_schema(schema: Mapping[str, Any], *, root: bool = False) -> Node:
    """The Node of a schema in plain data, which has been validated (`strategy.schemas`); `root` is a whole object."""
    additional = schema.get("additionalProperties")
    items = schema.get("items")
    negated = schema.get("not")
    return Node(
        type=schema.get("type", ""),
        nullable=bool(schema.get("nullable")),
        int_or_string=bool(schema.get("x-kubernetes-int-or-string")),
        preserves_unknown=bool(schema.get("x-kubernetes-preserve-unknown-fields")),
        whole_object=root or bool(schema.get("x-kubernetes-embedded-resource")),
        properties={name: compile_schema(part) for name, part in schema.get("properties", {}).items()},
        additional=compile_schema(additional) if isinstance(additional, Mapping) else None,
        open=additional is True,
        items=compile_schema(items) if isinstance(items, Mapping) else None,
        default=schema["default"] if schema.get("default") is not None else ABSENT,
        list_type=schema.get("x-kubernetes-list-type", ""),
        list_keys=tuple(schema.get("x-kubernetes-list-map-keys", ())),
        map_type=schema.get("x-kubernetes-map-type", ""),
        required=tuple(schema.get("required", ())),
        enum=tuple(schema.get("enum", ())),
        format=schema.get("format", ""),
        pattern=schema.get("pattern", ""),
        limits={name: schema[name] for name in _LIMITS if schema.get(name) is not None},
        all_of=tuple(compile_schema(part) for part in schema.get("allOf", ())),
        any_of=tuple(compile_schema(part) for part in schema.get("anyOf", ())),
        one_of=tuple(compile_schema(part) for part in schema.get("oneOf", ())),
        not_=compile_schema(negated) if negated is not None else None,
        rules=tuple(_rule(part) for part in schema.get("x-kubernetes-validations", ())),
        description=schema.get("description", ""),
    )


def _rule(plain: Mapping[str, Any]) -> Rule:
    return Rule(
        rule=plain.get("rule", ""),
        message=plain.get("message", ""),
        message_expression=plain.get("messageExpression", ""),
        reason=plain.get("reason", ""),
        field_path=plain.get("fieldPath", ""),
        optional_old_self=bool(plain.get("optionalOldSelf")),
    )
