"""The storage port in memory: for tests, for the simulation, and for an API server that needs no etcd.

Model. All state changes happen in synchronous code between two awaits, so every operation is atomic and reads are
linearizable. A key keeps every version since the last compaction, which is what snapshots in the past read; the hub keeps
the changes for watches. When more than `history_limit` versions have gathered the older half is compacted, so memory is
bounded.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

import msgspec

from apiserver.storage.hub import Hub, Subscription
from apiserver.storage.port import (
    VALUE_BYTES_MAX,
    Change,
    ChangeType,
    Compacted,
    Conflict,
    FutureRevision,
    Guard,
    GuardFailed,
    KeyExists,
    KeyMissing,
    KeyValue,
    Page,
    StorageError,
    TooLarge,
    Unavailable,
    Watch,
    Write,
    prefix_end,
)


class _Version(msgspec.Struct, frozen=True, gc=False):
    """A key from `mod_revision` on; `value` None marks a deletion."""

    mod_revision: int
    create_revision: int
    value: bytes | None


class MemoryStorage:
    """See `port.Storage`. Needs a running event loop for times to live."""

    def __init__(self, *, history_limit: int = 20_000, queue_limit: int = 16_384) -> None:
        self._revision = 1
        self._compact_revision = 0
        self._history_limit = history_limit
        self._history: list[tuple[int, bytes]] = []
        self._keys: list[bytes] = []
        self._versions: dict[bytes, list[_Version]] = {}
        self._expiries: dict[bytes, asyncio.TimerHandle] = {}
        self._hub = Hub(history_limit=2 * history_limit, queue_limit=queue_limit)
        self._hub.reset(self._revision)
        self._hub.floor = 1
        self._closed = False

    async def get(self, key: bytes) -> KeyValue | None:
        """See `port.Storage.get`."""
        self._require_open()
        return self._current(key)

    async def list(self, prefix: bytes, *, revision: int = 0, limit: int = 0, start_after: bytes = b"") -> Page:
        """See `port.Storage.list`."""
        self._require_open()
        if revision > self._revision:
            raise FutureRevision(f"revision {revision} is after {self._revision}")
        if revision and revision < self._compact_revision:
            raise Compacted(self._compact_revision)
        at = revision or self._revision
        first = max(bisect_left(self._keys, prefix), bisect_right(self._keys, start_after))
        end = prefix_end(prefix)
        last = len(self._keys) if end == b"\0" else bisect_left(self._keys, end)
        found = [item for key in self._keys[first:last] if (item := self._at(key, at)) is not None]
        items = found[:limit] if limit else found
        return Page(items, at, len(items) < len(found), len(found) - len(items))

    async def create(self, key: bytes, value: bytes, *, ttl_s: float | None = None, guards: Sequence[Guard] = ()) -> int:
        """See `port.Storage.create`."""
        return self._apply(Write(key, value, 0, tuple(guards), ttl_s))

    async def update(self, key: bytes, value: bytes, *, expected_revision: int, guards: Sequence[Guard] = ()) -> int:
        """See `port.Storage.update`."""
        return self._apply(Write(key, value, expected_revision, tuple(guards)))

    async def delete(self, key: bytes, *, expected_revision: int, guards: Sequence[Guard] = ()) -> int:
        """See `port.Storage.delete`."""
        return self._apply(Write(key, None, expected_revision, tuple(guards)))

    async def commit(self, writes: Sequence[Write]) -> Sequence[int | StorageError]:
        """See `port.Storage.commit`."""
        results: list[int | StorageError] = []
        for write in writes:
            try:
                results.append(self._apply(write))
            except StorageError as error:
                results.append(error)
        return results

    async def current_revision(self) -> int:
        """See `port.Storage.current_revision`."""
        self._require_open()
        return self._revision

    async def recent_revision(self) -> int:
        """See `port.Storage.recent_revision`; a store in memory starts together with its caches, so there is no history."""
        return await self.current_revision()

    async def compact(self, revision: int) -> None:
        """See `port.Storage.compact`."""
        self._require_open()
        if revision > self._revision:
            raise FutureRevision(f"revision {revision} is after {self._revision}")
        if revision <= self._compact_revision:
            raise Compacted(self._compact_revision)
        self._compact(revision)

    def watch(self, prefix: bytes, start_revision: int) -> Watch:
        """See `port.Storage.watch`."""
        self._require_open()
        try:
            return self._hub.subscribe(prefix, start_revision)
        except Compacted as error:
            failed = Subscription(self._hub, prefix, start_revision)
            failed.end(error)
            return failed

    async def close(self) -> None:
        """See `port.Storage.close`."""
        self._closed = True
        for expiry in self._expiries.values():
            expiry.cancel()
        self._expiries.clear()
        self._hub.end(None)

    def _apply(self, write: Write) -> int:
        self._require_open()
        if len(write.key) + len(write.value or b"") > VALUE_BYTES_MAX:
            raise TooLarge(f"{write.key!r} needs {len(write.value or b'')} bytes")
        for guard in write.guards:
            held = self._current(guard.key)
            if held is None or held.mod_revision != guard.mod_revision:
                raise GuardFailed(guard.key)
        current = self._current(write.key)
        if write.expected_revision == 0:
            if current is not None:
                raise KeyExists(current)
        elif current is None:
            raise KeyMissing(write.key)
        elif current.mod_revision != write.expected_revision:
            raise Conflict(current)
        revision = self._record(write.key, write.value, current)
        if write.ttl_s is not None:
            loop = asyncio.get_running_loop()
            self._expiries[write.key] = loop.call_later(write.ttl_s, self._expire, write.key)
        return revision

    def _record(self, key: bytes, value: bytes | None, current: KeyValue | None) -> int:
        self._revision += 1
        revision = self._revision
        created = 0 if value is None else revision if current is None else current.create_revision
        if key not in self._versions:
            self._versions[key] = []
            insort(self._keys, key)
        self._versions[key].append(_Version(revision, created, value))
        self._history.append((revision, key))
        if value is None and (expiry := self._expiries.pop(key, None)):
            expiry.cancel()
        kind = ChangeType.DELETE if value is None else ChangeType.PUT
        self._hub.publish([Change(kind, key, value or b"", revision, created)], revision)
        if len(self._history) > self._history_limit:
            self._compact(self._history[self._history_limit // 2][0])
        return revision

    def _expire(self, key: bytes) -> None:
        self._expiries.pop(key, None)
        if (current := self._current(key)) is not None:
            self._record(key, None, current)

    def _compact(self, revision: int) -> None:
        self._compact_revision = revision
        cut = bisect_right(self._history, revision, key=lambda entry: entry[0])
        touched = {key for _, key in self._history[:cut]}
        del self._history[:cut]
        for key in touched:
            self._forget(key, revision)
        self._keys = [key for key in self._keys if key in self._versions]
        self._hub.discard_before(revision + 1)

    def _forget(self, key: bytes, revision: int) -> None:
        versions = self._versions.get(key)
        if versions is None:
            return
        keep = bisect_right(versions, revision, key=lambda version: version.mod_revision) - 1
        if keep >= 0 and versions[keep].value is None:
            keep += 1
        del versions[: max(keep, 0)]
        if not versions:
            del self._versions[key]

    def _current(self, key: bytes) -> KeyValue | None:
        versions = self._versions.get(key)
        return _as_item(key, versions[-1]) if versions else None

    def _at(self, key: bytes, revision: int) -> KeyValue | None:
        versions = self._versions[key]
        if versions[-1].mod_revision <= revision:
            return _as_item(key, versions[-1])
        position = bisect_right(versions, revision, key=lambda version: version.mod_revision)
        return _as_item(key, versions[position - 1]) if position else None

    def _require_open(self) -> None:
        if self._closed:
            raise Unavailable("the storage is closed")


def _as_item(key: bytes, version: _Version) -> KeyValue | None:
    if version.value is None:
        return None
    return KeyValue(key, version.value, version.mod_revision, version.create_revision)
