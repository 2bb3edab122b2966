"""exec, attach and portforward over WebSocket, each bridged to a gRPC stream of the kubelet.

Two directions run side by side: what the client sends becomes the stream's input, what the stream gives becomes messages. The
side that ends first ends the other: a client that goes away closes the stream, a process that exits closes the WebSocket.
Nothing is buffered beyond a few messages: a slow reader slows the sender down."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from aiohttp import WSMsgType, web

from apimachinery import errors
from apimachinery.errors import ApiError
from apiserver.core import channels
from apiserver.core.request import Connecting
from apiserver.ports import Nodes
from proto.gen import node_pb2

QUEUE_MESSAGES_MAX = 16
PORTS_MAX = 32
MESSAGE_BYTES_MAX = 4 << 20
HEARTBEAT_S = 30.0


async def bridge(request: web.BaseRequest, wanted: Connecting, nodes: Nodes) -> web.StreamResponse:
    """Upgrade the request and carry its stream to the end; raises ApiError (400) when it is no WebSocket upgrade."""
    socket = web.WebSocketResponse(protocols=channels.PROTOCOLS, max_msg_size=MESSAGE_BYTES_MAX, heartbeat=HEARTBEAT_S)
    if not socket.can_prepare(request):
        raise errors.bad_request("Upgrade request required: a WebSocket of v5.channel.k8s.io or v4.channel.k8s.io")
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    if not any(each.strip() in channels.PROTOCOLS for each in offered.split(",")):
        raise errors.bad_request(f"none of the WebSocket protocols is supported: {offered!r}")
    if len(wanted.ports) > PORTS_MAX:
        raise errors.bad_request(f"at most {PORTS_MAX} ports are forwarded over one connection")
    await socket.prepare(request)
    try:
        if wanted.kind == "portforward":
            await _forward(socket, wanted, nodes)
        else:
            await _execute(socket, wanted, nodes)
    except ConnectionError:
        pass  # the client has gone; the streams to the kubelet are closed on the way out
    finally:
        await socket.close()
    return socket


async def _execute(socket: web.WebSocketResponse, wanted: Connecting, nodes: Nodes) -> None:
    inputs: asyncio.Queue[node_pb2.StreamInput | None] = asyncio.Queue(QUEUE_MESSAGES_MAX)
    inputs.put_nowait(node_pb2.StreamInput(start=_start(wanted)))
    if not wanted.stdin:
        inputs.put_nowait(node_pb2.StreamInput(stdin_closed=True))
    protocol = socket.ws_protocol or channels.V4

    async def send() -> None:
        outputs = nodes.execute(wanted.node, wanted.kind, _drained(inputs))
        try:
            async for output in outputs:
                message = channels.to_message(output)
                if message is not None:
                    await socket.send_bytes(message)
        except ApiError as error:
            await socket.send_bytes(channels.failure(error))

    async def receive() -> None:
        async for message in socket:
            if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
                continue
            wanted_input = channels.to_input(_bytes(message.data), protocol)
            if wanted_input is not None:
                await inputs.put(wanted_input)
        await inputs.put(None)

    await _first_of(send(), receive())


async def _forward(socket: web.WebSocketResponse, wanted: Connecting, nodes: Nodes) -> None:
    queues: list[asyncio.Queue[node_pb2.PortForwardData | None]] = []
    for index, port in enumerate(wanted.ports):
        queue: asyncio.Queue[node_pb2.PortForwardData | None] = asyncio.Queue(QUEUE_MESSAGES_MAX)
        name = node_pb2.ContainerName(namespace=wanted.namespace, pod=wanted.pod, uid=wanted.uid)
        queue.put_nowait(node_pb2.PortForwardData(pod=name, port=port))
        queues.append(queue)
        for message in channels.port_header(index, port):
            await socket.send_bytes(message)

    async def send_port(index: int) -> None:
        try:
            async for data in nodes.forward(wanted.node, _drained(queues[index])):
                if data.data:
                    await socket.send_bytes(bytes((2 * index,)) + data.data)
        except ApiError as error:
            await socket.send_bytes(bytes((2 * index + 1,)) + error.status.message.encode())

    async def send() -> None:
        async with asyncio.TaskGroup() as group:
            for index in range(len(queues)):
                group.create_task(send_port(index), name=f"portforward/{wanted.ports[index]}")

    async def receive() -> None:
        async for message in socket:
            data = _bytes(message.data)
            index, errors_channel = divmod(data[0], 2) if data else (len(queues), 0)
            if index < len(queues) and not errors_channel and len(data) > 1:
                await queues[index].put(node_pb2.PortForwardData(data=data[1:]))

    await _first_of(send(), receive())


async def _first_of(send: Coroutine[Any, Any, None], receive: Coroutine[Any, Any, None]) -> None:
    """Run both directions until one has ended; what it failed with is raised."""
    tasks = [asyncio.create_task(send, name="stream/send"), asyncio.create_task(receive, name="stream/receive")]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _drained(queue: "asyncio.Queue[Any]") -> AsyncIterator[Any]:
    """What is put into the queue, until None."""
    while (item := await queue.get()) is not None:
        yield item


def _start(wanted: Connecting) -> node_pb2.StreamStart:
    name = node_pb2.ContainerName(namespace=wanted.namespace, pod=wanted.pod, uid=wanted.uid, container=wanted.container)
    return node_pb2.StreamStart(
        container=name,
        command=wanted.command,
        stdin=wanted.stdin,
        stdout=wanted.stdout,
        stderr=wanted.stderr,
        tty=wanted.tty,
    )


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data
