"""Facts of this machine, from /proc, /etc and the filesystem; read once at start, except for what runs out."""

import os
import platform
import shutil
from pathlib import Path

from kubelet.core.node import Machine, Pressure
from kubelet.core.sandboxes import Resolver, parse_resolver

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x"}
_MEMORY_LOW_BYTES = 100 * 1024 * 1024
_DISK_LOW_SHARE = 0.05
_PIDS_LOW_SHARE = 0.02


class LocalMachine:
    """This machine; `directory` is where pods' data lie."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def pressures(self) -> list[Pressure]:
        return read_pressures(self._directory)

    def usage(self) -> tuple[int, int]:
        """CPU time used since boot in nanoseconds, and memory in use that cannot be reclaimed, in bytes."""
        ticks = [int(word) for word in _first_line("/proc/stat").split()[1:9]]
        busy = sum(ticks) - ticks[3] - ticks[4]
        return busy * 1_000_000_000 // os.sysconf("SC_CLK_TCK"), _memory("MemTotal") - _memory("MemAvailable")


def read_machine(directory: str) -> Machine:
    """What the node offers; `directory` is where pods' data lie."""
    system = platform.uname()
    machine_id = _first_line("/etc/machine-id")
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        memory_bytes=_memory("MemTotal"),
        disk_bytes=shutil.disk_usage(directory).total,
        architecture=_ARCHITECTURES.get(system.machine, system.machine),
        boot_id=_first_line("/proc/sys/kernel/random/boot_id"),
        kernel=system.release,
        machine_id=machine_id,
        os_image=_os_name(),
        system_uuid=_first_line("/sys/class/dmi/id/product_uuid") or machine_id,
    )


def read_pressures(directory: str) -> list[Pressure]:
    """What is running out now."""
    found = []
    if _memory("MemAvailable") < _MEMORY_LOW_BYTES:
        found.append(Pressure("MemoryPressure", "KubeletHasInsufficientMemory", "kubelet has insufficient memory available"))
    disk = shutil.disk_usage(directory)
    if disk.free < disk.total * _DISK_LOW_SHARE:
        found.append(Pressure("DiskPressure", "KubeletHasDiskPressure", "kubelet has disk pressure"))
    limit = int(_first_line("/proc/sys/kernel/pid_max") or "32768")
    used = _first_line("/proc/loadavg").split(" ")
    if len(used) > 3 and int(used[3].rpartition("/")[2]) > limit * (1 - _PIDS_LOW_SHARE):
        found.append(Pressure("PIDPressure", "KubeletHasInsufficientPID", "kubelet has insufficient PID available"))
    return found


def read_resolver() -> Resolver:
    """How the node itself resolves names."""
    try:
        return parse_resolver(Path("/etc/resolv.conf").read_text())
    except OSError:
        return Resolver()


def _memory(name: str) -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text().split("\n", 1)[0].strip()
    except OSError:
        return ""


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"
