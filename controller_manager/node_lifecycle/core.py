"""When a node counts as silent, which taints it should bear, and when evictions must stop. Pure: moments are parameters.

Silence is measured on our own monotonic clock from the last *change* we saw (a renewed lease, a heartbeat), never by
times that the node wrote. Taints follow from conditions; `NoExecute` ones evict, and are withheld while so many nodes
are unhealthy at once that the fault is more likely in the network, or with us, than in the nodes.
Source: the Kubernetes pages "Nodes" (Node controller) and "Taints and Tolerations".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from apimachinery import codec
from apimachinery.kinds import Node, NodeCondition, NodeStatus, Pod, PodCondition, PodStatus, Taint
from apimachinery.times import format_time
from controller_manager.shared.nodes import NOT_READY, UNREACHABLE, condition, readiness

UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_PRESSURES = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
    "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
}
_MANAGED = frozenset((NOT_READY, UNREACHABLE, UNSCHEDULABLE, *_PRESSURES.values()))
_SILENT_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
_MINORITY = 2


@dataclass(frozen=True)
class Sign:
    """What changes while a node lives: the renewal of its lease and the heartbeat in its status, as written."""

    renewal: str = ""
    heartbeat: str = ""


@dataclass(frozen=True)
class Health:
    """The last sign of a node, and when (monotonic seconds) we saw it change."""

    sign: Sign
    since: float


def observe(health: Health | None, sign: Sign, now: float) -> Health:
    """The health after seeing `sign`: anything new restarts the clock."""
    return health if health is not None and health.sign == sign else Health(sign, now)


def heartbeat(node: Node) -> str:
    """When the kubelet says it last posted its status; only ever compared with itself."""
    ready = condition(node, "Ready")
    return (ready.last_heartbeat_time or "") if ready is not None else ""


def silent_status(node: Node, now: datetime) -> NodeStatus:
    """The status of a node that has fallen silent: what it used to report is unknown. Heartbeats stay as the node wrote
    them."""
    moment, status = format_time(now), codec.deep_copy(node.status)
    for kind in _SILENT_CONDITIONS:
        known = next((each for each in status.conditions if each.type == kind), None)
        if known is None:
            created = node.metadata.creation_timestamp
            status.conditions.append(
                NodeCondition(
                    type=kind,
                    status="Unknown",
                    reason="NodeStatusNeverUpdated",
                    message="Kubelet never posted node status.",
                    last_heartbeat_time=created,
                    last_transition_time=moment,
                )
            )
        elif known.status != "Unknown":
            known.status = "Unknown"
            known.reason = "NodeStatusUnknown"
            known.message = "Kubelet stopped posting node status."
            known.last_transition_time = moment
    return status


def unready_status(pod: Pod, now: datetime) -> PodStatus | None:
    """The status of a pod whose node has fallen silent; None when it already says that it is not ready."""
    ready = next((each for each in pod.status.conditions if each.type == "Ready"), None)
    if ready is None or ready.status != "True":
        return None
    status = codec.deep_copy(pod.status)
    unready = PodCondition(
        type="Ready",
        status="False",
        reason="NodeNotReady",
        message="Node is not ready",
        last_transition_time=format_time(now),
        last_probe_time=ready.last_probe_time,
        observed_generation=ready.observed_generation,
    )
    status.conditions = [unready if each.type == "Ready" else each for each in status.conditions]
    return status


@dataclass(frozen=True)
class Evictions:
    """Whether NoExecute taints may be added, and whether those that are there may stay."""

    may_add: bool
    may_keep: bool


def evictions(total: int, unhealthy: int, late: int, fraction: float) -> Evictions:
    """Decide from the number of nodes, of unhealthy ones, and of those whose next sign is overdue but not yet missed for good.

    Evictions stop when all nodes are unhealthy, or more than two and at least `fraction` of them. The late ones count against
    starting an eviction: nodes that vanish together are not noticed in the same instant.
    """
    return Evictions(may_add=not _is_mass(total, unhealthy + late, fraction), may_keep=not _is_mass(total, unhealthy, fraction))


def wanted_taints(node: Node, policy: Evictions, now: datetime) -> list[Taint]:
    """The node's taints as they should be: those that others set, and ours as the conditions ask; known ones keep their
    time."""
    cause = {"False": NOT_READY, "Unknown": UNREACHABLE}.get(readiness(node))
    asked: list[tuple[str, str]] = []
    if condition(node, "Ready") is None:
        # a node that has yet to speak bears what it registered with
        asked += [(taint.key, taint.effect) for taint in node.spec.taints if taint.key in (NOT_READY, UNREACHABLE)]
    elif cause is not None:
        asked.append((cause, "NoSchedule"))
        if policy.may_keep and (policy.may_add or _find(node, cause, "NoExecute") is not None):
            asked.append((cause, "NoExecute"))
    for kind, key in _PRESSURES.items():
        known = condition(node, kind)
        if known is not None and known.status == "True":
            asked.append((key, "NoSchedule"))
    if node.spec.unschedulable:
        asked.append((UNSCHEDULABLE, "NoSchedule"))
    kept = [taint for taint in node.spec.taints if taint.key not in _MANAGED or (taint.key, taint.effect) in asked]
    moment = format_time(now)
    added = [Taint(key=key, effect=effect, time_added=moment) for key, effect in asked if _find(node, key, effect) is None]
    return [*kept, *added]


def adds_eviction(node: Node, taints: Iterable[Taint]) -> bool:
    """Whether `taints` bring a NoExecute taint that the node does not bear yet."""
    return any(each.effect == "NoExecute" and _find(node, each.key, each.effect) is None for each in taints)


def _find(node: Node, key: str, effect: str) -> Taint | None:
    return next((each for each in node.spec.taints if each.key == key and each.effect == effect), None)


def _is_mass(total: int, unhealthy: int, fraction: float) -> bool:
    if unhealthy == 0:
        return False
    return unhealthy >= total or (unhealthy > _MINORITY and unhealthy / total >= fraction)
