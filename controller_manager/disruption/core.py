"""What a PodDisruptionBudget's status should be. Pure; moments are parameters.

    disruptionsAllowed = healthy pods - healthy pods wanted, and never below 0

How many are wanted follows from a number directly, where that is the least that must stay. Otherwise it is relative to how many
pods there should be: the sum of what their controllers are scaled to, each counted once. Evicted pods that are not yet on
their way out (`disruptedPods`) do not count as healthy for DELETION_TIMEOUT. While no pod is expected nothing is allowed, so
that the first pods to appear are safe until they have been counted.
Source: the Kubernetes page "Specifying a Disruption Budget for your Application"; reasons and messages are Kubernetes'.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from apimachinery import budgets, codec
from apimachinery.kinds import (
    Deployment,
    Object,
    OwnerReference,
    Pod,
    PodDisruptionBudget,
    PodDisruptionBudgetSpec,
    PodDisruptionBudgetStatus,
    ReplicaSet,
    ReplicationController,
    StatefulSet,
)
from apimachinery.resources import by_kind
from apimachinery.times import parse_time
from controller_manager.shared import pods as podinfo
from controller_manager.shared.ownership import controller_of

Scalable: TypeAlias = Deployment | ReplicaSet | StatefulSet | ReplicationController
SCALABLE = (Deployment, ReplicaSet, StatefulSet, ReplicationController)

Find: TypeAlias = Callable[[OwnerReference, str], Object | None]
"""The object that a reference means, in a namespace; None when it is not there, or another has its name."""


@dataclass(frozen=True)
class Counted:
    """The status as it should be; `recheck_s` is when it changes by itself. `overdue` were evicted and stayed nevertheless."""

    status: PodDisruptionBudgetStatus
    recheck_s: float | None = None
    overdue: tuple[Pod, ...] = ()
    failure: str = ""


class UnknownScaleError(Exception):
    """It cannot be said how many pods there should be; the message is for people."""


def count(budget: PodDisruptionBudget, pods: Sequence[Pod], find: Find, now: datetime) -> Counted:
    """Count `pods`, which are those that the budget selects."""
    try:
        expected, desired = _expectations(budget.spec, pods, find)
    except UnknownScaleError as error:
        return Counted(_failed(budget.status, str(error), now), failure=str(error))
    noted = {pod.metadata.name: pod for pod in pods if _is_noted(pod, budget.status)}
    left_s = {name: _left_s(budget.status.disrupted_pods[name], now) for name in noted}
    disrupted = {name: budget.status.disrupted_pods[name] for name, seconds in left_s.items() if seconds > 0}
    healthy = sum(_is_healthy(pod) and pod.metadata.name not in disrupted for pod in pods)
    status = PodDisruptionBudgetStatus(
        observed_generation=budget.metadata.generation,
        current_healthy=healthy,
        desired_healthy=desired,
        expected_pods=expected,
        disruptions_allowed=max(0, healthy - desired) if expected > 0 else 0,
        disrupted_pods=disrupted,
        conditions=list(budget.status.conditions),
    )
    budgets.tell_allowed(status, now)
    overdue = tuple(pod for name, pod in noted.items() if name not in disrupted)
    return Counted(status, min((left_s[name] for name in disrupted), default=None), overdue)


def scaled_to(owner: Scalable) -> int:
    """How many pods the owner asks for."""
    return 1 if owner.spec.replicas is None else owner.spec.replicas


def _expectations(spec: PodDisruptionBudgetSpec, pods: Sequence[Pod], find: Find) -> tuple[int, int]:
    """How many pods there should be, and how many of them healthy."""
    if spec.max_unavailable is not None:
        expected = _expected(pods, find)
        return expected, max(0, expected - _number(spec.max_unavailable, expected))
    if isinstance(spec.min_available, int):
        return len(pods), spec.min_available
    if spec.min_available is not None:
        expected = _expected(pods, find)
        return expected, _number(spec.min_available, expected)
    return 0, 0


def _expected(pods: Iterable[Pod], find: Find) -> int:
    """The sum of what the pods' controllers are scaled to; pods without a controller do not count."""
    scales: dict[str, int] = {}
    looked_up: set[str] = set()
    for pod in pods:
        reference = controller_of(pod)
        if reference is None or reference.uid in looked_up:
            continue
        looked_up.add(reference.uid)
        owner = _scaled_by(pod, reference, find)
        scales[owner.metadata.uid] = scaled_to(owner)
    return sum(scales.values())


def _scaled_by(pod: Pod, reference: OwnerReference, find: Find) -> Scalable:
    """What decides about the number of pods like this: its controller, or the Deployment above a ReplicaSet."""
    namespace = pod.metadata.namespace
    owner = find(reference, namespace)
    if isinstance(owner, ReplicaSet):
        above = controller_of(owner)
        if above is not None and above.kind == "Deployment":
            owner = find(above, namespace)
    if isinstance(owner, SCALABLE):
        return owner
    resource = by_kind(reference.api_version, reference.kind)
    if resource is not None and not issubclass(resource.cls, SCALABLE):
        raise UnknownScaleError(f"{resource.qualified} does not implement the scale subresource")
    raise UnknownScaleError(f'found no controllers for pod "{pod.metadata.name}"')


def _number(value: int | str, of: int) -> int:
    """A number, or a percentage of `of`, rounded up."""
    # in integers: 10% of 30 is 3, which floats do not promise
    return value if isinstance(value, int) else -(-int(value.rstrip("%")) * of // 100)


def _failed(status: PodDisruptionBudgetStatus, message: str, now: datetime) -> PodDisruptionBudgetStatus:
    """The status that allows nothing, because what is known may be wrong."""
    failed = codec.deep_copy(status)
    failed.disruptions_allowed = 0
    budgets.tell(failed, "False", budgets.SYNC_FAILED, message, now)
    return failed


def _is_noted(pod: Pod, status: PodDisruptionBudgetStatus) -> bool:
    """Whether the pod has been evicted and is not seen going yet."""
    return pod.metadata.name in status.disrupted_pods and not podinfo.is_terminating(pod)


def _left_s(evicted_at: str, now: datetime) -> float:
    return (parse_time(evicted_at) + budgets.DELETION_TIMEOUT - now).total_seconds()


def _is_healthy(pod: Pod) -> bool:
    return podinfo.is_ready(pod) and not podinfo.is_terminating(pod)
