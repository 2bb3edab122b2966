"""log, exec, attach and portforward, from the REST door to a kubelet's gRPC door."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from apiclient.client import Client
from apimachinery.kinds import (
    Container,
    DaemonEndpoint,
    Node,
    NodeAddress,
    NodeDaemonEndpoints,
    NodeStatus,
    ObjectMeta,
    Pod,
    PodSpec,
)
from apiserver.adapters import GrpcNodes
from tests.support.apiserver import RunningServer, real_api_server
from tests.support.fake_kubelet import FakeKubelet, fake_kubelet
from tests.support.throwaway_ca import ThrowawayCa

PODS = "/api/v1/namespaces/default/pods"
V4, V5 = "v4.channel.k8s.io", "v5.channel.k8s.io"
WAIT_S = 10.0


class Setting(NamedTuple):
    server: RunningServer
    session: aiohttp.ClientSession
    kubelet: FakeKubelet


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    """Pod `p` on node `n1`, whose kubelet is the fake one; pod `q` on node `n2`, whose kubelet does not answer."""
    ca = ThrowawayCa(tmp_path / "kubelets")
    files = ca.client("kube-apiserver-kubelet-client", ("system:masters",))
    async with fake_kubelet(ca) as (kubelet, port):
        nodes = GrpcNodes(ca=ca.ca.read_bytes(), certificate=files.cert.read_bytes(), key=files.key.read_bytes())
        async with real_api_server(tmp_path, nodes=nodes) as server, server.session() as session:
            client = Client(server.transport())
            for node, number in (("n1", port), ("n2", 9)):
                made = await client.create(Node(metadata=ObjectMeta(name=node)))
                made.status = NodeStatus(
                    addresses=[NodeAddress(type="InternalIP", address="127.0.0.1")],
                    daemon_endpoints=NodeDaemonEndpoints(kubelet_endpoint=DaemonEndpoint(port=number)),
                )
                await client.update_status(made)
            for name, node, count in (("p", "n1", 1), ("q", "n2", 1), ("two", "n1", 2), ("unbound", "", 1)):
                containers = [Container(name=f"c{index}", image="registry.local/busybox:1") for index in range(count)]
                spec = PodSpec(containers=containers, node_name=node)
                await client.create(Pod(metadata=ObjectMeta(name=name, namespace="default"), spec=spec))
            async with asyncio.timeout(WAIT_S * 3):
                yield Setting(server, session, kubelet)
            await client.close()


async def get(setting: Setting, path: str) -> tuple[int, str]:
    async with setting.session.get(setting.server.url + path) as response:
        return response.status, await response.text()


async def test_log(setting: Setting) -> None:
    status, text = await get(setting, f"{PODS}/p/log")
    assert (status, text) == (200, "".join(f"line {index}\n" for index in range(5)))
    (asked,) = setting.kubelet.logs
    assert (asked.container.container, asked.container.pod, asked.tail_lines) == ("c0", "p", -1)
    await get(setting, f"{PODS}/two/log?container=c1&tailLines=3&timestamps=true&limitBytes=9&sinceTime=2026-01-01T00:00:00Z")
    asked = setting.kubelet.logs[-1]
    assert (asked.container.container, asked.tail_lines, asked.timestamps, asked.limit_bytes) == ("c1", 3, True, 9)
    assert asked.since_time == "2026-01-01T00:00:00Z"


async def test_followed_log_ends_with_its_reader(setting: Setting) -> None:
    async with setting.session.get(f"{setting.server.url}{PODS}/p/log?follow=true") as response:
        seen = b""
        async for chunk in response.content.iter_any():
            seen += chunk
            if seen.count(b"more") >= 3:
                break
    await asyncio.wait_for(setting.kubelet.follower_left.wait(), WAIT_S)


async def test_a_silent_log_is_begun(setting: Setting) -> None:
    setting.kubelet.silent = True
    async with setting.session.get(f"{setting.server.url}{PODS}/p/log?follow=true") as response:
        assert response.status == 200
    await asyncio.wait_for(setting.kubelet.follower_left.wait(), WAIT_S)


@pytest.mark.parametrize(
    ("path", "code", "says"),
    [
        ("p/log?previous=true", 400, "previous terminated container not found"),
        ("p/log?container=none", 400, "container none is not valid for pod p"),
        ("two/log", 400, "a container name must be specified for pod two, choose one of: [c0 c1]"),
        ("unbound/log", 400, "does not have a host assigned"),
        ("p/log?sinceTime=yesterday", 400, "sinceTime"),
        ("p/log?tailLines=few", 400, "tailLines"),
        ("q/log", 503, "does not answer"),
        ("p/exec?command=ls&stdout=true", 400, "Upgrade request required"),
        ("p/exec?stdout=true", 400, "at least 1 command"),
        ("p/exec?command=ls", 400, "at least 1 of stdin, stdout, stderr"),
        ("p/portforward?ports=0", 400, "ports"),
    ],
)
async def test_refusals_are_statuses(setting: Setting, path: str, code: int, says: str) -> None:
    status, text = await get(setting, f"{PODS}/{path}")
    assert (status, json.loads(text)["kind"]) == (code, "Status")
    assert says in text


class Process:
    """The client's end of an exec."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.out = {1: b"", 2: b""}
        self.result: Any = None

    async def read(self, until: bytes = b"") -> None:
        """Take messages until stdout ends with `until`, or until the stream ends."""
        async for message in self.socket:
            channel, data = message.data[0], message.data[1:]
            if channel == 3:
                self.result = json.loads(data)
            else:
                self.out[channel] += data
            if until and self.out[1].endswith(until):
                return


@pytest.mark.parametrize("protocol", [V4, V5])
async def test_exec(setting: Setting, protocol: str) -> None:
    url = f"{setting.server.url}{PODS}/p/exec?command=echo&command=hi&stdout=true&stderr=true"
    async with setting.session.ws_connect(url, protocols=[protocol]) as socket:
        assert socket.protocol == protocol
        process = Process(socket)
        await process.read()
    assert (process.out[1], process.result["status"]) == (b"echo hi", "Success")
    assert list(setting.kubelet.starts[0].command) == ["echo", "hi"]


async def test_an_ended_exec_leaves_no_task(setting: Setting) -> None:
    """The client keeps its side open, as those without input do."""
    before = asyncio.all_tasks()
    url = f"{setting.server.url}{PODS}/p/exec?command=echo&command=hi&stdout=true&stderr=true"
    for _ in range(3):
        async with setting.session.ws_connect(url, protocols=[V5]) as socket:
            await Process(socket).read()

    for _ in range(int(WAIT_S / 0.01)):
        left = [repr(task) for task in asyncio.all_tasks() - before]
        if not any("_consume_request" in each or "node/" in each for each in left):
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"still there: {left}")


async def test_exit_code_is_told(setting: Setting) -> None:
    url = f"{setting.server.url}{PODS}/p/exec?command=fail&command=42&stdout=1&stderr=1"
    async with setting.session.ws_connect(url, protocols=[V5, V4]) as socket:
        process = Process(socket)
        await process.read()
    assert process.out[2] == b"no\n"
    assert process.result["reason"] == "NonZeroExitCode"
    assert process.result["details"]["causes"] == [{"reason": "ExitCode", "message": "42"}]


async def test_stdin_and_its_end(setting: Setting) -> None:
    url = f"{setting.server.url}{PODS}/p/exec?command=cat&stdin=true&stdout=true"
    async with setting.session.ws_connect(url, protocols=[V5]) as socket:
        process = Process(socket)
        await socket.send_bytes(b"\x00one\n")
        await process.read(until=b"one\n")
        await socket.send_bytes(b"\x00two\n")
        await socket.send_bytes(b"\xff\x00")
        await process.read()
    assert (process.out[1], process.result["status"]) == (b"one\ntwo\n", "Success")


async def test_terminal_size(setting: Setting) -> None:
    url = f"{setting.server.url}{PODS}/p/exec?command=size&stdin=true&stdout=true&stderr=true&tty=true"
    async with setting.session.ws_connect(url, protocols=[V5]) as socket:
        process = Process(socket)
        await socket.send_bytes(b'\x04{"Width":80,"Height":24}')
        await process.read(until=b"80x24\n")
        await socket.send_bytes(b"\xff\x00")
        await process.read()
    start = setting.kubelet.starts[0]
    assert (start.tty, start.stderr) == (True, False)


async def test_error_of_the_kubelet_ends_the_stream(setting: Setting) -> None:
    for pod, code in (("p", 404), ("q", 503)):
        url = f"{setting.server.url}{PODS}/{pod}/exec?command=lost&stdout=true"
        async with setting.session.ws_connect(url, protocols=[V5]) as socket:
            process = Process(socket)
            await process.read()
        assert process.result["code"] == code


async def test_attach(setting: Setting) -> None:
    url = f"{setting.server.url}{PODS}/p/attach?stdout=true"
    async with setting.session.ws_connect(url, protocols=[V4]) as socket:
        process = Process(socket)
        await process.read()
    assert process.out[1] == b"attached"


async def test_port_forward(setting: Setting) -> None:
    url = f"{setting.server.url}{PODS}/p/portforward?ports=8080&ports=1"
    async with setting.session.ws_connect(url, protocols=[V4]) as socket:
        opened = {(await socket.receive_bytes()) for _ in range(4)}
        assert opened >= {b"\x00\x90\x1f", b"\x01\x90\x1f", b"\x02\x01\x00", b"\x03\x01\x00"}
        await socket.send_bytes(b"\x00hello")
        got = [await socket.receive_bytes() for _ in range(2)]
    assert b"\x00HELLO" in got
    (refused,) = [each for each in got if each[0] == 3]
    assert b"connection refused" in refused


async def test_unknown_protocol_is_refused(setting: Setting) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await setting.session.ws_connect(f"{setting.server.url}{PODS}/p/exec?command=ls&stdout=1", protocols=["v9"])
    assert caught.value.status == 400


async def test_base64_variants(setting: Setting) -> None:
    url = f"{setting.server.url}{PODS}/p/exec?command=cat&stdin=true&stdout=true"
    async with setting.session.ws_connect(url, protocols=["v4.base64.channel.k8s.io"]) as socket:
        await socket.send_str("0" + base64.b64encode(b"one").decode())
        assert await socket.receive_str() == "1" + base64.b64encode(b"one").decode()
    url = f"{setting.server.url}{PODS}/p/portforward?ports=8080"
    async with setting.session.ws_connect(url, protocols=["v4.base64.channel.k8s.io"]) as socket:
        header = base64.b64encode((8080).to_bytes(2, "little")).decode()
        assert [await socket.receive_str(), await socket.receive_str()] == [f"0{header}", f"1{header}"]
        await socket.send_str("0" + base64.b64encode(b"x").decode())
        assert await socket.receive_str() == "0" + base64.b64encode(b"X").decode()


async def test_a_client_without_a_protocol_speaks_the_oldest(setting: Setting) -> None:
    url = f"{setting.server.url}{PODS}/p/exec?command=fail&command=42&stderr=true"
    async with setting.session.ws_connect(url) as socket:
        assert await socket.receive_bytes() == b"\x02no\n"
        assert await socket.receive_bytes() == b"\x03command terminated with non-zero exit code: exit status 42"


async def test_ports_of_one_socket_do_not_wait_for_one_that_has_ended(setting: Setting) -> None:
    url = f"{setting.server.url}{PODS}/p/portforward?ports=8080,1"
    async with setting.session.ws_connect(url, protocols=[V4]) as socket:
        for _ in range(5):
            await socket.receive_bytes()
        for _ in range(100):
            await socket.send_bytes(b"\x02lost")
        await socket.send_bytes(b"\x00kept")
        assert await socket.receive_bytes() == b"\x00KEPT"


async def test_ports_are_named_or_refused(setting: Setting) -> None:
    for query in ("", "?" + "&".join(f"ports={port}" for port in range(1, 40))):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await setting.session.ws_connect(f"{setting.server.url}{PODS}/p/portforward{query}", protocols=[V4])
        assert caught.value.status == 400
