"""The components' door: proto/apiserver.proto over grpc.aio with mutual TLS.

Requests are decoded by protobuf; answers that carry objects are put together from bytes (`wire`), which the handlers here
return as they are. Errors are gRPC statuses with the Status object in the trailing metadata.

The bulk stream: requests of one stream run concurrently, at most `STREAM_IN_FLIGHT_MAX` of them, and the stream is not read
beyond that. Requests for one object run in the order in which they came. Results are sent as they come, gathered into one
message while the stream is busy sending the message before."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, NoReturn, TypeAlias

import grpc
import msgspec

from apimachinery import codec, errors
from apimachinery.errors import ApiError
from apimachinery.protobuf import varint
from apimachinery.resources import Resource, ResourceTable
from apiserver.chain import Api
from apiserver.core.ownership import manager_of_agent
from apiserver.core.parameters import parse_field_validation
from apiserver.core.request import (
    DEFAULT_OPTIONS,
    Bind,
    Document,
    Fence,
    FieldValidation,
    Listing,
    Options,
    Request,
    User,
    Verb,
    Watching,
)
from apiserver.doors import wire
from apiserver.failures import to_api_error
from apiserver.identity import user_of_pem
from proto.gen import apiserver_pb2 as pb

SERVICE = "coxswain.v1.ApiServer"
STATUS_KEY = "coxswain-status-bin"
LIST_ITEMS_MAX = 500
LIST_BYTES_MAX = 1 << 20
WATCH_BYTES_MAX = 16 << 20
STREAM_IN_FLIGHT_MAX = 256
MESSAGE_BYTES_MAX = 64 << 20
DRAIN_S = 5.0

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    405: grpc.StatusCode.UNIMPLEMENTED,
    409: grpc.StatusCode.ABORTED,
    410: grpc.StatusCode.OUT_OF_RANGE,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    415: grpc.StatusCode.INVALID_ARGUMENT,
    422: grpc.StatusCode.FAILED_PRECONDITION,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_VERBS = {
    pb.WriteRequest.CREATE: Verb.CREATE,
    pb.WriteRequest.UPDATE: Verb.UPDATE,
    pb.WriteRequest.PATCH: Verb.PATCH,
    pb.WriteRequest.DELETE: Verb.DELETE,
}

Ask: TypeAlias = Callable[[User, str, str, bytes], Coroutine[Any, Any, tuple[int, bytes]]]
"""(user, method, path, body) -> what an aggregated API server answers; raises ApiError."""

Context: TypeAlias = "grpc.aio.ServicerContext[Any, bytes]"


class GrpcDoor:
    """The server; `start` and `stop` it once."""

    def __init__(self, api: Api, table: ResourceTable, ask_others: Ask) -> None:
        self._api = api
        self._table = table
        self._ask_others = ask_others
        self._server: grpc.aio.Server | None = None
        self._stopping = asyncio.Event()

    async def start(self, address: str, port: int, *, certificate: bytes, key: bytes, client_ca: bytes) -> int:
        """Serve on address:port (0: any); returns the port."""
        options = [
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
            ("grpc.keepalive_time_ms", 10_000),
            ("grpc.keepalive_timeout_ms", 5_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
            ("grpc.http2.max_ping_strikes", 0),
        ]
        self._server = grpc.aio.server(options=options)
        self._server.add_generic_rpc_handlers((self._handlers(),))
        credentials = grpc.ssl_server_credentials([(key, certificate)], client_ca, require_client_auth=True)
        bound = self._server.add_secure_port(f"{address}:{port}", credentials)
        if not bound:
            raise OSError(f"cannot listen on {address}:{port}")
        await self._server.start()
        return bound

    async def stop(self) -> None:
        """Accept nothing new, end the watches, finish what was accepted."""
        self._stopping.set()
        if self._server is not None:
            await self._server.stop(DRAIN_S)

    def _handlers(self) -> grpc.GenericRpcHandler:
        def unary(method: Callable[..., Awaitable[bytes]], request: Any) -> "grpc.RpcMethodHandler[Any, bytes]":
            return grpc.unary_unary_rpc_method_handler(method, request_deserializer=request.FromString)

        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Get": unary(self._get, pb.GetRequest),
                "List": grpc.unary_stream_rpc_method_handler(self._list, request_deserializer=pb.ListRequest.FromString),
                "Watch": grpc.unary_stream_rpc_method_handler(self._watch, request_deserializer=pb.WatchRequest.FromString),
                "Create": unary(self._unary_write(Verb.CREATE), pb.WriteRequest),
                "Update": unary(self._unary_write(Verb.UPDATE), pb.WriteRequest),
                "Patch": unary(self._unary_write(Verb.PATCH), pb.WriteRequest),
                "Delete": unary(self._unary_write(Verb.DELETE), pb.WriteRequest),
                "Bind": unary(self._bind, pb.BindRequest),
                "Carry": unary(self._carry, pb.CarryRequest),
                "Write": grpc.stream_stream_rpc_method_handler(self._write, request_deserializer=pb.WriteBatch.FromString),
            },
        )

    async def _get(self, request: pb.GetRequest, context: Context) -> bytes:
        try:
            options = _read_options(resource_version=request.resource_version)
            answer = await self._api.handle(self._request(Verb.GET, request.name, _user(context), options=options))
            assert isinstance(answer, Document)
            return wire.envelope(answer.body, answer.revision)
        except ApiError as error:
            await _abort(context, error)

    async def _list(self, request: pb.ListRequest, context: Context) -> AsyncIterator[bytes]:
        try:
            options = _read_options(
                label_selector=request.label_selector,
                field_selector=request.field_selector,
                resource_version=request.resource_version,
            )
            listing = await self._api.handle(self._request(Verb.LIST, request.name, _user(context), options=options))
            assert isinstance(listing, Listing)
        except ApiError as error:
            await _abort(context, error)
        held: bytes | None = None
        for part in wire.chunks(listing.items, items_max=LIST_ITEMS_MAX, bytes_max=LIST_BYTES_MAX):
            if held is not None:
                yield held
            held = wire.list_chunk(part)
        yield (held or b"") + b"\x10" + varint(listing.revision)

    async def _watch(self, request: pb.WatchRequest, context: Context) -> AsyncIterator[bytes]:
        try:
            options = _read_options(
                label_selector=request.label_selector,
                field_selector=request.field_selector,
                resource_version=request.resource_version,
            )
            options = msgspec.structs.replace(options, allow_bookmarks=True)
            watching = await self._api.handle(self._request(Verb.WATCH, request.name, _user(context), options=options))
            assert isinstance(watching, Watching)
        except ApiError as error:
            await _abort(context, error)
        # the client learns that the watch stands before anything happens
        await context.send_initial_metadata(())
        stopping = asyncio.create_task(self._end_on_stop(watching), name="watch/stop")
        try:
            async for batch in watching.batches:
                for message in wire.watch_batches(batch, bytes_max=WATCH_BYTES_MAX):
                    yield message
        except ApiError as error:
            await _abort(context, error)
        finally:
            stopping.cancel()
            await watching.batches.aclose()

    async def _end_on_stop(self, watching: Watching) -> None:
        await self._stopping.wait()
        await watching.batches.aclose()

    def _unary_write(self, verb: Verb) -> Callable[[pb.WriteRequest, Context], Awaitable[bytes]]:
        async def write(request: pb.WriteRequest, context: Context) -> bytes:
            try:
                wanted = self._write_request(verb, request, _user(context))
                answer = await self._api.carried_through(self._api.handle(wanted))
                assert isinstance(answer, Document)
                return wire.envelope(answer.body, answer.revision)
            except ApiError as error:
                await _abort(context, error)

        return write

    async def _bind(self, request: pb.BindRequest, context: Context) -> bytes:
        try:
            binds = [Bind(each.namespace, each.name, each.uid, each.node, dict(each.annotations)) for each in request.bindings]
            results = await self._api.carried_through(self._api.bind(_user(context), binds, _fence(request)))
        except ApiError as error:
            await _abort(context, error)
        reply = pb.BindReply(
            results=[
                pb.BindReply.Result(status=codec.encode(each.status))
                if isinstance(each, ApiError)
                else pb.BindReply.Result(revision=each)
                for each in results
            ]
        )
        return reply.SerializeToString()

    async def _carry(self, request: pb.CarryRequest, context: Context) -> bytes:
        try:
            work = self._ask_others(_user(context), request.method, request.path, request.body)
            status, body = await self._api.carried_through(work)
        except ApiError as error:
            await _abort(context, error)
        return pb.CarryReply(status=status, body=body).SerializeToString()

    async def _write(self, batches: AsyncIterator[pb.WriteBatch], context: Context) -> AsyncIterator[bytes]:
        try:
            bulk = BulkWrites(self._run_write, _user(context))
        except ApiError as error:
            await _abort(context, error)
        reading = asyncio.create_task(bulk.read(batches), name="bulk/read")
        stopping = asyncio.create_task(self._cancel_on_stop(reading), name="bulk/stop")
        try:
            async for results in bulk.results():
                yield results
        finally:
            stopping.cancel()
            reading.cancel()
            await asyncio.wait((reading,))

    async def _cancel_on_stop(self, reading: asyncio.Task[None]) -> None:
        """A stream that its client keeps open must not hold up the shutdown: what was read is answered, then it ends."""
        await self._stopping.wait()
        reading.cancel()

    async def _run_write(self, request: pb.WriteRequest, user: User) -> bytes:
        """One request of a bulk stream into its piece of the results; never raises an ApiError."""
        try:
            verb = _VERBS.get(request.verb)
            if verb is None:
                raise errors.bad_request(f"unknown verb {request.verb}")
            answer = await self._api.handle(self._write_request(verb, request, user))
            assert isinstance(answer, Document)
            return wire.write_result(request.id, answer.body, answer.revision)
        except ApiError as error:
            return wire.write_failure(request.id, codec.encode(error.status))

    def _write_request(self, verb: Verb, request: pb.WriteRequest, user: User) -> Request:
        options = DEFAULT_OPTIONS
        if request.dry_run or request.field_manager or request.field_validation or request.force:
            options = Options(
                force=request.force or None,
                dry_run=request.dry_run,
                field_manager=request.field_manager,
                field_validation=parse_field_validation(request.field_validation, FieldValidation.IGNORE),
            )
        return self._request(
            verb,
            request.name,
            user,
            body=request.body,
            content_type=request.patch_type if verb is Verb.PATCH else "application/json",
            options=options,
            agent="" if request.field_manager else manager_of_agent(user.name),
            fence=_fence(request),
        )

    def _request(self, verb: Verb, name: pb.ResourceName, user: User, **more: Any) -> Request:
        resource: Resource | None = self._table.by_plural(name.group, name.version, name.resource)
        if resource is None:
            raise errors.no_such_path()
        return Request(
            verb=verb,
            resource=resource,
            user=user,
            namespace=name.namespace,
            name=name.name,
            subresource=name.subresource,
            **more,
        )


class BulkWrites:
    """The requests of one stream: which run, which wait for an earlier one of their object, which results wait to be sent."""

    def __init__(self, run: Callable[[pb.WriteRequest, User], Awaitable[bytes]], user: User) -> None:
        self._run = run
        self._user = user
        self._places = asyncio.Semaphore(STREAM_IN_FLIGHT_MAX)
        self._last: dict[tuple[str, ...], asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._done: list[bytes] = []
        self._wake = asyncio.Event()
        self._ended = False

    async def read(self, batches: AsyncIterator[pb.WriteBatch]) -> None:
        """Start requests as they come until the client has sent its last; then wait for those that run."""
        try:
            async for batch in batches:
                for request in batch.requests:
                    await self._places.acquire()
                    self._start(request)
        finally:
            if self._tasks:
                await asyncio.shield(asyncio.wait(list(self._tasks)))
            self._ended = True
            self._wake.set()

    async def results(self) -> AsyncIterator[bytes]:
        """WriteResults messages, until the last request has been answered."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._done:
                done, self._done = self._done, []
                yield b"".join(done)
            elif self._ended:
                return
            if self._ended:
                self._wake.set()

    def _start(self, request: pb.WriteRequest) -> None:
        name = request.name
        key = (name.group, name.resource, name.namespace, name.name) if name.name else ()
        before = self._last.get(key) if key else None
        task = asyncio.create_task(self._one(request, before), name="bulk/write")
        self._tasks.add(task)
        if key:
            self._last[key] = task

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._places.release()
            if key and self._last.get(key) is task:
                del self._last[key]

        task.add_done_callback(ended)

    async def _one(self, request: pb.WriteRequest, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait((before,))
        try:
            result = await self._run(request, self._user)
        except Exception as error:  # noqa: BLE001 - the edge: every request is answered, whatever happened
            result = wire.write_failure(request.id, codec.encode(to_api_error(error).status))
        self._done.append(result)
        self._wake.set()


def _user(context: Context) -> User:
    pem = next(iter(context.auth_context().get("x509_pem_cert", ())), b"")
    if not pem:
        raise errors.unauthorized()
    return user_of_pem(pem)


def _read_options(**given: str) -> Options:
    return Options(**given) if any(given.values()) else DEFAULT_OPTIONS  # type: ignore[arg-type]


def _fence(request: pb.WriteRequest | pb.BindRequest) -> Fence | None:
    if not request.HasField("fence"):
        return None
    fence = request.fence
    return Fence(fence.namespace, fence.name, fence.holder, fence.epoch)


async def _abort(context: Context, error: ApiError) -> NoReturn:
    code = _CODES.get(error.code, grpc.StatusCode.INTERNAL)
    await context.abort(code, error.status.message, ((STATUS_KEY, codec.encode(error.status)),))
    raise AssertionError("abort returned")
