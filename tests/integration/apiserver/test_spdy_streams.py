"""exec, attach and portforward over SPDY, and SPDY inside a WebSocket, from the REST door to a kubelet's gRPC door."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from apiclient.spdy import Session, Stream
from apimachinery import spdy
from apiserver.doors import spdy_streams
from tests.integration.apiserver.test_streams import PODS, WAIT_S, Setting, setting

__all__ = ["setting"]

V4, V1 = "v4.channel.k8s.io", "channel.k8s.io"
TUNNEL = "SPDY/3.1+portforward.k8s.io"


class SocketLink:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def read(self) -> bytes:
        return await self.reader.read(65536)

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


class WebSocketLink:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def read(self) -> bytes:
        async for message in self.socket:
            return bytes(message.data)
        return b""

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), 1000):  # frames do not end where messages do
            await self.socket.send_bytes(data[start : start + 1000])


async def asked(
    setting: Setting, path: str, *headers: str, method: str = "POST"
) -> tuple[str, asyncio.StreamReader, asyncio.StreamWriter]:
    """Ask for an upgrade; the head of the answer, and the connection."""
    context = setting.server.client_context()
    reader, writer = await asyncio.open_connection("127.0.0.1", setting.server.rest_port, ssl=context)
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: api",
        "Connection: Upgrade",
        "Upgrade: SPDY/3.1",
        "Content-Length: 0",
        *headers,
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    return (await reader.readuntil(b"\r\n\r\n")).decode(), reader, writer


@asynccontextmanager
async def session(setting: Setting, path: str, protocol: str) -> AsyncIterator[Session]:
    head, reader, writer = await asked(setting, path, f"X-Stream-Protocol-Version: {protocol}")
    assert head.startswith("HTTP/1.1 101 ")
    assert f"X-Stream-Protocol-Version: {protocol}\r\n" in head
    try:
        async with Session(SocketLink(reader, writer), client=True) as opened:
            yield opened
    finally:
        writer.close()


@asynccontextmanager
async def execution(
    setting: Setting, query: str, *names: str, protocol: str = V4, kind: str = "exec"
) -> AsyncIterator[dict[str, Stream]]:
    async with session(setting, f"{PODS}/p/{kind}?{query}", protocol) as opened:
        yield {name: await opened.open({"streamtype": name}) for name in names}


async def opened_and_read(opened: Session, headers: dict[str, str]) -> bytes:
    return await (await opened.open(headers)).read()


async def verdict(streams: dict[str, Stream]) -> Any:
    return json.loads(await streams["error"].read_all(10_000))


async def test_exec(setting: Setting) -> None:
    async with execution(setting, "command=echo&command=hi&stdout=1&stderr=1", "error", "stdout", "stderr") as streams:
        assert await streams["stdout"].read_all(1000) == b"echo hi"
        assert await streams["stderr"].read_all(1000) == b""
        assert (await verdict(streams))["status"] == "Success"
    assert list(setting.kubelet.starts[0].command) == ["echo", "hi"]


async def test_exit_codes_are_v4_statuses(setting: Setting) -> None:
    async with execution(setting, "command=fail&command=42&stderr=1", "error", "stderr") as streams:
        assert await streams["stderr"].read_all(1000) == b"no\n"
        found = await verdict(streams)
    assert found["reason"] == "NonZeroExitCode"
    assert found["details"]["causes"] == [{"reason": "ExitCode", "message": "42"}]


async def test_before_v4_they_are_sentences(setting: Setting) -> None:
    async with execution(setting, "command=fail&command=42&stderr=1", "error", "stderr", protocol=V1) as streams:
        assert (await streams["error"].read_all(1000)).endswith(b"exit status 42")
    async with execution(setting, "command=x&stdout=1", "error", "stdout", protocol=V1) as streams:
        assert await streams["error"].read_all(1000) == b""


async def test_input_its_end_and_much_of_it(setting: Setting) -> None:
    async with execution(setting, "command=cat&stdin=1&stdout=1", "error", "stdin", "stdout") as streams:

        async def write() -> None:
            await streams["stdin"].write(b"ab" * 1_000_000)
            streams["stdin"].finish()

        writing = asyncio.create_task(write())
        assert len(await streams["stdout"].read_all(1 << 24)) == 2_000_000
        assert (await verdict(streams))["status"] == "Success"
        await writing


async def test_terminal_sizes(setting: Setting) -> None:
    query = "command=size&stdin=1&stdout=1&stderr=1&tty=1"
    async with execution(setting, query, "error", "stdin", "stdout", "resize") as streams:
        await streams["resize"].write(b'{"Width":80,"He')
        await streams["resize"].write(b'ight":24}\n{"Width":132,"Height":43}\n')
        seen = b""
        while b"132x43" not in seen:
            seen += await streams["stdout"].read()
        streams["stdin"].finish()
        assert (await verdict(streams))["status"] == "Success"
    assert seen == b"80x24\n132x43\n"


async def test_attach(setting: Setting) -> None:
    async with execution(setting, "stdout=1", "error", "stdout", kind="attach") as streams:
        assert await streams["stdout"].read_all(1000) == b"attached"


async def test_the_error_of_the_kubelet_is_told(setting: Setting) -> None:
    async with execution(setting, "command=lost&stdout=1", "error", "stdout") as streams:
        assert (await verdict(streams))["code"] == 404


async def test_a_client_that_goes_away_ends_the_process(setting: Setting) -> None:
    async with execution(setting, "command=wait&stdout=1", "error", "stdout"):
        await asyncio.wait_for(setting.kubelet.exec_begun.wait(), WAIT_S)
    await asyncio.wait_for(setting.kubelet.exec_ended.wait(), WAIT_S)


async def test_streams_that_were_not_asked_for_are_refused(setting: Setting) -> None:
    async with session(setting, f"{PODS}/p/exec?command=x&stdout=1", V4) as opened:
        for name in ("stdin", "resize", "nonsense"):
            with pytest.raises(ConnectionResetError):
                await opened_and_read(opened, {"streamtype": name})
        streams = {name: await opened.open({"streamtype": name}) for name in ("error", "stdout")}
        assert await streams["stdout"].read_all(100) == b"x"


async def test_a_client_that_opens_no_streams_is_let_go(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spdy_streams, "STREAMS_TIMEOUT_S", 0.1)
    async with session(setting, f"{PODS}/p/exec?command=x&stdout=1", V4) as opened:
        await asyncio.wait_for(opened.wait_ended(), WAIT_S)
    assert setting.kubelet.starts == []


async def test_a_client_that_speaks_no_spdy_is_let_go(setting: Setting) -> None:
    _, reader, writer = await asked(setting, f"{PODS}/p/exec?command=x&stdout=1", f"X-Stream-Protocol-Version: {V4}")
    writer.write(b"\x80\x03\x00\x01\x00\xff\xff\xff" + b"GET / HTTP/1.1\r\n\r\n")
    assert b"HTTP" not in await asyncio.wait_for(reader.read(-1), WAIT_S)
    writer.close()


@pytest.mark.parametrize(
    ("headers", "code", "says"),
    [
        ((), 400, "X-Stream-Protocol-Version is required"),
        (("X-Stream-Protocol-Version: v9",), 403, "unable to negotiate protocol"),
    ],
)
async def test_refused_upgrades(setting: Setting, headers: tuple[str, ...], code: int, says: str) -> None:
    head, reader, writer = await asked(setting, f"{PODS}/p/exec?command=x&stdout=1", *headers)
    assert head.startswith(f"HTTP/1.1 {code} ")
    body = await reader.readexactly(int(head.lower().partition("content-length: ")[2].partition("\r\n")[0]))
    assert says in json.loads(body)["message"]
    assert ("X-Accepted-Stream-Protocol-Versions: v4.channel.k8s.io" in head) == (code == 403)
    writer.close()


async def test_the_newest_protocol_that_both_speak_is_chosen(setting: Setting) -> None:
    offers = [f"X-Stream-Protocol-Version: {each}" for each in ("v5.channel.k8s.io", V4, V1)]
    head, _, writer = await asked(setting, f"{PODS}/p/exec?command=x&stdout=1", *offers)
    assert "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n" in head
    writer.close()


# Port forwarding


@asynccontextmanager
async def forwarding(setting: Setting, *, tunnelled: bool) -> AsyncIterator[Session]:
    path = f"{PODS}/p/portforward"
    if not tunnelled:
        async with session(setting, path, "portforward.k8s.io") as opened:
            yield opened
        return
    async with setting.session.ws_connect(setting.server.url + path, protocols=[TUNNEL]) as socket:
        assert socket.protocol == TUNNEL
        async with Session(WebSocketLink(socket), client=True) as opened:
            yield opened


async def pair(opened: Session, number: int, port: int | str) -> tuple[Stream, Stream]:
    """The data and error streams of one connection."""
    headers = {"port": str(port), "requestid": str(number)}
    error = await opened.open({"streamtype": "error", **headers})
    error.finish()
    return await opened.open({"streamtype": "data", **headers}), error


@pytest.mark.parametrize("tunnelled", [False, True], ids=["plain", "tunnelled"])
async def test_port_forward(setting: Setting, tunnelled: bool) -> None:
    async with forwarding(setting, tunnelled=tunnelled) as opened:
        for number in range(3):
            data, error = await pair(opened, number, 8080)
            await data.write(b"hello" * 1000)
            data.finish()
            assert await data.read_all(100_000) == b"HELLO" * 1000
            assert await error.read_all(100) == b""
    assert [each.port for each in setting.kubelet.forwards] == [8080] * 3
    assert not any(each.own_address for each in setting.kubelet.forwards)


@pytest.mark.parametrize("tunnelled", [False, True], ids=["plain", "tunnelled"])
async def test_a_connection_that_fails_is_told_of_and_the_others_go_on(setting: Setting, tunnelled: bool) -> None:
    async with forwarding(setting, tunnelled=tunnelled) as opened:
        living, _ = await pair(opened, 1, 8080)
        dead, error = await pair(opened, 2, 1)
        told = await error.read_all(1000)
        assert told.startswith(b"error forwarding port 1 to pod p, uid ")
        assert told.endswith(b"connection refused")
        assert await dead.read_all(100) == b""
        await living.write(b"still")
        assert await living.read() == b"STILL"


@pytest.mark.parametrize("port", ["0", "65536", "", "http", "-1", "8080;8081"])
async def test_what_is_no_port_is_told(setting: Setting, port: str) -> None:
    async with forwarding(setting, tunnelled=False) as opened:
        _, error = await pair(opened, 1, port)
        assert b"is not a port" in await error.read_all(1000)
    assert setting.kubelet.forwards == []


async def test_streams_without_a_request_id_are_paired_by_their_numbers(setting: Setting) -> None:
    async with forwarding(setting, tunnelled=False) as opened:
        error = await opened.open({"streamtype": "error", "port": "8080"})
        error.finish()
        data = await opened.open({"streamtype": "data", "port": "8080"})
        await data.write(b"x")
        assert await data.read() == b"X"


async def test_a_second_stream_of_one_kind_is_refused(setting: Setting) -> None:
    async with forwarding(setting, tunnelled=False) as opened:
        await opened.open({"streamtype": "error", "port": "1", "requestid": "7"})
        with pytest.raises(ConnectionResetError):
            await opened_and_read(opened, {"streamtype": "error", "port": "1", "requestid": "7"})


async def test_half_a_pair_is_not_waited_for_forever(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spdy_streams, "STREAMS_TIMEOUT_S", 0.1)
    async with forwarding(setting, tunnelled=False) as opened:
        half = await opened.open({"streamtype": "data", "port": "80", "requestid": "7"})
        with pytest.raises(ConnectionResetError):
            await half.read()


async def test_an_ended_session_leaves_no_task(setting: Setting) -> None:
    before = asyncio.all_tasks()
    for tunnelled in (False, True):
        async with forwarding(setting, tunnelled=tunnelled) as opened:
            data, _ = await pair(opened, 1, 8080)
            await data.write(b"x")
            assert await data.read() == b"X"
            data.discard(spdy.Reset.CANCEL)
    for _ in range(int(WAIT_S / 0.01)):
        left = [repr(task) for task in asyncio.all_tasks() - before]
        if not any(name in each for each in left for name in ("spdy", "portforward", "node/", "_consume_request")):
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"still there: {left}")
