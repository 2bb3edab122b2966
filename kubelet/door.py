"""The gRPC service `Node`: logs, commands, port forwarding and figures, for the API server and nobody else.

Mutual TLS: the client's certificate must come from the cluster's CA and be the API server's kubelet client or an
administrator's. A call names a pod and a container; what is wrong with that is answered with the Status that Kubernetes gives.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

import grpc
import grpc.aio
from cryptography import x509
from cryptography.x509.oid import NameOID

from apimachinery import codec, errors
from apimachinery.clock import Clock
from apimachinery.errors import ApiError
from apimachinery.times import format_time, parse_time
from kubelet.config import ServingConfig
from kubelet.core.logs import LogOptions
from kubelet.core.model import ContainerRecord
from kubelet.core.pods import containers
from kubelet.core.usage import UsageMeter
from kubelet.loops.pod_manager import PodManager
from kubelet.loops.pod_worker import PodWorker
from kubelet.ports import CommandStream, CommandStreams, LogStore, Machinery, Runtime, RuntimeFailureError
from proto.gen import node_pb2 as pb
from proto.gen import node_pb2_grpc

log = logging.getLogger(__name__)

_STATUS_KEY = "coxswain-status-bin"
_ACCEPTED = (("coxswain-accepted", "true"),)
_CLIENT_NAME, _ADMINISTRATORS = "kube-apiserver-kubelet-client", "system:masters"
_CHUNK_BYTES = 64 * 1024
_GRACE_S = 0.5
_OPTIONS = (
    ("grpc.so_reuseport", 0),
    # a follower of a quiet log sends nothing but pings for hours
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 0),
)
_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    503: grpc.StatusCode.UNAVAILABLE,
}
# Kubernetes' words for a container that has no log because it has no image.
_IMAGE_TROUBLES = {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}

Dial = Callable[[str | None, int, Sequence[str]], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
"""Connects to a port on the first address that answers, inside a network namespace (None: the node's)."""

_LOOPBACK = ("127.0.0.1", "::1")
Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True)
class NodeAddresses:
    """Where the node itself is reached from within: its own address, and the kubelet's health and metrics (port 0: nowhere)."""

    own: str = "127.0.0.1"
    health: str = "127.0.0.1"
    health_port: int = 0


class NodeService(node_pb2_grpc.NodeServicer):
    """Answers for the pods of one manager."""

    def __init__(
        self,
        manager: PodManager,
        runtime: Runtime,
        streams: CommandStreams,
        logs: LogStore,
        dial: Dial,
        machinery: Machinery,
        clock: Clock,
        *,
        addresses: NodeAddresses = NodeAddresses(),
        trusted: bool = False,
    ) -> None:
        self._manager = manager
        self._runtime = runtime
        self._streams = streams
        self._logs = logs
        self._dial = dial
        self._machinery = machinery
        self._clock = clock
        self._addresses = addresses
        self._trusted = trusted
        self._meter = UsageMeter()

    async def Logs(self, request: pb.LogsRequest, context: Context) -> AsyncIterator[pb.LogsChunk]:  # noqa: N802
        try:
            self._authorize(context)
            worker = self._pod(request.container)
            record = self._log_of(worker, request.container.container, request.previous)
            options = LogOptions(
                since=parse_time(request.since_time) if request.since_time else None,
                limit_bytes=request.limit_bytes,
                timestamps=request.timestamps,
            )
            async for piece in self._logs.read(
                record.log_path,
                options,
                request.tail_lines,
                follow=request.follow and record.running,
                running=lambda: _still_runs(worker, record.id),
            ):
                yield pb.LogsChunk(data=piece)
        except (ApiError, RuntimeFailureError) as error:
            await _abort(context, error)

    async def Exec(  # noqa: N802
        self, requests: AsyncIterator[pb.StreamInput], context: Context
    ) -> AsyncIterator[pb.StreamOutput]:
        try:
            self._authorize(context)
            start = (await anext(requests)).start
            record = self._running(start.container)
            command = await self._streams.execute(
                record.id,
                list(start.command),
                stdin=start.stdin,
                stdout=start.stdout,
                stderr=start.stderr,
                tty=start.tty,
            )
            async for message in _relay(command, requests, context):
                yield message
        except (ApiError, RuntimeFailureError) as error:
            await _abort(context, error)

    async def Attach(  # noqa: N802
        self, requests: AsyncIterator[pb.StreamInput], context: Context
    ) -> AsyncIterator[pb.StreamOutput]:
        try:
            self._authorize(context)
            start = (await anext(requests)).start
            record = self._running(start.container)
            found = next(each for _, each in containers(self._pod(start.container).pod) if each.name == record.name)
            command = await self._streams.attach(
                record.id,
                stdin=start.stdin and bool(found.stdin),
                stdout=start.stdout,
                stderr=start.stderr,
                tty=bool(found.tty),
            )
            async for message in _relay(command, requests, context):
                yield message
        except (ApiError, RuntimeFailureError) as error:
            await _abort(context, error)

    async def PortForward(  # noqa: N802
        self, requests: AsyncIterator[pb.PortForwardData], context: Context
    ) -> AsyncIterator[pb.PortForwardData]:
        try:
            self._authorize(context)
            first = await anext(requests)
            reader, writer = await (self._dial_pod(first) if first.HasField("pod") else self._dial_node(first))
        except (ApiError, RuntimeFailureError) as error:
            await _abort(context, error)
        feeding = asyncio.create_task(_feed_socket(first, requests, writer), name="port-forward")
        try:
            await _accept(context)
            while data := await reader.read(_CHUNK_BYTES):
                yield pb.PortForwardData(data=data)
            yield pb.PortForwardData(closed=True)
        except ConnectionError:
            yield pb.PortForwardData(closed=True)
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            writer.close()

    async def Stats(self, request: pb.StatsRequest, context: Context) -> pb.StatsReply:  # noqa: N802
        try:
            self._authorize(context)
            usage = await self._runtime.usage()
        except (ApiError, RuntimeFailureError) as error:
            await _abort(context, error)
        cpu_nanoseconds, memory_bytes = self._machinery.usage()
        now = self._clock.now()
        reply = pb.StatsReply(
            time=format_time(now),
            node_cpu_usage_nanocores=self._meter.rate("node", cpu_nanoseconds, round(now.timestamp() * 1e9)),
            node_memory_working_set_bytes=memory_bytes,
        )
        by_pod: dict[str, pb.PodStats] = {}
        for each in usage:
            stats = by_pod.get(each.pod_uid)
            if stats is None:
                stats = reply.pods.add(namespace=each.pod_namespace, name=each.pod_name, uid=each.pod_uid)
                by_pod[each.pod_uid] = stats
            stats.containers.add(
                name=each.name,
                cpu_usage_nanocores=self._meter.rate(each.container_id, each.cpu_nanoseconds, each.taken_at),
                memory_working_set_bytes=each.memory_working_set_bytes,
            )
        self._meter.keep({"node", *(each.container_id for each in usage)})
        return reply

    def _authorize(self, context: Context) -> None:
        """Raises ApiError unless the caller's certificate names somebody who may call."""
        if self._trusted:
            return
        certificates = context.auth_context().get("x509_pem_cert", ())
        for certificate in certificates:
            if _may_call(bytes(certificate)):
                return
        raise errors.forbidden("nodes", "", "the caller's certificate is not the API server's")

    async def _dial_pod(self, wanted: pb.PortForwardData) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        worker = self._pod(wanted.pod)
        sandbox = worker.seen.ready_sandbox
        if sandbox is None:
            phase = worker.pod.status.phase
            raise errors.bad_request(f"unable to forward port because pod is not running. Current status={phase}")
        shared = bool(worker.pod.spec.host_network)
        own = (self._addresses.own,) if shared else sandbox.addresses
        namespace = None if shared else await self._runtime.sandbox_network(sandbox.id)
        return await self._dial(namespace, wanted.port, own if wanted.own_address and own else _LOOPBACK)

    async def _dial_node(self, wanted: pb.PortForwardData) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A port of the node's own address; port 0 is where the kubelet itself tells of its health."""
        if wanted.port:
            return await self._dial(None, wanted.port, (self._addresses.own,) if wanted.own_address else _LOOPBACK)
        if not self._addresses.health_port:
            raise errors.unavailable("this kubelet serves no health and no metrics")
        return await self._dial(None, self._addresses.health_port, (self._addresses.health,))

    def _pod(self, name: pb.ContainerName) -> PodWorker:
        worker = self._manager.worker(name.namespace, name.pod, name.uid)
        if worker is None:
            raise errors.not_found("pods", name.pod)
        return worker

    def _container_name(self, worker: PodWorker, name: str) -> str:
        names = [each.name for _, each in containers(worker.pod)]
        pod = worker.pod.metadata.name
        if name and name not in names:
            raise errors.bad_request(f"container {name} is not valid for pod {pod}")
        if name:
            return name
        apps = [each.name for each in worker.pod.spec.containers]
        default = worker.pod.metadata.annotations.get("kubectl.kubernetes.io/default-container", "")
        if default in apps:
            return default
        if len(apps) > 1:
            raise errors.bad_request(f"a container name must be specified for pod {pod}, choose one of: [{' '.join(apps)}]")
        return apps[0]

    def _log_of(self, worker: PodWorker, wanted: str, previous: bool) -> ContainerRecord:
        name, pod = self._container_name(worker, wanted), worker.pod.metadata.name
        history = [each for each in worker.seen.history(name) if each.log_path]
        if previous:
            ended = [each for each in history if each.over]
            running = history and history[0].running
            ended = ended if running else ended[1:]
            if not ended:
                raise errors.bad_request(f'previous terminated container "{name}" in pod "{pod}" not found')
            return ended[0]
        if not history:
            why = _waiting_for(worker, name)
            raise errors.bad_request(f'container "{name}" in pod "{pod}" is waiting to start: {why}')
        return history[0]

    def _running(self, wanted: pb.ContainerName) -> ContainerRecord:
        worker = self._pod(wanted)
        name = self._container_name(worker, wanted.container)
        record = worker.seen.latest(name)
        if record is None or not record.running:
            raise (
                errors.not_found("containers", name)
                if record is None
                else errors.api_error(400, errors.Reason.BAD_REQUEST, f"container {name} is not running")
            )
        return record


class NodeServer:
    """The service on its port while the context is open."""

    def __init__(self, config: ServingConfig, service: NodeService) -> None:
        self._config = config
        self._service = service
        self._server: grpc.aio.Server | None = None

    async def __aenter__(self) -> "NodeServer":
        if not self._config.port:
            return self
        key, certificate, authority = await asyncio.gather(
            *(
                asyncio.to_thread(_read, path)
                for path in (self._config.key_file, self._config.cert_file, self._config.client_ca_file)
            )
        )
        credentials = grpc.ssl_server_credentials([(key, certificate)], authority, require_client_auth=True)
        server = grpc.aio.server(options=_OPTIONS)
        node_pb2_grpc.add_NodeServicer_to_server(self._service, server)  # type: ignore[no-untyped-call]
        host = f"[{self._config.address}]" if ":" in self._config.address else self._config.address
        server.add_secure_port(f"{host}:{self._config.port}", credentials)
        await server.start()
        self._server = server
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            await self._server.stop(_GRACE_S)


async def _relay(
    command: CommandStream, requests: AsyncIterator[pb.StreamInput], context: Context
) -> AsyncIterator[pb.StreamOutput]:
    """Input to the command, its output and exit code back."""
    feeding = asyncio.create_task(_feed_command(command, requests), name="exec-input")
    try:
        await _accept(context)
        async for stream, data in command.output():
            yield pb.StreamOutput(stdout=data) if stream == 1 else pb.StreamOutput(stderr=data)
        yield pb.StreamOutput(exit_code=await command.exit_code())
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        await command.close()


async def _feed_command(command: CommandStream, requests: AsyncIterator[pb.StreamInput]) -> None:
    try:
        async for message in requests:
            match message.WhichOneof("message"):
                case "stdin":
                    await command.write(message.stdin)
                case "stdin_closed":
                    await command.close_input()
                case "size":
                    await command.resize(message.size.width, message.size.height)
                case _:
                    continue
        await command.close_input()
    except ConnectionError as error:
        log.debug("command's input ended", extra={"error": str(error)})


async def _feed_socket(
    first: pb.PortForwardData, requests: AsyncIterator[pb.PortForwardData], writer: asyncio.StreamWriter
) -> None:
    try:
        writer.write(first.data)
        async for message in requests:
            if message.data:
                writer.write(message.data)
                await writer.drain()
            if message.closed:
                break
        if writer.can_write_eof():
            writer.write_eof()
    except ConnectionError as error:
        log.debug("forwarded connection ended", extra={"error": str(error)})


async def _accept(context: Context) -> None:
    """Tell the client that it may go on."""
    await context.send_initial_metadata(_ACCEPTED)


async def _abort(context: Context, error: ApiError | RuntimeFailureError) -> NoReturn:
    found = error if isinstance(error, ApiError) else errors.internal(str(error))
    code = _CODES.get(found.code, grpc.StatusCode.INTERNAL)
    metadata = ((_STATUS_KEY, codec.encode(found.status)),)
    await context.abort(code, found.status.message, trailing_metadata=metadata)
    raise AssertionError("abort returns never")


def _waiting_for(worker: PodWorker, name: str) -> str:
    statuses = (*worker.pod.status.container_statuses, *worker.pod.status.init_container_statuses)
    found = next((each.state.waiting for each in statuses if each.name == name), None)
    reason = found.reason if found is not None else "ContainerCreating"
    return _IMAGE_TROUBLES.get(reason, reason)


def _still_runs(worker: PodWorker, container_id: str) -> bool:
    return any(each.id == container_id and each.running for each in worker.seen.containers)


@lru_cache(maxsize=64)
def _may_call(pem: bytes) -> bool:
    subject = x509.load_pem_x509_certificate(pem).subject
    names = [each.value for each in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = [each.value for each in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    return _CLIENT_NAME in names or _ADMINISTRATORS in groups


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
