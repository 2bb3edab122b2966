"""Pruning: what a schema does not describe is dropped from an object.

Source: the Kubernetes page on CustomResourceDefinitions, section "Field pruning".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apiserver.structural.schema import OBJECT_FIELDS, Node


def prune(node: Node, value: Any, path: str = "") -> list[str]:
    """Drop from `value`, in place, what `node` does not describe; the paths of what was dropped (`spec.ports[0].prot`)."""
    return list(_pruned(node, value, path))


def _pruned(node: Node, value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _pruned_object(node, value, path)
    elif isinstance(value, list) and node.items is not None:
        for index, item in enumerate(value):
            yield from _pruned(node.items, item, f"{path}[{index}]")


def _pruned_object(node: Node, value: dict[str, Any], path: str) -> Iterator[str]:
    for name in list(value):
        if node.whole_object and name in OBJECT_FIELDS:
            continue
        where = f"{path}.{name}" if path else name
        below = node.child(name)
        if below is not None:
            yield from _pruned(below, value[name], where)
        elif not node.preserves_unknown and not node.open:
            del value[name]
            yield where
