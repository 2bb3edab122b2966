"""A node for tests: the kubelet with its real adapters on a private containerd, and an imitated API server.

Everything runs in one event loop inside the containerd's namespaces (see `tests.support.containerd.inside`).
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from apiclient.client import Client
from apiclient.testing import FakeApi, fake_client
from apimachinery import codec
from apimachinery.clock import SystemClock
from apimachinery.kinds import ContainerStatus, Event, Node, Pod
from apimachinery.resources import PODS
from kubelet.adapters.cgroupfs import CgroupTree
from kubelet.adapters.cri import CriRuntime
from kubelet.adapters.filesystem import NodeFilesystem
from kubelet.adapters.log_files import LogFiles
from kubelet.adapters.machine import LocalMachine, read_machine
from kubelet.adapters.netlink import NodeNetwork
from kubelet.adapters.probing import NetworkProbes
from kubelet.core.node import NodeIdentity, allocatable
from kubelet.core.sandboxes import NodeFacts
from kubelet.kubelet import Kubelet, Options, Ports
from kubelet.loops.kit import Settings
from tests.support.containerd import PrivateContainerd

POD_CIDR = "10.244.1.0/24"
SLEEPER = ["/bin/sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"]


class TestNode:
    """One node; `api` plays the API server. Several kubelets may follow each other on it."""

    __test__ = False

    def __init__(self, containerd: PrivateContainerd, name: str = "n1") -> None:
        self.containerd = containerd
        self.name = name
        self.clock = SystemClock()
        self.api = FakeApi(self.clock)
        self.client: Client = fake_client(self.api)
        self.root = containerd.folder / "kubelet"
        self.logs = containerd.folder / "pod-logs"
        self.cgroup_root = f"{containerd.cgroup_root}/pods"
        self.kubelet: Kubelet | None = None
        self.runtime: CriRuntime | None = None

    def build(self) -> tuple[Kubelet, CriRuntime]:
        """A kubelet with the real adapters."""
        self.root.mkdir(exist_ok=True)
        machine = read_machine(str(self.root))
        identity = NodeIdentity(name=self.name, ip="127.0.0.1", port=0, max_pods=110)
        settings = Settings(
            node_name=self.name,
            node_ip="127.0.0.1",
            facts=NodeFacts(cluster_dns=("10.96.0.10",)),
            pod_logs_directory=str(self.logs),
            cgroup_root=self.cgroup_root,
            memory_bytes=machine.memory_bytes,
            allocatable=allocatable(identity, machine),
        )
        options = Options(identity, machine, 4, 1.0, str(self.containerd.folder / "network"), True)
        runtime = CriRuntime(self.containerd.endpoint)
        ports = Ports(
            runtime=runtime,
            filesystem=NodeFilesystem(str(self.root), str(self.logs), self.clock),
            cgroups=CgroupTree(),
            network=NodeNetwork(str(self.containerd.cni)),
            probes=NetworkProbes(),
            machinery=LocalMachine(str(self.root)),
            logs=LogFiles(str(self.logs)),
        )
        return Kubelet(self.client, ports, settings, options, self.clock, random.Random(1)), runtime

    @asynccontextmanager
    async def running(self) -> AsyncIterator["TestNode"]:
        """A kubelet on the node while the context is open; leaving it is the kubelet's crash: containers stay."""
        self.kubelet, self.runtime = self.build()
        task = asyncio.create_task(self.kubelet.run(), name="kubelet")
        try:
            await until(lambda: task.done() or self.api.find(Node, self.name) is not None, what="the node's object")
            if task.done():
                await task
            node = self.api.find(Node, self.name)
            assert node is not None
            if not node.spec.pod_cidr:
                await self.client.patch(Node, self.name, patch={"spec": {"podCIDR": POD_CIDR}})
            await until(self.ready, what="the node to be Ready")
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.runtime.close()

    async def empty(self) -> None:
        """Delete all pods and wait until they are gone."""
        for pod in self.api.objects(Pod):
            await self.client.delete(Pod, pod.metadata.name, pod.metadata.namespace, grace_period_seconds=1)
        await until(lambda: not self.api.objects(Pod), what="all pods to go")
        kubelet = self.kubelet
        assert kubelet is not None
        await until(lambda: not kubelet.manager.workers(), what="all traces of pods to go")

    def ready(self) -> bool:
        node = self.api.find(Node, self.name)
        return node is not None and any(each.type == "Ready" and each.status == "True" for each in node.status.conditions)

    def pod(self, name: str) -> Pod | None:
        return self.api.find(Pod, name, "default")

    def container(self, pod: str, name: str = "c") -> ContainerStatus | None:
        found = self.pod(pod)
        if found is None:
            return None
        status = found.status
        every = (*status.container_statuses, *status.init_container_statuses, *status.ephemeral_container_statuses)
        return next((each for each in every if each.name == name), None)

    def condition(self, pod: str, kind: str) -> str:
        found = self.pod(pod)
        conditions = found.status.conditions if found is not None else []
        return next((each.status for each in conditions if each.type == kind), "")

    def waiting(self, pod: str, name: str = "c") -> str:
        found = self.container(pod, name)
        return found.state.waiting.reason if found is not None and found.state.waiting is not None else ""

    def waited(self, pod: str, name: str = "c") -> list[str]:
        """All reasons for which the container has ever waited: some are gone sooner than anybody looks."""
        versions = [plain for _, of, _, plain, _ in self.api._history if of is PODS and plain["metadata"]["name"] == pod]
        statuses = [each for plain in versions for each in plain.get("status", {}).get("containerStatuses") or []]
        return [
            each["state"]["waiting"]["reason"] for each in statuses if each["name"] == name and each["state"].get("waiting")
        ]

    async def recorded(self, pod: str, *reasons: str) -> None:
        """Wait until there are events of these reasons: they come some time after what they tell of."""
        await until(lambda: set(reasons) <= {reason for reason, _ in self.events(pod)}, what=f"events {reasons} of {pod}")

    def events(self, pod: str) -> list[tuple[str, str]]:
        """Reasons and messages of a pod's events."""
        return [(each.reason, each.message) for each in self.api.objects(Event) if each.involved_object.name == pod]

    async def create(self, name: str, **spec: Any) -> Pod:
        """Create a pod on the node from a plain spec; `metadata` adds to the metadata."""
        metadata = {"name": name, "namespace": "default", **spec.pop("metadata", {})}
        spec.setdefault("containers", [{"name": "c", "image": "busybox:1", "command": SLEEPER}])
        spec.setdefault("terminationGracePeriodSeconds", 1)
        spec.setdefault("restartPolicy", "Always")
        plain = {"metadata": metadata, "spec": {"nodeName": self.name, **spec}, "status": {"phase": "Pending"}}
        return await self.client.create(codec.convert(Pod, plain))

    async def phase(self, name: str, phase: str, limit_s: float = 15.0) -> Pod:
        """Wait until the pod is in the phase."""
        await until(
            lambda: (found := self.pod(name)) is not None and found.status.phase == phase,
            limit_s,
            what=f"{name} to be {phase}",
            show=lambda: self.pod(name),
        )
        found = self.pod(name)
        assert found is not None
        return found

    async def output(self, pod: str, *command: str, container: str = "c") -> str:
        """What a command in a container says."""
        status = self.container(pod, container)
        assert status is not None
        assert self.runtime is not None
        result = await self.runtime.run_command(status.container_id.removeprefix("containerd://"), command, 10)
        return (result.stdout + result.stderr).decode()


async def until(
    reached: Callable[[], object], limit_s: float = 15.0, *, what: str = "it", show: Callable[[], object] = lambda: ""
) -> None:
    """Wait until `reached()` is true; fails with what was waited for."""
    deadline = time.monotonic() + limit_s
    while not reached():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {limit_s} s in vain for {what}: {show()}")
        await asyncio.sleep(0.005)


async def eventually(look: Callable[[], Awaitable[bool]], limit_s: float = 10.0, *, what: str = "it") -> None:
    """Like `until`, for what must be awaited."""
    deadline = time.monotonic() + limit_s
    while not await look():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {limit_s} s in vain for {what}")
        await asyncio.sleep(0.05)
