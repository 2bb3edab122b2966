"""The client of the REST door: one kept-alive connection for calls, one more for each stream.

Plain blocking HTTP/1.1 from the standard library, because a command line starts, asks a little and ends; a watch or a
followed log is read line by line from a connection of its own. A failed call raises StatusError with the server's Status, an
unreachable server UnreachableError with one clear sentence.
"""

import json
import os
import re
import socket
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse, RemoteDisconnected
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from kctl.errors import KctlError, StatusError, UnreachableError
from kctl.kubeconfig import Connection

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
CONNECT_TIMEOUT_S = 30.0
_WARNING = re.compile(r'^\d{3} \S+ "((?:[^"\\]|\\.)*)"')

Query = Mapping[str, str | int | bool | None]


@dataclass(frozen=True)
class Response:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise KctlError(f"the server's answer is no JSON: {self.body[:200]!r}") from error


class StreamTimeoutError(Exception):
    """Nothing came within the time that was given."""


class Stream:
    """An answer that goes on: lines or chunks until the server ends it, or until `close`."""

    def __init__(self, connection: HTTPConnection, response: HTTPResponse) -> None:
        self._connection = connection
        self._socket = connection.sock  # the connection lets go of it when the answer says `Connection: close`
        self._response = response

    def lines(self, remaining_s: Callable[[], float | None] = lambda: None) -> Iterator[bytes]:
        """Lines as they come; raises StreamTimeoutError once `remaining_s()` is used up (None: never)."""
        while True:
            self._limit(remaining_s())
            try:
                line = self._response.readline()
            except TimeoutError as error:
                raise StreamTimeoutError from error
            except (OSError, HTTPException):
                return  # the server went away: the caller looks again, or ends
            if not line:
                return
            yield line

    def chunks(self, size: int = 65536) -> Iterator[bytes]:
        """Bytes as they come."""
        self._limit(None)
        while True:
            try:
                data = self._response.read1(size)
            except (OSError, HTTPException) as error:
                raise KctlError(f"the stream was cut off: {error}") from error
            if not data:
                return
            yield data

    def close(self) -> None:
        self._response.close()
        self._connection.close()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _limit(self, timeout_s: float | None) -> None:
        if timeout_s is not None and timeout_s <= 0:
            raise StreamTimeoutError
        if self._socket is not None:
            self._socket.settimeout(timeout_s)


class RestClient:
    """Calls to one server as one user. `warn` receives what the server's Warning headers say."""

    def __init__(self, connection: Connection, warn: Callable[[str], None] | None = None) -> None:
        self.settings = connection
        parts = urlsplit(connection.server)
        self._tls = parts.scheme == "https"
        self._host = parts.hostname or "localhost"
        self._port = parts.port or (443 if self._tls else 80)
        self._prefix = parts.path
        self._context: ssl.SSLContext | None = None
        self._idle: HTTPConnection | None = None
        self._warn = warn or (lambda text: print(f"Warning: {text}", file=sys.stderr))  # noqa: T201
        self._warned: set[str] = set()

    @property
    def address(self) -> str:
        return f"{self._host}:{self._port}"

    def get(self, path: str, query: Query | None = None) -> Any:
        return self.call("GET", path, query=query).json()

    def create(self, path: str, body: Any, query: Query | None = None) -> Any:
        return self.call("POST", path, body=body, query=query).json()

    def update(self, path: str, body: Any, query: Query | None = None) -> Any:
        return self.call("PUT", path, body=body, query=query).json()

    def patch(self, path: str, body: Any, kind: str = MERGE_PATCH, query: Query | None = None) -> Any:
        return self.call("PATCH", path, body=body, content_type=kind, query=query).json()

    def delete(self, path: str, body: Any = None, query: Query | None = None) -> Any:
        return self.call("DELETE", path, body=body, query=query).json()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Response:
        """One request and its whole answer; raises StatusError unless the code is 2xx."""
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = self._headers(accept, content_type if data is not None else "")
        response = self._exchange(method, self.target(path, query), data, headers)
        if not 200 <= response.status < 300:
            raise status_error(response)
        return response

    def raw(self, method: str, target: str, body: bytes | None = None) -> bytes:
        """The answer's body to a request whose path and query are sent as they are; raises StatusError unless it is 2xx."""
        headers = self._headers("application/json, */*", JSON if body is not None else "")
        response = self._exchange(method, self._prefix + quote(target, safe="/:@!$&'()*+,;=~-._?%"), body, headers)
        if not 200 <= response.status < 300:
            raise status_error(response)
        return response.body

    def stream(self, path: str, query: Query | None = None, *, accept: str = JSON) -> Stream:
        """Open an answer that goes on; raises StatusError when the server refuses."""
        connection = self._connect()
        try:
            connection.request("GET", self.target(path, query), headers=self._headers(accept, ""))  # type: ignore[arg-type]
            response = connection.getresponse()
        except (OSError, HTTPException) as error:
            connection.close()
            raise self._unreachable(error) from error
        self._show_warnings(response)
        stream = Stream(connection, response)
        if 200 <= response.status < 300:
            return stream
        with stream:
            raise status_error(Response(response.status, dict(response.headers), response.read()))

    def target(self, path: str, query: Query | None = None) -> str:
        """The request's target: the server's own prefix, the path, and those parts of the query that are given."""
        given = {key: _query_text(value) for key, value in (query or {}).items() if value not in (None, "")}
        encoded = self._prefix + quote(path, safe="/:@!$&'()*+,;=~-._")
        return f"{encoded}?{urlencode(given)}" if given else encoded

    def tls_context(self) -> ssl.SSLContext | None:
        """The TLS settings; None for plain HTTP."""
        if self._tls and self._context is None:
            self._context = _tls_context(self.settings)
        return self._context

    def identity(self) -> list[tuple[str, str]]:
        """The headers that say who asks, of which some may come several times."""
        bearer = [("Authorization", f"Bearer {self.settings.token}")] if self.settings.token else []
        return [*bearer, *self.settings.impersonation]

    def close(self) -> None:
        if self._idle is not None:
            self._idle.close()
            self._idle = None

    def _headers(self, accept: str, content_type: str) -> HTTPMessage:
        headers = HTTPMessage()  # unlike a dict it holds a name more than once
        for name, value in (("Accept", accept), ("User-Agent", "kctl"), *self.identity()):
            headers.add_header(name, value.encode().decode("latin-1"))  # http.client sends Latin-1: these are UTF-8's bytes
        if content_type:
            headers.add_header("Content-Type", content_type)
        return headers

    def _exchange(self, method: str, target: str, data: bytes | None, headers: HTTPMessage) -> Response:
        reused, self._idle = self._idle, None
        connection = reused or self._connect()
        try:
            connection.request(method, target, body=data, headers=headers)  # type: ignore[arg-type]
            raw = connection.getresponse()
            response = Response(raw.status, dict(raw.headers), raw.read())
        except (BrokenPipeError, ConnectionResetError, RemoteDisconnected) as error:
            connection.close()
            if reused is not None and method == "GET":  # the server closed it while it was idle; reading again is harmless
                return self._exchange(method, target, data, headers)
            raise self._unreachable(error) from error
        except (OSError, HTTPException) as error:
            connection.close()
            raise self._unreachable(error) from error
        self._show_warnings(raw)
        if raw.will_close:
            connection.close()
        else:
            self._idle = connection
        return response

    def _connect(self) -> HTTPConnection:
        connection = HTTPConnection(self._host, self._port)
        timeout_s = self.settings.request_timeout_s or None
        try:
            raw = socket.create_connection((self._host, self._port), timeout=timeout_s or CONNECT_TIMEOUT_S)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            context = self.tls_context()
            name = self.settings.tls_server_name or self._host
            connection.sock = context.wrap_socket(raw, server_hostname=name) if context else raw
        except OSError as error:
            raise self._unreachable(error) from error
        connection.sock.settimeout(timeout_s)
        return connection

    def _unreachable(self, error: Exception) -> UnreachableError:
        if isinstance(error, ConnectionRefusedError):
            return UnreachableError(
                f"The connection to the server {self.address} was refused - did you specify the right host or port?"
            )
        if isinstance(error, TimeoutError):
            limit = f" within {self.settings.request_timeout_s:g}s" if self.settings.request_timeout_s else ""
            return UnreachableError(f"Unable to connect to the server: {self.address} did not answer{limit}")
        if isinstance(error, ssl.SSLCertVerificationError):
            return UnreachableError(
                f"Unable to connect to the server: the certificate of {self.address} is not trusted: {error.verify_message}"
            )
        if isinstance(error, socket.gaierror):
            return UnreachableError(f'Unable to connect to the server: no such host "{self._host}"')
        if isinstance(error, ConnectionResetError | BrokenPipeError | RemoteDisconnected):
            return UnreachableError(f"Unable to connect to the server: {self.address} closed the connection before it answered")
        return UnreachableError(f"Unable to connect to the server: {self.address}: {error}")

    def _show_warnings(self, response: HTTPResponse) -> None:
        for value in response.headers.get_all("Warning") or ():
            found = _WARNING.match(value)
            text = re.sub(r"\\(.)", r"\1", found.group(1)) if found else value
            if text not in self._warned:
                self._warned.add(text)
                self._warn(text)


def status_error(response: Response) -> StatusError:
    """The Status in a refusal; one of our own making when the server sent none."""
    try:
        status = json.loads(response.body)
    except ValueError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return StatusError({"code": response.status, **status})
    if response.status == 401:
        return StatusError({"code": 401, "reason": "Unauthorized", "message": "Unauthorized"})
    text = response.body[:300].decode(errors="replace").strip()
    reason = {404: "NotFound", 403: "Forbidden"}.get(response.status, "")
    message = "the server could not find the requested resource" if response.status == 404 else text
    return StatusError({"code": response.status, "reason": reason, "message": message or f"code {response.status}"})


def _query_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _tls_context(settings: Connection) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if settings.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif settings.authority:
            context.load_verify_locations(cadata=settings.authority.decode("ascii"))
        else:
            context.load_default_certs()
        if settings.certificate:
            _load_identity(context, settings.certificate, settings.key)
    except (ssl.SSLError, ValueError) as error:
        raise KctlError(f"the certificates of the kubeconfig cannot be used: {error}") from error
    return context


def _load_identity(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """OpenSSL takes certificates from files only: an anonymous one in memory, so that the key never reaches a disk."""
    descriptor = os.memfd_create("kctl-identity", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, certificate + b"\n" + key)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
