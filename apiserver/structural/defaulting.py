"""Defaulting: what an object does not give and its schema has a default for is filled in.

A null where no null may stand counts as not given. Source: the Kubernetes page on CustomResourceDefinitions, sections
"Defaulting" and "Defaulting and Nullable".
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from apiserver.structural.schema import ABSENT, OBJECT_FIELDS, Node


def fill_defaults(node: Node, value: Any) -> None:
    """Complete `value` in place. Idempotent; what a default brings is completed too."""
    if isinstance(value, dict):
        _fill_object(node, value)
    elif isinstance(value, list) and node.items is not None:
        for item in value:
            fill_defaults(node.items, item)


def _fill_object(node: Node, value: dict[str, Any]) -> None:
    for name in [name for name, member in value.items() if member is None]:
        below = node.child(name)
        if below is not None and not below.nullable and not (node.whole_object and name in OBJECT_FIELDS):
            del value[name]
    for name, below in node.properties.items():
        if below.default is not ABSENT and name not in value:
            value[name] = deepcopy(below.default)
    for name, member in value.items():
        if isinstance(member, dict | list) and (below := node.child(name)) is not None:
            fill_defaults(below, member)
