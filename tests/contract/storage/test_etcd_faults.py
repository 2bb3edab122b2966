"""What the etcd adapter holds when etcd is killed, restarted, full, or reached over mutual TLS."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aetcd import rpc  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from apiserver.cache import WatchCache
from apiserver.storage.compactor import compact_forever
from apiserver.storage.etcd import EtcdStorage
from apiserver.storage.etcd_endpoints import TlsFiles
from apiserver.storage.port import Change, Compacted, Conflict, NoSpace, StorageError, Unavailable, Watch, Write
from tests.support.etcd import Etcd

PREFIX = b"/registry/pods/"
STORED = b'{"metadata":{"resourceVersion":""}}'
WAIT_S = 30.0


@pytest.fixture
async def storage(etcd: Etcd) -> AsyncIterator[EtcdStorage]:
    adapter = EtcdStorage([etcd.endpoint])
    yield adapter
    await adapter.close()


class History:
    """Everything a watch has delivered."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self._watch: Watch | None = None
        self._revision = 0
        self._moved = asyncio.Event()

    async def record(self, storage: EtcdStorage, start_revision: int) -> None:
        self._watch = storage.watch(PREFIX, start_revision)
        async for batch in self._watch:
            self.changes.extend(batch.changes)
            self._revision = batch.revision
            self._moved.set()

    async def reached(self, revision: int) -> None:
        """Wait until everything up to `revision` has been delivered."""
        assert self._watch is not None
        self._watch.request_progress(revision)
        while self._revision < revision:
            self._moved.clear()
            await self._moved.wait()


async def test_nothing_acknowledged_is_lost_when_etcd_is_killed(etcd: Etcd, storage: EtcdStorage) -> None:
    """Writers and a watcher go on through two SIGKILLs: no gap, no repetition, every acknowledged write survives."""
    history = History()
    watching = asyncio.create_task(history.record(storage, await storage.current_revision() + 1))
    acknowledged: dict[bytes, int] = {}
    uncertain: set[bytes] = set()
    stop = asyncio.Event()

    async def write(worker: int) -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            key = PREFIX + b"%d-%d" % (worker, number)
            try:
                acknowledged[key] = await storage.create(key, b"uid-" + key)
            except Unavailable:
                uncertain.add(key)

    writers = [asyncio.create_task(write(worker)) for worker in range(8)]
    for _ in range(2):
        await asyncio.sleep(0.5)
        etcd.kill()
        await asyncio.sleep(0.3)
        await asyncio.to_thread(etcd.start)
    await asyncio.sleep(0.5)
    stop.set()
    async with asyncio.timeout(WAIT_S):
        await asyncio.gather(*writers)
        page = await storage.list(PREFIX)
        await history.reached(page.revision)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    stored = {item.key: item.mod_revision for item in page.items}
    assert acknowledged.items() <= stored.items()
    assert stored.keys() <= acknowledged.keys() | uncertain
    assert [(c.key, c.mod_revision) for c in history.changes] == sorted(stored.items(), key=lambda item: item[1])


async def test_a_watch_from_the_past_is_caught_up(storage: EtcdStorage) -> None:
    """More history than the adapter remembers is read from etcd, then followed live."""
    start = await storage.current_revision()
    wanted = []
    for burst in range(100):
        writes = [storage.create(PREFIX + b"%d-%d" % (burst, n), b"v") for n in range(64)]
        wanted.extend(await asyncio.gather(*writes))
    latest = storage.watch(PREFIX, await storage.current_revision() + 1)
    asking = asyncio.create_task(anext(latest))
    while len(wanted) < 6_500:
        wanted.append(await storage.create(PREFIX + b"extra-%d" % len(wanted), b"v"))
    await asking
    watch = storage.watch(PREFIX, start + 1)
    seen: list[int] = []
    async with asyncio.timeout(WAIT_S):
        while len(seen) < len(wanted):
            seen.extend(change.mod_revision for change in (await anext(watch)).changes)
    assert seen == sorted(wanted)
    await latest.aclose()
    await watch.aclose()


async def test_no_answer_is_an_error_in_bounded_time(etcd: Etcd) -> None:
    storage = EtcdStorage([etcd.endpoint], call_timeout_s=0.5)
    await storage.current_revision()
    etcd.kill()
    async with asyncio.timeout(5):
        with pytest.raises(Unavailable):
            await storage.get(b"key")
    await asyncio.to_thread(etcd.start)
    assert await storage.get(b"key") is None
    await storage.close()


async def test_another_member_serves_when_the_first_does_not(etcd: Etcd) -> None:
    storage = EtcdStorage(["127.0.0.1:1", etcd.endpoint])
    async with asyncio.timeout(WAIT_S):
        created = await storage.create(PREFIX + b"a", b"v")
        watch = storage.watch(PREFIX, created)
        assert [change.mod_revision for change in (await anext(watch)).changes] == [created]
    await storage.close()


async def test_a_value_without_a_place_is_served(storage: EtcdStorage) -> None:
    """Something another tool wrote."""
    kv = storage._endpoints.active.kv
    await kv.Put(rpc.PutRequest(key=PREFIX + b"foreign", value=b'{"a":1}'))
    found = await storage.get(PREFIX + b"foreign")
    assert found is not None
    assert found.value == b'{"a":1}'
    updated = await storage.update(found.key, b"{}", expected_revision=found.mod_revision)
    assert updated > found.mod_revision


async def test_a_create_survives_the_loss_of_its_lease(storage: EtcdStorage) -> None:
    await storage.create(PREFIX + b"a", b"v", ttl_s=600)
    lease = next(iter(storage._committer._leases._open.values())).lease
    await storage._endpoints.active.lease.LeaseRevoke(rpc.LeaseRevokeRequest(ID=lease))
    await storage.create(PREFIX + b"b", b"v", ttl_s=600)
    assert [item.key for item in (await storage.list(PREFIX)).items] == [PREFIX + b"b"]


async def test_a_full_store_refuses_and_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    server = Etcd(tmp_path, extra=("--quota-backend-bytes", str(4 << 20)))
    server.start()
    storage = EtcdStorage([server.endpoint])
    try:
        acknowledged = 0
        refused: list[StorageError] = []
        while not refused:
            keys = [PREFIX + b"%06d" % number for number in range(acknowledged, acknowledged + 8)]
            results = await asyncio.gather(*[storage.create(key, b"x" * 50_000) for key in keys], return_exceptions=True)
            acknowledged += sum(isinstance(result, int) for result in results)
            refused = [result for result in results if isinstance(result, StorageError)]
            assert acknowledged < 1_000
        assert {type(error) for error in refused} == {NoSpace}
        assert len((await storage.list(PREFIX)).items) == acknowledged
        with pytest.raises(NoSpace):
            await storage.create(PREFIX + b"one more", b"x" * 50_000)
    finally:
        await storage.close()
        server.stop()


class LossyEtcd:
    """Loses answers: the next `lost` transactions are applied, but nobody hears of it; `meanwhile` then happens."""

    def __init__(self, storage: EtcdStorage, meanwhile: Callable[[], Awaitable[object]] | None = None) -> None:
        self._once = storage._endpoints.once
        self._meanwhile = meanwhile
        self.lost = 1
        storage._endpoints.once = self.once  # type: ignore[method-assign]

    async def once(self, method: Any, request: Any) -> Any:
        answer = await self._once(method, request)
        if isinstance(request, rpc.TxnRequest) and self.lost:
            self.lost -= 1
            if self._meanwhile is not None:
                await self._meanwhile()
            raise Unavailable("answer lost", uncertain=True)
        return answer


async def test_a_write_whose_answer_is_lost_is_applied_once(storage: EtcdStorage) -> None:
    watch = storage.watch(PREFIX, await storage.current_revision() + 1)
    LossyEtcd(storage)
    created = await storage.create(PREFIX + b"a", b"uid-1")
    lossy = LossyEtcd(storage)
    updated = await storage.update(PREFIX + b"a", b"uid-2", expected_revision=created)
    lossy.lost = 1
    results = await storage.commit(
        [
            Write(PREFIX + b"b", b"uid-b"),
            Write(PREFIX + b"a", b"uid-3", created),
            Write(PREFIX + b"c", b"uid-c"),
        ]
    )
    assert isinstance(results[1], Conflict)
    seen: list[int] = []
    async with asyncio.timeout(WAIT_S):
        while len(seen) < 4:
            seen.extend(change.mod_revision for change in (await anext(watch)).changes)
    assert seen == [created, updated, results[0], results[2]]
    await watch.aclose()


async def test_a_write_whose_answer_is_lost_and_that_is_overwritten(etcd: Etcd, storage: EtcdStorage) -> None:
    """The history tells that it had been applied."""
    other = EtcdStorage([etcd.endpoint])
    first = await storage.create(PREFIX + b"a", b"1")

    async def overwrite() -> None:
        mine = await other.get(PREFIX + b"a")
        assert mine is not None
        assert mine.value == b"2"
        again = await other.update(PREFIX + b"a", b"3", expected_revision=mine.mod_revision)
        await other.update(PREFIX + b"a", b"4", expected_revision=again)

    LossyEtcd(storage, overwrite)
    updated = await storage.update(PREFIX + b"a", b"2", expected_revision=first)
    now = await storage.get(PREFIX + b"a")
    assert now is not None
    assert (now.value, first < updated < now.mod_revision) == (b"4", True)
    await other.close()


async def test_a_delete_whose_answer_is_lost_says_so(storage: EtcdStorage) -> None:
    """Nothing is left to tell our delete from another's, so neither success nor refusal may be claimed."""
    created = await storage.create(PREFIX + b"a", b"1")
    LossyEtcd(storage)
    with pytest.raises(Unavailable) as caught:
        await storage.delete(PREFIX + b"a", expected_revision=created)
    assert caught.value.uncertain
    assert await storage.get(PREFIX + b"a") is None


class Wire:
    """A TCP relay to an etcd that can be cut without anybody being told."""

    def __init__(self, endpoint: str) -> None:
        self._target = endpoint.rsplit(":", 1)
        self._whole = asyncio.Event()
        self._whole.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.endpoint = ""

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.endpoint = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        self._whole.clear()

    async def close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(*self._target)
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            self._tasks.add(asyncio.create_task(self._copy(source, sink)))

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            await self._whole.wait()
            sink.write(data)
        sink.close()


async def test_a_member_that_is_cut_off_is_left(etcd: Etcd) -> None:
    """Packets vanish without an error: writes and the watch go on through the other member."""
    wire = Wire(etcd.endpoint)
    await wire.open()
    storage = EtcdStorage([wire.endpoint, etcd.endpoint], call_timeout_s=0.5)
    history = History()
    watching = asyncio.create_task(history.record(storage, await storage.current_revision() + 1))
    wanted = [await storage.create(PREFIX + b"%d" % number, b"uid-%d" % number) for number in range(5)]
    wire.cut()
    async with asyncio.timeout(10):
        wanted += [await storage.create(PREFIX + b"%d" % number, b"uid-%d" % number) for number in range(5, 10)]
        await history.reached(await storage.current_revision())
    assert [change.mod_revision for change in history.changes] == wanted
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await storage.close()
    await wire.close()


async def test_watches_resume_in_a_new_process(etcd: Etcd, storage: EtcdStorage) -> None:
    """A cache that starts reads a little history, so that clients of its predecessor need not list again."""
    revisions = [await storage.create(PREFIX + b"default/%d" % number, STORED) for number in range(20)]
    fresh = EtcdStorage([etcd.endpoint])
    cache = WatchCache(fresh, PREFIX, index=lambda value: ({}, {}), rng=random.Random(1))
    running = asyncio.create_task(cache.run())
    async with asyncio.timeout(WAIT_S):
        watcher = await cache.watch(start_revision=revisions[3])
        events = (await anext(watcher)).events
        listing = await cache.list()
    assert [event.revision for event in events] == revisions[4:]
    assert sorted(entry.revision for entry in listing.items) == revisions
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await fresh.close()


async def test_compaction_in_the_background(storage: EtcdStorage) -> None:
    first = await storage.create(PREFIX + b"a", b"1")

    async def write_until_compacted() -> None:
        for number in itertools.count():
            await storage.create(PREFIX + b"b%d" % number, b"")
            await asyncio.sleep(0.02)
            await storage.list(PREFIX, revision=first - 1)

    compacting = asyncio.create_task(compact_forever(storage, period_s=0.05))
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(Compacted):
            await write_until_compacted()
    assert not compacting.done()
    compacting.cancel()
    await asyncio.gather(compacting, return_exceptions=True)


async def test_mutual_tls(tmp_path: Path) -> None:
    files = make_certificates(tmp_path)
    server = Etcd(tmp_path / "etcd", tls=(files.ca_file, files.cert_file, files.key_file))
    server.start()
    try:
        storage = EtcdStorage([server.endpoint], tls=files)
        await storage.create(PREFIX + b"a", b"v")
        await storage.close()
        anonymous = EtcdStorage([server.endpoint], call_timeout_s=0.5)
        with pytest.raises(Unavailable):
            await anonymous.get(PREFIX + b"a")
        await anonymous.close()
    finally:
        server.stop()


def make_certificates(directory: Path) -> TlsFiles:
    """One certificate that is its own authority, good for a server on 127.0.0.1 and for a client."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    files = TlsFiles(directory / "ca.pem", directory / "cert.pem", directory / "key.pem")
    files.ca_file.write_bytes(pem)
    files.cert_file.write_bytes(pem)
    files.key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files
