"""Raw puts to etcd, as the mark that the API server's writes are held against.

A gRPC library for Python costs more than etcd itself, and would make the mark low and us look good. So the few frames of HTTP/2
that a put consists of are written here by hand: the requests are the same bytes but for their keys and stream numbers, and of
the answers no more is looked at than whether each has a message and ends.
Sources: RFC 9113, RFC 7541 and the gRPC page "gRPC over HTTP2".
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Sequence
from typing import cast

from aetcd import rpc  # type: ignore[import-untyped]

from bench.clusters import Access, client_context

DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 4, 6, 8
ACK, END_STREAM, END_HEADERS = 0x1, 0x1, 0x4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WINDOW_BYTES = 65_535
HEAD_BYTES = 9
PATH = "/etcdserverpb.KV/Put"


async def puts_per_second(access: Access, values: Sequence[bytes], callers: int) -> float:
    """How many values a second are put under keys of their own, `callers` at a time on one connection over TLS."""
    context = client_context(access)
    context.set_alpn_protocols(["h2"])
    host, _, port = access.server.removeprefix("https://").partition(":")
    loop = asyncio.get_running_loop()
    requests = [_put(f"/bench/raw/{number}".encode(), value) for number, value in enumerate(values)]
    _, connection = await loop.create_connection(lambda: _Connection(requests, callers), host, int(port), ssl=context)
    started = time.perf_counter()
    try:
        await connection.done
    finally:
        connection.close()
    return len(values) / (time.perf_counter() - started)


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame of HTTP/2."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _put(key: bytes, value: bytes) -> bytes:
    message: bytes = rpc.PutRequest(key=key, value=value).SerializeToString()
    return b"\0" + struct.pack(">I", len(message)) + message


def _header_block() -> bytes:
    """The headers of every request, none of them indexed, so that both sides' tables stay empty."""
    fields = {
        ":method": "POST",
        ":scheme": "https",
        ":path": PATH,
        ":authority": "localhost",
        "te": "trailers",
        "content-type": "application/grpc",
    }
    parts = [
        b"\0" + bytes((len(name),)) + name.encode() + bytes((len(value),)) + value.encode() for name, value in fields.items()
    ]
    return b"".join(parts)


class _Connection(asyncio.Protocol):
    """Keeps `callers` requests under way until all are answered; `done` fails with the connection."""

    def __init__(self, requests: Sequence[bytes], callers: int) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._callers = callers
        self._sent = self._answered = self._messages = 0
        self._window = WINDOW_BYTES
        self._rest = b""
        self._headers = _header_block()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = self._transport = cast(asyncio.Transport, transport)
        wide = struct.pack(">I", (1 << 31) - 1 - WINDOW_BYTES)
        transport.write(PREFACE + frame(SETTINGS, 0, 0, b"") + frame(WINDOW_UPDATE, 0, 0, wide))
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("etcd has closed the connection"))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        place = 0
        replies: list[bytes] = []
        while len(data) - place >= HEAD_BYTES:
            size = int.from_bytes(data[place : place + 3])
            end = place + HEAD_BYTES + size
            if end > len(data):
                break
            kind, flags, stream = struct.unpack(">BBI", data[place + 3 : place + HEAD_BYTES])
            replies.extend(self._take(kind, flags, stream, data[place + HEAD_BYTES : end]))
            place = end
        self._rest = data[place:]
        if replies and self._transport is not None:
            self._transport.write(b"".join(replies))
        if self._answered == len(self._requests):
            if not self.done.done():
                self.done.set_result(None)
        else:
            self._send()

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> Sequence[bytes]:
        match kind:
            case 0:
                self._messages += 1
            case 1 if flags & END_STREAM:
                self._answered += 1
                if self._answered > self._messages:  # an error has trailers and no message
                    raise ConnectionError("etcd has refused a put")
            case 4 | 6 if not flags & ACK:
                return (frame(kind, ACK, 0, payload if kind == PING else b""),)
            case 8 if stream == 0:
                self._window += int.from_bytes(payload)
            case 3 | 7:  # RST_STREAM, GOAWAY
                raise ConnectionError(f"etcd has ended the connection or a stream: {payload!r}")
        return ()

    def _send(self) -> None:
        parts: list[bytes] = []
        while self._sent < len(self._requests) and self._sent - self._answered < self._callers:
            request = self._requests[self._sent]
            if len(request) > self._window:
                break
            stream = 2 * self._sent + 1
            parts += (frame(HEADERS, END_HEADERS, stream, self._headers), frame(DATA, END_STREAM, stream, request))
            self._window -= len(request)
            self._sent += 1
        if parts and self._transport is not None:
            self._transport.write(b"".join(parts))
