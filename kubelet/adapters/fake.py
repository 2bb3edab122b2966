"""A runtime in memory that passes the same contract suite as a real one. For tests and simulations.

Containers run until they are stopped or `finish` ends them; images are there when `images` says so. Every call takes
`latency_s` of the loop's time; while `down` is set every call fails as if the runtime were gone. `calls` counts the calls by
name.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from apimachinery.clock import Clock
from kubelet.core import model
from kubelet.core.cgroups import GroupLimits
from kubelet.core.logs import LogOptions
from kubelet.core.model import (
    CommandResult,
    ContainerRecord,
    ContainerUsage,
    ImageRecord,
    RegistryLogin,
    RuntimeEvent,
    RuntimeHealth,
    Sandbox,
    State,
)
from kubelet.core.network import Route
from kubelet.core.node import Pressure
from kubelet.core.volumes import FileContent
from kubelet.ports import RuntimeFailureError, RuntimeGoneError, RuntimeNotFoundError
from proto.gen.cri_pb2 import ContainerConfig, LinuxContainerResources, PodSandboxConfig


class FakeRuntime:
    """Sandboxes and containers as records."""

    def __init__(self, clock: Clock, *, latency_s: float = 0.0) -> None:
        self.images: dict[str, ImageRecord] = {}
        self.pullable: set[str] = set()
        self.down = False
        self.network_ready = True
        self.latency_s = latency_s
        self.ignores_stop: set[str] = set()
        """Names of containers that only SIGKILL ends."""
        self.exits_at_start: dict[str, int] = {}
        """Exit codes of containers (by name) that end as soon as they start."""
        self.command: Callable[[str, Sequence[str]], CommandResult] = lambda _, __: CommandResult(0)
        self.fail: Callable[[str], str] = lambda _: ""
        """Asked with the name of a call; a text makes it fail."""
        self.calls: Counter[str] = Counter()
        self.configs: dict[str, ContainerConfig] = {}
        self._clock = clock
        self._sandboxes: dict[str, Sandbox] = {}
        self._containers: dict[str, ContainerRecord] = {}
        self._ended: dict[str, asyncio.Event] = {}
        self._subscribers: set[asyncio.Queue[RuntimeEvent | None]] = set()
        self._made = 0

    # what tests do

    def add_image(self, reference: str, *, uid: int | None = None, username: str = "") -> None:
        """Have an image under its full reference."""
        self.images[reference] = ImageRecord(f"sha256:{reference}", (reference,), (), 1000, uid, username)

    def finish(self, container_id: str, exit_code: int, reason: str = "") -> None:
        """A container's process ends."""
        record = self._containers[container_id]
        if record.state == State.RUNNING:
            why = reason or ("Completed" if exit_code == 0 else "Error")
            self._containers[container_id] = record.exited(exit_code, self._now(), why)
            self._ended[container_id].set()
            self._tell(RuntimeEvent(container_id, True, exit_code, self._now()))

    def lose_sandbox(self, sandbox_id: str) -> None:
        """A sandbox dies, with all its containers."""
        for record in list(self._containers.values()):
            if record.sandbox_id == sandbox_id:
                self.finish(record.id, 137)
        self._sandboxes[sandbox_id] = replace(self._sandboxes[sandbox_id], ready=False, addresses=())
        self._tell(RuntimeEvent(sandbox_id, True, 137, self._now()))

    def break_events(self) -> None:
        """End every event stream."""
        for queue in self._subscribers:
            queue.put_nowait(None)

    # the port

    async def version(self) -> str:
        await self._called("version")
        return "fake://1"

    async def health(self) -> RuntimeHealth:
        await self._called("health")
        return RuntimeHealth(True, self.network_ready, "", "" if self.network_ready else "cni is not configured")

    async def run_sandbox(self, config: PodSandboxConfig) -> str:
        await self._called("run_sandbox")
        meta = config.metadata
        taken = [each for each in self._sandboxes.values() if (each.pod_uid, each.attempt) == (meta.uid, meta.attempt)]
        if taken:
            raise RuntimeFailureError(f"name of sandbox {meta.uid}/{meta.attempt} is reserved for {taken[0].id}")
        identity = self._new_id("sandbox")
        self._sandboxes[identity] = Sandbox(
            identity, meta.uid, meta.name, meta.namespace, meta.attempt, True, self._now(), (f"10.0.0.{self._made}",)
        )
        return identity

    async def stop_sandbox(self, sandbox_id: str) -> None:
        await self._called("stop_sandbox")
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is not None and sandbox.ready:
            self.lose_sandbox(sandbox_id)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        await self._called("remove_sandbox")
        if self._sandboxes.get(sandbox_id) is not None:
            self.lose_sandbox(sandbox_id)
            del self._sandboxes[sandbox_id]
            for record in [each for each in self._containers.values() if each.sandbox_id == sandbox_id]:
                del self._containers[record.id]

    async def sandbox_status(self, sandbox_id: str) -> Sandbox:
        await self._called("sandbox_status")
        return self._sandbox(sandbox_id)

    async def sandbox_network(self, sandbox_id: str) -> str | None:
        await self._called("sandbox_network")
        return f"/proc/{self._sandbox(sandbox_id).attempt}/ns/net"

    async def list_sandboxes(self) -> list[Sandbox]:
        await self._called("list_sandboxes")
        return [replace(each, addresses=()) for each in self._sandboxes.values()]

    async def create_container(self, sandbox_id: str, config: ContainerConfig, sandbox: PodSandboxConfig) -> str:
        await self._called("create_container")
        if not self._sandbox(sandbox_id).ready:
            raise RuntimeFailureError(f"sandbox {sandbox_id} is not running")
        image = next((each for each in self.images.values() if config.image.image in (each.id, *each.tags)), None)
        if image is None:
            raise RuntimeNotFoundError(f"image {config.image.image} not found")
        name = (config.labels.get(model.POD_UID, ""), config.metadata.name, config.metadata.attempt)
        taken = [each for each in self._containers.values() if (each.pod_uid, each.name, each.attempt) == name]
        if taken:
            raise RuntimeFailureError(f"name of container {name} is reserved for {taken[0].id}")
        identity = self._new_id("container")
        self.configs[identity] = config
        self._ended[identity] = asyncio.Event()
        self._containers[identity] = ContainerRecord(
            id=identity,
            sandbox_id=sandbox_id,
            pod_uid=config.labels.get(model.POD_UID, ""),
            name=config.metadata.name,
            attempt=config.metadata.attempt,
            state=State.CREATED,
            created_at=self._now() + self._made,
            image=image.tags[0],
            image_ref=image.id,
            log_path=f"{sandbox.log_directory}/{config.log_path}",
            labels=dict(config.labels),
            annotations=dict(config.annotations),
        )
        return identity

    async def start_container(self, container_id: str) -> None:
        await self._called("start_container")
        record = self._container(container_id)
        if record.state != State.CREATED:
            raise RuntimeFailureError(f"container {container_id} is in state {record.state}, not created")
        self._containers[container_id] = replace(record, state=State.RUNNING, started_at=self._now())
        if record.name in self.exits_at_start:
            self.finish(container_id, self.exits_at_start[record.name])

    async def stop_container(self, container_id: str, grace_s: int) -> None:
        await self._called("stop_container")
        record = self._containers.get(container_id)
        if record is None or record.state != State.RUNNING:
            return
        if record.name in self.ignores_stop and grace_s > 0:
            try:
                async with asyncio.timeout(grace_s):
                    await self._ended[container_id].wait()
            except TimeoutError:
                pass
        killed = record.name in self.ignores_stop or grace_s == 0
        self.finish(container_id, 137 if killed else 0)

    async def remove_container(self, container_id: str) -> None:
        await self._called("remove_container")
        if container_id in self._containers:
            self.finish(container_id, 137)
            del self._containers[container_id]

    async def container_status(self, container_id: str) -> ContainerRecord:
        await self._called("container_status")
        return replace(self._container(container_id), sandbox_id="")

    async def list_containers(self) -> list[ContainerRecord]:
        await self._called("list_containers")
        return [
            replace(each, exit_code=0, finished_at=0, started_at=0, reason="", log_path="")
            for each in self._containers.values()
        ]

    async def update_resources(self, container_id: str, resources: LinuxContainerResources) -> None:
        await self._called("update_resources")
        self._container(container_id)
        for field, value in resources.ListFields():
            setattr(self.configs[container_id].linux.resources, field.name, value)

    async def reopen_log(self, container_id: str) -> None:
        await self._called("reopen_log")
        if self._container(container_id).state != State.RUNNING:
            raise RuntimeFailureError(f"container {container_id} is not running")

    async def run_command(self, container_id: str, command: Sequence[str], timeout_s: float) -> CommandResult:
        await self._called("run_command")
        if self._container(container_id).state != State.RUNNING:
            raise RuntimeFailureError(f"container {container_id} is not running")
        return self.command(self._containers[container_id].name, command)

    async def usage(self) -> list[ContainerUsage]:
        await self._called("usage")
        return [
            ContainerUsage(
                each.id,
                each.name,
                each.pod_uid,
                each.labels.get(model.POD_NAME, ""),
                each.labels.get(model.POD_NAMESPACE, ""),
                0,
                self._now(),
                1024,
            )
            for each in self._containers.values()
            if each.state == State.RUNNING
        ]

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        await self._called("events")
        queue: asyncio.Queue[RuntimeEvent | None] = asyncio.Queue()
        self._subscribers.add(queue)
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._subscribers.discard(queue)
        raise RuntimeGoneError("the event stream ended")

    async def image_status(self, reference: str) -> ImageRecord | None:
        await self._called("image_status")
        return self.images.get(reference)

    async def pull_image(self, reference: str, login: RegistryLogin | None, sandbox: PodSandboxConfig | None) -> str:
        await self._called("pull_image")
        if reference not in self.pullable:
            raise RuntimeNotFoundError(f"{reference}: not found")
        self.add_image(reference)
        return self.images[reference].id

    async def list_images(self) -> list[ImageRecord]:
        await self._called("list_images")
        return list(self.images.values())

    async def _called(self, name: str) -> None:
        self.calls[name] += 1
        await asyncio.sleep(self.latency_s)
        if self.down:
            raise RuntimeGoneError("connection refused")
        problem = self.fail(name)
        if problem:
            raise RuntimeFailureError(problem)

    def _sandbox(self, sandbox_id: str) -> Sandbox:
        if sandbox_id not in self._sandboxes:
            raise RuntimeNotFoundError(f"sandbox {sandbox_id} not found")
        return self._sandboxes[sandbox_id]

    def _container(self, container_id: str) -> ContainerRecord:
        if container_id not in self._containers:
            raise RuntimeNotFoundError(f"container {container_id} not found")
        return self._containers[container_id]

    def _new_id(self, kind: str) -> str:
        self._made += 1
        return f"{kind}-{self._made:04d}"

    def _now(self) -> int:
        return round(self._clock.now().timestamp() * 1e9)

    def _tell(self, event: RuntimeEvent) -> None:
        # a real runtime's events come a moment later, never before the call that caused them returns
        for queue in self._subscribers:
            asyncio.get_running_loop().call_soon(partial(queue.put_nowait, event))


class FakeFilesystem:
    """Pods' files as a dict of paths; nothing is mounted."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.payloads: dict[tuple[str, str], dict[str, bytes]] = {}
        self.known: set[str] = set()

    async def prepare_pod(self, uid: str) -> None:
        self.known.add(uid)

    async def write_payload(self, uid: str, volume: str, kind: str, files: Mapping[str, FileContent], group: int | None) -> str:
        self.payloads[uid, volume] = {name: content.data for name, content in files.items()}
        return f"/pods/{uid}/{volume}"

    async def make_empty(self, uid: str, volume: str, *, memory: bool, size_bytes: int | None, group: int | None) -> str:
        return f"/pods/{uid}/{volume}"

    async def check_host_path(self, path: str, kind: str) -> str:
        return path

    async def resolve_subpath(
        self, volume_path: str, subpath: str, uid: str, container: str, index: int, *, create: bool
    ) -> str:
        return f"{volume_path}/{subpath}"

    async def write_pod_file(self, uid: str, name: str, data: bytes, *, mode: int = 0o644) -> str:
        self.files[f"/pods/{uid}/{name}"] = data
        return f"/pods/{uid}/{name}"

    async def termination_file(self, uid: str, container: str, attempt: int) -> str:
        return self.termination_path(uid, container, attempt)

    def termination_path(self, uid: str, container: str, attempt: int) -> str:
        return f"/pods/{uid}/containers/{container}/{attempt}"

    async def read_tail(self, path: str, limit_bytes: int, within: str) -> bytes:
        return self.files.get(path, b"")[-limit_bytes:]

    async def make_log_directory(self, path: str) -> None:
        return None

    async def remove_logs(self, path: str) -> None:
        return None

    async def log_directories(self) -> list[str]:
        return []

    async def remove_pod(self, uid: str) -> None:
        self.known.discard(uid)

    async def pods(self) -> list[str]:
        return sorted(self.known)


class FakeCgroups:
    """Groups and their limits as a dict."""

    def __init__(self) -> None:
        self.groups: dict[str, GroupLimits] = {}

    async def ensure(self, path: str, limits: GroupLimits) -> None:
        self.groups[path] = limits

    async def remove(self, path: str) -> None:
        self.groups.pop(path, None)

    async def children(self, path: str) -> list[str]:
        return sorted(each for each in self.groups if each.rpartition("/")[0] == path)


class FakeNetwork:
    """Remembers what was configured."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.routes: list[Route] = []

    async def configure(self, files: Mapping[str, str]) -> None:
        self.files.update(files)

    async def set_routes(self, routes: Sequence[Route]) -> None:
        self.routes = list(routes)


class FakeProbes:
    """Answers what `answer` says, asked with the port."""

    def __init__(self) -> None:
        self.answer: Callable[[int], tuple[bool, str]] = lambda _: (True, "")
        self.looks: Counter[int] = Counter()

    async def http(
        self, host: str, port: int, path: str, scheme: str, headers: Sequence[tuple[str, str]], timeout_s: float
    ) -> tuple[bool, str]:
        return self._look(port)

    async def tcp(self, host: str, port: int, timeout_s: float) -> tuple[bool, str]:
        return self._look(port)

    async def grpc(self, host: str, port: int, service: str, timeout_s: float) -> tuple[bool, str]:
        return self._look(port)

    def _look(self, port: int) -> tuple[bool, str]:
        self.looks[port] += 1
        return self.answer(port)


class FakeMachine:
    """Nothing runs out."""

    def pressures(self) -> list[Pressure]:
        return []

    def usage(self) -> tuple[int, int]:
        return 0, 0


class FakeLogs:
    """Sizes of log files by path; rotation renames."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.aside: list[str] = []

    async def read(
        self, path: str, options: LogOptions, tail_lines: int, *, follow: bool, running: Callable[[], bool]
    ) -> AsyncIterator[bytes]:
        nothing: tuple[bytes, ...] = ()
        for piece in nothing:
            yield piece

    async def size_bytes(self, path: str) -> int:
        return self.sizes.get(path, 0)

    async def put_aside(self, path: str, stamp: str, keep: int) -> None:
        self.sizes.pop(path, None)
        self.aside.append(f"{path}.{stamp}")

    async def put_back(self, path: str, stamp: str) -> None:
        self.aside.remove(f"{path}.{stamp}")
