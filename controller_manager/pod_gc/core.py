"""Which pods to remove, and why. Pure.

Source: the Kubernetes page "Pod Lifecycle" (Garbage collection of Pods).
"""

from collections.abc import Callable, Iterable, Sequence
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


def plan(
    pods: Sequence[Pod], node_of: Callable[[str], Node | None], absent: Iterable[str], finished_limit: int
) -> list[Removal]:
    """What to remove of `pods`. absent: nodes that certainly do not exist (verified, not merely missing in a cache)."""
    gone = frozenset(absent)
    removals = []
    for pod in pods:
        node = node_of(pod.spec.node_name) if pod.spec.node_name else None
        if pod.spec.node_name in gone and node is None:
            removals.append(Removal(pod, Cause.NODE_GONE))
        elif podinfo.is_terminating(pod) and not pod.spec.node_name:
            removals.append(Removal(pod, Cause.NEVER_PLACED))
        elif podinfo.is_terminating(pod) and node is not None and _is_out_of_service(node):
            removals.append(Removal(pod, Cause.OUT_OF_SERVICE))
    return [*removals, *_surplus(pods, {id(each.pod) for each in removals}, finished_limit)]


def homeless(pods: Iterable[Pod], node_of: Callable[[str], Node | None]) -> set[str]:
    """Names of nodes that pods are bound to and that are not known."""
    names = {pod.spec.node_name for pod in pods if pod.spec.node_name}
    return {name for name in names if node_of(name) is None}


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


def _is_out_of_service(node: Node) -> bool:
    return readiness(node) != "True" and any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints)


def _surplus(pods: Iterable[Pod], taken: set[int], limit: int) -> list[Removal]:
    """The oldest finished pods above the limit."""
    finished = [pod for pod in pods if podinfo.is_terminal(pod) and not podinfo.is_terminating(pod) and id(pod) not in taken]
    finished.sort(key=lambda pod: (pod.metadata.creation_timestamp or "", pod.metadata.name))
    return [Removal(pod, Cause.TOO_MANY) for pod in finished[: max(0, len(finished) - limit)]]
