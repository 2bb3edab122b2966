"""HorizontalPodAutoscalers: autoscaling/v2 is stored; autoscaling/v1 knows one metric, the utilization of CPU.

Whatever else an autoscaler has stands in annotations of the v1 form, as JSON in the form of v2, and goes back from there. The
CPU target comes first among the metrics of an object that was written as v1.

Source: the Kubernetes page "Horizontal Pod Autoscaling", section "API Object", and the API references of both versions.
"""

from typing import Any, TypeVar

import msgspec

from apimachinery import errors
from apimachinery.kinds import (
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerBehavior,
    HorizontalPodAutoscalerCondition,
    HorizontalPodAutoscalerSpec,
    HorizontalPodAutoscalerStatus,
    MetricSpec,
    MetricStatus,
    MetricTarget,
    MetricValueStatus,
    ObjectMeta,
    ResourceMetricSource,
    ResourceMetricStatus,
    autoscaling_v1,
)
from apimachinery.kinds.autoscaling_v2 import CrossVersionObjectReference

METRICS = "autoscaling.alpha.kubernetes.io/metrics"
BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
CURRENT_METRICS = "autoscaling.alpha.kubernetes.io/current-metrics"
_KEYS = (METRICS, BEHAVIOR, CONDITIONS, CURRENT_METRICS)

T = TypeVar("T")


def to_stored(old: autoscaling_v1.HorizontalPodAutoscaler) -> HorizontalPodAutoscaler:
    """Raises ApiError (400) for an annotation that is not what it should be."""
    annotations = old.metadata.annotations
    target = old.spec.scale_target_ref
    cpu = old.spec.target_cpu_utilization_percentage
    current = old.status.current_cpu_utilization_percentage
    measured = [] if current is None else [_cpu_status(current)]
    return HorizontalPodAutoscaler(
        metadata=_without_keys(old.metadata),
        spec=HorizontalPodAutoscalerSpec(
            scale_target_ref=CrossVersionObjectReference(api_version=target.api_version, kind=target.kind, name=target.name),
            min_replicas=old.spec.min_replicas,
            max_replicas=old.spec.max_replicas,
            metrics=[*([] if cpu is None else [_cpu_target(cpu)]), *_read(annotations, METRICS, list[MetricSpec], [])],
            behavior=_read(annotations, BEHAVIOR, HorizontalPodAutoscalerBehavior, None),
        ),
        status=HorizontalPodAutoscalerStatus(
            observed_generation=old.status.observed_generation,
            last_scale_time=old.status.last_scale_time,
            current_replicas=old.status.current_replicas,
            desired_replicas=old.status.desired_replicas,
            current_metrics=_read(annotations, CURRENT_METRICS, list[MetricStatus], measured),
            conditions=_read(annotations, CONDITIONS, list[HorizontalPodAutoscalerCondition], []),
        ),
    )


def from_stored(stored: HorizontalPodAutoscaler) -> autoscaling_v1.HorizontalPodAutoscaler:
    spec, status = stored.spec, stored.status
    cpu = next((each for each in spec.metrics if _is_plain_cpu(each)), None)
    others = [each for each in spec.metrics if each is not cpu]
    measured = next((each for each in status.current_metrics if _measures_cpu(each)), None)
    percent = measured.resource.current.average_utilization if measured and measured.resource else None
    said_all = percent is None or status.current_metrics == [_cpu_status(percent)]
    extra: dict[str, Any] = {
        METRICS: others,
        BEHAVIOR: spec.behavior,
        CONDITIONS: status.conditions,
        CURRENT_METRICS: [] if percent is not None and said_all else status.current_metrics,
    }
    target = spec.scale_target_ref
    return autoscaling_v1.HorizontalPodAutoscaler(
        metadata=_with_keys(stored.metadata, extra),
        spec=autoscaling_v1.HorizontalPodAutoscalerSpec(
            scale_target_ref=autoscaling_v1.CrossVersionObjectReference(
                api_version=target.api_version, kind=target.kind, name=target.name
            ),
            min_replicas=spec.min_replicas,
            max_replicas=spec.max_replicas,
            target_cpu_utilization_percentage=cpu.resource.target.average_utilization if cpu and cpu.resource else None,
        ),
        status=autoscaling_v1.HorizontalPodAutoscalerStatus(
            observed_generation=status.observed_generation,
            last_scale_time=status.last_scale_time,
            current_replicas=status.current_replicas or 0,
            desired_replicas=status.desired_replicas,
            current_cpu_utilization_percentage=percent,
        ),
    )


def _cpu_target(percent: int) -> MetricSpec:
    target = MetricTarget(type="Utilization", average_utilization=percent)
    return MetricSpec(type="Resource", resource=ResourceMetricSource(name="cpu", target=target))


def _cpu_status(percent: int) -> MetricStatus:
    current = MetricValueStatus(average_utilization=percent)
    return MetricStatus(type="Resource", resource=ResourceMetricStatus(name="cpu", current=current))


def _is_plain_cpu(metric: MetricSpec) -> bool:
    """Whether v1 can say it: nothing but a target utilization of CPU."""
    percent = metric.resource.target.average_utilization if metric.resource else None
    return percent is not None and metric == _cpu_target(percent)


def _measures_cpu(metric: MetricStatus) -> bool:
    resource = metric.resource
    return resource is not None and resource.name == "cpu" and resource.current.average_utilization is not None


def _read(annotations: dict[str, str], key: str, wanted: type[T], default: T | None) -> Any:
    text = annotations.get(key)
    if text is None:
        return default
    try:
        return msgspec.json.decode(text, type=wanted)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise errors.bad_request(f"metadata.annotations[{key}]: {error}") from error


def _without_keys(meta: ObjectMeta) -> ObjectMeta:
    kept = {key: value for key, value in meta.annotations.items() if key not in _KEYS}
    return msgspec.structs.replace(meta, annotations=kept)


def _with_keys(meta: ObjectMeta, extra: dict[str, Any]) -> ObjectMeta:
    bare = _without_keys(meta)
    added = {key: msgspec.json.encode(value).decode() for key, value in extra.items() if value}
    return msgspec.structs.replace(bare, annotations=bare.annotations | added)
