"""Connections to aggregated API servers: who they must be, and how this server shows who it is."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path

import aiohttp
import msgspec
from yarl import URL

from apimachinery import errors
from apimachinery.errors import ApiError
from apiserver import tls
from apiserver.core.aggregation.identity import PROBER, PROBER_GROUPS, identity_headers
from apiserver.core.aggregation.routes import Servers
from apiserver.core.request import User
from apiserver.doors.forwarding import LocalEnd
from apiserver.doors.proxying import backend
from apiserver.ports import Nodes
from apiserver.registry.connecting import Connections

ANSWER_BYTES_MAX = 16 << 20
JSON = "application/json"
_PROBER = User(PROBER, tuple(PROBER_GROUPS))


class ProxyClient(msgspec.Struct, frozen=True):
    """Files of the certificate by which aggregated API servers know this one."""

    cert: Path
    key: Path


class Answer(msgspec.Struct, frozen=True):
    """The whole answer to a question of this server's own."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300


class ServersError(Exception):
    """The servers could not be asked; its text is what went wrong."""


class Reach:
    """Opens connections to servers behind Services."""

    def __init__(self, connections: Connections, nodes: Nodes, client: ProxyClient | None) -> None:
        self._connections = connections
        self._nodes = nodes
        self._client = client

    @asynccontextmanager
    async def open(self, servers: Servers) -> AsyncIterator[tuple[aiohttp.ClientSession, LocalEnd]]:
        """A session with one of the servers, whose one connection is closed at the end; raises ApiError (503)."""
        try:
            wanted = await self._connections.serving(servers.namespace, servers.service, servers.port)
            context = _context(servers.ca_bundle, servers.insecure, self._client)
        except (ApiError, ssl.SSLError, OSError, ValueError) as error:
            raise unavailable() from error
        async with backend(wanted, self._nodes, context) as (session, end):
            yield session, end

    async def ask(
        self,
        servers: Servers,
        path: str,
        *,
        accept: str = JSON,
        timeout_s: float,
        known: str = "",
        method: str = "GET",
        body: bytes = b"",
        user: User = _PROBER,
    ) -> Answer:
        """A request of one user, this server unless told otherwise; `known` is an ETag. Raises ServersError."""
        identity = identity_headers(user.name, user.groups, user.uid, user.extra)
        headers = [*identity, ("Accept", accept), ("User-Agent", "coxswain-apiserver")]
        if known:
            headers.append(("If-None-Match", known))
        if body:
            headers.append(("Content-Type", JSON))
        end: LocalEnd | None = None
        try:
            async with (
                asyncio.timeout(timeout_s),
                self.open(servers) as (session, end),
                session.request(
                    method, url_of(servers, path), headers=headers, data=body or None, allow_redirects=False
                ) as response,
            ):
                return Answer(response.status, dict(response.headers), await _whole(response))
        except TimeoutError as error:
            raise ServersError(f"no answer within {timeout_s:g} s") from error
        except ApiError as error:
            raise ServersError(_sentence(error.__cause__ or error)) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ServersError(_sentence(end.failure if end is not None and end.failure else error)) from error


def url_of(servers: Servers, raw_path: str, query: str = "") -> URL:
    """A path of the servers as it was written, escapes and all."""
    return URL.build(scheme="https", host=servers.host, port=servers.port, path=raw_path, query_string=query, encoded=True)


def unavailable() -> ApiError:
    """What a request gets while its APIService has nobody who could answer it."""
    return errors.unavailable("service unavailable", retry_after_s=None)


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    pieces = bytearray()
    async for piece in response.content.iter_any():
        pieces += piece
        if len(pieces) > ANSWER_BYTES_MAX:
            raise ValueError(f"the answer is larger than the limit of {ANSWER_BYTES_MAX} bytes")
    return bytes(pieces)


def _sentence(error: BaseException) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return _sentence(error.certificate_error)
        case ssl.SSLCertVerificationError():
            return f"the certificate is not good: {error.verify_message}"
        case ApiError():
            return error.status.message
        case _:
            return str(error) or type(error).__name__


@lru_cache(maxsize=256)
def _context(ca_bundle: bytes, insecure: bool, client: ProxyClient | None) -> ssl.SSLContext:
    context = tls.unverified() if insecure else tls.verifying(ca_bundle)
    if client is not None:
        context.load_cert_chain(client.cert, client.key)
    return context
