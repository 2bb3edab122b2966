"""Walks over plain data beside its Shape: the fields an object gives, and what differs between two objects.

In the fields of a configuration, structs count only through their members, while elements of lists, entries of maps and empty
maps count themselves. In a difference everything that came or went counts, containers included.
Source: the Kubernetes page "Server-Side Apply" and the entries that Kubernetes writes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Final, ParamSpec, TypeGuard, TypeVar

from apimachinery import errors
from apimachinery.apply.elements import FIELD, SELF, key_element, put_in_order, value_element
from apimachinery.apply.fields import FieldSet, Node
from apimachinery.apply.shapes import FREE, LEAF, Form, Shape
from apimachinery.patches.common import equal

_ABSENT: Final = object()
_LEAF: Node = {}
_MAPS = (Form.STRUCT, Form.MAP, Form.FREE)
_LISTS = (Form.KEYED_LIST, Form.SET)


P = ParamSpec("P")
R = TypeVar("R")


def bounded_depth(function: Callable[P, R]) -> Callable[P, R]:
    """A walk that refuses what is nested too deeply for it, with an ApiError (400)."""

    @wraps(function)
    def bounded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except RecursionError as error:
            raise errors.bad_request("the object provided is malformed: it is nested too deeply") from error

    return bounded


def member_shape(shape: Shape, name: str) -> Shape:
    """The shape below a map-like place."""
    return shape.fields.get(name) or shape.element or FREE


def is_declared(shape: Shape, name: str) -> bool:
    return shape.form is Form.STRUCT and name in shape.fields


def holds_members(value: Any, shape: Shape) -> TypeGuard[dict[str, Any]]:
    """Whether this is a map whose members have owners of their own."""
    return isinstance(value, dict) and shape.form in _MAPS


def holds_elements(value: Any, shape: Shape) -> TypeGuard[list[Any]]:
    """Whether this is a list whose elements have owners of their own."""
    return isinstance(value, list) and shape.form in _LISTS


def element_of(shape: Shape, item: Any) -> str:
    """The path element of an item of a keyed list or set; one without its keys is known by its whole value."""
    if shape.form is Form.KEYED_LIST:
        found = key_element(item, shape.keys, shape.key_defaults)
        if found is not None:
            return found
    return value_element(item)


def by_element(shape: Shape, items: Sequence[Any]) -> dict[str, list[Any]]:
    """The items of a keyed list or set by path element; more than one where an element stands twice."""
    found: dict[str, list[Any]] = {}
    for item in items:
        found.setdefault(element_of(shape, item), []).append(item)
    return found


def fields_of(shape: Shape, value: Any) -> FieldSet:
    """The fields that a configuration gives."""
    return FieldSet(_given(shape, value) or {})


def _given(shape: Shape, value: Any) -> Node | None:
    """The node of a place, None when the place is not itself in the set and nothing below it is."""
    if not isinstance(value, dict | list):
        return {}
    if holds_members(value, shape):
        node: Node = {}
        for name, member in value.items():
            below = _given(member_shape(shape, name), member)
            if member is None or member == {}:
                below = {}
            elif not is_declared(shape, name):
                below = {SELF: {}, **below} if below else {}
            if below is not None:
                node[FIELD + name] = below
        return put_in_order(node) or None
    if holds_elements(value, shape):
        node = {}
        for element, items in by_element(shape, value).items():
            below = _given(shape.element or LEAF, items[0]) if len(items) == 1 else None
            node[element] = {SELF: {}, **below} if below else {}
        return put_in_order(node) or None
    return {}


def places_of(shape: Shape, value: Any) -> FieldSet:
    """All places of an object, containers and empty ones included."""
    return FieldSet({element: node for element, node in whole(shape, value).items() if element != SELF})


def whole(shape: Shape, value: Any) -> Node:
    """The node of something that came or went as a whole: all of its places."""
    if not value or not isinstance(value, dict | list):
        return _LEAF
    if holds_members(value, shape):
        members: Node = {SELF: _LEAF}
        fields, others = shape.fields, shape.element or FREE
        for name in sorted(value):
            members[FIELD + name] = whole(fields.get(name, others), value[name])
        return members
    if holds_elements(value, shape):
        node: Node = {SELF: _LEAF}
        inner = shape.element or LEAF
        for element, items in by_element(shape, value).items():
            node[element] = whole(inner, items[0]) if len(items) == 1 else _LEAF
        return put_in_order(node)
    return _LEAF


@dataclass
class Difference:
    """What differs: `changed` came or has another value, `removed` is gone; both as trees of a FieldSet."""

    changed: Node = field(default_factory=dict)
    removed: Node = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)

    def excluding(self, ignored: FieldSet) -> "Difference":
        if not ignored:
            return self
        changed, removed = (FieldSet(tree).without_subtrees(ignored).tree for tree in (self.changed, self.removed))
        return Difference(changed, removed)


def difference(shape: Shape, before: Any, after: Any) -> Difference:
    """What differs between two objects; the order of lists with owners for each element does not count."""
    changed: Node = {}
    removed: Node = {}
    if before is not after and before != after:
        _compare(shape, before, after, changed, removed)
    return Difference(put_in_order(changed), put_in_order(removed))


def _compare(shape: Shape, before: Any, after: Any, changed: Node, removed: Node) -> bool:
    """Fill the nodes of one place that both have; true when the place itself has another value."""
    before, after = _matched(before, after)
    if holds_members(after, shape) and isinstance(before, dict):
        _compare_members(shape, before, after, changed, removed)
        return False
    if holds_elements(after, shape) and isinstance(before, list):
        _compare_elements(shape, before, after, changed, removed)
        return False
    if equal(before, after):
        return False
    if holds_members(after, shape) or holds_elements(after, shape):
        changed.update(whole(shape, after))
    if holds_members(before, shape) or holds_elements(before, shape):
        removed.update((element, node) for element, node in whole(shape, before).items() if element != SELF)
    return True


def _matched(before: Any, after: Any) -> tuple[Any, Any]:
    """A null beside a list or map is an empty one."""
    if before is None and isinstance(after, dict | list):
        before = type(after)()
    elif after is None and isinstance(before, dict | list):
        after = type(before)()
    return before, after


def _compare_members(shape: Shape, before: Mapping[str, Any], after: Mapping[str, Any], changed: Node, removed: Node) -> None:
    for name, new in after.items():
        old = before.get(name, _ABSENT)
        if old is new:
            continue
        if old is _ABSENT:
            changed[FIELD + name] = whole(member_shape(shape, name), new)
        elif old != new or isinstance(new, bool) is not isinstance(old, bool):
            descend(member_shape(shape, name), FIELD + name, old, new, changed, removed)
    for name, old in before.items():
        if name not in after:
            removed[FIELD + name] = whole(member_shape(shape, name), old)


def descend(shape: Shape, element: str, old: Any, new: Any, changed: Node, removed: Node) -> None:
    """Add what differs at a place that both have to the nodes of the place that holds it."""
    changed_below: Node = {}
    removed_below: Node = {}
    itself = _compare(shape, old, new, changed_below, removed_below)
    if itself and changed_below:
        changed_below[SELF] = {}
    if itself or changed_below:
        changed[element] = put_in_order(changed_below)
    if removed_below:
        removed[element] = put_in_order(removed_below)


def _compare_elements(shape: Shape, before: Sequence[Any], after: Sequence[Any], changed: Node, removed: Node) -> None:
    inner = shape.element or LEAF
    old_items, new_items = by_element(shape, before), by_element(shape, after)
    for element, new in new_items.items():
        old = old_items.get(element)
        if old == new:
            continue
        if old is None:
            changed[element] = whole(inner, new[0]) if len(new) == 1 else {}
        elif len(old) == 1 and len(new) == 1:
            descend(inner, element, old[0], new[0], changed, removed)
        else:  # an element that stands twice is owned whole
            changed[element] = whole(inner, new[0]) if len(new) == 1 else {}
            if len(old) == 1:
                removed[element] = {key: node for key, node in whole(inner, old[0]).items() if key != SELF}
    for element, old in old_items.items():
        if element not in new_items:
            removed[element] = whole(inner, old[0]) if len(old) == 1 else {}
