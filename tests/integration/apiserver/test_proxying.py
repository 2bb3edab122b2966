"""The proxy subresource, from the REST door over a kubelet's port forwarding to small HTTP servers on 127.0.0.1."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from apiclient.client import Client
from apimachinery import errors
from apimachinery.kinds import (
    EndpointAddress,
    EndpointPort,
    Endpoints,
    EndpointSubset,
    ObjectMeta,
    ObjectReference,
    Service,
    ServicePort,
    ServiceSpec,
)
from apiserver import tls
from apiserver.core.request import Request
from tests.integration.apiserver.test_streams import PODS, WAIT_S, Setting, setting
from tests.support.throwaway_ca import ThrowawayCa

__all__ = ["setting"]

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
PROXY = f"{PODS}/p:8080/proxy"


async def page(request: web.BaseRequest) -> web.StreamResponse:
    """Tells what it got; some paths are special."""
    match request.path:
        case "/stream":
            response = web.StreamResponse()
            await response.prepare(request)
            async for piece in request.content.iter_any():
                await response.write(piece.upper())
            return response
        case "/redirect":
            return web.Response(status=302, headers={"Location": "/elsewhere?x=1"})
        case "/away":
            return web.Response(status=302, headers={"Location": "http://169.254.169.254/secret"})
        case "/socket":
            socket = web.WebSocketResponse(protocols=["chat"])
            await socket.prepare(request)
            async for message in socket:
                await socket.send_str(message.data.upper())
            return socket
        case "/broken":
            response = web.StreamResponse(headers={"Content-Length": "100"})
            await response.prepare(request)
            await response.write(b"half")
            assert request.transport is not None
            request.transport.close()
            return response
    body = {"method": request.method, "path": request.raw_path}
    return web.json_response({**body, "headers": dict(request.headers), "body": (await request.read()).decode()})


class Backend:
    """A server that counts its connections and remembers what came on them."""

    def __init__(self) -> None:
        self.open = 0
        self.all_closed = asyncio.Event()
        self.received = b""
        self.answer = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            self.received += await reader.readuntil(b"\r\n\r\n")
            writer.write(self.answer)
            await writer.drain()
            while data := await reader.read(65536):
                self.received += data
        finally:
            self.open -= 1
            self.all_closed.set()
            writer.close()


@pytest.fixture
async def proxied(setting: Setting, tmp_path: Path) -> AsyncIterator[Setting]:
    """Pod p serves `page` on 8080, and the same over TLS on 8443."""
    runner = web.ServerRunner(web.Server(page))
    await runner.setup()
    plain = web.TCPSite(runner, "127.0.0.1", 0)
    await plain.start()
    ca = ThrowawayCa(tmp_path / "backend")
    files = ca.server("backend")
    context = tls.serving(files.cert, files.key, ca.ca)
    context.verify_mode = ssl.CERT_NONE
    secure = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await secure.start()
    ports = [address[1] for address in runner.addresses]
    setting.kubelet.backends = {8080: ports[0], 8443: ports[1], 0: ports[0]}
    yield setting
    await runner.cleanup()


@pytest.fixture
async def backend(setting: Setting) -> AsyncIterator[Backend]:
    """What pod p serves on 9000: bytes that the test decides."""
    found = Backend()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    setting.kubelet.backends = {9000: server.sockets[0].getsockname()[1]}
    yield found
    server.close()


async def test_a_request_goes_on_as_it_came(proxied: Setting) -> None:
    url = f"{proxied.server.url}{PROXY}/a%2Fb//c?watch=nonsense&dryRun=x&limit=-1"
    async with proxied.session.post(url, data=b"body", headers={"Authorization": "Bearer secret", "X-Own": "1"}) as answer:
        got = await answer.json()
    assert answer.status == 200
    assert (got["method"], got["path"], got["body"]) == ("POST", "/a%2Fb//c?watch=nonsense&dryRun=x&limit=-1", "body")
    assert got["headers"]["X-Own"] == "1"
    assert got["headers"]["X-Forwarded-Uri"] == f"{PROXY}/a%2Fb//c"
    assert got["headers"]["X-Forwarded-For"] == "127.0.0.1"
    assert "Authorization" not in got["headers"]
    (first,) = proxied.kubelet.forwards
    assert (first.pod.pod, first.port, first.own_address) == ("p", 8080, True)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method_is_passed_on(proxied: Setting, method: str) -> None:
    async with proxied.session.request(method, f"{proxied.server.url}{PROXY}/x") as answer:
        assert answer.status == 200
        assert method == "HEAD" or (await answer.json())["method"] == method


async def test_https_to_the_backend(proxied: Setting) -> None:
    async with proxied.session.get(f"{proxied.server.url}{PODS}/https:p:8443/proxy/secure") as answer:
        assert (await answer.json())["path"] == "/secure"


async def test_bodies_stream_both_ways(proxied: Setting) -> None:
    sent: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def body() -> AsyncIterator[bytes]:
        while (piece := await sent.get()) is not None:
            yield piece

    sent.put_nowait(b"one")
    async with proxied.session.post(f"{proxied.server.url}{PROXY}/stream", data=body()) as answer:
        assert await answer.content.readexactly(3) == b"ONE"
        sent.put_nowait(b"two" * 200_000)
        assert await answer.content.readexactly(600_000) == b"TWO" * 200_000
        sent.put_nowait(None)
        assert await answer.content.read() == b""


async def test_an_answer_that_breaks_off_is_not_taken_for_whole(proxied: Setting) -> None:
    with pytest.raises(aiohttp.ClientError):
        async with proxied.session.get(f"{proxied.server.url}{PROXY}/broken") as answer:
            await answer.read()


async def test_redirects_are_rewritten_and_not_followed(proxied: Setting) -> None:
    for path, location in (
        ("/redirect", f"{PROXY}/elsewhere?x=1"),
        ("/away", "http://169.254.169.254/secret"),
        ("", f"{PROXY}/"),
    ):
        async with proxied.session.get(f"{proxied.server.url}{PROXY}{path}", allow_redirects=False) as answer:
            assert answer.headers["Location"] == location
            assert answer.status in (301, 302)


async def test_websockets_are_carried(proxied: Setting) -> None:
    async with proxied.session.ws_connect(f"{proxied.server.url}{PROXY}/socket", protocols=["chat"]) as socket:
        assert socket.protocol == "chat"
        for word in ("hello", "x" * 500_000):
            await socket.send_str(word)
            assert await socket.receive_str() == word.upper()


UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: api\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def upgrade(setting: Setting, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = setting.server.client_context()
    reader, writer = await asyncio.open_connection("127.0.0.1", setting.server.rest_port, ssl=context)
    writer.write(UPGRADE.format(path=path).encode())
    return reader, writer


async def test_cve_2018_1002105_a_failed_upgrade_closes_the_backend_and_the_client(setting: Setting, backend: Backend) -> None:
    """Nothing that the client sends afterwards reaches the backend."""
    backend.answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nX-Own: 1\r\n\r\nno"
    reader, writer = await upgrade(setting, f"{PODS}/p:9000/proxy/x")
    writer.write(b"GET /second HTTP/1.1\r\nHost: backend\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(-1), WAIT_S)
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"X-Own: 1\r\n" in answer
    assert answer.endswith(b"\r\n\r\nno")
    await asyncio.wait_for(backend.all_closed.wait(), WAIT_S)
    assert b"second" not in backend.received
    writer.close()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "redirect"),
        (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n", "not asked for"),
    ],
    ids=["a redirect", "another protocol"],
)
async def test_cve_2020_8559_bad_upgrades_are_not_relayed(setting: Setting, backend: Backend, answer: bytes, says: str) -> None:
    backend.answer = answer
    reader, writer = await upgrade(setting, f"{PODS}/p:9000/proxy/x")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_S)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"Location" not in head
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    assert says in json.loads(await reader.readexactly(length))["message"]
    await asyncio.wait_for(backend.all_closed.wait(), WAIT_S)
    writer.close()


async def test_switching_protocols_without_having_been_asked(setting: Setting, backend: Backend) -> None:
    backend.answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nraw"
    async with setting.session.get(f"{setting.server.url}{PODS}/p:9000/proxy/x") as answer:
        assert answer.status == 502
    await asyncio.wait_for(backend.all_closed.wait(), WAIT_S)


async def test_a_client_that_leaves_closes_the_backend(setting: Setting, backend: Backend) -> None:
    backend.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
    async with setting.session.get(f"{setting.server.url}{PODS}/p:9000/proxy/x") as answer:
        assert await answer.content.readexactly(3) == b"abc"
        answer.close()
    await asyncio.wait_for(backend.all_closed.wait(), WAIT_S)


async def test_services_lead_to_a_ready_pod(proxied: Setting) -> None:
    client = Client(proxied.server.transport())
    meta = ObjectMeta(name="s", namespace="default")
    await client.create(Service(metadata=meta, spec=ServiceSpec(ports=[ServicePort(name="web", port=80)])))
    pod = json.loads(await (await proxied.session.get(f"{proxied.server.url}{PODS}/p")).text())
    reference = ObjectReference(kind="Pod", name="p", namespace="default", uid=pod["metadata"]["uid"])
    address = EndpointAddress(ip="10.244.0.9", target_ref=reference)
    subset = EndpointSubset(addresses=[address], ports=[EndpointPort(name="web", port=8080)])
    await client.create(Endpoints(metadata=ObjectMeta(name="s", namespace="default"), subsets=[subset]))
    for name in ("s", "s:web", "s:80", "http:s:web"):
        url = f"{proxied.server.url}/api/v1/namespaces/default/services/{name}/proxy/x"
        async with proxied.session.get(url) as answer:
            assert answer.status == 200, await answer.text()
    async with proxied.session.get(f"{proxied.server.url}/api/v1/namespaces/default/services/s:81/proxy/") as answer:
        assert answer.status == 503
    await client.close()


async def test_nodes_lead_to_the_kubelet(proxied: Setting) -> None:
    async with proxied.session.get(f"{proxied.server.url}/api/v1/nodes/n1/proxy/healthz") as answer:
        assert (await answer.json())["path"] == "/healthz"
    (first,) = proxied.kubelet.forwards
    assert (first.HasField("pod"), first.port) == (False, 0)


@pytest.mark.parametrize(
    ("path", "code", "says"),
    [
        (f"{PODS}/p:1/proxy/", 503, "error trying to reach service: connection refused"),
        (f"{PODS}/q/proxy/", 503, "error trying to reach service"),
        (f"{PODS}/unbound/proxy/", 400, "does not have a host assigned"),
        (f"{PODS}/none/proxy/", 404, "not found"),
        (f"{PODS}/ftp:p:80/proxy/", 400, "invalid pod request"),
        (f"{PODS}/p:99999/proxy/", 400, "is not a port"),
        ("/api/v1/nodes/none/proxy/", 404, 'nodes \\"none\\" not found'),
        ("/api/v1/namespaces/default/services/none/proxy/", 404, "not found"),
    ],
)
async def test_refusals_are_statuses(setting: Setting, path: str, code: int, says: str) -> None:
    async with setting.session.get(setting.server.url + path) as answer:
        text = await answer.text()
    assert (answer.status, json.loads(text)["kind"]) == (code, "Status")
    assert says in text


async def test_who_may_only_read_gets_no_shell(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """exec over WebSocket comes with GET, and needs `create`."""

    def authorize(request: Request) -> None:
        verb = request.needed_verb
        if verb not in ("get", "list", "watch"):
            raise errors.forbidden("pods", "p", f"cannot {verb}")

    monkeypatch.setattr(setting.server.assembly.api.authorizer, "authorize", authorize)
    for path in ("exec?command=x&stdout=1", "attach?stdout=1", "portforward?ports=80"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await setting.session.ws_connect(f"{setting.server.url}{PODS}/p/{path}", protocols=["v4.channel.k8s.io"])
        assert caught.value.status == 403
    async with setting.session.get(f"{setting.server.url}{PODS}/p/log") as answer:
        assert answer.status == 200
    assert setting.kubelet.starts == []
