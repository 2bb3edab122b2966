"""Every storage adapter runs the same suite."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable

import pytest

from apimachinery.clock import SystemClock
from apiserver.storage.etcd import EtcdStorage
from apiserver.storage.measured import MeasuredStorage
from apiserver.storage.memory import MemoryStorage
from apiserver.storage.port import Storage

_numbers = itertools.count(1)


BACKENDS: dict[str, Callable[[pytest.FixtureRequest], Storage]] = {
    "memory": lambda request: MemoryStorage(),
    "etcd": lambda request: EtcdStorage([request.getfixturevalue("shared_etcd").endpoint]),
    "measured": lambda request: MeasuredStorage(MemoryStorage(), lambda operation, seconds, failed: None, SystemClock()),
}


@pytest.fixture(params=list(BACKENDS))
async def storage(request: pytest.FixtureRequest) -> AsyncIterator[Storage]:
    """An adapter, connected."""
    adapter = BACKENDS[request.param](request)
    yield adapter
    await adapter.close()


@pytest.fixture
def prefix() -> bytes:
    """A part of the key space for one test."""
    return b"/registry/test%d/" % next(_numbers)
