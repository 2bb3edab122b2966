"""A connection to a port of a pod or of a node: a gRPC stream of its kubelet, which dials where the pod is.

The API server needs no route to pods for it, and cannot be led to any other address: all it can name is a pod and a port.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

from apiserver.core.request import Proxying
from apiserver.ports import Nodes
from proto.gen import node_pb2

QUEUE_MESSAGES_MAX = 16
CHUNK_BYTES = 64 * 1024


class PortConnection:
    """One connection; `read` and `write` raise ApiError when the kubelet cannot make it. Close it."""

    def __init__(self, nodes: Nodes, endpoint: str, first: node_pb2.PortForwardData) -> None:
        self._inputs: asyncio.Queue[node_pb2.PortForwardData | None] = asyncio.Queue(QUEUE_MESSAGES_MAX)
        self._inputs.put_nowait(first)
        self._outputs: Any = nodes.forward(endpoint, drained(self._inputs))
        self._input_open = True
        self._closed = False

    async def read(self) -> bytes:
        """The next bytes; none when the other side has ended."""
        async for output in self._outputs:
            if output.data:
                return bytes(output.data)
            if output.closed:
                break
        return b""

    async def write(self, data: bytes) -> None:
        """Send; what is sent after the other side has ended is dropped, as it would be on any network."""
        for start in range(0, len(data), CHUNK_BYTES):
            if self._closed:
                return
            await self._inputs.put(node_pb2.PortForwardData(data=data[start : start + CHUNK_BYTES]))

    async def finish(self) -> None:
        """Send no more; what the other side sends can still be read."""
        if self._input_open and not self._closed:
            self._input_open = False
            await self._inputs.put(node_pb2.PortForwardData(closed=True))
            await self._inputs.put(None)

    async def close(self) -> None:
        """End both directions; whoever waits to write goes on."""
        self._closed = True
        await self._outputs.aclose()
        while not self._inputs.empty():
            self._inputs.get_nowait()


def connect(nodes: Nodes, wanted: Proxying) -> PortConnection:
    """A connection to what a proxied request is for."""
    first = node_pb2.PortForwardData(port=wanted.port, own_address=True)
    if wanted.pod:
        first.pod.CopyFrom(node_pb2.ContainerName(namespace=wanted.namespace, pod=wanted.pod, uid=wanted.uid))
    return PortConnection(nodes, wanted.node, first)


class LocalEnd:
    """The connection as a socket of this process, for code that wants one: TLS and HTTP clients.

    `failure` is what the connection ended with, if that was an error: the socket itself only ends.
    """

    def __init__(self, connection: PortConnection) -> None:
        self._connection = connection
        self._task: asyncio.Task[None] | None = None
        self.failure: Exception | None = None

    async def open(self) -> socket.socket:
        """The socket; whoever gets it closes it."""
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=far)
        self._task = asyncio.create_task(self._carry(reader, writer), name="forward")
        return near

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._connection.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def out() -> None:
            while data := await reader.read(CHUNK_BYTES):
                await self._connection.write(data)
            await self._connection.finish()

        sending = asyncio.create_task(out(), name="forward/out")
        try:
            while data := await self._connection.read():
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass  # whoever had the socket has closed it
        except Exception as error:  # noqa: BLE001 - kept for whoever asks why the socket has ended
            self.failure = error
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.close()


async def drained(queue: "asyncio.Queue[Any]") -> AsyncIterator[Any]:
    """What is put into the queue, until None."""
    while (item := await queue.get()) is not None:
        yield item
