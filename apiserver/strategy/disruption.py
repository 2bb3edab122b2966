"""PodDisruptionBudgets: how many of an application's pods may be moved away at once.

Source: the Kubernetes page "Specifying a Disruption Budget for your Application".
"""

from collections.abc import Iterator

import msgspec

from apimachinery.errors import FieldError
from apimachinery.kinds import PodDisruptionBudget
from apimachinery.kinds.base import IntOrString
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, count_or_percentage, not_negative, optional_one_of, percentage
from apiserver.strategy.conditions import validate_conditions
from apiserver.strategy.selectors import validate_label_selector

EVICTION_POLICIES = ("AlwaysAllow", "IfHealthyBudget")


class PodDisruptionBudgetStrategy(Strategy[PodDisruptionBudget]):
    has_status = True
    has_generation = True
    allow_unconditional_update = False

    def check(self, obj: PodDisruptionBudget) -> Iterator[FieldError]:
        spec = obj.spec
        if spec.min_available is not None and spec.max_unavailable is not None:
            detail = "minAvailable and maxUnavailable cannot be both set"
            yield FieldError.invalid("spec", msgspec.to_builtins(spec), detail)
        yield from _part_of_all("spec.minAvailable", spec.min_available)
        yield from _part_of_all("spec.maxUnavailable", spec.max_unavailable)
        yield from validate_label_selector(spec.selector, "spec.selector")
        yield from optional_one_of("spec.unhealthyPodEvictionPolicy", spec.unhealthy_pod_eviction_policy, EVICTION_POLICIES)

    def check_status_update(self, new: PodDisruptionBudget, old: PodDisruptionBudget) -> Iterator[FieldError]:
        status = new.status
        yield from validate_conditions(status.conditions, "status.conditions")
        yield from not_negative("status.disruptionsAllowed", status.disruptions_allowed)
        yield from not_negative("status.currentHealthy", status.current_healthy)
        yield from not_negative("status.desiredHealthy", status.desired_healthy)
        yield from not_negative("status.expectedPods", status.expected_pods)


def _part_of_all(path: str, value: IntOrString | None) -> Errors:
    yield from count_or_percentage(path, value)
    if (percentage(value) or 0) > 100:
        yield FieldError.invalid(path, value, "must not be greater than 100%")
