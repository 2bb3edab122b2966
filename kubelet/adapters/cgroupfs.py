"""Control groups as files: cgroup v2, cgroup v1, and the hybrid of both.

On v1 (and hybrid) every controller is a tree of its own and a pod's group exists in each that the runtime uses; on v2 there is
one tree, in which a parent must hand its controllers down before a child can use them.
"""

import asyncio
import contextlib
import errno
import os
import signal
import time
from pathlib import Path

from kubelet.core.cgroups import PERIOD_US, UNLIMITED, GroupLimits, weight

_MOUNT = Path("/sys/fs/cgroup")
_WANTED = ("cpu", "memory", "pids", "cpuset", "io")
_REMOVE_TIMEOUT_S = 2.0


class CgroupTree:
    """The groups below the mount point of cgroups."""

    def __init__(self, mount: Path = _MOUNT) -> None:
        self._mount = mount
        self._unified = (mount / "cgroup.controllers").exists()
        self._trees = [mount] if self._unified else _v1_trees(mount)

    async def ensure(self, path: str, limits: GroupLimits) -> None:
        await asyncio.to_thread(self._ensure, path, limits)

    async def remove(self, path: str) -> None:
        await asyncio.to_thread(self._remove, path)

    async def children(self, path: str) -> list[str]:
        return await asyncio.to_thread(self._children, path)

    def _ensure(self, path: str, limits: GroupLimits) -> None:
        if self._unified:
            self._ensure_unified(path, limits)
        else:
            self._ensure_split(path, limits)

    def _ensure_unified(self, path: str, limits: GroupLimits) -> None:
        group = self._mount
        for part in Path(path.strip("/")).parts:
            _hand_down(group)
            group = group / part
            group.mkdir(exist_ok=True)
        _hand_down(group)
        if limits.cpu_shares is not None:
            _write(group / "cpu.weight", str(weight(limits.cpu_shares)))
        if limits.cpu_quota_us is not None:
            _write(group / "cpu.max", f"{_or_max(limits.cpu_quota_us)} {PERIOD_US}")
        if limits.memory_bytes is not None:
            _write(group / "memory.max", _or_max(limits.memory_bytes))

    def _ensure_split(self, path: str, limits: GroupLimits) -> None:
        cpu, memory = (self._mount / name / path.strip("/") for name in ("cpu", "memory"))
        for group in (cpu, memory):
            group.mkdir(parents=True, exist_ok=True)
        if limits.cpu_shares is not None:
            _write(cpu / "cpu.shares", str(limits.cpu_shares))
        if limits.cpu_quota_us is not None:
            _write(cpu / "cpu.cfs_period_us", str(PERIOD_US))
            _write(cpu / "cpu.cfs_quota_us", str(limits.cpu_quota_us))
        if limits.memory_bytes is not None:
            _write(memory / "memory.limit_in_bytes", str(limits.memory_bytes))

    def _remove(self, path: str) -> None:
        for tree in self._trees:
            top = tree / path.strip("/")
            if top.is_dir() and top != tree:
                _remove_tree(top)

    def _children(self, path: str) -> list[str]:
        found: set[str] = set()
        for tree in self._trees:
            group = tree / path.strip("/")
            if group.is_dir():
                found.update(each.name for each in group.iterdir() if each.is_dir())
        return [f"{path}/{name}" for name in sorted(found)]


def _v1_trees(mount: Path) -> list[Path]:
    return [each for each in sorted(mount.iterdir()) if each.is_dir() and not each.is_symlink()]


def _hand_down(group: Path) -> None:
    available = (group / "cgroup.controllers").read_text().split()
    active = (group / "cgroup.subtree_control").read_text().split()
    for name in _WANTED:
        if name in available and name not in active:
            # a group that itself holds processes cannot hand controllers down; its children then go without
            with contextlib.suppress(OSError):
                _write(group / "cgroup.subtree_control", f"+{name}")


def _or_max(limit: int) -> str:
    return "max" if limit == UNLIMITED else str(limit)


def _write(path: Path, value: str) -> None:
    # a controller that the kernel lacks has no file: there is nothing to limit then
    with contextlib.suppress(FileNotFoundError):
        path.write_text(value)


def _remove_tree(top: Path) -> None:
    deadline = time.monotonic() + _REMOVE_TIMEOUT_S
    for folder, _, _ in os.walk(top, topdown=False):
        while True:
            try:
                os.rmdir(folder)
                break
            except FileNotFoundError:
                break
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() > deadline:
                    raise
                _kill_members(Path(folder))
                time.sleep(0.01)


def _kill_members(group: Path) -> None:
    with contextlib.suppress(OSError):
        for line in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(line), signal.SIGKILL)
