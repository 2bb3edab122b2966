"""The storage port on etcd (3.4 or later), through the gRPC stubs of aetcd.

Model. `Endpoints` owns the connections, `Committer` groups the writes, `Revisions` shares the reads of the current revision,
`Feed` and `Hub` serve every watch from one etcd watch; `etcd_wire` maps revisions, values and errors. The key space of the etcd
cluster is ours alone: the feed watches all of it.

Everything resumes by itself when etcd restarts or a member is lost: reads are repeated on the next member for
`call_timeout_s`, writes as `etcd_commit` says, the feed for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aetcd import rpc  # type: ignore[import-untyped]

from apiserver.storage.etcd_commit import Committer
from apiserver.storage.etcd_endpoints import Endpoints, TlsFiles
from apiserver.storage.etcd_feed import Feed, FeedWatch
from apiserver.storage.etcd_leases import LeasePool
from apiserver.storage.etcd_wire import decode_item, etcd_revision, snapshot_revision
from apiserver.storage.hub import Hub
from apiserver.storage.port import (
    Guard,
    KeyValue,
    Page,
    StorageError,
    Watch,
    Write,
    prefix_end,
)

_RANGE_ITEMS_MAX = 5_000
_HUB_HISTORY_CHANGES = 4_096
_HUB_HISTORY_BYTES = 32 << 20


class EtcdStorage:
    """See `port.Storage`. Opens nothing before its first call; `endpoints` are `host:port`; no `tls` means plaintext."""

    def __init__(self, endpoints: Sequence[str], *, tls: TlsFiles | None = None, call_timeout_s: float = 5.0) -> None:
        self._endpoints = Endpoints(endpoints, tls, call_timeout_s=call_timeout_s)
        self._committer = Committer(self._endpoints, LeasePool(self._endpoints))
        self._hub = Hub(history_limit=_HUB_HISTORY_CHANGES, history_bytes_max=_HUB_HISTORY_BYTES)
        self._feed = Feed(self._endpoints, self._hub)

    async def get(self, key: bytes) -> KeyValue | None:
        """See `port.Storage.get`."""
        answer = await self._endpoints.read(lambda member: member.kv.Range, rpc.RangeRequest(key=key))
        return decode_item(answer.kvs[0]) if answer.kvs else None

    async def list(self, prefix: bytes, *, revision: int = 0, limit: int = 0, start_after: bytes = b"") -> Page:
        """See `port.Storage.list`; large snapshots are read in several ranges at one revision."""
        end = prefix_end(prefix)
        first = max(prefix or b"\0", start_after + b"\0")
        at = etcd_revision(revision)
        items: list[KeyValue] = []
        while True:
            wanted = min(limit - len(items), _RANGE_ITEMS_MAX) if limit else _RANGE_ITEMS_MAX
            request = rpc.RangeRequest(key=first, range_end=end, revision=at, limit=wanted)
            answer = await self._endpoints.read(lambda member: member.kv.Range, request)
            at = at or answer.header.revision
            items.extend(map(decode_item, answer.kvs))
            if not answer.more or (limit and len(items) >= limit):
                remaining = answer.count - len(answer.kvs)
                return Page(items, snapshot_revision(at), bool(answer.more), remaining)
            first = items[-1].key + b"\0"

    async def create(self, key: bytes, value: bytes, *, ttl_s: float | None = None, guards: Sequence[Guard] = ()) -> int:
        """See `port.Storage.create`."""
        return await self._write(Write(key, value, 0, tuple(guards), ttl_s))

    async def update(self, key: bytes, value: bytes, *, expected_revision: int, guards: Sequence[Guard] = ()) -> int:
        """See `port.Storage.update`."""
        return await self._write(Write(key, value, expected_revision, tuple(guards)))

    async def delete(self, key: bytes, *, expected_revision: int, guards: Sequence[Guard] = ()) -> int:
        """See `port.Storage.delete`."""
        return await self._write(Write(key, None, expected_revision, tuple(guards)))

    async def commit(self, writes: Sequence[Write]) -> Sequence[int | StorageError]:
        """See `port.Storage.commit`."""
        return await asyncio.gather(*[self._committer.submit(write) for write in writes])

    async def current_revision(self) -> int:
        """See `port.Storage.current_revision`."""
        return snapshot_revision(await self._feed.read_revision())

    async def recent_revision(self) -> int:
        """See `port.Storage.recent_revision`: where the feed's history begins."""
        await self._feed.ensure_started()
        return self._hub.floor - 1

    async def compact(self, revision: int) -> None:
        """See `port.Storage.compact`."""
        request = rpc.CompactionRequest(revision=etcd_revision(revision))
        await self._endpoints.once(lambda member: member.kv.Compact, request)

    def watch(self, prefix: bytes, start_revision: int) -> Watch:
        """See `port.Storage.watch`."""
        return FeedWatch(self._feed, self._hub, prefix, start_revision)

    async def close(self) -> None:
        """See `port.Storage.close`."""
        await self._committer.close()
        await self._feed.close()
        await self._endpoints.close()

    async def _write(self, write: Write) -> int:
        outcome = await self._committer.submit(write)
        if isinstance(outcome, StorageError):
            raise outcome
        return outcome
