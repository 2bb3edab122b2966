"""What every runtime behind the port must do; the kubelet relies on each line of it."""

import asyncio
from typing import Any

import pytest

from kubelet.core.model import RuntimeEvent, State
from kubelet.ports import Runtime, RuntimeFailureError, RuntimeGoneError, RuntimeNotFoundError
from proto.gen import cri_pb2 as cri
from tests.support.containerd import BUSYBOX
from tests.support.kubelet_node import eventually, until


async def test_says_who_and_how_it_is(subject: Any) -> None:
    assert "://" in await subject.runtime.version()
    health = await subject.runtime.health()
    assert health.runtime_ready
    assert health.network_ready


async def test_knows_its_images(subject: Any) -> None:
    found = await subject.runtime.image_status(BUSYBOX)
    assert found is not None
    assert BUSYBOX in found.tags
    assert found.size_bytes > 0
    assert await subject.runtime.image_status("registry.invalid/no/such:1") is None
    assert found.id in {each.id for each in await subject.runtime.list_images()}


async def test_image_that_cannot_be_pulled(subject: Any) -> None:
    with pytest.raises(RuntimeFailureError):
        await subject.runtime.pull_image("registry.invalid/no/such:1", None, None)


async def test_life_of_a_sandbox(subject: Any) -> None:
    runtime, config = subject.runtime, subject.sandbox()
    identity = await runtime.run_sandbox(config)
    subject.made.append(identity)
    status = await runtime.sandbox_status(identity)
    assert (status.ready, status.pod_uid, status.attempt) == (True, config.metadata.uid, 0)
    assert status.addresses
    assert status.created_at > 0
    assert [each.ready for each in await runtime.list_sandboxes() if each.id == identity] == [True]
    assert await runtime.sandbox_network(identity)
    with pytest.raises(RuntimeFailureError):
        await runtime.run_sandbox(config)
    await runtime.stop_sandbox(identity)
    await runtime.stop_sandbox(identity)
    assert not (await runtime.sandbox_status(identity)).ready
    again = await runtime.run_sandbox(subject.sandbox(1, config.metadata.uid))
    subject.made.append(again)
    assert again != identity
    await runtime.remove_sandbox(identity)
    await runtime.remove_sandbox(identity)
    with pytest.raises(RuntimeNotFoundError):
        await runtime.sandbox_status(identity)


async def test_life_of_a_container(subject: Any) -> None:
    runtime, config = subject.runtime, subject.sandbox()
    sandbox = await runtime.run_sandbox(config)
    subject.made.append(sandbox)
    identity = await runtime.create_container(sandbox, subject.container(config, "sleeper"), config)
    created = await runtime.container_status(identity)
    assert (created.state, created.name, created.attempt) == (State.CREATED, "sleeper", 2)
    await runtime.start_container(identity)
    running = await runtime.container_status(identity)
    assert running.state == State.RUNNING
    assert running.started_at > 0
    assert running.restart_count == 2
    assert running.labels["colour"] == "red"
    assert running.log_path == f"{config.log_directory}/sleeper.log"
    with pytest.raises(RuntimeFailureError):
        await runtime.start_container(identity)
    (listed,) = [each for each in await runtime.list_containers() if each.id == identity]
    assert (listed.sandbox_id, listed.pod_uid, listed.state) == (sandbox, config.metadata.uid, State.RUNNING)
    await runtime.stop_container(identity, 5)
    await runtime.stop_container(identity, 5)
    ended = await runtime.container_status(identity)
    assert (ended.state, ended.exit_code, ended.reason) == (State.EXITED, 0, "Completed")
    assert ended.finished_at >= ended.started_at
    await runtime.remove_container(identity)
    await runtime.remove_container(identity)
    with pytest.raises(RuntimeNotFoundError):
        await runtime.container_status(identity)


async def test_end_of_a_container_is_an_event(subject: Any) -> None:
    seen: list[RuntimeEvent] = []

    async def listen() -> None:
        async for event in subject.runtime.events():
            seen.append(event)

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0.2)
    _, identity = await subject.run("exits-3")
    await until(lambda: any(each.container_id == identity and each.exited for each in seen), 5, what="the event")
    await _ended(subject.runtime, identity)
    record = await subject.runtime.container_status(identity)
    assert (record.exit_code, record.reason) == (3, "Error")
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_what_ignores_the_stop_signal_is_killed(subject: Any) -> None:
    _, identity = await subject.run("stubborn")
    await asyncio.sleep(0.2)
    started = asyncio.get_running_loop().time()
    await subject.runtime.stop_container(identity, 1)
    assert 0.9 < asyncio.get_running_loop().time() - started < 5
    assert (await subject.runtime.container_status(identity)).exit_code == 137


async def test_command_in_a_container(subject: Any) -> None:
    _, identity = await subject.run("sleeper")
    result = await subject.runtime.run_command(identity, ["sh", "-c", "echo out; echo err >&2; exit 4"], 5)
    assert (result.exit_code, result.stdout, result.stderr) == (4, b"out\n", b"err\n")


async def test_figures_of_running_containers(subject: Any) -> None:
    _, identity = await subject.run("sleeper")

    async def counted() -> bool:
        return any(each.container_id == identity for each in await subject.runtime.usage())

    await eventually(counted, 5, what="figures of the container")


async def test_nothing_starts_in_a_dead_sandbox(subject: Any) -> None:
    config = subject.sandbox()
    sandbox = await subject.runtime.run_sandbox(config)
    subject.made.append(sandbox)
    await subject.runtime.stop_sandbox(sandbox)
    with pytest.raises(RuntimeFailureError):
        await subject.runtime.create_container(sandbox, subject.container(config, "sleeper"), config)


async def test_stopping_a_sandbox_ends_its_containers(subject: Any) -> None:
    sandbox, identity = await subject.run("sleeper")
    await subject.runtime.stop_sandbox(sandbox)
    await _ended(subject.runtime, identity)


@pytest.mark.parametrize("call", ["sandbox_status", "container_status", "start_container"])
async def test_unknown_names(subject: Any, call: str) -> None:
    with pytest.raises(RuntimeNotFoundError):
        await getattr(subject.runtime, call)("0" * 64)


async def test_runtime_that_is_not_there(absent: Runtime) -> None:
    with pytest.raises(RuntimeGoneError):
        await absent.health()
    with pytest.raises(RuntimeGoneError):
        await anext(aiter(absent.events()))


async def _ended(runtime: Runtime, identity: str) -> None:
    async def ended() -> bool:
        return (await runtime.container_status(identity)).state == State.EXITED

    await eventually(ended, 5, what="the container to end")


async def test_changes_what_a_running_container_may_use(subject: Any) -> None:
    runtime, config = subject.runtime, subject.sandbox()
    sandbox = await runtime.run_sandbox(config)
    subject.made.append(sandbox)
    wanted = subject.container(config, "sleeper")
    wanted.linux.resources.MergeFrom(cri.LinuxContainerResources(cpu_shares=102, memory_limit_in_bytes=32 << 20))
    identity = await runtime.create_container(sandbox, wanted, config)
    with pytest.raises(RuntimeFailureError):
        await runtime.update_resources("no-such-container", cri.LinuxContainerResources(cpu_shares=204))
    await runtime.start_container(identity)
    await runtime.update_resources(identity, cri.LinuxContainerResources(cpu_shares=204, memory_limit_in_bytes=64 << 20))
    assert (await runtime.container_status(identity)).state == State.RUNNING
