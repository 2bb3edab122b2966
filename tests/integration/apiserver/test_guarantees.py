"""Invariants I1 to I4 and I8 on a real etcd, over two API servers: with compaction running, connections being cut everywhere
and etcd dying once. Everything that anybody saw must be one history (`tests.support.history`).

The choices come from a seed; the schedule is the machine's. A failing seed is worth keeping as a row.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from apiserver.app import Settings
from apiserver.storage.etcd import EtcdStorage
from apiserver.storage.port import StorageError
from tests.support.apiserver import RunningServer, real_api_server
from tests.support.cutting_proxy import CuttingProxy, cutting_proxy
from tests.support.etcd import Etcd
from tests.support.history import Ledger, Span, revision_of, values_of

NAMESPACES = ("default", "kube-public")
NAMES = tuple(f"c{number}" for number in range(8))
WATCHED = ("", "", *NAMESPACES)
WATCHERS = len(WATCHED)
WRITERS, WRITES_EACH = 4, 60
DEADLINE_S = 100.0
BROKEN = (aiohttp.ClientError, OSError, TimeoutError, json.JSONDecodeError)
"""What a client sees of a cut connection."""


@dataclass
class Stage:
    """Two API servers on one etcd; every link can be cut."""

    etcd: Etcd
    storage: EtcdStorage
    urls: list[str]
    sessions: list[aiohttp.ClientSession]
    links: list[CuttingProxy]

    def pick(self, rng: random.Random) -> tuple[str, aiohttp.ClientSession]:
        number = rng.randrange(len(self.urls))
        return self.urls[number], self.sessions[number]


@asynccontextmanager
async def stage(directory: Path, *, history: int) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        etcd = Etcd(directory / "etcd")
        etcd.start()
        stack.callback(etcd.stop)
        host, _, port = etcd.endpoint.partition(":")
        settings = Settings(prefix="/guarantees", watch_history_changes=history)
        links, urls, sessions = [], [], []
        for number in range(2):
            to_etcd = await stack.enter_async_context(cutting_proxy(host, int(port)))
            storage = EtcdStorage([to_etcd.address])
            server: RunningServer = await stack.enter_async_context(
                real_api_server(directory / f"server-{number}", storage=storage, settings=settings)
            )
            to_server = await stack.enter_async_context(cutting_proxy("127.0.0.1", server.rest_port))
            session = server.session()
            stack.push_async_callback(session.close)
            links += [to_etcd, to_server]
            urls.append(f"https://127.0.0.1:{to_server.port}/api/v1")
            sessions.append(session)
        own = EtcdStorage([etcd.endpoint])
        stack.push_async_callback(own.close)
        yield Stage(etcd, own, urls, sessions, links)


class Clients:
    """Writers, watchers and readers of ConfigMaps, and the ledger of what they saw."""

    def __init__(self, stage: Stage, rng: random.Random) -> None:
        self.stage = stage
        self.rng = rng
        self.ledger = Ledger()
        self.values: Iterator[int] = itertools.count(1)
        self.refused = 0
        self.last: dict[str, int] = {}
        """By namespace ("" for all): the revision of the last write there, once there is one."""

    async def write(self, count: int) -> None:
        """Random writes; what happened to one whose connection was cut nobody knows, so it stands nowhere."""
        for _ in range(count):
            with contextlib.suppress(*BROKEN):
                await self._write_once()

    async def _write_once(self) -> None:
        rng, ledger = self.rng, self.ledger
        url, session = self.stage.pick(rng)
        namespace, name, value = rng.choice(NAMESPACES), rng.choice(NAMES), str(next(self.values))
        collection = f"{url}/namespaces/{namespace}/configmaps"
        body: dict[str, Any] = {
            "metadata": {"name": name, "labels": {"parity": str(int(value) % 2)}},
            "data": {"value": value},
        }
        before = ledger.floor
        match rng.choice(("create", "create", "replace", "swap", "patch", "delete")):
            case "create":
                answer = session.post(collection, json=body)
            case "replace":
                answer = session.put(f"{collection}/{name}", json=body)
            case "swap":
                async with session.get(f"{collection}/{name}") as found:
                    if found.status != 200:
                        return
                    body["metadata"]["resourceVersion"] = (await found.json())["metadata"]["resourceVersion"]
                before = max(before, int(body["metadata"]["resourceVersion"]))
                answer = session.put(f"{collection}/{name}", json=body)
            case "patch":
                headers = {"Content-Type": "application/merge-patch+json"}
                answer = session.patch(f"{collection}/{name}", json=body, headers=headers)
            case _:
                async with session.delete(f"{collection}/{name}") as gone:
                    if gone.status == 404 or gone.status >= 500:
                        self.refused += 1
                    return
        async with answer as response:
            written = await response.json()
            if response.status in (200, 201):
                ledger.acknowledge(revision_of(written), namespace, name, value, not_before=before)
            else:
                assert response.status in (404, 409, 429, 500, 503, 504), written
                self.refused += 1

    async def read(self, done: asyncio.Event) -> None:
        """Lists in pages of random size, and whole ones: each must be one snapshot, no older than anything known before."""
        while not done.is_set():
            with contextlib.suppress(*BROKEN):
                await self._read_once()
            await asyncio.sleep(0.01)

    async def _read_once(self) -> None:
        url, session = self.stage.pick(self.rng)
        namespace = self.rng.choice(("", *NAMESPACES))
        collection = f"{url}/namespaces/{namespace}/configmaps" if namespace else f"{url}/configmaps"
        before, limit = self.ledger.floor, self.rng.choice((0, 1, 3))
        items: list[Any] = []
        token, revision = "", ""
        while True:
            query = {"limit": str(limit), "continue": token} if token else {"limit": str(limit)}
            async with session.get(collection, params=query) as response:
                page = await response.json()
                if response.status == 410:
                    return  # compacted between two pages: said so, and the client would begin again
                if response.status != 200:
                    assert response.status in (429, 500, 503, 504), page
                    return
            revision = revision or page["metadata"]["resourceVersion"]
            assert page["metadata"]["resourceVersion"] == revision, "all pages are of one snapshot"
            items += page["items"]
            token = page["metadata"].get("continue", "")
            if not token:
                break
            await asyncio.sleep(0.005)  # others write between the pages
        mine = [each for each in items if each["metadata"]["name"] in NAMES]
        self.ledger.listed(int(revision), namespace, mine, not_before=before)

    async def watch(self, name: str, namespace: str) -> None:
        """Follow a collection through everything, resuming by revision, until the last write there has come."""
        span: Span | None = None
        while not self._complete(span):
            url, session = self.stage.pick(self.rng)
            collection = f"{url}/namespaces/{namespace}/configmaps" if namespace else f"{url}/configmaps"
            try:
                if span is None:
                    span = await self._begin(name, namespace, collection, session)
                    self.ledger.spans.append(span)
                if not await self._follow(span, collection, session):
                    span = None  # 410: what came in between is lost, and the server has said so
            except BROKEN:
                await asyncio.sleep(0.005)

    async def _begin(self, name: str, namespace: str, collection: str, session: aiohttp.ClientSession) -> Span:
        async with session.get(collection) as response:
            response.raise_for_status()
            listed = await response.json()
        revision = int(listed["metadata"]["resourceVersion"])
        mine = [each for each in listed["items"] if each["metadata"]["name"] in NAMES]
        return Span(name, namespace, revision, revision, values_of(mine))

    async def _follow(self, span: Span, collection: str, session: aiohttp.ClientSession) -> bool:
        query = {"watch": "true", "resourceVersion": str(span.end), "allowWatchBookmarks": "true", "timeoutSeconds": "2"}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=5)
        async with session.get(collection, params=query, timeout=timeout) as response:
            response.raise_for_status()
            async for line in response.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    assert event["object"]["code"] == 410, event
                    return False
                if event["type"] == "BOOKMARK" or event["object"]["metadata"]["name"] in NAMES:
                    span.take(event["type"], event["object"])
                if self._complete(span):
                    return True
        return True

    def _complete(self, span: Span | None) -> bool:
        return span is not None and span.namespace in self.last and span.end >= self.last[span.namespace]

    async def final(self) -> dict[tuple[str, str], str]:
        """The last state, from both servers: they must agree."""
        found = []
        for url, session in zip(self.stage.urls, self.stage.sessions, strict=True):
            async with session.get(f"{url}/configmaps") as response:
                listed = await response.json()
            found.append(values_of(each for each in listed["items"] if each["metadata"]["name"] in NAMES))
        assert found[0] == found[1]
        return found[0]

    async def last_word(self) -> None:
        """One more acknowledged write in each namespace, so that watchers know when they have seen everything."""
        url, session = self.stage.urls[0], self.stage.sessions[0]
        for namespace in NAMESPACES:
            collection = f"{url}/namespaces/{namespace}/configmaps"
            async with session.delete(f"{collection}/{NAMES[0]}") as response:
                assert response.status in (200, 404), await response.text()
            value, before = str(next(self.values)), self.ledger.floor
            async with session.post(collection, json={"metadata": {"name": NAMES[0]}, "data": {"value": value}}) as response:
                written = await response.json()
                assert response.status == 201, written
            self.last[namespace] = revision_of(written)
            self.ledger.acknowledge(self.last[namespace], namespace, NAMES[0], value, not_before=before)
        self.last[""] = max(self.last.values())


async def _status(request: Any) -> int:
    async with request as response:
        await response.read()
        return int(response.status)


async def _until_ok(call: Callable[[], Awaitable[int]], good: tuple[int, ...]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            with contextlib.suppress(*BROKEN):
                if await call() in good:
                    return
            await asyncio.sleep(0.05)


async def compact(stage: Stage, done: asyncio.Event) -> int:
    """Compact etcd to its newest revision again and again; how often that was done."""
    count = 0
    while not done.is_set():
        with contextlib.suppress(StorageError):
            await stage.storage.compact(await stage.storage.current_revision())
            count += 1
        await asyncio.sleep(0.05)
    return count


async def cut(stage: Stage, rng: random.Random, done: asyncio.Event) -> None:
    """Cut one link after the other, at random."""
    while not done.is_set():
        await asyncio.sleep(rng.uniform(0.02, 0.12))
        rng.choice(stage.links).cut()


async def kill_etcd(stage: Stage, done: asyncio.Event) -> None:
    """SIGKILL etcd in the middle, and start it again on its data."""
    await asyncio.sleep(0.7)
    if not done.is_set():
        stage.etcd.kill()
        await asyncio.to_thread(stage.etcd.start)


@pytest.mark.parametrize(
    ("seed", "history", "faults"),
    [
        pytest.param(1, 8_192, (), id="in peace"),
        pytest.param(2, 8_192, ("compact",), id="compaction"),
        pytest.param(3, 8_192, ("compact", "cut"), id="compaction and cuts"),
        pytest.param(4, 16, ("compact", "cut"), id="a history of 16 changes"),
        pytest.param(5, 8_192, ("compact", "cut", "kill"), id="etcd dies"),
        pytest.param(6, 64, ("compact", "cut", "kill"), id="etcd dies, short history"),
    ],
)
async def test_everything_seen_is_one_history(tmp_path: Path, seed: int, history: int, faults: tuple[str, ...]) -> None:
    rng = random.Random(seed)
    async with stage(tmp_path, history=history) as here, asyncio.timeout(DEADLINE_S):
        clients = Clients(here, rng)
        written = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for number, namespace in enumerate(WATCHED):
                group.create_task(clients.watch(f"watcher-{number}", namespace))
            reader = group.create_task(clients.read(written))
            compacting = group.create_task(compact(here, written)) if "compact" in faults else None
            if "cut" in faults:
                group.create_task(cut(here, rng, written))
            if "kill" in faults:
                group.create_task(kill_etcd(here, written))
            await asyncio.gather(*(clients.write(WRITES_EACH) for _ in range(WRITERS)))
            written.set()
            await reader
            await _until_ok(lambda: _status(here.sessions[0].get(f"{here.urls[0]}/configmaps")), (200,))
            await _until_ok(lambda: _status(here.sessions[1].get(f"{here.urls[1]}/configmaps")), (200,))
            await clients.last_word()
        ledger = clients.ledger
        ledger.snapshots += [(ledger.floor, "", await clients.final())]
        assert ledger.check() == []
        assert len(ledger.acknowledged) > WRITERS * WRITES_EACH / 5, "enough has happened to say so"
        checked = [each for each in ledger.snapshots if ledger.covering(each[0], each[1])]
        assert len(checked) > 5
        assert checked[-1] == ledger.snapshots[-1]
        if not faults:
            assert len(ledger.spans) == WATCHERS, "nobody had to begin again"
            assert len(checked) == len(ledger.snapshots)
        if compacting is not None:
            assert compacting.result() > 2
        if "cut" in faults:
            assert sum(link.cuts for link in here.links) > 3


@pytest.mark.parametrize("faults", [(), ("cut",)], ids=["in peace", "connections are cut"])
async def test_of_concurrent_swaps_one_wins(tmp_path: Path, faults: tuple[str, ...]) -> None:
    """I4, over two servers. Where connections are cut a winner may not learn of it, but there are never two."""
    rng, rounds, contenders = random.Random(7), 20, 8
    async with stage(tmp_path, history=8_192) as here, asyncio.timeout(DEADLINE_S):
        done = asyncio.Event()
        cutting = asyncio.create_task(cut(here, rng, done)) if faults else None
        path, revisions = "namespaces/default/configmaps", []

        async def swap(number: int, version: str) -> int | None:
            url, session = here.urls[number % 2], here.sessions[number % 2]
            body = {"metadata": {"name": "one", "resourceVersion": version}, "data": {"winner": f"{number} of {version}"}}
            try:
                async with session.put(f"{url}/{path}/one", json=body) as response:
                    found = await response.json()
                    return revision_of(found) if response.status == 200 else None
            except BROKEN:
                return None

        body = {"metadata": {"name": "one"}, "data": {}}
        await _until_ok(lambda: _status(here.sessions[0].post(f"{here.urls[0]}/{path}", json=body)), (201, 409))
        unknown = 0
        for _ in range(rounds):
            version = ""
            while not version:
                with contextlib.suppress(*BROKEN):
                    async with here.sessions[0].get(f"{here.urls[0]}/{path}/one") as response:
                        version = (await response.json())["metadata"].get("resourceVersion", "")
            won = [each for each in await asyncio.gather(*(swap(number, version) for number in range(contenders))) if each]
            assert len(won) <= 1
            unknown += not won
            revisions += won
        done.set()
        if cutting is not None:
            await cutting
        assert revisions == sorted(set(revisions))
        assert unknown == 0 if not faults else unknown < rounds
