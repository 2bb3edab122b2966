"""kctl against the real API server (storage in memory), and against small servers that misbehave."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from apimachinery import errors
from apiserver.app import Settings
from kctl.cli import run
from kctl.kubeconfig import Connection
from kctl.rest import MERGE_PATCH, RestClient
from proto.gen import node_pb2
from tests.support.apiserver import RunningServer, real_api_server

START_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Result:
    """How one call of kctl ended."""

    code: int
    out: str
    err: str


class FakeKubelets:
    """Kubelets whose containers know `cat`, `exit CODE` and `size`, and whose logs have five lines and later a sixth.

    What is attached to is a `cat` when input is passed on, and says `attached` when not.
    `tar` and `test` are this machine's own. Forwarded ports echo in capitals; port 1 refuses.
    """

    async def logs(self, endpoint: str, request: node_pb2.LogsRequest) -> AsyncIterator[bytes]:
        lines = [f"{request.container.container} {number}\n".encode() for number in range(1, 6)]
        for line in lines[-request.tail_lines :] if request.tail_lines > 0 else lines:
            yield line
        if request.follow:
            await asyncio.sleep(0.2)
            yield b"later\n"

    async def execute(
        self, endpoint: str, kind: str, inputs: AsyncIterable[node_pb2.StreamInput]
    ) -> AsyncIterator[node_pb2.StreamOutput]:
        messages = aiter(inputs)
        start = (await anext(messages)).start
        if not start.command and not start.stdin:
            yield node_pb2.StreamOutput(stdout=b"attached\n")
            yield node_pb2.StreamOutput(exit_code=0)
            return
        command = list(start.command) or ["cat"]
        if command[0] in ("tar", "test"):
            async for output in _program(command, messages):
                yield output
            return
        if command[0] == "exit":
            yield node_pb2.StreamOutput(stderr=b"bye\n")
            yield node_pb2.StreamOutput(exit_code=int(command[1]))
            return
        async for message in messages:
            if command[0] == "cat" and message.stdin:
                yield node_pb2.StreamOutput(stdout=message.stdin.upper())
            if message.stdin_closed:
                break
            if command[0] == "size" and message.HasField("size"):
                yield node_pb2.StreamOutput(stdout=f"{message.size.width}x{message.size.height} tty={start.tty}\n".encode())
                break
        yield node_pb2.StreamOutput(exit_code=0)

    async def forward(
        self, endpoint: str, inputs: AsyncIterable[node_pb2.PortForwardData]
    ) -> AsyncIterator[node_pb2.PortForwardData]:
        messages = aiter(inputs)
        first = await anext(messages)
        if first.port == 1:
            raise errors.internal("connection refused")
        async for message in messages:
            if message.data:
                yield node_pb2.PortForwardData(data=message.data.upper())
            if message.closed:
                break
        yield node_pb2.PortForwardData(closed=True)

    async def close(self) -> None:
        """Nothing is open."""


async def _program(command: list[str], inputs: AsyncIterator[node_pb2.StreamInput]) -> AsyncIterator[node_pb2.StreamOutput]:
    """A program of this machine, in place of a container's."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    sink = process.stdin

    async def feed() -> None:
        async for message in inputs:
            if message.stdin_closed:
                break
            sink.write(message.stdin)
            await sink.drain()
        sink.close()

    feeding = asyncio.create_task(feed())
    telling = asyncio.create_task(process.stderr.read())
    try:
        while data := await process.stdout.read(32768):
            yield node_pb2.StreamOutput(stdout=data)
        if text := await telling:
            yield node_pb2.StreamOutput(stderr=text)
        yield node_pb2.StreamOutput(exit_code=await process.wait())
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, telling, return_exceptions=True)


class Api:
    """The running server, its kubeconfig, and a client for what kctl has no command for."""

    def __init__(self, server: RunningServer, directory: Path) -> None:
        cert, key = server.admin
        self.client = RestClient(
            Connection(server.url, authority=server.ca.ca.read_bytes(), certificate=cert.read_bytes(), key=key.read_bytes())
        )
        self.kubeconfig = directory / "kubeconfig"
        self.kubeconfig.write_text(json.dumps(_kubeconfig(server)))

    def set_status(self, path: str, status: dict[str, Any]) -> None:
        """What a kubelet or a controller would report."""
        self.client.patch(f"{path}/status", {"status": status}, MERGE_PATCH)


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One API server for all tests of this folder; each test works in a namespace of its own."""
    directory = tmp_path_factory.mktemp("kctl")
    started: Future[RunningServer] = Future()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        settings = Settings(advertise_address="172.31.255.2")
        try:
            async with real_api_server(directory, settings=settings, nodes=FakeKubelets()) as server:
                started.set_result(server)
                await stop.wait()
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="apiserver", daemon=True)
    thread.start()
    yield Api(started.result(START_TIMEOUT_S), directory)
    loop.call_soon_threadsafe(stop.set)
    thread.join(START_TIMEOUT_S)


@pytest.fixture
def kctl(api: Api, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Calls the command line in this process."""
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig))

    def call(*arguments: str, stdin: str = "") -> Result:
        if stdin:
            monkeypatch.setattr("kctl.session.Session.read_stdin", lambda self: stdin)
        capfd.readouterr()
        code = run(arguments)
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return call


@pytest.fixture
def namespace(api: Api, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own."""
    name = f"t{abs(hash(request.node.nodeid)) % 10**12}"
    api.client.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


@pytest.fixture
def misbehaving() -> Iterator[Callable[..., str]]:
    """Starts servers on 127.0.0.1 from a handler of requests; gives their addresses."""
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Callable[[BaseHTTPRequestHandler], None]) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                answer(self)

            def do_POST(self) -> None:
                answer(self)

            def log_message(self, *arguments: object) -> None:
                """Quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _kubeconfig(server: RunningServer) -> dict[str, Any]:
    def encoded(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    cluster = {"server": server.url, "certificate-authority-data": encoded(server.ca.ca)}
    user = {"client-certificate-data": encoded(server.admin.cert), "client-key-data": encoded(server.admin.key)}
    return {
        "current-context": "test",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
    }
