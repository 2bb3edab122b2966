"""DaemonSets: a pod on every node that fits; and ControllerRevisions, the history of DaemonSets and StatefulSets.

Source: the Kubernetes page "DaemonSet"; the API reference of DaemonSetSpec and ControllerRevision.
"""

from collections.abc import Iterator

from apimachinery.errors import FieldError
from apimachinery.kinds import ControllerRevision, DaemonSet, DaemonSetUpdateStrategy, RollingUpdateDaemonSet
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, not_negative, one_of, unchanged
from apiserver.strategy.pod_defaults import default_pod_spec
from apiserver.strategy.pod_warnings import pod_spec_warnings
from apiserver.strategy.templates import is_zero, validate_collisions, validate_selected_template, validate_share


class DaemonSetStrategy(Strategy[DaemonSet]):
    has_status = True
    has_generation = True

    def default(self, obj: DaemonSet) -> None:
        spec = obj.spec
        strategy = spec.update_strategy
        strategy.type = strategy.type or "RollingUpdate"
        if strategy.type == "RollingUpdate":
            rolling = strategy.rolling_update or RollingUpdateDaemonSet()
            rolling.max_unavailable = 1 if rolling.max_unavailable is None else rolling.max_unavailable
            rolling.max_surge = 0 if rolling.max_surge is None else rolling.max_surge
            strategy.rolling_update = rolling
        if spec.revision_history_limit is None:
            spec.revision_history_limit = 10
        default_pod_spec(spec.template.spec)

    def check(self, obj: DaemonSet) -> Iterator[FieldError]:
        spec = obj.spec
        yield from not_negative("spec.minReadySeconds", spec.min_ready_seconds)
        yield from not_negative("spec.revisionHistoryLimit", spec.revision_history_limit)
        yield from validate_selected_template(spec.selector, spec.template, "spec", "DaemonSet")
        yield from _validate_updates(spec.update_strategy, "spec.updateStrategy")

    def check_update(self, new: DaemonSet, old: DaemonSet, subresource: str) -> Iterator[FieldError]:
        return unchanged("spec.selector", new.spec.selector, old.spec.selector)

    def check_status_update(self, new: DaemonSet, old: DaemonSet) -> Iterator[FieldError]:
        status = new.status
        for name, count in (
            ("currentNumberScheduled", status.current_number_scheduled),
            ("numberMisscheduled", status.number_misscheduled),
            ("desiredNumberScheduled", status.desired_number_scheduled),
            ("numberReady", status.number_ready),
            ("observedGeneration", status.observed_generation),
            ("updatedNumberScheduled", status.updated_number_scheduled),
            ("numberAvailable", status.number_available),
            ("numberUnavailable", status.number_unavailable),
        ):
            yield from not_negative(f"status.{name}", count)
        yield from validate_collisions(status.collision_count, old.status.collision_count)

    def warnings(self, obj: DaemonSet) -> list[str]:
        return list(pod_spec_warnings(obj.spec.template.spec, "spec.template.spec"))


class ControllerRevisionStrategy(Strategy[ControllerRevision]):
    """What is history does not change, but for its number."""

    def check(self, obj: ControllerRevision) -> Iterator[FieldError]:
        if obj.data is None:
            yield FieldError.required("data", "data is mandatory")
        yield from not_negative("revision", obj.revision)

    def check_update(self, new: ControllerRevision, old: ControllerRevision, subresource: str) -> Iterator[FieldError]:
        return unchanged("data", new.data, old.data)


def _validate_updates(strategy: DaemonSetUpdateStrategy, path: str) -> Errors:
    yield from one_of(f"{path}.type", strategy.type, ("OnDelete", "RollingUpdate"))
    rolling = strategy.rolling_update
    where = f"{path}.rollingUpdate"
    if strategy.type != "RollingUpdate":
        return
    if rolling is None:
        yield FieldError.required(where)
        return
    yield from validate_share(f"{where}.maxUnavailable", rolling.max_unavailable)
    yield from validate_share(f"{where}.maxSurge", rolling.max_surge)
    loses, surges = not is_zero(rolling.max_unavailable), not is_zero(rolling.max_surge)
    if loses and surges:
        yield FieldError.invalid(f"{where}.maxSurge", rolling.max_surge, "may not be set when maxUnavailable is non-zero")
    elif not loses and not surges:
        yield FieldError.required(f"{where}.maxUnavailable", "cannot be 0 when maxSurge is 0")
