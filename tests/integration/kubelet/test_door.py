"""The Node service over real gRPC: logs, commands, port forwarding, figures, on a real containerd."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from component_base.config import HealthConfig
from component_base.health import HealthServer
from kubelet.adapters.log_files import LogFiles
from kubelet.adapters.machine import LocalMachine
from kubelet.adapters.pod_dialer import dial
from kubelet.adapters.spdy import SpdyStreams
from kubelet.door import NodeAddresses, NodeService
from proto.gen import node_pb2 as pb
from proto.gen import node_pb2_grpc
from tests.support.kubelet_node import TestNode, eventually, until

OnNode = Callable[[Callable[[TestNode], object]], None]


@asynccontextmanager
async def door(node: TestNode, addresses: NodeAddresses | None = None) -> AsyncIterator[Any]:
    """A stub of the node's service, over a unix socket."""
    assert node.kubelet is not None
    assert node.runtime is not None
    service = NodeService(
        node.kubelet.manager,
        node.runtime,
        SpdyStreams(node.runtime),
        LogFiles(str(node.logs)),
        dial,
        LocalMachine(str(node.root)),
        node.clock,
        addresses=addresses or NodeAddresses(),
        trusted=True,
    )
    server = grpc.aio.server()
    node_pb2_grpc.add_NodeServicer_to_server(service, server)
    address = f"unix:{node.containerd.folder}/door.sock"
    server.add_insecure_port(address)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            yield node_pb2_grpc.NodeStub(channel)
    finally:
        await server.stop(0)


def named(pod: str, container: str = "") -> pb.ContainerName:
    return pb.ContainerName(namespace="default", pod=pod, container=container)


async def logs(stub: Any, pod: str, **options: Any) -> str:
    options.setdefault("tail_lines", -1)
    request = pb.LogsRequest(container=named(pod), **options)
    return b"".join([chunk.data async for chunk in stub.Logs(request)]).decode()


async def execute(stub: Any, pod: str, command: list[str], stdin: bytes | None = None, **options: Any) -> tuple[str, str, int]:
    """Output, error output and exit code."""

    async def inputs() -> AsyncIterator[pb.StreamInput]:
        yield pb.StreamInput(
            start=pb.StreamStart(
                container=named(pod), command=command, stdin=stdin is not None, stdout=True, stderr=True, **options
            )
        )
        if stdin is not None:
            yield pb.StreamInput(stdin=stdin)
            yield pb.StreamInput(stdin_closed=True)

    out, err, code = b"", b"", -1
    async for message in stub.Exec(inputs()):
        out += message.stdout
        err += message.stderr
        if message.WhichOneof("message") == "exit_code":
            code = message.exit_code
    return out.decode(), err.decode(), code


def test_logs(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        script = (
            "for i in 1 2 3 4 5; do echo line $i; done; sleep 0.1; echo oops >&2; "
            "while [ ! -e /go ]; do sleep 0.05; done; echo end"
        )
        await node.create(
            "p", restartPolicy="Never", containers=[{"name": "c", "image": "busybox:1", "command": ["/bin/sh", "-c", script]}]
        )
        await node.phase("p", "Running")
        async with door(node) as stub:
            whole = "".join(f"line {n}\n" for n in range(1, 6)) + "oops\n"

            async def all_is_there() -> bool:
                return await logs(stub, "p") == whole

            await eventually(all_is_there, what="the log")
            assert await logs(stub, "p", tail_lines=2) == "line 5\noops\n"
            assert await logs(stub, "p", tail_lines=0) == ""
            assert await logs(stub, "p", limit_bytes=9) == "line 1\nli"
            stamped = (await logs(stub, "p", timestamps=True, tail_lines=1)).split(" ", 1)
            assert stamped[1] == "oops\n"
            assert await logs(stub, "p", since_time="2999-01-01T00:00:00Z") == ""
            async with asyncio.timeout(20):
                following = aiter(stub.Logs(pb.LogsRequest(container=named("p"), follow=True, tail_lines=1)))
                seen = (await anext(following)).data
                await node.output("p", "touch", "/go")
                assert seen + b"".join([chunk.data async for chunk in following]) == b"oops\nend\n"
            with pytest.raises(grpc.aio.AioRpcError, match="previous terminated container"):
                await logs(stub, "p", previous=True)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await logs(stub, "nobody")
            assert caught.value.code() == grpc.StatusCode.NOT_FOUND
            assert any(name == "coxswain-status-bin" for name, _ in caught.value.trailing_metadata())

    on_node(scenario)


def test_log_that_is_a_link_serves_nothing(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        await node.create("p")
        pod = await node.phase("p", "Running")
        (log,) = (node.logs / f"default_p_{pod.metadata.uid}").rglob("0.log")
        log.unlink()
        log.symlink_to("/etc/passwd")
        async with door(node) as stub:
            assert await logs(stub, "p") == ""

    on_node(scenario)


def test_exec(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        await node.create("p")
        await node.phase("p", "Running")
        async with door(node) as stub:
            assert await execute(stub, "p", ["echo", "hi"]) == ("hi\n", "", 0)
            assert await execute(stub, "p", ["sh", "-c", "echo no >&2; exit 9"]) == ("", "no\n", 9)
            assert await execute(stub, "p", ["cat"], b"through the pipe") == ("through the pipe", "", 0)
            large = b"x" * 300_000
            assert await execute(stub, "p", ["wc", "-c"], large) == ("300000\n", "", 0)
            for _ in range(5):
                out, _, code = await execute(stub, "p", ["sh", "-c", "head -c 3000000 /dev/zero; exit 3"])
                assert (len(out), code) == (3_000_000, 3)
            assert (await execute(stub, "p", ["tty"], tty=True))[0].strip().startswith("/dev/pts")
            with pytest.raises(grpc.aio.AioRpcError):
                await execute(stub, "p", ["no-such-command"])

    on_node(scenario)


def test_port_forward_reaches_loopback_of_the_pod(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        server = ["httpd", "-f", "-p", "127.0.0.1:9000", "-h", "/etc"]
        await node.create("p", containers=[{"name": "c", "image": "busybox:1", "command": server}])
        await node.phase("p", "Running")

        async def listens() -> bool:
            return ":9000" in await node.output("p", "netstat", "-ltn")

        await eventually(listens, what="the server to listen")
        async with door(node) as stub:

            async def inputs() -> AsyncIterator[pb.PortForwardData]:
                request = b"GET /hosts HTTP/1.0\r\n\r\n"
                yield pb.PortForwardData(pod=named("p"), port=9000, data=request)
                await asyncio.sleep(1)

            answer = b"".join([message.data async for message in stub.PortForward(inputs())])
            assert b"200 OK" in answer
            assert b"localhost" in answer

    on_node(scenario)


def test_port_forward_reaches_the_pods_own_address_and_the_kubelets_health(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        server = ["sh", "-c", "exec httpd -f -p $(hostname -i):9001 -h /etc"]
        await node.create("p", containers=[{"name": "c", "image": "busybox:1", "command": server}])
        await node.phase("p", "Running")

        async def listens() -> bool:
            return ":9001" in await node.output("p", "netstat", "-ltn")

        await eventually(listens, what="the server to listen")
        health = HealthServer(HealthConfig(port=19001), {})
        async with health, door(node, NodeAddresses(health_port=19001)) as stub:
            for first, path, says in (
                (pb.PortForwardData(pod=named("p"), port=9001, own_address=True), b"/hosts", b"localhost"),
                (pb.PortForwardData(port=19001), b"/healthz", b"ok"),
                (pb.PortForwardData(), b"/healthz", b"ok"),
            ):
                first.data = b"GET " + path + b" HTTP/1.0\r\n\r\n"
                call = stub.PortForward()
                await call.write(first)
                answer = b"".join([message.data async for message in call])
                assert b"200 OK" in answer
                assert says in answer
            call = stub.PortForward()
            await call.write(pb.PortForwardData(pod=named("p"), port=9001))
            with pytest.raises(grpc.aio.AioRpcError, match=r"[Cc]onnection refused"):
                await call.read()

    on_node(scenario)


def test_stats(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        await node.create("p")
        await node.phase("p", "Running")
        async with door(node) as stub:
            replies: list[pb.StatsReply] = []

            async def look() -> None:
                replies.append(await stub.Stats(pb.StatsRequest()))

            await look()
            await until(lambda: True)
            (pod,) = replies[-1].pods
            assert (pod.namespace, pod.name) == ("default", "p")
            assert pod.containers[0].name == "c"
            assert pod.containers[0].memory_working_set_bytes > 0
            assert replies[-1].node_memory_working_set_bytes > 0

    on_node(scenario)
