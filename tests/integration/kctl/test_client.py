"""The client against servers that are absent, slow, rude or half-hearted."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from kctl.errors import KctlError, StatusError, UnreachableError
from kctl.kubeconfig import Connection
from kctl.rest import RestClient, StreamTimeoutError

Answer = Callable[[BaseHTTPRequestHandler], None]


def reply(request: BaseHTTPRequestHandler, code: int, body: Any, **headers: str) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request.send_response(code)
    request.send_header("Content-Length", str(len(data)))
    for name, value in headers.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(data)


def client_of(url: str, **settings: Any) -> tuple[RestClient, list[str]]:
    warnings: list[str] = []
    return RestClient(Connection(url, **settings), warnings.append), warnings


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    from kctl.cli import run

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("KUBECONFIG", "/nonexistent")
    assert run(["get", "pods", "-s", f"https://127.0.0.1:{port}"]) == 1
    want = f"The connection to the server 127.0.0.1:{port} was refused - did you specify the right host or port?\n"
    assert capfd.readouterr().err == want


def test_the_server_does_not_answer_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client, _ = client_of(f"http://127.0.0.1:{server.getsockname()[1]}", request_timeout_s=0.2)
        with pytest.raises(UnreachableError, match=r"did not answer within 0\.2s"):
            client.get("/api")


def test_a_status_comes_back_whole(misbehaving: Callable[[Answer], str]) -> None:
    status = {"kind": "Status", "reason": "Conflict", "message": "no", "code": 409, "details": {"retryAfterSeconds": 3}}
    client, _ = client_of(misbehaving(lambda request: reply(request, 409, status)))
    with pytest.raises(StatusError) as caught:
        client.get("/x")
    assert (caught.value.code, caught.value.reason, caught.value.retry_after_s()) == (409, "Conflict", 3)


@pytest.mark.parametrize(
    ("code", "body", "text"),
    [
        (404, b"", "Error from server (NotFound): the server could not find the requested resource"),
        (401, b"go away", "error: You must be logged in to the server (Unauthorized)"),
        (502, b"<html>bad gateway</html>", "Error from server: <html>bad gateway</html>"),
    ],
)
def test_refusals_without_a_status(misbehaving: Callable[[Answer], str], code: int, body: bytes, text: str) -> None:
    client, _ = client_of(misbehaving(lambda request: reply(request, code, body)))
    with pytest.raises(StatusError) as caught:
        client.get("/x")
    assert caught.value.text() == text


def test_an_answer_that_is_no_json(misbehaving: Callable[[Answer], str]) -> None:
    client, _ = client_of(misbehaving(lambda request: reply(request, 200, b"<html>")))
    with pytest.raises(KctlError, match="no JSON"):
        client.get("/x")


def test_warnings_are_shown_once(misbehaving: Callable[[Answer], str]) -> None:
    client, warnings = client_of(misbehaving(lambda request: reply(request, 200, {}, Warning='299 - "old \\"field\\""')))
    client.get("/x")
    client.get("/x")
    assert warnings == ['old "field"']


def test_a_connection_that_was_closed_while_idle_is_replaced(misbehaving: Callable[[Answer], str]) -> None:
    seen: list[int] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        seen.append(request.client_address[1])
        reply(request, 200, {})
        request.close_connection = True  # without having said so

    client, _ = client_of(misbehaving(answer))
    client.get("/x")
    assert client._idle is not None
    assert select.select([client._idle.sock], [], [], 10)[0], "the end of the connection has come"
    client.get("/x")
    assert len(set(seen)) == 2


def test_queries_leave_out_what_is_not_given() -> None:
    client, _ = client_of("http://127.0.0.1:1/prefix")
    assert client.target("/api/v1/pods", {"watch": True, "a": "", "b": None, "labelSelector": "x in (a,b)"}) == (
        "/prefix/api/v1/pods?watch=true&labelSelector=x+in+%28a%2Cb%29"
    )


def test_a_stream_ends_at_its_deadline(misbehaving: Callable[[Answer], str]) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(b"4\r\none\n\r\n")
        request.wfile.flush()
        time.sleep(2)

    client, _ = client_of(misbehaving(answer))
    end = time.monotonic() + 10
    with client.stream("/x") as stream:
        lines = stream.lines(lambda: end - time.monotonic())
        assert next(lines) == b"one\n"
        end = time.monotonic() + 0.3
        with pytest.raises(StreamTimeoutError):
            next(lines)
    assert time.monotonic() - end < 1


def test_starting_is_quick_and_imports_little() -> None:
    heavy = ("grpc", "aiohttp", "numpy", "rich", "asyncio", "yaml", "msgspec", "ssl")
    code = (
        "import sys; from kctl.cli import run; run(['version', '--client']); "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"
