"""What the server says about itself over REST: discovery in both forms, OpenAPI, health, metrics."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from apimachinery.resources import TABLE
from tests.support.apiserver import RunningServer, real_api_server

AGGREGATED = "application/json;v=v2;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList"
PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
Get = Callable[..., Any]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with real_api_server(tmp_path) as server:
        yield server


@pytest.fixture
async def get(running: RunningServer) -> AsyncIterator[Get]:
    """`await get(path, Header_Name=...)`: status, headers and bytes."""
    async with running.session() as session:

        async def call(path: str, method: str = "GET", **headers: str) -> tuple[int, Any, bytes]:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            url = running.url + path
            async with session.request(method, url, headers=named, allow_redirects=False) as response:
                return response.status, response.headers, await response.read()

        yield call


async def test_aggregated_discovery(get: Get) -> None:
    found = {}
    for path in ("/api", "/apis"):
        status, headers, body = await get(path, Accept=f"{AGGREGATED},application/json")
        assert status == 200
        assert headers["Content-Type"] == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        assert headers["Vary"] == "Accept"
        document = json.loads(body)
        assert (document["kind"], document["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
        for group in document["items"]:
            for version in group["versions"]:
                for resource in version["resources"]:
                    kind = resource["responseKind"]
                    assert (kind["group"], kind["version"]) == (group["metadata"].get("name", ""), version["version"])
                    found[kind["group"], kind["version"], resource["resource"]] = resource
    assert set(found) == {(row.group, row.version, row.plural) for row in TABLE.rows}
    pods = found["", "v1", "pods"]
    assert (pods["scope"], pods["singularResource"], pods["shortNames"]) == ("Namespaced", "pod", ["po"])
    eviction = next(each for each in pods["subresources"] if each["subresource"] == "eviction")
    assert eviction["responseKind"] == {"group": "policy", "version": "v1", "kind": "Eviction"}


async def test_aggregated_discovery_of_the_older_version(get: Get) -> None:
    _, headers, body = await get("/apis", Accept=AGGREGATED.replace("v=v2", "v=v2beta1"))
    assert json.loads(body)["apiVersion"] == "apidiscovery.k8s.io/v2beta1"
    assert "v=v2beta1" in headers["Content-Type"]


async def test_discovery_falls_back(get: Get) -> None:
    unknown = AGGREGATED.replace("v=v2", "v=v9")
    assert json.loads((await get("/apis", Accept=f"{unknown},application/json"))[2])["kind"] == "APIGroupList"
    assert (await get("/apis", Accept=unknown))[0] == 406
    assert json.loads((await get("/api", Accept="application/json"))[2])["kind"] == "APIVersions"
    assert json.loads((await get("/apis/apps/v1", Accept=f"{AGGREGATED},*/*"))[2])["kind"] == "APIResourceList"
    assert json.loads((await get("/apis/apps"))[2])["preferredVersion"]["groupVersion"] == "apps/v1"
    assert (await get("/apis/nothing.example"))[0] == 404
    assert (await get("/apis", method="POST"))[0] == 405


@pytest.mark.parametrize("path", ["/apis", "/openapi/v2", "/openapi/v3", "/openapi/v3/api/v1"])
async def test_who_has_it_is_not_sent_it_again(get: Get, path: str) -> None:
    accept = f"{AGGREGATED},application/json"
    status, headers, body = await get(path, Accept=accept)
    assert (status, bool(body)) == (200, True)
    tag = headers["ETag"]
    assert re.fullmatch(r'"[0-9A-F]{64}"', tag)
    status, headers, body = await get(path, Accept=accept, If_None_Match=f'"other", W/{tag}')
    assert (status, headers["ETag"], body) == (304, tag, b"")
    assert (await get(path, Accept=accept, If_None_Match='"other"'))[0] == 200


async def test_openapi_v3_by_its_hash(get: Get) -> None:
    index = json.loads((await get("/openapi/v3"))[2])["paths"]
    assert set(index) == {f"apis/{row.api_version}" if row.group else f"api/{row.version}" for row in TABLE.rows}
    for place, entry in index.items():
        status, headers, body = await get(entry["serverRelativeURL"])
        assert (status, headers["Cache-Control"]) == (200, "public, immutable")
        assert "GMT" in headers["Expires"]
        document = json.loads(body)
        assert document["openapi"].startswith("3.0")
        assert all(path.startswith(f"/{place}/") for path in document["paths"])
    status, headers, _ = await get("/openapi/v3/apis/apps/v1?hash=OLD")
    assert (status, headers["Location"]) == (301, index["apis/apps/v1"]["serverRelativeURL"])
    status, headers, _ = await get("/openapi/v3/apis/apps/v1")
    assert (status, "Cache-Control" in headers) == (200, False)
    assert (await get("/openapi/v3/apis/nothing/v1"))[0] == 404
    assert (await get("/openapi/v3/api/v1", Accept="application/com.github.proto-openapi.spec.v3@v1.0+protobuf"))[0] == 406


async def test_openapi_v2_in_both_forms(get: Get) -> None:
    status, headers, body = await get("/openapi/v2", Accept=f"{PROTOBUF},*/*")
    assert (status, headers["Content-Type"]) == (200, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
    assert body.startswith(b"\x0a\x032.0")
    status, headers, body = await get("/openapi/v2")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(body)["swagger"] == "2.0"
    assert (await get("/openapi/v2", Accept="text/html"))[0] == 406


async def test_health(get: Get) -> None:
    for path in ("/healthz", "/livez", "/readyz", "/livez/ping", "/readyz/etcd", "/readyz/watch-cache", "/readyz/shutdown"):
        assert (await get(path))[::2] == (200, b"ok"), path
    for path in ("/livez/etcd", "/readyz/nothing", "/healthzz"):
        assert (await get(path))[0] == 404, path
    verbose = (await get("/readyz?verbose"))[2].decode()
    assert verbose == "[+]ping ok\n[+]etcd ok\n[+]watch-cache ok\n[+]shutdown ok\nreadyz check passed\n"
    excluded = (await get("/healthz?verbose&exclude=etcd&exclude=nothing"))[2].decode().splitlines()
    assert excluded[1] == "[+]etcd excluded: ok"
    assert excluded[-2:] == ['warn: some health checks cannot be excluded: no matches for "nothing"', "healthz check passed"]


async def test_health_of_a_server_whose_storage_is_gone(running: RunningServer, get: Get) -> None:
    await running.assembly.storage.close()
    assert (await get("/livez"))[0] == 200
    status, _, body = await get("/readyz")
    assert status == 500
    assert "[-]etcd failed: the storage does not answer\n" in body.decode()
    assert body.decode().endswith("readyz check failed\n")
    assert (await get("/readyz/etcd"))[::2] == (500, b"internal server error: the storage does not answer\n")
    assert (await get("/readyz?exclude=etcd"))[0] == 200


async def test_metrics(running: RunningServer, get: Get) -> None:
    await get("/api/v1/namespaces")
    await get("/api/v1/namespaces/nothing")
    async with running.session() as session:
        watch: aiohttp.ClientResponse = await session.get(running.url + "/api/v1/pods?watch=1&resourceVersion=0")
        text = (await get("/metrics"))[2].decode()
        watch.close()
    for sample in (
        'apiserver_request_total{code="200",group="",resource="namespaces",subresource="",verb="list"} 1.0',
        'apiserver_request_duration_seconds_count{group="",resource="namespaces",subresource="",verb="list"} 1.0',
        'apiserver_registered_watchers{group="",resource="pods"} 1.0',
        'apiserver_current_inflight_requests{request_kind="readOnly"} 0.0',
    ):
        assert f"{sample}\n" in text
    for name in (
        'etcd_request_duration_seconds_count{operation="create"}',
        'etcd_request_duration_seconds_count{operation="revision"}',
        'apiserver_watch_cache_read_wait_seconds_count{group="",resource="namespaces"}',
        'apiserver_watch_cache_revision{group="",resource="namespaces"}',
        "process_resident_memory_bytes",
    ):
        value = float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE).group(1))  # type: ignore[union-attr]
        assert value > 0, name
    assert "nothing" not in text, "names of objects are no labels"
