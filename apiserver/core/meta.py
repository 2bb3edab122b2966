"""The metadata that only the server writes, and preconditions on it."""

import random
from datetime import datetime

from apimachinery import errors
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.resources import Resource
from apimachinery.times import format_time
from apiserver.core.naming import new_uid


def begin(meta: ObjectMeta, now: datetime, rng: random.Random) -> None:
    """Identity and times of a new object; raises ApiError (400) when it comes with a resourceVersion."""
    if meta.resource_version:
        raise errors.bad_request("resourceVersion should not be set on objects to be created")
    meta.uid = new_uid(rng)
    meta.creation_timestamp = format_time(now)


def check_preconditions(resource: Resource, meta: ObjectMeta, *, uid: str = "", resource_version: str = "") -> None:
    """Raise 409 unless the stored object is the one, in the state, that the request is about ("" does not care)."""
    if uid and uid != meta.uid:
        detail = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {meta.uid}"
        raise errors.conflict(resource.plural, meta.name, detail, group=resource.group)
    if resource_version not in ("", "0") and resource_version != meta.resource_version:
        raise errors.conflict(resource.plural, meta.name, group=resource.group)
