"""HorizontalPodAutoscalers in their older form (group autoscaling/v1)."""

import msgspec

from apimachinery.kinds.base import Base, Int32, Int64, Time, constant
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.kinds.object import Object


class CrossVersionObjectReference(Base):
    """autoscaling/v1.CrossVersionObjectReference"""

    api_version: str = ""
    kind: str = msgspec.field(default_factory=str)
    name: str = msgspec.field(default_factory=str)


class HorizontalPodAutoscalerSpec(Base):
    """autoscaling/v1.HorizontalPodAutoscalerSpec"""

    max_replicas: Int32 = msgspec.field(default_factory=int)
    min_replicas: Int32 | None = None
    scale_target_ref: CrossVersionObjectReference = msgspec.field(default_factory=CrossVersionObjectReference)
    target_cpu_utilization_percentage: Int32 | None = msgspec.field(name="targetCPUUtilizationPercentage", default=None)


class HorizontalPodAutoscalerStatus(Base):
    """autoscaling/v1.HorizontalPodAutoscalerStatus"""

    current_cpu_utilization_percentage: Int32 | None = msgspec.field(name="currentCPUUtilizationPercentage", default=None)
    current_replicas: Int32 = msgspec.field(default_factory=int)
    desired_replicas: Int32 = msgspec.field(default_factory=int)
    last_scale_time: Time | None = None
    observed_generation: Int64 | None = None


class HorizontalPodAutoscaler(Object):
    """autoscaling/v1.HorizontalPodAutoscaler"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("autoscaling/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("HorizontalPodAutoscaler"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: HorizontalPodAutoscalerSpec = msgspec.field(default_factory=HorizontalPodAutoscalerSpec)
    status: HorizontalPodAutoscalerStatus = msgspec.field(default_factory=HorizontalPodAutoscalerStatus)
