"""Strategic merge patches, applied: a merge patch that merges lists by the keys which the class declares.

Directives: `$patch` (replace, delete, merge), `$retainKeys`, `$setElementOrder/FIELD`, `$deleteFromPrimitiveList/FIELD`.
Source: the Kubernetes page "Update API Objects in Place Using kubectl patch".
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from apimachinery.patches.common import PatchFormatError, bounded_depth
from apimachinery.patches.list_keys import ListKeys, ordered
from apimachinery.schema import UNKNOWN, TypeInfo, type_info

PATCH = "$patch"
RETAIN_KEYS = "$retainKeys"
ORDER = "$setElementOrder/"
REMOVE = "$deleteFromPrimitiveList/"


@bounded_depth
def strategic_merge_patch(cls: type[msgspec.Struct], document: Mapping[str, Any], patch: Any) -> dict[str, Any]:
    """The document, an object of class `cls`, after a strategic merge patch; raises PatchError."""
    if not isinstance(patch, dict):
        raise PatchFormatError("a strategic merge patch is an object")
    return _merge_map(type_info(cls), document, patch)


def _merge_map(info: TypeInfo, original: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    match patch.get(PATCH):
        case None | "merge":
            result = dict(original)
        case "replace":
            result = {}
        case "delete":
            return {}
        case other:
            raise PatchFormatError(f"unknown value {other!r} of $patch: expected replace, delete or merge")
    _retain_keys(result, patch)
    for name in _fields_of(patch):
        if name not in patch and not info.field(name).merges:
            continue  # a directive for a list that is replaced whole says nothing by itself
        value = patch.get(name, [])
        order, removed = _directive_list(patch, ORDER + name), _directive_list(patch, REMOVE + name)
        if value is None:
            result.pop(name, None)
        elif isinstance(value, list):
            current = result.get(name)
            merged = _merge_list(info.field(name), current if isinstance(current, list) else [], value, order, removed)
            if merged or name in result or name in patch:
                result[name] = merged
        elif isinstance(value, dict):
            field, current = info.field(name), result.get(name)
            result[name] = _merge_map(field, current if isinstance(current, dict) and not field.replaced else {}, value)
        else:
            result[name] = value
    return result


def _fields_of(patch: Mapping[str, Any]) -> Iterable[str]:
    """The fields that a patch speaks of, be it only through a directive, each once."""
    names: dict[str, None] = {}
    for key in patch:
        if key.startswith((ORDER, REMOVE)):
            names[key.partition("/")[2]] = None
        elif key not in (PATCH, RETAIN_KEYS):
            names[key] = None
    return names


def _retain_keys(result: dict[str, Any], patch: Mapping[str, Any]) -> None:
    retained = _directive_list(patch, RETAIN_KEYS)
    if retained is None:
        return
    for key, value in patch.items():
        if not key.startswith("$") and value is not None and key not in retained:
            raise PatchFormatError(f"$retainKeys does not name {key!r}, which the patch sets")
    for key in [key for key in result if key not in retained]:
        del result[key]


def _directive_list(patch: Mapping[str, Any], key: str) -> list[Any] | None:
    value = patch.get(key)
    if value is not None and not isinstance(value, list):
        raise PatchFormatError(f"{key} must be a list")
    return value


def _merge_list(
    info: TypeInfo, original: list[Any], patch: list[Any], order: list[Any] | None, removed: list[Any] | None
) -> list[Any]:
    element = info.element or UNKNOWN
    if not info.merges:
        return [_clean(element, item) for item in patch if not _is_bare_directive(item)]
    if not info.merge.merge_key:
        return _merge_set(original, patch, order, removed)
    return _merge_keyed(info, element, original, patch, order)


def _merge_set(original: list[Any], patch: list[Any], order: list[Any] | None, removed: list[Any] | None) -> list[Any]:
    if any(isinstance(item, dict | list) for item in (*patch, *(order or ()), *(removed or ()))):
        raise PatchFormatError("a list of scalars cannot be merged with objects or lists")
    gone = set(removed or ())
    merged = [item for item in dict.fromkeys((*original, *patch)) if item not in gone]
    wanted = order if order is not None else patch
    return ordered(merged, dict.fromkeys(wanted), original, lambda item: (item,))


def _merge_keyed(
    info: TypeInfo, element: TypeInfo, original: list[Any], patch: list[Any], order: list[Any] | None
) -> list[Any]:
    changes, deleted, replaces = _split_directives(patch)
    keys = ListKeys(info.merge, (original, changes, order or ()))
    if replaces:
        return [_clean(element, item) for item in changes]
    merged = keys.without(original, deleted)
    positions = keys.index(merged)
    for item in changes:
        position = keys.find(positions, item)
        if position is None:
            keys.extend(positions, item, len(merged))
            merged.append(_merge_map(element, {}, item))
        else:
            merged[position] = _merge_map(element, merged[position], item)
    if order is not None:
        _check_order(keys, changes, order)
    wanted = keys.resolved(order if order is not None else changes, merged)
    return ordered(merged, wanted, original, keys.of)


def _split_directives(patch: list[Any]) -> tuple[list[Any], list[Any], bool]:
    """Changes, deletions, and whether the list is to be replaced by the changes."""
    changes, deleted, replaces = [], [], False
    for item in patch:
        if not isinstance(item, dict):
            raise PatchFormatError("an element of a list merged by key must be an object")
        match item.get(PATCH):
            case None | "merge":
                changes.append({key: value for key, value in item.items() if key != PATCH})
            case "delete":
                deleted.append(item)
            case "replace":
                replaces = True
                if rest := {key: value for key, value in item.items() if key != PATCH}:
                    changes.append(rest)
            case other:
                raise PatchFormatError(f"unknown value {other!r} of $patch: expected replace, delete or merge")
    return changes, deleted, replaces


def _check_order(keys: ListKeys, changes: list[Any], order: list[Any]) -> None:
    """What a patch sets must stand in its own $setElementOrder, in that order."""
    positions, last = keys.index(order), -1
    for item in changes:
        position = keys.find(positions, item)
        if position is None or position < last:
            raise PatchFormatError(f"$setElementOrder does not agree with the order of the patch at {keys.describe(item)}")
        last = position


def _is_bare_directive(item: Any) -> bool:
    return isinstance(item, dict) and item.keys() == {PATCH}


def _clean(info: TypeInfo, value: Any) -> Any:
    """A value of the patch that meets nothing to merge with: without nulls and directives."""
    if isinstance(value, dict):
        return _merge_map(info, {}, {key: item for key, item in value.items() if key != PATCH})
    if isinstance(value, list):
        return [_clean(info.element or UNKNOWN, item) for item in value]
    return value
