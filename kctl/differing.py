"""What `kctl diff` compares: an object as it is and as an apply would leave it, as text; pure.

Values of Secrets are not shown: equal ones become `***`, those that differ say on which side they stand.
"""

import re
from collections.abc import Mapping
from typing import Any

from kctl.errors import KctlError

MASK, MASK_BEFORE, MASK_AFTER = "***", "*** (before)", "*** (after)"
_SECRET_PARTS = ("data", "stringData")
_WORD = re.compile(r"^[a-zA-Z0-9=-]+$")


def file_name(obj: Mapping[str, Any]) -> str:
    """`apps.v1.Deployment.default.web`"""
    group, _, version = str(obj.get("apiVersion", "")).rpartition("/")
    metadata = obj.get("metadata") or {}
    return ".".join((*([group] if group else []), version, obj["kind"], metadata.get("namespace") or "", metadata["name"]))


def masked(
    live: Mapping[str, Any] | None, merged: Mapping[str, Any] | None
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """Both states with the values of a Secret hidden; other kinds stay as they are."""
    sample = merged or live or {}
    if sample.get("kind") != "Secret" or sample.get("apiVersion") != "v1":
        return live, merged
    left, right = dict(live) if live else None, dict(merged) if merged else None
    for part in _SECRET_PARTS:
        before, after = (live or {}).get(part) or {}, (merged or {}).get(part) or {}
        if left is not None and before:
            left[part] = {key: _mask(key, before, after, MASK_BEFORE) for key in before}
        if right is not None and after:
            right[part] = {key: _mask(key, after, before, MASK_AFTER) for key in after}
    return left, right


def program(setting: str) -> list[str]:
    """The words of the program that compares two folders: KUBECTL_EXTERNAL_DIFF, or diff; raises KctlError."""
    if not setting.split():
        return ["diff", "-u", "-N"]
    name, *options = setting.split()
    for word in options:
        if not _WORD.match(word):
            raise KctlError(f"KUBECTL_EXTERNAL_DIFF: {word!r} has other characters than letters, digits, - and =")
    return [name, *options]


def _mask(key: str, own: Mapping[str, Any], other: Mapping[str, Any], differing: str) -> str:
    return differing if key in other and other[key] != own[key] else MASK
