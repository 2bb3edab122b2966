"""Workloads: ReplicaSets and Deployments (group apps/v1)."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Int32, Int64, IntOrString, Merge, Time, constant
from apimachinery.kinds.meta import LabelSelector, ObjectMeta
from apimachinery.kinds.object import Object
from apimachinery.kinds.pods import PodTemplateSpec


class ReplicaSetSpec(Base):
    """apps/v1.ReplicaSetSpec

    How many pods of which template there are to be.
    """

    min_ready_seconds: Int32 | None = None
    replicas: Int32 | None = None
    selector: LabelSelector = msgspec.field(default_factory=LabelSelector)
    template: PodTemplateSpec = msgspec.field(default_factory=PodTemplateSpec)


class ReplicaSetCondition(Base):
    """apps/v1.ReplicaSetCondition"""

    last_transition_time: Time | None = None
    message: str = ""
    reason: str = ""
    status: str = msgspec.field(default_factory=str)
    type: str = msgspec.field(default_factory=str)


class ReplicaSetStatus(Base):
    """apps/v1.ReplicaSetStatus

    How many pods of a ReplicaSet there are.
    """

    available_replicas: Int32 | None = None
    conditions: Annotated[
        list[ReplicaSetCondition], Merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = []
    fully_labeled_replicas: Int32 | None = None
    observed_generation: Int64 | None = None
    ready_replicas: Int32 | None = None
    replicas: Int32 = msgspec.field(default_factory=int)
    terminating_replicas: Int32 | None = None


class ReplicaSet(Object):
    """apps/v1.ReplicaSet

    Keeps a number of equal pods running.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("apps/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("ReplicaSet"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: ReplicaSetSpec = msgspec.field(default_factory=ReplicaSetSpec)
    status: ReplicaSetStatus = msgspec.field(default_factory=ReplicaSetStatus)


class RollingUpdateDeployment(Base):
    """apps/v1.RollingUpdateDeployment"""

    max_surge: IntOrString | None = None
    max_unavailable: IntOrString | None = None


class DeploymentStrategy(Base):
    """apps/v1.DeploymentStrategy"""

    rolling_update: RollingUpdateDeployment | None = None
    type: str = ""


class DeploymentSpec(Base):
    """apps/v1.DeploymentSpec

    How many pods of which template there are to be, and how they are replaced.
    """

    min_ready_seconds: Int32 | None = None
    paused: bool | None = None
    progress_deadline_seconds: Int32 | None = None
    replicas: Int32 | None = None
    revision_history_limit: Int32 | None = None
    selector: LabelSelector = msgspec.field(default_factory=LabelSelector)
    strategy: Annotated[DeploymentStrategy, Merge(patch="retainKeys")] = msgspec.field(default_factory=DeploymentStrategy)
    template: PodTemplateSpec = msgspec.field(default_factory=PodTemplateSpec)


class DeploymentCondition(Base):
    """apps/v1.DeploymentCondition"""

    last_transition_time: Time | None = None
    last_update_time: Time | None = None
    message: str = ""
    reason: str = ""
    status: str = msgspec.field(default_factory=str)
    type: str = msgspec.field(default_factory=str)


class DeploymentStatus(Base):
    """apps/v1.DeploymentStatus

    How far a Deployment is.
    """

    available_replicas: Int32 | None = None
    collision_count: Int32 | None = None
    conditions: Annotated[
        list[DeploymentCondition], Merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = []
    observed_generation: Int64 | None = None
    ready_replicas: Int32 | None = None
    replicas: Int32 | None = None
    terminating_replicas: Int32 | None = None
    unavailable_replicas: Int32 | None = None
    updated_replicas: Int32 | None = None


class Deployment(Object):
    """apps/v1.Deployment

    Keeps a number of equal pods running, and replaces them step by step when their template changes.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("apps/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("Deployment"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: DeploymentSpec = msgspec.field(default_factory=DeploymentSpec)
    status: DeploymentStatus = msgspec.field(default_factory=DeploymentStatus)
