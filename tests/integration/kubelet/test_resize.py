"""Resizes on a real containerd: in place, by restart, and when there is no room."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apimachinery.codec import convert
from apimachinery.kinds import Pod, PodCondition, ResourceRequirements
from tests.support.containerd import PrivateContainerd, inside
from tests.support.kubelet_node import SLEEPER, TestNode, eventually, until

OnNode = Callable[[Callable[[TestNode], object]], None]
SMALL = {"limits": {"cpu": "500m", "memory": "64Mi"}, "requests": {"cpu": "500m", "memory": "64Mi"}}
GROUPS = Path("/sys/fs/cgroup")


def container(name: str = "c", resources: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "busybox:1", "command": SLEEPER, "resources": resources or SMALL, **more}


async def resize(node: TestNode, name: str, cpu: str = "500m", memory: str = "64Mi") -> None:
    pod = await node.client.get(Pod, name, "default")
    amounts = {"cpu": cpu, "memory": memory}
    pod.spec.containers[0].resources = convert(ResourceRequirements, {"limits": amounts, "requests": amounts})
    await node.client.update(pod)


def has(node: TestNode, name: str, cpu: str = "500m", memory: str = "64Mi") -> bool:
    """Whether the status tells that these amounts are granted and in force."""
    status = node.container(name)
    if status is None or status.resources is None:
        return False
    amounts = {"cpu": cpu, "memory": memory}
    return (status.allocated_resources, status.resources.limits) == (amounts, amounts)


def pending(node: TestNode, name: str) -> PodCondition | None:
    pod = node.pod(name)
    assert pod is not None
    return next((each for each in pod.status.conditions if each.type == "PodResizePending"), None)


async def own_limits(node: TestNode, name: str) -> tuple[int, int]:
    """CPU quota and memory limit of the container, as the kernel has them."""
    script = (
        "if [ -f /sys/fs/cgroup/memory.max ]; then cut -d' ' -f1 /sys/fs/cgroup/cpu.max; cat /sys/fs/cgroup/memory.max;"
        " else cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/memory/memory.limit_in_bytes; fi"
    )
    quota, memory = (await node.output(name, "sh", "-c", script)).split()
    return int(quota), int(memory)


def pod_limits(node: TestNode, name: str) -> tuple[int, int]:
    """The same of the pod's group."""
    pod = node.pod(name)
    assert pod is not None
    path = f"{node.cgroup_root.strip('/')}/pod{pod.metadata.uid}"
    if (GROUPS / "cgroup.controllers").exists():
        quota = (GROUPS / path / "cpu.max").read_text().split()[0]
        return int(quota), int((GROUPS / path / "memory.max").read_text())
    quota = (GROUPS / "cpu" / path / "cpu.cfs_quota_us").read_text()
    return int(quota), int((GROUPS / "memory" / path / "memory.limit_in_bytes").read_text())


def test_in_place_up_and_down(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        await node.create("p", containers=[container()])
        await node.phase("p", "Running")
        await until(lambda: has(node, "p"), show=lambda: node.pod("p"))
        before = node.container("p")
        assert await own_limits(node, "p") == (50_000, 64 << 20)
        for cpu, memory, quota, size in (("1", "128Mi", 100_000, 128 << 20), ("250m", "32Mi", 25_000, 32 << 20)):
            await resize(node, "p", cpu, memory)
            await until(lambda cpu=cpu, memory=memory: has(node, "p", cpu, memory), show=lambda: node.pod("p"))
            assert await own_limits(node, "p") == (quota, size)
            assert pod_limits(node, "p") == (quota, size)
        after = node.container("p")
        assert before is not None
        assert after is not None
        assert (after.container_id, after.restart_count) == (before.container_id, 0)
        pod = node.pod("p")
        assert pod is not None
        await until(lambda: not [each for each in node.pod("p").status.conditions if "Resize" in each.type])  # type: ignore[union-attr]

    on_node(scenario)


def test_by_restart_where_the_policy_says_so(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        policy = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]
        await node.create("p", containers=[container(resizePolicy=policy), container("other")])
        await node.phase("p", "Running")
        other = node.container("p", "other")
        await resize(node, "p", cpu="1")
        await until(lambda: has(node, "p", cpu="1"))
        status = node.container("p")
        assert status is not None
        assert status.restart_count == 0
        await resize(node, "p", cpu="1", memory="128Mi")
        await until(lambda: has(node, "p", "1", "128Mi") and node.condition("p", "Ready") == "True", show=lambda: node.pod("p"))
        status = node.container("p")
        assert status is not None
        assert status.restart_count == 1
        assert await own_limits(node, "p") == (100_000, 128 << 20)
        await node.recorded("p", "Killing")
        assert ("Killing", "Container c resize requires restart") in node.events("p")
        assert (again := node.container("p", "other")) is not None
        assert other is not None
        assert again.container_id == other.container_id

    on_node(scenario)


def test_what_does_not_fit_waits_until_it_does(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        assert node.kubelet is not None
        whole = int(float(str(node.kubelet.kit.settings.allocatable["cpu"])))
        half = {"cpu": f"{whole * 500}m", "memory": "64Mi"}
        await node.create("p", containers=[container()])
        await node.create("q", containers=[container(resources={"limits": half, "requests": half})])
        for name in ("p", "q"):
            await node.phase(name, "Running")
        await resize(node, "p", cpu=str(whole + 1))
        await until(lambda: (each := pending(node, "p")) is not None and each.reason == "Infeasible")
        wanted = f"{whole * 600}m"
        await resize(node, "p", cpu=wanted)
        await until(lambda: (each := pending(node, "p")) is not None and each.reason == "Deferred")
        condition = pending(node, "p")
        assert condition is not None
        assert condition.message == (
            f"Node didn't have enough resource: cpu, requested: {whole * 600}, used: {whole * 500}, capacity: {whole * 1000}"
        )
        assert has(node, "p")  # it goes on with what it had
        assert (await own_limits(node, "p"))[0] == 50_000
        await node.client.delete(Pod, "q", "default")
        await until(lambda: has(node, "p", cpu=wanted), show=lambda: node.pod("p"))
        await until(lambda: pending(node, "p") is None, show=lambda: node.pod("p"))
        assert (await own_limits(node, "p"))[0] == whole * 60_000

    on_node(scenario)


def test_memory_in_use_is_not_taken_away(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        script = "dd if=/dev/zero of=/mem/x bs=1M count=40 2>/dev/null; trap 'exit 0' TERM; touch /mem/full; sleep 1000 & wait"
        volume = {"name": "mem", "emptyDir": {"medium": "Memory"}}
        eater = container(command=["/bin/sh", "-c", script], volumeMounts=[{"name": "mem", "mountPath": "/mem"}])
        await node.create("p", containers=[eater], volumes=[volume])
        await node.phase("p", "Running")

        async def full() -> bool:
            return "full" in await node.output("p", "ls", "/mem")

        await eventually(full)
        await resize(node, "p", memory="16Mi")

        def refused() -> bool:
            pod = node.pod("p")
            assert pod is not None
            found = next((each for each in pod.status.conditions if each.type == "PodResizeInProgress"), None)
            return found is not None and found.reason == "Error" and "below current usage" in found.message

        await until(refused, show=lambda: node.pod("p"))
        assert await own_limits(node, "p") == (50_000, 64 << 20)
        status = node.container("p")
        assert status is not None
        assert status.restart_count == 0
        await node.output("p", "rm", "/mem/x")
        await until(lambda: has(node, "p", memory="16Mi"), 20.0, show=lambda: node.pod("p"))

    on_node(scenario)


def test_a_kubelet_that_comes_back_goes_on(containerd: PrivateContainerd) -> None:
    """What was applied stays, what was asked for meanwhile is granted, and what had no room still has none."""

    async def body() -> None:
        node = TestNode(containerd)
        async with node.running():
            assert node.kubelet is not None
            whole = int(float(str(node.kubelet.kit.settings.allocatable["cpu"])))
            for name in ("p", "q"):
                await node.create(name, containers=[container()])
                await node.phase(name, "Running")
            await resize(node, "p", cpu="1")
            await resize(node, "q", cpu=str(whole + 1))
            await until(lambda: has(node, "p", cpu="1") and pending(node, "q") is not None)
            before = [node.container(name) for name in ("p", "q")]
        async with node.running():
            await asyncio.sleep(0.5)  # time to do something wrong
            assert has(node, "p", cpu="1")
            assert has(node, "q")
            assert (await own_limits(node, "p"))[0] == 100_000
            assert (await own_limits(node, "q"))[0] == 50_000
            condition = pending(node, "q")
            assert condition is not None
            assert condition.reason == "Infeasible"
        await resize(node, "p", cpu="250m")
        await resize(node, "q", cpu="750m")
        async with node.running():
            await until(lambda: has(node, "p", cpu="250m") and has(node, "q", cpu="750m"), show=lambda: node.pod("q"))
            assert (await own_limits(node, "p"))[0] == 25_000
            assert (await own_limits(node, "q"))[0] == 75_000
            await until(lambda: pending(node, "q") is None)
            after = [node.container(name) for name in ("p", "q")]
            assert [each and (each.container_id, each.restart_count) for each in after] == [
                each and (each.container_id, each.restart_count) for each in before
            ]
            await node.empty()

    inside(containerd.pid, body)
