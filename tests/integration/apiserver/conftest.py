"""A real API server, on storage in memory and on a real etcd, and a caller for its REST door."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from apiclient.client import Client
from apiserver.app import Settings
from apiserver.storage.etcd import EtcdStorage
from apiserver.storage.memory import MemoryStorage
from apiserver.storage.port import Storage
from tests.support.apiserver import RunningServer, real_api_server

BACKENDS = ("memory", "etcd")


@pytest.fixture(params=BACKENDS)
def storage(request: pytest.FixtureRequest) -> Callable[[], Storage]:
    """Makes an adapter; called inside the test's loop."""
    if request.param == "memory":
        return MemoryStorage
    endpoint = request.getfixturevalue("shared_etcd").endpoint
    return lambda: EtcdStorage([endpoint])


@pytest.fixture
async def server(storage: Callable[[], Storage], tmp_path: Path) -> AsyncIterator[RunningServer]:
    settings = Settings(prefix=f"/registry-{uuid.uuid4()}")
    async with real_api_server(tmp_path, storage=storage(), settings=settings) as running:
        yield running


class Answer(NamedTuple):
    status: int
    body: Any
    headers: Any


Rest = Callable[..., Awaitable[Answer]]


@pytest.fixture
async def rest(server: RunningServer) -> AsyncIterator[Rest]:
    """`await rest("POST", path, body, content_type=..., **headers)`: bodies are data, text or bytes."""
    async with server.session() as session:

        async def call(method: str, path: str, body: Any = None, **headers: str) -> Answer:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            async with session.request(method, server.url + path, data=data, headers=named) as response:
                text = await response.read()
                is_json = response.content_type == "application/json"
                return Answer(response.status, json.loads(text) if is_json else text.decode(), response.headers)

        yield call


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[Client]:
    """The components' client, over gRPC."""
    client = Client(server.transport())
    yield client
    await client.close()


Caller = Callable[..., Awaitable[Any]]


@pytest.fixture
async def as_user(server: RunningServer) -> AsyncIterator[Callable[..., Caller]]:
    """`as_user("jane", "dev")` gives a caller like `rest`, for a user with groups; it answers (status, body)."""
    async with AsyncExitStack() as stack:

        def make(name: str, *groups: str) -> Caller:
            session = server.session(server.ca.client(name, groups))
            stack.push_async_callback(session.close)

            async def call(method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
                headers = {"Content-Type": content_type}
                async with session.request(method, server.url + path, json=body, headers=headers) as response:
                    return response.status, await response.json()

            return call

        yield make
