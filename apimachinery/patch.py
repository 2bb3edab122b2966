"""Patches on plain data (dicts, lists, scalars): applying each form, and computing the ones that clients send.

- `json_patch`: a list of operations (RFC 6902);
- `merge_patch`: a partial document in which null deletes (RFC 7386);
- `strategic_merge_patch`: a merge patch that merges lists by the keys which the class declares;
- `diff` and `strategic_diff` turn one document into another; `three_way_json_merge_patch` and `three_way_merge_patch` are what
  `apply` sends.

No function changes its arguments; results may share parts with them. All raise PatchError, PatchFormatError when the patch is
malformed whatever the document.
"""

from apimachinery.patches.common import PatchError, PatchFormatError, equal
from apimachinery.patches.json_patch import MAX_COPIED_BYTES, MAX_OPERATIONS, json_patch
from apimachinery.patches.merge_patch import diff, merge_patch, three_way_json_merge_patch
from apimachinery.patches.strategic_apply import strategic_merge_patch
from apimachinery.patches.strategic_create import strategic_diff, three_way_merge_patch

__all__ = [
    "MAX_COPIED_BYTES",
    "MAX_OPERATIONS",
    "PatchError",
    "PatchFormatError",
    "diff",
    "equal",
    "json_patch",
    "merge_patch",
    "strategic_diff",
    "strategic_merge_patch",
    "three_way_json_merge_patch",
    "three_way_merge_patch",
]
