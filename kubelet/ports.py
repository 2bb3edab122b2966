"""What the kubelet needs from outside: a container runtime, files and mounts, cgroups, routes, probes.

The runtime port speaks the vocabulary of CRI: the messages that describe a sandbox and a container are CRI's own (pure data),
what comes back are the records of `core.model`. Each port has one error tree; adapters translate whatever they meet into it.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Protocol

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
)
from kubelet.core.network import Route
from kubelet.core.node import Pressure
from kubelet.core.volumes import FileContent
from proto.gen.cri_pb2 import ContainerConfig, LinuxContainerResources, PodSandboxConfig


class RuntimeFailureError(Exception):
    """The runtime refused or failed; the message is what it said."""


class RuntimeGoneError(RuntimeFailureError):
    """The runtime does not answer."""


class RuntimeNotFoundError(RuntimeFailureError):
    """The runtime knows no such sandbox, container or image."""


class CommandTimeoutError(RuntimeFailureError):
    """A command in a container did not end in time."""


class EventsUnsupportedError(RuntimeFailureError):
    """The runtime has no event stream that we understand; look at it from time to time instead."""


class ImageRuntime(Protocol):
    """The images of the node."""

    async def image_status(self, reference: str) -> ImageRecord | None:
        """The image, or None when the runtime does not hold it."""

    async def pull_image(self, reference: str, login: RegistryLogin | None, sandbox: PodSandboxConfig | None) -> str:
        """Fetch an image; the runtime's own reference to it."""

    async def list_images(self) -> list[ImageRecord]:
        """All images that the runtime holds."""


class Runtime(ImageRuntime, Protocol):
    """A CRI runtime. Every method raises RuntimeFailureError; stopping and removing what is gone succeeds."""

    async def version(self) -> str:
        """Name and version, as a node shows them: `containerd://1.6.20`."""

    async def health(self) -> RuntimeHealth:
        """Whether runtime and network are ready."""

    async def run_sandbox(self, config: PodSandboxConfig) -> str:
        """Make a sandbox and wait until it is ready; its id."""

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """End everything in the sandbox and give its network back."""

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Forget a sandbox and its containers, ending them if need be."""

    async def sandbox_status(self, sandbox_id: str) -> Sandbox:
        """The sandbox with its addresses."""

    async def sandbox_network(self, sandbox_id: str) -> str | None:
        """Path of the sandbox' network namespace; None for the node's own."""

    async def list_sandboxes(self) -> list[Sandbox]:
        """All sandboxes, without addresses."""

    async def create_container(self, sandbox_id: str, config: ContainerConfig, sandbox: PodSandboxConfig) -> str:
        """Make a container in a sandbox; its id."""

    async def start_container(self, container_id: str) -> None:
        """Start a container that was made."""

    async def stop_container(self, container_id: str, grace_s: int) -> None:
        """Send the stop signal, wait, then kill; returns when it has ended."""

    async def remove_container(self, container_id: str) -> None:
        """Forget a container, ending it if need be."""

    async def container_status(self, container_id: str) -> ContainerRecord:
        """The container with its exit details."""

    async def list_containers(self) -> list[ContainerRecord]:
        """All containers, without exit details."""

    async def update_resources(self, container_id: str, resources: LinuxContainerResources) -> None:
        """Change what a running container may use; what is zero stays as it is."""

    async def reopen_log(self, container_id: str) -> None:
        """Have the runtime write to a new file under the log path."""

    async def run_command(self, container_id: str, command: Sequence[str], timeout_s: float) -> CommandResult:
        """Run a command in a container to its end; raises CommandTimeoutError."""

    async def usage(self) -> list[ContainerUsage]:
        """Figures of all running containers."""

    def events(self) -> AsyncIterator[RuntimeEvent]:
        """What happens from now on; raises RuntimeFailureError when it breaks, EventsUnsupportedError when there is none."""


class CommandStream(Protocol):
    """A running command's (or container's) input and output."""

    async def write(self, data: bytes) -> None:
        """Feed standard input."""

    async def close_input(self) -> None:
        """No more standard input will come."""

    async def resize(self, width: int, height: int) -> None:
        """Tell the terminal its size."""

    def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """Pieces of output with 1 (standard output) or 2 (standard error), until both have ended."""

    async def exit_code(self) -> int:
        """How the command ended; only after the output has."""

    async def close(self) -> None:
        """Let go of the connection."""


class CommandStreams(Protocol):
    """Interactive commands through the runtime's streaming server."""

    async def execute(
        self, container_id: str, command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> CommandStream:
        """Start a command in a container; raises RuntimeFailureError."""

    async def attach(self, container_id: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> CommandStream:
        """Join the container's own first process; raises RuntimeFailureError."""


class VolumeFailureError(Exception):
    """A volume cannot be provided; the message says why, for an event."""


class Filesystem(Protocol):
    """Directories, mounts and files of pods on this node. Blocking work happens off the event loop."""

    async def prepare_pod(self, uid: str) -> None:
        """Make the pod's own directory, private to root."""

    async def write_payload(self, uid: str, volume: str, kind: str, files: Mapping[str, FileContent], group: int | None) -> str:
        """Set a volume's files to exactly `files`, all at once for readers; its directory."""

    async def make_empty(self, uid: str, volume: str, *, memory: bool, size_bytes: int | None, group: int | None) -> str:
        """An empty directory (a tmpfs when `memory`) that keeps its contents for the pod's life; its path."""

    async def check_host_path(self, path: str, kind: str) -> str:
        """See that the path is what `kind` (Directory, FileOrCreate, ...) says, creating where it says so; the path."""

    async def resolve_subpath(
        self, volume_path: str, subpath: str, uid: str, container: str, index: int, *, create: bool
    ) -> str:
        """A path on the host that is the subpath of the volume for certain, whatever links the volume holds."""

    async def write_pod_file(self, uid: str, name: str, data: bytes, *, mode: int = 0o644) -> str:
        """A file of the pod that is no volume, such as its hosts file; the path."""

    async def termination_file(self, uid: str, container: str, attempt: int) -> str:
        """An empty file, writable for all, for a container's last words; its path."""

    def termination_path(self, uid: str, container: str, attempt: int) -> str:
        """Where `termination_file` puts that file."""

    async def read_tail(self, path: str, limit_bytes: int, within: str) -> bytes:
        """The end of a regular file; empty when there is none, or when it is a link out of `within`."""

    async def make_log_directory(self, path: str) -> None:
        """Make the directory for a pod's logs."""

    async def remove_logs(self, path: str) -> None:
        """Remove a directory under the pods' log directory."""

    async def log_directories(self) -> list[str]:
        """Paths of all pods' log directories."""

    async def remove_pod(self, uid: str) -> None:
        """Unmount and delete everything of a pod, following no link out of it."""

    async def pods(self) -> list[str]:
        """Uids of all pods that have a directory."""


class Cgroups(Protocol):
    """Control groups of pods."""

    async def ensure(self, path: str, limits: GroupLimits) -> None:
        """Make the group (and its parents) and set its limits."""

    async def remove(self, path: str) -> None:
        """Remove the group with everything below it; succeeds when there is none."""

    async def children(self, path: str) -> list[str]:
        """Paths of the groups directly below, as `path/name`."""


class Network(Protocol):
    """The pod network of this node."""

    async def configure(self, files: Mapping[str, str]) -> None:
        """Have exactly these files of ours in the CNI configuration directory."""

    async def set_routes(self, routes: Sequence[Route]) -> None:
        """Have exactly these routes of ours in the kernel; other routes stay."""


class ProbeRunner(Protocol):
    """Looks at a container once."""

    async def http(
        self, host: str, port: int, path: str, scheme: str, headers: Sequence[tuple[str, str]], timeout_s: float
    ) -> tuple[bool, str]:
        """GET; success is a status from 200 to 399. The text says what was wrong."""

    async def tcp(self, host: str, port: int, timeout_s: float) -> tuple[bool, str]:
        """Connect; success is a connection."""

    async def grpc(self, host: str, port: int, service: str, timeout_s: float) -> tuple[bool, str]:
        """Ask grpc.health.v1.Health; success is SERVING."""


class Machinery(Protocol):
    """The machine itself."""

    def pressures(self) -> Sequence[Pressure]:
        """What is running out now."""

    def usage(self) -> tuple[int, int]:
        """CPU time of the whole machine in nanoseconds, and memory in use in bytes that cannot be reclaimed."""


class LogStore(Protocol):
    """Log files of containers. Raises OSError."""

    def read(
        self, path: str, options: LogOptions, tail_lines: int, *, follow: bool, running: Callable[[], bool]
    ) -> AsyncIterator[bytes]:
        """What a reader gets, in pieces; with `follow` until the container (`running`) has ended. Negative tail: all."""

    async def size_bytes(self, path: str) -> int:
        """Of the file that is written to; 0 when there is none."""

    async def put_aside(self, path: str, stamp: str, keep: int) -> None:
        """Rename the file to `PATH.STAMP` and drop the oldest, so that `keep` remain with the new one."""

    async def put_back(self, path: str, stamp: str) -> None:
        """Undo `put_aside` if nothing stands under the name."""
