"""Control groups of a local cluster, on cgroup v1, v2, or both at once (hybrid).

Each node owns /coxswain/CLUSTER/NODE in every hierarchy: its services run in the leaf `services`, its pods below `pods`
(v2 forbids processes beside groups that share out controllers). Groups are made before the node starts and removed, with
whatever still runs in them, when it is deleted; a hierarchy this machine does not let us write to is an error, not a gap.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT_GROUP = "/coxswain"
SERVICES = "services"
PODS = "pods"
DELEGATED_V2 = ("cpuset", "cpu", "io", "memory", "hugetlb", "pids")
POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted tree: where it is, and the v1 controllers attached to it (none for v2)."""

    mount: Path
    version: int
    controllers: tuple[str, ...] = ()


def node_group(cluster: str, node: str) -> str:
    """Path of a node's group inside each hierarchy."""
    return f"{ROOT_GROUP}/{cluster}/{node}"


def parse_mountinfo(text: str) -> tuple[Hierarchy, ...]:
    """The hierarchies named in /proc/PID/mountinfo (proc(5)); each tree once, however often it is mounted."""
    found: dict[str, Hierarchy] = {}
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields, (kind, _, options) = left.split(" "), right.split(" ", 2)
        if kind == "cgroup2":
            found.setdefault("v2", Hierarchy(Path(fields[4]), 2))
        elif kind == "cgroup":
            names = tuple(option for option in options.split(",") if option not in {"rw", "ro", "xattr", "clone_children"})
            found.setdefault(",".join(names), Hierarchy(Path(fields[4]), 1, names))
    return tuple(found.values())


def hierarchies() -> tuple[Hierarchy, ...]:
    """The hierarchies mounted here."""
    return parse_mountinfo(Path("/proc/self/mountinfo").read_text())


def create(trees: tuple[Hierarchy, ...], cluster: str, node: str) -> None:
    """Make the groups of `node` in each tree; those that exist are left as they are."""
    for tree in trees:
        hybrid = any(other.version == 1 for other in trees)
        group = tree.mount
        for part in node_group(cluster, node).strip("/").split("/"):
            _make(tree, group, group / part, delegate=not hybrid)
            group = group / part
        for leaf in (SERVICES, PODS):
            _make(tree, group, group / leaf, delegate=not hybrid)


def _make(tree: Hierarchy, parent: Path, group: Path, *, delegate: bool) -> None:
    if tree.version == 2 and delegate:
        _delegate(parent)
    group.mkdir(exist_ok=True)
    if "cpuset" in tree.controllers:
        # A v1 cpuset starts empty, and no process may enter it before it has processors and memory.
        for setting in ("cpuset.cpus", "cpuset.mems"):
            if not (group / setting).read_text().strip():
                (group / setting).write_text((parent / setting).read_text())


def _delegate(parent: Path) -> None:
    available = (parent / "cgroup.controllers").read_text().split()
    for controller in DELEGATED_V2:
        if controller in available:
            (parent / "cgroup.subtree_control").write_text(f"+{controller}")


def enter(trees: tuple[Hierarchy, ...], group: str) -> None:
    """Move the calling process into `group` of every tree."""
    for tree in trees:
        (tree.mount / group.strip("/") / "cgroup.procs").write_text("0")  # the writer, in whichever pid namespace


def processes(trees: tuple[Hierarchy, ...], group: str) -> set[int]:
    """The pids (of this pid namespace) in `group` and below."""
    pids: set[int] = set()
    for tree in trees:
        for path in _below(tree.mount / group.strip("/")):
            with contextlib.suppress(FileNotFoundError):
                # A group that is on its way out answers ENODEV to readers.
                pids.update(_read_pids(path / "cgroup.procs"))
    pids.discard(0)  # processes of a pid namespace that is not below ours
    return pids


def _read_pids(path: Path) -> set[int]:
    try:
        return {int(line) for line in path.read_text().split()}
    except OSError as error:
        if error.errno == errno.ENODEV:
            return set()
        raise


def remove(trees: tuple[Hierarchy, ...], group: str, timeout_s: float) -> list[int]:
    """Kill what runs in `group` and remove it; the pids that would not go within `timeout_s` (none: it is gone)."""
    give_up_at = time.monotonic() + timeout_s
    while alive := processes(trees, group):
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > give_up_at:
            return sorted(alive)
        time.sleep(POLL_S)
    for tree in trees:
        for path in reversed(list(_below(tree.mount / group.strip("/")))):
            _remove_one(path, give_up_at)
    return []


def _remove_one(path: Path, give_up_at: float) -> None:
    # The kernel keeps a group busy for a moment after its last process has been reaped.
    while True:
        try:
            path.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.ENOTEMPTY) or time.monotonic() > give_up_at:
                raise
            time.sleep(POLL_S)
            for child in reversed(list(_below(path))[1:]):  # made by a process that was being killed while we looked
                _remove_one(child, give_up_at)
        else:
            return


def remove_if_empty(trees: tuple[Hierarchy, ...], group: str) -> None:
    """Remove `group` where nothing is below it."""
    for tree in trees:
        path = tree.mount / group.strip("/")
        if path.is_dir() and not any(child.is_dir() for child in path.iterdir()):
            with contextlib.suppress(OSError):  # gone, or another cluster has just begun in it
                path.rmdir()


def _below(group: Path) -> Iterator[Path]:
    """`group` and every group below it, parents first."""
    for directory, _, _ in os.walk(group):
        yield Path(directory)
