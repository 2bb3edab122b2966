"""Health and metrics over plain HTTP on loopback: /healthz, /livez, /readyz (with `?verbose`) and /metrics.

Written on asyncio streams so that a node component need not import an HTTP server for four fixed answers.
"""

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType

from prometheus_client import CollectorRegistry, generate_latest

from component_base.config import HealthConfig

Check = Callable[[], str | None]
"""None when healthy, else the sentence that says what is wrong."""

_REQUEST_LIMIT_BYTES = 16 * 1024
_REQUEST_TIMEOUT_S = 5.0


class HealthServer:
    """Serves while the context is open; a port of 0 in the configuration turns it off."""

    def __init__(self, config: HealthConfig, checks: Mapping[str, Check], registry: CollectorRegistry | None = None) -> None:
        self._config = config
        self._checks = checks
        self._registry = registry
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "HealthServer":
        if self._config.port:
            self._server = await asyncio.start_server(
                self._serve, self._config.address, self._config.port, limit=_REQUEST_LIMIT_BYTES
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head.split(b"\r\n", 1)[0].decode("latin-1")))
                await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # a client that asks for nothing, or goes away, is owed nothing
        finally:
            writer.close()

    def _answer(self, request_line: str) -> bytes:
        method, _, rest = request_line.partition(" ")
        path, _, query = rest.partition(" ")[0].partition("?")
        if method != "GET":
            return _response("405 Method Not Allowed", b"only GET is served\n")
        if path in ("/healthz", "/livez", "/readyz"):
            return self._health(verbose="verbose" in query)
        if path == "/metrics" and self._registry is not None:
            return _response("200 OK", generate_latest(self._registry), "text/plain; version=0.0.4")
        return _response("404 Not Found", b"not found\n")

    def _health(self, verbose: bool) -> bytes:
        wrong = {name: problem for name, check in self._checks.items() if (problem := check()) is not None}
        lines = [f"[-]{name} failed: {wrong[name]}" if name in wrong else f"[+]{name} ok" for name in self._checks]
        if wrong:
            return _response("500 Internal Server Error", "\n".join([*lines, "healthz check failed", ""]).encode())
        return _response("200 OK", "\n".join([*lines, "healthz check passed", ""]).encode() if verbose else b"ok")


def _response(status: str, body: bytes, content_type: str = "text/plain; charset=utf-8") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
