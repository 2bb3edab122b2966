"""Tables of LimitRanges and ResourceQuotas."""

from collections.abc import Iterable
from datetime import datetime

from apimachinery.printing.shape import AGE, NAME, Cell, Column, Plain, TableShape, age, name_of


def limit_range_cells(limit_range: Plain, now: datetime) -> list[Cell]:
    return [name_of(limit_range), (limit_range.get("metadata") or {}).get("creationTimestamp") or "<unknown>"]


def resource_quota_cells(quota: Plain, now: datetime) -> list[Cell]:
    status = quota.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    limits = [name for name in sorted(hard) if name.startswith("limits.")]
    others = [name for name in sorted(hard) if not name.startswith("limits.")]
    return [name_of(quota), _usage(others, used, hard), _usage(limits, used, hard), age(quota, now)]


def _usage(names: Iterable[str], used: Plain, hard: Plain) -> str:
    """`pods: 1/4, requests.cpu: 500m/1`"""
    return ", ".join(f"{name}: {used.get(name, '0')}/{hard[name]}" for name in names)


LIMIT_RANGE = TableShape((NAME, Column("Created At", description="When it was created.")), limit_range_cells)

RESOURCE_QUOTA = TableShape(
    (
        NAME,
        Column("Request", description="What is used, of what may be used."),
        Column("Limit", description="The sum of limits, of what they may add up to."),
        AGE,
    ),
    resource_quota_cells,
)
