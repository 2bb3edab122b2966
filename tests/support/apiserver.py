"""A real API server for tests: both doors on free ports of 127.0.0.1, mutual TLS by a throwaway CA, in this process.

async with real_api_server(tmp_path) as server:                       # storage in memory
    client = Client(server.transport())                              # gRPC
    async with server.session() as session:                         # REST, aiohttp
        await session.get(server.url + "/api/v1/nodes")
"""

from __future__ import annotations

import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from apiclient.grpc_transport import GrpcTransport
from apimachinery.clock import Clock, SystemClock
from apiserver.app import Assembly, Doors, Settings, listening_socket
from apiserver.ports import Nodes
from apiserver.storage.memory import MemoryStorage
from apiserver.storage.port import Storage
from tests.support.inprocess import NoNodes
from tests.support.throwaway_ca import Identity, ThrowawayCa


class RunningServer:
    """Where the server is, and ways in for `kubernetes-admin` (or another identity of `ca`)."""

    def __init__(self, assembly: Assembly, ca: ThrowawayCa, rest_port: int, grpc_port: int) -> None:
        self.assembly = assembly
        self.ca = ca
        self.url = f"https://127.0.0.1:{rest_port}"
        self.rest_port = rest_port
        self.grpc_endpoint = f"127.0.0.1:{grpc_port}"
        self.admin = ca.client("kubernetes-admin", ("system:masters",))

    def transport(self, identity: Identity | None = None) -> GrpcTransport:
        """The client's gRPC transport."""
        cert, key = identity or self.admin
        return GrpcTransport([self.grpc_endpoint], ca_file=str(self.ca.ca), cert_file=str(cert), key_file=str(key))

    def client_context(self, identity: Identity | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca.ca))
        cert, key = identity or self.admin
        context.load_cert_chain(cert, key)
        return context

    def session(self, identity: Identity | None = None, *, anonymous: bool = False, token: str = "") -> aiohttp.ClientSession:
        """An HTTP session; the caller closes it. With a token, or anonymous, it shows no certificate."""
        bare = anonymous or bool(token)
        context = ssl.create_default_context(cafile=str(self.ca.ca)) if bare else self.client_context(identity)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context, limit=0), headers=headers)


@asynccontextmanager
async def real_api_server(
    directory: Path,
    *,
    storage: Storage | None = None,
    nodes: Nodes | None = None,
    settings: Settings | None = None,
    clock: Clock | None = None,
    rng: random.Random | None = None,
) -> AsyncIterator[RunningServer]:
    """Both doors open, caches synced, bootstrap done; everything is stopped at the end."""
    ca = ThrowawayCa(directory / "pki")
    serving = ca.server("kube-apiserver")
    rest = listening_socket("127.0.0.1", 0)
    port = rest.getsockname()[1]
    assembly = Assembly(
        settings or Settings(advertise_port=port),
        storage or MemoryStorage(),
        nodes or NoNodes(),  # type: ignore[arg-type]
        clock=clock or SystemClock(),
        rng=rng or random.Random(1),
    )
    doors = Doors(assembly)
    async with assembly.running():
        try:
            await doors.open([rest], "127.0.0.1", 0, cert=serving.cert, key=serving.key, client_ca=ca.ca)
            yield RunningServer(assembly, ca, port, doors.grpc_port)
        finally:
            await doors.close()
