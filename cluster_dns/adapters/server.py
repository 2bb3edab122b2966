"""The sockets: UDP and TCP on one address and port (RFC 1035 section 4.2, RFC 7766).

UDP is answered within the callback; a reply for which the socket has no room is dropped, the client asks again. TCP
connections are bounded in number, in the size of what they may send, and in the time they may keep quiet; one connection's
questions are answered in order, and a client that does not read its answers loses the connection.
"""

import asyncio
import logging
from typing import Protocol, cast

from cluster_dns.adapters.metrics import Metrics
from cluster_dns.adapters.responder import Responder

log = logging.getLogger(__name__)

CONNECTIONS_MAX = 128
IDLE_TIMEOUT_S = 10.0
TCP_QUERY_BYTES_MAX = 4096
UDP_BACKLOG_BYTES = 1 << 20


class DnsServer:
    """Serves from `start` to `close`; `port` 0 takes a free one, which `port` then tells."""

    def __init__(
        self,
        address: str,
        port: int,
        responder: Responder,
        metrics: Metrics,
        *,
        connections_max: int = CONNECTIONS_MAX,
        idle_timeout_s: float = IDLE_TIMEOUT_S,
    ) -> None:
        self.address = address
        self.port = port
        self._responder = responder
        self._metrics = metrics
        self._connections_max = connections_max
        self._idle_timeout_s = idle_timeout_s
        self._datagrams: asyncio.DatagramTransport | None = None
        self._listener: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._closing = False

    @property
    def listening(self) -> bool:
        """Whether questions are taken."""
        return self._datagrams is not None and not self._datagrams.is_closing()

    async def start(self) -> None:
        """Listen on both; OSError when the address cannot be had."""
        self._listener = await asyncio.start_server(self._accept, self.address, self.port, limit=TCP_QUERY_BYTES_MAX)
        self.port = self._listener.sockets[0].getsockname()[1]
        try:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Datagrams(self._responder, self._metrics), local_addr=(self.address, self.port)
            )
        except OSError:
            self._listener.close()
            raise
        self._datagrams = transport
        log.info("serving names", extra={"address": self.address, "port": self.port})

    async def close(self) -> None:
        """Take nothing new and end the connections; what has been answered is still sent."""
        self._closing = True
        if self._datagrams is not None:
            self._datagrams.close()
        if self._listener is not None:
            self._listener.close()
        connections = list(self._connections)
        for task in connections:
            task.cancel()  # each is waiting for its client: a question once read is answered without a pause
        await asyncio.gather(*connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        if len(self._connections) >= self._connections_max or self._closing:
            self._metrics.refused_connections.inc()
            writer.close()
            return
        self._connections.add(task)
        self._metrics.connections.set(len(self._connections))
        try:
            await self._converse(reader, writer)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            pass  # a client that has gone, or keeps quiet, is owed nothing
        finally:
            writer.close()
            self._connections.discard(task)
            self._metrics.connections.set(len(self._connections))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(self._idle_timeout_s):
                length = int.from_bytes(await reader.readexactly(2))
                if length > TCP_QUERY_BYTES_MAX:
                    return
                response = self._responder.respond(await reader.readexactly(length), "tcp")
                if response is None:
                    return
                writer.write(len(response).to_bytes(2) + response)
                await writer.drain()


class _Socket(Protocol):
    """What asyncio's and uvloop's datagram transports have in common."""

    def sendto(self, data: bytes, addr: tuple[str, int]) -> None: ...

    def get_write_buffer_size(self) -> int: ...


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, responder: Responder, metrics: Metrics) -> None:
        self._responder = responder
        self._metrics = metrics
        self._transport: _Socket | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(_Socket, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._transport is None:
            return
        response = self._responder.respond(data, "udp")
        if response is None:
            return
        if self._transport.get_write_buffer_size() > UDP_BACKLOG_BYTES:
            self._metrics.dropped.inc()
            return
        self._transport.sendto(response, addr)

    def error_received(self, exc: Exception) -> None:
        log.debug("a reply did not arrive", extra={"error": str(exc)})
