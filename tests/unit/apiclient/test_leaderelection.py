"""Leader election: one leader, take-over, fencing, release; in virtual time."""

import asyncio
import random
from datetime import UTC, datetime

import pytest

from apiclient.leaderelection import LeaderElector, LeadershipLostError, LeaseTimes
from apiclient.testing import FakeApi, fake_client
from apiclient.transport import Verb
from apimachinery import errors
from apimachinery.errors import ApiError, is_conflict
from apimachinery.kinds import ConfigMap, Lease, ObjectMeta


class LoopClock:
    def now(self) -> datetime:
        return datetime.fromtimestamp(1_700_000_000 + self.monotonic(), UTC)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


def elector(api: FakeApi, identity: str) -> LeaderElector:
    client = fake_client(api)
    times = LeaseTimes(duration_s=6, renew_deadline_s=4, retry_period_s=1)
    return LeaderElector(client, name="x", identity=identity, clock=LoopClock(), rng=random.Random(1), times=times)


async def forever() -> None:
    await asyncio.Event().wait()


async def stop(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.looptime
async def test_one_of_two_leads_and_the_other_follows_when_it_stops() -> None:
    api = FakeApi()
    first, second = elector(api, "a"), elector(api, "b")
    one = asyncio.create_task(first.run(forever))
    await asyncio.sleep(0.5)
    two = asyncio.create_task(second.run(forever))
    await asyncio.sleep(30)
    assert (first.leading, second.leading) == (True, False)
    await stop(one)
    await asyncio.sleep(3)
    assert second.leading, "a released lease is taken at the next try"
    lease = api.find(Lease, "x", "kube-system")
    assert lease is not None
    assert (lease.spec.holder_identity, lease.spec.lease_transitions) == ("b", 2)
    await stop(two)


@pytest.mark.looptime
async def test_a_leader_that_cannot_renew_gives_up_before_its_lease_ends() -> None:
    api = FakeApi()
    candidate = elector(api, "a")
    task = asyncio.create_task(candidate.run(forever))
    await asyncio.sleep(2)
    api.fail = lambda write: errors.unavailable("cut off") if write.verb == Verb.UPDATE else None
    start = asyncio.get_running_loop().time()
    with pytest.raises(LeadershipLostError):
        await task
    assert asyncio.get_running_loop().time() - start < 6
    assert candidate.fence() is None


@pytest.mark.looptime
async def test_a_silent_leader_is_replaced_only_after_its_lease() -> None:
    api = FakeApi()
    lease = Lease(metadata=ObjectMeta(name="x", namespace="kube-system"))
    lease.spec.holder_identity, lease.spec.lease_duration_seconds, lease.spec.lease_transitions = "dead", 6, 4
    api.seed(lease)
    candidate = elector(api, "a")
    task = asyncio.create_task(candidate.run(forever))
    await asyncio.sleep(5.5)
    assert not candidate.leading
    await asyncio.sleep(3)
    fence = candidate.fence()
    assert fence is not None
    assert fence.epoch == 5
    await stop(task)


@pytest.mark.looptime
async def test_a_deposed_leaders_write_is_refused() -> None:
    api = FakeApi()
    old = elector(api, "a")
    task = asyncio.create_task(old.run(forever))
    await asyncio.sleep(1)
    stale = old.fence()
    writer = fake_client(api, fence=lambda: stale)
    await writer.create(ConfigMap(metadata=ObjectMeta(name="before", namespace="default")))
    await stop(task)
    successor = elector(api, "a")  # even under the same name
    task = asyncio.create_task(successor.run(forever))
    await asyncio.sleep(2)
    with pytest.raises(ApiError) as refused:
        await writer.create(ConfigMap(metadata=ObjectMeta(name="after", namespace="default")))
    assert is_conflict(refused.value)
    assert api.find(ConfigMap, "after", "default") is None
    await stop(task)


@pytest.mark.looptime
async def test_returns_and_releases_when_the_work_is_done() -> None:
    api = FakeApi()
    candidate = elector(api, "a")

    async def work() -> None:
        await asyncio.sleep(3)

    await asyncio.wait_for(candidate.run(work), 10)
    lease = api.find(Lease, "x", "kube-system")
    assert lease is not None
    assert lease.spec.holder_identity == ""
