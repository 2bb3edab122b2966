"""The proxy subresource: one HTTP request, passed on to a port of a pod or node and its answer passed back.

Each request has a backend connection of its own, a gRPC stream of the kubelet (see `forwarding`), which never serves
another one: a backend that answers an upgrade with anything but 101 has its answer relayed and its connection closed,
and the client's too, so that nothing more can be sent to it (CVE-2018-1002105). Redirects are not followed; those that
answer an upgrade are not relayed either (CVE-2020-8559). Bodies stream in both directions. Certificates of backends are
not verified, as there is no name that they could be for.
"""

import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from apiclient import raw
from apimachinery import errors
from apimachinery.errors import ApiError, Reason
from apiserver import tls
from apiserver.core import proxying
from apiserver.core.paths import proxied_path
from apiserver.core.request import Proxying
from apiserver.doors.forwarding import LocalEnd, connect
from apiserver.ports import Nodes

log = logging.getLogger(__name__)

CHUNK_BYTES = 64 * 1024
HEADER_BYTES_MAX = 64 * 1024
_TIMEOUTS = aiohttp.ClientTimeout(total=None, connect=30.0)
_AUTOMATIC = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


async def proxy(request: web.BaseRequest, wanted: Proxying, nodes: Nodes) -> web.StreamResponse:
    """Pass the request on; raises ApiError (503) when the backend cannot be reached."""
    raw_path, _, query = request.raw_path.partition("?")
    rest = proxied_path(request.path, raw_path)
    if rest is None:
        raise errors.bad_request("the path before /proxy may not be written with escapes")
    if not rest and request.method in ("GET", "HEAD"):
        location = f"{raw_path}/" + (f"?{query}" if query else "")
        return web.Response(status=301, headers={"Location": location})
    prefix = raw_path[: len(raw_path) - len(rest)] if rest else raw_path
    url = URL.build(
        scheme="https" if wanted.secure else "http",
        host=wanted.pod or "node",
        port=wanted.port or 80,
        path=rest or "/",
        query_string=query,
        encoded=True,
    )
    async with backend(wanted, nodes) as (session, end):
        return await _exchange(request, session, end, url, prefix)


async def _exchange(
    request: web.BaseRequest, session: aiohttp.ClientSession, end: LocalEnd, url: URL, prefix: str
) -> web.StreamResponse:
    upgrading = _upgrade_of(request)
    response = await send(request, session, end, url, headers_of(request, upgrade=bool(upgrading)), upgrade=bool(upgrading))
    try:
        if upgrading:
            return await upgraded(request, response, upgrading)
        if response.status == 101:
            raise errors.api_error(502, Reason.INTERNAL_ERROR, "the backend switched protocols without having been asked to")
        return await relay(request, response, _hosts(url), prefix)
    finally:
        response.close()


def headers_of(request: web.BaseRequest, *, upgrade: bool) -> list[tuple[str, str]]:
    """The headers of a request as a backend gets them."""
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    return proxying.forwarded_headers(
        [(name, value) for name, value in request.headers.items() if name.lower() != "expect"],
        upgrade=upgrade,
        client=str(peer[0]) if isinstance(peer, tuple) else "",
        path=request.raw_path.partition("?")[0],
        host=request.headers.get("Host", ""),
    )


async def send(
    request: web.BaseRequest,
    session: aiohttp.ClientSession,
    end: LocalEnd,
    url: URL,
    headers: list[tuple[str, str]],
    *,
    upgrade: bool,
) -> aiohttp.ClientResponse:
    """Send the request on, and wait for the head of the answer; raises ApiError (503)."""
    try:
        return await session.request(
            request.method,
            url,
            headers=headers,
            data=request.content if request.body_exists and request.can_read_body and not upgrade else None,
            allow_redirects=False,
            skip_auto_headers=_AUTOMATIC,
        )
    except (aiohttp.ClientError, OSError) as error:
        raise unreachable(end.failure or error) from error


async def relay(
    request: web.BaseRequest, response: aiohttp.ClientResponse, hosts: tuple[str, ...], prefix: str
) -> web.StreamResponse:
    """The answer as it comes; a backend that breaks off breaks the client's connection too."""
    answer = web.StreamResponse(status=response.status, reason=response.reason)
    for name, value in proxying.returned_headers(list(response.headers.items())):
        if name.lower() == "location":
            own = request.headers.get("Host", "")
            value = proxying.rewritten_location(value, prefix=prefix, own_host=own, backend_hosts=hosts)
        answer.headers.add(name, value)
    try:
        await answer.prepare(request)
        async for chunk in response.content.iter_any():
            await answer.write(chunk)
        await answer.write_eof()
    except ConnectionError:
        pass  # the client has gone
    except aiohttp.ClientError as error:
        log.info("a backend broke off", extra={"path": request.path, "error": str(error)})
        if request.transport is not None:
            request.transport.abort()
    return answer


async def upgraded(request: web.BaseRequest, response: aiohttp.ClientResponse, protocol: str) -> web.StreamResponse:
    """Carry bytes after a 101; relay any other answer, and end both connections."""
    if 300 <= response.status < 400:
        raise errors.api_error(
            502, Reason.INTERNAL_ERROR, "the backend attempted to redirect this request, which is not permitted"
        )
    connection = response.connection
    if response.status != 101:
        answer = await relay(request, response, (), "")
        answer.force_close()
        return answer
    if response.headers.get("Upgrade", "").lower() != protocol or connection is None or connection.protocol is None:
        raise errors.api_error(502, Reason.INTERNAL_ERROR, "the backend switched to a protocol that was not asked for")
    backend = raw.RawConnection(connection.protocol)
    connection.protocol.set_parser(backend, None)
    headers = proxying.returned_headers(list(response.headers.items()), upgrade=True)
    answer, client = await raw.upgrade(request, headers)
    await raw.join(client, backend)
    return answer


def _upgrade_of(request: web.BaseRequest) -> str:
    """The protocol to upgrade to, in small letters; "" when none is asked for, or by a method that cannot."""
    asked = [each.strip().lower() for each in request.headers.get("Connection", "").split(",")]
    protocol = request.headers.get("Upgrade", "").lower() if "upgrade" in asked else ""
    if protocol and protocol != "websocket":
        raise errors.bad_request(f"only WebSockets are proxied, not upgrades to {protocol!r}")
    return protocol if request.method == "GET" else ""


def _hosts(url: URL) -> tuple[str, ...]:
    return (f"{url.host}:{url.port}", str(url.host))


def unreachable(error: Exception) -> ApiError:
    text = error.status.message if isinstance(error, ApiError) else str(error)
    return errors.unavailable(f"error trying to reach service: {text}", retry_after_s=None)


@asynccontextmanager
async def backend(
    wanted: Proxying, nodes: Nodes, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[aiohttp.ClientSession, LocalEnd]]:
    """A session whose one connection leads to the backend; both are closed at the end.

    With a `context` the backend has to be who the URL says; without one any certificate will do.
    """
    end = LocalEnd(connect(nodes, wanted))
    try:
        connector = _Connector(end, context)
        async with aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=_TIMEOUTS,
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
        ) as session:
            yield session, end
    finally:
        await end.close()


class _Connector(aiohttp.BaseConnector):
    """Connects once, to a LocalEnd, whatever the URL says."""

    def __init__(self, end: LocalEnd, context: ssl.SSLContext | None) -> None:
        super().__init__(force_close=True, limit=1)
        self._end = end
        self._context = context

    async def _create_connection(self, req: Any, *_: Any) -> ResponseHandler:
        near = await self._end.open()
        context = (self._context or tls.unverified()) if req.is_ssl() else None
        made = await self._loop.create_connection(
            self._factory, sock=near, ssl=context, server_hostname=req.url.host if context else None
        )
        return made[1]
