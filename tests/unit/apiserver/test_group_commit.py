"""Which writes travel together, in virtual time over an etcd that agrees to all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from apiserver.storage.etcd_commit import IN_FLIGHT_MAX, Committer
from apiserver.storage.port import Write

pytestmark = pytest.mark.looptime

TRANSACTION_S = 0.001


class Agreeing:
    """Endpoints whose store does all that it is told; when transactions began, and how many writes each had."""

    def __init__(self) -> None:
        self.transactions: list[tuple[float, int]] = []
        self.under_way = self.most_under_way = 0

    async def once(self, method: Callable[..., Any], request: Any) -> Any:
        self.transactions.append((now(), len(request.success)))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(TRANSACTION_S)
        self.under_way -= 1
        agreed = SimpleNamespace(response_txn=SimpleNamespace(succeeded=True))
        return SimpleNamespace(
            header=SimpleNamespace(revision=len(self.transactions)), responses=[agreed] * len(request.success)
        )


def now() -> float:
    return asyncio.get_running_loop().time()


class Scene:
    def __init__(self) -> None:
        self.etcd = Agreeing()
        self.committer = Committer(self.etcd, leases=None)  # type: ignore[arg-type]
        self._count = 0

    async def write(self) -> float:
        """Write something new; the seconds it took."""
        self._count += 1
        began = now()
        outcome = await self.committer.submit(Write(b"key-%d" % self._count, b"value", 0, ()))
        assert isinstance(outcome, int)
        return now() - began

    async def write_for_ever(self, pause_s: float) -> None:
        while True:
            await self.write()
            await asyncio.sleep(pause_s)

    @property
    def sizes(self) -> list[int]:
        return [size for _, size in self.etcd.transactions]


@pytest.mark.parametrize("writers", [1, 2])
async def test_a_few_writers_wait_for_nobody(writers: int) -> None:
    scene = Scene()
    for _ in range(5):
        took_s = await asyncio.gather(*(scene.write() for _ in range(writers)))
        assert took_s == pytest.approx([TRANSACTION_S] * writers)


async def test_what_is_written_at_once_travels_together() -> None:
    scene = Scene()
    took_s = await asyncio.gather(*(scene.write() for _ in range(20)))
    assert scene.sizes == [20]
    assert max(took_s) == pytest.approx(TRANSACTION_S)


async def test_what_comes_while_enough_is_under_way_goes_with_the_next() -> None:
    scene = Scene()
    writers = []
    for _ in range(IN_FLIGHT_MAX + 5):
        writers.append(asyncio.create_task(scene.write()))
        await asyncio.sleep(TRANSACTION_S / 20)
    await asyncio.gather(*writers)
    assert scene.sizes == [1] * IN_FLIGHT_MAX + [5]
    assert scene.etcd.most_under_way == IN_FLIGHT_MAX


async def test_many_that_come_back_again_and_again_share_transactions() -> None:
    scene = Scene()
    writers = [asyncio.create_task(scene.write_for_ever(0.0001 * number)) for number in range(1, 41)]
    await asyncio.sleep(1)
    for task in writers:
        task.cancel()
    await asyncio.gather(*writers, return_exceptions=True)
    await scene.committer.close()
    assert sum(scene.sizes) / len(scene.sizes) > 4
    assert scene.etcd.most_under_way == IN_FLIGHT_MAX


async def test_closing_waits_for_what_waits() -> None:
    scene = Scene()
    writers = []
    for _ in range(IN_FLIGHT_MAX + 1):
        writers.append(asyncio.create_task(scene.write()))
        await asyncio.sleep(TRANSACTION_S / 20)
    await scene.committer.close()
    await asyncio.sleep(0)
    assert all(each.done() for each in writers)
