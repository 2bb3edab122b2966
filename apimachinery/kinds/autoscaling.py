"""The Scale subresource (group autoscaling/v1)."""

import msgspec

from apimachinery.kinds.base import Base, Int32, constant
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.kinds.object import Object


class ScaleSpec(Base):
    """autoscaling/v1.ScaleSpec"""

    replicas: Int32 | None = None


class ScaleStatus(Base):
    """autoscaling/v1.ScaleStatus"""

    replicas: Int32 = msgspec.field(default_factory=int)
    selector: str = ""


class Scale(Object):
    """autoscaling/v1.Scale

    How many replicas a workload has and is to have.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("autoscaling/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("Scale"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: ScaleSpec = msgspec.field(default_factory=ScaleSpec)
    status: ScaleStatus = msgspec.field(default_factory=ScaleStatus)
