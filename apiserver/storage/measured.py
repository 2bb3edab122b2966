"""Any storage adapter, with the time that each call takes told to an observer.

A refusal (a lost compare-and-swap) is an answer like any other; only `Unavailable` and what nobody expected count as failures.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from apimachinery.clock import Clock
from apiserver.storage.port import Guard, KeyValue, Page, Storage, StorageError, Unavailable, Watch, Write

Observe = Callable[[str, float, bool], None]
"""(operation, seconds, failed)."""

T = TypeVar("T")


class MeasuredStorage:
    """See `port.Storage`."""

    def __init__(self, storage: Storage, observe: Observe, clock: Clock) -> None:
        self._storage = storage
        self._observe = observe
        self._clock = clock

    async def get(self, key: bytes) -> KeyValue | None:
        """See `port.Storage.get`."""
        return await self._timed("get", self._storage.get(key))

    async def list(self, prefix: bytes, *, revision: int = 0, limit: int = 0, start_after: bytes = b"") -> Page:
        """See `port.Storage.list`."""
        return await self._timed("list", self._storage.list(prefix, revision=revision, limit=limit, start_after=start_after))

    async def create(self, key: bytes, value: bytes, *, ttl_s: float | None = None, guards: Sequence[Guard] = ()) -> int:
        """See `port.Storage.create`."""
        return await self._timed("create", self._storage.create(key, value, ttl_s=ttl_s, guards=guards))

    async def update(self, key: bytes, value: bytes, *, expected_revision: int, guards: Sequence[Guard] = ()) -> int:
        """See `port.Storage.update`."""
        work = self._storage.update(key, value, expected_revision=expected_revision, guards=guards)
        return await self._timed("update", work)

    async def delete(self, key: bytes, *, expected_revision: int, guards: Sequence[Guard] = ()) -> int:
        """See `port.Storage.delete`."""
        return await self._timed("delete", self._storage.delete(key, expected_revision=expected_revision, guards=guards))

    async def commit(self, writes: Sequence[Write]) -> Sequence[int | StorageError]:
        """See `port.Storage.commit`."""
        return await self._timed("commit", self._storage.commit(writes))

    async def current_revision(self) -> int:
        """See `port.Storage.current_revision`."""
        return await self._timed("revision", self._storage.current_revision())

    async def recent_revision(self) -> int:
        """See `port.Storage.recent_revision`."""
        return await self._storage.recent_revision()

    async def compact(self, revision: int) -> None:
        """See `port.Storage.compact`."""
        await self._timed("compact", self._storage.compact(revision))

    def watch(self, prefix: bytes, start_revision: int) -> Watch:
        """See `port.Storage.watch`."""
        return self._storage.watch(prefix, start_revision)

    async def close(self) -> None:
        """See `port.Storage.close`."""
        await self._storage.close()

    async def _timed(self, operation: str, work: Awaitable[T]) -> T:
        started = self._clock.monotonic()
        failed = True
        try:
            result = await work
            failed = False
            return result
        except StorageError as error:
            failed = isinstance(error, Unavailable)
            raise
        finally:
            self._observe(operation, self._clock.monotonic() - started, failed)
