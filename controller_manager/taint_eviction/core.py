"""How long a pod may stay on a node with NoExecute taints. Pure.

Source: the Kubernetes page "Taints and Tolerations" (Taint based Evictions).
"""

import math
from collections.abc import Sequence
from datetime import datetime

from apimachinery import codec
from apimachinery.kinds import Node, Pod, PodCondition, PodStatus, Taint, Toleration
from apimachinery.times import format_time
from controller_manager.shared.nodes import NOT_READY, UNREACHABLE

FOREVER = math.inf
_SUSPICIONS = frozenset((NOT_READY, UNREACHABLE))


def evicting(node: Node) -> list[Taint]:
    """The node's NoExecute taints."""
    return [taint for taint in node.spec.taints if taint.effect == "NoExecute"]


def stay_s(taints: Sequence[Taint], tolerations: Sequence[Toleration]) -> float:
    """Seconds that a pod may stay: FOREVER when it tolerates all taints without limit, 0 when it does not tolerate one.

    Of several limited tolerations the shortest counts.
    """
    shortest = FOREVER
    for taint in taints:
        matching = [each for each in tolerations if tolerates(each, taint)]
        if not matching:
            return 0.0
        limits = [max(0, each.toleration_seconds) for each in matching if each.toleration_seconds is not None]
        shortest = min([shortest, *limits])
    return shortest


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Whether a toleration matches a taint: an empty key with Exists matches all, an empty effect any."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    return bool(toleration.key) and toleration.operator in ("", "Equal") and toleration.value == taint.value


def is_suspicion(taints: Sequence[Taint]) -> bool:
    """Whether only the control plane's own suspicion of the node asks for the eviction, no administrator's taint."""
    return all(taint.key in _SUSPICIONS for taint in taints)


def disrupted_status(pod: Pod, now: datetime) -> PodStatus:
    """The pod's status with the condition that says why it is being deleted."""
    status = codec.deep_copy(pod.status)
    told = PodCondition(
        type="DisruptionTarget",
        status="True",
        reason="DeletionByTaintManager",
        message="Taint manager: deleting due to NoExecute taint",
        last_transition_time=format_time(now),
    )
    status.conditions = [*(each for each in status.conditions if each.type != told.type), told]
    return status
