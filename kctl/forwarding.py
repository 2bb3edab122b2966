"""Forwarded ports: listening sockets here, whose connections travel as pairs of SPDY streams in one WebSocket.

The protocol is the one that kubectl uses since 1.31, SPDY/3.1+portforward.k8s.io: for each connection a stream for
errors and one for data, both of one request id; either side can end its direction alone. A connection that fails is
told of and ends; the loss of the WebSocket ends all of them.
"""

import asyncio
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import aiohttp

from apiclient.spdy import Session, Stream
from kctl import websocket
from kctl.errors import KctlError
from kctl.ports import Forward
from kctl.rest import RestClient

TUNNEL = "SPDY/3.1+portforward.k8s.io"
ERROR_BYTES_MAX = 64 * 1024
MESSAGE_BYTES = 1024 * 1024
READ_BYTES = 64 * 1024
Say = Callable[[str], None]


def run(client: RestClient, path: str, forwards: Sequence[Forward], addresses: Sequence[str], say: Say, note: Say) -> None:
    """Forward until a signal asks to stop; raises KctlError when no port can be opened or the connection is lost."""
    asyncio.run(_run(client, path, forwards, addresses, say, note))


def parse_addresses(words: Sequence[str]) -> list[str]:
    """IP addresses, or `localhost` (both of them); raises KctlError."""
    found: list[str] = []
    for word in words:
        if word == "localhost":
            found += ["127.0.0.1", "::1"]
            continue
        try:
            socket.getaddrinfo(word, None, flags=socket.AI_NUMERICHOST)
        except OSError:
            raise KctlError(f"{word} is not a valid IP") from None
        found.append(word)
    return found


async def _run(
    client: RestClient, path: str, forwards: Sequence[Forward], addresses: Sequence[str], say: Say, note: Say
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with (
        websocket.connected(client, path, (), (TUNNEL,)) as connection,
        Session(_Link(connection), client=True) as session,
        AsyncExitStack() as servers,
    ):
        forwarder = _Forwarder(session, say, note)
        for forward in forwards:
            await forwarder.listen(forward, addresses, servers)
        waits = [asyncio.create_task(stop.wait(), name="stop"), asyncio.create_task(session.wait_ended(), name="lost")]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await forwarder.close()
        if not stop.is_set():
            raise KctlError("lost connection to pod")


class _Forwarder:
    """The listening sockets and connections of one session."""

    def __init__(self, session: Session, say: Say, note: Say) -> None:
        self._session = session
        self._say = say
        self._note = note
        self._next = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, forward: Forward, addresses: Sequence[str], servers: AsyncExitStack) -> None:
        """Open the port on every address where it can be had; raises KctlError when that is none."""
        local, failures = forward.local, []

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._serve(reader, writer, local, forward.remote), name=f"forward/{local}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        opened = False
        for address in addresses:
            try:
                server = await asyncio.start_server(connected, address, local)
            except OSError as error:
                failures.append(f"unable to listen on {_place(address, local)}: {error.strerror or error}")
                continue
            servers.callback(server.close)
            local, opened = server.sockets[0].getsockname()[1], True
            self._say(f"Forwarding from {_place(address, local)} -> {forward.remote}")
        if not opened:
            raise KctlError(f"unable to listen on any of the requested ports: {'; '.join(failures)}")

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, local: int, remote: int) -> None:
        self._say(f"Handling connection for {local}")
        self._next += 1
        headers = {"port": str(remote), "requestid": str(self._next)}
        streams: list[Stream] = []
        try:
            error = await self._session.open({"streamtype": "error", **headers})
            streams.append(error)
            error.finish()
            data = await self._session.open({"streamtype": "data", **headers})
            streams.append(data)
            await self._carry(reader, writer, data)
            told = await error.read_all(ERROR_BYTES_MAX)
            if told:
                self._note(f"error: an error occurred forwarding {local} -> {remote}: {told.decode(errors='replace')}")
        except ConnectionError as failure:
            if not self._session.over:
                self._note(f"error: the connection forwarded from {local} to {remote} was cut off: {failure}")
        finally:
            for stream in streams:
                stream.discard()
            writer.close()

    @staticmethod
    async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: Stream) -> None:
        """Until the pod has ended its side, or nobody is there to hear it."""

        async def send() -> None:
            try:
                while piece := await reader.read(READ_BYTES):
                    await data.write(piece)
            except ConnectionError:
                return  # one side has gone; what comes from the other still counts
            data.finish()

        sending = asyncio.create_task(send(), name="forward/send")
        try:
            while piece := await data.read():
                try:
                    writer.write(piece)
                    await writer.drain()
                except ConnectionError:
                    data.discard()  # the local program has closed its connection
                    return
            if writer.can_write_eof() and not writer.is_closing():
                writer.write_eof()
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


class _Link:
    """The WebSocket as a SPDY session's pipe."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        self._connection = connection

    async def read(self) -> bytes:
        async for message in self._connection:
            if message.type is aiohttp.WSMsgType.BINARY and message.data:
                return bytes(message.data)
        return b""

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), MESSAGE_BYTES):
            await self._connection.send_bytes(data[start : start + MESSAGE_BYTES])


def _place(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
