"""Answers as YAML, and compressed: for objects, lists, tables, discovery and refusals."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
import yaml

from apiserver.doors.encoding import COMPRESSED_BYTES_MIN, accepts_gzip, as_json
from tests.support.apiserver import RunningServer, real_api_server

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "as=Table;v=v1;g=meta.k8s.io"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with real_api_server(tmp_path) as server:
        yield server


class Got(NamedTuple):
    status: int
    headers: Any
    body: bytes


@pytest.fixture
async def get(running: RunningServer) -> AsyncIterator[Any]:
    """`await get(path, accept, encoding)`: nothing is decompressed on the way."""
    connector = aiohttp.TCPConnector(ssl=running.client_context())
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

        async def get(path: str, accept: str = "*/*", encoding: str = "", method: str = "GET", body: Any = None) -> Got:
            headers = {"Accept": accept, "Accept-Encoding": encoding}
            async with session.request(method, running.url + path, headers=headers, json=body) as response:
                return Got(response.status, response.headers, await response.read())

        yield get


async def make(get: Any, name: str, **data: str) -> None:
    made = await get(CONFIG_MAPS, method="POST", body={"metadata": {"name": name}, "data": data})
    assert made.status == 201


async def test_yaml(get: Any) -> None:
    texts = {"a": "yes", "b": "007", "c": "two\nlines\n", "d": "2026-01-01", "e": "1e3", "f": "ä: #", "g": ""}
    await make(get, "words", **texts)
    for path in (f"{CONFIG_MAPS}/words", CONFIG_MAPS, "/api/v1", "/apis", "/api/v1/namespaces/default", "/version"):
        plain = await get(path)
        shown = await get(path, "application/yaml")
        assert (shown.status, shown.headers["Content-Type"].partition(";")[0]) == (200, "application/yaml"), path
        assert yaml.safe_load(shown.body) == json.loads(plain.body)
    assert b'a: "yes"\n' in (await get(f"{CONFIG_MAPS}/words", "application/yaml")).body
    table = await get(CONFIG_MAPS, f"application/yaml;{TABLE},application/json")
    assert yaml.safe_load(table.body)["kind"] == "Table"
    made = await get(CONFIG_MAPS, "application/yaml", method="POST", body={"metadata": {"name": "more"}})
    assert (made.status, yaml.safe_load(made.body)["metadata"]["name"]) == (201, "more")
    missing = await get(f"{CONFIG_MAPS}/nobody", "application/yaml")
    assert (missing.status, yaml.safe_load(missing.body)["reason"]) == (404, "NotFound")


async def test_who_gets_json(get: Any) -> None:
    for accept in ("application/json, application/yaml", "application/yaml;q=0.5, application/json", "*/*", "application/*"):
        assert (await get("/api/v1/nodes", accept)).headers["Content-Type"].startswith("application/json"), accept
    assert (await get("/api/v1/nodes", "application/xml")).status == 406
    # a watch is a stream of JSON; who can read nothing else than YAML is told so
    assert (await get("/api/v1/nodes?watch=1&timeoutSeconds=1", "application/yaml")).status == 406


async def test_compression(get: Any) -> None:
    await make(get, "small", text="x" * 1000)
    await make(get, "large", text="x" * COMPRESSED_BYTES_MIN)
    small = await get(f"{CONFIG_MAPS}/small", encoding="gzip")
    assert ("Content-Encoding" in small.headers, json.loads(small.body)["kind"]) == (False, "ConfigMap")
    for path in (f"{CONFIG_MAPS}/large", CONFIG_MAPS, "/openapi/v2"):
        plain = await get(path)
        assert "Content-Encoding" not in plain.headers
        packed = await get(path, encoding="gzip, deflate")
        assert (packed.headers["Content-Encoding"], packed.headers["Content-Length"]) == ("gzip", str(len(packed.body)))
        assert len(packed.body) < len(plain.body) / 4
        assert gzip.decompress(packed.body) == plain.body
        assert "Accept-Encoding" in ",".join(packed.headers.getall("Vary"))
    both = await get(f"{CONFIG_MAPS}/large", "application/yaml", "gzip")
    assert yaml.safe_load(gzip.decompress(both.body))["metadata"]["name"] == "large"
    refused = await get(f"{CONFIG_MAPS}/large", encoding="gzip;q=0, identity")
    assert "Content-Encoding" not in refused.headers


@pytest.mark.parametrize(
    ("header", "want"),
    [
        ("gzip", True), ("gzip, deflate, br", True), ("deflate,GZIP", True), ("*", True), ("gzip;q=0.5", True),
        ("gzip; q=1.0", True), ("", False), ("identity", False), ("gzip;q=0", False), ("gzip;q=0.000", False), ("br", False),
    ],
)  # fmt: skip
def test_accepted_codings(header: str, want: bool) -> None:
    assert accepts_gzip(header) is want


def test_other_headers_are_left_alone() -> None:
    assert as_json("application/yaml;as=Table, application/json") == "application/json;as=Table, application/json"
    assert as_json("application/json, application/yaml") == "application/json, application/yaml"
    assert as_json("") == ""
