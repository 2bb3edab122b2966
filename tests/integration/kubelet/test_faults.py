"""What survives: a kubelet that dies, a containerd that dies, a sandbox that dies, pods deleted meanwhile."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from apimachinery.kinds import Node, Pod
from kubelet.adapters.cri import CriRuntime
from kubelet.core.model import State
from tests.support.containerd import PrivateContainerd, inside
from tests.support.kubelet_node import TestNode, eventually, until

OnNode = Callable[[Callable[[TestNode], object]], None]


async def containers(node: TestNode) -> set[tuple[str, int]]:
    """Ids and restart counts of all running containers."""
    runtime = CriRuntime(node.containerd.endpoint)
    try:
        found = await runtime.list_containers()
        return {(each.id, each.restart_count) for each in found if each.state == State.RUNNING}
    finally:
        await runtime.close()


def test_restarted_kubelet_adopts_and_cleans(containerd: PrivateContainerd) -> None:
    async def body() -> None:
        node = TestNode(containerd)
        probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
        web = {"name": "c", "image": "busybox:1", "command": ["httpd", "-f", "-p", "8080"], "readinessProbe": probe}
        async with node.running():
            await node.create("stays", containers=[web])
            await node.create("goes")
            await until(lambda: node.condition("stays", "Ready") == "True", what="stays to be ready")
            gone = await node.phase("goes", "Running")
        before = await containers(node)
        assert len(before) == 2
        node.api.remove(Pod, "goes", "default")
        writes = len(node.api.writes)
        async with node.running():
            await eventually(lambda: _only(node, before, 1), what="the orphan to end")
            await until(lambda: not (node.root / "pods" / gone.metadata.uid).exists(), what="its files to go")
            await asyncio.sleep(1.5)
            after = await containers(node)
            assert after < before
            status = node.container("stays")
            assert status is not None
            assert status.restart_count == 0
            assert {f"containerd://{identity}" for identity, _ in after} == {status.container_id}
            unready = [
                write
                for write in node.api.writes[writes:]
                if write.name.subresource == "status" and write.name.resource.kind == "Pod" and b'"False"' in write.body
            ]
            assert not unready
            await node.client.delete(Pod, "stays", "default", grace_period_seconds=1)
            await until(lambda: node.pod("stays") is None, what="the adopted pod to go")
            await eventually(lambda: _only(node, before, 0), what="its containers to end")

    inside(containerd.pid, body)


async def _only(node: TestNode, before: set[tuple[str, int]], count: int) -> bool:
    found = await containers(node)
    return len(found) == count and found <= before


def test_sandbox_that_dies_is_made_anew(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        await node.create("p")
        first = await node.phase("p", "Running")
        assert node.runtime is not None
        (sandbox,) = await node.runtime.list_sandboxes()
        await node.runtime.stop_sandbox(sandbox.id)
        await until(
            lambda: (
                (found := node.pod("p")) is not None
                and found.status.pod_ip not in ("", first.status.pod_ip)
                and found.status.container_statuses[0].state.running is not None
            ),
            what="another sandbox",
            show=lambda: node.pod("p"),
        )
        again = node.pod("p")
        assert again is not None
        assert [each.ip for each in again.status.pod_ips] == [again.status.pod_ip]
        assert again.status.container_statuses[0].restart_count in (1, 2)

    on_node(scenario)


def _pids_of(node: TestNode, container: str) -> list[int]:
    (group,) = Path(f"/sys/fs/cgroup/pids{node.cgroup_root}").rglob(container)
    return [int(pid) for pid in (group / "cgroup.procs").read_text().split()]


def test_container_that_dies_is_seen_at_once(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        await node.create("p")
        await node.phase("p", "Running")
        status = node.container("p")
        assert status is not None
        pids = _pids_of(node, status.container_id.removeprefix("containerd://"))
        started = time.monotonic()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # it may have gone with the first, or by itself
                os.kill(pid, signal.SIGKILL)
        await until(lambda: (found := node.container("p")) is not None and found.restart_count == 1, 5, what="a restart")
        assert time.monotonic() - started < 3
        status = node.container("p")
        assert status is not None
        assert status.last_state.terminated is not None
        assert status.last_state.terminated.exit_code == 137

    on_node(scenario)


def test_containerd_killed(containerd: PrivateContainerd) -> None:
    async def body() -> None:
        node = TestNode(containerd)
        async with node.running():
            await node.create("p")
            await node.phase("p", "Running")
            before = await containers(node)
            await asyncio.to_thread(containerd.restart)
            await node.create("q")
            await node.phase("q", "Running", 20)
            assert before < await containers(node)
            status = node.container("p")
            assert status is not None
            assert status.restart_count == 0
            found = node.api.find(Node, "n1")
            assert found is not None
            await until(node.ready, what="the node to be Ready")
            await node.empty()

    inside(containerd.pid, body)
