"""What of its pods makes a Job fail or succeed: rules that are tried in order.

Source: the API reference of PodFailurePolicy and SuccessPolicy.
"""

from collections.abc import Collection

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.indexes import IndexesError, parse_indexes
from apimachinery.kinds import (
    JobSpec,
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyRule,
    SuccessPolicyRule,
)
from apiserver.strategy.checks import Errors, named, not_negative, one_of

RULES_MAX = 20
EXIT_CODES_MAX = 255
PATTERNS_MAX = 20
INDEXES_TEXT_MAX = 64 << 10
ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")


def validate_failure_policy(spec: JobSpec, path: str) -> Errors:
    rules = spec.pod_failure_policy.rules if spec.pod_failure_policy is not None else []
    if len(rules) > RULES_MAX:
        yield FieldError.too_many(f"{path}.rules", len(rules), RULES_MAX)
    pod = spec.template.spec
    containers = {container.name for container in (*pod.containers, *pod.init_containers)}
    for index, rule in enumerate(rules):
        yield from _validate_failure_rule(spec, rule, f"{path}.rules[{index}]", containers)


def validate_success_policy(spec: JobSpec, path: str) -> Errors:
    rules = spec.success_policy.rules if spec.success_policy is not None else []
    if spec.completion_mode != "Indexed":
        yield FieldError.invalid(path, spec.success_policy, "requires indexed completion mode")
        return
    if not rules:
        yield FieldError.required(f"{path}.rules", "at least one rules must be specified when the successPolicy is specified")
    if len(rules) > RULES_MAX:
        yield FieldError.too_many(f"{path}.rules", len(rules), RULES_MAX)
    for index, rule in enumerate(rules):
        yield from _validate_success_rule(rule, f"{path}.rules[{index}]", spec.completions or 0)


def _validate_failure_rule(spec: JobSpec, rule: PodFailurePolicyRule, path: str, containers: Collection[str]) -> Errors:
    yield from one_of(f"{path}.action", rule.action, ACTIONS)
    if rule.action == "FailIndex" and spec.backoff_limit_per_index is None:
        yield FieldError.invalid(f"{path}.action", rule.action, "requires the backoffLimitPerIndex to be set")
    if rule.on_exit_codes is not None:
        yield from _validate_exit_codes(rule.on_exit_codes, f"{path}.onExitCodes", containers)
    where = f"{path}.onPodConditions"
    if len(rule.on_pod_conditions) > PATTERNS_MAX:
        yield FieldError.too_many(where, len(rule.on_pod_conditions), PATTERNS_MAX)
    for index, pattern in enumerate(rule.on_pod_conditions):
        yield from named(f"{where}[{index}].type", pattern.type, names.qualified_name)
        yield from one_of(f"{where}[{index}].status", pattern.status, ("False", "True", "Unknown"))
    if rule.on_exit_codes is not None and rule.on_pod_conditions:
        yield FieldError.invalid(path, rule, "specifying both OnExitCodes and OnPodConditions is not supported")
    if rule.on_exit_codes is None and not rule.on_pod_conditions:
        yield FieldError.invalid(path, rule, "specifying one of OnExitCodes and OnPodConditions is required")


def _validate_exit_codes(wanted: PodFailurePolicyOnExitCodesRequirement, path: str, containers: Collection[str]) -> Errors:
    yield from one_of(f"{path}.operator", wanted.operator, ("In", "NotIn"))
    if wanted.container_name and wanted.container_name not in containers:
        detail = "must be one of the container or initContainer names in the pod template"
        yield FieldError.invalid(f"{path}.containerName", wanted.container_name, detail)
    values, where = wanted.values, f"{path}.values"
    if not values:
        yield FieldError.invalid(where, values, "at least one value is required")
    elif len(values) > EXIT_CODES_MAX:
        yield FieldError.too_many(where, len(values), EXIT_CODES_MAX)
    seen = set()
    for index, value in enumerate(values):
        if wanted.operator == "In" and value == 0:
            yield FieldError.invalid(f"{where}[{index}]", value, "must not be 0 for the In operator")
        if value in seen:
            yield FieldError.duplicate(f"{where}[{index}]", value)
        seen.add(value)
    if values != sorted(values):
        yield FieldError.invalid(where, values, "must be ordered")


def _validate_success_rule(rule: SuccessPolicyRule, path: str, completions: int) -> Errors:
    count, text = rule.succeeded_count, rule.succeeded_indexes
    if count is None and not text:
        yield FieldError.required(path, "at least one of succeededCount or succeededIndexes must be specified")
    indexes: int | None = None
    if text:
        if len(text) > INDEXES_TEXT_MAX:
            yield FieldError.too_long(f"{path}.succeededIndexes", INDEXES_TEXT_MAX)
        try:
            indexes = sum(map(len, parse_indexes(text, completions)))
        except IndexesError as error:
            detail = f"error parsing succeededIndexes: {error}"
            yield FieldError.invalid(f"{path}.succeededIndexes", text, detail)
    if count is None:
        return
    where = f"{path}.succeededCount"
    yield from not_negative(where, count)
    if count > completions:
        detail = f"must be less than or equal to {completions} (the number of specified completions)"
        yield FieldError.invalid(where, count, detail)
    if indexes is not None and count > indexes:
        detail = f"must be less than or equal to {indexes} (the number of indexes in the specified succeededIndexes field)"
        yield FieldError.invalid(where, count, detail)
