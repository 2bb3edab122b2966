"""The client's transport over gRPC and mutual TLS.

One channel names every API server; gRPC keeps a connection to one of them and moves on when it breaks. Writes share one
bidirectional stream: what callers ask for while a message is under way travels together in the next, so that a busy writer pays
for few messages. When the stream breaks, the writes under way fail with 503: whether they took effect is for the caller to
observe, as level-driven code does anyway.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from apiclient.transport import EventType, Fence, Name, PodBinding, RawEvent, Selection, Verb, Write
from apimachinery import codec, errors
from apimachinery.errors import ApiError
from apimachinery.kinds import Status
from proto.gen import apiserver_pb2 as pb
from proto.gen import apiserver_pb2_grpc as pb_grpc

STATUS_METADATA = "coxswain-status-bin"
MESSAGE_LIMIT_BYTES = 64 * 1024 * 1024
BATCH_LIMIT = 256

_OPTIONS = (
    ("grpc.ssl_target_name_override", "kubernetes"),
    ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    # a server that was killed must be found again as soon as it is back
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # a server that hangs must be noticed within the lease times
    ("grpc.keepalive_time_ms", 5000),
    ("grpc.keepalive_timeout_ms", 3000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.use_local_subchannel_pool", 1),
)

_VERBS = {
    Verb.CREATE: pb.WriteRequest.CREATE,
    Verb.UPDATE: pb.WriteRequest.UPDATE,
    Verb.PATCH: pb.WriteRequest.PATCH,
    Verb.DELETE: pb.WriteRequest.DELETE,
}
_EVENT_TYPES = {
    pb.WatchEvent.ADDED: EventType.ADDED,
    pb.WatchEvent.MODIFIED: EventType.MODIFIED,
    pb.WatchEvent.DELETED: EventType.DELETED,
    pb.WatchEvent.BOOKMARK: EventType.BOOKMARK,
}


class GrpcTransport:
    """A connection to API servers at `host:port` endpoints; calls wait up to `timeout_s` for one to answer."""

    def __init__(
        self, endpoints: Sequence[str], *, ca_file: str, cert_file: str, key_file: str, timeout_s: float = 10.0
    ) -> None:
        credentials = grpc.ssl_channel_credentials(
            Path(ca_file).read_bytes(), Path(key_file).read_bytes(), Path(cert_file).read_bytes()
        )
        target = "ipv4:" + ",".join(endpoints)
        self._channel = grpc.aio.secure_channel(target, credentials, options=_OPTIONS)
        self._stub: Any = pb_grpc.ApiServerStub(self._channel)  # type: ignore[no-untyped-call]
        self._timeout_s = timeout_s
        self._writer = _BulkWriter(lambda: self._stub.Write(wait_for_ready=True))

    async def get(self, name: Name, *, resource_version: str = "") -> bytes:
        request = pb.GetRequest(name=_name(name), resource_version=resource_version)
        envelope = await self._call(self._stub.Get(request, timeout=self._timeout_s, wait_for_ready=True))
        return bytes(envelope.object)

    async def list(self, name: Name, selection: Selection, *, resource_version: str = "") -> tuple[Sequence[bytes], int]:
        request = pb.ListRequest(
            name=_name(name),
            label_selector=selection.label_selector,
            field_selector=selection.field_selector,
            resource_version=resource_version,
        )
        items: list[bytes] = []
        revision = 0
        try:
            async for chunk in self._stub.List(request, timeout=self._timeout_s * 3, wait_for_ready=True):
                items.extend(envelope.object for envelope in chunk.items)
                revision = chunk.revision or revision
        except grpc.aio.AioRpcError as error:
            raise api_error_of(error) from error
        return items, revision

    async def watch(self, name: Name, selection: Selection, *, resource_version: str = "") -> AsyncIterator[Sequence[RawEvent]]:
        request = pb.WatchRequest(
            name=_name(name),
            label_selector=selection.label_selector,
            field_selector=selection.field_selector,
            resource_version=resource_version,
        )
        call = self._stub.Watch(request)
        try:
            async for batch in call:
                yield [
                    RawEvent(_EVENT_TYPES[event.type], event.object, event.revision, event.initial_events_end)
                    for event in batch.events
                ]
        except grpc.aio.AioRpcError as error:
            raise api_error_of(error) from error
        finally:
            call.cancel()

    async def write(self, write: Write) -> bytes:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._writer.write(_write_request(write))
        except TimeoutError as error:
            raise errors.timeout(f"the API server did not answer within {self._timeout_s:g} s") from error

    async def bind(self, bindings: Sequence[PodBinding], fence: Fence | None) -> Sequence[bytes]:
        request = pb.BindRequest(
            bindings=[
                pb.Binding(
                    namespace=each.namespace, name=each.name, uid=each.uid, node=each.node, annotations=dict(each.annotations)
                )
                for each in bindings
            ],
            fence=_fence(fence),
        )
        reply = await self._call(self._stub.Bind(request, timeout=self._timeout_s, wait_for_ready=True))
        return [result.status for result in reply.results]

    async def carry(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        request = pb.CarryRequest(method=method, path=path, body=body)
        reply = await self._call(self._stub.Carry(request, timeout=self._timeout_s, wait_for_ready=True))
        return reply.status, reply.body

    async def close(self) -> None:
        await self._writer.close()
        await self._channel.close(None)

    async def _call(self, call: Any) -> Any:
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise api_error_of(error) from error


class _BulkWriter:
    """Owns the write stream: opened by the first write, opened anew by the first write after it broke."""

    def __init__(self, open_stream: Callable[[], Any]) -> None:
        self._open_stream = open_stream
        self._ids = itertools.count(1)
        self._unsent: list[pb.WriteRequest] = []
        self._answers: dict[int, asyncio.Future[bytes]] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def write(self, request: pb.WriteRequest) -> bytes:
        """Send one write with its neighbours; the resulting object's JSON."""
        request.id = next(self._ids)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[request.id] = answer
        self._unsent.append(request)
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="apiclient/bulk-writer")
        try:
            return await answer
        finally:
            self._answers.pop(request.id, None)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        call = self._open_stream()
        sender = asyncio.create_task(self._send(call), name="apiclient/bulk-sender")
        failure: ApiError = errors.unavailable("the API server ended the write stream")
        try:
            async for batch in call:
                for result in batch.results:
                    self._settle(result)
        except grpc.aio.AioRpcError as error:
            failure = api_error_of(error)
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            call.cancel()
            self._unsent.clear()
            # writes that no answer has come for may or may not have happened; their callers look and try again
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(failure)

    async def _send(self, call: Any) -> None:
        while True:
            await self._wake.wait()
            batch, self._unsent = self._unsent[:BATCH_LIMIT], self._unsent[BATCH_LIMIT:]
            if not self._unsent:
                self._wake.clear()
            if batch:
                await call.write(pb.WriteBatch(requests=batch))

    def _settle(self, result: pb.WriteResult) -> None:
        answer = self._answers.get(result.id)
        if answer is None or answer.done():
            return
        if result.status:
            answer.set_exception(ApiError(codec.decode(Status, result.status)))
        else:
            answer.set_result(result.envelope.object)


def api_error_of(error: grpc.aio.AioRpcError) -> ApiError:
    """The ApiError that a gRPC failure carries in its metadata, or that its code stands for."""
    metadata: Any = error.trailing_metadata() or ()  # (key, value) pairs; the published types do not know it
    for key, value in metadata:
        if key == STATUS_METADATA and isinstance(value, bytes):
            return ApiError(codec.decode(Status, value))
    detail = error.details() or ""
    match error.code():
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return errors.timeout(f"the API server did not answer in time: {detail}")
        case grpc.StatusCode.UNAUTHENTICATED:
            return errors.unauthorized(detail)
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return errors.too_large(detail)
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return errors.unavailable(f"the API server is unavailable: {detail}")
        case _:
            return errors.internal(f"{error.code().name}: {detail}")


def _name(name: Name) -> pb.ResourceName:
    return pb.ResourceName(
        group=name.resource.group,
        version=name.resource.version,
        resource=name.resource.plural,
        namespace=name.namespace,
        name=name.name,
        subresource=name.subresource,
    )


def _fence(fence: Fence | None) -> pb.Fence | None:
    if fence is None:
        return None
    return pb.Fence(namespace=fence.namespace, name=fence.name, holder=fence.holder, epoch=fence.epoch)


def _write_request(write: Write) -> pb.WriteRequest:
    return pb.WriteRequest(
        verb=_VERBS[write.verb],
        name=_name(write.name),
        body=write.body,
        patch_type=write.patch_type,
        field_manager=write.field_manager,
        dry_run=write.dry_run,
        field_validation=write.field_validation,
        fence=_fence(write.fence),
        force=write.force,
    )
