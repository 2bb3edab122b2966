"""`kctl proxy`: an HTTP server on a local port that passes requests on to the cluster's API with the user's credentials.

Whoever reaches the port acts as the user, so it listens on loopback, and answers only requests that name a host which
is accepted: a web page that was led here under a name of its own is refused. Paths into containers are refused unless
allowed. Bodies stream; an upgraded connection (WebSocket, SPDY) is carried as bytes.
"""

import asyncio
import re
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from posixpath import normpath
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp import web
from yarl import URL

from apiclient import raw
from kctl.errors import KctlError
from kctl.rest import RestClient

_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade")
)
_AUTOMATIC = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
FIELD_BYTES_MAX = 64 * 1024


@dataclass(frozen=True)
class Filter:
    """Regular expressions, with commas between, each as kubectl's option of the same name."""

    accept_paths: str = "^.*"
    reject_paths: str = "^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach"
    reject_methods: str = "^$"
    accept_hosts: str = r"^localhost$,^127\.0\.0\.1$,^\[::1\]$"

    def check(self) -> None:
        """Raises KctlError for what is no regular expression."""
        for text in (self.accept_paths, self.reject_paths, self.reject_methods, self.accept_hosts):
            for part in text.split(","):
                try:
                    re.compile(part)
                except re.error as error:
                    raise KctlError(f'error validating options: "{part}" is no regular expression: {error}') from error

    def accepts(self, method: str, host: str, path: str) -> bool:
        """Whether a request may pass; the path is looked at as the server will understand it."""
        name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
        clean = normpath(unquote(path))
        return (
            _matches(self.accept_hosts, name)
            and _matches(self.accept_paths, clean)
            and not _matches(self.reject_paths, clean)
            and not _matches(self.reject_methods, method)
        )


def run(client: RestClient, address: str, port: int, prefix: str, chosen: Filter, say: Callable[[str], None]) -> None:
    """Serve until a signal asks to stop; raises KctlError when the port cannot be had."""
    asyncio.run(_serve(client, address, port, prefix, chosen, say))


async def _serve(client: RestClient, address: str, port: int, prefix: str, chosen: Filter, say: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    connector = aiohttp.TCPConnector(ssl=client.tls_context() or True, limit=0)
    async with aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=30.0),
        max_line_size=FIELD_BYTES_MAX,
        max_field_size=FIELD_BYTES_MAX,
    ) as session:
        proxy = Proxy(client, session, prefix, chosen)
        runner = web.ServerRunner(web.Server(proxy.answer, access_log=None, auto_decompress=False, handler_cancellation=True))
        await runner.setup()
        try:
            site = web.TCPSite(runner, address, port, shutdown_timeout=1.0)
            await site.start()
            bound = runner.addresses[0][1]
            say(f"Starting to serve on {f'[{address}]' if ':' in address else address}:{bound}")
            await stop.wait()
        except OSError as error:
            raise KctlError(f"listen tcp {address}:{port}: {error.strerror or error}") from error
        finally:
            await runner.cleanup()


class Proxy:
    """Answers requests below `prefix`."""

    def __init__(self, client: RestClient, session: aiohttp.ClientSession, prefix: str, chosen: Filter) -> None:
        self._client = client
        self._session = session
        self._prefix = "/" + prefix.strip("/")
        self._filter = chosen

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Pass one request on, if it may pass."""
        target = request.raw_path
        path = urlsplit(target).path
        below = self._prefix == "/" or path == self._prefix or path.startswith(f"{self._prefix}/")
        if not below:
            return web.Response(status=404, text="404 page not found\n")
        if not self._filter.accepts(request.method, request.headers.get("Host", ""), path):
            return web.Response(status=403, text="Forbidden\n")
        rest = target if self._prefix == "/" else target.removeprefix(self._prefix) or "/"
        try:
            response = await self._session.request(
                request.method,
                URL(self._client.settings.server.rstrip("/") + rest, encoded=True),
                headers=self._headers(request),
                data=request.content if request.body_exists and request.can_read_body else None,
                allow_redirects=False,
                skip_auto_headers=_AUTOMATIC,
            )
        except (aiohttp.ClientError, OSError) as error:
            return web.Response(status=502, text=f"{error}\n")
        try:
            if response.status == 101 and _upgrade(request):
                return await _carry(request, response)
            return await _relay(request, response)
        finally:
            response.close()

    def _headers(self, request: web.BaseRequest) -> list[tuple[str, str]]:
        drop = {"host", "authorization", "expect"}  # of whoever asks us; our own identity is what counts
        kept = [(name, value) for name, value in request.headers.items() if name.lower() not in drop | _HOP_BY_HOP]
        if protocol := _upgrade(request):
            kept += [("Connection", "Upgrade"), ("Upgrade", protocol)]
        return [*kept, *self._client.identity()]


async def _relay(request: web.BaseRequest, response: aiohttp.ClientResponse) -> web.StreamResponse:
    answer = web.StreamResponse(status=response.status, reason=response.reason)
    for name, value in response.headers.items():
        if name.lower() not in _HOP_BY_HOP:
            answer.headers.add(name, value)
    try:
        await answer.prepare(request)
        async for chunk in response.content.iter_any():
            await answer.write(chunk)
        await answer.write_eof()
    except ConnectionError:
        pass  # whoever asked has gone
    except aiohttp.ClientError:
        if request.transport is not None:
            request.transport.abort()  # what came must not be taken for all there is
    return answer


async def _carry(request: web.BaseRequest, response: aiohttp.ClientResponse) -> web.StreamResponse:
    connection: Any = response.connection
    far = raw.RawConnection(connection.protocol)
    connection.protocol.set_parser(far, None)
    answer, near = await raw.upgrade(request, list(response.headers.items()))
    await raw.join(near, far)
    return answer


def _upgrade(request: web.BaseRequest) -> str:
    asked = [each.strip().lower() for each in request.headers.get("Connection", "").split(",")]
    return request.headers.get("Upgrade", "") if "upgrade" in asked else ""


def _matches(expressions: str, text: str) -> bool:
    return any(re.search(each, text) for each in _parts(expressions))


def _parts(expressions: str) -> Sequence[str]:
    return expressions.split(",")
