"""The real process over gRPC and mutual TLS: ready, working, stopped in order, killed and replaced."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from apiclient.client import Client
from apimachinery.codec import convert
from apimachinery.kinds import Deployment, Lease, Namespace, Pod, ServiceAccount
from tests.support.apiserver import RunningServer, real_api_server

ROOT = Path(__file__).resolve().parents[3]


class Manager:
    """A `python -m controller_manager` whose readiness is awaited through the notify socket."""

    def __init__(self, server: RunningServer, directory: Path, name: str) -> None:
        cert, key = server.ca.client("system:kube-controller-manager", ())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.health_port: int = probe.getsockname()[1]
        self.config = directory / f"{name}.yaml"
        self.config.write_text(
            f"""
            apiVersion: coxswain.dev/v1
            kind: ControllerManagerConfiguration
            client: {{endpoints: ["{server.grpc_endpoint}"], caFile: {server.ca.ca}, certFile: {cert}, keyFile: {key}}}
            leaderElection: {{identity: {name}, leaseDurationSeconds: 2, renewDeadlineSeconds: 1.5, retryPeriodSeconds: 0.3}}
            health: {{port: {self.health_port}}}
            """
        )
        self._notify = directory / f"{name}.sock"
        self._log = directory / f"{name}.log"
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver, self._log.open("w") as log:
            self._notify.unlink(missing_ok=True)
            receiver.bind(str(self._notify))
            receiver.setblocking(False)
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "controller_manager",
                "--config",
                str(self.config),
                cwd=ROOT,
                env={**os.environ, "NOTIFY_SOCKET": str(self._notify)},
                stderr=log,
            )
            async with asyncio.timeout(20):
                assert await asyncio.get_running_loop().sock_recv(receiver, 100) == b"READY=1", self._log.read_text()

    async def end(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        async with asyncio.timeout(10):
            return await self.process.wait()

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}{path}", timeout=5) as answer:
            return str(answer.read().decode())


async def eventually(condition: Callable[[], Awaitable[Any]], timeout_s: float) -> float:
    began = time.monotonic()
    while not await condition():
        assert time.monotonic() - began < timeout_s, "too late"
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def test_ready_works_stops_in_order_and_is_replaced_when_killed(tmp_path: Path) -> None:
    async with real_api_server(tmp_path) as server:
        client = Client(server.transport())
        first, second = Manager(server, tmp_path, "first"), Manager(server, tmp_path, "second")
        try:
            await first.start()

            async def leads(name: str) -> bool:
                leases = (await client.list(Lease, "kube-system")).items
                return any(each.spec.holder_identity == name for each in leases)

            await eventually(lambda: leads("first"), 5)
            await second.start()  # ready although it stands by
            assert await asyncio.to_thread(first.get, "/healthz") == "ok"
            assert "workqueue_depth" in await asyncio.to_thread(first.get, "/metrics")

            await client.create(convert(Namespace, {"metadata": {"name": "team"}}))

            async def account() -> bool:
                return bool((await client.list(ServiceAccount, "team")).items)

            assert await eventually(account, 5) < 1.0

            assert await first.end(signal.SIGTERM) == 0
            await eventually(lambda: leads("second"), 2)

            template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
            spec = {"replicas": 30, "selector": {"matchLabels": {"a": "b"}}, "template": template}
            await client.create(convert(Deployment, {"metadata": {"name": "web", "namespace": "team"}, "spec": spec}))

            async def pods() -> bool:
                return len((await client.list(Pod, "team")).items) == 30

            took_s = await eventually(pods, 5)
            assert took_s < 3

            await second.end(signal.SIGKILL)
            await client.patch(Deployment, "web", "team", patch={"spec": {"replicas": 31}})
            await first.start()

            async def one_more() -> bool:
                return len((await client.list(Pod, "team")).items) == 31

            await eventually(one_more, 6)
            assert await first.end(signal.SIGTERM) == 0
        finally:
            for manager in (first, second):
                if manager.process is not None and manager.process.returncode is None:
                    manager.process.kill()
                    await manager.process.wait()
            await client.close()
