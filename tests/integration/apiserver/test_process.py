"""The process: readiness, inherited sockets, stopping in order, starting again on what is stored."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import yaml

from apiclient.client import Client
from apiclient.grpc_transport import GrpcTransport
from apimachinery.errors import ApiError
from apimachinery.kinds import ConfigMap, Namespace, ObjectMeta
from tests.support.etcd import Etcd, free_ports
from tests.support.throwaway_ca import ThrowawayCa

READY_S = 20.0
STOP_S = 15.0


class Process(NamedTuple):
    process: asyncio.subprocess.Process
    url: str
    inherited_url: str
    session: aiohttp.ClientSession
    transport: GrpcTransport


@asynccontextmanager
async def apiserver(directory: Path, storage: dict[str, Any], ports: list[int]) -> AsyncIterator[Process]:
    """`python -m apiserver` until it is ready; killed at the end if it still runs."""
    ca = ThrowawayCa(directory / "pki")
    serving, admin = ca.server("kube-apiserver"), ca.client("kubernetes-admin", ("system:masters",))
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(directory / "notify"))
    notify.setblocking(False)
    inherited = socket.create_server(("127.0.0.1", 0))
    config = {
        "apiVersion": "coxswain.dev/v1",
        "kind": "ApiServerConfiguration",
        "rest": {"address": "127.0.0.1", "port": ports[0], "listenFds": [inherited.fileno()]},
        "grpc": {"address": "127.0.0.1", "port": ports[1]},
        "tls": {"certFile": str(serving.cert), "keyFile": str(serving.key), "clientCaFile": str(ca.ca)},
        "storage": storage,
        "serviceCidr": "10.96.0.0/16",
        "nodePortRange": "30000-32767",
        "kubeletClient": {"caFile": str(ca.ca), "certFile": str(admin.cert), "keyFile": str(admin.key)},
        "advertiseAddress": "172.31.255.2",
        "eventTtlSeconds": 3600,
        "defaultTolerationSeconds": 5,
    }
    path = directory / "apiserver.yaml"
    path.write_text(yaml.safe_dump(config))
    with (directory / "apiserver.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "apiserver", "--config", str(path),
            env={**os.environ, "NOTIFY_SOCKET": str(directory / "notify")},
            pass_fds=[inherited.fileno()], stderr=log,
        )  # fmt: skip
    transport = GrpcTransport([f"127.0.0.1:{ports[1]}"], ca_file=str(ca.ca), cert_file=str(admin.cert), key_file=str(admin.key))
    context = ssl.create_default_context(cafile=str(ca.ca))
    context.load_cert_chain(admin.cert, admin.key)
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))
    try:
        message = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(notify, 100), READY_S)
        assert message == b"READY=1"
        inherited_url = f"https://127.0.0.1:{inherited.getsockname()[1]}"
        inherited.close()
        yield Process(process, f"https://127.0.0.1:{ports[0]}", inherited_url, session, transport)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await session.close()
        await transport.close()
        notify.close()
        (directory / "notify").unlink()


async def test_serves_when_ready_and_finishes_what_it_accepted(tmp_path: Path) -> None:
    async with apiserver(tmp_path, {"backend": "memory"}, free_ports(2)) as server:
        for url in (server.url, server.inherited_url):
            async with server.session.get(url + "/readyz") as response:
                assert (response.status, await response.text()) == (200, "ok")
        client = Client(server.transport)
        await client.create(ConfigMap(metadata=ObjectMeta(name="a", namespace="default")))
        watch = await server.session.get(server.url + "/api/v1/configmaps?watch=1&resourceVersion=0")
        event = json.loads(await watch.content.readline())
        assert event["object"]["metadata"]["name"] == "a"
        writes = [
            asyncio.create_task(client.create(ConfigMap(metadata=ObjectMeta(name=f"w{index}", namespace="default"))))
            for index in range(50)
        ]
        await asyncio.sleep(0)
        await writes[0]
        server.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(server.process.wait(), STOP_S) == 0
        rest = await watch.content.read()  # raises unless the watch was ended in order
        assert all(json.loads(line)["type"] == "ADDED" for line in rest.splitlines())
        results = await asyncio.gather(*writes, return_exceptions=True)
        assert {each.code for each in results if isinstance(each, ApiError)} <= {503}
        assert not [each for each in results if isinstance(each, BaseException) and not isinstance(each, ApiError)]
    assert "Traceback" not in (tmp_path / "apiserver.log").read_text()


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, shared_etcd: Etcd) -> None:
    storage = {"backend": "etcd", "endpoints": [shared_etcd.endpoint], "prefix": f"/registry-{tmp_path.name}"}
    ports = free_ports(2)
    async with apiserver(tmp_path, storage, ports) as server:
        client = Client(server.transport)
        acknowledged: list[str] = []
        enough = asyncio.Event()

        async def write(worker: int) -> None:
            for index in range(1000):
                made = await client.create(ConfigMap(metadata=ObjectMeta(name=f"c{worker}-{index}", namespace="default")))
                acknowledged.append(made.metadata.name)
                if len(acknowledged) == 50:
                    enough.set()

        workers = [asyncio.create_task(write(worker)) for worker in range(4)]
        await enough.wait()
        server.process.kill()
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    async with apiserver(tmp_path, storage, ports) as server:
        client = Client(server.transport)
        found = {each.metadata.name for each in (await client.list(ConfigMap, "default")).items}
        assert set(acknowledged) <= found
        assert (await client.get(Namespace, "default")).metadata.creation_timestamp
