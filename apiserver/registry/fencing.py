"""Fences: a leader's write goes through only while its Lease still names it in its term.

The Lease is read, compared with the claim, and its revision travels as a guard in the transaction of the write. A renewal
moves the revision too: the guard then fails although the leader still leads, so the Lease is read again (from storage, not
from the cache) and the write is tried again; a deposed leader is found out by the comparison. Leases are renewed every
second, writes take milliseconds: a few tries are enough."""

from functools import lru_cache

from apimachinery import codec, errors
from apimachinery.kinds import Lease
from apimachinery.resources import LEASES, Resource
from apiserver.core.request import Fence
from apiserver.failures import fenced, storage_error
from apiserver.registry.current import Reader
from apiserver.storage import port
from apiserver.storage.port import Guard

ATTEMPTS_MAX = 20


async def guard_for(reader: Reader, fence: Fence, resource: Resource, name: str, *, fresh: bool = False) -> Guard:
    """The guard that stands for a claim; raises ApiError (409) when the claim does not hold.

    fresh: ask the storage, not the cache; a claim that the cache refuses is always checked against the storage.
    """
    if not fresh:
        cached = reader.glimpse(LEASES, fence.namespace, fence.name)
        if cached is not None and _holds(_lease(cached.data), fence):
            return Guard(cached.key, cached.revision)
    stored = await reader.read(LEASES, fence.namespace, fence.name)
    if stored is None or not _holds(codec.decode(Lease, stored.data), fence):
        raise fenced(resource, name)
    return Guard(stored.key, stored.revision)


@lru_cache(maxsize=16)
def _lease(data: bytes) -> Lease:
    """Looked at for each write of a leader, of the same bytes of the cache until it renews; not to be changed."""
    return codec.decode(Lease, data)


def _holds(lease: Lease, fence: Fence) -> bool:
    spec = lease.spec
    return spec.holder_identity == fence.holder and (spec.lease_transitions or 0) == fence.epoch


class Fenced:
    """The guards of one write under a fence, looked up when needed and again after a guard has failed."""

    def __init__(self, reader: Reader, fence: Fence | None, resource: Resource, name: str) -> None:
        self._reader = reader
        self._fence = fence
        self._resource = resource
        self._name = name
        self._failures = 0
        self._key = b""

    async def guards(self) -> tuple[Guard, ...]:
        """The guards to write under; raises ApiError (409) when the claim does not hold."""
        if self._fence is None:
            return ()
        fresh = self._failures > 0
        guard = await guard_for(self._reader, self._fence, self._resource, self._name, fresh=fresh)
        self._key = guard.key
        return (guard,)

    def failed(self, error: port.GuardFailed) -> None:
        """Note that a guard has failed; raises ApiError (409) when that was not a matter of renewal, or happens too often."""
        self._failures += 1
        if error.key != self._key:
            detail = "what was reserved for it has been given to another; please try again"
            raise errors.conflict(self._resource.plural, self._name, detail, group=self._resource.group) from error
        if self._failures >= ATTEMPTS_MAX:
            raise storage_error(error, self._resource, self._name) from error
