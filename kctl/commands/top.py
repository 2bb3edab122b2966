"""`kctl top node` and `kctl top pod`: what is used now, as metrics.k8s.io measures it."""

from collections.abc import Sequence
from typing import Any

import click

from kctl import targets, usage, watching
from kctl.discovery import ResourceType
from kctl.errors import KctlError, StatusError
from kctl.options import command, group, option, switch
from kctl.printers.table import Writer
from kctl.session import Session
from kctl.targets import Target

GROUP, VERSIONS = "metrics.k8s.io", ("v1beta1",)


@group("top")
def top() -> None:
    """Show what nodes and pods use of CPU and memory."""


@command("node")
@click.argument("arguments", nargs=-1, metavar="[NAME]")
@option("-l", "--selector", default="", help="Choose nodes by labels.")
@option("--sort-by", default="", help="cpu or memory.")
@switch("--no-headers", help="Leave headers out.")
@switch("--show-capacity", help="Percentages of the capacity, not of what pods may use.")
@option("--use-protocol-buffers", default="true", bare="true", hidden=True, help="Accepted for kubectl's sake.")
def top_node(
    session: Session,
    arguments: tuple[str, ...],
    selector: str,
    sort_by: str,
    no_headers: bool,
    show_capacity: bool,
    use_protocol_buffers: str,
) -> None:
    """Show what nodes use."""
    name = _name(arguments, sort_by, selector, "--selector")
    version = _served_version(session)
    query = watching.selectors(selector)
    nodes = Target(session.discovery.for_kind("v1", "Node"), name)
    metrics = Target(ResourceType(GROUP, version, "nodes", "NodeMetrics", namespaced=False), name)
    measured = targets.fetch(session.client, metrics, query)
    if not measured:
        raise KctlError("metrics not available yet")
    known = targets.fetch(session.client, nodes, query)
    rows = usage.node_rows(measured, known, sort_by, "capacity" if show_capacity else "allocatable")
    _write(session, ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"], rows, no_headers)


@command("pod")
@click.argument("arguments", nargs=-1, metavar="[NAME]")
@option("-l", "--selector", default="", help="Choose pods by labels.")
@option("--field-selector", default="", help="Choose pods by fields.")
@option("--sort-by", default="", help="cpu or memory.")
@switch("-A", "--all-namespaces", help="In every namespace.")
@switch("--containers", help="A row for each container.")
@switch("--sum", help="Add the sum of all rows.")
@switch("--no-headers", help="Leave headers out.")
@option("--use-protocol-buffers", default="true", bare="true", hidden=True, help="Accepted for kubectl's sake.")
def top_pod(
    session: Session,
    arguments: tuple[str, ...],
    selector: str,
    field_selector: str,
    sort_by: str,
    all_namespaces: bool,
    containers: bool,
    sum: bool,
    no_headers: bool,
    use_protocol_buffers: str,
) -> None:
    """Show what pods use."""
    name = _name(arguments, sort_by, selector or field_selector, "selector")
    version = _served_version(session)
    namespace = "" if all_namespaces else session.namespace
    metrics = Target(ResourceType(GROUP, version, "pods", "PodMetrics"), name, namespace)
    query = watching.selectors(selector, field_selector)
    measured = targets.fetch(session.client, metrics, query)
    if not measured:
        _explain_nothing(session, namespace, query)
        return
    rows = usage.pod_rows(measured, sort_by=sort_by, with_namespace=all_namespaces, containers=containers, sum_up=sum)
    lead = [*(["NAMESPACE"] if all_namespaces else []), *(["POD", "NAME"] if containers else ["NAME"])]
    _write(session, [*lead, "CPU(cores)", "MEMORY(bytes)"], rows, no_headers)


def _name(arguments: Sequence[str], sort_by: str, selector: str, option_name: str) -> str:
    if sort_by not in ("", "cpu", "memory"):
        raise KctlError("--sort-by accepts only cpu or memory")
    if len(arguments) > 1:
        raise KctlError("at most one NAME can be given")
    if arguments and selector:
        raise KctlError(f"only one of NAME or {option_name} can be provided")
    return arguments[0] if arguments else ""


def _served_version(session: Session) -> str:
    """The version of the metrics API that the server has; raises KctlError when it has none."""
    groups: list[dict[str, Any]] = session.client.get("/apis").get("groups") or []
    served = [each["version"] for group in groups if group.get("name") == GROUP for each in group.get("versions") or ()]
    for version in VERSIONS:
        if version in served:
            return version
    raise KctlError("Metrics API not available")


def _explain_nothing(session: Session, namespace: str, query: dict[str, str]) -> None:
    """Pods without metrics are an error, no pods at all are not."""
    collection = Target(session.discovery.for_kind("v1", "Pod"), "", namespace)
    try:
        pods = targets.fetch(session.client, collection, query)
    except StatusError:
        pods = []
    if pods:
        raise KctlError("metrics not available yet")
    session.note(f"No resources found in {namespace} namespace." if namespace else "No resources found")


def _write(session: Session, headers: list[str], rows: list[list[str]], no_headers: bool) -> None:
    Writer(session.out).write(rows if no_headers else [headers, *rows])


for _command, _names in ((top_node, ("node", "nodes", "no")), (top_pod, ("pod", "pods", "po"))):
    for _alias in _names:
        top.add_command(_command, _alias)
