"""What a PodDisruptionBudget's status promises, as its two writers keep it. Pure; moments are parameters.

The disruption controller counts and writes the whole status. The eviction subresource only draws on it: it takes one from
`disruptionsAllowed` and notes the pod in `disruptedPods`, and both in one compare-and-swap. Until the controller sees that pod
go, or until DELETION_TIMEOUT has passed, the note keeps it from counting the pod as healthy and giving out the same disruption
again.
Source: the Kubernetes pages "Specifying a Disruption Budget for your Application" and "API-initiated Eviction".
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from apimachinery.kinds import Condition, Pod, PodDisruptionBudget, PodDisruptionBudgetStatus
from apimachinery.labels import NOTHING, Selector, SelectorError, from_struct
from apimachinery.times import format_time

ALLOWED = "DisruptionAllowed"
SUFFICIENT_PODS = "SufficientPods"
INSUFFICIENT_PODS = "InsufficientPods"
SYNC_FAILED = "SyncFailed"
DELETION_TIMEOUT = timedelta(minutes=2)
"""How long an evicted pod may take until it is being deleted; after that nobody believes in its eviction any more."""


def selector_of(budget: PodDisruptionBudget) -> Selector:
    """The pods that the budget is about; one that cannot be read selects nothing."""
    try:
        return from_struct(budget.spec.selector)
    except SelectorError:
        return NOTHING


def budgets_of(pod: Pod, budgets: Iterable[PodDisruptionBudget]) -> list[PodDisruptionBudget]:
    """Those of the namespace's budgets that select the pod."""
    return [budget for budget in budgets if selector_of(budget).matches(pod.metadata.labels)]


def allowed_condition(status: PodDisruptionBudgetStatus) -> Condition | None:
    """The condition DisruptionAllowed."""
    return next((each for each in status.conditions if each.type == ALLOWED), None)


def tell_allowed(status: PodDisruptionBudgetStatus, now: datetime) -> None:
    """Have DisruptionAllowed say what `disruptionsAllowed` does."""
    if status.disruptions_allowed > 0:
        tell(status, "True", SUFFICIENT_PODS, "", now)
    else:
        tell(status, "False", INSUFFICIENT_PODS, "", now)


def tell(status: PodDisruptionBudgetStatus, value: str, reason: str, message: str, now: datetime) -> None:
    """Set DisruptionAllowed; its transition time moves only when its value does."""
    known = allowed_condition(status)
    since = known.last_transition_time if known is not None and known.status == value else None
    told = Condition(
        type=ALLOWED,
        status=value,
        reason=reason,
        message=message,
        observed_generation=status.observed_generation,
        last_transition_time=since or format_time(now),
    )
    others = [each for each in status.conditions if each.type != ALLOWED]
    status.conditions = [*others, told]
