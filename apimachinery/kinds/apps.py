"""Workloads (group apps/v1): ReplicaSets, Deployments, StatefulSets, DaemonSets, and the revisions that they keep."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, FreeForm, Int32, Int64, IntOrString, Merge, Time, constant
from apimachinery.kinds.meta import LabelSelector, ObjectMeta
from apimachinery.kinds.object import Object
from apimachinery.kinds.persistent_volumes import PersistentVolumeClaim
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


class StatefulSetOrdinals(Base):
    """apps/v1.StatefulSetOrdinals"""

    start: Int32 | None = None


class StatefulSetPersistentVolumeClaimRetentionPolicy(Base):
    """apps/v1.StatefulSetPersistentVolumeClaimRetentionPolicy"""

    when_deleted: str = ""
    when_scaled: str = ""


class RollingUpdateStatefulSetStrategy(Base):
    """apps/v1.RollingUpdateStatefulSetStrategy"""

    max_unavailable: IntOrString | None = None
    partition: Int32 | None = None


class StatefulSetUpdateStrategy(Base):
    """apps/v1.StatefulSetUpdateStrategy"""

    rolling_update: RollingUpdateStatefulSetStrategy | None = None
    type: str = ""


class StatefulSetSpec(Base):
    """apps/v1.StatefulSetSpec"""

    min_ready_seconds: Int32 | None = None
    ordinals: StatefulSetOrdinals | None = None
    persistent_volume_claim_retention_policy: StatefulSetPersistentVolumeClaimRetentionPolicy | None = None
    pod_management_policy: str = ""
    replicas: Int32 | None = None
    revision_history_limit: Int32 | None = None
    selector: LabelSelector = msgspec.field(default_factory=LabelSelector)
    service_name: str = ""
    template: PodTemplateSpec = msgspec.field(default_factory=PodTemplateSpec)
    update_strategy: StatefulSetUpdateStrategy = msgspec.field(default_factory=StatefulSetUpdateStrategy)
    volume_claim_templates: Annotated[list[PersistentVolumeClaim], Merge(list_type="atomic")] = []


class StatefulSetCondition(Base):
    """apps/v1.StatefulSetCondition"""

    last_transition_time: Time | None = None
    message: str = ""
    reason: str = ""
    status: str = msgspec.field(default_factory=str)
    type: str = msgspec.field(default_factory=str)


class StatefulSetStatus(Base):
    """apps/v1.StatefulSetStatus"""

    available_replicas: Int32 | None = None
    collision_count: Int32 | None = None
    conditions: Annotated[
        list[StatefulSetCondition], Merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = []
    current_replicas: Int32 | None = None
    current_revision: str = ""
    observed_generation: Int64 | None = None
    ready_replicas: Int32 | None = None
    replicas: Int32 = msgspec.field(default_factory=int)
    updated_replicas: Int32 | None = None
    update_revision: str = ""


class StatefulSet(Object):
    """apps/v1.StatefulSet"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("apps/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("StatefulSet"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: StatefulSetSpec = msgspec.field(default_factory=StatefulSetSpec)
    status: StatefulSetStatus = msgspec.field(default_factory=StatefulSetStatus)


class RollingUpdateDaemonSet(Base):
    """apps/v1.RollingUpdateDaemonSet"""

    max_surge: IntOrString | None = None
    max_unavailable: IntOrString | None = None


class DaemonSetUpdateStrategy(Base):
    """apps/v1.DaemonSetUpdateStrategy"""

    rolling_update: RollingUpdateDaemonSet | None = None
    type: str = ""


class DaemonSetSpec(Base):
    """apps/v1.DaemonSetSpec"""

    min_ready_seconds: Int32 | None = None
    revision_history_limit: Int32 | None = None
    selector: LabelSelector = msgspec.field(default_factory=LabelSelector)
    template: PodTemplateSpec = msgspec.field(default_factory=PodTemplateSpec)
    update_strategy: DaemonSetUpdateStrategy = msgspec.field(default_factory=DaemonSetUpdateStrategy)


class DaemonSetCondition(Base):
    """apps/v1.DaemonSetCondition"""

    last_transition_time: Time | None = None
    message: str = ""
    reason: str = ""
    status: str = msgspec.field(default_factory=str)
    type: str = msgspec.field(default_factory=str)


class DaemonSetStatus(Base):
    """apps/v1.DaemonSetStatus"""

    collision_count: Int32 | None = None
    conditions: Annotated[
        list[DaemonSetCondition], Merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = []
    current_number_scheduled: Int32 = msgspec.field(default_factory=int)
    desired_number_scheduled: Int32 = msgspec.field(default_factory=int)
    number_available: Int32 | None = None
    number_misscheduled: Int32 = msgspec.field(default_factory=int)
    number_ready: Int32 = msgspec.field(default_factory=int)
    number_unavailable: Int32 | None = None
    observed_generation: Int64 | None = None
    updated_number_scheduled: Int32 | None = None


class DaemonSet(Object):
    """apps/v1.DaemonSet"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("apps/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("DaemonSet"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: DaemonSetSpec = msgspec.field(default_factory=DaemonSetSpec)
    status: DaemonSetStatus = msgspec.field(default_factory=DaemonSetStatus)


class ControllerRevision(Object):
    """apps/v1.ControllerRevision"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("apps/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("ControllerRevision"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    data: FreeForm | None = None
    revision: Int64 = msgspec.field(default_factory=int)
