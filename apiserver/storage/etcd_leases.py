"""Times to live by etcd leases, shared by the keys that are created close together.

Model. A lease for each create would double the writes, so creates with the same time to live share one for a short window,
up to `WRITES_MAX` keys: keys that expire together are deleted in one etcd revision, which has that many places (see
`etcd_wire`). The lease outlives the window, so that a key lives at least as long as asked, and at most a window longer.
Nobody renews or revokes these leases; a lease that nobody came to use expires by itself.
"""

from __future__ import annotations

import asyncio
import math

from aetcd import rpc  # type: ignore[import-untyped]

from apiserver.storage.etcd_endpoints import Endpoints
from apiserver.storage.etcd_wire import WRITES_MAX

_WINDOW_MAX_S = 60.0
_WINDOW_SHARE = 0.1


class _Shared:
    __slots__ = ("closes_at", "keys_left", "lease")

    def __init__(self, lease: int, closes_at: float) -> None:
        self.lease = lease
        self.closes_at = closes_at
        self.keys_left = WRITES_MAX


class LeasePool:
    """Hands out leases; `lease` raises StorageError when none can be granted."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._open: dict[float, _Shared] = {}
        self._granting = asyncio.Lock()

    async def lease(self, ttl_s: float) -> int:
        """The id of a lease under which one key lives for at least `ttl_s` seconds."""
        async with self._granting:
            now = asyncio.get_running_loop().time()
            shared = self._open.get(ttl_s)
            if shared is None or shared.keys_left == 0 or now >= shared.closes_at:
                window_s = min(_WINDOW_MAX_S, ttl_s * _WINDOW_SHARE)
                request = rpc.LeaseGrantRequest(TTL=math.ceil(ttl_s + window_s))
                answer = await self._endpoints.read(lambda member: member.lease.LeaseGrant, request)
                self._open = {ttl: entry for ttl, entry in self._open.items() if entry.closes_at > now}
                shared = self._open[ttl_s] = _Shared(answer.ID, now + window_s)
            shared.keys_left -= 1
            return shared.lease

    def forget(self) -> None:
        """Grant new leases from now on: the store no longer knows one of ours."""
        self._open.clear()
