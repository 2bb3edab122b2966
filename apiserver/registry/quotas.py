"""Quotas: what a write adds is charged to the ResourceQuotas of its namespace before it is stored.

Design. A charge is a compare-and-swap of a quota's status.used, so writes that come together, by whatever number of API
servers, cannot be granted more than there is. The order of a write is

    charge → write the object → (the controller counts)

so used is never less than what stored objects use. A charge whose write then fails is not taken back here: taking back what the
controller may have corrected already would leave too little charged. The controller alone lowers used, once it has
seen that nothing came of a charge. A write that is tried again pays only what it has not paid yet.

Which quotas there are is taken from the watch cache: a namespace without any costs a look into a dict. Refusals are decided on
what the storage holds.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from weakref import WeakValueDictionary

from apimachinery import codec, errors, quota_usage
from apimachinery.clock import Clock
from apimachinery.errors import ApiError
from apimachinery.kinds import ResourceQuota
from apimachinery.kinds.base import Quantity
from apimachinery.kinds.object import Object
from apimachinery.resources import RESOURCE_QUOTAS, Resource
from apiserver.core.quotas import Amounts, Refusal, assess, growth
from apiserver.registry.current import Current
from apiserver.registry.store import Leave, ObjectStore, Outcome, Put


class Quotas:
    """Opens an account for each write."""

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self._turns: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    def open(self, resource: Resource) -> "Account":
        """The account of one write of an object."""
        return Account(self, resource)

    def turn(self, key: bytes) -> AbstractAsyncContextManager[None]:
        """Charges of one quota take turns in this process, so that they do not lose swaps to each other."""
        return self._turns.setdefault(key, asyncio.Lock())


class Account:
    """What one write has been charged, in however many tries."""

    def __init__(self, quotas: Quotas, resource: Resource) -> None:
        self._quotas = quotas
        self._resource = resource
        self._paid: dict[str, dict[str, Quantity]] = {}

    async def charge(self, new: Object, old: Current | None, *, dry_run: bool = False) -> None:
        """Charge what storing `new` in place of `old` uses more; raises ApiError 403 when there is no room for it."""
        if not quota_usage.is_counted(self._resource):
            return
        found = self._quotas.store.reader.view(RESOURCE_QUOTAS, new.metadata.namespace)
        if not found:
            return
        before = old.decode(self._resource) if old is not None else None
        added = growth(self._resource, new, before, self._quotas.clock.now())
        if not added:
            return
        concerned: list[tuple[bool, Current, ResourceQuota]] = []
        for current in found:
            quota = codec.decode(ResourceQuota, current.data)
            verdict = self._assess(quota, new, before, added)
            if verdict:
                concerned.append((not isinstance(verdict, Refusal), current, quota))
        # those that will probably refuse first, so that nothing is charged in vain
        for _, current, quota in sorted(concerned, key=lambda each: each[0]):
            async with self._quotas.turn(current.key):
                await self._charge_one(quota, new, before, added, dry_run=dry_run)

    def _assess(
        self, quota: ResourceQuota, new: Object, old: Object | None, added: Amounts
    ) -> Mapping[str, Quantity] | Refusal:
        paid = self._paid.get(quota.metadata.uid, {})
        return assess(quota, self._resource, new, added, paid, created=old is None)

    async def _charge_one(
        self, quota: ResourceQuota, new: Object, old: Object | None, added: Amounts, *, dry_run: bool
    ) -> None:
        uid = ""
        charged: dict[str, Quantity] = {}

        async def decide(current: Current) -> Outcome:
            nonlocal uid, charged
            newest = codec.decode(ResourceQuota, current.data)
            verdict = self._assess(newest, new, old, added)
            if isinstance(verdict, Refusal):
                row = self._resource
                raise errors.forbidden(row.plural, new.metadata.name, verdict.sentence, group=row.group)
            uid, charged = newest.metadata.uid, dict(verdict)
            if not charged:
                return Leave()
            newest.status.used = {**newest.status.used, **_sums(newest.status.used, charged)}
            return Put(newest)

        meta = quota.metadata
        try:
            await self._quotas.store.change(RESOURCE_QUOTAS, meta.namespace, meta.name, decide, dry_run=dry_run)
        except ApiError as error:
            if errors.is_not_found(error) and error.status.details and error.status.details.kind == RESOURCE_QUOTAS.plural:
                return  # deleted meanwhile
            raise
        if charged and not dry_run:
            self._paid[uid] = _plus(self._paid.get(uid, {}), charged)


def _sums(used: Amounts, charged: Amounts) -> dict[str, Quantity]:
    return quota_usage.sum_up(charged, (used, charged))


def _plus(ones: Amounts, others: Amounts) -> dict[str, Quantity]:
    return quota_usage.sum_up((*ones, *others), (ones, others))
