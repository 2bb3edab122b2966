"""The one etcd watch of the adapter: every change of the whole key space, in order, into the hub.

Model. etcd makes a revision for every write and nothing else, so a watch of all keys yields every revision; the feed checks
that each etcd revision follows the one before, which turns a gap of any cause into an explicit error instead of a silent
loss. One watcher (rather than one for each resource) gives a total order, so that any event says how far every resource has
come, and needs no progress notifications, which etcd before 3.4.25 may send ahead of the events they vouch for.

The feed reconnects by itself and resumes after the last revision it published. When the history it needs is compacted, or
the store has gone back in time, all watches end with `Compacted` and the feed starts again from the present.

A watch from before the hub's history is served by a second, private stream (`replay`) until it has caught up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any, Self

import grpc
from aetcd import rpc  # type: ignore[import-untyped]

from apiserver.storage.etcd_endpoints import Endpoints, Member
from apiserver.storage.etcd_wire import decode_events, etcd_revision, snapshot_revision
from apiserver.storage.hub import HistoryGone, Hub, Subscription
from apiserver.storage.port import Batch, Compacted, Unavailable

log = logging.getLogger(__name__)

_RETRY_PAUSE_S = 0.2
_CREATE_TIMEOUT_S = 5.0
_HISTORY_REVISIONS = 1_000
"""How far back a new feed begins, so that clients of a restarted API server can resume."""

_NEED_LEADER = (("hasleader", "true"),)


class Feed:
    """Keeps the hub up to date from the first `ensure_started` until `close`."""

    def __init__(self, endpoints: Endpoints, hub: Hub) -> None:
        self._endpoints = endpoints
        self._hub = hub
        self._task: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self.closed = False

    async def ensure_started(self) -> None:
        """Start the feed unless it runs; afterwards the hub's position is meaningful."""
        async with self._starting:
            if self.closed:
                raise Unavailable("the storage is closed")
            if self._task is None:
                self._hub.reset(snapshot_revision(await self._first_revision()))
                self._task = asyncio.get_running_loop().create_task(self._run(), name="etcd/feed")
            elif self._task.done():
                raise Unavailable("the watch of the store has failed")

    async def read_revision(self) -> int:
        """etcd's current revision, linearizable."""
        request = rpc.RangeRequest(key=b"\0", count_only=True)
        answer = await self._endpoints.read(lambda member: member.kv.Range, request)
        revision: int = answer.header.revision
        return revision

    async def _first_revision(self) -> int:
        """A little before now when that much history is left, else now."""
        present = await self.read_revision()
        past = max(1, present - _HISTORY_REVISIONS)
        request = rpc.RangeRequest(key=b"\0", count_only=True, revision=past)
        try:
            await self._endpoints.read(lambda member: member.kv.Range, request)
        except Compacted:
            return present
        return past

    async def replay(self, start: int) -> AsyncGenerator[Batch, None]:
        """Every change from etcd revision `start` on, over a stream of its own; raises StorageError."""
        member = self._endpoints.active
        call = member.watch.Watch(metadata=_NEED_LEADER)
        member.streams.add(call)
        try:
            await call.write(_watch_everything(start))
            created = await asyncio.wait_for(call.read(), _CREATE_TIMEOUT_S)
            _require_alive(created)
            position = start - 1
            while True:
                response = await call.read()
                _require_alive(response)
                if not response.events:
                    continue
                position = _require_next(position, response.events)
                yield Batch(snapshot_revision(position), decode_events(response.events))
        except grpc.aio.AioRpcError as error:
            raise self._lost(member, f"watch lost: {error.code().name}: {error.details()}") from error
        except TimeoutError as error:
            raise self._lost(member, "watch was not created in time") from error
        except (asyncio.InvalidStateError, grpc.aio.UsageError) as error:
            raise self._lost(member, "watch ended") from error
        except asyncio.CancelledError as error:
            # A stream that was left behind (`Endpoints.leave`) raises the same as a cancelled task.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise Unavailable(f"{member.endpoint}: watch left behind") from error
        finally:
            member.streams.discard(call)
            call.cancel()

    async def close(self) -> None:
        """Stop the feed and end every subscription."""
        self.closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        else:
            self._hub.end(None)

    def _lost(self, member: Member, message: str) -> Unavailable:
        self._endpoints.leave(member)
        return Unavailable(f"{member.endpoint}: {message}")

    async def _run(self) -> None:
        try:
            await self._follow_forever()
        finally:
            self._hub.end(None if self.closed else Unavailable("the watch of the store has failed"))

    async def _follow_forever(self) -> None:
        while True:
            try:
                await self._follow()
            except Compacted as error:
                log.warning("history needed by the watches is gone, they start again", extra={"error": str(error)})
                self._hub.end(Compacted(self._hub.position))
                await self._start_again()
            except Unavailable as error:
                log.info("watch of the store interrupted, resuming", extra={"error": str(error)})
                await asyncio.sleep(_RETRY_PAUSE_S)

    async def _follow(self) -> None:
        position = etcd_revision(self._hub.position)
        if await self.read_revision() < position:
            raise Compacted(0)
        async with aclosing(self.replay(position + 1)) as batches:
            async for batch in batches:
                self._hub.publish(batch.changes, batch.revision)

    async def _start_again(self) -> None:
        while True:
            try:
                self._hub.reset(snapshot_revision(await self.read_revision()))
                return
            except Unavailable:
                await asyncio.sleep(_RETRY_PAUSE_S)


class FeedWatch:
    """A `port.Watch` on the feed: from the hub, or from a replay as long as the hub does not reach back far enough."""

    def __init__(self, feed: Feed, hub: Hub, prefix: bytes, start_revision: int) -> None:
        self._feed = feed
        self._hub = hub
        self._prefix = prefix
        self._next = start_revision
        self._wanted: set[int] = set()
        self._subscription: Subscription | None = None
        self._batches = self._iterate()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        batch = await anext(self._batches)
        self._wanted = {wanted for wanted in self._wanted if wanted > batch.revision}
        return batch

    def request_progress(self, revision: int) -> None:
        """See `port.Watch.request_progress`."""
        self._wanted.add(revision)
        if self._subscription is not None:
            self._subscription.request_progress(revision)

    async def aclose(self) -> None:
        """Leave the feed."""
        if self._subscription is not None:
            await self._subscription.aclose()
        with suppress(RuntimeError):  # its reader is inside it, and is let out by the line above
            await self._batches.aclose()

    async def _iterate(self) -> AsyncGenerator[Batch, None]:
        await self._feed.ensure_started()
        while not self._feed.closed:
            try:
                self._subscription = self._hub.subscribe(self._prefix, self._next)
            except HistoryGone:
                async for batch in self._catch_up():
                    yield batch
                continue
            try:
                for wanted in self._wanted:
                    self._subscription.request_progress(wanted)
                async for batch in self._subscription:
                    self._next = batch.revision + 1
                    yield batch
                return
            except HistoryGone:
                continue
            finally:
                self._hub.unsubscribe(self._subscription)

    async def _catch_up(self) -> AsyncGenerator[Batch, None]:
        try:
            async with aclosing(self._feed.replay(etcd_revision(self._next))) as batches:
                async for batch in batches:
                    changes = [
                        change
                        for change in batch.changes
                        if change.mod_revision >= self._next and change.key.startswith(self._prefix)
                    ]
                    self._next = max(self._next, batch.revision + 1)
                    if changes or any(wanted <= batch.revision for wanted in self._wanted):
                        yield Batch(batch.revision, changes)
                    if self._next >= self._hub.floor:
                        return
        except Unavailable as error:
            log.info("catching up interrupted, resuming", extra={"error": str(error)})
            await asyncio.sleep(_RETRY_PAUSE_S)


def _watch_everything(start: int) -> Any:
    # Neither fragments (messages have no size limit here) nor previous values (nobody needs them) are asked for.
    create = rpc.WatchCreateRequest(key=b"\0", range_end=b"\0", start_revision=start)
    return rpc.WatchRequest(create_request=create)


def _require_alive(response: Any) -> None:
    if not isinstance(response, rpc.WatchResponse):  # the end-of-stream marker
        raise Unavailable("watch ended by the server")
    if response.compact_revision:
        raise Compacted(snapshot_revision(response.compact_revision))
    if response.canceled:
        raise Unavailable(f"watch cancelled by the server: {response.cancel_reason}")


def _require_next(position: int, events: Any) -> int:
    """The last etcd revision of `events`, which must continue `position` without a gap."""
    seen = position
    for event in events:
        revision: int = event.kv.mod_revision
        if revision == position + 1:
            position = revision
        elif revision != position or revision == seen:
            raise Compacted(snapshot_revision(revision - 1))
    return position
