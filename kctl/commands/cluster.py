"""`kctl cluster`: local clusters on this machine, by way of cluster's library (`cluster.api`).

These commands speak to no API server: they run as root on the machine that carries the clusters.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from kctl.errors import KctlError
from kctl.session import Session

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 120}
STAGE_WIDTH = 46


class ClusterFailure(KctlError):  # noqa: N818 - a failure of the cluster, told by it
    """What cluster's library reports, with the end of the log that explains it."""

    def __init__(self, sentence: str, detail: str) -> None:
        super().__init__(sentence)
        self.detail = detail

    def text(self) -> str:
        return super().text() + (f"\n\n{self.detail}" if self.detail else "")


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    from cluster.api import ClusterError

    try:
        yield
    except ClusterError as error:
        raise ClusterFailure(str(error), error.detail) from error


@click.group("cluster", context_settings=CONTEXT)
def cluster() -> None:
    """Create, list and delete local clusters, whose nodes are namespaces of this machine."""


@cluster.command("create", context_settings=CONTEXT)
@click.argument("name", metavar="NAME")
@click.option("--control-planes", type=int, default=1, show_default=True, metavar="N", help="Nodes of the control plane.")
@click.option("--workers", type=int, default=0, show_default=True, metavar="N", help="Nodes for pods only.")
@click.option("--publish", multiple=True, metavar="HOSTPORT:NODEPORT", help="Lead a port of 127.0.0.1 to a node port.")
@click.option("--image", "images", multiple=True, metavar="ARCHIVE", help="Load this OCI or docker archive too.")
@click.option("--default-images/--no-default-images", default=True, help="Load busybox and the examples' images.")
@click.option("--api-port", type=click.IntRange(0, 65535), default=0, help="The API's port on 127.0.0.1; 0 for any free one.")
@click.option("--retain", is_flag=True, help="Keep a cluster that does not come up, to look into it.")
@click.pass_context
def create(
    ctx: click.Context,
    name: str,
    control_planes: int,
    workers: int,
    publish: tuple[str, ...],
    images: tuple[str, ...],
    default_images: bool,
    api_port: int,
    retain: bool,
) -> None:
    """Create cluster NAME and make it the current context."""
    from cluster import api

    with _failures():
        spec = api.ClusterSpec(name=name, control_planes=control_planes, workers=workers, publish=api.parse_publish(publish))
        api.validate(spec)
        archives = (*(api.default_images() if default_images else ()), *images)
        spec = api.with_images(spec, archives)
        with _stages(name) as on_stage:
            info = api.create(spec, on_stage, api_port=api_port, retain=retain, environment=_environment(ctx))
    click.echo(f"cluster {name} is ready at {info.api}; context {info.context} is current")


@contextlib.contextmanager
def _stages(name: str) -> Iterator[Callable[[Any], None]]:
    """Show each stage that has passed: beside a moving sign on a terminal, as plain lines elsewhere."""
    click.echo(f"creating cluster {name}")
    if not sys.stdout.isatty():
        yield lambda stage: click.echo(_stage_line(stage))
        return
    from rich.console import Console

    console = Console(highlight=False)
    with console.status("starting"):
        yield lambda stage: console.print(f"[green]✓[/green]{_stage_line(stage)}")


def _stage_line(stage: Any) -> str:
    return f"  {stage.title:{STAGE_WIDTH}} {stage.seconds:6.2f} s   at {stage.total_s:5.2f} s"


@cluster.command("list", context_settings=CONTEXT)
@click.option("-o", "--output", type=click.Choice(["json", "yaml"]), help="json or yaml.")
def list_(output: str | None) -> None:
    """List the clusters of this machine."""
    from cluster import api

    with _failures():
        found = api.list_clusters()
    if output:
        click.echo(_document(found, output), nl=False)
        return
    if not found:
        click.echo("No clusters found.", err=True)
        return
    rows = [
        (each.name, each.state, str(each.control_planes + each.workers), each.api, _published(each.publish), each.created_at)
        for each in found
    ]
    _table(("NAME", "STATE", "NODES", "API", "PUBLISHED", "CREATED"), rows)


def _published(rows: Sequence[Any]) -> str:
    return ",".join(f"{row.host_port}:{row.node_port}" for row in rows) or "<none>"


@cluster.command("nodes", context_settings=CONTEXT)
@click.argument("name", metavar="NAME")
@click.option("-o", "--output", type=click.Choice(["json", "yaml", "wide"]), help="json, yaml or wide (with pids).")
def nodes(name: str, output: str | None) -> None:
    """List the nodes of cluster NAME and their processes."""
    from cluster import api

    with _failures():
        found = api.nodes(name)
    if output in {"json", "yaml"}:
        click.echo(_document(found, output), nl=False)
        return
    if output == "wide":
        header = ("NODE", "PROCESS", "STATE", "PID", "STARTS")
        rows = []
        for node in found:
            rows.append((node.name, "init", node.state, _pid(node.pid), ""))
            rows += [(node.name, each.name, each.state, _pid(each.pid), str(each.starts)) for each in node.services]
        _table(header, rows)
        return
    _table(
        ("NAME", "ROLE", "IP", "STATE", "PID", "PROCESSES"),
        [(node.name, node.role, node.ip, node.state, _pid(node.pid), _process_count(node.services)) for node in found],
    )


def _pid(pid: int) -> str:
    return str(pid) if pid else "-"


def _process_count(services: Sequence[Any]) -> str:
    kept = [service for service in services if service.state not in {"done", "failed"}]
    return f"{sum(service.state == 'ready' for service in kept)}/{len(kept)} ready"


@cluster.command("kubeconfig", context_settings=CONTEXT)
@click.argument("name", metavar="NAME")
def kubeconfig(name: str) -> None:
    """Print a kubeconfig that leads to cluster NAME."""
    import yaml

    from cluster import api

    with _failures():
        document = api.kubeconfig(name)
    click.echo(yaml.safe_dump(document, sort_keys=False), nl=False)


@cluster.command("logs", context_settings=CONTEXT)
@click.argument("name", metavar="NAME")
@click.argument("component", metavar="COMPONENT")
@click.option("--node", default="", help="The node whose COMPONENT is meant; by default the first that has one.")
@click.option("-f", "--follow", is_flag=True, help="Go on printing what is logged.")
def logs(name: str, component: str, node: str, follow: bool) -> None:
    """Print the log of a COMPONENT (apiserver, etcd, kubelet, containerd, daemon, ...) of cluster NAME."""
    from cluster import api

    with _failures():
        for chunk in api.logs(name, component, node=node, follow=follow):
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()


@cluster.command("delete", context_settings=CONTEXT)
@click.argument("name", metavar="NAME")
def delete(name: str) -> None:
    """Delete cluster NAME: its processes, networks, files and its kubeconfig context."""
    from cluster import api

    with _failures():
        api.delete(name)
    click.echo(f"cluster {name} deleted")


@cluster.command("load-image", context_settings=CONTEXT)
@click.argument("name", metavar="NAME")
@click.argument("archives", nargs=-1, required=True, metavar="IMAGE-ARCHIVE...")
def load_image(name: str, archives: tuple[str, ...]) -> None:
    """Load OCI or docker archives into every running node of cluster NAME."""
    from cluster import api

    with _failures():
        api.load_images(name, archives)
    click.echo(f"loaded {len(archives)} archive{'' if len(archives) == 1 else 's'} into cluster {name}")


@cluster.group("node", context_settings=CONTEXT)
def node_group() -> None:
    """Stop, start and kill nodes of a local cluster."""


@node_group.command("start", context_settings=CONTEXT)
@click.argument("name", metavar="NAME")
@click.argument("node", metavar="NODE")
def node_start(name: str, node: str) -> None:
    """Start a stopped or killed NODE again, with its state and its address."""
    from cluster import api

    with _failures():
        api.node_start(name, node)
    click.echo(f"node {node} started")


@node_group.command("stop", context_settings=CONTEXT)
@click.argument("name", metavar="NAME")
@click.argument("node", metavar="NODE")
def node_stop(name: str, node: str) -> None:
    """Stop NODE in order: its services, then its containers."""
    from cluster import api

    with _failures():
        api.node_stop(name, node)
    click.echo(f"node {node} stopped")


@node_group.command("kill", context_settings=CONTEXT)
@click.argument("name", metavar="NAME")
@click.argument("node", metavar="NODE")
def node_kill(name: str, node: str) -> None:
    """Kill everything in NODE at once, as when its power is cut."""
    from cluster import api

    with _failures():
        api.node_kill(name, node)
    click.echo(f"node {node} killed")


def _environment(ctx: click.Context) -> dict[str, str]:
    chosen = ctx.ensure_object(Session).flags.get("kubeconfig")
    return {**os.environ, "KUBECONFIG": str(chosen)} if chosen else dict(os.environ)


def _document(values: Sequence[Any], output: str) -> str:
    import msgspec

    from kctl.printers import documents

    plain = msgspec.to_builtins(values)
    return documents.to_json(plain) if output == "json" else documents.to_yaml(plain)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(str(row[column])) for row in (header, *rows)) for column in range(len(header))]
    for row in (header, *rows):
        click.echo("   ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
