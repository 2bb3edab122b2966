"""What of this machine a cluster could leave changed, so that before and after can be compared."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

NAMESPACE_KINDS = ("cgroup", "ipc", "mnt", "net", "pid", "uts")
WATCHED_DIRECTORIES = (
    "/etc/cni", "/etc/containerd", "/opt", "/opt/containerd", "/run", "/run/coxswain", "/run/containerd",
    "/var/lib", "/var/lib/cni", "/var/lib/containerd", "/var/lib/coxswain", "/var/lib/coxswain/clusters", "/var/lib/kubelet",
    "/var/log",
)  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """The state of the machine's own namespaces."""

    mounts: frozenset[str]
    interfaces: frozenset[str]
    rules: str
    cgroups: frozenset[str]
    files: frozenset[str]


def observe() -> Machine:
    """The machine as it is now."""
    return Machine(
        mounts=frozenset(_mount_points()),
        interfaces=frozenset(os.listdir("/sys/class/net")),
        rules=_output("iptables-save") + _output("nft", "list", "ruleset"),
        cgroups=frozenset(str(path) for path in Path("/sys/fs/cgroup").rglob("coxswain") if path.is_dir()),
        files=frozenset(_files()),
    )


def namespaces_of(pids: Iterable[int]) -> set[str]:
    """The namespaces (kind:[inode]) these processes are in and this one is not."""
    mine = {os.readlink(f"/proc/self/ns/{kind}") for kind in NAMESPACE_KINDS}
    return {os.readlink(f"/proc/{pid}/ns/{kind}") for pid in pids for kind in NAMESPACE_KINDS} - mine


def live_namespaces() -> set[str]:
    """Every namespace that a process is in, has open, or that is mounted somewhere."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        for link in [*process.glob("ns/*"), *_descriptors(process)]:
            with contextlib.suppress(OSError):  # processes end while they are looked at
                found.add(os.readlink(link))
    mounted = {point.split(" ")[3] for point in Path("/proc/self/mountinfo").read_text().splitlines() if " - nsfs " in point}
    return found | mounted


def processes_of(cluster: str) -> dict[int, str]:
    """The processes, by pid, that belong to a cluster by their command line, name or control group; the dead do not count."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            arguments = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            groups, name = (process / "cgroup").read_text(), (process / "comm").read_text()
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            mine = f"/coxswain/{cluster}/" in groups or f"--cluster={cluster} " in arguments or f"/{cluster}/" in arguments
            if state != "Z" and mine:
                found[int(process.name)] = f"{name.strip()}: {arguments}"
    return found


def _descriptors(process: Path) -> list[Path]:
    try:
        return list((process / "fd").iterdir())
    except OSError:
        return []


def _mount_points() -> list[str]:
    return [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def _files() -> Iterable[str]:
    for directory in WATCHED_DIRECTORIES:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            yield from (f"{directory}/{name}" for name in os.listdir(directory))


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith("#"))
