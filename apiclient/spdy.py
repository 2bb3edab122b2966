"""A SPDY connection over any two-way pipe of bytes: streams that are opened, accepted, read and written.

A Session is a context: inside it two tasks run, one that reads frames and sorts them into streams, one that writes what
has been queued. Whoever has a Stream reads it and writes it, and either lets it end in both directions or discards it.

Nothing grows without bound. A stream holds BUFFER_BYTES_MAX unread bytes; then the whole connection is not read until
somebody reads that stream (other ends do the same: spdystream neither opens nor honours windows). Windows are opened
for those that honour them, as what has come is read; theirs are honoured from the first SETTINGS or WINDOW_UPDATE on,
since who never sends one would never open a window. Writers wait while much is queued, and a peer that makes us queue
answers without end is cut off.

When the connection is lost, reading gives what has come and then raises ConnectionResetError, as writing does.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Protocol

from apimachinery import spdy
from apimachinery.spdy import SpdyError

CHUNK_BYTES = 32 * 1024
BUFFER_BYTES_MAX = 256 * 1024
QUEUED_BYTES_MAX = 256 * 1024
ANSWERS_BYTES_MAX = 1024 * 1024
STREAMS_MAX = 1024
LAST_WORDS_S = 1.0


class Link(Protocol):
    """The pipe below."""

    async def read(self) -> bytes:
        """Some bytes; none when the other end has closed. Raises ConnectionError."""

    async def write(self, data: bytes) -> None:
        """Send, and wait while the other end is slow. Raises ConnectionError."""


class Stream:
    """One stream. Its methods raise ConnectionResetError when it was reset or the connection is lost."""

    def __init__(self, session: "Session", number: int, headers: Mapping[str, str]) -> None:
        self.number = number
        self.headers = headers
        self._session = session
        self._pieces: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self._discarded = False
        self.buffered_bytes = 0
        self.ended = False
        """The other end sends no more."""
        self.finished = False
        """We send no more."""
        self.reset = False
        self.replied = asyncio.Event()
        self.window = 0
        self._unacknowledged = 0

    async def read(self) -> bytes:
        """The next bytes; none when the other end has finished."""
        while not self._pieces:
            if self.ended:
                return b""
            if self.reset or self._session.over:
                raise ConnectionResetError(f"stream {self.number} was cut off")
            self._changed.clear()
            await self._changed.wait()
        data = self._pieces.popleft()
        self.buffered_bytes -= len(data)
        self._consumed(len(data))
        return data

    async def read_all(self, limit_bytes: int) -> bytes:
        """All until the other end has finished, but no more than the limit; the rest is dropped."""
        found = bytearray()
        while data := await self.read():
            found += data[: limit_bytes - len(found)]
        return bytes(found)

    async def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            size = await self._session.room(self, min(len(view), CHUNK_BYTES))
            self._session.send(spdy.Data(self.number, bytes(view[:size])))
            view = view[size:]

    def finish(self) -> None:
        """Send no more."""
        if not self.finished and not self.reset and not self._session.over:
            self._session.send(spdy.Data(self.number, b"", fin=True))
        self.finished = True
        self._session.settle(self)

    def discard(self, status: spdy.Reset = spdy.Reset.CANCEL) -> None:
        """Have no more to do with the stream; the other end is told unless both directions have ended."""
        if not (self.finished and self.ended) and not self.reset and not self._session.over:
            self._session.send(spdy.RstStream(self.number, status))
        self.reset = self._discarded = True
        self._consumed(self.buffered_bytes)
        self._pieces.clear()
        self.buffered_bytes = 0
        self.wake()
        self._session.settle(self)

    def wake(self) -> None:
        self._changed.set()
        self.replied.set()

    def take(self, data: bytes, *, fin: bool) -> None:
        """What has come for this stream."""
        if data:
            self._pieces.append(data)
            self.buffered_bytes += len(data)
        self.ended = self.ended or fin
        self.wake()
        self._session.settle(self)

    def _consumed(self, count: int) -> None:
        self._session.consumed(count)
        if not self._session.opens_windows:
            return
        self._unacknowledged += count
        if self._unacknowledged >= spdy.WINDOW_BYTES // 2 and not (self.ended or self.reset or self._session.over):
            self._session.send(spdy.WindowUpdate(self.number, self._unacknowledged))
            self._unacknowledged = 0


class Session:
    """One connection, as a context; `client` says which end this is.

    opens_windows: False towards an end that knows no windows and closes its connection without having read all: what it has
    not read then, such as our window updates, makes the kernel throw away what it sent last.
    heartbeat_s: how often the other end is asked for a sign of life; 0 for never. One without an answer ends the session.
    """

    def __init__(self, link: Link, *, client: bool, opens_windows: bool = True, heartbeat_s: float = 0.0) -> None:
        self._link = link
        self.opens_windows = opens_windows
        self._heartbeat_s = heartbeat_s
        self._received = 0
        self._held_up = False
        self._framer = spdy.Framer()
        self._client = client
        self._next = 1 if client else 2
        self._last = 0
        self._streams: dict[int, Stream] = {}
        self._accepted: asyncio.Queue[Stream | None] = asyncio.Queue()
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._wanted = asyncio.Event()
        self._written = asyncio.Event()
        self._buffers = asyncio.Event()
        self._ended = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._unacknowledged = 0
        self._sent_bytes = 0
        self._window = spdy.WINDOW_BYTES
        self._stream_window = spdy.WINDOW_BYTES
        self._windows_honoured = False
        self._window_honoured = False
        self._going_away = False
        self.over = False
        self.failure: str = ""

    async def __aenter__(self) -> "Session":
        self._tasks = [
            asyncio.create_task(self._guarded(self._read()), name="spdy/read"),
            asyncio.create_task(self._guarded(self._write()), name="spdy/write"),
        ]
        if self._heartbeat_s:
            self._tasks.append(asyncio.create_task(self._guarded(self._beat()), name="spdy/heartbeat"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end("")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def accept(self) -> Stream | None:
        """The next stream that the other end opens, already replied to; None when the connection has ended."""
        while (stream := await self._accepted.get()) is not None:
            if not stream.reset:
                return stream
        self._accepted.put_nowait(None)
        return None

    async def open(self, headers: Mapping[str, str], *, fin: bool = False) -> Stream:
        """A new stream, once the other end has taken it; raises ConnectionResetError."""
        if self.over or self._going_away or self._next > spdy.STREAM_ID_MAX:
            raise ConnectionResetError(self.failure or "the connection takes no more streams")
        stream = Stream(self, self._next, headers)
        stream.window = self._stream_window
        self._next += 2
        self._streams[stream.number] = stream
        self.send(spdy.SynStream(stream.number, headers, fin=fin))
        stream.finished = fin
        try:
            await stream.replied.wait()
        except asyncio.CancelledError:
            stream.discard()
            raise
        if stream.reset or self.over:
            raise ConnectionResetError(f"stream {stream.number} was refused")
        return stream

    async def go_away(self, grace_s: float) -> None:
        """Say that it is over, send all that is queued, and give the other end time to close first.

        Closing a connection on which something has arrived unread would take what it was sent away from the other end.
        """
        if not self.over:
            self._going_away = True
            self.send(spdy.GoAway(self._last))
        try:
            async with asyncio.timeout(grace_s):
                await self._ended.wait()
        except TimeoutError:
            pass

    async def wait_ended(self) -> None:
        """Until the connection is lost or has ended."""
        await self._ended.wait()

    def send(self, frame: spdy.Frame) -> None:
        """Queue a frame; raises ConnectionResetError when the connection is over."""
        if self.over:
            raise ConnectionResetError(self.failure or "the connection has ended")
        data = self._framer.encode(frame)
        self._queue.append(data)
        self._queued_bytes += len(data)
        self._wanted.set()
        if self._queued_bytes > QUEUED_BYTES_MAX + ANSWERS_BYTES_MAX:
            self._end("the other end does not read")

    async def room(self, stream: Stream, wanted: int) -> int:
        """Wait until something may be sent on the stream, and reserve it: at most `wanted` bytes."""
        while True:
            if self.over or stream.reset:
                raise ConnectionResetError(self.failure or f"stream {stream.number} was cut off")
            if stream.finished:
                raise ConnectionResetError(f"stream {stream.number} is finished")
            size = wanted
            if self._windows_honoured:
                size = min(size, stream.window)
            if self._window_honoured:
                size = min(size, self._window)
            if size > 0 and self._queued_bytes <= QUEUED_BYTES_MAX:
                stream.window -= size
                self._window -= size
                return size
            self._written.clear()
            await self._written.wait()

    def consumed(self, count: int) -> None:
        """So many bytes of some stream have been read."""
        self._buffers.set()
        if not self.opens_windows:
            return
        self._unacknowledged += count
        if self._unacknowledged >= spdy.WINDOW_BYTES // 2 and not self.over:
            self.send(spdy.WindowUpdate(0, self._unacknowledged))
            self._unacknowledged = 0

    def settle(self, stream: Stream) -> None:
        """Forget a stream that is over."""
        if stream.reset or (stream.ended and stream.finished):
            self._streams.pop(stream.number, None)
        self._written.set()

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        reason = "the connection was closed"
        try:
            await work
        except (ConnectionError, EOFError) as error:
            reason = f"the connection was lost: {error}"
        except SpdyError as error:
            reason = str(error)
            if not self.over:
                self.send(spdy.GoAway(self._last, spdy.Away.PROTOCOL_ERROR))
                with suppress(ConnectionError, TimeoutError):
                    async with asyncio.timeout(LAST_WORDS_S):
                        await self._flush()
        finally:
            self._end(reason)

    async def _read(self) -> None:
        while not self.over and (data := await self._link.read()):
            self._received += 1
            for frame in self._framer.feed(data):
                self._take(frame)
                if isinstance(frame, spdy.Data):
                    await self._room_for(frame.stream)

    async def _room_for(self, number: int) -> None:
        """Wait while the stream holds as much as it may."""
        while (stream := self._streams.get(number)) is not None and stream.buffered_bytes >= BUFFER_BYTES_MAX:
            self._held_up = True
            self._buffers.clear()
            await self._buffers.wait()
        if self._held_up:
            self._held_up = False
            self._received += 1  # signs of life may have been waiting

    async def _beat(self) -> None:
        """Ping; whatever comes before the next ping is a sign of life, and while we do not read none can come."""
        number = 1 if self._client else 2
        while not self.over:
            received = self._received
            self.send(spdy.Ping(number))
            number = (number + 2) & spdy.STREAM_ID_MAX
            await asyncio.sleep(self._heartbeat_s)
            if received == self._received and not self._held_up:
                raise ConnectionResetError("the other end gives no sign of life")

    async def _write(self) -> None:
        while not self.over:
            await self._wanted.wait()
            self._wanted.clear()
            await self._flush()

    async def _flush(self) -> None:
        while self._queue:
            data = b"".join(self._queue)
            self._queue.clear()
            await self._link.write(data)
            self._queued_bytes -= len(data)
            self._written.set()

    def _take(self, frame: spdy.Frame) -> None:
        match frame:
            case spdy.Data(number, data, fin):
                self._data(number, data, fin)
            case spdy.SynStream():
                self._opened(frame)
            case spdy.SynReply(number, _, fin) | spdy.Headers(number, _, fin):
                if (stream := self._streams.get(number)) is not None:
                    stream.take(b"", fin=fin)
            case spdy.RstStream(number, _):
                if (stream := self._streams.get(number)) is not None:
                    stream.reset = True
                    stream.wake()
                    self.settle(stream)
            case spdy.Ping(number):
                if (number % 2 == 1) != self._client:
                    self.send(frame)
            case spdy.GoAway():
                self._going_away = True
            case spdy.Settings(values):
                self._settings(values)
            case spdy.WindowUpdate(number, delta):
                self._window_opened(number, delta)

    def _opened(self, frame: spdy.SynStream) -> None:
        if frame.stream % 2 == (0 if not self._client else 1) or frame.stream <= self._last:
            raise SpdyError(f"stream {frame.stream} cannot be opened after {self._last}")
        self._last = frame.stream
        if max(len(self._streams), self._accepted.qsize()) >= STREAMS_MAX or self._going_away:
            self.send(spdy.RstStream(frame.stream, spdy.Reset.REFUSED_STREAM))
            return
        stream = Stream(self, frame.stream, frame.headers)
        stream.window = self._stream_window
        stream.ended, stream.finished = frame.fin, frame.unidirectional
        self._streams[frame.stream] = stream
        if not frame.unidirectional:
            self.send(spdy.SynReply(frame.stream))
        self._accepted.put_nowait(stream)
        self.settle(stream)

    def _data(self, number: int, data: bytes, fin: bool) -> None:
        stream = self._streams.get(number)
        if stream is None:
            ours = number % 2 == (1 if self._client else 0)
            if number >= self._next if ours else number > self._last:
                raise SpdyError(f"data on stream {number}, which was never opened")
            self.consumed(len(data))  # on its way when the stream was given up
            return
        if stream.ended:
            stream.discard(spdy.Reset.STREAM_ALREADY_CLOSED)
            return
        stream.take(data, fin=fin)

    def _settings(self, values: Mapping[int, int]) -> None:
        self._windows_honoured = True
        wanted = values.get(spdy.INITIAL_WINDOW_SETTING)
        if wanted is None:
            return
        if wanted > spdy.WINDOW_BYTES_MAX:
            raise SpdyError("a window is larger than 2 GiB")
        for stream in self._streams.values():
            stream.window += wanted - self._stream_window
        self._stream_window = wanted
        self._written.set()

    def _window_opened(self, number: int, delta: int) -> None:
        self._windows_honoured = True
        if number == 0:
            self._window_honoured = True
            self._window += delta
            if self._window > spdy.WINDOW_BYTES_MAX:
                raise SpdyError("the connection's window is larger than 2 GiB")
        elif (stream := self._streams.get(number)) is not None:
            stream.window += delta
            if stream.window > spdy.WINDOW_BYTES_MAX:
                stream.discard(spdy.Reset.FLOW_CONTROL_ERROR)
        self._written.set()

    def _end(self, reason: str) -> None:
        if self.over:
            return
        self.over = True
        self.failure = reason
        for stream in list(self._streams.values()):
            stream.wake()
        self._accepted.put_nowait(None)
        self._buffers.set()
        self._written.set()
        self._wanted.set()
        self._ended.set()
