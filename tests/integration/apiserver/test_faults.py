"""What is wrong in storage, or with storage, becomes a clear answer and hurts nobody else."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from apiclient.client import Client
from apimachinery import codec
from apimachinery.clock import FakeClock
from apimachinery.errors import ApiError
from apimachinery.kinds import ConfigMap, Namespace, ObjectMeta, Pod
from apiserver.app import Assembly, Settings
from apiserver.config import LimitsConfig
from apiserver.core.request import Document, Request, User, Verb
from apiserver.storage.memory import MemoryStorage
from apiserver.storage.port import NoSpace, StorageError, TooLarge, Unavailable
from apiserver.strategy import Strategy
from tests.support.apiserver import RunningServer
from tests.support.inprocess import InProcessTransport, in_process_api

PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture
async def assembly() -> AsyncIterator[Assembly]:
    async with in_process_api(clock=FakeClock(), rng=random.Random(1)) as assembly:
        yield assembly


def config_map(name: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"))


@pytest.mark.parametrize("rubbish", [b"\x00\xff", b'{"metadata":{"name":"bad"', b"[]", b'{"metadata":{"resourceVersion":"",'])
async def test_an_unreadable_object_can_be_deleted_and_the_rest_is_served(
    server: RunningServer, rest: Any, rubbish: bytes
) -> None:
    storage, prefix = server.assembly.storage, server.assembly.settings.prefix
    await storage.create(f"{prefix}/core/pods/default/bad".encode(), rubbish)
    body = {"metadata": {"name": "good"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    assert (await rest("POST", PODS, body)).status == 201
    listed = await rest("GET", PODS)
    assert [each["metadata"]["name"] for each in listed.body["items"]] == ["good"]
    broken = await rest("GET", PODS + "/bad")
    assert (broken.status, broken.body["kind"]) == (500, "Status")
    assert (await rest("DELETE", PODS + "/bad")).status == 200
    assert (await rest("GET", PODS + "/bad")).status == 404


FAILURES = (
    (TooLarge("x"), 413, "RequestEntityTooLarge", "too large to be stored"),
    (NoSpace("x"), 507, "InternalError", "storage is full"),
    (Unavailable("x"), 503, "ServiceUnavailable", "does not answer"),
    (Unavailable("x", uncertain=True), 504, "Timeout", "may or may not have happened"),
)


@pytest.mark.parametrize(("failure", "code", "reason", "says"), FAILURES, ids=[str(case[1]) for case in FAILURES])
async def test_storage_failures_have_names(
    assembly: Assembly, monkeypatch: pytest.MonkeyPatch, failure: StorageError, code: int, reason: str, says: str
) -> None:
    client = Client(InProcessTransport(assembly.api))

    async def fail(*arguments: Any, **more: Any) -> int:
        raise failure

    monkeypatch.setattr(assembly.storage, "create", fail)
    with pytest.raises(ApiError) as caught:
        await client.create(config_map("a"))
    assert (caught.value.code, caught.value.reason) == (code, reason)
    assert says in caught.value.status.message
    monkeypatch.undo()
    await client.create(config_map("a"))


async def test_the_unexpected_is_opaque_and_logged(
    assembly: Assembly, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*arguments: Any, **more: Any) -> int:
        raise ZeroDivisionError("the secret of the house")

    monkeypatch.setattr(assembly.storage, "create", fail)
    with pytest.raises(ApiError) as caught:
        await Client(InProcessTransport(assembly.api)).create(config_map("a"))
    assert caught.value.code == 500
    assert "secret" not in caught.value.status.message
    assert "ZeroDivisionError" in caplog.text


async def test_too_many_requests_are_told_to_come_back() -> None:
    class Slow(MemoryStorage):
        held = asyncio.Event()
        holding = False

        async def create(self, *arguments: Any, **more: Any) -> int:
            if self.holding:
                await self.held.wait()
            return await super().create(*arguments, **more)

    storage = Slow()
    limits = LimitsConfig(writes_in_flight=2, writes_waiting=12)  # of which one user may take three
    settings = Settings(limits=limits)
    async with in_process_api(clock=FakeClock(), rng=random.Random(1), storage=storage, settings=settings) as assembly:
        client = Client(InProcessTransport(assembly.api))
        storage.holding = True
        tasks = [asyncio.create_task(client.create(config_map(f"c{index}"))) for index in range(9)]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)
        assert len((await client.list(Namespace)).items) == 4, "reads have a line of their own"
        storage.held.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    refused = [each for each in results if isinstance(each, ApiError)]
    assert done
    assert [each.code for each in refused] == [429] * 4
    assert refused[0].retry_after_s() == 1


async def test_between_two_large_bodies_everybody_else_is_served(assembly: Assembly) -> None:
    row, user = assembly.table.for_class(ConfigMap), User("jane", ("system:masters",))
    done = 0

    async def write(index: int) -> None:
        nonlocal done
        body = codec.encode(msgspec.structs.replace(config_map(f"c{index}"), data={"a": "x" * (64 << 10)}))
        await assembly.api.handle(Request(verb=Verb.CREATE, resource=row, user=user, namespace="default", body=body))
        done += 1

    rounds = [0]
    async with asyncio.TaskGroup() as group:
        for index in range(8):
            group.create_task(write(index))
        while rounds[-1] < 8:
            await asyncio.sleep(0)
            rounds.append(done)
    assert max(after - before for before, after in pairwise(rounds)) == 1


async def test_what_is_too_large_to_be_stored_is_not_looked_at_closely(
    assembly: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    def validate(*_: Any) -> Any:
        raise AssertionError("it was looked at closely")

    client, large = Client(InProcessTransport(assembly.api)), {str(index): "x" for index in range(200_000)}
    made = await client.create(config_map("a"))
    monkeypatch.setattr(Strategy, "validate", validate)
    monkeypatch.setattr(Strategy, "validate_update", validate)
    new, changed = (msgspec.structs.replace(each, data=large) for each in (config_map("b"), made))
    for attempt in (client.create(new), client.update(changed)):
        with pytest.raises(ApiError) as caught:
            await attempt
        assert (caught.value.code, "too large to be stored" in caught.value.status.message) == (413, True)


async def test_nobody_is_nobody(assembly: Assembly) -> None:
    request = Request(verb=Verb.GET, resource=assembly.table.for_class(Pod), user=User(""), namespace="default", name="a")
    with pytest.raises(ApiError) as caught:
        await assembly.api.handle(request)
    assert caught.value.code == 401


async def test_a_write_survives_the_one_who_asked_for_it(assembly: Assembly) -> None:
    client = Client(InProcessTransport(assembly.api))
    task = asyncio.create_task(client.create(config_map("a")))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await assembly.api.drain()
    assert (await client.get(ConfigMap, "a", "default")).metadata.name == "a"


@pytest.mark.looptime
async def test_everything_runs_in_virtual_time(assembly: Assembly) -> None:
    client = Client(InProcessTransport(assembly.api))
    await asyncio.sleep(3600)
    await client.create(config_map("a"))
    resource = assembly.table.for_class(ConfigMap)
    user = User("someone", ("system:masters",))
    answer = await assembly.api.handle(Request(verb=Verb.GET, resource=resource, user=user, namespace="default", name="a"))
    assert isinstance(answer, Document)
    assert b'"name":"a"' in answer.body
