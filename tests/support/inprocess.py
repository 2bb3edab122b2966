"""The whole API server in this process, without sockets: its handler chain on storage in memory, and a client's transport to
it.

    async with in_process_api(clock=clock, rng=rng) as assembly:
        client = Client(InProcessTransport(assembly.api))

Runs on any event loop, virtual time included. Bodies, rules, conflicts, watches and fences are the real ones.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from apiclient.transport import EventType, Fence, Name, PodBinding, RawEvent, Selection, Write
from apimachinery import codec, errors
from apimachinery.clock import Clock
from apimachinery.errors import ApiError
from apimachinery.resources import TABLE, Resource, ResourceTable
from apiserver.app import Assembly, Settings
from apiserver.chain import Api
from apiserver.core import request as core
from apiserver.ports import Nodes
from apiserver.storage.memory import MemoryStorage
from apiserver.storage.port import Storage

ADMIN = core.User("kubernetes-admin", ("system:masters",))


class NoNodes:
    """Kubelets, of which there are none here."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError("this test has no kubelets")

    async def close(self) -> None:
        """Nothing is open."""


@asynccontextmanager
async def in_process_api(
    *,
    clock: Clock,
    rng: random.Random,
    storage: Storage | None = None,
    nodes: Nodes | None = None,
    settings: Settings | None = None,
) -> AsyncIterator[Assembly]:
    """An API server with its caches synced and its own objects made; storage in memory unless given."""
    assembly = Assembly(
        settings or Settings(),
        storage or MemoryStorage(),
        nodes or NoNodes(),
        clock=clock,
        rng=rng,  # type: ignore[arg-type]
    )
    async with assembly.running():
        yield assembly


class InProcessTransport:
    """See `apiclient.transport.Transport`. With `table` it finds custom resources too."""

    def __init__(self, api: Api, user: core.User = ADMIN, table: ResourceTable = TABLE) -> None:
        self._api = api
        self._user = user
        self._table = table

    async def get(self, name: Name, *, resource_version: str = "") -> bytes:
        answer = await self._api.handle(self._request(core.Verb.GET, name, core.Options(resource_version=resource_version)))
        assert isinstance(answer, core.Document)
        return answer.body

    async def list(self, name: Name, selection: Selection, *, resource_version: str = "") -> tuple[Sequence[bytes], int]:
        answer = await self._api.handle(self._request(core.Verb.LIST, name, _options(selection, resource_version)))
        assert isinstance(answer, core.Listing)
        return [item.data for item in answer.items], answer.revision

    async def watch(self, name: Name, selection: Selection, *, resource_version: str = "") -> AsyncIterator[Sequence[RawEvent]]:
        answer = await self._api.handle(self._request(core.Verb.WATCH, name, _options(selection, resource_version)))
        assert isinstance(answer, core.Watching)
        try:
            async for batch in answer.batches:
                if batch.bookmark:
                    yield [RawEvent(EventType.BOOKMARK, b"", batch.revision, batch.initial_events_end)]
                else:
                    yield [RawEvent(EventType(event.type), event.data, event.revision) for event in batch.events]
        finally:
            await answer.batches.aclose()

    async def write(self, write: Write) -> bytes:
        options = core.Options(
            dry_run=write.dry_run,
            field_manager=write.field_manager,
            force=write.force or None,
            field_validation=core.FieldValidation(write.field_validation or "Ignore"),
        )
        request = core.Request(
            verb=core.Verb(str(write.verb)),
            resource=self._row(write.name),
            user=self._user,
            namespace=write.name.namespace,
            name=write.name.name,
            subresource=write.name.subresource,
            body=write.body,
            content_type=write.patch_type or "application/json",
            options=options,
            fence=_fence(write.fence),
        )
        answer = await self._api.carried_through(self._api.handle(request))
        assert isinstance(answer, core.Document)
        return answer.body

    async def bind(self, bindings: Sequence[PodBinding], fence: Fence | None) -> Sequence[bytes]:
        binds = [core.Bind(each.namespace, each.name, each.uid, each.node, dict(each.annotations)) for each in bindings]
        results = await self._api.carried_through(self._api.bind(self._user, binds, _fence(fence)))
        return [codec.encode(each.status) if isinstance(each, ApiError) else b"" for each in results]

    async def carry(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        raise errors.no_such_path()  # there are no other servers

    async def close(self) -> None:
        """There is no connection."""

    def _row(self, name: Name) -> Resource:
        """The server's row, as the gRPC door finds it."""
        found = self._table.by_plural(name.resource.group, name.resource.version, name.resource.plural)
        if found is None:
            raise errors.no_such_path()
        return found

    def _request(self, verb: core.Verb, name: Name, options: core.Options) -> core.Request:
        return core.Request(
            verb=verb,
            resource=self._row(name),
            user=self._user,
            namespace=name.namespace,
            name=name.name,
            subresource=name.subresource,
            options=options,
        )


def _options(selection: Selection, resource_version: str) -> core.Options:
    return core.Options(
        label_selector=selection.label_selector,
        field_selector=selection.field_selector,
        resource_version=resource_version,
        allow_bookmarks=True,
    )


def _fence(fence: Fence | None) -> core.Fence | None:
    return None if fence is None else core.Fence(fence.namespace, fence.name, fence.holder, fence.epoch)
