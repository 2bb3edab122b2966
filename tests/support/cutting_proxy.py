"""A TCP relay on 127.0.0.1 whose connections a test can cut at any moment.

async with cutting_proxy("127.0.0.1", 2379) as link:
    storage = EtcdStorage([link.address])
    link.cut()                       # both ends of every connection are reset; new ones are accepted as before
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_CHUNK_BYTES = 1 << 16


class CuttingProxy:
    """The relay; made by `cutting_proxy`."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._open: set[asyncio.StreamWriter] = set()
        self._relays: set[asyncio.Task[None]] = set()
        self.address = ""
        self.port = 0
        self.cuts = 0

    def cut(self) -> None:
        """Reset every connection that goes through it now."""
        self.cuts += bool(self._open)
        for writer in list(self._open):
            writer.transport.abort()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin to relay one connection, until either side ends it."""
        task = asyncio.create_task(self._relay(reader, writer), name="relay")
        self._relays.add(task)
        task.add_done_callback(self._relays.discard)

    async def close(self) -> None:
        """Cut everything for good."""
        self.cut()
        for task in list(self._relays):
            task.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            self._open.discard(writer)
            return
        self._open.add(far_writer)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, far_writer))
                group.create_task(_copy(far_reader, writer))
        finally:
            for each in (writer, far_writer):
                self._open.discard(each)
                each.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.close()


@asynccontextmanager
async def cutting_proxy(host: str, port: int) -> AsyncIterator[CuttingProxy]:
    """A relay to host:port; it and its connections end with the block."""
    proxy = CuttingProxy(host, port)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    proxy.address = f"127.0.0.1:{proxy.port}"
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
