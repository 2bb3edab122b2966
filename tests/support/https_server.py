"""An HTTPS server of 127.0.0.1 in this process, for tests: what the API server calls, webhooks above all.

async with https_server(ca, handler, names=("hook.default.svc",)) as server:
    ...  # server.port, server.made
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import web

from tests.support.throwaway_ca import ThrowawayCa


class Reply(NamedTuple):
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = {}


Handler = Callable[[str, bytes], Awaitable[Reply]]
"""Answers a POST: its path with the query, and its body."""


class HttpsServer(web.Server):
    """Counts the connections that were ever made to it and those that are open."""

    def __init__(self, handler: Handler) -> None:
        super().__init__(self._answer)
        self._reply = handler
        self._lost = asyncio.Event()
        self._transports: list[asyncio.Transport] = []
        self.port = 0
        self.made = 0

    @property
    def open(self) -> int:
        return len(self._transports)

    def hang_up(self) -> None:
        """Close every connection, as a server that restarts does."""
        for transport in self._transports:
            transport.close()

    async def closed_down_to(self, count: int) -> None:
        """Wait until no more than `count` connections are open."""
        while self.open > count:
            self._lost.clear()
            await self._lost.wait()

    def connection_made(self, handler: Any, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._transports.append(transport)
        self.made += 1

    def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._transports = [each for each in self._transports if not each.is_closing()]
        self._lost.set()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        reply = await self._reply(request.raw_path, await request.content.read())
        return web.Response(status=reply.status, body=reply.body, headers=dict(reply.headers))


@asynccontextmanager
async def https_server(
    ca: ThrowawayCa, handler: Handler, *, names: Sequence[str] = (), name: str = "server"
) -> AsyncIterator[HttpsServer]:
    """Serves until the block is left; its certificate is by `ca`, for `names` and 127.0.0.1."""
    files = ca.server(name, names=names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)
    server = HttpsServer(handler)
    runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()
