"""What the kubelet sees of the runtime: sandboxes, containers, and both of one pod together.

A container carries everything needed to know it again after a restart of the kubelet in its labels (which pod, which container)
and annotations (how often restarted, from which spec, with which resources, how long it may take to stop). Times are
nanoseconds since the epoch, zero where the runtime has none, as CRI has them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"
RESTART_COUNT = "io.kubernetes.container.restartCount"
SPEC_HASH = "io.kubernetes.container.hash"
GRACE_PERIOD = "io.kubernetes.pod.terminationGracePeriod"
MESSAGE_PATH = "io.kubernetes.container.terminationMessagePath"
MESSAGE_POLICY = "io.kubernetes.container.terminationMessagePolicy"
KIND = "io.kubernetes.container.kind"
RESOURCES = "io.kubernetes.container.resources"


class ContainerKind(StrEnum):
    """Where in the pod's spec a container stands."""

    INIT = "init"
    APP = "app"
    EPHEMERAL = "ephemeral"


class State(StrEnum):
    """What a container is doing, as CRI tells it."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The namespaces that a pod's containers share. `addresses` is empty in the node's network and while unknown."""

    id: str
    pod_uid: str
    pod_name: str
    pod_namespace: str
    attempt: int
    ready: bool
    created_at: int
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """One container at the runtime, alive or dead. A listed one has no exit details: ask for its status."""

    id: str
    sandbox_id: str
    pod_uid: str
    name: str
    attempt: int
    state: State
    created_at: int
    started_at: int = 0
    finished_at: int = 0
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    image: str = ""
    image_ref: str = ""
    log_path: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        return self.state == State.RUNNING

    @property
    def over(self) -> bool:
        return self.state in (State.EXITED, State.UNKNOWN)

    @property
    def restart_count(self) -> int:
        text = self.annotations.get(RESTART_COUNT, "")
        return int(text) if text.isdigit() else self.attempt

    def exited(self, exit_code: int, finished_at: int, reason: str = "", message: str = "") -> "ContainerRecord":
        """The same container after its end."""
        return replace(self, state=State.EXITED, exit_code=exit_code, finished_at=finished_at, reason=reason, message=message)


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything of one pod at the runtime. Newest sandbox first; containers in any order."""

    sandboxes: Sequence[Sandbox] = ()
    containers: Sequence[ContainerRecord] = ()

    @property
    def sandbox(self) -> Sandbox | None:
        """The newest sandbox, ready or not."""
        return self.sandboxes[0] if self.sandboxes else None

    @property
    def ready_sandbox(self) -> Sandbox | None:
        """The sandbox in which containers can start."""
        newest = self.sandbox
        return newest if newest is not None and newest.ready else None

    def history(self, name: str) -> list[ContainerRecord]:
        """All containers of this name, the newest first."""
        return sorted((each for each in self.containers if each.name == name), key=_age, reverse=True)

    def latest(self, name: str) -> ContainerRecord | None:
        """The newest container of this name."""
        return max((each for each in self.containers if each.name == name), key=_age, default=None)

    def running(self) -> list[ContainerRecord]:
        return [each for each in self.containers if each.state in (State.RUNNING, State.CREATED)]

    def ids(self) -> set[str]:
        """Of all sandboxes and containers."""
        return {each.id for each in self.sandboxes} | {each.id for each in self.containers}

    @property
    def empty(self) -> bool:
        return not self.sandboxes and not self.containers

    def with_container(self, record: ContainerRecord) -> "Observation":
        """The observation in which `record` replaces what was known of that container."""
        return replace(self, containers=(*(each for each in self.containers if each.id != record.id), record))

    def without_container(self, container_id: str) -> "Observation":
        return replace(self, containers=tuple(each for each in self.containers if each.id != container_id))

    def with_sandbox(self, sandbox: Sandbox) -> "Observation":
        """The observation in which `sandbox` replaces what was known of it."""
        others = (each for each in self.sandboxes if each.id != sandbox.id)
        return replace(self, sandboxes=tuple(sorted((sandbox, *others), key=_sandbox_age, reverse=True)))

    def without_sandbox(self, sandbox_id: str) -> "Observation":
        return replace(self, sandboxes=tuple(each for each in self.sandboxes if each.id != sandbox_id))


def _age(record: ContainerRecord) -> tuple[int, int]:
    return record.restart_count, record.created_at


def _sandbox_age(sandbox: Sandbox) -> tuple[int, int]:
    return sandbox.attempt, sandbox.created_at


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image that the runtime holds. `uid` is None and `username` empty where the image names no user."""

    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    size_bytes: int = 0
    uid: int | None = None
    username: str = ""


@dataclass(frozen=True, slots=True)
class RuntimeHealth:
    """Whether the runtime can run containers, and whether it can wire pods to the network; messages where it cannot."""

    runtime_ready: bool
    network_ready: bool
    runtime_message: str = ""
    network_message: str = ""


@dataclass(frozen=True, slots=True)
class RuntimeEvent:
    """Something happened to a container: look again. Exit details are there when the runtime gave them."""

    container_id: str
    exited: bool = False
    exit_code: int = 0
    finished_at: int = 0


@dataclass(frozen=True, slots=True)
class ContainerUsage:
    """Figures of a running container: CPU time since its start, the memory it cannot do without."""

    container_id: str
    name: str
    pod_uid: str
    pod_name: str
    pod_namespace: str
    cpu_nanoseconds: int
    taken_at: int
    memory_working_set_bytes: int


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command in a container said and how it ended."""

    exit_code: int
    stdout: bytes = b""
    stderr: bytes = b""


@dataclass(frozen=True, slots=True)
class RegistryLogin:
    """Credentials for one registry; empty strings where not given."""

    server: str = ""
    username: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""
