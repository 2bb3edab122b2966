"""Group commit: writes that are waiting at the same time travel in one etcd transaction.

Model. `submit` queues a write and waits for its outcome. At most `IN_FLIGHT_MAX` transactions are under way; what gathers
meanwhile goes with the next one, up to `WRITES_MAX` writes and `BYTES_MAX` bytes, so a lone writer waits for nobody and 64
writers cost little more than one. Within a transaction no write touches the key or a guard of another, so each stands
by itself.

An answer settles every write of its transaction. When there is no answer (the member died, the deadline passed) the
transaction may have been applied. It is sent again with its writes marked uncertain: a compare-and-swap applies at most once,
because the revision it compares with never returns. When an uncertain write then finds its compare failing, it looks whether
its own value is in the key's history: if so it had succeeded, if the history shows that it had not it was refused, and if the
history cannot tell the error says so (`Unavailable.uncertain`). Nothing is sent after `WRITE_DEADLINE_S`.

A caller that is cancelled does not stop its write; the outcome is then nobody's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aetcd import rpc  # type: ignore[import-untyped]

from apiserver.storage.etcd_endpoints import Endpoints
from apiserver.storage.etcd_leases import LeasePool
from apiserver.storage.etcd_wire import (
    WRITES_MAX,
    LeaseGone,
    decode_item,
    delete_revision,
    etcd_revision,
    existing_revision,
    put_revision,
    transaction,
)
from apiserver.storage.port import (
    VALUE_BYTES_MAX,
    Conflict,
    GuardFailed,
    KeyExists,
    KeyMissing,
    KeyValue,
    StorageError,
    TooLarge,
    Unavailable,
    Write,
)

IN_FLIGHT_MAX = 3
BYTES_MAX = 1_000_000
QUEUE_MAX = 20_000
WRITE_DEADLINE_S = 10.0
_RETRY_PAUSE_S = 0.2
_HISTORY_STEPS_MAX = 16

Outcome = int | StorageError


class _Pending:
    """A write on its way. `uncertain` once a transaction with it was sent and not answered."""

    __slots__ = ("deadline", "future", "size_bytes", "uncertain", "write")

    def __init__(self, write: Write, future: asyncio.Future[Outcome], deadline: float) -> None:
        self.write = write
        self.future = future
        self.deadline = deadline
        self.uncertain = False
        self.size_bytes = len(write.key) + len(write.value or b"")

    def settle(self, outcome: Outcome) -> None:
        if not self.future.done():
            self.future.set_result(outcome)


class Committer:
    """Sends the writes of one adapter."""

    def __init__(self, endpoints: Endpoints, leases: LeasePool) -> None:
        self._endpoints = endpoints
        self._leases = leases
        self._queue: list[_Pending] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._flush_due = False
        self._closed = False

    def submit(self, write: Write) -> asyncio.Future[Outcome]:
        """Queue a write; the future gets its revision, or why it was refused, and never an exception."""
        loop = asyncio.get_running_loop()
        pending = _Pending(write, loop.create_future(), loop.time() + WRITE_DEADLINE_S)
        if self._closed:
            pending.settle(Unavailable("the storage is closed"))
        elif pending.size_bytes > VALUE_BYTES_MAX:
            pending.settle(TooLarge(f"{write.key!r} needs {pending.size_bytes} bytes of {VALUE_BYTES_MAX}"))
        elif len(self._queue) >= QUEUE_MAX:
            pending.settle(Unavailable("too many writes are waiting for the store"))
        else:
            self._queue.append(pending)
            self._schedule()
        return pending.future

    async def close(self) -> None:
        """Accept nothing more; wait for what is under way."""
        self._closed = True
        while self._tasks or self._queue:
            self._flush()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _schedule(self) -> None:
        if not self._flush_due and len(self._tasks) < IN_FLIGHT_MAX:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        while self._queue and len(self._tasks) < IN_FLIGHT_MAX:
            group = self._take_group()
            task = asyncio.get_running_loop().create_task(self._carry(group), name="etcd/commit")
            self._tasks.add(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
        if self._queue:
            self._schedule()

    def _take_group(self) -> list[_Pending]:
        """Writes from the head of the queue that may share a transaction, puts first."""
        group: list[_Pending] = []
        left: list[_Pending] = []
        written: set[bytes] = set()
        guarding: set[bytes] = set()
        size_bytes = 0
        for position, pending in enumerate(self._queue):
            if len(group) == WRITES_MAX:
                left.extend(self._queue[position:])
                break
            write = pending.write
            clash = write.key in written or write.key in guarding or any(g.key in written for g in write.guards)
            if clash or (group and size_bytes + pending.size_bytes > BYTES_MAX):
                left.append(pending)
            else:
                group.append(pending)
                size_bytes += pending.size_bytes
            written.add(write.key)
            guarding.update(guard.key for guard in write.guards)
        self._queue = left
        group.sort(key=lambda pending: pending.write.value is None)
        return group

    async def _carry(self, group: Sequence[_Pending]) -> None:
        """Send a group until every write of it is settled."""
        try:
            await self._send(group)
        except Exception as error:
            for pending in group:
                pending.settle(Unavailable(f"write failed: {error!r}", uncertain=True))
            raise

    async def _send(self, group: Sequence[_Pending]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                leases = [await self._leases.lease(p.write.ttl_s) if p.write.ttl_s else 0 for p in group]
                request = transaction([pending.write for pending in group], leases)
            except StorageError as error:
                return self._settle_all(group, error)
            try:
                answer = await self._endpoints.once(lambda member: member.kv.Txn, request)
                return await self._settle(group, answer)
            except LeaseGone as error:
                self._leases.forget()
                if loop.time() > group[0].deadline:
                    return self._settle_all(group, error)
            except Unavailable as error:
                if not error.uncertain or loop.time() + _RETRY_PAUSE_S > group[0].deadline:
                    return self._settle_all(group, error)
                for pending in group:
                    pending.uncertain = True
                await asyncio.sleep(_RETRY_PAUSE_S)
            except StorageError as error:
                if len(group) == 1:
                    return self._settle_all(group, error)
                return await self._send_apart(group)

    async def _send_apart(self, group: Sequence[_Pending]) -> None:
        """The store refused the transaction as a whole, and did nothing: find out which write is to blame."""
        for pending in group:
            await self._send([pending])

    def _settle_all(self, group: Sequence[_Pending], error: StorageError) -> None:
        for pending in group:
            if pending.uncertain and not (isinstance(error, Unavailable) and error.uncertain):
                pending.settle(Unavailable(f"outcome unknown: {error}", uncertain=True))
            else:
                pending.settle(error)

    async def _settle(self, group: Sequence[_Pending], answer: Any) -> None:
        revision: int = answer.header.revision
        results = [response.response_txn for response in answer.responses]
        deletes_left = sum(
            result.succeeded for pending, result in zip(group, results, strict=True) if pending.write.value is None
        )
        doubtful: list[tuple[_Pending, KeyValue | None, StorageError]] = []
        for place, (pending, result) in enumerate(zip(group, results, strict=True)):
            if not result.succeeded:
                current, refusal = _refusal(pending.write, result)
                if pending.uncertain:
                    doubtful.append((pending, current, refusal))
                else:
                    pending.settle(refusal)
            elif pending.write.value is None:
                pending.settle(delete_revision(revision, deletes_left))
                deletes_left -= 1
            else:
                pending.settle(put_revision(revision, place))
        for pending, current, refusal in doubtful:
            pending.settle(await self._look_back(pending.write, current, refusal))

    async def _look_back(self, write: Write, current: KeyValue | None, refusal: StorageError) -> Outcome:
        """What became of a write that may have been applied before `refusal` was the answer to its repetition."""
        unknown = Unavailable(f"outcome unknown, then: {refusal}", uncertain=True)
        if write.value is None:
            untouched = current is not None and current.mod_revision == write.expected_revision
            return refusal if untouched else unknown
        version = current
        for _ in range(_HISTORY_STEPS_MAX):
            if version is None:
                return unknown
            if version.mod_revision <= write.expected_revision:
                return refusal
            if version.value == write.value:
                return version.mod_revision
            created_here = etcd_revision(version.mod_revision) == etcd_revision(version.create_revision)
            if write.expected_revision == 0 and created_here:
                return refusal
            try:
                version = await self._version_before(version)
            except StorageError:
                return unknown
        return unknown

    async def _version_before(self, version: KeyValue) -> KeyValue | None:
        request = rpc.RangeRequest(key=version.key, revision=etcd_revision(version.mod_revision) - 1)
        answer = await self._endpoints.read(lambda member: member.kv.Range, request)
        return decode_item(answer.kvs[0]) if answer.kvs else None


def _refusal(write: Write, result: Any) -> tuple[KeyValue | None, StorageError]:
    """The key as it is, and why the write was refused, from the reads of a nested transaction that did not succeed."""
    found = result.responses[0].response_range.kvs
    current = decode_item(found[0]) if found else None
    for guard, response in zip(write.guards, result.responses[1:], strict=True):
        held = response.response_range.kvs
        if not held or held[0].mod_revision != existing_revision(guard.mod_revision):
            return current, GuardFailed(guard.key)
    if current is None:
        return current, KeyMissing(write.key)
    return current, Conflict(current) if write.expected_revision else KeyExists(current)
