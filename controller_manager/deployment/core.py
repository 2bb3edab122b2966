"""One step of a roll-out: what to write now, and what the status says. Pure.

A Deployment is moved in small steps, each planned from what is observed: create the newest set, or resize sets, or clean the
history up. After each step the informers tell of the result and the next one is planned; a step that is planned twice from the
same observation does no harm, because sets are named after their template and resized under their resourceVersion.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from apimachinery import codec
from apimachinery.kinds import Deployment, DeploymentStatus, ReplicaSet
from controller_manager.deployment import history, sizes, status
from controller_manager.deployment.status import News


@dataclass(frozen=True)
class CreateSet:
    """Create this set."""

    replica_set: ReplicaSet


@dataclass(frozen=True)
class UpdateSet:
    """Replace the set by this changed copy; `before` is its size until now."""

    replica_set: ReplicaSet
    before: int


@dataclass(frozen=True)
class DeleteSet:
    """Delete this set, which runs nothing and is beyond the history limit."""

    replica_set: ReplicaSet


Action = CreateSet | UpdateSet | DeleteSet


@dataclass(frozen=True)
class Observed:
    """A Deployment and the sets it controls. old_pods_remain: whether pods of old templates still run (for Recreate)."""

    deployment: Deployment
    sets: Sequence[ReplicaSet]
    old_pods_remain: bool
    now: datetime


@dataclass(frozen=True)
class Plan:
    """The writes of one step.

    revision: the Deployment's own revision annotation, "" to leave it; look_again_s: when a step may be due without any event.
    """

    actions: tuple[Action, ...]
    status: DeploymentStatus
    revision: str = ""
    look_again_s: float | None = None


def plan(observed: Observed) -> Plan:
    """The next step."""
    deployment, now = observed.deployment, observed.now
    new, old = split(observed)
    news: News | None = None
    actions: tuple[Action, ...] = ()
    frozen = bool(deployment.spec.paused) or (sizes.is_rolling(deployment) and _scaled(deployment, observed.sets))
    if deployment.metadata.deletion_timestamp is None:
        if frozen:
            actions = _scale(deployment, new, old)
        elif sizes.is_rolling(deployment):
            actions = _roll(deployment, new, old)
        else:
            actions = _recreate(deployment, new, old, observed.old_pods_remain)
        news = _news(deployment, new, actions)
    described = status.counts(deployment, observed.sets, new, deployment.status.conditions)
    status.with_availability(deployment, described, now)
    status.with_pause(deployment, described, now)
    if not frozen and deployment.metadata.deletion_timestamp is None:
        status.with_progress(deployment, described, new, news, now)
        status.with_failures(described, observed.sets, new, now)
    settled = deployment.spec.paused or status.complete(deployment, described)
    if settled and not actions and deployment.metadata.deletion_timestamp is None:
        actions = tuple(DeleteSet(rs) for rs in history.disposable(deployment, old))
    return Plan(actions, described, _revision(deployment, new, actions), _look_again_s(deployment, described, now))


def split(observed: Observed) -> tuple[ReplicaSet | None, list[ReplicaSet]]:
    """The set of the present template (None before it exists), and the others, oldest first."""
    new = history.newest(observed.deployment, observed.sets)
    return new, sorted((rs for rs in observed.sets if rs is not new), key=history.age_order)


def failed_create(deployment: Deployment, described: DeploymentStatus, message: str, now: datetime) -> None:
    """Tell in `described` that the newest set could not be created."""
    status.with_progress(deployment, described, None, News("ReplicaSetCreateError", message, "False"), now)


def _scaled(deployment: Deployment, sets: Sequence[ReplicaSet]) -> bool:
    """Whether the Deployment's size has changed since a set that runs something was last resized."""
    want = sizes.wanted(deployment)
    return any(sizes.size_of(rs) > 0 and history.desired_of(rs) not in (None, want) for rs in sets)


def _roll(deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> tuple[Action, ...]:
    size = sizes.new_size(deployment, new, old)
    if new is None:
        return (CreateSet(history.new_set(deployment, old, size)),)
    if update := _update(deployment, new, size, old):
        return (update,)
    return _resize(deployment, old, sizes.old_sizes(deployment, new, old))


def _recreate(
    deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet], old_pods_remain: bool
) -> tuple[Action, ...]:
    if running := [rs for rs in old if sizes.size_of(rs) > 0]:
        return _resize(deployment, running, {rs.metadata.uid: 0 for rs in running})
    if old_pods_remain:
        return ()
    want = sizes.wanted(deployment)
    if new is None:
        return (CreateSet(history.new_set(deployment, old, want)),)
    update = _update(deployment, new, want, old)
    return (update,) if update else ()


def _scale(deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> tuple[Action, ...]:
    """Follow the Deployment's size without moving the roll-out on."""
    want = sizes.wanted(deployment)
    everything = [*old, new] if new is not None else list(old)
    active = [rs for rs in everything if sizes.size_of(rs) > 0]
    resized: dict[str, int] = {}
    if len(active) == 1 or (not active and everything):
        only = active[0] if active else new or old[-1]
        resized = {only.metadata.uid: want}
    elif new is not None and _saturated(deployment, new):
        resized = {rs.metadata.uid: 0 for rs in active if rs is not new}
    elif sizes.is_rolling(deployment):
        before = deployment.status.replicas or 0
        resized = sizes.proportional_sizes(deployment, active, lambda rs: history.max_of(rs) or before)
    actions = [_update(deployment, new, resized.get(new.metadata.uid, sizes.size_of(new)), old)] if new is not None else []
    return (*(each for each in actions if each is not None), *_resize(deployment, old, resized))


def _saturated(deployment: Deployment, new: ReplicaSet) -> bool:
    """Whether the newest set alone carries the whole Deployment."""
    want = sizes.wanted(deployment)
    return sizes.size_of(new) == want == history.desired_of(new) == (new.status.available_replicas or 0)


def _update(deployment: Deployment, new: ReplicaSet, size: int, old: Sequence[ReplicaSet]) -> UpdateSet | None:
    """Bring the newest set's size, annotations and minReadySeconds up to date; None when they are."""
    annotations = history.annotations_for(deployment, new, old)
    annotations.update(history.size_annotations(deployment))
    changed = codec.deep_copy(new)
    changed.metadata.annotations = annotations
    changed.spec.replicas = size
    changed.spec.min_ready_seconds = deployment.spec.min_ready_seconds
    return UpdateSet(changed, sizes.size_of(new)) if changed != new else None


def _resize(deployment: Deployment, sets: Sequence[ReplicaSet], to: Mapping[str, int]) -> tuple[Action, ...]:
    actions = []
    for rs in sets:
        if rs.metadata.uid not in to:
            continue
        changed = codec.deep_copy(rs)
        changed.spec.replicas = to[rs.metadata.uid]
        changed.metadata.annotations.update(history.size_annotations(deployment))
        if changed != rs:
            actions.append(UpdateSet(changed, sizes.size_of(rs)))
    return tuple(actions)


def _news(deployment: Deployment, new: ReplicaSet | None, actions: Sequence[Action]) -> News | None:
    if created := next((each.replica_set for each in actions if isinstance(each, CreateSet)), None):
        return News("NewReplicaSetCreated", f'Created new replica set "{created.metadata.name}"')
    if new is not None and status.get(deployment.status, "Progressing") is None:
        return News("FoundNewReplicaSet", f'Found new replica set "{new.metadata.name}"')
    return None


def _revision(deployment: Deployment, new: ReplicaSet | None, actions: Sequence[Action]) -> str:
    """The revision that the newest set has once the actions are done."""
    written = next((each.replica_set for each in actions if isinstance(each, CreateSet)), None)
    if written is None and new is not None:
        updates = (each.replica_set for each in actions if isinstance(each, UpdateSet))
        written = next((rs for rs in updates if rs.metadata.uid == new.metadata.uid), new)
    revision = written.metadata.annotations.get(history.REVISION, "") if written is not None else ""
    return "" if deployment.metadata.annotations.get(history.REVISION) == revision else revision


def _look_again_s(deployment: Deployment, described: DeploymentStatus, now: datetime) -> float | None:
    """A second after the progress deadline, because times in conditions are whole seconds."""
    known = status.get(described, "Progressing")
    if deployment.spec.paused or known is None or known.reason == "ProgressDeadlineExceeded":
        return None
    if status.complete(deployment, described):
        return None
    due_s = status.overdue_in_s(deployment, described, now)
    return None if due_s is None else due_s + 1.0
