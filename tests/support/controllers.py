"""Controllers over an imitated API in virtual time: a stage on which tests let them work, crash and recover.

`Stage` owns the API and the players: `start` brings up informers and controllers as one process would, `crash` ends them
between two awaits and checks that nobody has changed a cached object, `Machines` plays scheduler and kubelets. Waiting is
`until(condition)`, in virtual seconds.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry

from apiclient.client import Client
from apiclient.testing import FakeApi
from apiclient.transport import Name, PodBinding, RawEvent, Selection, Verb, Write
from apimachinery import codec
from apimachinery.kinds import ConfigMap, Event, Node, NodeCondition, Object, ObjectMeta, Pod, PodCondition, PodIP
from apimachinery.times import format_time
from controller_manager.shared.context import Context, build_informers
from controller_manager.shared.custom import CustomKinds
from controller_manager.shared.loop import Controller
from controller_manager.shared.metrics import Metrics

START = 1_750_000_000


class LoopClock:
    """The (virtual) loop's time for both clocks."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(START + self.monotonic(), UTC)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


@dataclass
class Told:
    """A recorder that keeps what it is told."""

    events: list[tuple[str, str, str]] = field(default_factory=list)

    def event(self, obj: Object, type_: str, reason: str, message: str) -> None:
        self.events.append((obj.metadata.name, reason, message))

    def reasons(self, name: str | None = None) -> list[str]:
        return [reason for about, reason, _ in self.events if name in (None, about)]


class CrashingTransport:
    """Passes everything on; the process that owns it dies around its `at`-th write: before it takes effect, or after."""

    def __init__(self, api: FakeApi, *, at: int = 0, after: bool = False) -> None:
        self.api = api
        self.crashed = asyncio.Event()
        self.count = 0
        self._at = at
        self._after = after

    async def get(self, name: Name, *, resource_version: str = "") -> bytes:
        return await self.api.get(name, resource_version=resource_version)

    async def list(self, name: Name, selection: Selection, *, resource_version: str = "") -> tuple[Sequence[bytes], int]:
        return await self.api.list(name, selection, resource_version=resource_version)

    def watch(self, name: Name, selection: Selection, *, resource_version: str = "") -> AsyncIterator[Sequence[RawEvent]]:
        return self.api.watch(name, selection, resource_version=resource_version)

    async def write(self, write: Write) -> bytes:
        if self.crashed.is_set():
            await asyncio.Event().wait()  # a dead process writes nothing more
        self.count += 1
        if self.count != self._at:
            return await self.api.write(write)
        self.crashed.set()
        if self._after:
            await self.api.write(write)
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def bind(self, bindings: Sequence[PodBinding], fence: Any) -> Sequence[bytes]:
        return await self.api.bind(bindings, fence)

    async def carry(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        return await self.api.carry(method, path, body)

    async def close(self) -> None:
        pass


class Stage:
    """One API, and at any time at most one process of controllers."""

    def __init__(self, build: Callable[[Context], Sequence[Controller]], *, seed: int = 0) -> None:
        self.clock = LoopClock()
        self.api = FakeApi(self.clock, random.Random(seed))
        self.told = Told()
        self.controllers: Sequence[Controller] = ()
        self.context: Context | None = None
        self._build = build
        self._tasks: list[asyncio.Task[Any]] = []
        self._players: list[asyncio.Task[Any]] = []
        self._seed = seed
        self._cached: dict[int, tuple[Object, bytes]] = {}

    async def start(self, transport: Any = None) -> None:
        """Bring the process up: caches, then controllers."""
        rng = random.Random(self._seed)
        client = Client(transport or self.api)
        informers = build_informers(client, rng)
        self._tasks = [asyncio.create_task(each.run(), name=each.kind) for each in informers.all()]
        for informer in informers.all():
            await informer.synced.wait()
        self._cached = {}
        for informer in informers.all():
            informer.on_event(self._remember)
        metrics = Metrics(CollectorRegistry())
        custom = CustomKinds(client, informers.custom_resource_definitions, rng=rng)
        self._tasks.append(asyncio.create_task(custom.run(), name="custom-kinds"))
        self.context = Context(client, informers, custom, self.clock, rng, lambda _: self.told, metrics)
        self.controllers = self._build(self.context)
        self._tasks += [asyncio.create_task(each.run(), name=each.name) for each in self.controllers]

    async def crash(self) -> None:
        """End the process where it stands."""
        await _end(self._tasks)
        self._tasks = []
        for obj, as_cached in self._cached.values():
            assert codec.encode(obj) == as_cached, f"somebody changed the cached {obj.kind} {obj.metadata.name}"
        self._cached = {}

    def _remember(self, event: Any, old: Object | None, new: Object | None) -> None:
        if new is not None:
            self._cached[id(new)] = (new, codec.encode(new))

    async def restart(self) -> None:
        await self.crash()
        await self.start()

    def play(self, player: Any) -> None:
        self._players.append(asyncio.create_task(player, name="player"))

    async def stop(self) -> None:
        await self.crash()
        await _end(self._players)

    async def until(self, condition: Callable[[], object], timeout_s: float = 60.0, what: str = "") -> float:
        """Wait for `condition`; the virtual seconds it took. A process task that fails fails the test."""
        began = self.clock.monotonic()
        while not condition():
            for task in (*self._tasks, *self._players):
                if task.done():
                    task.result()
                    raise AssertionError(f"{task.get_name()} ended")
            if self.clock.monotonic() - began > timeout_s:
                raise AssertionError(f"not within {timeout_s:g} s: {what or condition}")
            await asyncio.sleep(0.01)
        return self.clock.monotonic() - began

    async def settle(self, quiet_s: float = 1.0, timeout_s: float = 120.0) -> None:
        """Wait until nothing but leases and events has changed for `quiet_s` virtual seconds."""
        began, mark, since = self.clock.monotonic(), self.api.revision, self.clock.monotonic()
        while self.clock.monotonic() - since < quiet_s:
            await asyncio.sleep(0.02)
            if self.api.revision != mark:
                mark, since = self.api.revision, self.clock.monotonic()
            assert self.clock.monotonic() - began < timeout_s, "the cluster does not settle"

    def forget_history(self) -> None:
        """Have every informer list anew: its revision is too old."""
        self.api.seed(ConfigMap(metadata=ObjectMeta(name=f"mark-{self.api.revision}", namespace="kube-public")))
        self.api.compact()
        self.api.break_streams()

    def created(self, cls: type[Object]) -> list[str]:
        """Names of all objects of a class that ever came to be, in order."""
        kind = cls.__name__
        return [
            plain["metadata"]["name"]
            for _, resource, event, plain, _ in self.api._history
            if resource.kind == kind and event == "ADDED"
        ]

    def writes(self, verb: Verb, plural: str) -> list[Write]:
        return [each for each in self.api.writes if each.verb == verb and each.name.resource.plural == plural]


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Machines:
    """Scheduler and kubelets in one: places pods round the nodes, starts them, ends the deleted. Failing nodes do nothing."""

    def __init__(self, stage: Stage, *names: str, ready_after_s: float = 0.05, period_s: float = 0.05) -> None:
        self.stage = stage
        self.names = list(names) or ["node-a"]
        self.dead: set[str] = set()
        self.ready: Callable[[Pod], bool] = lambda pod: True
        self._period_s = period_s
        self._ready_after_s = ready_after_s
        self._seen: dict[str, float] = {}
        self._turn = 0

    async def run(self) -> None:
        while True:
            for pod in self.stage.api.objects(Pod):
                self._tend(pod)
            await asyncio.sleep(self._period_s)

    def _tend(self, pod: Pod) -> None:
        api, now = self.stage.api, self.stage.clock.monotonic()
        alive = [name for name in self.names if name not in self.dead]
        if not pod.spec.node_name:
            if alive and pod.metadata.deletion_timestamp is None:
                pod.spec.node_name = alive[self._turn % len(alive)]
                self._turn += 1
                self._seen[pod.metadata.uid] = now
                api.put(pod)
            return
        if pod.spec.node_name in self.dead:
            return
        if pod.metadata.deletion_timestamp is not None:
            api.remove(Pod, pod.metadata.name, pod.metadata.namespace)
            return
        started = now - self._seen.setdefault(pod.metadata.uid, now) >= self._ready_after_s
        wanted = running(codec.deep_copy(pod), self.stage.clock.now(), ready=started and self.ready(pod))
        if pod.status.phase not in ("Succeeded", "Failed") and _gist(wanted) != _gist(pod):
            api.put(wanted)


def running(pod: Pod, now: datetime, *, ready: bool) -> Pod:
    """The pod as its kubelet reports it."""
    pod.status.phase = "Running"
    if not pod.status.pod_ip:
        number = int.from_bytes(pod.metadata.uid.encode()[-3:], "big")
        pod.status.pod_ip = f"10.244.{number >> 8 & 255}.{number & 255}"
        pod.status.pod_ips = [PodIP(ip=pod.status.pod_ip)]
    value = "True" if ready else "False"
    known = next((each for each in pod.status.conditions if each.type == "Ready"), None)
    if known is None or known.status != value:
        others = [each for each in pod.status.conditions if each.type != "Ready"]
        fresh = PodCondition(type="Ready", status=value, last_transition_time=format_time(now))
        pod.status.conditions = [*others, fresh]
    return pod


def _gist(pod: Pod) -> tuple[Any, ...]:
    return pod.status.phase, pod.status.pod_ip, [(each.type, each.status) for each in pod.status.conditions]


def ready_node(name: str, now: datetime, **labels: str) -> Node:
    node = Node()
    node.metadata.name = name
    node.metadata.labels = labels
    moment = format_time(now)
    node.status.conditions = [
        NodeCondition(
            type="Ready", status="True", reason="KubeletReady", last_heartbeat_time=moment, last_transition_time=moment
        )
    ]
    return node


def without_events(writes: Sequence[Write]) -> list[Write]:
    return [each for each in writes if each.name.resource.cls is not Event]
