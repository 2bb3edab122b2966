"""Shared reads of the current revision, in virtual time: fresh for every asker, and few for many."""

from __future__ import annotations

import asyncio
import random

import pytest

from apiserver.storage.port import Unavailable
from apiserver.storage.revisions import PAUSE_FACTOR, Revisions

pytestmark = pytest.mark.looptime

READ_S = 0.001


class Store:
    """Counts up with time; a read tells what was true when it began."""

    def __init__(self) -> None:
        self.began: list[float] = []
        self.down = False

    async def read(self) -> int:
        now = asyncio.get_running_loop().time()
        self.began.append(now)
        down = self.down
        await asyncio.sleep(READ_S)
        if down:
            raise Unavailable("down")
        return len(self.began)


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_lone_asker_never_waits_for_more_than_its_read() -> None:
    store = Store()
    revisions = Revisions(store.read)
    for number in range(5):
        asked_at = now()
        assert await revisions.current() == number + 1
        assert now() - asked_at == pytest.approx(READ_S)


async def test_who_asks_during_a_read_gets_the_next_one() -> None:
    store = Store()
    revisions = Revisions(store.read)
    first = asyncio.create_task(revisions.current())
    await asyncio.sleep(READ_S / 2)
    others = [asyncio.create_task(revisions.current()) for _ in range(3)]
    assert await first == 1
    assert await asyncio.gather(*others) == [2] * 3
    assert store.began[1] == pytest.approx(READ_S), "one whose read it was alone does not make the next one late"


async def test_a_crowd_makes_few_reads_and_each_is_fresh() -> None:
    store, rng = Store(), random.Random(1)
    revisions = Revisions(store.read)
    stale: list[float] = []
    waited: list[float] = []

    async def ask_often() -> None:
        for _ in range(50):
            await asyncio.sleep(rng.uniform(0, 4 * READ_S))
            asked_at = now()
            read = await revisions.current()
            waited.append(now() - asked_at)
            if store.began[read - 1] < asked_at:
                stale.append(asked_at)

    askers = 32
    await asyncio.gather(*(ask_often() for _ in range(askers)))
    assert not stale
    assert len(store.began) < 50 * askers / 12, "some 8 come back during a read"
    assert max(waited) <= (1 + PAUSE_FACTOR + 1) * READ_S + 1e-9


async def test_a_crowd_that_is_back_is_not_kept_waiting() -> None:
    store = Store()
    revisions = Revisions(store.read)
    for number in range(1, 4):
        assert await asyncio.gather(*(revisions.current() for _ in range(5))) == [number] * 5
    assert now() == pytest.approx(store.began[0] + 3 * READ_S)


async def test_a_crowd_that_comes_back_one_by_one_gathers() -> None:
    """Two share the first reads, while the others come one after the other: that must not stay so."""
    store = Store()
    revisions = Revisions(store.read)

    async def ask_often(first_after_s: float) -> None:
        await asyncio.sleep(first_after_s)
        for _ in range(100):
            await revisions.current()
            await asyncio.sleep(0.4 * READ_S)

    await asyncio.gather(*(ask_often(0.5 * READ_S * number) for number in range(16)))
    assert len(store.began) < 100 * 16 / 6


async def test_a_failure_is_that_of_those_who_waited_for_it() -> None:
    store = Store()
    revisions = Revisions(store.read)
    store.down = True
    results = await asyncio.gather(*(revisions.current() for _ in range(5)), return_exceptions=True)
    assert [type(each) for each in results] == [Unavailable] * 5
    store.down = False
    assert await revisions.current() == 2
    await revisions.close()


async def test_an_asker_that_gives_up_holds_up_nobody() -> None:
    revisions = Revisions(Store().read)
    tasks = [asyncio.create_task(revisions.current()) for _ in range(3)]
    await asyncio.sleep(READ_S / 2)
    tasks[0].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [1, 1]
