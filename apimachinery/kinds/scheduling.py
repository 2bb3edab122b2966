"""PriorityClasses (group scheduling.k8s.io/v1)."""

import msgspec

from apimachinery.kinds.base import Int32, constant
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.kinds.object import Object


class PriorityClass(Object):
    """scheduling/v1.PriorityClass"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("scheduling.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("PriorityClass"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    description: str = ""
    global_default: bool | None = None
    preemption_policy: str = ""
    value: Int32 = msgspec.field(default_factory=int)
