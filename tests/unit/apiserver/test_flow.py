"""Flow control: who has a line of their own, who is next, who is refused."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apimachinery.errors import ApiError
from apimachinery.resources import LEASES, PODS
from apiserver.core.request import Options, Request, User, Verb
from apiserver.flow import LIST_SEATS, USER_PART, Flow, FlowControl, Lines, flow_of, seats_of

ADMIN = User("kubernetes-admin", ("system:masters", "system:authenticated"))
NODE = User("system:node:a", ("system:nodes",))
FLOWS = (
    ("the server itself", User("system:apiserver", ("system:masters",)), False, Flow.SYSTEM),
    ("the scheduler", User("system:kube-scheduler"), False, Flow.CONTROLLERS),
    ("the controllers' leases", User("system:kube-controller-manager"), True, Flow.SYSTEM),
    ("a controller of kube-system", User("x", ("system:serviceaccounts:kube-system",)), False, Flow.CONTROLLERS),
    ("a node", NODE, False, Flow.NODES),
    ("a node's lease", NODE, True, Flow.SYSTEM),
    ("a service proxy", User("system:kube-proxy"), False, Flow.NODES),
    ("an administrator", ADMIN, False, Flow.OTHERS),
    ("anybody's lease", ADMIN, True, Flow.OTHERS),
    ("a service account", User("system:serviceaccount:default:x", ("system:serviceaccounts",)), False, Flow.OTHERS),
)


@pytest.mark.parametrize(("name", "user", "lease", "flow"), FLOWS, ids=[each[0] for each in FLOWS])
def test_flow_of(name: str, user: User, lease: bool, flow: Flow) -> None:
    assert flow_of(user, lease=lease) is flow


def request(verb: Verb, user: User = ADMIN, **more: object) -> Request:
    return Request(verb=verb, resource=PODS, user=user, **more)  # type: ignore[arg-type]


def test_what_costs_much_takes_many_seats() -> None:
    assert seats_of(request(Verb.GET)) == seats_of(request(Verb.WATCH)) == seats_of(request(Verb.CREATE)) == 1
    assert seats_of(request(Verb.LIST, options=Options(limit=500))) == 1
    assert seats_of(request(Verb.LIST)) == seats_of(request(Verb.DELETE_COLLECTION)) == LIST_SEATS


async def test_a_full_line_of_others_holds_up_no_lease_and_no_read() -> None:
    lines = Lines(reads_in_flight=1, reads_waiting=4, writes_in_flight=1, writes_waiting=4)
    async with lines.for_request(request(Verb.UPDATE)).admitted("a"):
        lease = Request(verb=Verb.UPDATE, resource=LEASES, user=NODE)
        for free in (lease, request(Verb.UPDATE, NODE), request(Verb.GET)):
            async with asyncio.timeout(1), lines.for_request(free).admitted(free.user.name):
                pass
        assert (lines.in_flight(mutating=True), lines.in_flight(mutating=False)) == (1, 0)


class Traffic:
    """Requests that hold their seats until they are released, and the order in which they began."""

    def __init__(self, line: FlowControl) -> None:
        self.line = line
        self.began: list[str] = []
        self.release = asyncio.Event()

    async def ask(self, user: str, seats: int = 1) -> None:
        async with self.line.admitted(user, seats):
            self.began.append(user)
            await self.release.wait()


async def test_users_take_turns() -> None:
    traffic = Traffic(FlowControl(1, 40))
    async with asyncio.TaskGroup() as group:
        for user in ("first", *["noisy"] * 5, "quiet", "other", "quiet"):
            group.create_task(traffic.ask(user))
        await asyncio.sleep(0)
        assert (traffic.began, traffic.line.waiting) == (["first"], 8)
        traffic.release.set()
    assert traffic.began == ["first", "noisy", "quiet", "other", "noisy", "quiet", "noisy", "noisy", "noisy"]
    assert (traffic.line.in_flight, traffic.line.waiting) == (0, 0)


async def test_one_user_fills_only_a_part_of_a_line() -> None:
    waiting_max = 8
    traffic = Traffic(FlowControl(1, waiting_max))
    tasks = [asyncio.create_task(traffic.ask("noisy")) for _ in range(20)]
    tasks += [asyncio.create_task(traffic.ask(f"quiet-{number}")) for number in range(10)]
    await asyncio.sleep(0)
    assert traffic.line.waiting == waiting_max
    traffic.release.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    refused = [each for each in results if isinstance(each, ApiError)]
    assert {each.code for each in refused} == {429}
    assert all(each.retry_after_s() for each in refused)
    began = Counter(traffic.began)
    assert began["noisy"] == 1 + waiting_max // USER_PART
    assert len(began) - 1 == waiting_max - waiting_max // USER_PART


async def test_what_needs_many_seats_is_not_overtaken_and_gets_no_more_than_there_are() -> None:
    traffic = Traffic(FlowControl(4, 40))
    tasks = [asyncio.create_task(traffic.ask(user, seats)) for user, seats in (("a", 1), ("big", 99), ("small", 1))]
    await asyncio.sleep(0)
    assert traffic.began == ["a"]
    traffic.release.set()
    await asyncio.gather(*tasks)
    assert traffic.began == ["a", "big", "small"]


async def test_who_gives_up_frees_those_behind() -> None:
    traffic = Traffic(FlowControl(2, 40))
    holder = asyncio.create_task(traffic.ask("a"))
    big = asyncio.create_task(traffic.ask("big", 2))
    small = asyncio.create_task(traffic.ask("small"))
    await asyncio.sleep(0)
    assert traffic.began == ["a"]
    big.cancel()
    await asyncio.gather(big, return_exceptions=True)
    await asyncio.sleep(0)
    assert traffic.began == ["a", "small"]
    traffic.release.set()
    await asyncio.gather(holder, small)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), seats_max=st.integers(1, 6), cancels=st.floats(0, 0.6))
def test_no_seat_is_lost_or_given_twice(seed: int, seats_max: int, cancels: float) -> None:
    async def scenario() -> None:
        rng = random.Random(seed)
        line = FlowControl(seats_max, 200)
        taken = 0

        async def ask(seats: int) -> None:
            nonlocal taken
            async with line.admitted(rng.choice("abc"), seats):
                taken += min(seats, seats_max)
                assert taken <= seats_max
                try:
                    for _ in range(rng.randrange(3)):
                        await asyncio.sleep(0)
                finally:
                    taken -= min(seats, seats_max)

        tasks = []
        for _ in range(60):
            tasks.append(asyncio.create_task(ask(rng.choice((1, 1, 2, 8)))))
            if rng.random() < 0.5:
                await asyncio.sleep(0)
            if rng.random() < cancels:
                rng.choice(tasks).cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        wrong = [each for each in results if isinstance(each, Exception) and not isinstance(each, ApiError)]
        assert wrong == []
        assert (taken, line.in_flight, line.waiting) == (0, 0, 0)
        async with asyncio.timeout(1), line.admitted("last", seats_max):
            pass

    asyncio.run(scenario())
