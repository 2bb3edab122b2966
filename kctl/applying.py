"""What `apply` decides, without doing it: the last-applied annotation, and the patch from three states of an object.

original: what was applied last time, from the annotation; modified: the manifest; current: what the server has. For kinds
with a class here lists merge by their keys (strategic merge patch); for all others a JSON merge patch replaces them whole.
Source: the Kubernetes page "Declarative Management of Kubernetes Objects Using Configuration Files".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kctl.rest import MERGE_PATCH, STRATEGIC_PATCH

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# As Go's encoder escapes them: written alike, what kubectl has applied is unchanged for us, and the other way round.
_ESCAPED = {ord(each): f"\\u{ord(each):04x}" for each in "&<>\u2028\u2029"}


@dataclass(frozen=True)
class Decision:
    """The patch to send, and its content type; an empty patch means that nothing is to be done."""

    patch: dict[str, Any]
    kind: str
    was_applied: bool

    @property
    def unchanged(self) -> bool:
        return not self.patch


def annotated(obj: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest as it is sent: with a copy of itself in the annotation that the next apply reads."""
    bare = without_annotation(obj)
    text = json.dumps(bare, separators=(",", ":"), sort_keys=True, ensure_ascii=False).translate(_ESCAPED) + "\n"
    metadata = dict(bare.get("metadata") or {})
    metadata["annotations"] = {**(metadata.get("annotations") or {}), LAST_APPLIED: text}
    return {**bare, "metadata": metadata}


def without_annotation(obj: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest as its author wrote it."""
    metadata = dict(obj.get("metadata") or {})
    metadata["annotations"] = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != LAST_APPLIED}
    return {**obj, "metadata": metadata}


def last_applied(current: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was applied last time; None when the object was made another way."""
    text = ((current.get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED)
    if not text:
        return None
    try:
        original = json.loads(text)
    except ValueError:
        return None
    return original if isinstance(original, dict) else None


def decide(obj: Mapping[str, Any], current: Mapping[str, Any], *, remember: bool = True) -> Decision:
    """The patch that makes `current` what the manifest says; `remember`: and sets the annotation for the next apply."""
    from apimachinery import patch, resources

    original = last_applied(current)
    modified = annotated(obj) if remember else without_annotation(obj)
    row = resources.by_kind(str(obj.get("apiVersion", "")), str(obj.get("kind", "")))
    if row is None:
        difference = patch.three_way_json_merge_patch(original or {}, modified, current)
        return Decision(difference, MERGE_PATCH, original is not None)
    difference = patch.three_way_merge_patch(row.cls, original or {}, modified, current)
    return Decision(difference, STRATEGIC_PATCH, original is not None)
