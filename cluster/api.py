"""What other programs call: create, look at, change and delete local clusters. Every function raises ClusterError.

create(ClusterSpec(name="demo", workers=2), on_stage=print)
nodes("demo")  →  [NodeInfo(name="demo-control-plane", ...), ...]
delete("demo")
"""

from __future__ import annotations

import os
import shutil
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from cluster import cleanup, lock, paths
from cluster import control as daemon_control
from cluster.errors import ClusterError
from cluster.messages import (
    KillNode,
    LoadImages,
    NodeReport,
    Report,
    Request,
    ServiceReport,
    StartNode,
    Status,
    StopNode,
)
from cluster.paths import ClusterPaths
from cluster.record import ClusterRecord, read_record
from cluster.spec import ClusterSpec, NodeSpec, Publish, parse_publish, validate, validate_name

__all__ = [
    "ClusterError", "ClusterInfo", "ClusterSpec", "NodeInfo", "ServiceInfo", "create", "default_images", "delete",
    "get", "kubeconfig", "list_clusters", "load_images", "logs", "node_kill", "node_start", "node_stop", "nodes",
    "parse_publish", "validate", "with_images",
]  # fmt: skip

STATUS_TIMEOUT_S = 10.0
NODE_TIMEOUT_S = 60.0
LOAD_TIMEOUT_S = 600.0
FOLLOW_POLL_S = 0.2
READ_BYTES = 64 * 1024


class ServiceInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A process of a node; `pid` as this machine sees it, 0 if it does not run."""

    name: str
    state: str
    pid: int
    starts: int


class NodeInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A node; `state` is running, stopping, stopped (in order), killed, or unknown when the cluster's daemon has gone."""

    name: str
    role: str
    ip: str
    state: str
    pid: int = 0
    services: tuple[ServiceInfo, ...] = ()


class ClusterInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A cluster; `state` is running, creating, or stopped when its daemon has gone and only `delete` can help."""

    name: str
    state: str
    api: str
    context: str
    kubeconfig: str
    control_planes: int
    workers: int
    publish: tuple[Publish, ...]
    created_at: str


def create(
    spec: ClusterSpec,
    on_stage: Callable[[Any], None] = lambda stage: None,
    *,
    api_port: int = 0,
    retain: bool = False,
    timeout_s: float | None = None,
    modules: Mapping[str, str] | None = None,
    wait_for_nodes: bool = True,
    environment: Mapping[str, str] | None = None,
) -> ClusterInfo:
    """Create a cluster and return once its nodes are Ready and its images loaded.

    `on_stage` is called with each `cluster.create.StagePassed`. `api_port`: the API's port on 127.0.0.1 (0: any free one).
    `retain` keeps a cluster that did not come up. `modules` replaces components' entry points (component → module).
    """
    from cluster import create as creation  # certificates are expensive to import, and only needed here

    options = creation.Options(
        api_port=api_port,
        retain=retain,
        timeout_s=timeout_s or creation.CREATE_TIMEOUT_S,
        modules=modules,
        wait_for_nodes=wait_for_nodes,
    )
    spec = with_images(spec, [_archive_path(path) for path in spec.image_archives])
    record = creation.create(spec, on_stage, options, dict(os.environ if environment is None else environment))
    return _cluster_info(record, "running")


def default_images() -> tuple[str, ...]:
    """The archive with the images of every local cluster, built if it is not current."""
    from cluster.images import ImageError, ensure_bundle

    try:
        return (str(ensure_bundle()),)
    except ImageError as error:
        raise ClusterError(f"cannot build the images: {error}") from error


def with_images(spec: ClusterSpec, archives: Sequence[str]) -> ClusterSpec:
    """`spec` with these archives to be loaded into every node."""
    return msgspec.structs.replace(spec, image_archives=tuple(archives))


def list_clusters() -> list[ClusterInfo]:
    """Every cluster of this machine, by name."""
    if not paths.CLUSTERS.is_dir():
        return []
    found = []
    for directory in sorted(paths.CLUSTERS.iterdir()):
        try:
            found.append(get(directory.name))
        except ClusterError:
            continue  # being created or deleted right now
    return found


def get(name: str) -> ClusterInfo:
    """The cluster called `name`."""
    record = _record(name)
    return _cluster_info(record, "running" if _is_running(name) else "stopped")


def nodes(name: str) -> list[NodeInfo]:
    """The nodes of cluster `name` and their processes."""
    record = _record(name)
    reports: list[Report] = []
    if _is_running(name):
        with daemon_control.connect(name) as control:
            control.ask(Status(), reports.append, STATUS_TIMEOUT_S)
    return [_node_info(node, reports) for node in record.spec.nodes()]


def kubeconfig(name: str) -> dict[str, object]:
    """A kubeconfig document that leads to cluster `name` and nowhere else."""
    from cluster.create import kubeconfig_document

    return kubeconfig_document(_record(name))


def delete(name: str) -> None:
    """Remove cluster `name` and everything of it, also if it crashed or is half made."""
    validate_name(name)
    cluster = ClusterPaths(name)
    if not cluster.state.exists() and not cluster.run.exists():
        raise _unknown(name)
    with lock.held(cluster.lock, name):
        cleanup.remove(name)


def node_start(name: str, node: str) -> None:
    """Start a stopped or killed node again, with its state and its address."""
    _ask_about_node(name, node, StartNode(node))


def node_stop(name: str, node: str) -> None:
    """Stop a node in order: its services, then its containers. Returns once it has ended."""
    _ask_about_node(name, node, StopNode(node))


def node_kill(name: str, node: str) -> None:
    """Kill everything in a node at once, as when its power is cut. Returns once it has ended."""
    _ask_about_node(name, node, KillNode(node))


def load_images(name: str, archives: Sequence[str]) -> None:
    """Load OCI or docker archives into every running node of cluster `name`."""
    _record(name)
    prepared = [_archive_path(archive) for archive in archives]
    with daemon_control.connect(name) as control:
        visible = [_visible_in_nodes(name, path) for path in prepared]
        try:
            control.ask(LoadImages(tuple(visible)), timeout_s=LOAD_TIMEOUT_S)
        finally:
            for path in set(visible) - set(prepared):
                os.unlink(path)


def logs(name: str, component: str, *, node: str = "", follow: bool = False) -> Iterator[bytes]:
    """The log of a component, of `node` or of the first node that has it, in chunks; with `follow`, without end."""
    path = _log_path(_record(name), component, node)
    return _follow_file(path) if follow else _read_file(path)


def _record(name: str) -> ClusterRecord:
    validate_name(name)
    try:
        return read_record(ClusterPaths(name).record)
    except FileNotFoundError:
        raise _unknown(name) from None
    except PermissionError:
        raise ClusterError("local clusters belong to root: run this with sudo") from None


def _unknown(name: str) -> ClusterError:
    known = ", ".join(sorted(path.name for path in paths.CLUSTERS.iterdir())) if paths.CLUSTERS.is_dir() else ""
    return ClusterError(f"there is no cluster {name!r}" + (f"; there is {known}" if known else ""))


def _is_running(name: str) -> bool:
    from cluster import processes

    known = cleanup.recorded_processes(ClusterPaths(name))
    return known is not None and processes.is_alive(known.daemon)


def _cluster_info(record: ClusterRecord, state: str) -> ClusterInfo:
    from cluster.kubeconfig import context_name

    spec = record.spec
    return ClusterInfo(
        name=spec.name,
        state=state,
        api=f"https://127.0.0.1:{record.api_port}",
        context=context_name(spec.name),
        kubeconfig=record.kubeconfig,
        control_planes=spec.control_planes,
        workers=spec.workers,
        publish=spec.publish,
        created_at=record.created_at,
    )


def _node_info(node: NodeSpec, reports: Sequence[Report]) -> NodeInfo:
    own = next((report for report in reports if isinstance(report, NodeReport) and report.node == node.name), None)
    services = tuple(
        ServiceInfo(report.service, report.state, report.pid, report.starts)
        for report in reports
        if isinstance(report, ServiceReport) and report.node == node.name
    )
    state, pid = (own.state, own.pid) if own else ("unknown", 0)
    return NodeInfo(name=node.name, role=node.role, ip=node.ip, state=state, pid=pid, services=services)


def _ask_about_node(name: str, node: str, request: Request) -> None:
    _record(name).spec.node(node)
    with daemon_control.connect(name) as control:
        control.ask(request, timeout_s=NODE_TIMEOUT_S)


def _archive_path(archive: str) -> str:
    path = Path(archive).resolve()
    if not path.is_file():
        raise ClusterError(f"there is no image archive {archive}")
    if not tarfile.is_tarfile(path):
        raise ClusterError(f"{archive} is not an image archive: neither an OCI nor a docker archive (both are tar files)")
    return str(path)


def _visible_in_nodes(name: str, path: str) -> str:
    """`path`, or a copy of it if it is below the machine's /run, in whose place a node has its own."""
    if not Path(path).is_relative_to(paths.NODE_RUN):
        return path
    copy = ClusterPaths(name).state / f"load-{os.getpid()}-{Path(path).name}"
    shutil.copyfile(path, copy)
    return str(copy)


def _log_path(record: ClusterRecord, component: str, node: str) -> Path:
    cluster = ClusterPaths(record.spec.name)
    of_cluster = {"daemon": cluster.daemon_log, "publisher": cluster.state / "publisher.log"}
    if component in of_cluster and not node:
        return of_cluster[component]
    candidates = [record.spec.node(node)] if node else list(record.spec.nodes())
    file = component.replace("-", "_")
    for candidate in candidates:
        for path in (cluster.node(candidate.name).log_file(component), cluster.node(candidate.name).log_file(file)):
            if path.is_file() and path.parent == cluster.node(candidate.name).log:
                return path
    known = {path.stem for spec in candidates for path in cluster.node(spec.name).log.glob("*.log")} | set(of_cluster)
    raise ClusterError(f"there is no log of {component!r}; there is {', '.join(sorted(known))}")


def _read_file(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(READ_BYTES):
            yield chunk


def _follow_file(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while True:
            if chunk := stream.read(READ_BYTES):
                yield chunk
                continue
            if stream.tell() > os.fstat(stream.fileno()).st_size:
                stream.seek(0)  # it grew too long and was cut
            time.sleep(FOLLOW_POLL_S)
