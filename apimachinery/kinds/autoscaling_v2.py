"""HorizontalPodAutoscalers (group autoscaling/v2), the form in which they are stored."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Int32, Int64, Merge, Quantity, Time, constant
from apimachinery.kinds.meta import LabelSelector, ObjectMeta
from apimachinery.kinds.object import Object


class HPAScalingPolicy(Base):
    """autoscaling/v2.HPAScalingPolicy"""

    period_seconds: Int32 = msgspec.field(default_factory=int)
    type: str = msgspec.field(default_factory=str)
    value: Int32 = msgspec.field(default_factory=int)


class HPAScalingRules(Base):
    """autoscaling/v2.HPAScalingRules"""

    policies: Annotated[list[HPAScalingPolicy], Merge(list_type="atomic")] = []
    select_policy: str = ""
    stabilization_window_seconds: Int32 | None = None
    tolerance: Quantity | None = None


class HorizontalPodAutoscalerBehavior(Base):
    """autoscaling/v2.HorizontalPodAutoscalerBehavior"""

    scale_down: HPAScalingRules | None = None
    scale_up: HPAScalingRules | None = None


class MetricTarget(Base):
    """autoscaling/v2.MetricTarget"""

    average_utilization: Int32 | None = None
    average_value: Quantity | None = None
    type: str = msgspec.field(default_factory=str)
    value: Quantity | None = None


class ContainerResourceMetricSource(Base):
    """autoscaling/v2.ContainerResourceMetricSource"""

    name: str = msgspec.field(default_factory=str)
    container: str = msgspec.field(default_factory=str)
    target: MetricTarget = msgspec.field(default_factory=MetricTarget)


class MetricIdentifier(Base):
    """autoscaling/v2.MetricIdentifier"""

    name: str = msgspec.field(default_factory=str)
    selector: LabelSelector | None = None


class ExternalMetricSource(Base):
    """autoscaling/v2.ExternalMetricSource"""

    metric: MetricIdentifier = msgspec.field(default_factory=MetricIdentifier)
    target: MetricTarget = msgspec.field(default_factory=MetricTarget)


class CrossVersionObjectReference(Base):
    """autoscaling/v2.CrossVersionObjectReference"""

    api_version: str = ""
    kind: str = msgspec.field(default_factory=str)
    name: str = msgspec.field(default_factory=str)


class ObjectMetricSource(Base):
    """autoscaling/v2.ObjectMetricSource"""

    described_object: CrossVersionObjectReference = msgspec.field(default_factory=CrossVersionObjectReference)
    metric: MetricIdentifier = msgspec.field(default_factory=MetricIdentifier)
    target: MetricTarget = msgspec.field(default_factory=MetricTarget)


class PodsMetricSource(Base):
    """autoscaling/v2.PodsMetricSource"""

    metric: MetricIdentifier = msgspec.field(default_factory=MetricIdentifier)
    target: MetricTarget = msgspec.field(default_factory=MetricTarget)


class ResourceMetricSource(Base):
    """autoscaling/v2.ResourceMetricSource"""

    name: str = msgspec.field(default_factory=str)
    target: MetricTarget = msgspec.field(default_factory=MetricTarget)


class MetricSpec(Base):
    """autoscaling/v2.MetricSpec"""

    container_resource: ContainerResourceMetricSource | None = None
    external: ExternalMetricSource | None = None
    object: ObjectMetricSource | None = None
    pods: PodsMetricSource | None = None
    resource: ResourceMetricSource | None = None
    type: str = msgspec.field(default_factory=str)


class HorizontalPodAutoscalerSpec(Base):
    """autoscaling/v2.HorizontalPodAutoscalerSpec"""

    behavior: HorizontalPodAutoscalerBehavior | None = None
    max_replicas: Int32 = msgspec.field(default_factory=int)
    metrics: Annotated[list[MetricSpec], Merge(list_type="atomic")] = []
    min_replicas: Int32 | None = None
    scale_target_ref: CrossVersionObjectReference = msgspec.field(default_factory=CrossVersionObjectReference)


class HorizontalPodAutoscalerCondition(Base):
    """autoscaling/v2.HorizontalPodAutoscalerCondition"""

    last_transition_time: Time | None = None
    message: str = ""
    reason: str = ""
    status: str = msgspec.field(default_factory=str)
    type: str = msgspec.field(default_factory=str)


class MetricValueStatus(Base):
    """autoscaling/v2.MetricValueStatus"""

    average_utilization: Int32 | None = None
    average_value: Quantity | None = None
    value: Quantity | None = None


class ContainerResourceMetricStatus(Base):
    """autoscaling/v2.ContainerResourceMetricStatus"""

    name: str = msgspec.field(default_factory=str)
    container: str = msgspec.field(default_factory=str)
    current: MetricValueStatus = msgspec.field(default_factory=MetricValueStatus)


class ExternalMetricStatus(Base):
    """autoscaling/v2.ExternalMetricStatus"""

    current: MetricValueStatus = msgspec.field(default_factory=MetricValueStatus)
    metric: MetricIdentifier = msgspec.field(default_factory=MetricIdentifier)


class ObjectMetricStatus(Base):
    """autoscaling/v2.ObjectMetricStatus"""

    current: MetricValueStatus = msgspec.field(default_factory=MetricValueStatus)
    described_object: CrossVersionObjectReference = msgspec.field(default_factory=CrossVersionObjectReference)
    metric: MetricIdentifier = msgspec.field(default_factory=MetricIdentifier)


class PodsMetricStatus(Base):
    """autoscaling/v2.PodsMetricStatus"""

    current: MetricValueStatus = msgspec.field(default_factory=MetricValueStatus)
    metric: MetricIdentifier = msgspec.field(default_factory=MetricIdentifier)


class ResourceMetricStatus(Base):
    """autoscaling/v2.ResourceMetricStatus"""

    name: str = msgspec.field(default_factory=str)
    current: MetricValueStatus = msgspec.field(default_factory=MetricValueStatus)


class MetricStatus(Base):
    """autoscaling/v2.MetricStatus"""

    container_resource: ContainerResourceMetricStatus | None = None
    external: ExternalMetricStatus | None = None
    object: ObjectMetricStatus | None = None
    pods: PodsMetricStatus | None = None
    resource: ResourceMetricStatus | None = None
    type: str = msgspec.field(default_factory=str)


class HorizontalPodAutoscalerStatus(Base):
    """autoscaling/v2.HorizontalPodAutoscalerStatus"""

    conditions: Annotated[
        list[HorizontalPodAutoscalerCondition], Merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = []
    current_metrics: Annotated[list[MetricStatus], Merge(list_type="atomic")] = []
    current_replicas: Int32 | None = None
    desired_replicas: Int32 = msgspec.field(default_factory=int)
    last_scale_time: Time | None = None
    observed_generation: Int64 | None = None


class HorizontalPodAutoscaler(Object):
    """autoscaling/v2.HorizontalPodAutoscaler"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("autoscaling/v2"))
    kind: str = msgspec.field(name="kind", default_factory=constant("HorizontalPodAutoscaler"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: HorizontalPodAutoscalerSpec = msgspec.field(default_factory=HorizontalPodAutoscalerSpec)
    status: HorizontalPodAutoscalerStatus = msgspec.field(default_factory=HorizontalPodAutoscalerStatus)
