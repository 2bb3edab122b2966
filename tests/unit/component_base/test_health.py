"""Health and metrics over a real socket on loopback."""

import asyncio
import socket

import pytest
from prometheus_client import CollectorRegistry, Counter

from component_base.config import HealthConfig
from component_base.health import Check, HealthServer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def ask(port: int, request: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{request}\r\nHost: x\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]), body


BROKEN: dict[str, Check] = {"ping": lambda: None, "sync": lambda: "not yet"}
ANSWERS = (
    ("healthy", {}, "GET /healthz HTTP/1.1", 200, "ok"),
    ("unhealthy names the check", BROKEN, "GET /readyz HTTP/1.1", 500, "[-]sync failed: not yet"),
    ("verbose lists the checks", {"ping": lambda: None}, "GET /livez?verbose HTTP/1.1", 200, "[+]ping ok"),
    ("metrics", {}, "GET /metrics HTTP/1.1", 200, "things_total 3.0"),
    ("another path", {}, "GET /secrets HTTP/1.1", 404, "not found"),
    ("another method", {}, "POST /healthz HTTP/1.1", 405, "only GET"),
)


@pytest.mark.parametrize(("name", "checks", "request_", "status", "said"), ANSWERS, ids=[row[0] for row in ANSWERS])
async def test_answers(name: str, checks: dict[str, Check], request_: str, status: int, said: str) -> None:
    registry, port = CollectorRegistry(), free_port()
    Counter("things", "Things.", registry=registry).inc(3)
    async with HealthServer(HealthConfig(port=port), checks, registry):
        got, body = await ask(port, request_)
    assert got == status
    assert said in body


async def test_port_zero_serves_nothing() -> None:
    async with HealthServer(HealthConfig(), {}) as server:
        assert server._server is None


async def test_an_endless_request_is_cut_off() -> None:
    port = free_port()
    async with HealthServer(HealthConfig(port=port), {}):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /" + b"a" * 100_000)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
