"""Every storage adapter runs the same suite."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest

from apiserver.storage.etcd import EtcdStorage
from apiserver.storage.memory import MemoryStorage
from apiserver.storage.port import Storage

_numbers = itertools.count(1)


@pytest.fixture(params=["memory", "etcd"])
async def storage(request: pytest.FixtureRequest) -> AsyncIterator[Storage]:
    """An adapter, connected."""
    adapter: Storage
    if request.param == "memory":
        adapter = MemoryStorage()
    else:
        adapter = EtcdStorage([request.getfixturevalue("shared_etcd").endpoint])
    yield adapter
    await adapter.close()


@pytest.fixture
def prefix() -> bytes:
    """A part of the key space for one test."""
    return b"/registry/test%d/" % next(_numbers)
