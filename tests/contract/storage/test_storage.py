"""What every storage adapter promises; see `apiserver.storage.port`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from apiserver.storage.port import (
    VALUE_BYTES_MAX,
    Batch,
    Change,
    ChangeType,
    Compacted,
    Conflict,
    FutureRevision,
    Guard,
    GuardFailed,
    KeyExists,
    KeyMissing,
    Storage,
    StorageError,
    TooLarge,
    Watch,
    Write,
    prefix_end,
)

WAIT_S = 20.0


async def take(watch: Watch, count: int) -> list[Change]:
    """The next `count` changes of a watch, checking that batches never go backwards."""
    changes: list[Change] = []
    position = 0
    async with asyncio.timeout(WAIT_S):
        while len(changes) < count:
            batch = await anext(watch)
            assert batch.revision >= position
            position = batch.revision
            assert all(change.mod_revision <= batch.revision for change in batch.changes)
            changes.extend(batch.changes)
    return changes


def revisions(changes: Sequence[Change]) -> list[int]:
    return [change.mod_revision for change in changes]


async def test_a_value_reads_back_as_written(storage: Storage, prefix: bytes) -> None:
    for number, value in enumerate((b"", b" ", b"{}", b"x_", b"\xff\x00", b"}\n")):
        key = prefix + b"%d" % number
        created = await storage.create(key, value)
        found = await storage.get(key)
        assert found is not None
        assert (found.key, found.value, found.mod_revision) == (key, value, created)
        updated = await storage.update(key, value + b"2", expected_revision=created)
        again = await storage.get(key)
        assert again is not None
        assert (again.value, again.mod_revision) == (value + b"2", updated)
        assert again.create_revision == found.create_revision
        assert updated > created
    assert await storage.get(prefix + b"none") is None


@dataclass(frozen=True)
class Refusal:
    id: str
    write: Write
    want: type[StorageError]


async def refusals(storage: Storage, prefix: bytes) -> list[Refusal]:
    """Writes that must be refused, against one key that exists and one that does not."""
    here, gone = prefix + b"here", prefix + b"gone"
    first = await storage.create(here, b"1")
    now = await storage.update(here, b"2", expected_revision=first)
    missing = Guard(prefix + b"no-lease", now)
    return [
        Refusal("create of a key that exists", Write(here, b"3"), KeyExists),
        Refusal("update at an old revision", Write(here, b"3", first), Conflict),
        Refusal("update at a revision to come", Write(here, b"3", now + 1_000_000), Conflict),
        Refusal("update of a missing key", Write(gone, b"3", now), KeyMissing),
        Refusal("delete at an old revision", Write(here, None, first), Conflict),
        Refusal("delete of a missing key", Write(gone, None, now), KeyMissing),
        Refusal("create with a failing guard", Write(gone, b"3", 0, (Guard(here, first),)), GuardFailed),
        Refusal("create with a missing guard", Write(gone, b"3", 0, (missing,)), GuardFailed),
        Refusal("update with a failing guard", Write(here, b"3", now, (missing,)), GuardFailed),
        Refusal("delete with a failing guard", Write(here, None, now, (missing,)), GuardFailed),
        Refusal("update of a guarded key at an old revision", Write(here, b"3", first, (Guard(here, now),)), Conflict),
        Refusal("too large a create", Write(gone, b"x" * VALUE_BYTES_MAX), TooLarge),
        Refusal("too large an update", Write(here, b"x" * VALUE_BYTES_MAX, now), TooLarge),
    ]


async def apply(storage: Storage, write: Write) -> int:
    if write.value is None:
        return await storage.delete(write.key, expected_revision=write.expected_revision, guards=write.guards)
    if write.expected_revision:
        return await storage.update(write.key, write.value, expected_revision=write.expected_revision, guards=write.guards)
    return await storage.create(write.key, write.value, guards=write.guards)


async def test_refusals_write_nothing(storage: Storage, prefix: bytes) -> None:
    cases = await refusals(storage, prefix)
    before = await storage.list(prefix)
    for case in cases:
        with pytest.raises(case.want) as caught:
            await apply(storage, case.write)
        if isinstance(caught.value, KeyExists | Conflict):
            assert caught.value.current == before.items[0], case.id
    assert [type(result) for result in await storage.commit([case.write for case in cases])] == [case.want for case in cases]
    assert (await storage.list(prefix)).items == before.items


async def test_guards_that_hold_let_writes_through(storage: Storage, prefix: bytes) -> None:
    lease = prefix + b"lease"
    held = await storage.create(lease, b"me")
    guards = (Guard(lease, held),)
    created = await storage.create(prefix + b"a", b"1", guards=guards)
    updated = await storage.update(prefix + b"a", b"2", expected_revision=created, guards=guards)
    await storage.delete(prefix + b"a", expected_revision=updated, guards=guards)
    renewed = await storage.update(lease, b"me again", expected_revision=held)
    with pytest.raises(GuardFailed):
        await storage.create(prefix + b"b", b"1", guards=guards)
    await storage.create(prefix + b"b", b"1", guards=(Guard(lease, renewed),))


async def test_a_deposed_leader_writes_nothing_after_its_successor(storage: Storage, prefix: bytes) -> None:
    """Guarded writes racing with the loss of the lease: none may come after it."""
    lease = prefix + b"lease"
    held = await storage.create(lease, b"old leader")

    async def write(number: int) -> int | None:
        try:
            return await storage.create(prefix + b"by-old-%d" % number, b"", guards=(Guard(lease, held),))
        except GuardFailed:
            return None

    async def usurp() -> int:
        return await storage.update(lease, b"new leader", expected_revision=held)

    results = await asyncio.gather(*[write(n) for n in range(40)], usurp(), *[write(n) for n in range(40, 80)])
    taken_over = results[40]
    assert taken_over is not None
    assert all(result < taken_over for n, result in enumerate(results) if result is not None and n != 40)


@pytest.mark.parametrize("kind", ["create", "update", "delete"])
async def test_exactly_one_of_many_compare_and_swaps_wins(storage: Storage, prefix: bytes, kind: str) -> None:
    key = prefix + b"contended"
    for _ in range(5):
        revision = 0 if kind == "create" else await storage.create(key, b"start")
        writes = [Write(key, None if kind == "delete" else b"%d" % n, revision) for n in range(50)]
        results = await asyncio.gather(*[apply(storage, write) for write in writes], return_exceptions=True)
        winners = [n for n, result in enumerate(results) if isinstance(result, int)]
        assert len(winners) == 1
        assert all(isinstance(r, KeyExists | Conflict | KeyMissing) for r in results if not isinstance(r, int))
        now = await storage.get(key)
        if kind == "delete":
            assert now is None
        else:
            assert now is not None
            assert (now.value, now.mod_revision) == (b"%d" % winners[0], results[winners[0]])
            await storage.delete(key, expected_revision=now.mod_revision)


async def test_revisions_are_unique_and_increase(storage: Storage, prefix: bytes) -> None:
    before = await storage.current_revision()
    created = await asyncio.gather(*[storage.create(prefix + b"%03d" % n, b"v") for n in range(200)])
    assert len(set(created)) == len(created)
    after = await storage.current_revision()
    assert before < min(created)
    assert max(created) <= after
    deleted = await asyncio.gather(
        *[storage.delete(prefix + b"%03d" % n, expected_revision=revision) for n, revision in enumerate(created)]
    )
    assert len(set(deleted)) == len(deleted)
    assert min(deleted) > after


async def test_a_batch_fails_one_write_at_a_time(storage: Storage, prefix: bytes) -> None:
    taken = await storage.create(prefix + b"taken", b"")
    doomed = await storage.create(prefix + b"doomed", b"")
    writes = [
        Write(prefix + b"new", b"n"),
        Write(prefix + b"taken", b"t"),
        Write(prefix + b"taken", b"t2", taken),
        Write(prefix + b"doomed", None, doomed),
        Write(prefix + b"missing", None, doomed),
        Write(prefix + b"huge", b"x" * (VALUE_BYTES_MAX + 1)),
        Write(prefix + b"guarded", b"g", 0, (Guard(prefix + b"none", 1),)),
        *[Write(prefix + b"many%03d" % n, b"x" * 20_000) for n in range(150)],
    ]
    results = await storage.commit(writes)
    kinds = [None if isinstance(result, int) else type(result) for result in results]
    assert kinds == [None, KeyExists, None, None, KeyMissing, TooLarge, GuardFailed, *[None] * 150]
    numbers = [result for result in results if isinstance(result, int)]
    assert len(set(numbers)) == len(numbers)
    page = await storage.list(prefix)
    by_key = {item.key: item.mod_revision for item in page.items}
    for write, result in zip(writes, results, strict=True):
        if isinstance(result, int) and write.value is not None:
            assert by_key[write.key] == result
    assert prefix + b"doomed" not in by_key
    assert await storage.commit([]) == []


async def test_pages_show_one_snapshot(storage: Storage, prefix: bytes) -> None:
    created = await storage.commit([Write(prefix + b"%03d" % n, b"old") for n in range(95)])
    whole = await storage.list(prefix)
    assert (len(whole.items), whole.more, whole.remaining) == (95, False, 0)
    page = await storage.list(prefix, limit=10)
    seen = list(page.items)
    assert (page.more, page.remaining) == (True, 85)
    for number in range(0, 95, 2):
        revision = created[number]
        assert isinstance(revision, int)
        if number % 4:
            await storage.delete(prefix + b"%03d" % number, expected_revision=revision)
        else:
            await storage.update(prefix + b"%03d" % number, b"new", expected_revision=revision)
    await storage.create(prefix + b"050x", b"new")
    while page.more:
        page = await storage.list(prefix, revision=page.revision, start_after=seen[-1].key, limit=10)
        seen.extend(page.items)
        assert page.remaining == 95 - len(seen)
    assert seen == list(whole.items)
    with pytest.raises(FutureRevision):
        await storage.list(prefix, revision=await storage.current_revision() + 1_000_000)


async def test_watch_is_ordered_unique_and_gap_free(storage: Storage, prefix: bytes) -> None:
    start = await storage.current_revision()
    watch = storage.watch(prefix, start + 1)
    written: dict[int, tuple[bytes, bytes]] = {}

    async def churn(name: bytes) -> None:
        for round_number in range(10):
            value = b"%s-%d" % (name, round_number)
            revision = await storage.create(prefix + name, value)
            written[revision] = (prefix + name, value)
            again = await storage.update(prefix + name, value + b"!", expected_revision=revision)
            written[again] = (prefix + name, value + b"!")
            gone = await storage.delete(prefix + name, expected_revision=again)
            written[gone] = (prefix + name, b"")
            await storage.create(b"/elsewhere" + prefix + value, b"noise")

    await asyncio.gather(*[churn(b"w%d" % n) for n in range(10)])
    changes = await take(watch, len(written))
    assert revisions(changes) == sorted(written)
    assert {change.mod_revision: (change.key, change.value) for change in changes} == written
    for change in changes:
        assert (change.type is ChangeType.DELETE) == (change.value == b"")
    await watch.aclose()


async def test_watch_resumes_anywhere_without_gap_or_repetition(storage: Storage, prefix: bytes) -> None:
    start = await storage.current_revision()
    results = await storage.commit([Write(prefix + b"%03d" % n, b"v") for n in range(150)])
    wanted = sorted(result for result in results if isinstance(result, int))
    assert len(wanted) == 150
    for position in (0, 1, 63, 64, 65, 100, 149):
        watch = storage.watch(prefix, wanted[position] + 1)
        later = await storage.create(prefix + b"later%d" % position, b"v")
        wanted.append(later)
        assert revisions(await take(watch, len(wanted) - position - 1)) == wanted[position + 1 :]
        await watch.aclose()
    watch = storage.watch(prefix, start + 1)
    assert revisions(await take(watch, len(wanted))) == wanted
    await watch.aclose()


async def test_snapshot_and_watch_fit_together(storage: Storage, prefix: bytes) -> None:
    """A list and the watch after it, taken while others write, add up to what is there in the end."""

    async def write_some(name: bytes) -> None:
        for n in range(30):
            await storage.create(prefix + name + b"%d" % n, b"v")

    writers = [asyncio.create_task(write_some(b"x%d-" % n)) for n in range(5)]
    for _ in range(5):
        await asyncio.sleep(0)
        page = await storage.list(prefix)
        watch = storage.watch(prefix, page.revision + 1)
        changes = await take(watch, 150 - len(page.items))
        await watch.aclose()
        listed = {item.key for item in page.items}
        watched = {change.key for change in changes}
        assert len(watched) == len(changes)
        assert not listed & watched
        assert len(listed | watched) == 150
    await asyncio.gather(*writers)


async def test_watch_reports_progress_when_asked(storage: Storage, prefix: bytes) -> None:
    watch = storage.watch(prefix, await storage.current_revision() + 1)
    await storage.create(b"/elsewhere" + prefix, b"noise")
    now = await storage.current_revision()
    watch.request_progress(now)
    async with asyncio.timeout(WAIT_S):
        batch = await anext(watch)
    assert batch.changes == [] or batch.changes == ()
    assert batch.revision >= now
    mine = await storage.create(prefix + b"mine", b"")
    assert revisions(await take(watch, 1)) == [mine]
    await watch.aclose()


async def test_compaction_ends_what_needs_the_past(storage: Storage, prefix: bytes) -> None:
    first = await storage.create(prefix + b"a", b"1")
    old = await storage.list(prefix)
    live = storage.watch(prefix, first + 1)
    second = await storage.update(prefix + b"a", b"2", expected_revision=first)
    gone = await storage.delete(prefix + b"a", expected_revision=second)
    assert revisions(await take(live, 2)) == [second, gone]
    now = await storage.current_revision()
    await storage.compact(now)
    with pytest.raises(Compacted):
        await storage.list(prefix, revision=old.revision)
    with pytest.raises(Compacted):
        await storage.compact(first)
    assert (await storage.list(prefix, revision=now)).items in ([], ())
    fresh = await storage.create(prefix + b"b", b"")
    assert revisions(await take(live, 1)) == [fresh]
    await live.aclose()


async def test_a_watcher_that_is_not_read_is_bounded_and_misses_nothing(prefix: bytes) -> None:
    from apiserver.storage.memory import MemoryStorage

    storage = MemoryStorage(queue_limit=10)
    watch = storage.watch(prefix, 2)
    wanted = [await storage.create(prefix + b"%d" % n, b"v") for n in range(100)]
    assert revisions(await take(watch, 100)) == wanted
    await storage.commit([Write(prefix + b"more%d" % n, b"v") for n in range(20)])
    await storage.compact(await storage.current_revision())
    with pytest.raises(Compacted):
        await anext(watch)
    await storage.close()


async def test_keys_with_a_time_to_live_go_one_by_one(storage: Storage, prefix: bytes) -> None:
    watch = storage.watch(prefix, await storage.current_revision() + 1)
    loop = asyncio.get_running_loop()
    began = loop.time()
    created = await asyncio.gather(*[storage.create(prefix + b"%02d" % n, b"v", ttl_s=1) for n in range(10)])
    kept = await storage.create(prefix + b"kept", b"v")
    await storage.update(prefix + b"00", b"again", expected_revision=created[0])
    changes = await take(watch, 12 + 10)
    assert loop.time() - began >= 1
    deletions = changes[12:]
    assert {change.type for change in deletions} == {ChangeType.DELETE}
    assert len(set(revisions(changes))) == len(changes)
    assert revisions(changes) == sorted(revisions(changes))
    assert [item.mod_revision for item in (await storage.list(prefix)).items] == [kept]
    await watch.aclose()


async def test_close_ends_watches(storage: Storage, prefix: bytes) -> None:
    watch = storage.watch(prefix, await storage.current_revision() + 1)
    waiting = asyncio.create_task(_drain(watch))
    await storage.create(prefix + b"a", b"")
    await asyncio.sleep(0.05)
    await storage.close()
    async with asyncio.timeout(WAIT_S):
        assert sum(len(batch.changes) for batch in await waiting) <= 1


async def _drain(watch: Watch) -> list[Batch]:
    return [batch async for batch in watch]


@pytest.mark.parametrize(
    ("prefix", "want"),
    [(b"/a/", b"/a0"), (b"a\xff", b"b"), (b"\xff\xff", b"\0"), (b"", b"\0")],
    ids=["plain", "carries", "no end", "everything"],
)
def test_prefix_end(prefix: bytes, want: bytes) -> None:
    assert prefix_end(prefix) == want
