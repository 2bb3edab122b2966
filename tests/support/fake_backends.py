"""Backends without a network: handlers by the origin they are asked under. Passes the contract of the real ones."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from apiserver.core import backends as rules
from apiserver.ports import Backend, BackendError
from tests.support.https_server import Handler


class FakeBackends:
    """`serve` makes a service or a URL's host known; `trusted` is the bundle that all certificates are signed by."""

    def __init__(self, trusted: bytes = b"") -> None:
        self._handlers: dict[str, Handler | None] = {}
        self._trusted = trusted
        self.calls: list[tuple[str, bytes]] = []

    def serve(self, handler: Handler | None, *, namespace: str = "", service: str = "", port: int = 443, url: str = "") -> None:
        """Have `handler` answer there; None for a service behind which there is no pod."""
        self._handlers[_origin(url) if url else rules.service_origin(namespace, service, port)] = handler

    async def post(self, backend: Backend, body: bytes, *, timeout_s: float) -> bytes:
        base, path = backend.url, ""
        if not backend.url:
            base, path = rules.service_origin(backend.namespace, backend.service, backend.port), backend.path
        if faults := rules.url_faults(base):
            raise BackendError(f'Post "{base}": {"; ".join(faults)}')
        url = rules.asked_url(base, path, timeout_s)
        self.calls.append((url, body))
        try:
            async with asyncio.timeout(timeout_s):
                fault, answer = await self._ask(backend, base, url, body)
        except TimeoutError as error:
            raise BackendError(f'Post "{url}": context deadline exceeded') from error
        if fault:
            raise BackendError(f'Post "{url}": {fault}')
        return answer

    async def close(self) -> None:
        """Nothing is open."""

    async def _ask(self, backend: Backend, base: str, url: str, body: bytes) -> tuple[str, bytes]:
        if _origin(base) not in self._handlers:
            return f'service "{backend.service}" not found' if backend.service else "dial tcp: connect: connection refused", b""
        handler = self._handlers[_origin(base)]
        if handler is None:
            return f'no endpoints available for service "{backend.service}"', b""
        if backend.ca_bundle != self._trusted:
            return "tls: failed to verify certificate: x509: signed by an unknown authority", b""
        parts = urlsplit(url)
        reply = await handler(f"{parts.path}?{parts.query}", body)
        fault = rules.status_fault(reply.status, "", reply.body)
        if not fault and len(reply.body) > rules.ANSWER_BYTES_MAX:
            fault = rules.size_fault()
        return fault, reply.body


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
