"""A watch cache of small JSON objects on memory storage."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from apiserver.cache import WatchCache
from apiserver.storage.memory import MemoryStorage

PREFIX = b"/registry/pods/"


def index(value: bytes) -> tuple[Mapping[str, str], Mapping[str, str]]:
    plain = json.loads(value)
    return plain["metadata"]["labels"], {"metadata.name": plain["metadata"]["name"], "spec.nodeName": plain["node"]}


class World:
    """The storage, written to by name, and its cache."""

    def __init__(self, storage: MemoryStorage, cache: WatchCache) -> None:
        self.storage = storage
        self.cache = cache
        self.revisions: dict[bytes, int] = {}

    async def put(self, name: str, namespace: str = "default", *, node: str = "", **labels: str) -> int:
        """Create or update an object; returns its revision."""
        metadata = {"resourceVersion": "", "name": name, "labels": labels}
        value = json.dumps({"metadata": metadata, "node": node}, separators=(",", ":")).encode()
        return await self.put_raw(f"{namespace}/{name}", value)

    async def put_raw(self, path: str, value: bytes) -> int:
        key = PREFIX + path.encode()
        if key in self.revisions:
            revision = await self.storage.update(key, value, expected_revision=self.revisions[key])
        else:
            revision = await self.storage.create(key, value)
        self.revisions[key] = revision
        return revision

    async def drop(self, name: str, namespace: str = "default") -> int:
        """Delete an object; returns the revision of the deletion."""
        key = PREFIX + f"{namespace}/{name}".encode()
        return await self.storage.delete(key, expected_revision=self.revisions.pop(key))

    async def names(self, **arguments: Any) -> list[str]:
        listing = await self.cache.list(**arguments)
        return [entry.name for entry in listing.items]


Make = Callable[..., Any]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Builds worlds; arguments go to the cache. Ends them with the test."""
    async with AsyncExitStack() as stack:

        async def build(**arguments: Any) -> World:
            return await stack.enter_async_context(_world(**arguments))

        yield build


@pytest.fixture
async def world(make: Make) -> World:
    built: World = await make()
    return built


@asynccontextmanager
async def _world(*, storage: Any = None, **arguments: Any) -> AsyncIterator[World]:
    storage = storage or MemoryStorage()
    cache = WatchCache(storage, PREFIX, index=index, rng=random.Random(1), **arguments)
    running = asyncio.create_task(cache.run())
    await cache.synced.wait()
    try:
        yield World(storage, cache)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await storage.close()
