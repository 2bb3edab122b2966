"""What is asked of a webhook that converts custom resources, and what of its answer counts.

A webhook may change everything but an object's identity: of the metadata only labels and annotations are taken from it.
Source: the Kubernetes page "Versions in CustomResourceDefinitions", sections "Webhook request and response".
"""

from collections.abc import Sequence
from typing import Any

import msgspec

REVIEW_VERSION = "apiextensions.k8s.io/v1"
_IDENTITY = ("name", "namespace", "uid")


class ConversionError(Exception):
    """An answer that does not count, or that says that nothing was converted."""


class _Result(msgspec.Struct):
    status: str = ""
    message: str = ""


class _Response(msgspec.Struct, rename="camel"):
    uid: str = ""
    converted_objects: list[dict[str, Any]] = []
    result: _Result = msgspec.field(default_factory=_Result)


class _Review(msgspec.Struct, rename="camel"):
    api_version: str = ""
    kind: str = ""
    response: _Response | None = None


def review_of(objects: Sequence[dict[str, Any]], api_version: str, uid: str) -> bytes:
    """The question: these objects in that version."""
    request = {"uid": uid, "desiredAPIVersion": api_version, "objects": list(objects)}
    return msgspec.json.encode({"apiVersion": REVIEW_VERSION, "kind": "ConversionReview", "request": request})


def converted(answer: bytes, uid: str, objects: Sequence[dict[str, Any]], api_version: str) -> list[dict[str, Any]]:
    """The converted objects of an answer, each checked against the one that was sent; raises ConversionError."""
    try:
        review = msgspec.json.decode(answer, type=_Review)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConversionError(f"the answer is no ConversionReview: {error}") from error
    if (review.api_version, review.kind) != (REVIEW_VERSION, "ConversionReview"):
        wanted = f"{REVIEW_VERSION}, Kind=ConversionReview"
        raise ConversionError(f"expected webhook response of {wanted}, got {review.api_version}, Kind={review.kind}")
    response = review.response
    if response is None:
        raise ConversionError("the answer has no response")
    if response.uid != uid:
        raise ConversionError(f'expected response.uid="{uid}", got "{response.uid}"')
    if response.result.status != "Success":
        reason = response.result.message or f'response.result.status was "{response.result.status}", not "Success"'
        raise ConversionError(reason)
    if len(response.converted_objects) != len(objects):
        raise ConversionError(f"expected {len(objects)} converted objects, got {len(response.converted_objects)}")
    return [_checked(new, old, api_version) for new, old in zip(response.converted_objects, objects, strict=True)]


def _checked(new: dict[str, Any], old: dict[str, Any], api_version: str) -> dict[str, Any]:
    if new.get("apiVersion") != api_version:
        raise ConversionError(f"a converted object has apiVersion {new.get('apiVersion')!r}, not {api_version!r}")
    if new.get("kind") != old.get("kind"):
        raise ConversionError(f"a converted object has kind {new.get('kind')!r}, not {old.get('kind')!r}")
    before, after = old.get("metadata") or {}, new.get("metadata")
    if not isinstance(after, dict):
        raise ConversionError("a converted object has no metadata")
    for name in _IDENTITY:
        if (after.get(name) or "") != (before.get(name) or ""):
            raise ConversionError(
                f"a converted object has another metadata.{name}: {after.get(name)!r}, not {before.get(name)!r}"
            )
    kept = {name: value for name, value in before.items() if name not in ("labels", "annotations")}
    taken = {name: after[name] for name in ("labels", "annotations") if after.get(name)}
    return {**new, "metadata": {**kept, **taken}}
