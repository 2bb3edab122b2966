"""A kubelet whose runtime takes calls and dies before it answers, is restarted, or loses sight of its network; and others
who change what the kubelet has reported."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from apiclient.testing import FakeApi, fake_client
from apimachinery import codec
from apimachinery.kinds import Node, Pod, PodCondition
from kubelet.adapters.fake import (
    FakeCgroups,
    FakeFilesystem,
    FakeLogs,
    FakeMachine,
    FakeNetwork,
    FakeProbes,
    FakeRuntime,
)
from kubelet.core.node import Machine, NodeIdentity
from kubelet.core.sandboxes import NodeFacts
from kubelet.kubelet import Kubelet, Options, Ports
from kubelet.loops.kit import Settings
from kubelet.ports import RuntimeGoneError

pytestmark = pytest.mark.looptime

MACHINE = Machine(2, 1 << 30, 1 << 30, "amd64", "boot", "6.1", "machine", "linux", "system")


class LoopClock:
    def now(self) -> datetime:
        return datetime.fromtimestamp(1_700_000_000 + self.monotonic(), UTC)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class SimulatedNode:
    """A kubelet on a runtime in memory; one with a `former` comes back to what that one has left."""

    def __init__(self, former: SimulatedNode | None = None) -> None:
        clock = LoopClock()
        self.api = former.api if former is not None else FakeApi(clock)
        self.client = fake_client(self.api)
        self.runtime = former.runtime if former is not None else FakeRuntime(clock, latency_s=0.01)
        self.runtime.add_image("docker.io/library/busybox:1")
        ports = Ports(self.runtime, FakeFilesystem(), FakeCgroups(), FakeNetwork(), FakeProbes(), FakeMachine(), FakeLogs())
        settings = Settings("n1", "127.0.0.1", NodeFacts(), "/logs", "/pods", MACHINE.memory_bytes)
        options = Options(NodeIdentity("n1", "127.0.0.1", 10250, 110), MACHINE, 4, 1.0, "/state", False)
        self.kubelet = Kubelet(self.client, ports, settings, options, clock, random.Random(1))

    @property
    def pod(self) -> Pod:
        found = self.api.find(Pod, "p", "default")
        assert found is not None
        return found

    @property
    def node(self) -> Node:
        found = self.api.find(Node, "n1")
        assert found is not None
        return found

    def node_is(self, status: str) -> bool:
        found = self.api.find(Node, "n1")
        return found is not None and any(each.type == "Ready" and each.status == status for each in found.status.conditions)

    def ready(self) -> PodCondition:
        return next(each for each in self.pod.status.conditions if each.type == "Ready")

    async def create_pod(self) -> None:
        probe = {"httpGet": {"port": 80, "path": "/"}, "periodSeconds": 1}
        container = {"name": "c", "image": "busybox:1", "imagePullPolicy": "IfNotPresent", "readinessProbe": probe}
        spec = {"nodeName": "n1", "restartPolicy": "Always", "terminationGracePeriodSeconds": 5, "containers": [container]}
        plain = {"metadata": {"name": "p", "namespace": "default"}, "spec": spec, "status": {"phase": "Pending"}}
        await self.client.create(codec.convert(Pod, plain))

    def lose_answer(self, call: str) -> None:
        """The next such call takes effect; its caller is told that the runtime is gone."""
        original: Callable[..., Awaitable[Any]] = getattr(self.runtime, call)

        async def unanswered(*arguments: Any) -> None:
            setattr(self.runtime, call, original)
            await original(*arguments)
            raise RuntimeGoneError("connection reset")

        setattr(self.runtime, call, unanswered)


@asynccontextmanager
async def a_node(former: SimulatedNode | None = None) -> AsyncIterator[SimulatedNode]:
    node = SimulatedNode(former)
    running = asyncio.create_task(node.kubelet.run(), name="kubelet")
    try:
        await until(lambda: node.node_is("True"))
        yield node
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until(reached: Callable[[], object], limit_s: float = 60.0) -> None:
    give_up_at = asyncio.get_running_loop().time() + limit_s
    while not reached():
        assert asyncio.get_running_loop().time() < give_up_at, f"not within {limit_s:g} s"
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("call", ["run_sandbox", "sandbox_status", "create_container", "start_container", "container_status"])
async def test_a_call_without_an_answer_starts_nothing_twice(call: str) -> None:
    async with a_node() as node:
        node.lose_answer(call)
        await node.create_pod()
        await until(lambda: node.api.find(Pod, "p", "default") and node.pod.status.phase == "Running")
        await until(lambda: node.ready().status == "True")
        sandboxes, containers = await node.runtime.list_sandboxes(), await node.runtime.list_containers()
        assert [each.ready for each in sandboxes] == [True]
        assert [each.id for each in containers if each.running] == [containers[-1].id]


@pytest.mark.parametrize("call", ["stop_container", "container_status", "stop_sandbox", "remove_sandbox"])
async def test_a_call_without_an_answer_leaves_nothing_behind(call: str) -> None:
    async with a_node() as node:
        await node.create_pod()
        await until(lambda: node.pod.status.phase == "Running")
        node.lose_answer(call)
        await node.client.delete(Pod, "p", "default")
        await until(lambda: node.api.find(Pod, "p", "default") is None)
        await until(lambda: not node.kubelet.manager.workers())
        assert await node.runtime.list_sandboxes() == []
        assert await node.runtime.list_containers() == []


@pytest.mark.parametrize(
    ("down_s", "blind_s", "unready"),
    [(1.5, 0.0, False), (1.5, 1.0, False), (4.0, 0.0, True), (0.0, 4.0, True)],
    ids=["restarted", "restarted, and its network comes later", "stays away", "lost its network"],
)
async def test_a_node_is_unready_only_if_its_runtime_stays_away(down_s: float, blind_s: float, unready: bool) -> None:
    async with a_node() as node:
        await asyncio.sleep(4.9)  # the runtime's last sign of life is an old one when it goes
        seen: set[str] = set()
        watching = asyncio.create_task(_note_readiness(node, seen), name="watching")
        node.runtime.down, node.runtime.network_ready = down_s > 0, False
        node.runtime.break_events()
        await asyncio.sleep(down_s)
        node.runtime.down = False
        await asyncio.sleep(blind_s)
        node.runtime.network_ready = True
        await until(lambda: node.node_is("True"))
        watching.cancel()
        assert ("False" in seen) == unready


async def _note_readiness(node: SimulatedNode, seen: set[str]) -> None:
    while True:
        seen.update(each.status for each in node.node.status.conditions if each.type == "Ready")
        await asyncio.sleep(0.01)


async def test_a_node_that_was_thought_dead_says_at_once_that_it_lives() -> None:
    async with a_node() as node:
        await asyncio.sleep(3.0)
        changed = codec.deep_copy(node.node)
        next(each for each in changed.status.conditions if each.type == "Ready").status = "Unknown"
        await node.client.update_status(changed)
        assert not node.node_is("True")
        await until(lambda: node.node_is("True"), 0.5)


async def test_a_pod_that_was_thought_unready_is_ready_again_with_a_new_transition() -> None:
    async with a_node() as node:
        await node.create_pod()
        await until(lambda: node.pod.status.phase == "Running" and node.ready().status == "True")
        since = node.ready().last_transition_time
        await asyncio.sleep(3.0)
        changed = codec.deep_copy(node.pod)
        for each in changed.status.conditions:
            if each.type == "Ready":
                each.status, each.reason = "False", "NodeNotReady"
        changed.status.conditions.append(PodCondition(type="example.com/gate", status="True"))
        await node.client.update_status(changed)
        await until(lambda: node.ready().status == "True", 2.0)
        assert node.ready().reason == ""
        assert node.ready().last_transition_time != since
        assert {each.type for each in node.pod.status.conditions} >= {"example.com/gate", "ContainersReady"}
        writes = node.pod.metadata.resource_version
        await asyncio.sleep(20.0)
        assert node.pod.metadata.resource_version == writes, "nothing is written over and over"
