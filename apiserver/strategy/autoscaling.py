"""HorizontalPodAutoscalers: bounds, metrics and behaviour. Written as v1, they come here converted to v2.

Source: the Kubernetes page "Horizontal Pod Autoscaling" and the API reference of HorizontalPodAutoscaler v2.
"""

from collections.abc import Iterator, Sequence

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import (
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerBehavior,
    HPAScalingPolicy,
    HPAScalingRules,
    MetricSpec,
    MetricTarget,
    ResourceMetricSource,
)
from apimachinery.kinds.autoscaling_v2 import CrossVersionObjectReference
from apiserver.strategy.autoscaling_metrics import canonicalize_metrics, validate_metrics, validate_target_reference
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, in_range, not_negative, one_of
from apiserver.strategy.quantities import canonical_quantity, validate_quantity

CPU_UTILIZATION_PERCENT = 80
WINDOW_MAX_S = 3600
PERIOD_MAX_S = 1800
SELECT_POLICIES = ("Disabled", "Max", "Min")
POLICY_TYPES = ("Percent", "Pods")


class HorizontalPodAutoscalerStrategy(Strategy[HorizontalPodAutoscaler]):
    has_status = True

    def default(self, obj: HorizontalPodAutoscaler) -> None:
        spec = obj.spec
        if spec.min_replicas is None:
            spec.min_replicas = 1
        if not spec.metrics:
            target = MetricTarget(type="Utilization", average_utilization=CPU_UTILIZATION_PERCENT)
            spec.metrics = [MetricSpec(type="Resource", resource=ResourceMetricSource(name="cpu", target=target))]
        canonicalize_metrics(spec.metrics, obj.status.current_metrics)
        if spec.behavior is not None:
            _default_behavior(spec.behavior)

    def check(self, obj: HorizontalPodAutoscaler) -> Iterator[FieldError]:
        spec = obj.spec
        least = spec.min_replicas if spec.min_replicas is not None else 1
        if least < 1:
            yield FieldError.invalid("spec.minReplicas", least, "must be greater than or equal to 1")
        if spec.max_replicas < 1:
            yield FieldError.invalid("spec.maxReplicas", spec.max_replicas, "must be greater than 0")
        if spec.max_replicas < least:
            detail = "must be greater than or equal to `minReplicas`"
            yield FieldError.invalid("spec.maxReplicas", spec.max_replicas, detail)
        yield from _validate_scaled(spec.scale_target_ref, "spec.scaleTargetRef")
        yield from validate_metrics(spec.metrics, "spec.metrics")
        if spec.behavior is not None:
            yield from _validate_rules(spec.behavior.scale_up, "spec.behavior.scaleUp")
            yield from _validate_rules(spec.behavior.scale_down, "spec.behavior.scaleDown")

    def check_status_update(self, new: HorizontalPodAutoscaler, old: HorizontalPodAutoscaler) -> Iterator[FieldError]:
        yield from not_negative("status.currentReplicas", new.status.current_replicas)
        yield from not_negative("status.desiredReplicas", new.status.desired_replicas)


def _default_behavior(behavior: HorizontalPodAutoscalerBehavior) -> None:
    """Who says anything about behaviour gets all of it spelled out."""
    up = behavior.scale_up = behavior.scale_up or HPAScalingRules()
    if up.stabilization_window_seconds is None:
        up.stabilization_window_seconds = 0
    up.select_policy = up.select_policy or "Max"
    percent = HPAScalingPolicy(type="Percent", value=100, period_seconds=15)
    up.policies = up.policies or [HPAScalingPolicy(type="Pods", value=4, period_seconds=15), percent]
    down = behavior.scale_down = behavior.scale_down or HPAScalingRules()
    down.select_policy = down.select_policy or "Max"
    down.policies = down.policies or [HPAScalingPolicy(type="Percent", value=100, period_seconds=15)]
    for rules in (up, down):
        if rules.tolerance is not None:
            rules.tolerance = canonical_quantity(rules.tolerance)


def _validate_scaled(reference: CrossVersionObjectReference, path: str) -> Errors:
    yield from validate_target_reference(reference, path)
    if reference.api_version:
        group, _, version = reference.api_version.rpartition("/")
        if group and names.dns_1123_subdomain(group):
            yield FieldError.invalid(f"{path}.apiVersion", reference.api_version, "the group is no DNS-1123 subdomain")
        if names.dns_1035_label(version):
            yield FieldError.invalid(f"{path}.apiVersion", reference.api_version, "the version is no DNS-1035 label")


def _validate_rules(rules: HPAScalingRules | None, path: str) -> Errors:
    if rules is None:
        return
    yield from in_range(f"{path}.stabilizationWindowSeconds", rules.stabilization_window_seconds, 0, WINDOW_MAX_S)
    yield from one_of(f"{path}.selectPolicy", rules.select_policy, SELECT_POLICIES)
    if not rules.policies:
        yield FieldError.required(f"{path}.policies", "must specify at least one Policy")
    yield from _validate_policies(rules.policies, f"{path}.policies")
    if rules.tolerance is not None:
        yield from validate_quantity(f"{path}.tolerance", rules.tolerance)


def _validate_policies(policies: Sequence[HPAScalingPolicy], path: str) -> Errors:
    for index, policy in enumerate(policies):
        where = f"{path}[{index}]"
        yield from one_of(f"{where}.type", policy.type, POLICY_TYPES)
        if policy.value <= 0:
            yield FieldError.invalid(f"{where}.value", policy.value, "must be greater than zero")
        if policy.period_seconds <= 0:
            yield FieldError.invalid(f"{where}.periodSeconds", policy.period_seconds, "must be greater than zero")
        elif policy.period_seconds > PERIOD_MAX_S:
            detail = f"must be less than or equal to {PERIOD_MAX_S}"
            yield FieldError.invalid(f"{where}.periodSeconds", policy.period_seconds, detail)
