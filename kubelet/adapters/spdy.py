"""Interactive commands through a CRI runtime's streaming server, over SPDY/3.1.

CRI answers Exec and Attach with a URL on loopback. Behind it every CRI runtime speaks the streaming protocol of Kubernetes, in
which only SPDY can say "no more input" (WebSocket learnt it later than the runtimes we serve), so SPDY it is: one connection,
one SPDY stream each for error, stdin, stdout, stderr and terminal sizes, in protocol v4.channel.k8s.io.
Source: the page "Streaming" of Kubernetes' API reference.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from apiclient.spdy import Session, Stream
from kubelet.ports import RuntimeFailureError

_QUEUE_CHUNKS = 64
_CONNECT_TIMEOUT_S = 10.0
_VERDICT_BYTES_MAX = 64 * 1024
_READ_BYTES = 64 * 1024
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


class SocketLink:
    """A connection as a SPDY session's pipe."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        return await self._reader.read(_READ_BYTES)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()


class SpdyCommand:
    """One command: its connection, a task for each output stream, and one for how it ended."""

    def __init__(self, link: SocketLink) -> None:
        self._link = link
        self._session = Session(link, client=True, opens_windows=False)  # spdystream ignores them, and closes abruptly
        self._streams: dict[str, Stream] = {}
        self._output: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue(_QUEUE_CHUNKS)
        self._tasks: list[asyncio.Task[None]] = []
        self._verdict: asyncio.Task[bytes] | None = None

    @classmethod
    async def connect(cls, url: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> "SpdyCommand":
        """Connect and open the streams; raises RuntimeFailureError."""
        place = urlsplit(url)
        wanted = (("error", True), ("stdin", stdin), ("stdout", stdout), ("stderr", stderr), ("resize", tty))
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(place.hostname, place.port or 80)
                command = cls(SocketLink(reader, writer))
                try:
                    await _upgrade(reader, writer, place.netloc, place.path)
                    await command._start([name for name, is_wanted in wanted if is_wanted])
                except BaseException:
                    await command.close()
                    raise
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError) as error:
            raise RuntimeFailureError(f"cannot reach the runtime's streaming server: {error}") from error
        return command

    async def _start(self, names: Sequence[str]) -> None:
        await self._session.__aenter__()
        for name in names:
            self._streams[name] = await self._session.open({"streamtype": name})
        self._streams["error"].finish()
        self._verdict = asyncio.create_task(_said(self._streams["error"]), name="spdy/error")
        outputs = [(number, self._streams[name]) for number, name in ((1, "stdout"), (2, "stderr")) if name in self._streams]
        self._tasks = [asyncio.create_task(self._gather(outputs, self._verdict), name="spdy/output")]

    async def write(self, data: bytes) -> None:
        if (stream := self._streams.get("stdin")) is not None:
            await stream.write(data)

    async def close_input(self) -> None:
        if (stream := self._streams.get("stdin")) is not None:
            stream.finish()

    async def resize(self, width: int, height: int) -> None:
        if (stream := self._streams.get("resize")) is not None:
            await stream.write(json.dumps({"Width": width, "Height": height}).encode() + b"\n")

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        while (piece := await self._output.get()) is not None:
            yield piece

    async def exit_code(self) -> int:
        """From the status on the error stream; raises RuntimeFailureError when the command could not be run."""
        verdict = await asyncio.shield(self._verdict) if self._verdict is not None else b""
        if not verdict:
            raise RuntimeFailureError("the runtime ended the stream without saying how the command ended")
        return parse_verdict(verdict)

    async def close(self) -> None:
        tasks = [*self._tasks, *([self._verdict] if self._verdict is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._session.__aexit__(None, None, None)
        self._link.close()

    async def _gather(self, outputs: Sequence[tuple[int, Stream]], verdict: "asyncio.Task[bytes]") -> None:
        """All output until it has ended, and the end only once the verdict is there."""
        await asyncio.gather(*(self._pump(number, stream) for number, stream in outputs))
        await asyncio.wait((verdict,))
        await self._output.put(None)

    async def _pump(self, number: int, stream: Stream) -> None:
        try:
            while data := await stream.read():
                await self._output.put((number, data))
        except ConnectionError:
            return  # the end, whether or not it was announced; what has arrived tells the rest


async def _said(stream: Stream) -> bytes:
    """All that came on the error stream: runtimes reset it when they have told the result, they do not finish it."""
    found = bytearray()
    try:
        while len(found) < _VERDICT_BYTES_MAX and (data := await stream.read()):
            found += data
    except ConnectionError:
        pass
    return bytes(found)


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


_INTERNAL = "Internal error occurred: "


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
    message = str(status.get("message", "the command failed"))
    raise RuntimeFailureError(message.removeprefix(_INTERNAL))  # whoever tells of it says that in front, once
