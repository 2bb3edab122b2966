"""exec and attach: a WebSocket whose messages begin with the number of a channel.

Channels: 0 standard input, 1 output, 2 errors, 3 the Status that ends the session, 4 the terminal's size, 255 (from v5 on)
closes the channel whose number follows. Standard input is read by a thread, because terminals and files cannot be awaited
alike.
Source: the Kubernetes page "Kubernetes API Concepts", and the subprotocol names v4.channel.k8s.io and
v5.channel.k8s.io.
"""

import asyncio
import json
import os
import signal
import sys
import termios
import threading
import tty
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import urlencode

import aiohttp

from kctl.errors import CommandExitedError, KctlError, StatusError, UnreachableError
from kctl.rest import Response, RestClient, status_error

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
READ_BYTES = 32 * 1024
INPUT_CHUNKS = 64


@dataclass(frozen=True)
class StreamRequest:
    """What to run or attach to, and which streams to carry."""

    path: str
    query: list[tuple[str, str]]
    stdin: bool
    tty: bool
    streams: "Streams | None" = None
    """Other ends than this process's own."""


@dataclass(frozen=True)
class Streams:
    """Where a session's input comes from (a file descriptor) and its output goes; what writing raises ends the session."""

    stdin: int
    stdout: BinaryIO
    stderr: BinaryIO


def run(client: RestClient, request: StreamRequest) -> None:
    """Carry the streams until the session ends; raises CommandExitedError for a code other than 0."""
    with _raw_terminal(request.tty and sys.stdin.isatty()):
        asyncio.run(_run(client, request))


def check_status(status: Mapping[str, Any]) -> None:
    """Return for a Success; raise what the Status of channel 3 says otherwise."""
    if status.get("status") == "Success":
        return
    for cause in (status.get("details") or {}).get("causes") or ():
        if status.get("reason") == "NonZeroExitCode" and cause.get("reason") == "ExitCode":
            raise CommandExitedError(int(cause.get("message") or 1))
    raise StatusError(status) if status.get("reason") else KctlError(str(status.get("message") or "the session failed"))


async def _run(client: RestClient, request: StreamRequest) -> None:
    async with connected(client, request.path, request.query, (V5, V4)) as socket:
        await _Session(socket, request).run()


@asynccontextmanager
async def connected(
    client: RestClient, path: str, query: Sequence[tuple[str, str]], protocols: Sequence[str]
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A WebSocket to the server; raises KctlError with the server's reason when it refuses."""
    url = f"{client.settings.server}{path}?{urlencode(query)}"
    tls: Any = client.tls_context() or False
    async with aiohttp.ClientSession() as session:
        try:
            socket = await session.ws_connect(
                url, protocols=protocols, ssl=tls, headers=client.identity(), max_msg_size=0, autoclose=True
            )
        except aiohttp.WSServerHandshakeError as error:
            raise await _refusal(session, client, url, tls, error) from error
        except aiohttp.ClientError as error:
            raise UnreachableError(f"Unable to connect to the server: {client.address}: {error}") from error
        try:
            yield socket
        finally:
            await socket.close()


async def _refusal(
    session: aiohttp.ClientSession, client: RestClient, url: str, tls: Any, error: aiohttp.WSServerHandshakeError
) -> KctlError:
    """aiohttp drops the body of a refused handshake: ask once more without upgrading, to hear why."""
    async with session.get(url, ssl=tls, headers=client.identity()) as answer:
        if answer.status == error.status:
            return status_error(Response(answer.status, dict(answer.headers), await answer.read()))
    return StatusError({"code": error.status, "message": f"the server refused the connection: {error.message or error.status}"})


class _Session:
    """One open WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, request: StreamRequest) -> None:
        self._socket = socket
        self._request = request
        self._streams = request.streams or Streams(
            sys.stdin.fileno() if request.stdin or request.tty else -1, sys.stdout.buffer, sys.stderr.buffer
        )
        self._input: asyncio.Queue[bytes] = asyncio.Queue(INPUT_CHUNKS)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        helpers = []
        if self._request.stdin:
            threading.Thread(target=self._read_input, args=(loop,), name="stdin", daemon=True).start()
            helpers.append(asyncio.create_task(self._send_input(), name="exec/stdin"))
        if self._request.tty:
            await self._send_size()
            loop.add_signal_handler(signal.SIGWINCH, lambda: helpers.append(asyncio.create_task(self._send_size())))
        try:
            await self._receive()
        finally:
            if self._request.tty:
                loop.remove_signal_handler(signal.SIGWINCH)
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            await self._socket.close()

    async def _receive(self) -> None:
        async for message in self._socket:
            if message.type != aiohttp.WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], message.data[1:]
            if channel in (STDOUT, STDERR):
                _write(self._streams.stdout if channel == STDOUT else self._streams.stderr, data)
            elif channel == ERROR:
                check_status(json.loads(data))
                return
        raise KctlError(f"the connection was closed (code {self._socket.close_code}) before the command had ended")

    async def _send_input(self) -> None:
        while data := await self._input.get():
            await self._socket.send_bytes(bytes((STDIN,)) + data)
        if self._socket.protocol == V5:
            await self._socket.send_bytes(bytes((CLOSE, STDIN)))

    async def _send_size(self) -> None:
        size = os.get_terminal_size(self._streams.stdin)
        body = json.dumps({"Width": size.columns, "Height": size.lines}).encode()
        await self._socket.send_bytes(bytes((RESIZE,)) + body)

    def _read_input(self, loop: asyncio.AbstractEventLoop) -> None:
        """Runs in a thread: hands over what is typed; an empty chunk says that there is no more."""
        while True:
            try:
                data = os.read(self._streams.stdin, READ_BYTES)
            except OSError:
                data = b""
            try:
                asyncio.run_coroutine_threadsafe(self._input.put(data), loop).result()
            except (RuntimeError, asyncio.CancelledError):
                return  # the session is over
            if not data:
                return


def _write(sink: BinaryIO, data: bytes) -> None:
    sink.write(data)
    sink.flush()


@contextmanager
def _raw_terminal(wanted: bool) -> Iterator[None]:
    """The terminal passes every key on while the session lasts."""
    if not wanted:
        yield
        return
    before = termios.tcgetattr(sys.stdin.fileno())
    try:
        tty.setraw(sys.stdin.fileno(), termios.TCSANOW)  # what has been typed ahead is kept
        yield
    finally:
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)
