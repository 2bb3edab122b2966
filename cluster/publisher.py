"""Carries connections from 127.0.0.1 of the machine to NodePorts inside the cluster (TCP).

It runs in the network namespace of the switch, so what it dials stays inside the cluster; its listening sockets were opened in
the machine's namespace and belong there still. The daemon says over the channel which nodes run, as a JSON array of their
IPs; each connection tries them in turn, beginning with the one after the last that was used.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import itertools
import logging
import socket
from collections.abc import Sequence

import msgspec

from component_base import logs

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 1.0
CONNECTIONS_MAX = 1024
CHUNK_BYTES = 64 * 1024
PACKET_BYTES_MAX = 64 * 1024


class Publisher:
    """Relays accepted connections to whichever node answers."""

    def __init__(self) -> None:
        self._nodes: list[str] = []
        self._turn = itertools.count()
        self._connections = 0

    def set_nodes(self, ips: list[str]) -> None:
        """The nodes that run now."""
        self._nodes = ips

    def candidates(self) -> list[str]:
        """The nodes to try for the next connection, in order."""
        nodes = self._nodes
        if not nodes:
            return []
        first = next(self._turn) % len(nodes)
        return [*nodes[first:], *nodes[:first]]

    async def serve(self, node_port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection until both directions are closed."""
        if self._connections >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        self._connections += 1
        try:
            upstream = await self._dial(node_port)
            if upstream is None:
                writer.transport.abort()  # a reset, as from a port nobody listens on
                return
            await _relay(reader, writer, *upstream)
        finally:
            self._connections -= 1

    async def _dial(self, node_port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for ip in self.candidates():
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    return await asyncio.open_connection(ip, node_port, limit=CHUNK_BYTES)
            except OSError as error:  # TimeoutError is one
                log.info("node does not answer", extra={"ip": ip, "port": node_port, "error": str(error)})
        return None


async def _relay(
    client_reader: asyncio.StreamReader,
    client_writer: asyncio.StreamWriter,
    node_reader: asyncio.StreamReader,
    node_writer: asyncio.StreamWriter,
) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy(client_reader, node_writer), name="to-node")
            group.create_task(_copy(node_reader, client_writer), name="to-client")
    except* OSError as errors:
        log.debug("connection broke", extra={"error": str(errors.exceptions[0])})
    finally:
        for writer in (client_writer, node_writer):
            writer.close()
        for writer in (client_writer, node_writer):
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def run(listeners: Sequence[tuple[socket.socket, int]], channel: socket.socket) -> None:
    """Serve `listeners` (socket, node port) until the channel is closed."""
    publisher = Publisher()
    loop = asyncio.get_running_loop()
    channel.setblocking(False)
    async with contextlib.AsyncExitStack() as stack:
        for listener, node_port in listeners:
            server = await asyncio.start_server(functools.partial(publisher.serve, node_port), sock=listener, limit=CHUNK_BYTES)
            await stack.enter_async_context(server)
        while packet := await loop.sock_recv(channel, PACKET_BYTES_MAX):
            publisher.set_nodes(msgspec.json.decode(packet, type=list[str]))


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; the descriptors are inherited."""
    parser = argparse.ArgumentParser(prog="publisher")
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--listen", action="append", default=[], metavar="DESCRIPTOR:NODEPORT")
    options = parser.parse_args(argv)
    logs.configure()
    listeners = []
    for value in options.listen:
        descriptor, _, node_port = value.partition(":")
        listeners.append((socket.socket(fileno=int(descriptor)), int(node_port)))
    asyncio.run(run(listeners, socket.socket(fileno=options.channel)))
    return 0
