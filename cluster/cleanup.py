"""Remove a cluster, whatever state it is in: running, half made, or crashed. Every step may find its work done already.

Processes go first, because the rest is what they hold: the daemon by its recorded identity (its nodes die with it), nodes by
theirs, and strays by their control group. Network namespaces, mounts and rules go with the processes.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
from pathlib import Path

import msgspec

from cluster import cgroups, kubeconfig, paths, processes
from cluster.errors import ClusterError
from cluster.messages import Processes
from cluster.paths import ClusterPaths
from cluster.record import read_record

ORDERLY_TIMEOUT_S = 15.0
KILL_TIMEOUT_S = 10.0


def recorded_processes(cluster: ClusterPaths) -> Processes | None:
    """The processes the cluster's daemon recorded since this boot; None if there are none."""
    try:
        known = msgspec.json.decode(cluster.processes.read_bytes(), type=Processes)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return known if known.boot_id == processes.boot_id() else None


def remove(name: str) -> None:
    """Remove cluster `name` entirely; ClusterError that names what would not go."""
    known = recorded_processes(ClusterPaths(name))
    if known is not None:
        if not processes.end(known.daemon, signal.SIGTERM, ORDERLY_TIMEOUT_S):
            processes.end(known.daemon, signal.SIGKILL, KILL_TIMEOUT_S)
        for node in known.nodes.values():
            processes.end(node, signal.SIGKILL, KILL_TIMEOUT_S)
    remove_files(name)


def remove_files(name: str) -> None:
    """Remove what processes leave: control groups, the kubeconfig's context, state. The caller holds the cluster's lock."""
    cluster = ClusterPaths(name)
    _remove_cgroups(name)
    _remove_context(cluster)
    _remove_tree(cluster.state)
    _remove_tree(cluster.run)
    cluster.lock.unlink(missing_ok=True)
    _remove_shared()


def remove_state(name: str) -> None:
    """Remove what an attempt to create `name` left that got no further than its first files."""
    cluster = ClusterPaths(name)
    if cluster.state.exists() or cluster.run.exists():
        known = recorded_processes(cluster)
        if known is not None:
            processes.end(known.daemon, signal.SIGKILL, KILL_TIMEOUT_S)
        _remove_cgroups(name)
        _remove_tree(cluster.state)
        _remove_tree(cluster.run)


def _remove_cgroups(name: str) -> None:
    trees = cgroups.hierarchies()
    stuck = cgroups.remove(trees, f"{cgroups.ROOT_GROUP}/{name}", KILL_TIMEOUT_S)
    if stuck:
        raise ClusterError(f"processes {', '.join(map(str, stuck))} of cluster {name!r} do not end; try again later")
    cgroups.remove_if_empty(trees, cgroups.ROOT_GROUP)


def _remove_context(cluster: ClusterPaths) -> None:
    try:
        record = read_record(cluster.record)
    except (FileNotFoundError, ClusterError):
        return  # it was never written, so neither was the context
    context = kubeconfig.context_name(cluster.name)
    kubeconfig.remove(Path(record.kubeconfig), context, remove_if_empty=record.kubeconfig_is_new)


def _remove_tree(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)


def _remove_shared() -> None:
    """Remove what clusters share, once the last one has gone."""
    _remove_if_empty(paths.RUN_ROOT)
    _remove_if_empty(paths.CLUSTERS)
    if not paths.CLUSTERS.exists() and paths.CNI_STATE_MARKER.exists():
        _remove_if_empty(paths.CNI_STATE)
        paths.CNI_STATE_MARKER.unlink(missing_ok=True)
    _remove_if_empty(paths.STATE_ROOT)


def _remove_if_empty(path: Path) -> None:
    with contextlib.suppress(OSError):  # not there, or in use
        path.rmdir()
