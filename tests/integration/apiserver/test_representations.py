"""Tables, metadata alone and indented JSON over REST: for objects, lists, watches and writes of every kind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from apimachinery.printing import shape_for
from apimachinery.resources import RESOURCES, Resource
from tests.support.apiserver import RunningServer, real_api_server

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
WAIT_S = 10.0


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with real_api_server(tmp_path) as server:
        yield server


@pytest.fixture
async def call(running: RunningServer) -> AsyncIterator[Any]:
    """`await call(method, path, accept, body)`: status and JSON."""
    async with running.session() as session:

        async def call(method: str, path: str, accept: str = "", body: Any = None) -> tuple[int, Any]:
            headers = {"Accept": accept} if accept else {}
            async with session.request(method, running.url + path, headers=headers, json=body) as response:
                return response.status, await response.json(content_type=None)

        yield call


async def make(call: Any, name: str, **data: str) -> Any:
    _, made = await call("POST", CONFIG_MAPS, "", {"metadata": {"name": name, "labels": {"n": name}}, "data": data})
    return made


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.qualified)
async def test_every_kind_has_a_table(call: Any, resource: Resource) -> None:
    status, table = await call("GET", resource.path(), TABLE)
    assert (status, table["kind"], table["apiVersion"]) == (200, "Table", "meta.k8s.io/v1")
    columns = [column["name"] for column in table["columnDefinitions"]]
    assert columns == [column.name for column in shape_for(resource.group, resource.kind).columns]
    assert all(len(row["cells"]) == len(columns) for row in table["rows"])
    status, listed = await call("GET", resource.path(), PARTIAL_LIST)
    assert (status, listed["kind"]) == (200, "PartialObjectMetadataList")
    assert len(listed["items"]) == len(table["rows"])


async def test_tables_of_objects_and_lists(call: Any) -> None:
    first = await make(call, "a", k="v")
    await make(call, "b", x="y")
    status, table = await call("GET", f"{CONFIG_MAPS}/a", TABLE)
    assert (status, table["metadata"]["resourceVersion"]) == (200, first["metadata"]["resourceVersion"])
    assert table["rows"][0]["cells"][:2] == ["a", 1]
    assert table["rows"][0]["object"] == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": first["metadata"],
    }
    _, table = await call("GET", f"{CONFIG_MAPS}?limit=1", TABLE)
    assert len(table["rows"]) == 1
    assert table["metadata"]["remainingItemCount"] == 1
    token = table["metadata"]["continue"]
    _, table = await call("GET", f"{CONFIG_MAPS}?limit=1&continue={token}&includeObject=Object", TABLE)
    assert table["rows"][0]["object"]["data"] == {"x": "y"}
    assert table["rows"][0]["object"]["kind"] == "ConfigMap"
    _, table = await call("GET", f"{CONFIG_MAPS}?includeObject=None", TABLE)
    assert [row["object"] for row in table["rows"]] == [None, None]
    assert (await call("GET", f"{CONFIG_MAPS}?includeObject=Some", TABLE))[0] == 400
    _, table = await call("GET", CONFIG_MAPS, TABLE.replace("v=v1", "v=v1beta1"))
    assert (table["apiVersion"], table["rows"][0]["object"]["apiVersion"]) == ("meta.k8s.io/v1beta1", "meta.k8s.io/v1beta1")


async def test_large_tables_keep_their_order(call: Any) -> None:
    await asyncio.gather(*[make(call, f"c{index:03}") for index in range(250)])
    _, table = await call("GET", CONFIG_MAPS, TABLE)
    assert [row["cells"][0] for row in table["rows"]] == [f"c{index:03}" for index in range(250)]


async def test_metadata_alone(call: Any) -> None:
    made = await make(call, "a", k="v")
    _, partial = await call("GET", f"{CONFIG_MAPS}/a", PARTIAL)
    assert partial == {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": made["metadata"]}
    _, listed = await call("GET", CONFIG_MAPS, f"application/vnd.kubernetes.protobuf,{PARTIAL_LIST},application/json")
    assert (listed["kind"], listed["items"]) == ("PartialObjectMetadataList", [partial])
    assert (await call("GET", CONFIG_MAPS, PARTIAL))[0] == 406
    assert (await call("GET", f"{CONFIG_MAPS}/a", PARTIAL_LIST))[0] == 406
    assert (await call("GET", CONFIG_MAPS, f"{PARTIAL},application/json"))[1]["kind"] == "ConfigMapList"


async def test_answers_of_writes(call: Any) -> None:
    body = {"metadata": {"name": "w"}, "data": {"k": "v"}}
    status, made = await call("POST", CONFIG_MAPS, PARTIAL, body)
    assert (status, made["kind"], made["metadata"]["name"]) == (201, "PartialObjectMetadata", "w")
    status, refused = await call("PUT", f"{CONFIG_MAPS}/w", "application/vnd.kubernetes.protobuf", body)
    assert (status, refused["reason"]) == (406, "NotAcceptable")
    _, gone = await call("DELETE", f"{CONFIG_MAPS}/w", TABLE)
    assert gone["kind"] == "Status"
    _, missing = await call("GET", f"{CONFIG_MAPS}/w", TABLE)
    assert (missing["kind"], missing["reason"]) == ("Status", "NotFound")


async def test_subresources(call: Any) -> None:
    pod = {"spec": {"containers": [{"name": "c", "image": "busybox:1"}]}}
    template = {"metadata": {"labels": {"a": "b"}}, **pod}
    spec = {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    path = "/apis/apps/v1/namespaces/default/deployments"
    await call("POST", path, "", {"metadata": {"name": "d"}, "spec": spec})
    _, table = await call("GET", f"{path}/d/status", TABLE)
    assert table["rows"][0]["cells"][:2] == ["d", "0/2"]
    _, table = await call("GET", f"{path}/d/scale", TABLE)
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Desired", "Available", "Age"]
    assert table["rows"][0]["cells"][:3] == ["d", 2, 0]


async def test_watches(running: RunningServer, call: Any) -> None:
    made = await make(call, "a", k="v")
    query = "watch&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&includeObject=Metadata"
    async with asyncio.timeout(WAIT_S), running.session() as session:
        for accept, kind in ((TABLE, "Table"), (PARTIAL, "PartialObjectMetadata")):
            async with session.get(f"{running.url}{CONFIG_MAPS}?{query}", headers={"Accept": accept}) as response:
                assert response.status == 200
                events = [json.loads(await response.content.readline()) for _ in range(2)]
            assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
            assert {event["object"]["kind"] for event in events} == {kind}
            first, end = (event["object"] for event in events)
            if kind == "Table":
                assert first["columnDefinitions"]
                assert first["rows"][0]["object"]["metadata"] == made["metadata"]
                assert first["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
                assert end["columnDefinitions"] is None, "columns are sent once"
                end = end["rows"][0]["object"]
            else:
                assert first["metadata"] == made["metadata"]
            assert end["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        async with session.get(f"{running.url}{CONFIG_MAPS}?watch", headers={"Accept": PARTIAL_LIST}) as response:
            assert response.status == 406


async def test_indented(running: RunningServer, call: Any) -> None:
    await make(call, "a")
    async with running.session() as session:
        for path in (CONFIG_MAPS, f"{CONFIG_MAPS}/a"):
            async with session.get(f"{running.url}{path}?pretty=true") as response:
                text = await response.text()
                assert '\n  "metadata": {\n    ' in text
            async with session.get(f"{running.url}{path}?pretty=false") as response:
                assert (await response.text()).count("\n") <= 1
