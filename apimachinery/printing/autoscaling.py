"""The tables of HorizontalPodAutoscalers, in both versions, and of the Scale that workloads and custom resources have."""

from datetime import datetime
from typing import Any

from apimachinery.printing.shape import AGE, NAME, Cell, Column, Plain, TableShape, age, name_of

METRICS_SHOWN = 2
UNKNOWN = "<unknown>"
_PARTS = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}


def targets_text(autoscaler: Plain) -> str:
    """`cpu: 12%/80%, 3/10 (avg)`: each metric as it is and as it should be."""
    spec, status = autoscaler.get("spec") or {}, autoscaler.get("status") or {}
    if "targetCPUUtilizationPercentage" in spec:
        current = status.get("currentCPUUtilizationPercentage")
        return f"cpu: {_percent(current)}/{spec['targetCPUUtilizationPercentage']}%"
    metrics, measured = spec.get("metrics") or (), status.get("currentMetrics") or ()
    listed = [metric_text(metric, measured[index] if index < len(measured) else {}) for index, metric in enumerate(metrics)]
    if not listed:
        return "<none>"
    shown = ", ".join(listed[:METRICS_SHOWN])
    return f"{shown} + {len(listed) - METRICS_SHOWN} more..." if len(listed) > METRICS_SHOWN else shown


def metric_text(metric: Plain, measured: Plain) -> str:
    """One metric; `measured` is what the status says about it, {} when nothing."""
    part = _PARTS.get(metric.get("type", ""))
    if part is None:
        return "<unknown type>"
    source = metric.get(part) or {}
    target, current = source.get("target") or {}, (measured.get(part) or {}).get("current") or {}
    if part in ("containerResource", "resource"):
        return f"{source.get('name', '')}: {_resource(target, current)}"
    if target.get("averageValue") is not None:
        average = "" if part == "pods" else " (avg)"
        return f"{_amount(current, 'averageValue')}/{target['averageValue']}{average}"
    return f"{_amount(current, 'value')}/{_amount(target, 'value')}"


def cells(autoscaler: Plain, now: datetime) -> list[Cell]:
    spec, status = autoscaler.get("spec") or {}, autoscaler.get("status") or {}
    target = spec.get("scaleTargetRef") or {}
    least = spec.get("minReplicas")
    return [
        name_of(autoscaler),
        f"{target.get('kind', '')}/{target.get('name', '')}",
        targets_text(autoscaler),
        "<unset>" if least is None else str(least),
        int(spec.get("maxReplicas") or 0),
        int(status.get("currentReplicas") or 0),
        age(autoscaler, now),
    ]


def _resource(target: Plain, current: Plain) -> str:
    if target.get("averageValue") is not None:
        return f"{_amount(current, 'averageValue')}/{target['averageValue']}"
    wanted = target.get("averageUtilization")
    return f"{_percent(current.get('averageUtilization'))}/{'<auto>' if wanted is None else f'{wanted}%'}"


def _percent(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value}%"


def _amount(values: Plain, key: str) -> Any:
    return UNKNOWN if values.get(key) is None else values[key]


AUTOSCALER = TableShape(
    (
        NAME,
        Column("Reference", description="What it scales."),
        Column("Targets", description="Its metrics, as they are and as they should be."),
        Column("MinPods", description="The fewest pods."),
        Column("MaxPods", "integer", description="The most pods."),
        Column("Replicas", "integer", description="Pods there are."),
        AGE,
    ),
    cells,
)


def scale_cells(scale: Plain, now: datetime) -> list[Cell]:
    counts = [int((scale.get(part) or {}).get("replicas") or 0) for part in ("spec", "status")]
    return [name_of(scale), *counts, age(scale, now)]


SCALE = TableShape(
    (
        NAME,
        Column("Desired", "integer", description="Pods there should be."),
        Column("Available", "integer", description="Pods there are."),
        AGE,
    ),
    scale_cells,
)
