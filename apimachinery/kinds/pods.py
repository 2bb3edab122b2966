"""Pods: specification, scheduling constraints, status; the Binding that places one."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Int32, Int64, Merge, Quantity, Time, constant, required_list, required_map
from apimachinery.kinds.containers import (
    AppArmorProfile,
    Container,
    EphemeralContainer,
    ResourceRequirements,
    SeccompProfile,
    SELinuxOptions,
    WindowsSecurityContextOptions,
)
from apimachinery.kinds.meta import LabelSelector, ObjectMeta
from apimachinery.kinds.object import Object
from apimachinery.kinds.references import LocalObjectReference, NodeSelector, NodeSelectorTerm, ObjectReference
from apimachinery.kinds.volumes import Volume


class PreferredSchedulingTerm(Base):
    """core/v1.PreferredSchedulingTerm"""

    preference: NodeSelectorTerm = msgspec.field(default_factory=NodeSelectorTerm)
    weight: Int32 = msgspec.field(default_factory=int)


class NodeAffinity(Base):
    """core/v1.NodeAffinity"""

    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[PreferredSchedulingTerm], Merge(list_type="atomic")
    ] = []
    required_during_scheduling_ignored_during_execution: NodeSelector | None = None


class PodAffinityTerm(Base):
    """core/v1.PodAffinityTerm"""

    label_selector: LabelSelector | None = None
    match_label_keys: Annotated[list[str], Merge(list_type="atomic")] = []
    mismatch_label_keys: Annotated[list[str], Merge(list_type="atomic")] = []
    namespace_selector: LabelSelector | None = None
    namespaces: Annotated[list[str], Merge(list_type="atomic")] = []
    topology_key: str = msgspec.field(default_factory=str)


class WeightedPodAffinityTerm(Base):
    """core/v1.WeightedPodAffinityTerm"""

    pod_affinity_term: PodAffinityTerm = msgspec.field(default_factory=PodAffinityTerm)
    weight: Int32 = msgspec.field(default_factory=int)


class PodAffinity(Base):
    """core/v1.PodAffinity"""

    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[WeightedPodAffinityTerm], Merge(list_type="atomic")
    ] = []
    required_during_scheduling_ignored_during_execution: Annotated[list[PodAffinityTerm], Merge(list_type="atomic")] = []


class PodAntiAffinity(Base):
    """core/v1.PodAntiAffinity"""

    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[WeightedPodAffinityTerm], Merge(list_type="atomic")
    ] = []
    required_during_scheduling_ignored_during_execution: Annotated[list[PodAffinityTerm], Merge(list_type="atomic")] = []


class Affinity(Base):
    """core/v1.Affinity"""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAntiAffinity | None = None


class PodDNSConfigOption(Base):
    """core/v1.PodDNSConfigOption"""

    name: str = ""
    value: str = ""


class PodDNSConfig(Base):
    """core/v1.PodDNSConfig"""

    nameservers: Annotated[list[str], Merge(list_type="atomic")] = []
    options: Annotated[list[PodDNSConfigOption], Merge(list_type="atomic")] = []
    searches: Annotated[list[str], Merge(list_type="atomic")] = []


class HostAlias(Base):
    """core/v1.HostAlias"""

    hostnames: Annotated[list[str], Merge(list_type="atomic")] = []
    ip: str = msgspec.field(default_factory=str)


class PodOS(Base):
    """core/v1.PodOS"""

    name: str = msgspec.field(default_factory=str)


class PodReadinessGate(Base):
    """core/v1.PodReadinessGate"""

    condition_type: str = msgspec.field(default_factory=str)


class PodResourceClaim(Base):
    """core/v1.PodResourceClaim"""

    name: str = msgspec.field(default_factory=str)
    resource_claim_name: str = ""
    resource_claim_template_name: str = ""


class PodSchedulingGate(Base):
    """core/v1.PodSchedulingGate"""

    name: str = msgspec.field(default_factory=str)


class PodSchedulingGroup(Base):
    """core/v1.PodSchedulingGroup"""

    pod_group_name: str = ""


class Sysctl(Base):
    """core/v1.Sysctl"""

    name: str = msgspec.field(default_factory=str)
    value: str = msgspec.field(default_factory=str)


class PodSecurityContext(Base):
    """core/v1.PodSecurityContext"""

    app_armor_profile: AppArmorProfile | None = None
    fs_group: Int64 | None = None
    fs_group_change_policy: str = ""
    run_as_group: Int64 | None = None
    run_as_non_root: bool | None = None
    run_as_user: Int64 | None = None
    se_linux_change_policy: str = ""
    se_linux_options: SELinuxOptions | None = None
    seccomp_profile: SeccompProfile | None = None
    supplemental_groups: Annotated[list[Int64], Merge(list_type="atomic")] = []
    supplemental_groups_policy: str = ""
    sysctls: Annotated[list[Sysctl], Merge(list_type="atomic")] = []
    windows_options: WindowsSecurityContextOptions | None = None


class Toleration(Base):
    """core/v1.Toleration"""

    effect: str = ""
    key: str = ""
    operator: str = ""
    toleration_seconds: Int64 | None = None
    value: str = ""


class TopologySpreadConstraint(Base):
    """core/v1.TopologySpreadConstraint"""

    label_selector: LabelSelector | None = None
    match_label_keys: Annotated[list[str], Merge(list_type="atomic")] = []
    max_skew: Int32 = msgspec.field(default_factory=int)
    min_domains: Int32 | None = None
    node_affinity_policy: str = ""
    node_taints_policy: str = ""
    topology_key: str = msgspec.field(default_factory=str)
    when_unsatisfiable: str = msgspec.field(default_factory=str)


class PodSpec(Base):
    """core/v1.PodSpec

    What a pod is to be: its containers, its volumes, and where it may run.
    """

    active_deadline_seconds: Int64 | None = None
    affinity: Affinity | None = None
    automount_service_account_token: bool | None = None
    containers: Annotated[list[Container], Merge(patch="merge", merge_key="name", list_type="map", keys=("name",))] = (
        msgspec.field(default_factory=required_list)
    )
    dns_config: PodDNSConfig | None = None
    dns_policy: str = ""
    enable_service_links: bool | None = None
    ephemeral_containers: Annotated[
        list[EphemeralContainer], Merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = []
    host_aliases: Annotated[list[HostAlias], Merge(patch="merge", merge_key="ip", list_type="map", keys=("ip",))] = []
    host_ip_c: bool | None = msgspec.field(name="hostIPC", default=None)
    host_network: bool | None = None
    host_pid: bool | None = msgspec.field(name="hostPID", default=None)
    host_users: bool | None = None
    hostname: str = ""
    hostname_override: str = ""
    image_pull_secrets: Annotated[
        list[LocalObjectReference], Merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = []
    init_containers: Annotated[list[Container], Merge(patch="merge", merge_key="name", list_type="map", keys=("name",))] = []
    node_name: str = ""
    node_selector: Annotated[dict[str, str], Merge(map_type="atomic")] = {}
    os: PodOS | None = None
    overhead: dict[str, Quantity] = {}
    preemption_policy: str = ""
    priority: Int32 | None = None
    priority_class_name: str = ""
    readiness_gates: Annotated[list[PodReadinessGate], Merge(list_type="atomic")] = []
    resource_claims: Annotated[
        list[PodResourceClaim], Merge(patch="merge,retainKeys", merge_key="name", list_type="map", keys=("name",))
    ] = []
    resources: ResourceRequirements | None = None
    restart_policy: str = ""
    runtime_class_name: str = ""
    scheduler_name: str = ""
    scheduling_gates: Annotated[
        list[PodSchedulingGate], Merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = []
    scheduling_group: PodSchedulingGroup | None = None
    security_context: PodSecurityContext | None = None
    service_account: str = ""
    service_account_name: str = ""
    set_hostname_as_fqdn: bool | None = msgspec.field(name="setHostnameAsFQDN", default=None)
    share_process_namespace: bool | None = None
    subdomain: str = ""
    termination_grace_period_seconds: Int64 | None = None
    tolerations: Annotated[list[Toleration], Merge(list_type="atomic")] = []
    topology_spread_constraints: Annotated[
        list[TopologySpreadConstraint],
        Merge(
            patch="merge",
            merge_key="topologyKey",
            list_type="map",
            keys=(
                "topologyKey",
                "whenUnsatisfiable",
            ),
        ),
    ] = []
    volumes: Annotated[list[Volume], Merge(patch="merge,retainKeys", merge_key="name", list_type="map", keys=("name",))] = []


class PodCondition(Base):
    """core/v1.PodCondition"""

    last_probe_time: Time | None = None
    last_transition_time: Time | None = None
    message: str = ""
    observed_generation: Int64 | None = None
    reason: str = ""
    status: str = msgspec.field(default_factory=str)
    type: str = msgspec.field(default_factory=str)


class ResourceHealth(Base):
    """core/v1.ResourceHealth"""

    health: str = ""
    message: str = ""
    resource_id: str = msgspec.field(name="resourceID", default_factory=str)


class ResourceStatus(Base):
    """core/v1.ResourceStatus"""

    name: str = msgspec.field(default_factory=str)
    resources: Annotated[list[ResourceHealth], Merge(list_type="map", keys=("resourceID",))] = []


class ContainerStateRunning(Base):
    """core/v1.ContainerStateRunning"""

    started_at: Time | None = None


class ContainerStateTerminated(Base):
    """core/v1.ContainerStateTerminated"""

    container_id: str = msgspec.field(name="containerID", default="")
    exit_code: Int32 = msgspec.field(default_factory=int)
    finished_at: Time | None = None
    message: str = ""
    reason: str = ""
    signal: Int32 | None = None
    started_at: Time | None = None


class ContainerStateWaiting(Base):
    """core/v1.ContainerStateWaiting"""

    message: str = ""
    reason: str = ""


class ContainerState(Base):
    """core/v1.ContainerState"""

    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None
    waiting: ContainerStateWaiting | None = None


class LinuxContainerUser(Base):
    """core/v1.LinuxContainerUser"""

    uid: Int64 = msgspec.field(default_factory=int)
    gid: Int64 = msgspec.field(default_factory=int)
    supplemental_groups: Annotated[list[Int64], Merge(list_type="atomic")] = []


class ContainerUser(Base):
    """core/v1.ContainerUser"""

    linux: LinuxContainerUser | None = None


class ImageVolumeStatus(Base):
    """core/v1.ImageVolumeStatus"""

    image_ref: str = msgspec.field(default_factory=str)


class VolumeStatus(Base):
    """core/v1.VolumeStatus"""

    image: ImageVolumeStatus | None = None


class VolumeMountStatus(Base):
    """core/v1.VolumeMountStatus"""

    name: str = msgspec.field(default_factory=str)
    mount_path: str = msgspec.field(default_factory=str)
    read_only: bool | None = None
    recursive_read_only: str = ""
    volume_status: VolumeStatus | None = None


class ContainerStatus(Base):
    """core/v1.ContainerStatus"""

    name: str = msgspec.field(default_factory=str)
    allocated_resources: dict[str, Quantity] = {}
    allocated_resources_status: Annotated[
        list[ResourceStatus], Merge(patch="merge", merge_key="name", list_type="map", keys=("name",))
    ] = []
    container_id: str = msgspec.field(name="containerID", default="")
    image: str = msgspec.field(default_factory=str)
    image_id: str = msgspec.field(name="imageID", default_factory=str)
    last_state: ContainerState = msgspec.field(default_factory=ContainerState)
    ready: bool = msgspec.field(default_factory=bool)
    resources: ResourceRequirements | None = None
    restart_count: Int32 = msgspec.field(default_factory=int)
    started: bool | None = None
    state: ContainerState = msgspec.field(default_factory=ContainerState)
    stop_signal: str = ""
    user: ContainerUser | None = None
    volume_mounts: Annotated[
        list[VolumeMountStatus], Merge(patch="merge", merge_key="mountPath", list_type="map", keys=("mountPath",))
    ] = []


class ContainerExtendedResourceRequest(Base):
    """core/v1.ContainerExtendedResourceRequest"""

    container_name: str = msgspec.field(default_factory=str)
    request_name: str = msgspec.field(default_factory=str)
    resource_name: str = msgspec.field(default_factory=str)


class PodExtendedResourceClaimStatus(Base):
    """core/v1.PodExtendedResourceClaimStatus"""

    request_mappings: Annotated[list[ContainerExtendedResourceRequest], Merge(list_type="atomic")] = msgspec.field(
        default_factory=required_list
    )
    resource_claim_name: str = msgspec.field(default_factory=str)


class HostIP(Base):
    """core/v1.HostIP"""

    ip: str = msgspec.field(default_factory=str)


class NodeAllocatableResourceClaimStatus(Base):
    """core/v1.NodeAllocatableResourceClaimStatus"""

    containers: Annotated[list[str], Merge(list_type="set")] = []
    resource_claim_name: str = msgspec.field(default_factory=str)
    resources: dict[str, Quantity] = msgspec.field(default_factory=required_map)


class PodIP(Base):
    """core/v1.PodIP"""

    ip: str = msgspec.field(default_factory=str)


class PodResourceClaimStatus(Base):
    """core/v1.PodResourceClaimStatus"""

    name: str = msgspec.field(default_factory=str)
    resource_claim_name: str = ""


class PodStatus(Base):
    """core/v1.PodStatus

    What has become of a pod, as its kubelet reports it.
    """

    allocated_resources: dict[str, Quantity] = {}
    conditions: Annotated[list[PodCondition], Merge(patch="merge", merge_key="type", list_type="map", keys=("type",))] = []
    container_statuses: Annotated[list[ContainerStatus], Merge(list_type="atomic")] = []
    ephemeral_container_statuses: Annotated[list[ContainerStatus], Merge(list_type="atomic")] = []
    extended_resource_claim_status: PodExtendedResourceClaimStatus | None = None
    host_ip: str = msgspec.field(name="hostIP", default="")
    host_ips: Annotated[list[HostIP], Merge(patch="merge", merge_key="ip", list_type="atomic")] = msgspec.field(
        name="hostIPs", default_factory=list
    )
    init_container_statuses: Annotated[list[ContainerStatus], Merge(list_type="atomic")] = []
    message: str = ""
    node_allocatable_resource_claim_statuses: Annotated[
        list[NodeAllocatableResourceClaimStatus], Merge(list_type="atomic")
    ] = []
    nominated_node_name: str = ""
    observed_generation: Int64 | None = None
    phase: str = ""
    pod_ip: str = msgspec.field(name="podIP", default="")
    pod_ips: Annotated[list[PodIP], Merge(patch="merge", merge_key="ip", list_type="map", keys=("ip",))] = msgspec.field(
        name="podIPs", default_factory=list
    )
    qos_class: str = ""
    reason: str = ""
    resize: str = ""
    resource_claim_statuses: Annotated[
        list[PodResourceClaimStatus], Merge(patch="merge,retainKeys", merge_key="name", list_type="map", keys=("name",))
    ] = []
    resources: ResourceRequirements | None = None
    start_time: Time | None = None


class Pod(Object):
    """core/v1.Pod

    Containers that run together on one node, share a network address and may share volumes.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("Pod"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: PodSpec = msgspec.field(default_factory=PodSpec)
    status: PodStatus = msgspec.field(default_factory=PodStatus)


class PodTemplateSpec(Base):
    """core/v1.PodTemplateSpec

    The metadata and the spec that pods are made from.
    """

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: PodSpec = msgspec.field(default_factory=PodSpec)


class Binding(Object):
    """core/v1.Binding

    Says on which node a pod is to run.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("Binding"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    target: ObjectReference = msgspec.field(default_factory=ObjectReference)
