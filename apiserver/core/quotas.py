"""Whether a quota has room for a write, and what the write is to be charged. Pure.

Only what a write adds counts: a change that uses less, or as much as before, is never refused. A quota of which the controller
has not counted yet what is used lets nothing through that it is about; one that the controller has not seen at all (its
status lists no limits) is not in force yet.
Source: the Kubernetes page "Resource Quotas"; the sentences are Kubernetes' own.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from apimachinery import quota_usage
from apimachinery.kinds import Pod, ResourceQuota, ResourceRequirements
from apimachinery.kinds.base import Quantity
from apimachinery.kinds.object import Object
from apimachinery.quantity import difference, total
from apimachinery.resources import Resource

Amounts = Mapping[str, Quantity]


class Refusal(msgspec.Struct, frozen=True):
    """Why the write may not happen."""

    sentence: str


def growth(row: Resource, new: Object, old: Object | None, now: datetime) -> dict[str, Quantity]:
    """What the namespace uses more once `new` is stored in place of `old`; of a pod that exists only its resources can grow."""
    if isinstance(old, Pod) and isinstance(new, Pod) and _resources(old) == _resources(new):
        return {}
    after = quota_usage.usage(row, new, now)
    before = quota_usage.usage(row, old, now) if old is not None else {}
    more = {name: difference(value, before.get(name, "0")) for name, value in after.items()}
    return {name: value for name, value in more.items() if quota_usage.amount(more, name) > 0}


def assess(
    quota: ResourceQuota, row: Resource, new: Object, added: Amounts, paid: Amounts, *, created: bool
) -> dict[str, Quantity] | Refusal:
    """What to add to the quota's used for `added`, of which an earlier try has paid `paid`; nothing if it is not concerned."""
    status = quota.status
    names = sorted(name for name in status.hard if quota_usage.measures(row, name))
    if not names or not quota_usage.covers(quota, new):
        return {}
    if created and isinstance(new, Pod) and (unnamed := quota_usage.unnamed(new, names)):
        told = "; ".join(f"{name} for: {','.join(containers)}" for name, containers in unnamed.items())
        return Refusal(f"failed quota: {quota.metadata.name}: must specify {told}")
    if any(name not in status.used for name in names):
        return Refusal(f"status unknown for quota: {quota.metadata.name}, resources: {','.join(names)}")
    due: dict[str, Quantity] = {name: difference(added[name], paid.get(name, "0")) for name in names if name in added}
    due = {name: value for name, value in due.items() if quota_usage.amount(due, name) > 0}
    over = [
        name
        for name, value in due.items()
        if quota_usage.amount({name: total((status.used[name], value))}, name) > quota_usage.amount(status.hard, name)
    ]
    if over:
        requested, used, limited = _listed(over, due), _listed(over, status.used), _listed(over, status.hard)
        sentence = f"exceeded quota: {quota.metadata.name}, requested: {requested}, used: {used}, limited: {limited}"
        return Refusal(sentence)
    return due


def _resources(pod: Pod) -> list[ResourceRequirements]:
    return [container.resources for container in (*pod.spec.init_containers, *pod.spec.containers)]


def _listed(names: Iterable[str], amounts: Amounts) -> str:
    return ",".join(f"{name}={amounts[name]}" for name in names)
