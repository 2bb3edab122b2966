"""Backends over HTTPS: webhooks behind Services, reached by way of kubelets, and those behind a URL, reached directly.

Model. Each backend (a port of a service or an origin, with the certificates that it is trusted by) has a pool of its own: an
HTTP session of at most CONNECTIONS_MAX connections, each kept for KEEP_S after its last use. When there are more than POOLS_MAX
pools, those that were not used for longest are closed; those that are in use stay. A connection to a service is one to
a pod behind it, chosen anew for each connection (see `registry.connecting`), and lives in a gRPC stream of the kubelet
there (see `doors.forwarding`): no route to pods is needed, and TLS is between this process and the pod.

A connection that had served before may be closed by the other side at the very moment a request is sent on it. Then nothing of
an answer has come, and the request is sent again, on another one; every new connection gets one try only.
"""

import asyncio
import io
import os
import ssl
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from apimachinery import errors
from apimachinery.errors import ApiError
from apiserver import tls
from apiserver.core import backends as rules
from apiserver.core.request import Proxying
from apiserver.doors.forwarding import LocalEnd, connect
from apiserver.ports import Backend, BackendError, Nodes

CONNECTIONS_MAX = 32
KEEP_S = 30.0
POOLS_MAX = 64
_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "coxswain-apiserver",
}

Find = Callable[[str, str, int], Awaitable[Proxying]]
"""Where a pod behind a namespace's service and port is; raises ApiError."""


class HttpsBackends:
    """See `ports.Backends`. Opens nothing before the first call."""

    def __init__(self, find: Find, nodes: Nodes) -> None:
        self._find = find
        self._nodes = nodes
        self._pools: dict[tuple[str, bytes], _Pool] = {}

    async def post(self, backend: Backend, body: bytes, *, timeout_s: float) -> bytes:
        """See `ports.Backends.post`."""
        if backend.url:
            base, path = backend.url, ""
        else:
            base, path = rules.service_origin(backend.namespace, backend.service, backend.port), backend.path
        if faults := rules.url_faults(base):
            raise BackendError(f'Post "{base}": {"; ".join(faults)}')
        url = rules.asked_url(base, path, timeout_s)
        try:
            async with asyncio.timeout(timeout_s):
                with self._pool(backend, url) as pool:
                    for idle in self._surplus():
                        await idle.close()
                    return await pool.post(URL(url, encoded=True), body)
        except TimeoutError as error:
            raise BackendError(f'Post "{url}": context deadline exceeded') from error
        except (_CallError, aiohttp.ClientError, OSError, ValueError) as error:
            raise BackendError(f'Post "{url}": {_sentence(error)}') from error

    async def close(self) -> None:
        """Close every connection."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.close()

    def _pool(self, backend: Backend, url: str) -> "_Pool":
        key = (str(URL(url, encoded=True).origin()), backend.ca_bundle)
        pool = self._pools.pop(key, None) or _Pool(self._connector(backend))
        self._pools[key] = pool  # the last, as the one used just now
        return pool

    def _surplus(self) -> "list[_Pool]":
        """Pools too many, taken out of the table: the unused ones that were not used for longest."""
        idle = [key for key, pool in self._pools.items() if not pool.users]
        return [self._pools.pop(key) for key in idle[: max(0, len(self._pools) - POOLS_MAX)]]

    def _connector(self, backend: Backend) -> aiohttp.BaseConnector:
        context = _context(backend.ca_bundle)
        if backend.url:
            return aiohttp.TCPConnector(ssl=context, limit=CONNECTIONS_MAX, keepalive_timeout=KEEP_S)
        return _ServiceConnector(self._find, self._nodes, backend, context)


class _CallError(Exception):
    """A call that came to nothing; its text says why."""


class _Pool:
    """The session of one backend, entered by whoever uses it."""

    def __init__(self, connector: aiohttp.BaseConnector) -> None:
        self.users = 0
        tracing = aiohttp.TraceConfig()
        tracing.on_connection_reuseconn.append(_note_reuse)
        self._connector = connector
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            trace_configs=[tracing],
        )

    def __enter__(self) -> "_Pool":
        self.users += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.users -= 1

    async def post(self, url: URL, body: bytes) -> bytes:
        for _ in range(CONNECTIONS_MAX):
            connection = SimpleNamespace(reused=False)
            try:
                return await self._once(url, body, connection)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if not connection.reused:
                    raise
        connection = SimpleNamespace(reused=False)
        return await self._once(url, body, connection)

    async def _once(self, url: URL, body: bytes, connection: SimpleNamespace) -> bytes:
        async with self._session.post(
            url, data=io.BytesIO(body), headers=_HEADERS, allow_redirects=False, trace_request_ctx=connection
        ) as response:
            connection.reused = False  # it has begun to answer: what breaks now is not tried again
            if fault := rules.status_fault(response.status, response.reason or "", await _start_of(response)):
                raise _CallError(fault)
            return await _whole(response)

    async def close(self) -> None:
        await self._session.close()
        if isinstance(self._connector, _ServiceConnector):
            await self._connector.ended()


async def _note_reuse(_: aiohttp.ClientSession, context: Any, __: aiohttp.TraceConnectionReuseconnParams) -> None:
    context.trace_request_ctx.reused = True


async def _start_of(response: aiohttp.ClientResponse) -> bytes:
    """What a refusal says; nothing of an answer that counts."""
    return b"" if response.status == 200 else await response.content.read(1024)


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    if (response.content_length or 0) > rules.ANSWER_BYTES_MAX:
        raise _CallError(rules.size_fault())
    pieces = bytearray()
    async for piece in response.content.iter_any():
        pieces += piece
        if len(pieces) > rules.ANSWER_BYTES_MAX:
            raise _CallError(rules.size_fault())
    return bytes(pieces)


class _ServiceConnector(aiohttp.BaseConnector):
    """Connects to pods behind a service, whatever address its URL would have.

    The near end of a connection belongs to its transport; the way to the pod is closed once that has lost its connection.
    """

    def __init__(self, find: Find, nodes: Nodes, backend: Backend, context: ssl.SSLContext) -> None:
        super().__init__(limit=CONNECTIONS_MAX, keepalive_timeout=KEEP_S)
        self._find = find
        self._nodes = nodes
        self._backend = backend
        self._context = context
        self._closing: set[asyncio.Task[None]] = set()
        self._open: set[LocalEnd] = set()

    async def ended(self) -> None:
        """Wait until every way to a pod is closed; call it after `close`."""
        for end in list(self._open):
            self._lost(end)
        if self._closing:
            await asyncio.wait(self._closing)

    async def _create_connection(self, req: Any, *_: Any) -> ResponseHandler:
        backend = self._backend
        try:
            wanted = await self._find(backend.namespace, backend.service, backend.port)
        except ApiError as error:
            raise _CallError(_not_found(error, backend.service)) from error
        end = LocalEnd(connect(self._nodes, wanted))
        self._open.add(end)
        near = await end.open()
        try:
            made = await self._loop.create_connection(
                lambda: _Protocol(self._loop, lambda: self._lost(end)),
                sock=near,
                ssl=self._context,
                server_hostname=rules.server_name(backend.namespace, backend.service),
            )
        except BaseException as error:
            near.close()
            self._lost(end)
            if not isinstance(error, OSError):
                raise
            raise _CallError(_sentence(end.failure or error)) from error
        return made[1]

    def _lost(self, end: LocalEnd) -> None:
        if end in self._open:
            self._open.discard(end)
            task = asyncio.create_task(end.close(), name="backend/close")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


class _Protocol(ResponseHandler):
    """Tells when its connection is gone."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_lost: Callable[[], None]) -> None:
        super().__init__(loop)
        self._on_lost = on_lost

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._on_lost()


def _context(ca_bundle: bytes) -> ssl.SSLContext:
    try:
        return tls.verifying(ca_bundle)
    except (ssl.SSLError, ValueError) as error:
        raise _CallError("unable to load root certificates: the CA bundle holds no valid PEM certificates") from error


def _not_found(error: ApiError, service: str) -> str:
    details = error.status.details
    if errors.is_not_found(error) and details is not None and details.kind == "services":
        return f'service "{service}" not found'
    return error.status.message


def _sentence(error: BaseException) -> str:
    """Why a call came to nothing, without the library's own way to put it."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return _sentence(error.certificate_error)
        case ssl.SSLCertVerificationError():
            return f"tls: failed to verify certificate: x509: {error.verify_message}"
        case aiohttp.ClientConnectorDNSError():
            return f"dial tcp: lookup {error.host}: no such host"
        case aiohttp.ClientConnectorError(os_error=OSError() as cause):
            reason = os.strerror(cause.errno).lower() if cause.errno else str(cause)
            return f"dial tcp {error.host}:{error.port}: connect: {reason}"
        case aiohttp.ServerDisconnectedError():
            return "EOF: the server closed the connection without an answer"
        case ApiError():
            return error.status.message
        case _:
            return str(error) or type(error).__name__
