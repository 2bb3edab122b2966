"""A patch request applied to an object's plain data."""

from typing import Any

import msgspec

from apimachinery import errors, patch
from apimachinery.errors import ApiError, Reason, api_error
from apimachinery.kinds.custom import Custom
from apimachinery.kinds.object import Object
from apiserver.core.bodies import unsupported_type
from apiserver.core.request import PatchType

PATCH_TYPES = tuple(str(each) for each in PatchType)
CUSTOM_PATCH_TYPES = tuple(str(each) for each in PatchType if each is not PatchType.STRATEGIC)
"""A strategic merge needs merge keys, which schemas of custom resources do not have."""


class Patch(msgspec.Struct, frozen=True):
    """A patch, decoded: its kind and its plain data."""

    kind: PatchType
    content: Any

    def resource_version(self) -> str:
        """The revision that the patch insists on, "" if none."""
        if not isinstance(self.content, dict):
            return ""
        meta = self.content.get("metadata")
        found = meta.get("resourceVersion") if isinstance(meta, dict) else None
        return found if isinstance(found, str) else ""

    def apply(self, cls: type[Object], document: Any) -> Any:
        """The patched plain data; raises ApiError 400 for a malformed patch, 415, 422 for one that does not fit the object."""
        if self.kind is PatchType.STRATEGIC and issubclass(cls, Custom):
            raise unsupported_type(str(self.kind), CUSTOM_PATCH_TYPES)
        try:
            match self.kind:
                case PatchType.JSON:
                    return patch.json_patch(document, self.content)
                case PatchType.MERGE:
                    return patch.merge_patch(document, self.content)
                case PatchType.STRATEGIC:
                    return patch.strategic_merge_patch(cls, document, self.content)
                case PatchType.APPLY:
                    raise TypeError("a configuration is applied for its manager, by the registry")
        except patch.PatchFormatError as error:
            raise errors.bad_request(f"error decoding patch: {error}") from error
        except patch.PatchError as error:
            raise _rejected(str(error)) from error


def parse_patch(body: bytes, content_type: str) -> Patch:
    """The patch in a body; raises ApiError 415 for an unknown media type, 400 for what is malformed."""
    try:
        kind = PatchType(content_type)
    except ValueError:
        raise unsupported_type(content_type, PATCH_TYPES) from None
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise errors.bad_request(f"error decoding patch: {error}") from error
    except RecursionError:
        raise errors.bad_request("error decoding patch: it is nested too deeply") from None
    if not isinstance(content, list if kind is PatchType.JSON else dict):
        expected = "a list of operations" if kind is PatchType.JSON else "an object"
        raise errors.bad_request(f"error decoding patch: expected {expected}")
    if kind is PatchType.JSON and len(content) > patch.MAX_OPERATIONS:
        raise errors.too_large(f"the allowed maximum operations in a JSON patch is {patch.MAX_OPERATIONS}, got {len(content)}")
    return Patch(kind, content)


def _rejected(detail: str) -> ApiError:
    return api_error(422, Reason.INVALID, f"the server rejected our request due to an error in our request: {detail}")
