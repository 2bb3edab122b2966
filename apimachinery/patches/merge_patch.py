"""Merge patches: a partial document in which null deletes (RFC 7386), applied and computed."""

from typing import Any

from apimachinery.patches.common import bounded_depth, equal, without_nulls


@bounded_depth
def merge_patch(document: Any, patch: Any) -> Any:
    """The document with the patch's fields in it; a null in the patch deletes, lists are replaced (RFC 7386)."""
    return _merge(document, patch)


def _merge(document: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merge(result.get(key), value)
    return result


@bounded_depth
def diff(before: Any, after: Any) -> Any:
    """The merge patch that turns `before` into `after`: merge_patch(before, diff(before, after)) == after.

    Both are objects without nulls, which a merge patch cannot say.
    """
    return _three_way_json(before, after, before)


@bounded_depth
def three_way_json_merge_patch(original: Any, modified: Any, current: Any) -> dict[str, Any]:
    """The merge patch of an apply for a kind without known merge keys: lists are replaced whole.

    Empty when `current` already has everything of `modified` and nothing that was withdrawn since `original`.
    """
    patch: dict[str, Any] = _three_way_json(original, modified, current)
    return patch


def _three_way_json(original: Any, modified: Any, current: Any) -> Any:
    original = original if isinstance(original, dict) else {}
    patch: dict[str, Any] = {}
    for key, wanted in modified.items():
        if wanted is None:
            if key in current:
                patch[key] = None
        elif key not in current:
            patch[key] = without_nulls(wanted)
        elif isinstance(wanted, dict) and isinstance(current[key], dict):
            if inner := _three_way_json(original.get(key), wanted, current[key]):
                patch[key] = inner
        elif not equal(wanted, current[key]):
            patch[key] = _replacement(wanted, current[key])
    patch.update({key: None for key in original if key not in modified and key in current})
    return patch


def _replacement(wanted: Any, current: Any) -> Any:
    """What a merge patch must say to put `wanted` in the place of something of another type."""
    return without_nulls(wanted) if isinstance(wanted, dict) and not isinstance(current, dict) else wanted
