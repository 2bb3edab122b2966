"""How many pods to create, which to delete, and what the status says. Pure: moments are parameters.

Terminating and finished pods do not count, so that their replacements start at once. Victims are chosen as Kubernetes chooses
them: pods that do least go first.
Source: the Kubernetes pages "ReplicaSet" (Pod deletion cost) and the API reference of ReplicaSetStatus.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from apimachinery.kinds import ObjectMeta, Pod, ReplicaSet, ReplicaSetCondition, ReplicaSetStatus
from apimachinery.labels import from_map
from apimachinery.times import format_time, parse_time
from controller_manager.shared import pods as podinfo
from controller_manager.shared.ownership import controller_reference

BURST_MAX = 500
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
NAME_PREFIX_MAX = 253 - 5


@dataclass(frozen=True)
class Plan:
    """Pods to create (a count) or to delete; never both."""

    creates: int = 0
    deletes: tuple[Pod, ...] = ()


@dataclass(frozen=True)
class Failure:
    """Why pods could not be created or deleted: reason FailedCreate or FailedDelete."""

    reason: str
    message: str


def plan(rs: ReplicaSet, pods: Sequence[Pod], related: Iterable[Pod], now: datetime) -> Plan:
    """Decide what moves `pods` (owned by rs) towards its replicas.

    related: the pods of all ReplicaSets of the same owner; of two equal victims the one that shares its node goes.
    """
    if rs.metadata.deletion_timestamp is not None:
        return Plan()
    active = [pod for pod in pods if podinfo.is_active(pod)]
    surplus = len(active) - wanted(rs)
    if surplus < 0:
        return Plan(creates=min(-surplus, BURST_MAX))
    if surplus == 0:
        return Plan()
    return Plan(deletes=tuple(victims(active, related, min(surplus, BURST_MAX), now)))


def wanted(rs: ReplicaSet) -> int:
    """How many pods the set asks for; 1 where it does not say."""
    return 1 if rs.spec.replicas is None else rs.spec.replicas


def victims(active: Sequence[Pod], related: Iterable[Pod], count: int, now: datetime) -> list[Pod]:
    """The `count` pods whose loss hurts least, worst first."""
    crowd = Counter(pod.spec.node_name for pod in related if podinfo.is_active(pod))
    return sorted(active, key=lambda pod: _rank(pod, crowd[pod.spec.node_name], now))[:count]


def new_pod(rs: ReplicaSet) -> Pod:
    """The pod that the template describes, controlled by the set, named by the server."""
    template = rs.spec.template
    meta = ObjectMeta(
        generate_name=f"{rs.metadata.name}-"[:NAME_PREFIX_MAX],
        namespace=rs.metadata.namespace,
        labels=dict(template.metadata.labels),
        annotations=dict(template.metadata.annotations),
        finalizers=list(template.metadata.finalizers),
        owner_references=[controller_reference(rs)],
    )
    return Pod(metadata=meta, spec=template.spec)


def status(rs: ReplicaSet, pods: Sequence[Pod], failure: Failure | None, now: datetime) -> ReplicaSetStatus:
    """The status that describes `pods`, with the ReplicaFailure condition while something fails."""
    active = [pod for pod in pods if podinfo.is_active(pod)]
    template = from_map(rs.spec.template.metadata.labels)
    min_ready_s = rs.spec.min_ready_seconds or 0
    return ReplicaSetStatus(
        replicas=len(active),
        fully_labeled_replicas=sum(template.matches(pod.metadata.labels) for pod in active),
        ready_replicas=sum(map(podinfo.is_ready, active)),
        available_replicas=sum(podinfo.is_available(pod, min_ready_s, now) for pod in active),
        terminating_replicas=sum(podinfo.is_terminating(pod) and not podinfo.is_terminal(pod) for pod in pods),
        observed_generation=rs.metadata.generation,
        conditions=_conditions(rs, failure, now),
    )


def next_look_s(rs: ReplicaSet, pods: Sequence[Pod], now: datetime) -> float | None:
    """Seconds until another ready pod becomes available without any event; None when none will."""
    min_ready_s = rs.spec.min_ready_seconds or 0
    waits = [podinfo.until_available_s(pod, min_ready_s, now) for pod in pods if podinfo.is_active(pod)]
    return min((wait for wait in waits if wait), default=None)


def slow_start(count: int) -> list[int]:
    """Batches of 1, 2, 4, ... that add up to `count`: if the first create fails, so would the other 499."""
    batches, size = [], 1
    while count > 0:
        batches.append(min(size, count))
        count -= size
        size *= 2
    return batches


def _conditions(rs: ReplicaSet, failure: Failure | None, now: datetime) -> list[ReplicaSetCondition]:
    others = [each for each in rs.status.conditions if each.type != "ReplicaFailure"]
    if failure is None:
        return others
    known = next((each for each in rs.status.conditions if each.type == "ReplicaFailure"), None)
    if known is not None and known.status == "True" and known.reason == failure.reason:
        return [*others, known]
    moment = format_time(now)
    return [
        *others,
        ReplicaSetCondition(
            type="ReplicaFailure",
            status="True",
            reason=failure.reason,
            message=failure.message,
            last_transition_time=moment,
        ),
    ]


def _rank(pod: Pod, neighbours: int, now: datetime) -> tuple[object, ...]:
    """A sort key: the pod that goes first compares lowest. Each part decides only where those before are equal."""
    phase = {"Pending": 0, "Running": 2}.get(pod.status.phase, 1)
    ready = podinfo.is_ready(pod)
    return (
        bool(pod.spec.node_name),
        phase,
        ready,
        _deletion_cost(pod),
        -neighbours,
        _age_bucket(podinfo.ready_since(pod), now) if ready else 0,
        -_restarts(pod),
        _age_bucket(_created(pod), now),
        pod.metadata.uid,
    )


def _age_bucket(moment: datetime | None, now: datetime) -> int:
    """The logarithm of an age: among pods of about the same age the choice is spread instead of always taking the newest."""
    if moment is None:
        return -1
    seconds = (now - moment).total_seconds()
    return 0 if seconds < 1 else 1 + math.floor(math.log2(seconds))


def _created(pod: Pod) -> datetime | None:
    created = pod.metadata.creation_timestamp
    return parse_time(created) if created else None


def _deletion_cost(pod: Pod) -> int:
    try:
        return int(pod.metadata.annotations.get(DELETION_COST, "0"))
    except ValueError:
        return 0


def _restarts(pod: Pod) -> int:
    return max((each.restart_count for each in pod.status.container_statuses), default=0)
