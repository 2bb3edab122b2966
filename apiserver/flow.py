"""Flow control: how many requests are worked on at once, how many may wait, and who is next.

    request -> its flow (by what it is for) -> that flow's line, reads and writes apart -> a queue for each user -> seats

Four flows keep out of each other's way, each with a line of its own: `system` (leases, and the server's own work), `nodes`,
`controllers`, and everyone else. So a flood of lists by somebody holds up neither the renewal of leases nor the scheduler.
Within a line the users take turns, and one user can fill only a part of it: a noisy one waits behind itself. What finds its
line or its own part of it full is refused with 429 and told when to try again.

A request holds seats while it is worked on: one, or several for those that cost much at once (lists without a limit). Watches
and streams hold theirs only while they are being set up.

A line's owner is the event loop; nothing awaits between a look at the line and the change that follows from it.
Source for the idea of flows, fair queues and seats: the Kubernetes page "API Priority and Fairness".
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from apimachinery import errors, service_accounts
from apimachinery.resources import LEASES
from apiserver.core.request import Request, User, Verb

LIST_SEATS = 8
"""Of a list of everything: it is put together in one go, for milliseconds in which nobody else is served."""
USER_PART = 4
"""One user may hold one place in so many of those in which requests of a flow wait."""


class Flow(StrEnum):
    """What a request is for, as far as flow control cares."""

    SYSTEM = "system"
    NODES = "nodes"
    CONTROLLERS = "controllers"
    OTHERS = "others"


_CONTROLLERS = frozenset(("system:kube-controller-manager", "system:kube-scheduler"))
_NODE_USERS = frozenset(("system:kube-proxy", "system:cluster-dns"))
_, _SYSTEM_ACCOUNTS = service_accounts.groups("kube-system")
_SERVER = "system:apiserver"


def flow_of(user: User, *, lease: bool = False) -> Flow:
    """The flow of a user's requests; `lease`: of those for Leases, which only the cluster's own components put first."""
    if user.name == _SERVER:
        return Flow.SYSTEM
    if user.name in _CONTROLLERS or _SYSTEM_ACCOUNTS in user.groups:
        return Flow.SYSTEM if lease else Flow.CONTROLLERS
    if "system:nodes" in user.groups or user.name in _NODE_USERS:
        return Flow.SYSTEM if lease else Flow.NODES
    return Flow.OTHERS


def seats_of(request: Request) -> int:
    """How much of a line a request takes."""
    if request.verb is Verb.DELETE_COLLECTION or (request.verb is Verb.LIST and not request.options.limit):
        return LIST_SEATS
    return 1


class _Waiter(NamedTuple):
    turn: asyncio.Future[None]
    seats: int


class FlowControl:
    """One line: at most `seats_max` taken, at most `waiting_max` requests waiting, of one user at most a part of them."""

    def __init__(self, seats_max: int, waiting_max: int) -> None:
        self._seats_max = seats_max
        self._free = seats_max
        self._waiting_max = waiting_max
        self._user_max = max(1, waiting_max // USER_PART)
        self._queues: dict[str, deque[_Waiter]] = {}
        """Who waits, by user; the first user is the next to have a turn."""
        self.in_flight = 0
        self.waiting = 0

    def admitted(self, user: str, seats: int = 1) -> "Seats":
        """Hold seats while the body of an `async with` runs; entering raises ApiError (429) when there is no room to wait."""
        return Seats(self, user, min(seats, self._seats_max))

    async def take(self, user: str, seats: int) -> None:
        """Take seats, when it is the user's turn; see `admitted`."""
        if self._queues or seats > self._free:
            await self._wait(user, seats)
        else:
            self._free -= seats
        self.in_flight += 1

    def give_back(self, seats: int) -> None:
        """Let others have the seats that were taken."""
        self.in_flight -= 1
        self._give_back(seats)

    async def _wait(self, user: str, seats: int) -> None:
        queue = self._queues.get(user, ())
        if self.waiting >= self._waiting_max or len(queue) >= self._user_max:
            raise errors.too_many_requests("too many requests are waiting, please try again later")
        waiter = _Waiter(asyncio.get_running_loop().create_future(), seats)
        self._queues.setdefault(user, deque()).append(waiter)
        self.waiting += 1
        try:
            await waiter.turn
        except asyncio.CancelledError:
            if waiter.turn.cancelled():
                self._leave(user, waiter)
            else:
                self._give_back(seats)  # its turn came in the very moment in which it gave up
            raise

    def _leave(self, user: str, waiter: _Waiter) -> None:
        queue = self._queues.get(user)
        if queue is None or waiter not in queue:
            return  # passed over already, between its cancellation and now
        queue.remove(waiter)
        if not queue:
            del self._queues[user]
        self.waiting -= 1
        self._admit()  # it may have kept those behind it waiting for more seats than they need

    def _give_back(self, seats: int) -> None:
        self._free += seats
        self._admit()

    def _admit(self) -> None:
        """Give turns while the next in line finds its seats. Whoever needs many is not overtaken, or it would wait for ever."""
        while self._queues:
            user, queue = next(iter(self._queues.items()))
            waiter = queue[0]
            given_up = waiter.turn.cancelled()
            if waiter.seats > self._free and not given_up:
                return
            del self._queues[user]
            queue.popleft()
            if queue:
                self._queues[user] = queue  # behind all others
            self.waiting -= 1
            if not given_up:
                self._free -= waiter.seats
                waiter.turn.set_result(None)


class Seats:
    """Seats of a line, held from `__aenter__` to `__aexit__`."""

    __slots__ = ("_line", "_seats", "_user")

    def __init__(self, line: FlowControl, user: str, seats: int) -> None:
        self._line = line
        self._user = user
        self._seats = seats

    async def __aenter__(self) -> None:
        await self._line.take(self._user, self._seats)

    async def __aexit__(self, *_: object) -> None:
        self._line.give_back(self._seats)


class Lines:
    """The lines of all flows; each flow has the same bounds."""

    def __init__(self, *, reads_in_flight: int, reads_waiting: int, writes_in_flight: int, writes_waiting: int) -> None:
        self._reads: Mapping[Flow, FlowControl] = {flow: FlowControl(reads_in_flight, reads_waiting) for flow in Flow}
        self._writes: Mapping[Flow, FlowControl] = {flow: FlowControl(writes_in_flight, writes_waiting) for flow in Flow}

    def line(self, flow: Flow, *, mutating: bool) -> FlowControl:
        return (self._writes if mutating else self._reads)[flow]

    def for_request(self, request: Request) -> FlowControl:
        """The line a request stands in."""
        return self.line(flow_of(request.user, lease=request.resource is LEASES), mutating=request.verb.mutating)

    def in_flight(self, *, mutating: bool) -> int:
        """Requests at work now, over all flows."""
        return sum(line.in_flight for line in (self._writes if mutating else self._reads).values())
