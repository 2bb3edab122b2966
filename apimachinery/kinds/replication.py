"""Workloads of the core group: ReplicationControllers, the forerunners of ReplicaSets, and PodTemplates."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Int32, Int64, Merge, Time, constant
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.kinds.object import Object
from apimachinery.kinds.pods import PodTemplateSpec


class ReplicationControllerSpec(Base):
    """core/v1.ReplicationControllerSpec"""

    min_ready_seconds: Int32 | None = None
    replicas: Int32 | None = None
    selector: Annotated[dict[str, str], Merge(map_type="atomic")] = {}
    template: PodTemplateSpec | None = None


class ReplicationControllerCondition(Base):
    """core/v1.ReplicationControllerCondition"""

    last_transition_time: Time | None = None
    message: str = ""
    reason: str = ""
    status: str = msgspec.field(default_factory=str)
    type: str = msgspec.field(default_factory=str)


class ReplicationControllerStatus(Base):
    """core/v1.ReplicationControllerStatus"""

    available_replicas: Int32 | None = None
    conditions: Annotated[
        list[ReplicationControllerCondition], Merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = []
    fully_labeled_replicas: Int32 | None = None
    observed_generation: Int64 | None = None
    ready_replicas: Int32 | None = None
    replicas: Int32 = msgspec.field(default_factory=int)


class ReplicationController(Object):
    """core/v1.ReplicationController"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("ReplicationController"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: ReplicationControllerSpec = msgspec.field(default_factory=ReplicationControllerSpec)
    status: ReplicationControllerStatus = msgspec.field(default_factory=ReplicationControllerStatus)


class PodTemplate(Object):
    """core/v1.PodTemplate"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("PodTemplate"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    template: PodTemplateSpec = msgspec.field(default_factory=PodTemplateSpec)
