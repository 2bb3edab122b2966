"""The way of a watch's events onto the wire.

A batch is the same for all watchers of one selection, and they are woken one after the other: the frame of chunked coding that
carries it is made for the first and kept for the others. It goes straight to the connection; only a client that does not keep
up is waited for, within a bound.
"""

import asyncio

from aiohttp import HttpVersion11, web

from apiserver.core.request import EventBatch


class Frames:
    """The frame of the batch that is on its way to several watchers."""

    def __init__(self) -> None:
        self._batch: EventBatch | None = None
        self._frame = b""

    def of(self, batch: EventBatch) -> bytes:
        """A batch's lines as one chunk (RFC 9112, section 7.1)."""
        if batch is not self._batch:
            payload = batch.payload
            self._batch, self._frame = batch, b"%x\r\n%b\r\n" % (len(payload), payload)
        return self._frame


class WatchWriter:
    """One watch's response, whose head has been sent."""

    def __init__(self, request: web.BaseRequest, response: web.StreamResponse, frames: Frames, timeout_s: float) -> None:
        self._request = request
        self._response = response
        self._frames = frames
        self._timeout_s = timeout_s
        self._chunked = request.version >= HttpVersion11

    async def events(self, batch: EventBatch) -> None:
        """Send a batch; raises ConnectionError when the client has gone, TimeoutError when it does not take anything."""
        if not self._chunked or not batch.events:  # an empty chunk would end the response
            await self.line(batch.payload)
            return
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        transport.write(self._frames.of(batch))
        if transport.get_write_buffer_size():
            async with asyncio.timeout(self._timeout_s):
                await self._request.writer.drain()

    async def line(self, data: bytes) -> None:
        """Send lines that are this watch's alone; raises the same."""
        async with asyncio.timeout(self._timeout_s):
            await self._response.write(data)
