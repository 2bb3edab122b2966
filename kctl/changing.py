"""Patches between two states of an object, and patches applied here, without a server: pure.

Lists of kinds with a class here merge by their keys (strategic merge patch); those of all others are replaced whole.
"""

import json
from collections.abc import Mapping
from typing import Any

from kctl import manifests
from kctl.errors import KctlError
from kctl.rest import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH

PATCH_TYPES = {"json": JSON_PATCH, "merge": MERGE_PATCH, "strategic": STRATEGIC_PATCH}


def between(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Any, str]:
    """The patch that turns `before` into `after`, and its content type; empty when they are equal."""
    from apimachinery import patch, resources

    row = resources.by_kind(str(before.get("apiVersion", "")), str(before.get("kind", "")))
    if row is None:
        return patch.diff(before, after), MERGE_PATCH
    return patch.strategic_diff(row.cls, before, after), STRATEGIC_PATCH


def applied(obj: Mapping[str, Any], body: Any, kind: str) -> dict[str, Any]:
    """The object once patched; raises KctlError for a patch that does not fit."""
    from apimachinery import patch, resources

    try:
        if kind == JSON_PATCH:
            result: Any = patch.json_patch(obj, body)
        elif kind == MERGE_PATCH:
            result = patch.merge_patch(obj, body)
        else:
            row = resources.by_kind(str(obj.get("apiVersion", "")), str(obj.get("kind", "")))
            if row is None:
                raise KctlError(f"strategic merge patch is not supported for {obj.get('apiVersion')}, Kind={obj.get('kind')}")
            result = patch.strategic_merge_patch(row.cls, obj, body)
    except patch.PatchError as error:
        raise KctlError(str(error)) from error
    if not isinstance(result, dict):
        raise KctlError("the patched object is no object")
    return result


def parse_patch(text: str, kind: str) -> Any:
    """The body of a patch given as JSON or YAML; raises KctlError when it is not what its type needs."""
    try:
        documents = manifests.parse(text, "patch")
    except manifests.ManifestError as error:
        raise KctlError(f"unable to parse {json.dumps(text)}: {str(error).removeprefix('error parsing patch: ')}") from error
    body = documents[0].body if documents else None
    if not isinstance(body, list if kind == JSON_PATCH else dict):
        wanted = "a list of operations" if kind == JSON_PATCH else "an object"
        raise KctlError(f"unable to parse {json.dumps(text)}: expected {wanted}")
    return body
