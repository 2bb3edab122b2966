"""Lists and watches over REST and gRPC: consistency, pages, selectors, resuming, bookmarks, 410."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from apiclient.client import Client
from apiclient.transport import EventType
from apimachinery.errors import ApiError
from apimachinery.kinds import ConfigMap, Namespace, ObjectMeta
from apiserver.app import Settings
from tests.support.apiserver import RunningServer, real_api_server

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
WAIT_S = 10.0


def body(name: str, **meta: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **meta}, "data": {}}


async def lines(response: aiohttp.ClientResponse) -> AsyncIterator[Any]:
    async for line in response.content:
        yield json.loads(line)


async def names(rest: Any, path: str) -> list[str]:
    return [each["metadata"]["name"] for each in (await rest("GET", path)).body["items"]]


async def test_list_shows_every_acknowledged_write(rest: Any) -> None:
    for index in range(5):
        await rest("POST", CONFIG_MAPS, body(f"c{index}"))
        found = (await rest("GET", CONFIG_MAPS)).body
        assert len(found["items"]) == index + 1
    assert (found["kind"], found["apiVersion"]) == ("ConfigMapList", "v1")
    assert int(found["metadata"]["resourceVersion"]) >= int(found["items"][-1]["metadata"]["resourceVersion"])


async def test_selectors(rest: Any) -> None:
    for index in range(4):
        await rest("POST", CONFIG_MAPS, body(f"c{index}", labels={"n": str(index)}))
    assert await names(rest, CONFIG_MAPS + "?labelSelector=n%20in%20(1,3)") == ["c1", "c3"]
    assert await names(rest, CONFIG_MAPS + "?labelSelector=n!%3D1,n") == ["c0", "c2", "c3"]
    assert await names(rest, CONFIG_MAPS + "?fieldSelector=metadata.name%3Dc2") == ["c2"]
    assert await names(rest, "/api/v1/configmaps?fieldSelector=metadata.namespace!%3Ddefault") == []


async def test_pages_are_one_snapshot(rest: Any) -> None:
    for index in range(7):
        await rest("POST", CONFIG_MAPS, body(f"c{index}"))
    first = (await rest("GET", CONFIG_MAPS + "?limit=3")).body
    assert first["metadata"]["remainingItemCount"] == 4
    await rest("DELETE", CONFIG_MAPS + "/c5")
    await rest("POST", CONFIG_MAPS, body("c3-new"))
    found, token = [each["metadata"]["name"] for each in first["items"]], first["metadata"]["continue"]
    while token:
        page = (await rest("GET", f"{CONFIG_MAPS}?limit=3&continue={token}")).body
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        found += [each["metadata"]["name"] for each in page["items"]]
        token = page["metadata"].get("continue", "")
    assert found == [f"c{index}" for index in range(7)]
    exact = f"{CONFIG_MAPS}?resourceVersionMatch=Exact&resourceVersion={first['metadata']['resourceVersion']}"
    assert await names(rest, exact) == found


async def test_watch_delivers_in_order_and_resumes(server: RunningServer, rest: Any) -> None:
    start = (await rest("GET", CONFIG_MAPS)).body["metadata"]["resourceVersion"]
    created = (await rest("POST", CONFIG_MAPS, body("a"))).body
    changed = (await rest("PUT", CONFIG_MAPS + "/a", {**body("a"), "data": {"k": "v"}})).body
    await rest("DELETE", CONFIG_MAPS + "/a")
    async with asyncio.timeout(WAIT_S), server.session() as session:
        url = f"{server.url}{CONFIG_MAPS}?watch=true&resourceVersion="
        async with session.get(url + start) as response:
            stream = lines(response)
            events = [await anext(stream) for _ in range(3)]
        assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
        assert [event["object"] for event in events[:2]] == [created, changed]
        last = events[2]["object"]
        assert last["data"] == {"k": "v"}
        assert int(last["metadata"]["resourceVersion"]) > int(changed["metadata"]["resourceVersion"])
        async with session.get(url + changed["metadata"]["resourceVersion"]) as response:
            assert await anext(lines(response)) == events[2]


async def test_watch_selection_turns_changes_into_comings_and_goings(server: RunningServer, rest: Any) -> None:
    start = (await rest("GET", CONFIG_MAPS)).body["metadata"]["resourceVersion"]
    for labels in ({"on": "no"}, {"on": "yes"}, {"on": "yes", "x": "y"}, {"on": "no"}):
        merge = {"metadata": {"labels": labels}}
        if labels == {"on": "no"} and (await rest("GET", CONFIG_MAPS + "/a")).status == 404:
            await rest("POST", CONFIG_MAPS, body("a", labels=labels))
        else:
            await rest("PATCH", CONFIG_MAPS + "/a", merge, Content_Type="application/merge-patch+json")
    async with asyncio.timeout(WAIT_S), server.session() as session:
        url = f"{server.url}{CONFIG_MAPS}?watch=1&labelSelector=on%3Dyes&resourceVersion={start}"
        async with session.get(url) as response:
            stream = lines(response)
            assert [(await anext(stream))["type"] for _ in range(3)] == ["ADDED", "MODIFIED", "DELETED"]


async def test_initial_events_end_with_a_bookmark(server: RunningServer, rest: Any) -> None:
    await rest("POST", CONFIG_MAPS, body("a"))
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    url = f"{server.url}{CONFIG_MAPS}?{query}"
    async with asyncio.timeout(WAIT_S), server.session() as session, session.get(url) as response:
        stream = lines(response)
        assert (await anext(stream))["object"]["metadata"]["name"] == "a"
        end = await anext(stream)
    assert end["type"] == "BOOKMARK"
    assert end["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_watch_from_too_long_ago(tmp_path: Path) -> None:
    async with real_api_server(tmp_path, settings=Settings(watch_history_changes=4)) as server:
        client = Client(server.transport())
        first = await client.create(ConfigMap(metadata=ObjectMeta(name="c0", namespace="default")))
        for index in range(1, 10):
            await client.create(ConfigMap(metadata=ObjectMeta(name=f"c{index}", namespace="default")))
        revision = first.metadata.resource_version
        url = f"{server.url}{CONFIG_MAPS}?watch=1&resourceVersion={revision}"
        async with asyncio.timeout(WAIT_S), server.session() as session, session.get(url) as response:
            event = await anext(lines(response))
        assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
        with pytest.raises(ApiError) as caught:
            await anext(aiter(client.watch(ConfigMap, "default", resource_version=revision)))
        assert (caught.value.code, caught.value.reason) == (410, "Expired")
        await client.close()


async def test_bookmarks_say_that_initial_events_end_only_when_they_were_asked_for(server: RunningServer, rest: Any) -> None:
    await rest("POST", CONFIG_MAPS, body("a"))
    url = f"{server.url}{CONFIG_MAPS}?watch=1&allowWatchBookmarks=true"
    async with asyncio.timeout(WAIT_S), server.session() as session, session.get(url) as response:
        stream = lines(response)
        assert (await anext(stream))["type"] == "ADDED"
        bookmark = await anext(stream)
    assert (bookmark["type"], list(bookmark["object"]["metadata"])) == ("BOOKMARK", ["resourceVersion"])


async def test_watch_without_initial_events(server: RunningServer, rest: Any) -> None:
    await rest("POST", CONFIG_MAPS, body("old"))
    url = f"{server.url}{CONFIG_MAPS}?watch&sendInitialEvents=false&resourceVersionMatch=NotOlderThan"
    async with asyncio.timeout(WAIT_S), server.session() as session, session.get(url) as response:
        await rest("POST", CONFIG_MAPS, body("new"))
        assert (await anext(lines(response)))["object"]["metadata"]["name"] == "new"


async def test_pages_whose_snapshot_is_gone(tmp_path: Path) -> None:
    async with real_api_server(tmp_path, settings=Settings(watch_history_changes=2)) as server, server.session() as session:

        async def call(path: str, made: Any = None) -> Any:
            method = "GET" if made is None else "POST"
            async with session.request(method, server.url + path, json=made) as response:
                return response.status, await response.json()

        for index in range(4):
            await call(CONFIG_MAPS, body(f"c{index}"))
        _, first = await call(CONFIG_MAPS + "?limit=2")
        revision = first["metadata"]["resourceVersion"]
        for index in range(4, 9):
            await call(CONFIG_MAPS, body(f"c{index}"))
        storage = server.assembly.storage
        await storage.compact(await storage.current_revision())
        status, refused = await call(f"{CONFIG_MAPS}?limit=2&continue={first['metadata']['continue']}")
        assert (status, refused["reason"]) == (410, "Expired")
        _, rest_of_it = await call(f"{CONFIG_MAPS}?limit=3&continue={refused['metadata']['continue']}")
        assert [each["metadata"]["name"] for each in rest_of_it["items"]] == ["c2", "c3", "c4"]
        assert int(rest_of_it["metadata"]["resourceVersion"]) > int(revision), "it is as of now"
        _, last = await call(f"{CONFIG_MAPS}?continue={rest_of_it['metadata']['continue']}")
        assert [each["metadata"]["name"] for each in last["items"]] == ["c5", "c6", "c7", "c8"]
        status, refused = await call(f"{CONFIG_MAPS}?resourceVersionMatch=Exact&resourceVersion={revision}")
        assert (status, refused["message"]) == (410, "The resourceVersion for the provided list is too old.")
        assert "continue" not in refused["metadata"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("resourceVersionMatch=Exact", "resourceVersionMatch"),
        ("resourceVersionMatch=Exact&resourceVersion=0", "resourceVersionMatch"),
        ("resourceVersionMatch=Sometimes&resourceVersion=1", "resourceVersionMatch"),
        ("sendInitialEvents=true", "sendInitialEvents"),
        ("watch&sendInitialEvents=true", "resourceVersionMatch"),
        ("watch&resourceVersionMatch=NotOlderThan&resourceVersion=1", "resourceVersionMatch"),
    ],
)
async def test_parameters_that_do_not_go_together(rest: Any, query: str, field: str) -> None:
    answer = await rest("GET", f"{CONFIG_MAPS}?{query}")
    assert (answer.status, answer.body["reason"], answer.body["details"]["kind"]) == (422, "Invalid", "ListOptions")
    assert [cause["field"] for cause in answer.body["details"]["causes"]] == [field]


async def test_a_limit_is_kept_whatever_the_version(rest: Any) -> None:
    for index in range(3):
        last = (await rest("POST", CONFIG_MAPS, body(f"c{index}"))).body["metadata"]["resourceVersion"]
    for version in ("", "0", last):
        page = (await rest("GET", f"{CONFIG_MAPS}?limit=2&resourceVersion={version}")).body
        assert (len(page["items"]), page["metadata"]["remainingItemCount"]) == (2, 1)
        query = f"limit=2&continue={page['metadata']['continue']}"
        assert [each["metadata"]["name"] for each in (await rest("GET", f"{CONFIG_MAPS}?{query}")).body["items"]] == ["c2"]
        assert (await rest("GET", f"{CONFIG_MAPS}?{query}&resourceVersion={last}")).status == 400
    selected = (await rest("GET", f"{CONFIG_MAPS}?limit=1&labelSelector=!x")).body["metadata"]
    assert "remainingItemCount" not in selected
    assert selected["continue"]


async def test_watch_ends_after_its_timeout(server: RunningServer) -> None:
    url = f"{server.url}{CONFIG_MAPS}?watch=1&timeoutSeconds=1"
    async with asyncio.timeout(WAIT_S), server.session() as session, session.get(url) as response:
        assert await response.read() == b""


async def test_grpc_list_and_watch(client: Client) -> None:
    for index in range(3):
        await client.create(ConfigMap(metadata=ObjectMeta(name=f"c{index}", namespace="default")))
    listed = await client.list(ConfigMap, "default")
    assert [each.metadata.name for each in listed.items] == ["c0", "c1", "c2"]

    seen: list[tuple[EventType, str]] = []

    async def watch() -> None:
        async for batch in client.watch(ConfigMap, "default"):
            for event in batch:
                name = event.object.metadata.name if event.object is not None else ""
                seen.append((event.type, name))
                if event.initial_events_end:
                    await client.delete(ConfigMap, "c1", "default")
                if event.type is EventType.DELETED:
                    return

    await asyncio.wait_for(watch(), WAIT_S)
    assert seen == [
        (EventType.ADDED, "c0"),
        (EventType.ADDED, "c1"),
        (EventType.ADDED, "c2"),
        (EventType.BOOKMARK, ""),
        (EventType.DELETED, "c1"),
    ]


async def test_grpc_errors_carry_the_status(client: Client) -> None:
    with pytest.raises(ApiError) as caught:
        await client.get(Namespace, "nothing")
    assert (caught.value.code, caught.value.reason) == (404, "NotFound")
    assert caught.value.status.details is not None
    assert caught.value.status.details.kind == "namespaces"
    with pytest.raises(ApiError) as caught:
        await client.create(ConfigMap(metadata=ObjectMeta(name="Bad", namespace="default")))
    assert caught.value.status.details is not None
    assert caught.value.status.details.causes[0].field == "metadata.name"
    with pytest.raises(ApiError) as caught:
        await client.list(ConfigMap, label_selector="a in (")
    assert caught.value.code == 400


async def test_large_list_comes_in_chunks(client: Client) -> None:
    value = "x" * 10_000
    await asyncio.gather(
        *[
            client.create(ConfigMap(metadata=ObjectMeta(name=f"c{index:04}", namespace="default"), data={"k": value}))
            for index in range(600)
        ]
    )
    listed = await client.list(ConfigMap, "default")
    assert [each.metadata.name for each in listed.items] == [f"c{index:04}" for index in range(600)]
    assert listed.revision >= max(int(each.metadata.resource_version) for each in listed.items)


async def test_large_list_over_rest(server: RunningServer, rest: Any) -> None:
    for index in range(5):
        await rest("POST", CONFIG_MAPS, {**body(f"large-{index}"), "data": {"text": str(index) * 200_000}})
    async with server.session() as session:
        async with session.get(server.url + CONFIG_MAPS) as response:
            text = await response.read()
            assert int(response.headers["Content-Length"]) == len(text) > 1_000_000
        found = [each["data"]["text"][0] for each in json.loads(text)["items"] if "text" in each["data"]]
        assert found == ["0", "1", "2", "3", "4"]
        async with session.head(server.url + CONFIG_MAPS) as response:
            assert int(response.headers["Content-Length"]) == len(text)
        async with session.get(server.url + CONFIG_MAPS + "?pretty=true") as response:
            assert await response.json() == json.loads(text)
