"""The work queue: de-duplication, delays, back-off, shut-down."""

import asyncio
import logging
import random

import pytest

from apiclient.workqueue import WorkQueue, work
from apimachinery.clock import Clock


class LoopClock:
    """The loop's own (virtual) time."""

    def now(self):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


@pytest.fixture
def clock() -> Clock:
    return LoopClock()


def queue_with(clock: Clock) -> WorkQueue:
    return WorkQueue(clock=clock, rng=random.Random(0), base_delay_s=1.0, max_delay_s=60.0)


async def test_a_key_waits_once_and_is_with_one_worker_at_a_time(clock: Clock) -> None:
    queue = queue_with(clock)
    queue.add("a")
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    getter = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not getter.done()
    queue.done("a")
    assert await getter == "a"
    assert len(queue) == 0


@pytest.mark.looptime
async def test_delayed_keys_come_at_their_time_and_the_earlier_wins(clock: Clock) -> None:
    queue = queue_with(clock)
    queue.add_after("late", 20)
    queue.add_after("late", 5)
    queue.add_after("late", 10)
    queue.add_after("early", 1)
    start = clock.monotonic()
    assert [(await queue.get()), round(clock.monotonic() - start)] == ["early", 1]
    assert [(await queue.get()), round(clock.monotonic() - start)] == ["late", 5]
    queue.done("late")
    getter = asyncio.create_task(queue.get())
    await asyncio.sleep(100)
    assert not getter.done()
    queue.shut_down()
    assert await getter is None


@pytest.mark.looptime
async def test_failures_wait_longer_each_time_until_forgotten(clock: Clock) -> None:
    queue = queue_with(clock)
    delays = []
    for _ in range(4):
        start = clock.monotonic()
        queue.add_rate_limited("a")
        await queue.get()
        queue.done("a")
        delays.append(clock.monotonic() - start)
    assert delays == [pytest.approx(want, rel=0.11) for want in (1, 2, 4, 8)]
    queue.forget("a")
    start = clock.monotonic()
    queue.add_rate_limited("a")
    await queue.get()
    assert clock.monotonic() - start == pytest.approx(1, rel=0.11)


async def test_a_cancelled_getter_loses_no_key(clock: Clock) -> None:
    queue = queue_with(clock)
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert await asyncio.wait_for(second, 1) == "a"


@pytest.mark.looptime
async def test_worker_retries_a_poison_key_and_serves_the_others(clock: Clock) -> None:
    queue, done = queue_with(clock), []

    async def reconcile(key: str) -> None:
        done.append(key)
        if key == "poison" and done.count("poison") < 3:
            raise ValueError(key)

    worker = asyncio.create_task(work(queue, reconcile, log=logging.getLogger("test")))
    queue.add("poison")
    queue.add("fine")
    await asyncio.sleep(30)
    queue.shut_down()
    await worker
    assert done == ["poison", "fine", "poison", "poison"]
