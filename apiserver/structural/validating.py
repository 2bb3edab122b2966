"""Validation: whether an object keeps to its schema, and in what it does not.

On an update, what has not changed is not judged again, so that an object outlives a schema that becomes stricter
("ratcheting"). Members of objects and elements of keyed lists are compared with those of their name or keys, other lists as a
whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apimachinery.errors import FieldError
from apiserver.structural.schema import ABSENT, OBJECT_FIELDS, Node
from apiserver.structural.values import check_value, fits_type, key_of, same, type_of, wrong_type

ERRORS_MAX = 100


def validate(node: Node, value: Any, path: str = "", old: Any = ABSENT) -> list[FieldError]:
    """Everything wrong with a value, of which `old` is the state that is stored (ABSENT: none)."""
    found = []
    for error in _problems(node, value, path, old):
        found.append(error)
        if len(found) == ERRORS_MAX:
            break
    return found


def elements_by_key(node: Node, values: Any) -> Mapping[bytes, Any]:
    """The elements of a keyed list by their keys; of another list, none."""
    if node.list_type != "map" or not isinstance(values, list):
        return {}
    return {_key(node, item): item for item in values if isinstance(item, dict)}


def old_element(node: Node, before: Mapping[bytes, Any], item: Any) -> Any:
    """What an element of a keyed list was, ABSENT when it was not there."""
    return before.get(_key(node, item), ABSENT) if isinstance(item, dict) and before else ABSENT


def _problems(node: Node, value: Any, path: str, old: Any) -> Iterator[FieldError]:
    if old is not ABSENT and same(value, old):
        return
    if value is None and node.nullable:
        return
    if not fits_type(node, value):
        yield wrong_type(path, "integer,string" if node.int_or_string else node.type, type_of(value))
        return
    yield from check_value(node, value, path)
    yield from _alternatives(node, value, path)
    if isinstance(value, dict):
        yield from _members(node, value, path, old)
    elif isinstance(value, list):
        yield from _elements(node, value, path, old)


def _members(node: Node, value: dict[str, Any], path: str, old: Any) -> Iterator[FieldError]:
    before = old if isinstance(old, dict) else {}
    if node.whole_object and path:
        yield from _embedded(value, path)
    for name, member in value.items():
        below = node.child(name)
        if below is None or (node.whole_object and name in OBJECT_FIELDS and name != "metadata"):
            continue
        yield from _problems(below, member, f"{path}.{name}" if path else name, before.get(name, ABSENT))


def _embedded(value: dict[str, Any], path: str) -> Iterator[FieldError]:
    """An object inside of another one says what it is."""
    for name in ("apiVersion", "kind"):
        given = value.get(name)
        if not given:
            yield FieldError.required(f"{path}.{name}", "must not be empty")
        elif not isinstance(given, str):
            yield wrong_type(f"{path}.{name}", "string", type_of(given))
    if not isinstance(value.get("metadata", {}), dict):
        yield wrong_type(f"{path}.metadata", "object", type_of(value["metadata"]))


def _elements(node: Node, value: list[Any], path: str, old: Any) -> Iterator[FieldError]:
    yield from _doubled(node, value, path)
    if node.items is None:
        return
    before = elements_by_key(node, old)
    for index, item in enumerate(value):
        yield from _problems(node.items, item, f"{path}[{index}]", old_element(node, before, item))


def _doubled(node: Node, value: Sequence[Any], path: str) -> Iterator[FieldError]:
    """Elements that stand twice in a set, or keys that do in a keyed list."""
    if node.list_type not in ("map", "set"):
        return
    seen = set()
    for index, item in enumerate(value):
        keyed = node.list_type == "map" and isinstance(item, dict)
        key = _key(node, item) if keyed else key_of(item)
        if key in seen:
            shown = {name: item[name] for name in node.list_keys if name in item} if keyed else item
            yield FieldError.duplicate(f"{path}[{index}]", shown)
        seen.add(key)


def _key(node: Node, item: Mapping[str, Any]) -> bytes:
    return key_of([item.get(name) for name in node.list_keys])


def _alternatives(node: Node, value: Any, path: str) -> Iterator[FieldError]:
    for part in node.all_of:
        yield from _problems(part, value, path, ABSENT)
    if node.any_of:
        tried = [list(_problems(part, value, path, ABSENT)) for part in node.any_of]
        if all(tried):
            yield _sentence(path, "must validate at least one schema (anyOf)")
            yield from min(tried, key=len)
    if node.one_of:
        tried = [list(_problems(part, value, path, ABSENT)) for part in node.one_of]
        valid = sum(not wrong for wrong in tried)
        if valid != 1:
            found = f"{valid} valid alternatives" if valid else "none valid"
            yield _sentence(path, f"must validate one and only one schema (oneOf). Found {found}")
            if not valid:
                yield from min(tried, key=len)
    if node.not_ is not None and not any(_problems(node.not_, value, path, ABSENT)):
        yield _sentence(path, "must not validate the schema (not)")


def _sentence(path: str, text: str) -> FieldError:
    return FieldError.invalid(path, "", f'"{path}" {text}')
