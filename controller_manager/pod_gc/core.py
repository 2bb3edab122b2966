"""Which pods to remove, and why. Pure.

Source: the Kubernetes page "Pod Lifecycle" (Garbage collection of Pods).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from apimachinery import codec
from apimachinery.kinds import Node, Pod, PodCondition, PodStatus
from apimachinery.times import format_time
from controller_manager.shared import pods as podinfo
from controller_manager.shared.nodes import readiness

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


class Cause(StrEnum):
    """Why a pod goes."""

    NODE_GONE = "its node no longer exists"
    NEVER_PLACED = "it was deleted before it was placed"
    OUT_OF_SERVICE = "its node was taken out of service"
    TOO_MANY = "too many pods have finished"


@dataclass(frozen=True)
class Removal:
    """Remove this pod at once, without grace: nobody is left to grant it."""

    pod: Pod
    cause: Cause


def plan(pods: Iterable[Pod], node: Node | None) -> list[Removal]:
    """What to remove of the pods that are bound to a node. None: it certainly does not exist (verified, not merely missing in a
    cache)."""
    if node is None:
        return [Removal(pod, Cause.NODE_GONE) for pod in pods]
    if is_out_of_service(node):
        return [Removal(pod, Cause.OUT_OF_SERVICE) for pod in pods if podinfo.is_terminating(pod)]
    return []


def never_placed(pod: Pod) -> bool:
    """Whether the pod was deleted before it was bound to a node, so that no kubelet will let go of it."""
    return podinfo.is_terminating(pod) and not pod.spec.node_name


def surplus(pods: Iterable[Pod], limit: int) -> list[Removal]:
    """The oldest finished pods above the limit."""
    finished = [pod for pod in pods if podinfo.is_terminal(pod) and not podinfo.is_terminating(pod)]
    finished.sort(key=lambda pod: (pod.metadata.creation_timestamp or "", pod.metadata.name))
    return [Removal(pod, Cause.TOO_MANY) for pod in finished[: max(0, len(finished) - limit)]]


def is_out_of_service(node: Node) -> bool:
    """Whether somebody has said that the node is down for good, and it does not contradict."""
    return any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints) and readiness(node) != "True"


def final_status(pod: Pod, cause: Cause, now: datetime) -> PodStatus | None:
    """The last status of a pod that lost its node; None when it needs none."""
    if podinfo.is_terminal(pod) or cause == Cause.NEVER_PLACED:
        return None
    status = codec.deep_copy(pod.status)
    status.phase = "Failed"
    told = PodCondition(
        type="DisruptionTarget",
        status="True",
        reason="DeletionByPodGC",
        message=f"PodGC: {'node no longer exists' if cause == Cause.NODE_GONE else 'node is out of service'}",
        last_transition_time=format_time(now),
    )
    status.conditions = [*(each for each in status.conditions if each.type != told.type), told]
    return status
