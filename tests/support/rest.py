"""A plain REST client for tests, written apart from kctl's: what it sees is what any program would see.

    rest = Rest("https://127.0.0.1:6443", context)
    rest.get("/api/v1/namespaces/default/pods")["items"]
    rest.request("PUT", path, body).status                  # refusals too, without an exception

Every thread has its own kept-alive connection.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
TIMEOUT_S = 20.0

_GROUPS = {
    "deployments": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "endpointslices": "/apis/discovery.k8s.io/v1",
    "leases": "/apis/coordination.k8s.io/v1",
}


def path_of(resource: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The path of a resource by its plural: `path_of("pods", "default", "web", "log")`."""
    parts = [_GROUPS.get(resource, "/api/v1")]
    if namespace:
        parts.append(f"namespaces/{namespace}")
    parts += [part for part in (resource, name, subresource) if part]
    return "/".join(parts)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class RefusedError(Exception):
    """The server refused; `status` is its Status object."""

    def __init__(self, request: str, answer: Answer) -> None:
        super().__init__(f"{request}: {answer.status} {answer.body.decode(errors='replace')[:2000]}")
        self.code = answer.status
        self.status: dict[str, Any] = answer.json() if answer.body.startswith(b"{") else {}

    @property
    def reason(self) -> str:
        return str(self.status.get("reason", ""))


class Rest:
    """Calls to one server as one user."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._address = (parts.hostname, parts.port or 443)
        self._context = context
        self._local = threading.local()
        self.headers: dict[str, str] = {}
        """Sent with every request."""

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: dict[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        """One request and its answer, whatever that is; `body` may be bytes or a JSON value. OSError if nobody answers."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Accept": "application/json", **self.headers}
        if data is not None:
            headers["Content-Type"] = content_type
        target = f"{path}?{urlencode(query)}" if query else path
        connection, fresh = self._connection()
        try:
            connection.request(method, target, body=data, headers=headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers), response.read())
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            self._drop()
            if fresh or method not in {"GET", "HEAD"}:
                raise
            return self.request(method, path, body, query=query, content_type=content_type)
        except (OSError, http.client.HTTPException):
            self._drop()
            raise

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The JSON of a 2xx answer; RefusedError otherwise."""
        answer = self.request(method, path, body, **options)
        if not 200 <= answer.status < 300:
            raise RefusedError(f"{method} {path}", answer)
        return answer.json() if answer.headers.get("Content-Type", "").startswith("application/json") else answer.body

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, query=query)

    def find(self, path: str) -> Any:
        """The object, or None if there is none."""
        answer = self.request("GET", path)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise RefusedError(f"GET {path}", answer)
        return answer.json()

    def list(self, path: str, **query: Any) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.get(path, **query)["items"]
        return items

    def create(self, path: str, body: Any, **query: Any) -> Any:
        return self.call("POST", path, body, query=query)

    def update(self, path: str, body: Any, **query: Any) -> Any:
        return self.call("PUT", path, body, query=query)

    def patch(self, path: str, body: Any, content_type: str = STRATEGIC_PATCH, **query: Any) -> Any:
        return self.call("PATCH", path, body, content_type=content_type, query=query)

    def delete(self, path: str, body: Any = None, **query: Any) -> Any:
        return self.call("DELETE", path, body, query=query)

    def watch(self, path: str, *, timeout_s: float, **query: Any) -> Iterator[dict[str, Any]]:
        """Events until the server ends the watch after `timeout_s`; closing the generator ends it too."""
        connection = self._connect(timeout_s + TIMEOUT_S)
        try:
            parameters = {"watch": "true", "timeoutSeconds": max(1, round(timeout_s)), **query}
            connection.request("GET", f"{path}?{urlencode(parameters)}", headers={"Accept": "application/json"})
            response = connection.getresponse()
            if response.status != 200:
                raise RefusedError(f"WATCH {path}", Answer(response.status, dict(response.headers), response.read()))
            while line := response.readline():
                yield json.loads(line)
        finally:
            connection.close()

    def close(self) -> None:
        self._drop()

    def _connection(self) -> tuple[http.client.HTTPSConnection, bool]:
        existing: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        if existing is not None:
            return existing, False
        self._local.connection = self._connect(TIMEOUT_S)
        return self._local.connection, True

    def _connect(self, timeout_s: float) -> http.client.HTTPSConnection:
        host, port = self._address
        return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=self._context)

    def _drop(self) -> None:
        existing: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        if existing is not None:
            existing.close()
            self._local.connection = None
