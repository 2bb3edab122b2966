"""The Eviction subresource (group policy/v1)."""

import msgspec

from apimachinery.kinds.base import constant
from apimachinery.kinds.meta import DeleteOptions, ObjectMeta
from apimachinery.kinds.object import Object


class Eviction(Object):
    """policy/v1.Eviction

    A request to end a pod in keeping with its disruption budgets.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("policy/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("Eviction"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    delete_options: DeleteOptions | None = None
