"""A kubelet's gRPC door for tests: real gRPC and mutual TLS, containers that are a few rules.

Logs are `line 0..4`, with `follow` they go on until the client leaves. `exec` runs the command `cat` (echoes stdin),
`fail CODE`, `size` (prints each terminal size), `wait` (until the client leaves) or prints the command. What is attached to
says so, and echoes the first piece of stdin if it gets any. A forwarded port echoes in capitals; port 1 refuses; a port in
`backends` is connected to that port of 127.0.0.1.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from apimachinery import codec, errors
from apimachinery.errors import ApiError
from proto.gen import node_pb2 as pb
from proto.gen.node_pb2_grpc import NodeServicer, add_NodeServicer_to_server
from tests.support.throwaway_ca import ThrowawayCa

_ACCEPTED = (("coxswain-accepted", "true"),)


class FakeKubelet(NodeServicer):
    """Remembers the requests it got."""

    def __init__(self) -> None:
        self.logs: list[pb.LogsRequest] = []
        self.starts: list[pb.StreamStart] = []
        self.follower_left = asyncio.Event()
        self.silent = False
        self.forwards: list[pb.PortForwardData] = []
        self.backends: dict[int, int] = {}
        self.exec_begun = asyncio.Event()
        self.exec_ended = asyncio.Event()

    async def Logs(self, request: pb.LogsRequest, context: Any) -> AsyncIterator[pb.LogsChunk]:  # noqa: N802
        self.logs.append(request)
        if request.previous:
            await _abort(context, errors.bad_request("previous terminated container not found"))
        for index in range(0 if self.silent else 5):
            yield pb.LogsChunk(data=b"line %d\n" % index)
        try:
            while request.follow:
                await asyncio.sleep(0.02)
                if not self.silent:
                    yield pb.LogsChunk(data=b"more\n")
        finally:
            self.follower_left.set()

    async def Exec(self, inputs: AsyncIterator[pb.StreamInput], context: Any) -> AsyncIterator[pb.StreamOutput]:  # noqa: N802
        start = (await anext(inputs)).start
        self.starts.append(start)
        if list(start.command) == ["lost"]:
            await _abort(context, errors.not_found("containers", start.container.container))
        await context.send_initial_metadata(_ACCEPTED)
        match list(start.command):
            case ["cat"]:
                async for message in inputs:
                    if message.stdin_closed:
                        break
                    yield pb.StreamOutput(stdout=message.stdin)
            case ["wait"]:
                self.exec_begun.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    self.exec_ended.set()
            case ["size"]:
                async for message in inputs:
                    if message.stdin_closed:
                        break
                    yield pb.StreamOutput(stdout=b"%dx%d\n" % (message.size.width, message.size.height))
            case ["fail", code]:
                yield pb.StreamOutput(stderr=b"no\n")
                yield pb.StreamOutput(exit_code=int(code))
                return
            case command:
                yield pb.StreamOutput(stdout=" ".join(command).encode())
        yield pb.StreamOutput(exit_code=0)

    async def Attach(self, inputs: AsyncIterator[pb.StreamInput], context: Any) -> AsyncIterator[pb.StreamOutput]:  # noqa: N802
        start = (await anext(inputs)).start
        self.starts.append(start)
        await context.send_initial_metadata(_ACCEPTED)
        yield pb.StreamOutput(stdout=b"attached")
        if start.stdin:
            yield pb.StreamOutput(stdout=(await anext(inputs)).stdin)
        yield pb.StreamOutput(exit_code=0)

    async def PortForward(self, inputs: AsyncIterator[pb.PortForwardData], context: Any) -> AsyncIterator[pb.PortForwardData]:  # noqa: N802
        first = await anext(inputs)
        self.forwards.append(first)
        if first.port == 1:
            await _abort(context, errors.unavailable("connection refused"))
        await context.send_initial_metadata(_ACCEPTED)
        if first.port in self.backends:
            async for output in _connected(self.backends[first.port], inputs):
                yield output
            return
        async for message in inputs:
            yield pb.PortForwardData(data=message.data.upper())


@asynccontextmanager
async def fake_kubelet(ca: ThrowawayCa) -> AsyncIterator[tuple[FakeKubelet, int]]:
    """A kubelet on a free port of 127.0.0.1 that only lets the CA's clients in; yields it and its port."""
    kubelet = FakeKubelet()
    files = ca.server("kubelet")
    server = grpc.aio.server()
    add_NodeServicer_to_server(kubelet, server)  # type: ignore[no-untyped-call]
    pair = (files.key.read_bytes(), files.cert.read_bytes())
    credentials = grpc.ssl_server_credentials([pair], ca.ca.read_bytes(), require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield kubelet, port
    finally:
        await server.stop(None)


async def _connected(port: int, inputs: AsyncIterator[pb.PortForwardData]) -> AsyncIterator[pb.PortForwardData]:
    """A port of 127.0.0.1, as a kubelet forwards it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def feed() -> None:
        async for message in inputs:
            writer.write(message.data)
            await writer.drain()
            if message.closed:
                break
        writer.write_eof()

    feeding = asyncio.create_task(feed())
    try:
        while data := await reader.read(65536):
            yield pb.PortForwardData(data=data)
        yield pb.PortForwardData(closed=True)
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        writer.close()


async def _abort(context: Any, error: ApiError) -> None:
    metadata = (("coxswain-status-bin", codec.encode(error.status)),)
    await context.abort(grpc.StatusCode.FAILED_PRECONDITION, error.status.message, metadata)
