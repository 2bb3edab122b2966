"""Informers against the imitation of the API server: order, resumption, relisting."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from apiclient.client import EventType
from apiclient.informer import Informer, index_by_owner
from apiclient.testing import FakeApi, fake_client
from apimachinery import codec
from apimachinery.kinds import ConfigMap, ObjectMeta, OwnerReference

Seen = list[tuple[str, str]]


def config_map(name: str, value: str = "", owner: str = "") -> ConfigMap:
    owners = [OwnerReference(api_version="v1", kind="X", name="x", uid=owner, controller=True)] if owner else []
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default", owner_references=owners), data={"value": value})


@asynccontextmanager
async def running(api: FakeApi) -> AsyncIterator[tuple[Informer[ConfigMap], Seen]]:
    informer = Informer(fake_client(api), ConfigMap, rng=random.Random(0), indexers={"owner": index_by_owner})
    seen: Seen = []
    informer.on_event(lambda kind, old, new: seen.append((kind, (new or old).metadata.name)))
    task = asyncio.create_task(informer.run())
    await asyncio.wait_for(informer.synced.wait(), 5)
    try:
        yield informer, seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_initial_objects_and_changes_arrive_in_order() -> None:
    api = FakeApi()
    api.seed(config_map("a"))
    async with running(api) as (informer, seen):
        client = fake_client(api)
        created = await client.create(config_map("b"))
        created.data = {"value": "2"}
        await client.update(created)
        await client.delete(ConfigMap, "a", "default")
        await settle()
        assert seen == [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "b"), ("DELETED", "a")]
        assert [obj.metadata.name for obj in informer.store.list()] == ["b"]
        assert informer.last_revision == api.revision


@pytest.mark.looptime
async def test_resumes_after_a_broken_stream_without_repeating() -> None:
    api = FakeApi()
    async with running(api) as (_, seen):
        client = fake_client(api)
        await client.create(config_map("a"))
        await settle()
        api.break_streams()
        await client.create(config_map("b"))
        await asyncio.sleep(10)
        assert seen == [("ADDED", "a"), ("ADDED", "b")]


@pytest.mark.looptime
async def test_relists_after_compaction_and_tells_the_difference() -> None:
    api = FakeApi()
    api.seed(config_map("gone"), config_map("kept"))
    async with running(api) as (informer, seen):
        api.break_streams()
        api.remove(ConfigMap, "gone", "default")
        api.seed(config_map("new"))
        api.compact()
        informer.last_revision = 1
        await asyncio.sleep(10)
        assert seen == [("ADDED", "gone"), ("ADDED", "kept"), ("DELETED", "gone"), ("ADDED", "new")]


async def test_an_object_made_anew_between_two_looks_is_deleted_and_added() -> None:
    api = FakeApi()
    api.seed(config_map("a"))
    async with running(api) as (informer, seen):
        again = config_map("a")
        again.metadata.uid = "another"
        again.metadata.resource_version = "99"
        informer._stored(again)
        assert seen == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "a")]


async def test_index_by_owner_follows_changes() -> None:
    api = FakeApi()
    api.seed(config_map("a", owner="u1"), config_map("b", owner="u1"), config_map("c", owner="u2"))
    async with running(api) as (informer, _):
        assert sorted(obj.metadata.name for obj in informer.store.by_index("owner", "u1")) == ["a", "b"]
        moved = codec.deep_copy(informer.store.get("default/b"))
        moved.metadata.owner_references[0].uid = "u2"
        await fake_client(api).update(moved)
        await settle()
        assert [obj.metadata.name for obj in informer.store.by_index("owner", "u1")] == ["a"]
        assert sorted(obj.metadata.name for obj in informer.store.by_index("owner", "u2")) == ["b", "c"]


async def test_a_watch_through_a_selector_sees_objects_enter_and_leave() -> None:
    api = FakeApi()
    client = fake_client(api)
    informer = Informer(client, ConfigMap, rng=random.Random(0), label_selector="on=yes")
    seen: Seen = []
    informer.on_event(lambda kind, old, new: seen.append((kind, (new or old).metadata.name)))
    task = asyncio.create_task(informer.run())
    await informer.synced.wait()
    made = await client.create(config_map("a"))
    for value in ("yes", "no"):
        made.metadata.labels = {"on": value}
        made = await client.update(made)
    await settle()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert seen == [(EventType.ADDED, "a"), (EventType.DELETED, "a")]
