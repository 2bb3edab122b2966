"""Informers, counting and the write of the status around `core`.

The API server adds to a quota's `used` before it stores what it admits; only this controller lowers it. It must not lower
what has been charged for an object that is still on its way. So a lower count waits for a second look, SETTLE_S later: if the
quota is still at the same revision, nothing has been charged since the first look, and what was charged before has been
stored by then or failed. That count is made of consistent lists, because a cache may be further behind. While objects are being
admitted the quota changes and the count waits; a quota that is full admits none, so it is lowered in time. The write is a swap
on that revision: a charge that comes between is not lost.

Resources without an informer are listed, and looked at again every LISTED_PERIOD_S.
"""

import asyncio
from collections.abc import Sequence

from apiclient.client import EventType
from apiclient.informer import Informer, key_of
from apimachinery import codec
from apimachinery.errors import ApiError, is_conflict, is_not_found
from apimachinery.kinds import Object, Pod, ResourceQuota
from apimachinery.resources import TABLE, Resource, resource_for
from controller_manager.resource_quota import core
from controller_manager.shared import pods as podinfo
from controller_manager.shared.context import Context
from controller_manager.shared.loop import EARLY_S, Controller

SETTLE_S = 0.5
GATHER_S = 0.1
"""Events that come together lead to one count."""
LISTED_PERIOD_S = 5.0


class ResourceQuotaController(Controller):
    """Counts for quotas; keys are quotas."""

    name = "resource-quota"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._quotas = context.informers.resource_quotas.store
        self._looks: dict[str, tuple[str, float]] = {}
        self._custom = context.custom
        self._informed: dict[Resource, Informer[Object]] = {resource_for(each.cls): each for each in context.informers.all()}
        context.informers.resource_quotas.on_event(self._on_quota)
        for informer in self._informed.values():
            informer.on_event(self._on_object)
        context.custom.on_kind(lambda _, informer: informer.on_event(self._on_object))

    def resync(self) -> None:
        for key in self._quotas.keys():  # noqa: SIM118 - a store, not a dict
            self.queue.add(key)

    async def reconcile(self, key: str) -> None:
        quota = self._quotas.get(key)
        if quota is None or quota.metadata.deletion_timestamp is not None:
            self._looks.pop(key, None)
            return
        counted = core.count(quota, await self._objects(quota, key), self._clock.now())
        settled = True
        if core.falls(quota, counted):
            settled = self._is_settled(key, quota)
            if settled:
                counted = core.count(quota, await self._objects(quota, key, consistent=True), self._clock.now())
        else:
            self._looks.pop(key, None)
        wanted = core.status(quota, counted, settled=settled)
        if wanted == quota.status:
            return
        changed = codec.deep_copy(quota)
        changed.status = wanted
        try:
            await self._client.update_status(changed)
        except ApiError as error:
            # gone, or charged meanwhile: its event brings the key back
            if not is_not_found(error) and not is_conflict(error):
                raise

    def _is_settled(self, key: str, quota: ResourceQuota) -> bool:
        """Whether a count that is below what is told may be told; asks for the second look where it may not yet."""
        now, version = self._clock.monotonic(), quota.metadata.resource_version
        seen, since = self._looks.get(key, ("", now))
        if seen != version:
            seen, since = self._looks[key] = (version, now)
        wait_s = since + SETTLE_S - now
        if wait_s > EARLY_S:
            self.queue.add_after(key, wait_s)
            return False
        return True

    async def _objects(self, quota: ResourceQuota, key: str, *, consistent: bool = False) -> dict[Resource, Sequence[Object]]:
        """All that the quota may be about, from the caches as far as these go, or (consistent) as of now."""
        namespace = quota.metadata.namespace
        rows = core.counted_rows(quota, (*TABLE.stored, *self._custom.rows))
        informed = {**self._informed, **{row: found for row in self._custom.rows if (found := self._custom.informer_of(row))}}
        unknown = [row for row in rows if row not in informed or not informed[row].synced.is_set()]
        if unknown:
            self.queue.add_after(key, LISTED_PERIOD_S)
        listed = rows if consistent else unknown
        lists = await asyncio.gather(*(self._list(row, namespace) for row in listed))
        cached = {row: informed[row].store.list(namespace) for row in rows if row not in listed}
        return {**cached, **dict(zip(listed, lists, strict=True))}

    async def _list(self, row: Resource, namespace: str) -> Sequence[Object]:
        listed = await self._client.list(row.cls, namespace)
        return listed.items

    def _on_quota(self, event: EventType, old: ResourceQuota | None, new: ResourceQuota | None) -> None:
        if new is None:
            return
        known = old is not None and new.spec == old.spec and new.status.hard
        self.queue.add_after(key_of(new), GATHER_S if known else 0.0)

    def _on_object(self, event: EventType, old: Object | None, new: Object | None) -> None:
        obj = new or old
        if obj is None or not obj.metadata.namespace:
            return
        if isinstance(old, Pod) and isinstance(new, Pod) and _counts_as(old) == _counts_as(new):
            return
        for quota in self._quotas.list(obj.metadata.namespace):
            self.queue.add_after(key_of(quota), GATHER_S)


def _counts_as(pod: Pod) -> tuple[bool, int | None]:
    """What can change about a pod that changes what it uses, or which quotas it falls under."""
    return podinfo.is_terminal(pod), pod.spec.active_deadline_seconds
