"""What differs between two Structs of one class: the same answer as for their plain data, without making it.

Structs compare in C, and most of an object does not change in an update, so the walk only goes where something differs. What it
finds there becomes plain data as late as possible: a changed condition is one field, not a list of conditions.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

import msgspec

from apimachinery.apply.elements import FIELD, key_element, put_in_order
from apimachinery.apply.fields import Node
from apimachinery.apply.shapes import Form, Shape, shape_of
from apimachinery.apply.walking import Difference, descend, whole

_LEAF: Node = {}


class _Member(NamedTuple):
    """One field of a class; `written`: it stands in plain data whatever its value."""

    attribute: str
    element: str
    shape: Shape
    written: bool


def struct_difference(before: msgspec.Struct, after: msgspec.Struct) -> Difference:
    """What differs between two objects of one class."""
    changed: Node = {}
    removed: Node = {}
    _compare(before, after, changed, removed)
    return Difference(put_in_order(changed), put_in_order(removed))


@cache
def _members(cls: type[msgspec.Struct]) -> tuple[_Member, ...]:
    shape = shape_of(cls)
    names = zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True)
    return tuple(_Member(attribute, FIELD + name, shape.fields[name], name in shape.blank) for attribute, name in names)


def _compare(before: msgspec.Struct, after: msgspec.Struct, changed: Node, removed: Node) -> None:
    for attribute, element, shape, written in _members(type(after)):
        old, new = getattr(before, attribute), getattr(after, attribute)
        if old is new or old == new:
            continue
        if isinstance(new, str) and isinstance(old, str) and (written or (old and new)):
            changed[element] = _LEAF
            continue
        pairs = _pairs(shape, old, new)
        if pairs is None:
            _compare_plain(shape, element, _plain(old, written), _plain(new, written), changed, removed)
            continue
        changed_below: Node = {}
        removed_below: Node = {}
        for key, one, other in pairs:
            if key is None:
                _compare(one, other, changed_below, removed_below)
            elif one != other:
                _descend(key, one, other, changed_below, removed_below)
        if changed_below:
            changed[element] = put_in_order(changed_below)
        if removed_below:
            removed[element] = put_in_order(removed_below)


def _descend(element: str, before: msgspec.Struct, after: msgspec.Struct, changed: Node, removed: Node) -> None:
    changed_below: Node = {}
    removed_below: Node = {}
    _compare(before, after, changed_below, removed_below)
    if changed_below:
        changed[element] = put_in_order(changed_below)
    if removed_below:
        removed[element] = put_in_order(removed_below)


def _pairs(shape: Shape, old: Any, new: Any) -> list[tuple[str | None, msgspec.Struct, msgspec.Struct]] | None:
    """The Structs to compare with each other below a place, each with its path element; None where it takes plain data."""
    if shape.form is Form.STRUCT and isinstance(old, msgspec.Struct) and isinstance(new, msgspec.Struct):
        return [(None, old, new)]
    if shape.form is not Form.KEYED_LIST or not old or not new or len(old) != len(new):
        return None
    if not isinstance(new[0], msgspec.Struct) or shape.element is None or shape.element.form is not Form.STRUCT:
        return None
    attributes = _key_attributes(type(new[0]), shape.keys)
    found: dict[str | None, tuple[str | None, msgspec.Struct, msgspec.Struct]] = {}
    for one, other in zip(old, new, strict=True):
        values = [getattr(other, attribute) for attribute in attributes]
        if not all(values) or values != [getattr(one, attribute) for attribute in attributes]:
            return None  # not the same elements in the same order, or keys that a default fills
        key = _element(shape.keys, tuple(values))
        found[key] = (key, one, other)
    return list(found.values()) if len(found) == len(new) else None


@cache
def _key_attributes(cls: type[msgspec.Struct], keys: tuple[str, ...]) -> tuple[str, ...]:
    by_name = dict(zip(cls.__struct_encode_fields__, cls.__struct_fields__, strict=True))
    return tuple(by_name[key] for key in keys)


@lru_cache(maxsize=1024)
def _element(keys: tuple[str, ...], values: tuple[Any, ...]) -> str | None:
    return key_element(dict(zip(keys, values, strict=True)), keys, _NO_DEFAULTS)


_NO_DEFAULTS: Mapping[str, Any] = {}
_ABSENT = object()


def _plain(value: Any, written: bool) -> Any:
    """A field's value as it stands in plain data."""
    if value is None or (not written and (value == "" or value == [] or value == {})):
        return _ABSENT
    return msgspec.to_builtins(value)


def _compare_plain(shape: Shape, element: str, old: Any, new: Any, changed: Node, removed: Node) -> None:
    if new is _ABSENT:
        if old is not _ABSENT:
            removed[element] = whole(shape, old)
    elif old is _ABSENT:
        changed[element] = whole(shape, new)
    else:
        descend(shape, element, old, new, changed, removed)
