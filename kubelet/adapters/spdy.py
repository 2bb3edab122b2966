"""Interactive commands through a CRI runtime's streaming server, over SPDY/3.1.

CRI answers Exec and Attach with a URL on loopback. Behind it every CRI runtime speaks the streaming protocol of Kubernetes, in
which only SPDY can say "no more input" (WebSocket learnt it later than the runtimes we serve), so SPDY it is; the little of it
that is needed stands here: one connection, one SPDY stream each for error, stdin, stdout, stderr and terminal sizes.

Header blocks go out compressed without SPDY's preset dictionary, which zlib's own format allows, and those that come in are not
read: nothing in them is needed. Flow control does not exist on the other side (spdystream ignores it).
Sources: the SPDY/3.1 draft; the page "Streaming" of Kubernetes' API reference (protocol v4.channel.k8s.io).
"""

import asyncio
import json
import struct
import zlib
from collections.abc import AsyncIterator, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from kubelet.ports import RuntimeFailureError

_VERSION = 3
_SYN_STREAM, _RST_STREAM, _PING, _GOAWAY = 1, 3, 6, 7
_FIN = 1
_CHUNK_BYTES = 32 * 1024
_QUEUE_CHUNKS = 64
_CONNECT_TIMEOUT_S = 10.0
_PROTOCOL = "v4.channel.k8s.io"
_STDOUT, _STDERR = 1, 2


class Urls(Protocol):
    """Asks the runtime where to connect; see `CriRuntime`."""

    async def execute_url(
        self, container_id: str, command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> str: ...

    async def attach_url(self, container_id: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> str: ...


class SpdyStreams:
    """Commands through the streaming server of one runtime."""

    def __init__(self, urls: Urls) -> None:
        self._urls = urls

    async def execute(
        self, container_id: str, command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> "SpdyCommand":
        url = await self._urls.execute_url(
            container_id, command, stdin=stdin, stdout=stdout, stderr=stderr and not tty, tty=tty
        )
        return await SpdyCommand.connect(url, stdin=stdin, stdout=stdout, stderr=stderr and not tty, tty=tty)

    async def attach(self, container_id: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> "SpdyCommand":
        url = await self._urls.attach_url(container_id, stdin=stdin, stdout=stdout, stderr=stderr and not tty, tty=tty)
        return await SpdyCommand.connect(url, stdin=stdin, stdout=stdout, stderr=stderr and not tty, tty=tty)


class SpdyCommand:
    """One command: its connection, and a reader task that sorts what arrives."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._deflate = zlib.compressobj()
        self._streams: dict[str, int] = {}
        self._output: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue(_QUEUE_CHUNKS)
        self._verdict = bytearray()
        self._open_outputs: set[int] = set()
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def connect(cls, url: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> "SpdyCommand":
        """Connect and open the streams; raises RuntimeFailureError."""
        place = urlsplit(url)
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(place.hostname, place.port or 80)
                await _upgrade(reader, writer, place.netloc, place.path)
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError) as error:
            raise RuntimeFailureError(f"cannot reach the runtime's streaming server: {error}") from error
        command = cls(reader, writer)
        command._open("error")
        for name, wanted in (("stdin", stdin), ("stdout", stdout), ("stderr", stderr), ("resize", tty)):
            if wanted:
                command._open(name)
        command._open_outputs = {command._streams[name] for name in ("stdout", "stderr") if name in command._streams}
        command._task = asyncio.create_task(command._read(), name="spdy")
        return command

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), _CHUNK_BYTES):
            self._send("stdin", data[start : start + _CHUNK_BYTES])
            await self._writer.drain()

    async def close_input(self) -> None:
        self._send("stdin", b"", _FIN)
        await self._writer.drain()

    async def resize(self, width: int, height: int) -> None:
        self._send("resize", json.dumps({"Width": width, "Height": height}).encode() + b"\n")
        await self._writer.drain()

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        while (piece := await self._output.get()) is not None:
            yield piece

    async def exit_code(self) -> int:
        """From the status on the error stream; raises RuntimeFailureError when the command could not be run."""
        if self._task is not None:
            await asyncio.shield(self._task)
        if not self._verdict:
            raise RuntimeFailureError("the runtime ended the stream without saying how the command ended")
        return parse_verdict(bytes(self._verdict))

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()

    def _open(self, kind: str) -> None:
        identity = 2 * len(self._streams) + 1
        self._streams[kind] = identity
        name, value = b"streamtype", kind.encode()
        block = struct.pack(">II", 1, len(name)) + name + struct.pack(">I", len(value)) + value
        packed = self._deflate.compress(block) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        self._control(_SYN_STREAM, struct.pack(">IIH", identity, 0, 0) + packed)

    def _control(self, kind: int, payload: bytes) -> None:
        self._writer.write(struct.pack(">HHI", 0x8000 | _VERSION, kind, len(payload)) + payload)

    def _send(self, kind: str, data: bytes, flags: int = 0) -> None:
        identity = self._streams.get(kind)
        if identity is not None and not self._writer.is_closing():
            self._writer.write(struct.pack(">II", identity, flags << 24 | len(data)) + data)

    async def _read(self) -> None:
        try:
            while self._open_outputs or not self._verdict_complete:
                first, second = struct.unpack(">II", await self._reader.readexactly(8))
                payload = await self._reader.readexactly(second & 0xFFFFFF)
                if first & 0x80000000:
                    if not self._on_control(first & 0xFFFF, payload):
                        break
                else:
                    await self._on_data(first, second >> 24, payload)
        except (EOFError, ConnectionError):
            pass  # the end, whether or not it was announced; what has arrived tells the rest
        finally:
            await self._output.put(None)

    _verdict_complete = False

    def _on_control(self, kind: int, payload: bytes) -> bool:
        if kind == _PING:
            self._control(_PING, payload)
        elif kind == _RST_STREAM:
            self._ended(struct.unpack(">I", payload[:4])[0] & 0x7FFFFFFF)
        return kind != _GOAWAY

    async def _on_data(self, identity: int, flags: int, payload: bytes) -> None:
        if identity == self._streams.get("stdout") and payload:
            await self._output.put((_STDOUT, payload))
        elif identity == self._streams.get("stderr") and payload:
            await self._output.put((_STDERR, payload))
        elif identity == self._streams["error"]:
            self._verdict += payload
        if flags & _FIN:
            self._ended(identity)

    def _ended(self, identity: int) -> None:
        self._open_outputs.discard(identity)
        if identity == self._streams["error"]:
            self._verdict_complete = True


async def _upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, path: str) -> None:
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        "Connection: Upgrade",
        "Upgrade: SPDY/3.1",
        f"X-Stream-Protocol-Version: {_PROTOCOL}",
        "Content-Length: 0",
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    head = await reader.readuntil(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0]
    if b" 101 " not in status:
        raise RuntimeFailureError(f"the runtime's streaming server refused: {status.decode(errors='replace')}")


def parse_verdict(data: bytes) -> int:
    """The exit code in a v4 status; raises RuntimeFailureError for a failure that is no exit code."""
    try:
        status = json.loads(data)
    except ValueError as error:
        raise RuntimeFailureError(data.decode(errors="replace")) from error
    if status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode" and str(cause.get("message", "")).isdigit():
            return int(cause["message"])
    raise RuntimeFailureError(str(status.get("message", "the command failed")))
