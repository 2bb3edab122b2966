"""Definitions outlive an API server, and several API servers of one etcd serve the same kinds."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from apiserver.app import Settings
from apiserver.storage.etcd import EtcdStorage
from tests.integration.apiserver.conftest import Answer, Rest
from tests.integration.apiserver.test_custom_resources import DEFINITIONS, PLACE, becomes, gone, served
from tests.support.apiserver import RunningServer, real_api_server
from tests.support.custom import GROUP, crontab, definition
from tests.support.etcd import Etcd

NAME = f"crontabs.{GROUP}"


@asynccontextmanager
async def a_server(etcd: Etcd, prefix: str, directory: Path) -> AsyncIterator[Rest]:
    settings = Settings(prefix=prefix)
    async with (
        real_api_server(directory, storage=EtcdStorage([etcd.endpoint]), settings=settings) as server,
        server.session() as session,
    ):
        yield _caller(server, session)


def _caller(server: RunningServer, session: Any) -> Callable[..., Awaitable[Answer]]:
    async def call(method: str, path: str, body: Any = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else json.dumps(body).encode()
        async with session.request(method, server.url + path, data=data, headers=named) as response:
            text = await response.read()
            return Answer(response.status, json.loads(text), response.headers)

    return call


async def test_definitions_and_objects_survive_a_restart(shared_etcd: Etcd, tmp_path: Path) -> None:
    prefix = f"/registry-{uuid.uuid4()}"
    async with a_server(shared_etcd, prefix, tmp_path / "one") as rest:
        await served(rest, definition())
        made = (await rest("POST", PLACE, crontab())).body
    async with a_server(shared_etcd, prefix, tmp_path / "two") as rest:
        read = await rest("GET", PLACE + "/a")  # at once: an open door serves every kind
        assert (read.status, read.body) == (200, made)


async def test_a_deletion_goes_on_after_a_restart(shared_etcd: Etcd, tmp_path: Path) -> None:
    prefix = f"/registry-{uuid.uuid4()}"
    async with a_server(shared_etcd, prefix, tmp_path / "one") as rest:
        await served(rest, definition())
        held = crontab()
        held["metadata"]["finalizers"] = ["example.com/hold"]
        await rest("POST", PLACE, held)
        await rest("DELETE", f"{DEFINITIONS}/{NAME}")
    async with a_server(shared_etcd, prefix, tmp_path / "two") as rest:
        patch = {"metadata": {"finalizers": None}}
        assert (await rest("PATCH", PLACE + "/a", patch, Content_Type="application/merge-patch+json")).status == 200
        await gone(rest, f"{DEFINITIONS}/{NAME}")


async def test_two_servers_see_each_others_kinds(shared_etcd: Etcd, tmp_path: Path) -> None:
    prefix = f"/registry-{uuid.uuid4()}"
    async with (
        a_server(shared_etcd, prefix, tmp_path / "one") as one,
        a_server(shared_etcd, prefix, tmp_path / "two") as two,
    ):
        await served(one, definition())
        await becomes(lambda: two("GET", PLACE), lambda answer: answer.status == 200)
        assert (await two("POST", PLACE, crontab())).status == 201
        assert [each["metadata"]["name"] for each in (await one("GET", PLACE)).body["items"]] == ["a"]
        await two("DELETE", f"{DEFINITIONS}/{NAME}")
        for each in (one, two):
            await gone(each, f"{DEFINITIONS}/{NAME}")
            await gone(each, PLACE)
