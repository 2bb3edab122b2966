"""Strategic merge patches, computed: what `apply` sends, from three states of an object.

original is what the user wrote last time, modified what the user writes now, current what is stored. Fields that the user never
wrote survive; what the user wrote and withdrew is deleted.
Source: the Kubernetes page "Declarative Management of Kubernetes Objects Using Configuration Files".
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import msgspec

from apimachinery.patches.common import bounded_depth, equal, without_nulls
from apimachinery.patches.list_keys import ListKeys
from apimachinery.patches.strategic_apply import ORDER, PATCH, REMOVE, RETAIN_KEYS
from apimachinery.schema import UNKNOWN, Shape, TypeInfo, type_info


@bounded_depth
def three_way_merge_patch(
    cls: type[msgspec.Struct], original: Mapping[str, Any], modified: Mapping[str, Any], current: Mapping[str, Any]
) -> dict[str, Any]:
    """The strategic merge patch of an apply: makes `current` what `modified` says, and deletes what only `original` said.

    Empty when nothing is to be done, so that applying twice is applying once.
    """
    return _three_way_map(type_info(cls), original, modified, current)


def strategic_diff(cls: type[msgspec.Struct], before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The strategic merge patch that turns `before` into `after` (both without nulls)."""
    return three_way_merge_patch(cls, before, after, before)


def _three_way_map(
    info: TypeInfo, original: Mapping[str, Any], modified: Mapping[str, Any], current: Mapping[str, Any]
) -> dict[str, Any]:
    patch: dict[str, Any] = {}
    for name, wanted in modified.items():
        if wanted is None:
            if name in current:
                patch[name] = None
        elif name not in current:
            patch[name] = without_nulls(wanted)
        else:
            patch.update(_three_way_field(name, info.field(name), original.get(name), wanted, current[name]))
    patch.update({name: None for name in original if name not in modified and name in current})
    if patch and info.retains_keys:
        patch[RETAIN_KEYS] = sorted(name for name, value in modified.items() if value is not None)
    return patch


def _three_way_field(name: str, info: TypeInfo, original: Any, wanted: Any, current: Any) -> dict[str, Any]:
    if isinstance(wanted, dict) and isinstance(current, dict) and not info.replaced:
        inner = _three_way_map(info, original if isinstance(original, dict) else {}, wanted, current)
        return {name: inner} if inner else {}
    if isinstance(wanted, list) and isinstance(current, list) and info.merges:
        before = original if isinstance(original, list) else []
        compute = _three_way_keyed if info.merge.merge_key else _three_way_set
        return compute(name, info, before, wanted, current)
    return {} if equal(wanted, current) else {name: wanted}


def _three_way_set(name: str, info: TypeInfo, original: list[Any], wanted: list[Any], current: list[Any]) -> dict[str, Any]:
    added = [item for item in wanted if item not in current]
    removed = [item for item in original if item not in wanted and item in current]
    patch: dict[str, Any] = {}
    if added:
        patch[name] = added
    if removed:
        patch[REMOVE + name] = removed
    if patch or not _same_order(list(dict.fromkeys(wanted)), current):
        patch[ORDER + name] = list(dict.fromkeys(wanted))
    return patch


def _three_way_keyed(name: str, info: TypeInfo, original: list[Any], wanted: list[Any], current: list[Any]) -> dict[str, Any]:
    keys = ListKeys(info.merge, (original, wanted, current))
    element = TypeInfo(Shape.STRUCT, info.element.struct, merge=info.merge) if info.element else UNKNOWN
    stored, past, present = keys.index(current), keys.index(original), keys.index(wanted)
    changes: list[dict[str, Any]] = []
    for item in wanted:
        at, was = keys.find(stored, item), keys.find(past, item)
        if at is None:
            changes.append(without_nulls(item))
        elif change := _three_way_map(element, original[was] if was is not None else {}, item, current[at]):
            changes.append(keys.named(item) | change)
    deletions = [
        {PATCH: "delete", **keys.named(item)}
        for item in original
        if keys.find(present, item) is None and keys.find(stored, item) is not None
    ]
    patch: dict[str, Any] = {name: changes + deletions} if changes or deletions else {}
    if patch or not _same_order([keys.of(item) for item in wanted], [keys.of(item) for item in current]):
        patch[ORDER + name] = [keys.named(item) for item in wanted]
    return patch


def _same_order(wanted: Sequence[Hashable], current: Sequence[Hashable]) -> bool:
    """Whether what is wanted already stands in this order."""
    named = set(wanted)
    return [item for item in current if item in named] == list(wanted)
