"""The kubelets over gRPC: one channel for each endpoint, kept while it is used, mutual TLS with the cluster's CA."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from typing import Any

import grpc
import msgspec

from apimachinery import errors
from apimachinery.errors import ApiError
from apimachinery.kinds.meta import Status
from proto.gen import node_pb2
from proto.gen.node_pb2_grpc import NodeStub

STATUS_KEY = "coxswain-status-bin"
ACCEPTED_KEY = "coxswain-accepted"
CHANNELS_MAX = 256
_OPTIONS = (
    ("grpc.max_receive_message_length", 16 << 20),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.use_local_subchannel_pool", 1),
)


class GrpcNodes:
    """See `ports.Nodes`. Opens nothing before the first call."""

    def __init__(self, *, ca: bytes, certificate: bytes, key: bytes) -> None:
        self._credentials = (ca, key, certificate)
        self._channels: dict[str, grpc.aio.Channel] = {}

    async def logs(self, endpoint: str, request: node_pb2.LogsRequest) -> AsyncGenerator[bytes, None]:
        """See `ports.Nodes.logs`."""
        call = self._stub(endpoint).Logs(request)
        try:
            async for chunk in call:
                yield chunk.data
        except grpc.aio.AioRpcError as error:
            raise _translate(error, endpoint) from error
        finally:
            call.cancel()

    async def execute(
        self, endpoint: str, kind: str, inputs: AsyncIterable[node_pb2.StreamInput]
    ) -> AsyncIterator[node_pb2.StreamOutput]:
        """See `ports.Nodes.execute`."""
        stub = self._stub(endpoint)
        call = (stub.Attach if kind == "attach" else stub.Exec)()
        async for output in _relayed(call, inputs, endpoint):
            yield output

    async def forward(
        self, endpoint: str, inputs: AsyncIterable[node_pb2.PortForwardData]
    ) -> AsyncIterator[node_pb2.PortForwardData]:
        """See `ports.Nodes.forward`."""
        async for output in _relayed(self._stub(endpoint).PortForward(), inputs, endpoint):
            yield output

    async def close(self) -> None:
        """Close every channel."""
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            await channel.close(None)

    def _stub(self, endpoint: str) -> Any:
        channel = self._channels.pop(endpoint, None)
        if channel is None:
            ca, key, certificate = self._credentials
            credentials = grpc.ssl_channel_credentials(ca, key, certificate)
            channel = grpc.aio.secure_channel(endpoint, credentials, options=_OPTIONS)
        self._channels[endpoint] = channel
        while len(self._channels) > CHANNELS_MAX:
            self._channels.pop(next(iter(self._channels)))  # the one that has not been used for longest
        return NodeStub(channel)  # type: ignore[no-untyped-call]


async def _relayed(call: Any, inputs: AsyncIterable[Any], endpoint: str) -> AsyncIterator[Any]:
    # Given the inputs, the call would go on waiting for them in a task of its own after it has ended.
    feeding = asyncio.create_task(_fed(call, inputs), name="node/inputs")
    try:
        async for output in call:
            yield output
    except grpc.aio.AioRpcError as error:
        raise _translate(error, endpoint) from error
    finally:
        call.cancel()
        feeding.cancel()
        await asyncio.wait((feeding,))


async def _fed(call: Any, inputs: AsyncIterable[Any]) -> None:
    """Send the inputs, all but the first only once the kubelet has accepted the call.

    grpc.aio takes a write that meets the call's end for the call's failure, and forgets the status that came with the end.
    """
    accepted = False
    try:
        async for each in inputs:
            await call.write(each)
            if not accepted and ACCEPTED_KEY not in dict(await call.initial_metadata()):
                return
            accepted = True
        await call.done_writing()
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        return  # the call has ended, and who reads from it is told why


def _translate(error: grpc.aio.AioRpcError, endpoint: str) -> ApiError:
    metadata: Any = error.trailing_metadata() or ()
    for key, value in metadata:
        if key == STATUS_KEY:
            return ApiError(msgspec.json.decode(value, type=Status))
    detail = error.details() or error.code().name
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return errors.unavailable(f"the kubelet at {endpoint} does not answer: {detail}")
    return errors.internal(f"the kubelet at {endpoint} failed: {detail}")
