"""LimitRanges (what single objects of a namespace may use) and ResourceQuotas (what all of them may use together).

Source: the Kubernetes pages "Limit Ranges" and "Resource Quotas"; the API reference of LimitRangeItem.
"""

from collections.abc import Iterator, Mapping, Sequence

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import (
    LimitRange,
    LimitRangeItem,
    ResourceQuota,
    ResourceQuotaSpec,
    ScopedResourceSelectorRequirement,
)
from apimachinery.kinds.base import Quantity
from apimachinery.quantity import parse_quantity
from apimachinery.resource_names import is_extended, is_huge_page
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, unchanged
from apiserver.strategy.quantities import (
    canonicalize,
    is_quantity,
    may_overcommit,
    validate_quantity,
)

POD_LIMITS = ("cpu", "memory", "ephemeral-storage")
COMPUTE = frozenset(("cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"))
COUNTED = frozenset(
    (
        *("pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps", "persistentvolumeclaims"),
        *("services.nodeports", "services.loadbalancers"),
    )
)
STANDARD = (
    COMPUTE | COUNTED | {"ephemeral-storage", "requests.ephemeral-storage", "limits.ephemeral-storage", "requests.storage"}
)
_OF_PODS = COMPUTE | {"pods"}
_OF_CLAIMS = frozenset(("persistentvolumeclaims", "requests.storage"))
SCOPES: Mapping[str, frozenset[str]] = {
    "BestEffort": frozenset(("pods",)),
    "CrossNamespacePodAffinity": _OF_PODS,
    "NotBestEffort": _OF_PODS,
    "NotTerminating": _OF_PODS,
    "PriorityClass": _OF_PODS,
    "Terminating": _OF_PODS,
    "VolumeAttributesClass": _OF_CLAIMS,
}
"""Each scope, with the resources that it can be asked for."""

_ORDER = (
    ("min", "max", "min"),
    ("min", "defaultRequest", "defaultRequest"),
    ("min", "default", "default"),
    ("defaultRequest", "max", "defaultRequest"),
    ("defaultRequest", "default", "defaultRequest"),
    ("default", "max", "default"),
)
_WORDS = {"min": "min", "defaultRequest": "default request", "default": "default", "max": "max"}
_OPPOSITES = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))
_EXISTENCE_ONLY = ("BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity")


class LimitRangeStrategy(Strategy[LimitRange]):
    def default(self, obj: LimitRange) -> None:
        for item in obj.spec.limits:
            for quantities in (item.default, item.default_request, item.max, item.max_limit_request_ratio, item.min):
                canonicalize(quantities)
            if item.type == "Container":
                for source, target in (
                    (item.max, item.default),
                    (item.default, item.default_request),
                    (item.min, item.default_request),
                ):
                    for name, value in source.items():
                        target.setdefault(name, value)

    def check(self, obj: LimitRange) -> Iterator[FieldError]:
        seen = set()
        for index, item in enumerate(obj.spec.limits):
            path = f"spec.limits[{index}]"
            yield from _validate_limit_type(item.type, f"{path}.type")
            if item.type in seen:
                yield FieldError.duplicate(f"{path}.type", item.type)
            seen.add(item.type)
            yield from _validate_item(item, path)


class ResourceQuotaStrategy(Strategy[ResourceQuota]):
    has_status = True

    def default(self, obj: ResourceQuota) -> None:
        for quantities in (obj.spec.hard, obj.status.hard, obj.status.used):
            canonicalize(quantities)

    def check(self, obj: ResourceQuota) -> Iterator[FieldError]:
        yield from _validate_quota(obj.spec.hard, "spec.hard")
        yield from _validate_scopes(obj.spec, "spec")

    def check_update(self, new: ResourceQuota, old: ResourceQuota, subresource: str) -> Iterator[FieldError]:
        return unchanged("spec.scopes", sorted(new.spec.scopes), sorted(old.spec.scopes))

    def check_status_update(self, new: ResourceQuota, old: ResourceQuota) -> Iterator[FieldError]:
        yield from _validate_quota(new.status.hard, "status.hard")
        yield from _validate_quota(new.status.used, "status.used")


def _validate_limit_type(kind: str, path: str) -> Errors:
    for problem in names.qualified_name(kind):
        yield FieldError.invalid(path, kind, problem)
    if kind and "/" not in kind and kind not in ("Container", "PersistentVolumeClaim", "Pod"):
        yield FieldError.invalid(path, kind, "must be a standard limit type or fully qualified")


def _validate_item(item: LimitRangeItem, path: str) -> Errors:
    lists = {
        "max": item.max,
        "min": item.min,
        "default": item.default,
        "defaultRequest": item.default_request,
        "maxLimitRequestRatio": item.max_limit_request_ratio,
    }
    wrong = []
    for name, quantities in lists.items():
        if item.type == "Pod" and name in ("default", "defaultRequest") and quantities:
            yield FieldError.forbidden(f"{path}.{name}", "may not be specified when `type` is 'Pod'")
        for resource, value in quantities.items():
            where = f"{path}.{name}[{resource}]"
            wrong += [*_validate_limited(resource, item.type, where), *validate_quantity(where, value)]
    yield from wrong
    if item.type == "PersistentVolumeClaim" and "storage" not in item.min and "storage" not in item.max:
        yield FieldError.required(path, "either minimum or maximum storage value is required, but neither was provided")
    if not wrong:
        for resource in sorted({resource for quantities in lists.values() for resource in quantities}):
            yield from _validate_order(item, resource, path)


def _validate_limited(resource: str, kind: str, path: str) -> Errors:
    """Pods and containers are limited in what they compute with; other objects in anything with a name."""
    for problem in names.qualified_name(resource):
        yield FieldError.invalid(path, resource, problem)
    if "/" in resource or is_huge_page(resource):
        return
    if kind in ("Container", "Pod"):
        if resource not in POD_LIMITS:
            yield FieldError.invalid(path, resource, "must be a standard resource for containers")
    elif resource != "storage" and resource not in STANDARD:
        yield FieldError.invalid(path, resource, "must be a standard resource type or fully qualified")


def _validate_order(item: LimitRangeItem, resource: str, path: str) -> Errors:
    """min ≤ defaultRequest ≤ default ≤ max, as far as they are given; of two that contradict each other one is blamed."""
    values = {
        "min": item.min.get(resource),
        "defaultRequest": item.default_request.get(resource),
        "default": item.default.get(resource),
        "max": item.max.get(resource),
    }
    for lower, upper, blamed in _ORDER:
        low, high = values[lower], values[upper]
        if low is not None and high is not None and parse_quantity(low) > parse_quantity(high):
            detail = f"{_WORDS[lower]} value {low} is greater than {_WORDS[upper]} value {high}"
            yield FieldError.invalid(f"{path}.{blamed}[{resource}]", values[blamed], detail)
    asked, limit = values["defaultRequest"], values["default"]
    whole = asked is not None and limit is not None and not may_overcommit(resource)
    if whole and asked != limit:
        detail = f"default value {limit} must equal to defaultRequest value {asked} in {resource}"
        yield FieldError.invalid(f"{path}.defaultRequest[{resource}]", asked, detail)
    yield from _validate_ratio(item, resource, f"{path}.maxLimitRequestRatio[{resource}]")


def _validate_ratio(item: LimitRangeItem, resource: str, path: str) -> Errors:
    ratio = item.max_limit_request_ratio.get(resource)
    if ratio is None:
        return
    if parse_quantity(ratio) < 1:
        yield FieldError.invalid(path, ratio, f"ratio {ratio} is less than 1")
    smallest, largest = item.min.get(resource), item.max.get(resource)
    if smallest is not None and largest is not None and parse_quantity(smallest):
        bound = parse_quantity(largest) / parse_quantity(smallest)
        if parse_quantity(ratio) > bound:
            yield FieldError.invalid(path, ratio, f"ratio {ratio} is greater than max/min = {bound:f}")


def _validate_quota(quantities: Mapping[str, Quantity], path: str) -> Errors:
    for name, value in quantities.items():
        where = f"{path}[{name}]"
        problems = names.qualified_name(name)
        for problem in problems:
            yield FieldError.invalid(where, name, problem)
        huge = is_huge_page(name.removeprefix("requests."))
        if not problems and "/" not in name and name not in STANDARD and not huge:
            yield FieldError.invalid(where, name, "must be a standard resource for quota")
        yield from validate_quantity(where, value)
        if (name in COUNTED or is_extended(name)) and is_quantity(value) and parse_quantity(value) % 1:
            yield FieldError.invalid(where, value, "must be an integer")


def _validate_scopes(spec: ResourceQuotaSpec, path: str) -> Errors:
    yield from _validate_scope_names(spec.scopes, spec.hard, f"{path}.scopes", spec.scopes)
    for one, other in _OPPOSITES:
        if one in spec.scopes and other in spec.scopes:
            yield FieldError.invalid(f"{path}.scopes", spec.scopes, "conflicting scopes")
    if spec.scope_selector is None:
        return
    selected = []
    for index, expression in enumerate(spec.scope_selector.match_expressions):
        where = f"{path}.scopeSelector.matchExpressions[{index}]"
        selected.append(expression.scope_name)
        yield from _validate_scope_names([expression.scope_name], spec.hard, f"{where}.scopeName", expression.scope_name)
        yield from _validate_scope_expression(expression, where)
    for one, other in _OPPOSITES:
        if one in selected and other in selected:
            yield FieldError.invalid(f"{path}.scopeSelector.matchExpressions", selected, "conflicting scopes")


def _validate_scope_names(scopes: Sequence[str], hard: Mapping[str, Quantity], path: str, shown: object) -> Errors:
    for scope in scopes:
        if scope not in SCOPES:
            yield FieldError.invalid(path, shown, "unsupported scope")
        elif any(name in STANDARD and name not in SCOPES[scope] for name in hard):
            yield FieldError.invalid(path, shown, "unsupported scope applied to resource")


def _validate_scope_expression(expression: ScopedResourceSelectorRequirement, path: str) -> Errors:
    operator, values = expression.operator, expression.values
    if expression.scope_name in _EXISTENCE_ONLY and operator != "Exists":
        detail = f"must be 'Exist' when scope is any of {', '.join(_EXISTENCE_ONLY)}"
        yield FieldError.invalid(f"{path}.operator", operator, detail)
    match operator:
        case "In" | "NotIn":
            if not values:
                detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                yield FieldError.required(f"{path}.values", detail)
        case "Exists" | "DoesNotExist":
            if values:
                detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
                yield FieldError.invalid(f"{path}.values", values, detail)
        case _:
            yield FieldError.invalid(f"{path}.operator", operator, "not a valid selector operator")
