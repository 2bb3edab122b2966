"""Nodes: what a machine offers, its taints, addresses and conditions."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Int32, Int64, Merge, Quantity, Time, constant
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.kinds.object import Object


class ConfigMapNodeConfigSource(Base):
    """core/v1.ConfigMapNodeConfigSource"""

    name: str = msgspec.field(default_factory=str)
    namespace: str = msgspec.field(default_factory=str)
    uid: str = ""
    resource_version: str = ""
    kubelet_config_key: str = msgspec.field(default_factory=str)


class NodeConfigSource(Base):
    """core/v1.NodeConfigSource"""

    config_map: ConfigMapNodeConfigSource | None = None


class Taint(Base):
    """core/v1.Taint"""

    effect: str = msgspec.field(default_factory=str)
    key: str = msgspec.field(default_factory=str)
    time_added: Time | None = None
    value: str = ""


class NodeSpec(Base):
    """core/v1.NodeSpec"""

    config_source: NodeConfigSource | None = None
    external_id: str = msgspec.field(name="externalID", default="")
    pod_cidr: str = msgspec.field(name="podCIDR", default="")
    pod_cidrs: Annotated[list[str], Merge(patch="merge", list_type="set")] = msgspec.field(
        name="podCIDRs", default_factory=list
    )
    provider_id: str = msgspec.field(name="providerID", default="")
    taints: Annotated[list[Taint], Merge(list_type="atomic")] = []
    unschedulable: bool | None = None


class NodeAddress(Base):
    """core/v1.NodeAddress"""

    address: str = msgspec.field(default_factory=str)
    type: str = msgspec.field(default_factory=str)


class NodeCondition(Base):
    """core/v1.NodeCondition"""

    last_heartbeat_time: Time | None = None
    last_transition_time: Time | None = None
    message: str = ""
    reason: str = ""
    status: str = msgspec.field(default_factory=str)
    type: str = msgspec.field(default_factory=str)


class NodeConfigStatus(Base):
    """core/v1.NodeConfigStatus"""

    active: NodeConfigSource | None = None
    assigned: NodeConfigSource | None = None
    error: str = ""
    last_known_good: NodeConfigSource | None = None


class DaemonEndpoint(Base):
    """core/v1.DaemonEndpoint"""

    port: Int32 = msgspec.field(name="Port", default_factory=int)


class NodeDaemonEndpoints(Base):
    """core/v1.NodeDaemonEndpoints"""

    kubelet_endpoint: DaemonEndpoint = msgspec.field(default_factory=DaemonEndpoint)


class NodeFeatures(Base):
    """core/v1.NodeFeatures"""

    supplemental_groups_policy: bool | None = None


class ContainerImage(Base):
    """core/v1.ContainerImage"""

    names: Annotated[list[str], Merge(list_type="atomic")] = []
    size_bytes: Int64 | None = None


class NodeSwapStatus(Base):
    """core/v1.NodeSwapStatus"""

    capacity: Int64 | None = None


class NodeSystemInfo(Base):
    """core/v1.NodeSystemInfo"""

    architecture: str = msgspec.field(default_factory=str)
    boot_id: str = msgspec.field(name="bootID", default_factory=str)
    container_runtime_version: str = msgspec.field(default_factory=str)
    kernel_version: str = msgspec.field(default_factory=str)
    kube_proxy_version: str = msgspec.field(default_factory=str)
    kubelet_version: str = msgspec.field(default_factory=str)
    machine_id: str = msgspec.field(name="machineID", default_factory=str)
    operating_system: str = msgspec.field(default_factory=str)
    os_image: str = msgspec.field(default_factory=str)
    swap: NodeSwapStatus | None = None
    system_uuid: str = msgspec.field(name="systemUUID", default_factory=str)


class NodeRuntimeHandlerFeatures(Base):
    """core/v1.NodeRuntimeHandlerFeatures"""

    recursive_read_only_mounts: bool | None = None
    user_namespaces: bool | None = None


class NodeRuntimeHandler(Base):
    """core/v1.NodeRuntimeHandler"""

    name: str = ""
    features: NodeRuntimeHandlerFeatures | None = None


class AttachedVolume(Base):
    """core/v1.AttachedVolume"""

    name: str = msgspec.field(default_factory=str)
    device_path: str = msgspec.field(default_factory=str)


class NodeStatus(Base):
    """core/v1.NodeStatus"""

    addresses: Annotated[list[NodeAddress], Merge(patch="merge", merge_key="type", list_type="map", keys=("type",))] = []
    allocatable: dict[str, Quantity] = {}
    capacity: dict[str, Quantity] = {}
    conditions: Annotated[list[NodeCondition], Merge(patch="merge", merge_key="type", list_type="map", keys=("type",))] = []
    config: NodeConfigStatus | None = None
    daemon_endpoints: NodeDaemonEndpoints = msgspec.field(default_factory=NodeDaemonEndpoints)
    declared_features: Annotated[list[str], Merge(list_type="atomic")] = []
    features: NodeFeatures | None = None
    images: Annotated[list[ContainerImage], Merge(list_type="atomic")] = []
    node_info: NodeSystemInfo = msgspec.field(default_factory=NodeSystemInfo)
    phase: str = ""
    runtime_handlers: Annotated[list[NodeRuntimeHandler], Merge(list_type="atomic")] = []
    volumes_attached: Annotated[list[AttachedVolume], Merge(list_type="atomic")] = []
    volumes_in_use: Annotated[list[str], Merge(list_type="atomic")] = []


class Node(Object):
    """core/v1.Node

    A machine that runs pods, as its kubelet reports it.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("Node"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: NodeSpec = msgspec.field(default_factory=NodeSpec)
    status: NodeStatus = msgspec.field(default_factory=NodeStatus)
