"""The runtimes that must keep the contract: the one in memory, and containerd."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from apimachinery.clock import SystemClock
from kubelet.adapters.cri import CriRuntime
from kubelet.adapters.fake import FakeRuntime
from kubelet.core import model
from kubelet.core.model import CommandResult
from kubelet.core.network import conflist
from kubelet.ports import Runtime
from proto.gen import cri_pb2 as cri
from tests.support.containerd import BUSYBOX, PrivateContainerd
from tests.support.kubelet_node import eventually

SCRIPTS = {
    "sleeper": "trap 'exit 0' TERM; sleep 1000 & wait",
    "exits-3": "exit 3",
    "stubborn": "trap '' TERM; while true; do sleep 0.1; done",
}


@dataclass
class Subject:
    """A runtime to test, with an image that it holds; `folder` takes logs, `cgroup_root` the groups."""

    runtime: Runtime
    folder: str
    cgroup_root: str
    made: list[str] = field(default_factory=list)

    def sandbox(self, attempt: int = 0, uid: str = "") -> cri.PodSandboxConfig:
        """A pod that no other test uses, unless `uid` names one."""
        uid = uid or str(uuid4())
        return cri.PodSandboxConfig(
            metadata=cri.PodSandboxMetadata(name="pod", uid=uid, namespace="default", attempt=attempt),
            hostname="pod",
            log_directory=f"{self.folder}/{uid}",
            labels={model.POD_UID: uid},
            linux=cri.LinuxPodSandboxConfig(cgroup_parent=f"{self.cgroup_root}/pod{uid}"),
        )

    def container(self, sandbox: cri.PodSandboxConfig, name: str) -> cri.ContainerConfig:
        """One of SCRIPTS, by its name."""
        return cri.ContainerConfig(
            metadata=cri.ContainerMetadata(name=name, attempt=2),
            image=cri.ImageSpec(image=BUSYBOX),
            command=["/bin/sh", "-c", SCRIPTS[name]],
            labels={model.POD_UID: sandbox.metadata.uid, "colour": "red"},
            annotations={model.RESTART_COUNT: "2"},
            log_path=f"{name}.log",
        )

    async def run(self, name: str) -> tuple[str, str]:
        """A running container in a sandbox of its own; ids of both."""
        config = self.sandbox()
        sandbox = await self.runtime.run_sandbox(config)
        self.made.append(sandbox)
        container = await self.runtime.create_container(sandbox, self.container(config, name), config)
        await self.runtime.start_container(container)
        return sandbox, container


@pytest.fixture(scope="session")
def containerd() -> Iterator[PrivateContainerd]:
    daemon = PrivateContainerd()
    try:
        daemon.start()
        (daemon.cni / "10-test.conflist").write_text(conflist("10.244.9.0/24", str(daemon.folder / "network")))
        yield daemon
    finally:
        daemon.stop()


@pytest.fixture(params=["memory", "containerd"])
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    if request.param == "memory":
        fake = FakeRuntime(SystemClock())
        fake.add_image(BUSYBOX)
        fake.exits_at_start["exits-3"] = 3
        fake.ignores_stop.add("stubborn")
        fake.command = lambda _, command: CommandResult(4, b"out\n", b"err\n") if "exit 4" in command[-1] else CommandResult(0)
        yield Subject(fake, "/logs", "/test")
        return
    daemon: PrivateContainerd = request.getfixturevalue("containerd")
    runtime = CriRuntime(daemon.endpoint)
    made = Subject(runtime, str(daemon.folder / "logs"), daemon.cgroup_root)
    try:
        await _network_ready(runtime)
        yield made
    finally:
        for sandbox in made.made:
            await runtime.stop_sandbox(sandbox)
            await runtime.remove_sandbox(sandbox)
        await runtime.close()


async def _network_ready(runtime: CriRuntime) -> None:
    async def ready() -> bool:
        return (await runtime.health()).network_ready

    await eventually(ready, what="the network")


@pytest.fixture(params=["memory", "containerd"])
async def absent(request: pytest.FixtureRequest) -> AsyncIterator[Runtime]:
    """A runtime that is not there."""
    if request.param == "memory":
        fake = FakeRuntime(SystemClock())
        fake.down = True
        yield fake
        return
    runtime = CriRuntime("unix:///nonexistent/containerd.sock")
    yield runtime
    await runtime.close()
