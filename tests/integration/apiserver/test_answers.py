"""Whole answers as they are on the wire: their heads, and what becomes of the connection."""

from __future__ import annotations

import asyncio
import json
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from tests.support.apiserver import RunningServer

PATH = "/api/v1/namespaces/default"
WAIT_S = 10.0


class Answer(NamedTuple):
    status: str
    headers: dict[str, str]
    body: bytes


class Wire:
    """A connection on which requests are written by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, server: RunningServer) -> Wire:
        return cls(*await asyncio.open_connection("127.0.0.1", server.rest_port, ssl=server.client_context()))

    def send(self, *lines: str) -> None:
        self._writer.write("\r\n".join((*lines, "Host: h", "", "")).encode())

    async def answer(self, *, has_body: bool = True) -> Answer:
        async with asyncio.timeout(WAIT_S):
            status, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await self._reader.readexactly(int(headers["content-length"])) if has_body else b""
            return Answer(status, headers, body)

    async def rest(self) -> bytes:
        async with asyncio.timeout(WAIT_S):
            return await self._reader.read()

    async def is_over(self) -> bool:
        async with asyncio.timeout(WAIT_S):
            return await self._reader.read(1) == b""

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


async def test_a_connection_serves_one_request_after_another(server: RunningServer) -> None:
    wire = await Wire.open(server)
    wire.send(f"GET {PATH} HTTP/1.1")
    first = await wire.answer()
    wire.send(f"GET {PATH} HTTP/1.1")
    wire.send(f"GET {PATH} HTTP/1.1")
    assert [(await wire.answer()).body for _ in range(2)] == [first.body, first.body]
    assert first.status == "HTTP/1.1 200 OK"
    assert first.headers["content-type"] == "application/json"
    assert "connection" not in first.headers
    now = server.assembly.clock.now()
    assert abs((parsedate_to_datetime(first.headers["date"]) - now).total_seconds()) < 60
    await wire.close()


async def test_a_connection_ends_when_its_client_says_so(server: RunningServer) -> None:
    wire = await Wire.open(server)
    wire.send(f"GET {PATH} HTTP/1.1", "Connection: close")
    answer = await wire.answer()
    assert answer.headers["connection"] == "close"
    assert b'"kind":"Namespace"' in answer.body
    assert await wire.is_over()
    await wire.close()


async def test_head_has_the_head_only(server: RunningServer) -> None:
    wire = await Wire.open(server)
    wire.send(f"GET {PATH} HTTP/1.1")
    body = (await wire.answer()).body
    wire.send(f"HEAD {PATH} HTTP/1.1")
    head = await wire.answer(has_body=False)
    assert int(head.headers["content-length"]) == len(body)
    wire.send(f"GET {PATH} HTTP/1.1")
    assert (await wire.answer()).body == body, "nothing came between"
    await wire.close()


async def test_clients_of_the_first_version(server: RunningServer) -> None:
    wire = await Wire.open(server)
    wire.send(f"GET {PATH} HTTP/1.0")
    answer = await wire.answer()
    assert answer.status == "HTTP/1.0 200 OK"
    assert b'"kind":"Namespace"' in answer.body
    assert await wire.is_over()
    await wire.close()


async def test_a_watch_of_a_client_of_the_first_version(server: RunningServer) -> None:
    wire = await Wire.open(server)
    wire.send("GET /api/v1/namespaces?watch=true&timeoutSeconds=1&allowWatchBookmarks=true HTTP/1.0")
    head, _, body = (await wire.rest()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 OK")
    events = [json.loads(line) for line in body.splitlines()]
    assert {"default", "kube-system"} <= {each["object"]["metadata"].get("name") for each in events}
    assert [each["type"] for each in events][-2:] == ["ADDED", "BOOKMARK"]
    await wire.close()
