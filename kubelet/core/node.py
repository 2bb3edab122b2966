"""The Node object: what the machine offers, its addresses and its conditions.

Source: the Kubernetes pages "Nodes" and "Node Status"; reasons and messages are Kubernetes' own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from apimachinery.kinds import (
    ContainerImage,
    DaemonEndpoint,
    Node,
    NodeAddress,
    NodeCondition,
    NodeDaemonEndpoints,
    NodeSpec,
    NodeStatus,
    NodeSystemInfo,
    ObjectMeta,
    Taint,
)
from apimachinery.kinds.base import Quantity
from apimachinery.times import format_time
from kubelet.core.model import ImageRecord, RuntimeHealth

VERSION = "v1.36.0+coxswain"
_IMAGES_MAX = 50
_PRESSURE = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)


@dataclass(frozen=True)
class Machine:
    """What was read from the machine once."""

    cpus: int
    memory_bytes: int
    disk_bytes: int
    architecture: str
    boot_id: str
    kernel: str
    machine_id: str
    os_image: str
    system_uuid: str


@dataclass(frozen=True)
class NodeIdentity:
    """What the configuration says of this node."""

    name: str
    ip: str
    port: int
    max_pods: int
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[tuple[str, str, str]] = ()
    """Key, value, effect."""


@dataclass(frozen=True)
class Pressure:
    """Resources that run out: the condition's type, and the sentence that says so."""

    type: str
    reason: str
    message: str


def labels(identity: NodeIdentity, machine: Machine) -> dict[str, str]:
    """Labels that every node has, and the configured ones."""
    return {
        "kubernetes.io/hostname": identity.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine.architecture,
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": machine.architecture,
        **identity.labels,
    }


def new_node(identity: NodeIdentity, machine: Machine) -> Node:
    """The object to register, its status still without conditions."""
    return Node(
        metadata=ObjectMeta(name=identity.name, labels=labels(identity, machine)),
        spec=NodeSpec(taints=[Taint(key=key, value=value, effect=effect) for key, value, effect in identity.taints]),
    )


def node_status(
    identity: NodeIdentity,
    machine: Machine,
    *,
    runtime_version: str,
    health: RuntimeHealth,
    pressures: Sequence[Pressure],
    images: Sequence[ImageRecord],
    previous: NodeStatus,
    now: datetime,
) -> NodeStatus:
    """The status to report; transition times are kept from `previous` where nothing changed."""
    capacity: dict[str, Quantity] = {
        "cpu": str(machine.cpus),
        "memory": f"{machine.memory_bytes // 1024}Ki",
        "ephemeral-storage": f"{machine.disk_bytes // 1024}Ki",
        "pods": str(identity.max_pods),
    }
    return NodeStatus(
        addresses=[
            NodeAddress(type="InternalIP", address=identity.ip),
            NodeAddress(type="Hostname", address=identity.name),
        ],
        capacity=capacity,
        allocatable=dict(capacity),
        conditions=_conditions(health, pressures, previous, now),
        daemon_endpoints=NodeDaemonEndpoints(kubelet_endpoint=DaemonEndpoint(port=identity.port)),
        images=[_image(each) for each in sorted(images, key=lambda each: -each.size_bytes)[:_IMAGES_MAX]],
        node_info=NodeSystemInfo(
            architecture=machine.architecture,
            boot_id=machine.boot_id,
            container_runtime_version=runtime_version,
            kernel_version=machine.kernel,
            kube_proxy_version=VERSION,
            kubelet_version=VERSION,
            machine_id=machine.machine_id,
            operating_system="linux",
            os_image=machine.os_image,
            system_uuid=machine.system_uuid,
        ),
    )


def allocatable(identity: NodeIdentity, machine: Machine) -> dict[str, str]:
    """What containers without a limit may use, for the downward API."""
    return {"cpu": str(machine.cpus), "memory": str(machine.memory_bytes), "ephemeral-storage": str(machine.disk_bytes)}


def same_but_for_heartbeat(left: NodeStatus, right: NodeStatus) -> bool:
    """Whether two statuses differ in nothing but heartbeat times."""

    def bare(status: NodeStatus) -> list[tuple[str, str, str, str]]:
        return [(each.type, each.status, each.reason, each.message) for each in status.conditions]

    return (
        bare(left) == bare(right)
        and left.addresses == right.addresses
        and left.capacity == right.capacity
        and left.allocatable == right.allocatable
        and left.node_info == right.node_info
        and left.images == right.images
        and left.daemon_endpoints == right.daemon_endpoints
    )


def _conditions(
    health: RuntimeHealth, pressures: Sequence[Pressure], previous: NodeStatus, now: datetime
) -> list[NodeCondition]:
    known = {each.type: each for each in previous.conditions}
    under = {each.type: each for each in pressures}
    wanted = []
    for kind, reason, message in _PRESSURE:
        pressed = under.get(kind)
        if pressed is not None:
            wanted.append(NodeCondition(type=kind, status="True", reason=pressed.reason, message=pressed.message))
        else:
            wanted.append(NodeCondition(type=kind, status="False", reason=reason, message=message))
    wanted.append(_ready(health))
    for condition in wanted:
        before = known.get(condition.type)
        unchanged = before is not None and before.status == condition.status
        condition.last_heartbeat_time = format_time(now)
        condition.last_transition_time = before.last_transition_time if before is not None and unchanged else format_time(now)
    foreign = [each for kind, each in known.items() if kind not in {each.type for each in wanted}]
    return [*foreign, *wanted]


def _ready(health: RuntimeHealth) -> NodeCondition:
    problems = []
    if not health.runtime_ready:
        problems.append(
            f"container runtime is down: {health.runtime_message}" if health.runtime_message else "container runtime is down"
        )
    elif not health.network_ready:
        problems.append(f"container runtime network not ready: {health.network_message}")
    if problems:
        return NodeCondition(type="Ready", status="False", reason="KubeletNotReady", message=", ".join(problems))
    return NodeCondition(type="Ready", status="True", reason="KubeletReady", message="kubelet is posting ready status")


def _image(record: ImageRecord) -> ContainerImage:
    return ContainerImage(names=[*record.digests, *record.tags], size_bytes=record.size_bytes)
