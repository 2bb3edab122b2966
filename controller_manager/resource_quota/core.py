"""What a quota's status should say. Pure.

The API server charges a write before it is stored, so what is counted here may lag behind what has been charged: `used` is
raised at once and lowered only when the count is settled (see `controller`).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from apimachinery import quota_usage
from apimachinery.kinds import ResourceQuota, ResourceQuotaStatus
from apimachinery.kinds.base import Quantity
from apimachinery.kinds.object import Object
from apimachinery.resources import Resource


def counted_rows(quota: ResourceQuota, rows: Iterable[Resource]) -> list[Resource]:
    """Of which resources the objects have to be counted."""
    return [
        row for row in rows if quota_usage.is_counted(row) and any(quota_usage.measures(row, name) for name in quota.spec.hard)
    ]


def count(quota: ResourceQuota, objects: Mapping[Resource, Sequence[Object]], now: datetime) -> dict[str, Quantity]:
    """What all objects together use, for each limit of the quota."""
    covered = ((row, obj) for row, found in objects.items() for obj in found if quota_usage.covers(quota, obj))
    return quota_usage.sum_up(quota.spec.hard, (quota_usage.usage(row, obj, now) for row, obj in covered))


def falls(quota: ResourceQuota, counted: Mapping[str, Quantity]) -> bool:
    """Whether the count is below what the status says."""
    told = quota.status.used
    return any(quota_usage.amount(counted, name) < quota_usage.amount(told, name) for name in counted)


def status(quota: ResourceQuota, counted: Mapping[str, Quantity], *, settled: bool) -> ResourceQuotaStatus:
    """The status as it should be; what has been charged and not been counted stays until the count is settled."""
    used = dict(counted)
    if not settled:
        for name, told in quota.status.used.items():
            if quota_usage.amount({name: told}, name) > quota_usage.amount(used, name) and name in used:
                used[name] = told
    return ResourceQuotaStatus(hard=dict(quota.spec.hard), used=used)
