"""Rules for what an autoscaler measures: a union of five sources, each with a target of one kind or two.

Source: the API reference of HorizontalPodAutoscaler v2, types MetricSpec and MetricTarget.
"""

from collections.abc import Iterator, Sequence

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import MetricIdentifier, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus
from apimachinery.kinds.autoscaling_v2 import CrossVersionObjectReference
from apimachinery.kinds.base import Quantity
from apimachinery.quantity import parse_quantity
from apiserver.strategy.checks import Errors, required_name
from apiserver.strategy.quantities import canonical_quantity, is_quantity
from apiserver.strategy.selectors import validate_label_selector

TARGET_TYPES = ("AverageValue", "Utilization", "Value")
_SOURCES = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}


def canonicalize_metrics(metrics: Sequence[MetricSpec], current: Sequence[MetricStatus]) -> None:
    """Spell all quantities canonically, in place."""
    for target in _targets(metrics):
        _canonicalize(target)
    for status in current:
        for source in (status.container_resource, status.external, status.object, status.pods, status.resource):
            if source is not None:
                _canonicalize(source.current)


def validate_metrics(metrics: Sequence[MetricSpec], path: str) -> Errors:
    for index, metric in enumerate(metrics):
        yield from _validate_metric(metric, f"{path}[{index}]")


def validate_target_reference(reference: CrossVersionObjectReference, path: str) -> Errors:
    yield from required_name(f"{path}.kind", reference.kind, names.path_segment)
    yield from required_name(f"{path}.name", reference.name, names.path_segment)


def _targets(metrics: Sequence[MetricSpec]) -> Iterator[MetricTarget]:
    for metric in metrics:
        for source in (metric.container_resource, metric.external, metric.object, metric.pods, metric.resource):
            if source is not None:
                yield source.target


def _canonicalize(values: MetricTarget | MetricValueStatus) -> None:
    if values.value is not None:
        values.value = canonical_quantity(values.value)
    if values.average_value is not None:
        values.average_value = canonical_quantity(values.average_value)


def _validate_metric(metric: MetricSpec, path: str) -> Errors:
    given = {
        name
        for name, source in (
            ("containerResource", metric.container_resource),
            ("external", metric.external),
            ("object", metric.object),
            ("pods", metric.pods),
            ("resource", metric.resource),
        )
        if source is not None
    }
    if not metric.type:
        yield FieldError.required(f"{path}.type", "must specify a metric source type")
    elif metric.type not in _SOURCES:
        yield FieldError.not_supported(f"{path}.type", metric.type, tuple(_SOURCES))
    else:
        wanted = _SOURCES[metric.type]
        if wanted not in given:
            yield FieldError.required(f"{path}.{wanted}", "must populate information for the given metric source")
        for name in sorted(given - {wanted}):
            yield FieldError.forbidden(f"{path}.{name}", "must populate the given metric source only")
    yield from _validate_sources(metric, path)


def _validate_sources(metric: MetricSpec, path: str) -> Errors:
    if metric.object is not None:
        where = f"{path}.object"
        yield from validate_target_reference(metric.object.described_object, f"{where}.describedObject")
        yield from _validate_identifier(metric.object.metric, f"{where}.metric")
        yield from _validate_target(metric.object.target, f"{where}.target")
        yield from _value_or_average(metric.object.target, f"{where}.target", both=True)
    if metric.external is not None:
        where = f"{path}.external"
        yield from _validate_identifier(metric.external.metric, f"{where}.metric")
        yield from _validate_target(metric.external.target, f"{where}.target")
        yield from _value_or_average(metric.external.target, f"{where}.target", both=False)
    if metric.pods is not None:
        where = f"{path}.pods"
        yield from _validate_identifier(metric.pods.metric, f"{where}.metric")
        yield from _validate_target(metric.pods.target, f"{where}.target")
        if metric.pods.target.average_value is None:
            yield FieldError.required(f"{where}.target.averageValue", "must specify a positive target averageValue")
    if metric.resource is not None:
        yield from _validate_resource(metric.resource.name, metric.resource.target, f"{path}.resource")
    if metric.container_resource is not None:
        where = f"{path}.containerResource"
        yield from _validate_resource(metric.container_resource.name, metric.container_resource.target, where)
        if not metric.container_resource.container:
            yield FieldError.required(f"{where}.container", "must specify a container name")


def _validate_identifier(metric: MetricIdentifier, path: str) -> Errors:
    yield from required_name(f"{path}.name", metric.name, names.path_segment)
    yield from validate_label_selector(metric.selector, f"{path}.selector")


def _validate_target(target: MetricTarget, path: str) -> Errors:
    if not target.type:
        yield FieldError.required(f"{path}.type", "must specify a metric target type")
    elif target.type not in TARGET_TYPES:
        detail = "must be either Utilization, Value, or AverageValue"
        yield FieldError.invalid(f"{path}.type", target.type, detail)
    yield from _validate_amount(f"{path}.value", target.value)
    yield from _validate_amount(f"{path}.averageValue", target.average_value)
    if target.average_utilization is not None and target.average_utilization < 1:
        yield FieldError.invalid(f"{path}.averageUtilization", target.average_utilization, "must be greater than 0")


def _validate_amount(path: str, value: Quantity | None) -> Errors:
    if value is None:
        return
    if not is_quantity(value):
        yield FieldError.invalid(path, value, "must be a quantity")
    elif parse_quantity(value) <= 0:
        yield FieldError.invalid(path, value, "must be positive")


def _value_or_average(target: MetricTarget, path: str, *, both: bool) -> Errors:
    if target.value is None and target.average_value is None:
        detail = "must set either a target value or averageValue"
        if not both:
            detail = "must set either a target value for metric or a per-pod target"
        yield FieldError.required(f"{path}.averageValue", detail)
    elif not both and target.value is not None and target.average_value is not None:
        detail = "may not set both a target value for metric and a per-pod target"
        yield FieldError.forbidden(f"{path}.value", detail)


def _validate_resource(name: str, target: MetricTarget, path: str) -> Errors:
    if not name:
        yield FieldError.required(f"{path}.name", "must specify a resource name")
    yield from _validate_target(target, f"{path}.target")
    if target.average_utilization is None and target.average_value is None:
        detail = "must set either a target raw value or a target utilization"
        yield FieldError.required(f"{path}.target.averageUtilization", detail)
    elif target.average_utilization is not None and target.average_value is not None:
        detail = "may not set both a target raw value and a target utilization"
        yield FieldError.forbidden(f"{path}.target.averageValue", detail)
