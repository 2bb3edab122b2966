"""A connection after its HTTP upgrade: bytes, no messages.

aiohttp hands all that comes after an upgrade to a parser; a RawConnection is that parser, for connections that it
accepted as for those that it made. Reading from the socket pauses while BUFFER_BYTES_MAX wait to be taken.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Any

from aiohttp import web

BUFFER_BYTES_MAX = 256 * 1024


class RawConnection:
    """See `apiclient.spdy.Link`. Made from the protocol of a connection, whose bytes it takes from then on."""

    def __init__(self, protocol: Any) -> None:
        self._transport: asyncio.Transport = protocol.transport
        if self._transport is None:
            raise ConnectionResetError("the connection was lost")
        # StreamWriter needs of its protocol only the waiting for room, which aiohttp's has
        self._writer = asyncio.StreamWriter(self._transport, protocol, None, asyncio.get_running_loop())
        self._pieces: deque[bytes] = deque()
        self._bytes = 0
        self._ended = False
        self._paused = False
        self._changed = asyncio.Event()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Called by aiohttp: not at an end, nothing left over."""
        if data:
            self._pieces.append(bytes(data))
            self._bytes += len(data)
            self._changed.set()
        if self._bytes > BUFFER_BYTES_MAX and not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()
        return False, b""

    def feed_eof(self) -> None:
        """Called by aiohttp when the connection is lost."""
        self._ended = True
        self._changed.set()

    async def read(self) -> bytes:
        while not self._pieces:
            if self._ended:
                return b""
            self._changed.clear()
            await self._changed.wait()
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._bytes = 0
        if self._paused:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()
        return data

    async def write(self, data: bytes) -> None:
        if self._transport.is_closing():
            raise ConnectionResetError("the connection was lost")
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        self._transport.close()


async def upgrade(request: web.BaseRequest, headers: Iterable[tuple[str, str]]) -> tuple[web.StreamResponse, RawConnection]:
    """Answer 101 and take the connection over; it ends when the response is returned."""
    response = web.StreamResponse(status=101)
    for name, value in headers:
        response.headers.add(name, value)
    response.force_close()
    await response.prepare(request)
    request.protocol.keep_alive(False)
    connection = RawConnection(request.protocol)
    request.protocol.set_parser(connection)  # type: ignore[arg-type]
    return response, connection


async def join(one: RawConnection, other: RawConnection) -> None:
    """Carry bytes both ways until either connection has ended; both are closed then."""
    pumps = [
        asyncio.create_task(_pump(one, other), name="raw/there"),
        asyncio.create_task(_pump(other, one), name="raw/back"),
    ]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        one.close()
        other.close()


async def _pump(source: RawConnection, sink: RawConnection) -> None:
    try:
        while data := await source.read():
            await sink.write(data)
    except ConnectionError:
        return  # the end of one side is the end of both
