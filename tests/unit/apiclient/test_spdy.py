"""SPDY sessions over a pipe in memory: streams, windows, bounds, and how they end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from apiclient import spdy as sessions
from apiclient.spdy import Session, Stream
from apimachinery import spdy
from apimachinery.spdy import Data, Framer, GoAway, Ping, RstStream, Settings, SynReply, SynStream, WindowUpdate

WAIT_S = 10.0


class Pipe:
    """One end: what is written here is read there, a bounded number of pieces ahead."""

    def __init__(self, incoming: asyncio.Queue[bytes], outgoing: asyncio.Queue[bytes]) -> None:
        self.incoming = incoming
        self.outgoing = outgoing

    async def read(self) -> bytes:
        return await self.incoming.get()

    async def write(self, data: bytes) -> None:
        await self.outgoing.put(data)


def pipes(ahead: int = 4) -> tuple[Pipe, Pipe]:
    one: asyncio.Queue[bytes] = asyncio.Queue(ahead)
    other: asyncio.Queue[bytes] = asyncio.Queue(ahead)
    return Pipe(one, other), Pipe(other, one)


@asynccontextmanager
async def joined() -> AsyncIterator[tuple[Session, Session]]:
    """A client and a server."""
    near, far = pipes()
    async with asyncio.timeout(WAIT_S), Session(near, client=True) as client, Session(far, client=False) as server:
        yield client, server


class Peer:
    """The other end of a server's session, frame by frame."""

    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe
        self.framer = Framer()
        self.seen: list[spdy.Frame] = []
        self.all: list[spdy.Frame] = []

    async def send(self, *frames: spdy.Frame) -> None:
        await self.pipe.write(b"".join(self.framer.encode(frame) for frame in frames))

    async def until(self, *wanted: type) -> spdy.Frame:
        """The next frame of one of these types."""
        while True:
            for index, frame in enumerate(self.seen):
                if isinstance(frame, wanted):
                    del self.seen[: index + 1]
                    return frame
            data = await self.pipe.read()
            assert data, "the session has ended"
            frames = self.framer.feed(data)
            self.seen += frames
            self.all += frames


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Session, Peer]]:
    near, far = pipes()
    async with asyncio.timeout(WAIT_S), Session(near, client=False) as session:
        yield session, Peer(far)


async def accepted(session: Session) -> Stream:
    stream = await session.accept()
    assert stream is not None
    return stream


async def test_streams_carry_both_ways_and_end_one_way_at_a_time() -> None:
    async with joined() as (client, server):
        mine = await client.open({"streamtype": "data"})
        theirs = await accepted(server)
        assert theirs.headers == {"streamtype": "data"}
        await mine.write(b"there")
        mine.finish()
        assert await theirs.read_all(100) == b"there"
        await theirs.write(b"back")
        theirs.finish()
        assert await mine.read_all(100) == b"back"


async def test_many_streams_at_once_keep_their_bytes_apart() -> None:
    rng = random.Random(1)
    async with joined() as (client, server):

        async def serve() -> None:
            async with asyncio.TaskGroup() as group:
                for _ in range(20):
                    group.create_task(echo(await accepted(server)))

        async def echo(stream: Stream) -> None:
            while data := await stream.read():
                await stream.write(data)
            stream.finish()

        async def ask(size: int) -> None:
            stream = await client.open({})
            sent = rng.randbytes(size)

            async def write() -> None:
                await stream.write(sent)
                stream.finish()

            writing = asyncio.create_task(write())
            assert await stream.read_all(1 << 24) == sent
            await writing

        async with asyncio.TaskGroup() as group:
            group.create_task(serve())
            for index in range(20):
                group.create_task(ask(1 + index * 40_000))


async def test_an_unread_stream_holds_no_more_than_its_bound() -> None:
    async with joined() as (client, server):
        mine = await client.open({})
        theirs = await accepted(server)
        writing = asyncio.create_task(mine.write(bytes(8 << 20)))
        for _ in range(200):
            await asyncio.sleep(0)
        assert not writing.done()
        assert theirs.buffered_bytes <= sessions.BUFFER_BYTES_MAX + 2 * sessions.CHUNK_BYTES
        count = 0
        while count < 8 << 20:
            count += len(await theirs.read())
        await writing


async def test_windows_are_honoured_once_the_other_end_speaks_of_them() -> None:
    async with served() as (session, peer):
        await peer.send(Settings({spdy.INITIAL_WINDOW_SETTING: 1000}), SynStream(1, {}))
        stream = await accepted(session)
        writing = asyncio.create_task(stream.write(bytes(2500)))
        await peer.until(SynReply)
        first = await peer.until(Data)
        assert isinstance(first, Data)
        assert len(first.data) == 1000
        for _ in range(20):
            await asyncio.sleep(0)
        assert peer.pipe.incoming.empty()
        await peer.send(WindowUpdate(1, 5000))
        second = await peer.until(Data)
        assert isinstance(second, Data)
        assert len(second.data) == 1500
        await writing


async def test_who_opens_no_windows_is_sent_more_than_one() -> None:
    async with served() as (session, peer):
        await peer.send(SynStream(1, {}))
        stream = await accepted(session)
        writing = asyncio.create_task(stream.write(bytes(1 << 20)))
        count = 0
        while count < 1 << 20:
            frame = await peer.until(Data)
            assert isinstance(frame, Data)
            count += len(frame.data)
        await writing


async def test_our_windows_are_opened_as_what_came_is_read() -> None:
    async with served() as (session, peer):
        await peer.send(SynStream(1, {}), Data(1, bytes(40_000)))
        stream = await accepted(session)
        count = 0
        while count < 40_000:
            count += len(await stream.read())
        found = [await peer.until(WindowUpdate), await peer.until(WindowUpdate)]
        assert sorted(found, key=lambda each: each.stream) == [WindowUpdate(0, 40_000), WindowUpdate(1, 40_000)]  # type: ignore[union-attr]


async def test_no_windows_are_opened_for_who_knows_none() -> None:
    near, far = pipes()
    async with asyncio.timeout(WAIT_S), Session(near, client=False, opens_windows=False) as session:
        peer = Peer(far)
        await peer.send(SynStream(1, {}), Data(1, bytes(100_000), fin=True))
        stream = await accepted(session)
        assert len(await stream.read_all(1 << 20)) == 100_000
        await peer.send(Ping(1))
        await peer.until(Ping)
        assert not any(isinstance(frame, WindowUpdate) for frame in peer.all)


async def test_pings_are_answered_and_our_own_are_not_sent_back() -> None:
    async with served() as (_, peer):
        await peer.send(Ping(2), Ping(7))
        assert await peer.until(Ping) == Ping(7)


async def test_an_end_that_gives_no_sign_of_life_is_given_up() -> None:
    near, far = pipes(1000)
    async with asyncio.timeout(WAIT_S), Session(near, client=False, heartbeat_s=0.05) as session:
        peer = Peer(far)
        for _ in range(3):
            ping = await peer.until(Ping)
            assert not session.over
            await peer.send(ping)
        await session.wait_ended()
        assert "no sign of life" in session.failure


async def test_who_is_not_read_is_not_taken_for_dead() -> None:
    near, far = pipes(1000)
    async with asyncio.timeout(WAIT_S), Session(near, client=False, heartbeat_s=0.02) as session:
        peer = Peer(far)
        await peer.send(SynStream(1, {}), Data(1, bytes(sessions.BUFFER_BYTES_MAX)))
        stream = await accepted(session)
        await asyncio.sleep(0.2)
        assert not session.over
        assert await stream.read()


async def test_a_reset_stream_reads_and_writes_no_more() -> None:
    async with served() as (session, peer):
        await peer.send(SynStream(1, {}))
        stream = await accepted(session)
        await peer.send(Data(1, b"last"), RstStream(1, 5))
        assert await stream.read() == b"last"
        with pytest.raises(ConnectionResetError):
            await stream.read()
        with pytest.raises(ConnectionResetError):
            await stream.write(b"x")


async def test_data_after_the_end_resets_the_stream() -> None:
    async with served() as (_, peer):
        await peer.send(SynStream(1, {}, fin=True), Data(1, b"more"))
        assert await peer.until(RstStream) == RstStream(1, spdy.Reset.STREAM_ALREADY_CLOSED)


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([SynStream(2, {})], id="a client's stream with a server's number"),
        pytest.param([SynStream(3, {}), SynStream(1, {})], id="a number that goes back"),
        pytest.param([Data(9, b"x")], id="data on a stream that was never opened"),
        pytest.param([WindowUpdate(0, spdy.WINDOW_BYTES_MAX)], id="a window that is too large"),
        pytest.param([Settings({spdy.INITIAL_WINDOW_SETTING: 2**32 - 1})], id="a setting that is too large"),
    ],
)
async def test_who_breaks_the_protocol_is_sent_away(frames: Iterable[spdy.Frame]) -> None:
    async with served() as (session, peer):
        await peer.send(*frames)
        away = await peer.until(GoAway)
        assert isinstance(away, GoAway)
        assert away.status == spdy.Away.PROTOCOL_ERROR
        await session.wait_ended()


async def test_bytes_that_are_no_frames_end_the_session() -> None:
    async with served() as (session, peer):
        await peer.pipe.write(b"GET / HTTP/1.1\r\n\r\n" * 3 + b"\xff" * 64)
        await session.wait_ended()
        assert await session.accept() is None


async def test_a_flood_of_pings_that_nobody_reads_the_answers_of_is_cut_off() -> None:
    near, far = pipes(1)
    peer = Peer(far)
    async with asyncio.timeout(WAIT_S), Session(near, client=False) as session:
        flood = b"".join(peer.framer.encode(Ping(1)) for _ in range(20_000))
        sending = asyncio.create_task(_flood(peer, flood))
        await session.wait_ended()
        assert session.failure == "the other end does not read"
        sending.cancel()


async def _flood(peer: Peer, data: bytes) -> None:
    while True:
        await peer.pipe.write(data)


async def test_streams_that_are_opened_and_reset_are_bounded() -> None:
    async with served() as (_, peer):
        frames = [frame for number in range(1, 4000, 2) for frame in (SynStream(number, {}), RstStream(number, 5))]
        sending = asyncio.create_task(peer.send(*frames))
        refused = await peer.until(RstStream)
        assert isinstance(refused, RstStream)
        assert refused.status == spdy.Reset.REFUSED_STREAM
        await sending


async def test_a_lost_connection_ends_readers_writers_and_openers() -> None:
    async with served() as (session, peer):
        await peer.send(SynStream(1, {}), Data(1, b"kept"))
        stream = await accepted(session)
        await peer.until(SynReply)
        opening = asyncio.create_task(session.open({}))
        await peer.until(SynStream)
        await peer.pipe.write(b"")
        with pytest.raises(ConnectionResetError):
            await opening
        assert await stream.read() == b"kept"
        with pytest.raises(ConnectionResetError):
            await stream.read()
        assert await session.accept() is None


async def test_going_away_is_told_and_takes_no_more_streams() -> None:
    async with joined() as (client, server):
        going = asyncio.create_task(server.go_away(0.2))
        await asyncio.sleep(0.05)
        with pytest.raises(ConnectionResetError):
            await client.open({})
        await going


async def test_a_session_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    async with joined() as (client, server):
        await client.open({})
        await accepted(server)
    assert asyncio.all_tasks() == before
