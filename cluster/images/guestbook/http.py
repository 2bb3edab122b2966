"""HTTP/1.1 as far as the guestbook speaks it: requests without a body in, responses with a length out.

`read_request` takes from a buffered stream and is strict: a request it does not understand is answered with a 4xx and the
connection is closed, because nothing that follows could be trusted.

Source: RFC 9112.
"""

from __future__ import annotations

from io import BufferedReader

LINE_MAX_BYTES = 8192
HEADERS_MAX = 100

REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


class BadRequest(Exception):  # noqa: N818 - the name of the status it becomes
    """A request that cannot be understood; `status` is the answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Request:
    """A request line and its headers (names in lower case)."""

    def __init__(self, method: str, target: str, headers: dict[str, str], keep_alive: bool) -> None:
        self.method = method
        self.path = target.partition("?")[0]
        self.headers = headers
        self.keep_alive = keep_alive

    def wants_json(self) -> bool:
        """Whether the client prefers JSON to a page."""
        accept = self.headers.get("accept", "")
        return "application/json" in accept and "text/html" not in accept


class Response:
    """A status, a body and its type, and further headers."""

    def __init__(self, status: int, content_type: str, body: str, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.body = body.encode()
        self.headers = {"Content-Type": content_type, "Cache-Control": "no-store", **(headers or {})}

    def encode(self, *, head_only: bool, keep_alive: bool) -> bytes:
        """The response on the wire; `head_only` leaves the body out and its length in."""
        fields = {**self.headers, "Content-Length": str(len(self.body)), "Connection": "keep-alive" if keep_alive else "close"}
        lines = [f"HTTP/1.1 {self.status} {REASONS[self.status]}", *(f"{name}: {value}" for name, value in fields.items())]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
        return head if head_only else head + self.body


def read_request(stream: BufferedReader) -> Request | None:
    """The next request of a connection, None when the client closed it; raises BadRequest, and OSError of the stream."""
    line = _line(stream)
    if line == "":
        return None
    parts = line.rstrip("\r\n").split(" ")
    if len(parts) != 3 or not parts[1].startswith("/"):
        raise BadRequest(400, "not a request line")
    method, target, version = parts
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadRequest(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
    headers = _headers(stream)
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        raise BadRequest(413, "a request here has no body")
    wish = headers.get("connection", "").lower()
    return Request(method, target, headers, wish != "close" if version == "HTTP/1.1" else wish == "keep-alive")


def _headers(stream: BufferedReader) -> dict[str, str]:
    headers: dict[str, str] = {}
    for _ in range(HEADERS_MAX):
        line = _line(stream).rstrip("\r\n")
        if line == "":
            return headers
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(400, "not a header")
        headers[name.lower()] = value.strip()
    raise BadRequest(431, "too many headers")


def _line(stream: BufferedReader) -> str:
    line = stream.readline(LINE_MAX_BYTES + 1)
    if len(line) > LINE_MAX_BYTES:
        raise BadRequest(431, "a line is too long")
    if line and not line.endswith(b"\n"):
        raise BadRequest(400, "the request broke off")
    return line.decode("latin-1")
