"""What configures the server, but cannot be read from the storage, neither stops the server nor the writes of others.

Two sorts of damage: what is no JSON, which the watch caches see, and what is JSON of a wrong shape, as another version might
have written it, which shows only to those who look closer.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from apimachinery.clock import SystemClock
from apimachinery.resources import (
    API_SERVICES,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CUSTOM_RESOURCE_DEFINITIONS,
    LIMIT_RANGES,
    MUTATING_ADMISSION_POLICIES,
    MUTATING_ADMISSION_POLICY_BINDINGS,
    MUTATING_WEBHOOK_CONFIGURATIONS,
    NAMESPACES,
    PRIORITY_CLASSES,
    RESOURCE_QUOTAS,
    ROLE_BINDINGS,
    ROLES,
    SERVICES,
    STORAGE_CLASSES,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
    Resource,
)
from apiserver import extensions
from apiserver.core.allocation import NODE_PORTS
from apiserver.core.keys import KeySpace
from apiserver.registry.services import Owner
from apiserver.storage.memory import MemoryStorage
from apiserver.storage.port import Conflict
from tests.support.apiserver import real_api_server
from tests.support.custom import DEFINITIONS, GROUP, crontab, definition
from tests.support.inprocess import in_process_api

ROWS = (
    API_SERVICES,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CUSTOM_RESOURCE_DEFINITIONS,
    LIMIT_RANGES,
    MUTATING_ADMISSION_POLICIES,
    MUTATING_ADMISSION_POLICY_BINDINGS,
    MUTATING_WEBHOOK_CONFIGURATIONS,
    PRIORITY_CLASSES,
    RESOURCE_QUOTAS,
    ROLE_BINDINGS,
    ROLES,
    SERVICES,
    STORAGE_CLASSES,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
)
WEBHOOKS = (MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS)
SHAPES = {
    "no JSON": b"{",
    "wrong shape": (
        b'{"apiVersion":"x","kind":"X","metadata":{"resourceVersion":"","name":"%(name)b","namespace":"%(namespace)b",'
        b'"annotations":{"storageclass.kubernetes.io/is-default-class":"true"}},'
        b'"spec":5,"rules":5,"roleRef":5,"subjects":5,"webhooks":5,"provisioner":5}'
    ),
}
POD = {"metadata": {"name": "good"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
BAD_SELECTOR = (
    b'{"apiVersion":"x","kind":"X","metadata":{"resourceVersion":"","name":"%(name)b"},"webhooks":[{"name":"a.example.com",'
    b'"clientConfig":{"url":"https://127.0.0.1"},"namespaceSelector":{"matchExpressions":[{"key":"a","operator":"Like"}]}}]}'
)
CLAIM = {
    "metadata": {"name": "good"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def path_of(row: Resource, name: str) -> str:
    root = f"/apis/{row.group}/{row.version}" if row.group else f"/api/{row.version}"
    return f"{root}/namespaces/default/{row.plural}/{name}" if row.namespaced else f"{root}/{row.plural}/{name}"


@pytest.mark.parametrize(
    "row", [MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS], ids=lambda row: row.plural
)
async def test_nor_does_a_webhook_with_a_selector_that_is_none(
    tmp_path: Path, row: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SHAPES, "bad selector", BAD_SELECTOR)
    await check(tmp_path, row, "bad", "bad selector")


DEFAULTS = (
    (CLUSTER_ROLES, "cluster-admin"),
    (CLUSTER_ROLE_BINDINGS, "cluster-admin"),
    (PRIORITY_CLASSES, "system-node-critical"),
    (NAMESPACES, "kube-public"),
    (SERVICES, "kubernetes"),
)


def poisoned(row: Resource, name: str, shape: str) -> tuple[bytes, bytes]:
    """The key and the value of the damaged object."""
    namespace = "default" if row.namespaced else ""
    value = SHAPES[shape].replace(b"%(namespace)b", namespace.encode()).replace(b"%(name)b", name.encode())
    return KeySpace("/registry").object(row, namespace, name), value


async def check(directory: Path, row: Resource, name: str, shape: str) -> None:
    """The server starts on the object, lets others write, and lets it be deleted; then all is well where it was."""
    storage = MemoryStorage()
    await storage.create(*poisoned(row, name, shape))
    async with asyncio.timeout(20), real_api_server(directory, storage=storage) as server, server.session() as session:

        async def call(method: str, path: str, body: Any = None) -> tuple[int, Any]:
            async with session.request(method, server.url + path, json=body) as response:
                return response.status, await response.json()

        made = await call("POST", "/api/v1/namespaces/kube-system/pods", POD)
        assert made[0] == 201, made
        made = await call("POST", "/api/v1/namespaces/kube-system/persistentvolumeclaims", CLAIM)
        assert made[0] == 201, made
        deleted = await call("DELETE", path_of(row, name))
        assert deleted[0] == (403 if row is NAMESPACES else 200), deleted
        async with asyncio.timeout(5):  # what goes by the caches has heard of it then
            while (made := await call("POST", "/api/v1/namespaces/default/pods", POD))[0] != 201:
                assert made[0] < 500, made


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.plural)
async def test_it_stops_nobody_and_can_be_deleted(tmp_path: Path, row: Resource, shape: str) -> None:
    await check(tmp_path, row, "bad", shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("row", "name"), DEFAULTS, ids=[row.plural for row, _ in DEFAULTS])
async def test_nor_does_an_object_of_the_servers_own(tmp_path: Path, row: Resource, name: str, shape: str) -> None:
    await check(tmp_path, row, name, shape)


@pytest.mark.parametrize("shape", SHAPES)
async def test_what_an_unreadable_service_may_hold_is_not_given_away(shape: str) -> None:
    storage = MemoryStorage()
    async with in_process_api(clock=SystemClock(), rng=random.Random(1), storage=storage) as assembly:
        await asyncio.sleep(0)  # what runs in the background has begun
        allocator = assembly.allocator
        assert await allocator.reserve(NODE_PORTS, 30_000, Owner("default", "bad", "u")) is not None
        key, value = poisoned(SERVICES, "bad", shape)
        revision = await storage.create(key, value)
        for _ in range(3):
            await allocator.repair()
        assert await allocator.reserve(NODE_PORTS, 30_000, Owner("default", "good", "v")) is None
        await storage.delete(key, expected_revision=revision)
        for _ in range(2):
            await allocator.repair()
        assert await allocator.reserve(NODE_PORTS, 30_000, Owner("default", "good", "v")) is not None


async def test_a_definition_that_becomes_unreadable_while_it_ends_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extensions, "PAUSE_S", 0.01)
    place, storage = f"/apis/{GROUP}/v1/namespaces/default/crontabs", MemoryStorage()
    key, value = poisoned(CUSTOM_RESOURCE_DEFINITIONS, f"crontabs.{GROUP}", "wrong shape")
    async with asyncio.timeout(20), real_api_server(tmp_path, storage=storage) as server, server.session() as session:

        async def call(method: str, path: str, body: Any = None) -> int:
            async with session.request(method, server.url + path, json=body) as response:
                return response.status

        async def until(wanted: int, method: str, path: str, body: Any = None) -> None:
            while True:
                if await call(method, path, body) == wanted:
                    return
                await asyncio.sleep(0.01)

        assert await call("POST", DEFINITIONS, definition()) == 201
        held = crontab()
        held["metadata"]["finalizers"] = ["example.com/hold"]
        await until(201, "POST", place, held)
        assert await call("DELETE", f"{DEFINITIONS}/crontabs.{GROUP}") == 200
        while True:
            found = await storage.get(key)
            assert found is not None
            try:
                await storage.update(key, value, expected_revision=found.mod_revision)
                break
            except Conflict:
                continue
        await until(404, "GET", place)
        while True:
            if not any(task.get_name().startswith("crd/clean/") for task in asyncio.all_tasks()):
                break
            await asyncio.sleep(0.01)
        assert await call("POST", "/api/v1/namespaces/default/pods", POD) == 201
        assert await call("DELETE", f"{DEFINITIONS}/crontabs.{GROUP}") == 200
        await until(404, "GET", f"{DEFINITIONS}/crontabs.{GROUP}")
