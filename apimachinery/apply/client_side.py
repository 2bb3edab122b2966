"""From client-side to server-side apply.

kubectl keeps the last configuration of a client-side apply in an annotation. When it then applies on the server, as the manager
`kubectl`, the fields of its client-side manager become its own at once: what the configuration no longer says goes away instead
of staying for ever under a manager that never writes again. Conflicts over fields that stand as the annotation says are no
conflicts. The annotation is kept up to date, so that the way back stays open. Other managers opt out of all of this.
Source: the Kubernetes page "Server-Side Apply", on moving from client-side apply.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from apimachinery.apply.fields import NO_FIELDS, FieldSet
from apimachinery.apply.managers import UPDATE, Held, Identity, Table
from apimachinery.apply.shapes import Shape
from apimachinery.apply.walking import difference, fields_of

KUBECTL = "kubectl"
CLIENT_SIDE_MANAGER = "kubectl-client-side-apply"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_ANNOTATIONS_MAX_BYTES = 256 * 1024
_ANNOTATION = FieldSet({"f:metadata": {"f:annotations": {f"f:{LAST_APPLIED}": {}}}})


def annotations_of(plain: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = plain.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    return annotations if isinstance(annotations, Mapping) else {}


def inherited(live: Mapping[str, Any], table: Table, manager: str) -> tuple[Table, list[Held]]:
    """The managers without client-side apply's, and what `manager` takes over from those."""
    if manager != KUBECTL or not annotations_of(live).get(LAST_APPLIED):
        return table, []
    remaining = {identity: held for identity, held in table.items() if not _is_client_side(identity)}
    gone = [held for identity, held in table.items() if identity not in remaining]
    return remaining, [held.with_fields(held.fields.difference(_ANNOTATION)) for held in gone]


def kept(manager: str) -> FieldSet:
    """What an apply by `manager` does not take away although nobody owns it."""
    return _ANNOTATION if manager == KUBECTL else NO_FIELDS


def allowed_conflicts(shape: Shape, live: Mapping[str, Any], manager: str, api_version: str) -> FieldSet:
    """Fields that stand in the live object as client-side apply has set them last."""
    text = annotations_of(live).get(LAST_APPLIED)
    if manager != KUBECTL or not isinstance(text, str) or not text:
        return NO_FIELDS
    try:
        last = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return NO_FIELDS  # somebody's own text under that name says nothing about the fields
    if not isinstance(last, dict) or last.get("apiVersion") != api_version:
        return NO_FIELDS
    changes = difference(shape, last, live)
    return fields_of(shape, last).difference(FieldSet(changes.changed)).difference(FieldSet(changes.removed))


def with_last_applied(merged: dict[str, Any], applied: Mapping[str, Any], manager: str) -> dict[str, Any]:
    """The object with its annotation, if it has one, saying what `applied` says; without it where it would be too large."""
    annotations = annotations_of(merged)
    if manager != KUBECTL or LAST_APPLIED not in annotations:
        return merged
    text = _text_of(applied)
    updated = {**annotations, LAST_APPLIED: text}
    if sum(len(key.encode()) + len(str(value).encode()) for key, value in updated.items()) > _ANNOTATIONS_MAX_BYTES:
        del updated[LAST_APPLIED]
    return {**merged, "metadata": {**merged["metadata"], "annotations": updated}}


def _text_of(applied: Mapping[str, Any]) -> str:
    metadata = {key: value for key, value in applied.get("metadata", {}).items() if key != "managedFields"}
    if LAST_APPLIED in metadata.get("annotations", {}):
        metadata["annotations"] = {key: value for key, value in metadata["annotations"].items() if key != LAST_APPLIED}
    return msgspec.json.encode({**applied, "metadata": metadata}, order="sorted").decode() + "\n"


def _is_client_side(identity: Identity) -> bool:
    return identity.manager == CLIENT_SIDE_MANAGER and identity.operation == UPDATE and not identity.subresource
