"""exec, attach and portforward: over SPDY (kubectl before 1.31), over WebSocket, and over SPDY inside a WebSocket.

Two directions run side by side: what the client sends becomes the input of a kubelet's gRPC stream, what the stream
gives becomes messages. The side that ends first ends the other: a client that goes away closes the stream, a process
that exits closes the connection. Nothing is buffered beyond a few messages: a slow reader slows the sender down."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from aiohttp import WSMsgType, web

from apiclient import raw
from apiclient.spdy import Session
from apimachinery import errors
from apimachinery.errors import ApiError, Reason
from apiserver.core import channels
from apiserver.core.channels import Messages
from apiserver.core.request import Connecting
from apiserver.doors import spdy_streams
from apiserver.doors.forwarding import QUEUE_MESSAGES_MAX, PortConnection, drained
from apiserver.doors.starting import container_of, start_of
from apiserver.ports import Nodes
from proto.gen import node_pb2

PORTS_MAX = 32
MESSAGE_BYTES_MAX = 4 << 20
HEARTBEAT_S = 30.0
GRACE_S = 5.0
SPDY = "SPDY/3.1"
STREAM_PROTOCOL, ACCEPTED_PROTOCOLS = "X-Stream-Protocol-Version", "X-Accepted-Stream-Protocol-Versions"


async def bridge(request: web.BaseRequest, wanted: Connecting, nodes: Nodes) -> web.StreamResponse:
    """Upgrade the request and carry its streams to the end; raises ApiError (400) when it asks for no upgrade."""
    asked = [each.strip().lower() for each in request.headers.get("Connection", "").split(",")]
    if "upgrade" in asked and request.headers.get("Upgrade", "").lower() == SPDY.lower():
        return await _spdy(request, wanted, nodes)
    return await _websocket(request, wanted, nodes)


async def _spdy(request: web.BaseRequest, wanted: Connecting, nodes: Nodes) -> web.StreamResponse:
    forward = wanted.kind == "portforward"
    supported = channels.SPDY_FORWARD_PROTOCOLS if forward else channels.SPDY_EXECUTION_PROTOCOLS
    offered = request.headers.getall(STREAM_PROTOCOL, [])
    if not offered:
        raise errors.bad_request(f"unable to upgrade: the header {STREAM_PROTOCOL} is required")
    protocol = channels.chosen(offered, supported)
    if protocol is None:
        return _no_protocol(offered, supported)
    headers = (("Connection", "Upgrade"), ("Upgrade", SPDY), (STREAM_PROTOCOL, protocol))
    response, connection = await raw.upgrade(request, headers)
    try:
        async with Session(connection, client=False, heartbeat_s=HEARTBEAT_S) as session:
            if forward:
                await spdy_streams.PortForwarding(session, wanted, nodes).serve()
            else:
                await spdy_streams.execute(session, wanted, nodes, protocol)
            await session.go_away(GRACE_S)
    except ConnectionError:
        pass  # the client has gone; the streams to the kubelet are closed on the way out
    return response


def _no_protocol(offered: Sequence[str], supported: Sequence[str]) -> web.Response:
    message = (
        f"unable to upgrade: unable to negotiate protocol: client supports {list(offered)}, server accepts {list(supported)}"
    )
    error = errors.api_error(403, Reason.FORBIDDEN, message)
    return web.json_response(
        {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "reason": error.reason, "message": message},
        status=403,
        headers=[(ACCEPTED_PROTOCOLS, each) for each in supported],
    )


async def _websocket(request: web.BaseRequest, wanted: Connecting, nodes: Nodes) -> web.StreamResponse:
    forward = wanted.kind == "portforward"
    supported = (channels.TUNNEL, *channels.FORWARD_PROTOCOLS) if forward else channels.EXECUTION_PROTOCOLS
    socket = web.WebSocketResponse(protocols=supported, max_msg_size=MESSAGE_BYTES_MAX, heartbeat=HEARTBEAT_S)
    if not socket.can_prepare(request):
        raise errors.bad_request(f"Upgrade request required: {SPDY}, or a WebSocket of {channels.V5} or {channels.V4}")
    offered = channels.without_bearer(request.headers.get("Sec-WebSocket-Protocol", ""))
    protocol = channels.chosen((offered,), supported)
    if offered and protocol is None:
        raise errors.bad_request(f"none of the WebSocket protocols is supported: {offered!r}")
    if forward and protocol != channels.TUNNEL and not 0 < len(wanted.ports) <= PORTS_MAX:
        raise errors.bad_request(f"the query must name 1 to {PORTS_MAX} ports to forward over a WebSocket")
    await socket.prepare(request)
    try:
        if protocol == channels.TUNNEL:
            await _tunnel(socket, wanted, nodes)
        elif forward:
            await _forward(socket, wanted, nodes, Messages(protocol or ""))
        else:
            await _execute(socket, wanted, nodes, Messages(protocol or ""))
    except ConnectionError:
        pass  # the client has gone; the streams to the kubelet are closed on the way out
    finally:
        await socket.close()
    return socket


async def _execute(socket: web.WebSocketResponse, wanted: Connecting, nodes: Nodes, messages: Messages) -> None:
    inputs: asyncio.Queue[node_pb2.StreamInput | None] = asyncio.Queue(QUEUE_MESSAGES_MAX)
    inputs.put_nowait(node_pb2.StreamInput(start=start_of(wanted)))
    if not wanted.stdin:
        inputs.put_nowait(node_pb2.StreamInput(stdin_closed=True))

    async def send() -> None:
        outputs = nodes.execute(wanted.node, wanted.kind, drained(inputs))
        try:
            async for output in outputs:
                await _send(socket, messages.to_message(output))
        except ApiError as error:
            await _send(socket, messages.result(error.status))

    async def receive() -> None:
        open_input = wanted.stdin
        async for message in socket:
            if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
                continue
            wanted_input = messages.to_input(message.data)
            if wanted_input is None or (not open_input and not wanted_input.HasField("size")):
                continue
            open_input = open_input and not wanted_input.stdin_closed
            await inputs.put(wanted_input)
        await inputs.put(None)

    await _first_of(send(), receive())


async def _forward(socket: web.WebSocketResponse, wanted: Connecting, nodes: Nodes, messages: Messages) -> None:
    connections: list[PortConnection] = []
    for index, port in enumerate(wanted.ports):
        first = node_pb2.PortForwardData(pod=container_of(wanted), port=port)
        connections.append(PortConnection(nodes, wanted.node, first))
        for message in messages.port_header(index, port):
            await _send(socket, message)

    async def send_port(index: int) -> None:
        try:
            while data := await connections[index].read():
                await _send(socket, messages.pack(2 * index, data))
        except ApiError as error:
            await _send(socket, messages.pack(2 * index + 1, error.status.message.encode()))
        except ConnectionError:
            return  # the client has gone, which ends the other direction too
        finally:
            await connections[index].close()

    async def send() -> None:
        async with asyncio.TaskGroup() as group:
            for index in range(len(connections)):
                group.create_task(send_port(index), name=f"portforward/{wanted.ports[index]}")

    async def receive() -> None:
        async for message in socket:
            found = messages.unpack(message.data) if message.type in (WSMsgType.BINARY, WSMsgType.TEXT) else None
            if found is None:
                continue
            index, errors_channel = divmod(found[0], 2)
            if 0 <= index < len(connections) and not errors_channel and found[1]:
                await connections[index].write(found[1])

    await _first_of(send(), receive())


async def _tunnel(socket: web.WebSocketResponse, wanted: Connecting, nodes: Nodes) -> None:
    async with Session(WebSocketLink(socket), client=False) as session:
        await spdy_streams.PortForwarding(session, wanted, nodes).serve()
        await session.go_away(GRACE_S)


class WebSocketLink:
    """The messages of a WebSocket, put together, as a SPDY session's pipe."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def read(self) -> bytes:
        async for message in self._socket:
            if message.type is WSMsgType.BINARY and message.data:
                return bytes(message.data)
        return b""

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), MESSAGE_BYTES_MAX // 4):
            await self._socket.send_bytes(data[start : start + MESSAGE_BYTES_MAX // 4])


async def _send(socket: web.WebSocketResponse, message: bytes | str | None) -> None:
    if isinstance(message, str):
        await socket.send_str(message)
    elif message is not None:
        await socket.send_bytes(message)


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
