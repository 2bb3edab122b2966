"""A containerd of the test's own, in mount and network namespaces of its own.

The process is started under `unshare`; nothing it mounts or wires is seen outside, and both vanish with it. Its socket is
reached by its path. `inside` runs a coroutine on a thread that has joined the namespaces, so that what it mounts is seen by
containerd and what it dials is the pod network. Stopping kills the containers' shims too, which outlive containerd by design.
"""

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from cluster.images import CACHE_DIRECTORY, ensure

PAUSE = "registry.local/coxswain/pause:1"
BUSYBOX = "docker.io/library/busybox:1"
_CLONE_FS, _CLONE_NEWNS, _CLONE_NEWNET = 0x200, 0x20000, 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

ResultT = TypeVar("ResultT")

_CONFIG = """
version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
  address = "{folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "runc"
"""


class PrivateContainerd:
    """Start with `start`, stop with `stop`; the folder holds everything it writes."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="coxswain-containerd-"))
        self.name = self.folder.name
        self.socket = self.folder / "containerd.sock"
        self.cni = self.folder / "cni"
        self.cgroup_root = f"/{self.name}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self.cni.mkdir(exist_ok=True)
        config = self.folder / "config.toml"
        config.write_text(_CONFIG.format(folder=self.folder, pause=PAUSE))
        self.launch(["unshare", "--mount", "--net", "--", "/bin/sh", "-c"])
        for path in ensure(("pause", "busybox"), CACHE_DIRECTORY).values():
            self.load(path)

    def launch(self, entry: list[str]) -> None:
        """Start the daemon itself, by `entry` into its namespaces."""
        script = f"ip link set lo up; sysctl -qw net.ipv4.ip_forward=1; exec containerd -c {self.folder}/config.toml -l warn"
        with (self.folder / "containerd.log").open("ab") as output:
            self._process = subprocess.Popen([*entry, script], stdout=output, stderr=output)
        deadline = time.monotonic() + 20
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("containerd did not start:\n" + (self.folder / "containerd.log").read_text()[-4000:])
            time.sleep(0.05)

    def answers(self) -> bool:
        if not self.socket.exists():
            return False
        command = ["ctr", "-a", str(self.socket), "version"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def restart(self) -> None:
        """SIGKILL to the daemon and another in its place, in the same namespaces; containers go on meanwhile."""
        assert self._process is not None
        holder = subprocess.Popen(["nsenter", "-t", str(self.pid), "--mount", "--net", "--", "sleep", "60"])
        try:
            # the namespaces must have another member before their first one dies: sleep runs only once it is one
            while Path(f"/proc/{holder.pid}/comm").read_text() != "sleep\n":
                assert holder.poll() is None, "the namespaces could not be held"
                time.sleep(0.01)
            self._process.kill()
            self._process.wait()
            self.launch(["nsenter", "-t", str(holder.pid), "--mount", "--net", "--", "/bin/sh", "-c"])
        finally:
            holder.kill()
            holder.wait()

    def load(self, archive: Path) -> None:
        command = ["ctr", "-a", str(self.socket), "-n", "k8s.io", "images", "import", str(archive)]
        subprocess.run(command, capture_output=True, check=True)

    def stop(self) -> None:
        # shims first lose their daemon, then die; their containers die with the cgroups' processes
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            self._process.kill()
            self._process.wait()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.02)
        self._remove_cgroups()
        shutil.rmtree(self.folder, ignore_errors=True)

    def processes(self) -> list[int]:
        """Shims of this containerd, and what runs in our cgroups."""
        found: set[int] = set()
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if str(self.socket).encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                    found.add(int(path.parent.name))
        for top in self._cgroups():
            for path in top.rglob("cgroup.procs"):
                with contextlib.suppress(OSError):
                    found.update(int(line) for line in path.read_text().split() if line != "0")
        return sorted(found)

    def _cgroups(self) -> list[Path]:
        roots = [Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").glob("*")]
        return [root / self.name for root in roots if (root / self.name).is_dir()]

    def _remove_cgroups(self) -> None:
        for top in self._cgroups():
            for path in sorted((*top.rglob("*"), top), key=lambda path: len(path.parts), reverse=True):
                if path.is_dir():
                    with contextlib.suppress(OSError):
                        path.rmdir()


def inside(pid: int, main: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Run `main()` on an event loop of its own, on a thread within the mount and network namespaces of process `pid`."""
    results: list[ResultT] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            _check(_libc.unshare(_CLONE_FS))
            for name, flag in (("net", _CLONE_NEWNET), ("mnt", _CLONE_NEWNS)):
                with open(f"/proc/{pid}/ns/{name}", "rb") as namespace:
                    _check(_libc.setns(namespace.fileno(), flag))
            results.append(asyncio.run(_awaited(main)))
        except BaseException as error:  # noqa: BLE001 - carried over to the test's thread
            errors.append(error)

    thread = threading.Thread(target=body, name="inside-node")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


async def _awaited(main: Callable[[], Awaitable[ResultT]]) -> ResultT:
    return await main()


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
