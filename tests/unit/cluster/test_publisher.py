"""The publisher over loopback: it carries bytes both ways, and passes over nodes that do not answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import msgspec
import pytest

from cluster import publisher


def listening() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


@pytest.fixture
async def node_port() -> AsyncIterator[int]:
    """A node on 127.0.0.2 that answers with what it was sent, in capitals, once it has been sent all of it."""

    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read()).upper())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(shout, "127.0.0.2", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def ask(port: int, message: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(message)
    writer.write_eof()
    try:
        return await reader.read()
    finally:
        writer.close()


async def test_relays_to_the_first_node_that_answers(node_port: int) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener = listening()
    port = listener.getsockname()[1]
    task = asyncio.create_task(publisher.run([(listener, node_port)], theirs))
    with pytest.raises(ConnectionResetError):
        await ask(port, b"nobody is there yet")
    ours.send(msgspec.json.encode(["127.0.0.3", "127.0.0.2"]))  # nothing listens on the first
    await asyncio.sleep(0)
    answers = [await ask(port, b"hello") for _ in range(4)]
    assert answers == [b"HELLO"] * 4
    assert await ask(port, b"x" * 1_000_000) == b"X" * 1_000_000
    ours.close()
    await asyncio.wait_for(task, 5)
    theirs.close()


def test_nodes_take_turns() -> None:
    sut = publisher.Publisher()
    assert sut.candidates() == []
    sut.set_nodes(["a", "b", "c"])
    assert [sut.candidates()[0] for _ in range(4)] == ["a", "b", "c", "a"]
    assert sorted(sut.candidates()) == ["a", "b", "c"]
