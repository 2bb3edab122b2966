"""ReplicaSets and Deployments.

Source: the Kubernetes pages "ReplicaSet" and "Deployments".
"""

from collections.abc import Iterator
from typing import Any

from apimachinery.errors import FieldError
from apimachinery.kinds import (
    Deployment,
    DeploymentStrategy,
    ReplicaSet,
    RollingUpdateDeployment,
)
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, count_or_percentage, not_negative, one_of, unchanged
from apiserver.strategy.pod_defaults import default_pod_spec
from apiserver.strategy.pod_warnings import pod_spec_warnings
from apiserver.strategy.templates import is_zero, validate_counts, validate_selected_template, validate_share


class ReplicaSetStrategy(Strategy[ReplicaSet]):
    has_status = True
    has_generation = True

    def default(self, obj: ReplicaSet) -> None:
        if obj.spec.replicas is None:
            obj.spec.replicas = 1
        default_pod_spec(obj.spec.template.spec)

    def check(self, obj: ReplicaSet) -> Iterator[FieldError]:
        spec = obj.spec
        yield from not_negative("spec.replicas", spec.replicas)
        yield from not_negative("spec.minReadySeconds", spec.min_ready_seconds)
        yield from validate_selected_template(spec.selector, spec.template, "spec", "ReplicaSet")

    def check_update(self, new: ReplicaSet, old: ReplicaSet, subresource: str) -> Iterator[FieldError]:
        return unchanged("spec.selector", new.spec.selector, old.spec.selector)

    def check_status_update(self, new: ReplicaSet, old: ReplicaSet) -> Iterator[FieldError]:
        status = new.status
        counts = {
            "replicas": status.replicas,
            "fullyLabeledReplicas": status.fully_labeled_replicas,
            "readyReplicas": status.ready_replicas,
            "availableReplicas": status.available_replicas,
        }
        yield from validate_counts(counts, status.observed_generation)

    def warnings(self, obj: ReplicaSet) -> list[str]:
        return list(pod_spec_warnings(obj.spec.template.spec, "spec.template.spec"))


class DeploymentStrategyRules(Strategy[Deployment]):
    """Rules for Deployments (DeploymentStrategy is a type of the API: how pods are replaced)."""

    has_status = True
    has_generation = True

    def default(self, obj: Deployment) -> None:
        spec = obj.spec
        if spec.replicas is None:
            spec.replicas = 1
        if spec.revision_history_limit is None:
            spec.revision_history_limit = 10
        if spec.progress_deadline_seconds is None:
            spec.progress_deadline_seconds = 600
        spec.strategy.type = spec.strategy.type or "RollingUpdate"
        if spec.strategy.type == "RollingUpdate":
            rolling = spec.strategy.rolling_update or RollingUpdateDeployment()
            rolling.max_unavailable = "25%" if rolling.max_unavailable is None else rolling.max_unavailable
            rolling.max_surge = "25%" if rolling.max_surge is None else rolling.max_surge
            spec.strategy.rolling_update = rolling
        default_pod_spec(spec.template.spec)

    def specification(self, obj: Deployment) -> Any:
        """Annotations count too: `rollout undo` and `restart` speak through them."""
        return obj.spec, obj.metadata.annotations

    def keep_all_but_status(self, new: Deployment, old: Deployment) -> None:
        super().keep_all_but_status(new, old)
        new.metadata.labels = old.metadata.labels

    def prepare_update(self, new: Deployment, old: Deployment, subresource: str) -> None:
        super().prepare_update(new, old, subresource)
        if subresource == "status":
            new.metadata.generation = old.metadata.generation

    def check(self, obj: Deployment) -> Iterator[FieldError]:
        spec = obj.spec
        yield from not_negative("spec.replicas", spec.replicas)
        yield from not_negative("spec.minReadySeconds", spec.min_ready_seconds)
        yield from not_negative("spec.revisionHistoryLimit", spec.revision_history_limit)
        yield from not_negative("spec.progressDeadlineSeconds", spec.progress_deadline_seconds)
        deadline_s, ready_s = spec.progress_deadline_seconds, spec.min_ready_seconds or 0
        if deadline_s is not None and deadline_s <= ready_s:
            yield FieldError.invalid("spec.progressDeadlineSeconds", deadline_s, "must be greater than minReadySeconds")
        yield from validate_selected_template(spec.selector, spec.template, "spec", "Deployment")
        yield from validate_replacement(spec.strategy, "spec.strategy")

    def check_update(self, new: Deployment, old: Deployment, subresource: str) -> Iterator[FieldError]:
        return unchanged("spec.selector", new.spec.selector, old.spec.selector)

    def check_status_update(self, new: Deployment, old: Deployment) -> Iterator[FieldError]:
        status = new.status
        counts = {
            "replicas": status.replicas,
            "updatedReplicas": status.updated_replicas,
            "readyReplicas": status.ready_replicas,
            "availableReplicas": status.available_replicas,
            "unavailableReplicas": status.unavailable_replicas,
        }
        yield from validate_counts(counts, status.observed_generation)
        if (status.collision_count or 0) < (old.status.collision_count or 0):
            yield FieldError.invalid("status.collisionCount", status.collision_count, "cannot be decremented")

    def warnings(self, obj: Deployment) -> list[str]:
        return list(pod_spec_warnings(obj.spec.template.spec, "spec.template.spec"))


def validate_replacement(strategy: DeploymentStrategy, path: str) -> Errors:
    yield from one_of(f"{path}.type", strategy.type, ("Recreate", "RollingUpdate"))
    rolling = strategy.rolling_update
    where = f"{path}.rollingUpdate"
    if strategy.type == "Recreate":
        if rolling is not None:
            yield FieldError.forbidden(where, "may not be specified when strategy `type` is 'Recreate'")
        return
    if strategy.type != "RollingUpdate":
        return
    if rolling is None:
        yield FieldError.required(where, "this should be defaulted and never be nil")
        return
    yield from validate_share(f"{where}.maxUnavailable", rolling.max_unavailable)
    yield from count_or_percentage(f"{where}.maxSurge", rolling.max_surge)
    if is_zero(rolling.max_unavailable) and is_zero(rolling.max_surge):
        detail = "may not be 0 when `maxSurge` is 0"
        yield FieldError.invalid(f"{where}.maxUnavailable", rolling.max_unavailable, detail)
