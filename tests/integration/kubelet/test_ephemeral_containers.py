"""Ephemeral containers on a real containerd: beside what runs, in its processes, once."""

from collections.abc import Callable
from typing import Any

from apimachinery.codec import convert
from apimachinery.kinds import EphemeralContainer, Pod
from tests.support.kubelet_node import SLEEPER, TestNode, eventually, until

OnNode = Callable[[Callable[[TestNode], object]], None]


async def add(node: TestNode, name: str, **more: Any) -> None:
    pod = await node.client.get(Pod, "p", "default")
    plain = {"name": name, "image": "busybox:1", "command": SLEEPER, **more}
    pod.spec.ephemeral_containers.append(convert(EphemeralContainer, plain))
    await node.client.update(pod)


def running(node: TestNode, name: str) -> bool:
    status = node.container("p", name)
    return status is not None and status.state.running is not None


def test_a_debugger_sees_the_processes_of_its_target(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        await node.create("p")
        await node.phase("p", "Running")
        before = node.container("p")
        assert before is not None
        watcher = ["/bin/sleep", "1001"]
        await add(node, "alone", command=watcher)
        await add(node, "inside", command=watcher, targetContainerName="c")
        await until(lambda: running(node, "alone") and running(node, "inside"), show=lambda: node.pod("p"))
        first = ("cat", "/proc/1/cmdline")
        assert (await node.output("p", *first, container="alone")).split("\0") == [*watcher, ""]
        assert (await node.output("p", *first, container="inside")).split("\0") == [*SLEEPER, ""]
        assert (await node.output("p", "cat", "/proc/1/root/etc/hostname", container="inside")).strip() == "p"
        after = node.container("p")
        assert after is not None
        assert after.container_id == before.container_id  # the target was left alone
        status = node.container("p", "inside")
        assert status is not None
        assert (status.ready, status.started, status.restart_count) == (False, False, 0)
        found = node.pod("p")
        assert found is not None
        assert [each.name for each in found.status.ephemeral_container_statuses] == ["alone", "inside"]
        assert node.condition("p", "Ready") == "True"

    on_node(scenario)


def test_it_runs_once(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        await node.create("p")
        await node.phase("p", "Running")
        await add(node, "e", command=["/bin/sh", "-c", "echo seen; exit 3"])

        def ended() -> int | None:
            status = node.container("p", "e")
            return status.state.terminated.exit_code if status is not None and status.state.terminated is not None else None

        await until(lambda: ended() is not None, show=lambda: node.pod("p"))
        assert ended() == 3
        await add(node, "later")
        await until(lambda: running(node, "later"))
        assert node.runtime is not None
        made = [each for each in await node.runtime.list_containers() if each.name == "e"]
        assert len(made) == 1
        status = node.container("p", "e")
        assert status is not None
        assert (status.restart_count, status.last_state.terminated) == (0, None)
        assert node.condition("p", "Ready") == "True"

    on_node(scenario)


def test_a_kubelet_that_comes_back_does_not_start_it_again(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        await node.create("p")
        await node.phase("p", "Running")
        await add(node, "e", command=["/bin/true"])
        await until(lambda: (each := node.container("p", "e")) is not None and each.state.terminated is not None)
        status = node.container("p", "e")
        assert status is not None
        assert node.runtime is not None
        await node.runtime.remove_container(status.container_id.removeprefix("containerd://"))
        await add(node, "later")
        await until(lambda: running(node, "later"))
        assert [each.name for each in await node.runtime.list_containers()].count("e") == 0
        kept = node.container("p", "e")
        assert kept is not None
        assert kept.state.terminated is not None

    on_node(scenario)


def test_a_target_that_does_not_run(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        await node.create(
            "p",
            containers=[
                {"name": "c", "image": "busybox:1", "command": SLEEPER},
                {"name": "gone", "image": "busybox:1", "command": ["/bin/true"]},
            ],
            restartPolicy="Never",
        )
        await until(lambda: (each := node.container("p", "gone")) is not None and each.state.terminated is not None)
        await add(node, "e", targetContainerName="gone")
        await until(lambda: node.waiting("p", "e") == "CreateContainerConfigError", show=lambda: node.pod("p"))
        await node.recorded("p", "Failed")
        assert ("Failed", "Error: unable to find target container gone") in node.events("p")
        assert running(node, "c")

    on_node(scenario)


def test_it_ends_with_the_pod(on_node: OnNode) -> None:
    async def scenario(node: TestNode) -> None:
        await node.create("p")
        await node.phase("p", "Running")
        await add(node, "e", targetContainerName="c")
        await until(lambda: running(node, "e"))
        await node.client.delete(Pod, "p", "default")
        await until(lambda: node.pod("p") is None, what="the pod to go")
        assert node.runtime is not None
        runtime = node.runtime

        async def nothing_left() -> bool:
            return await runtime.list_containers() == []

        await eventually(nothing_left, what="its containers to go")

    on_node(scenario)
