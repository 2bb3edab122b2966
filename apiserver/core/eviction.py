"""What an eviction asks of the budgets of its pod, and how it draws on one. Pure.

Source: the Kubernetes page "API-initiated Eviction"; messages are Kubernetes'.
"""

from collections.abc import Sequence
from datetime import datetime

from apimachinery import budgets, errors
from apimachinery.errors import ApiError, Reason, api_error
from apimachinery.kinds import Pod, PodCondition, PodDisruptionBudget, PodDisruptionBudgetStatus
from apimachinery.kinds.meta import Status, StatusCause
from apimachinery.times import format_time

CAUSE = "DisruptionBudget"
UNCONFIRMED_MAX = 2_000
"""Evicted pods that a budget may note before its controller has confirmed any."""

BEHIND_RETRY_S = 10
FREE_PHASES = frozenset(("Succeeded", "Failed", "Pending"))


def is_free(pod: Pod) -> bool:
    """Whether no budget can object: the pod serves nobody yet, or no more."""
    return pod.status.phase in FREE_PHASES or pod.metadata.deletion_timestamp is not None


def to_charge(pod: Pod, present: Sequence[PodDisruptionBudget]) -> PodDisruptionBudget | None:
    """The budget that has to allow the pod's eviction, of those of its namespace; None when none has to.

    A pod that is not ready counts for no budget, so it takes nothing from one. It may still be needed to get well: by default
    it goes only while the others are enough. Raises ApiError (500) when the pod has several budgets.
    """
    if is_free(pod):
        return None
    matching = budgets.budgets_of(pod, present)
    if not matching:
        return None
    if len(matching) > 1:
        message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise ApiError(Status(status="Failure", code=500, message=message))
    (budget,) = matching
    if not _is_ready(pod) and (budget.spec.unhealthy_pod_eviction_policy == "AlwaysAllow" or _is_met(budget.status)):
        return None
    return budget


def charge(budget: PodDisruptionBudget, pod_name: str, now: datetime) -> None:
    """Take one disruption from `budget` for the pod; raises ApiError 429, or 403 for a status that cannot be trusted."""
    name, status = budget.metadata.name, budget.status
    if (status.observed_generation or 0) < (budget.metadata.generation or 0):
        raise still_processed(name)
    if status.disruptions_allowed < 0:
        raise _untrusted(name, "pdb disruptions allowed is negative")
    if len(status.disrupted_pods) > UNCONFIRMED_MAX:
        raise _untrusted(name, "DisruptedPods map too big - too many evictions not confirmed by PDB controller")
    if status.disruptions_allowed == 0:
        raise _refused(_why_not(name, status))
    status.disruptions_allowed -= 1
    if status.disruptions_allowed == 0:
        budgets.tell_allowed(status, now)
    status.disrupted_pods = {**status.disrupted_pods, pod_name: format_time(now)}


def mark(pod: Pod, now: datetime) -> None:
    """Write into the pod why it is being deleted."""
    kind, conditions = "DisruptionTarget", pod.status.conditions
    known = next((each for each in conditions if each.type == kind), None)
    since = known.last_transition_time if known is not None and known.status == "True" else None
    told = PodCondition(
        type=kind,
        status="True",
        reason="EvictionByEvictionAPI",
        message="Eviction API: evicting",
        last_transition_time=since or format_time(now),
    )
    pod.status.conditions = [*(each for each in conditions if each.type != kind), told]


def still_processed(budget_name: str) -> ApiError:
    """The budget's status is not about its present spec, or the pod does not stand still: to be tried again."""
    return _refused(f"The disruption budget {budget_name} is still being processed by the server.", BEHIND_RETRY_S)


def contended(budget_name: str) -> ApiError:
    """Others kept writing the budget."""
    return errors.timeout(f'couldn\'t update PodDisruptionBudget "{budget_name}" due to conflicts', BEHIND_RETRY_S)


def _is_ready(pod: Pod) -> bool:
    return any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions)


def _is_met(status: PodDisruptionBudgetStatus) -> bool:
    return status.current_healthy >= status.desired_healthy > 0


def _why_not(name: str, status: PodDisruptionBudgetStatus) -> str:
    condition = budgets.allowed_condition(status)
    if condition is not None and condition.status == "False" and condition.reason == budgets.SYNC_FAILED:
        failure = condition.message
        return f"The disruption budget {name} does not allow evicting pods currently because it failed sync: {failure}"
    if status.current_healthy <= status.desired_healthy:
        needed, present = status.desired_healthy, status.current_healthy
        return f"The disruption budget {name} needs {needed} healthy pods and has {present} currently"
    return f"The disruption budget {name} does not allow evicting pods currently"


def _refused(detail: str, retry_after_s: int | None = None) -> ApiError:
    return api_error(
        429,
        Reason.TOO_MANY_REQUESTS,
        "Cannot evict pod as it would violate the pod's disruption budget.",
        causes=[StatusCause(reason=CAUSE, message=detail)],
        retry_after_s=retry_after_s,
    )


def _untrusted(name: str, detail: str) -> ApiError:
    return errors.forbidden("poddisruptionbudgets", name, detail, group="policy")
