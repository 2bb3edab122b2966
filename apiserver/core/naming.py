"""Names and identities given by the server, from an injected random source."""

import random
import uuid

from apimachinery import errors
from apimachinery.errors import FieldError
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.resources import Resource

SUFFIX_LENGTH = 5
NAME_LENGTH_MAX = 63
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Without vowels and what looks alike, so that no words come out."""


def generate_name(prefix: str, rng: random.Random) -> str:
    """`prefix`, shortened where needed, and five random characters."""
    return prefix[: NAME_LENGTH_MAX - SUFFIX_LENGTH] + "".join(rng.choices(_ALPHABET, k=SUFFIX_LENGTH))


def new_uid(rng: random.Random) -> str:
    """A random UUID (version 4) drawn from `rng`."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def settle_name(meta: ObjectMeta, path_name: str) -> None:
    """Agree on the name in the object and the one in the path; raises ApiError (400) when they differ."""
    if not meta.name:
        meta.name = path_name
    elif path_name and meta.name != path_name:
        raise errors.bad_request(f"the name of the object ({meta.name}) does not match the name on the URL ({path_name})")


def settle_namespace(resource: Resource, meta: ObjectMeta, path_namespace: str) -> None:
    """Agree on the namespace in the object and the one in the path; raises ApiError (400) when they differ."""
    if not resource.namespaced:
        if meta.namespace:
            raise errors.bad_request("namespace is not allowed on this type: it is cluster-scoped")
        return
    if not path_namespace:
        raise errors.bad_request("an empty namespace may not be set when a resource name is provided")
    if not meta.namespace:
        meta.namespace = path_namespace
    elif meta.namespace != path_namespace:
        raise errors.bad_request("the namespace of the provided object does not match the namespace sent on the request")


def require_name(resource: Resource, meta: ObjectMeta) -> None:
    """Raise 422 for an object that has neither a name nor a prefix to make one from."""
    if not meta.name and not meta.generate_name:
        wrong = FieldError.required("metadata.name", "name or generateName is required")
        raise errors.invalid(resource.kind, "", [wrong], group=resource.group)
