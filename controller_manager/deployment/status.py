"""What a Deployment's status says: counts, and the conditions Available, Progressing and ReplicaFailure. Pure.

Progressing tells how a roll-out goes. Its update time is the last moment at which something moved; when nothing has moved for
progressDeadlineSeconds it turns False. A paused Deployment's Progressing is Unknown and runs into no deadline.
Source: the Kubernetes page "Deployments" (Deployment status); reasons and messages are Kubernetes'.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apimachinery.kinds import Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet
from apimachinery.times import format_time, parse_time
from controller_manager.deployment.sizes import min_available, size_of, wanted

NO_DEADLINE_S = 2**31 - 1


@dataclass(frozen=True)
class News:
    """Something that the roll-out did just now, to be told by Progressing."""

    reason: str
    message: str
    status: str = "True"


def counts(
    deployment: Deployment, sets: Sequence[ReplicaSet], new: ReplicaSet | None, conditions: Sequence[DeploymentCondition]
) -> DeploymentStatus:
    """The counts over all sets, with the conditions given."""
    available = sum(rs.status.available_replicas or 0 for rs in sets)
    terminating = [rs.status.terminating_replicas for rs in sets if rs.status.terminating_replicas is not None]
    return DeploymentStatus(
        observed_generation=deployment.metadata.generation,
        replicas=sum(rs.status.replicas for rs in sets),
        updated_replicas=new.status.replicas if new is not None else 0,
        ready_replicas=sum(rs.status.ready_replicas or 0 for rs in sets),
        available_replicas=available,
        unavailable_replicas=max(0, sum(map(size_of, sets)) - available),
        terminating_replicas=sum(terminating) if terminating else None,
        collision_count=deployment.status.collision_count,
        conditions=list(conditions),
    )


def with_availability(deployment: Deployment, status: DeploymentStatus, now: datetime) -> None:
    """Set Available in `status` from its counts."""
    if (status.available_replicas or 0) >= min_available(deployment):
        enough = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        enough = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    put(status, "Available", *enough, now=now)


def with_pause(deployment: Deployment, status: DeploymentStatus, now: datetime) -> None:
    """Set Progressing in `status` when the Deployment has just been paused or resumed."""
    known = get(status, "Progressing")
    if deadline_s(deployment) is None or (known is not None and known.reason == "ProgressDeadlineExceeded"):
        return
    paused = known is not None and known.reason == "DeploymentPaused"
    if deployment.spec.paused and not paused:
        put(status, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", now=now)
    elif not deployment.spec.paused and paused:
        put(status, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", now=now)


def with_progress(
    deployment: Deployment, status: DeploymentStatus, new: ReplicaSet | None, news: News | None, now: datetime
) -> None:
    """Set Progressing in `status` from what moved since the Deployment's last status, or from news."""
    if deadline_s(deployment) is None:
        drop(status, "Progressing")
        return
    if news is not None:
        put(status, "Progressing", news.status, news.reason, news.message, now=now)
        return
    known = get(status, "Progressing")
    if known is not None and known.reason == "NewReplicaSetAvailable" and status.replicas == status.updated_replicas:
        return  # the roll-out was complete and is not undone by pods that come and go
    subject = f'ReplicaSet "{new.metadata.name}"' if new is not None else f'Deployment "{deployment.metadata.name}"'
    if complete(deployment, status):
        put(status, "Progressing", "True", "NewReplicaSetAvailable", f"{subject} has successfully progressed.", now=now)
    elif progressing(deployment.status, status):
        put(status, "Progressing", "True", "ReplicaSetUpdated", f"{subject} is progressing.", now=now, renew=True)
    elif overdue_in_s(deployment, status, now) == 0:
        put(status, "Progressing", "False", "ProgressDeadlineExceeded", f"{subject} has timed out progressing.", now=now)


def with_failures(status: DeploymentStatus, sets: Sequence[ReplicaSet], new: ReplicaSet | None, now: datetime) -> None:
    """Pass on why a set cannot create pods, the newest set's reason first."""
    ordered = ([new] if new is not None else []) + [rs for rs in sets if rs is not new]
    failures = [each for rs in ordered for each in rs.status.conditions if each.type == "ReplicaFailure"]
    if failures:
        first = failures[0]
        put(status, "ReplicaFailure", first.status, first.reason, first.message, now=now)
    else:
        drop(status, "ReplicaFailure")


def complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    """Whether every wanted pod is of the present template and available, and no other is left."""
    want = wanted(deployment)
    return status.updated_replicas == status.replicas == (status.available_replicas or 0) == want and (
        status.observed_generation or 0
    ) >= (deployment.metadata.generation or 0)


def progressing(before: DeploymentStatus, after: DeploymentStatus) -> bool:
    """Whether pods of the new template came, old ones went, or more became ready or available."""
    updated_before, updated_after = before.updated_replicas or 0, after.updated_replicas or 0
    return (
        updated_after > updated_before
        or (after.replicas or 0) - updated_after < (before.replicas or 0) - updated_before
        or (after.ready_replicas or 0) > (before.ready_replicas or 0)
        or (after.available_replicas or 0) > (before.available_replicas or 0)
    )


def overdue_in_s(deployment: Deployment, status: DeploymentStatus, now: datetime) -> float | None:
    """Seconds until the progress deadline, 0 when it has passed; None when none runs."""
    known, limit_s = get(status, "Progressing"), deadline_s(deployment)
    if known is None or limit_s is None or known.reason == "NewReplicaSetAvailable" or not known.last_update_time:
        return None
    due = parse_time(known.last_update_time) + timedelta(seconds=limit_s)
    return max(0.0, (due - now).total_seconds())


def deadline_s(deployment: Deployment) -> int | None:
    """The progress deadline; None when there is none (not given, or the highest number, which says the same)."""
    limit_s = deployment.spec.progress_deadline_seconds
    return None if limit_s is None or limit_s == NO_DEADLINE_S else limit_s


def get(status: DeploymentStatus, kind: str) -> DeploymentCondition | None:
    """The condition of a type."""
    return next((each for each in status.conditions if each.type == kind), None)


def drop(status: DeploymentStatus, kind: str) -> None:
    """Take a condition away."""
    status.conditions = [each for each in status.conditions if each.type != kind]


def put(
    status: DeploymentStatus, kind: str, value: str, reason: str, message: str, *, now: datetime, renew: bool = False
) -> None:
    """Set a condition. Nothing changes while value and reason stay, unless `renew` moves the update time.

    The transition time moves only with the value. A condition keeps its place in the list.
    """
    known = get(status, kind)
    if known is not None and (known.status, known.reason) == (value, reason) and not renew:
        return
    moment = format_time(now)
    kept = known.last_transition_time if known is not None and known.status == value else moment
    fresh = DeploymentCondition(
        type=kind, status=value, reason=reason, message=message, last_update_time=moment, last_transition_time=kept
    )
    if known is None:
        status.conditions = [*status.conditions, fresh]
    else:
        status.conditions = [fresh if each is known else each for each in status.conditions]
