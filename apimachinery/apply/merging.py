"""Objects put together: a configuration laid over a live object, and fields taken out that nobody wants any more.

In lists whose elements have owners the configuration's elements stand in its order, and the others keep their place among them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from apimachinery.apply.elements import FIELD, key_element, render
from apimachinery.apply.fields import Node, is_member
from apimachinery.apply.shapes import LEAF, Form, Shape
from apimachinery.apply.walking import by_element, element_of, holds_elements, holds_members, is_declared, member_shape

_NOTHING: Node = {}


def merged(shape: Shape, live: Any, applied: Any) -> Any:
    """`live` with everything that `applied` says."""
    if not isinstance(applied, dict | list):
        return applied
    if holds_members(applied, shape) and isinstance(live, dict):
        result = dict(live)
        for name, value in applied.items():
            result[name] = merged(member_shape(shape, name), live.get(name), value)
        return result
    if holds_elements(applied, shape) and isinstance(live, list):
        return _merged_list(shape, live, applied)
    return applied


def _merged_list(shape: Shape, live: Sequence[Any], applied: Sequence[Any]) -> list[Any]:
    inner = shape.element or LEAF
    before = by_element(shape, live)
    wanted = {element_of(shape, item): item for item in applied}
    pending = [
        (element, merged(inner, before[element][0], item) if len(before.get(element, ())) == 1 else item)
        for element, item in wanted.items()
    ]
    result: list[Any] = []
    done = 0
    shared = [place for place, (element, _) in enumerate(pending) if element in before]
    for item in live:
        element = element_of(shape, item)
        if element not in wanted:
            result.append(item)
        elif shared and pending[shared[0]][0] == element:
            place = shared.pop(0)
            result.extend(value for _, value in pending[done : place + 1])
            done = place + 1
    result.extend(value for _, value in pending[done:])
    return result


def removed(shape: Shape, value: Any, dropped: Node, kept: Node) -> Any:
    """`value` without the places that are in `dropped` and not in `kept`.

    A declared field is there because of what is below it: it goes, with all that has come to stand in it, when its fields were
    dropped and nobody keeps one. An element of a list or an entry of a map goes when nobody keeps it itself.
    """
    if not dropped:
        return value
    if holds_members(value, shape):
        return _without_members(shape, value, dropped, kept)
    if holds_elements(value, shape):
        return _without_elements(shape, value, dropped, kept)
    return value


def _without_members(shape: Shape, value: Mapping[str, Any], dropped: Node, kept: Node) -> dict[str, Any]:
    result = {}
    for name, member in value.items():
        node, keep = dropped.get(FIELD + name), kept.get(FIELD + name)
        declared = is_declared(shape, name)
        if node is not None and (declared or is_member(node)) and not (keep is not None and (declared or is_member(keep))):
            continue
        if node is not None:
            left = removed(member_shape(shape, name), member, node, keep or _NOTHING)
            if not left and member and isinstance(member, dict | list) and (keep is None or not is_member(keep)):
                continue
            member = left
        result[name] = member
    return result


def _without_elements(shape: Shape, value: Sequence[Any], dropped: Node, kept: Node) -> list[Any]:
    result = []
    for item in value:
        element = element_of(shape, item)
        node, keep = dropped.get(element), kept.get(element)
        if node is not None and is_member(node) and not (keep is not None and is_member(keep)):
            continue
        result.append(removed(shape.element or LEAF, item, node or _NOTHING, keep or _NOTHING))
    return result


def problems(shape: Shape, value: Any, path: str = "") -> list[str]:
    """Why a configuration cannot be applied, each with its path; an empty list when it can."""
    match shape.form:
        case Form.STRUCT | Form.MAP:
            if not isinstance(value, dict):
                return [f"{path}: expected map, got {_kind(value)}"]
            return [text for name, member in value.items() for text in _member_problems(shape, name, member, f"{path}.{name}")]
        case Form.KEYED_LIST | Form.SET:
            if not isinstance(value, list):
                return [f"{path}: expected list, got {_kind(value)}"]
            return _element_problems(shape, value, path)
        case _:
            return []


def _member_problems(shape: Shape, name: str, member: Any, path: str) -> list[str]:
    if shape.form is Form.STRUCT and shape.element is None and not is_declared(shape, name):
        return [f"{path}: field not declared in schema"]
    return problems(member_shape(shape, name), member, path)


def _element_problems(shape: Shape, items: Sequence[Any], path: str) -> list[str]:
    found: list[str] = []
    seen: set[str] = set()
    for index, item in enumerate(items):
        if shape.form is Form.KEYED_LIST and key_element(item, shape.keys, shape.key_defaults) is None:
            keys = ", ".join(f'"{key}"' for key in shape.keys if key not in shape.key_defaults)
            found.append(f"{path}[{index}]: an element of a list with keys must have its key fields ({keys})")
            continue
        element = element_of(shape, item)
        if element in seen:
            found.append(f"{path}: duplicate entries for key {render(element)}")
        seen.add(element)
        found.extend(problems(shape.element or LEAF, item, path + render(element)))
    return found


def _kind(value: Any) -> str:
    names = {dict: "map", list: "list", str: "string", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), "null")
