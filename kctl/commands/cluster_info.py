"""`kctl cluster-info`: where the cluster is reached; `dump`: what it has to say about itself, for whoever looks for a fault.

The dump is JSON lists, object type by object type and namespace by namespace, and then the containers' logs; on standard
output one after the other, or in files of a folder.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from kctl import pods, targets
from kctl.discovery import ResourceType
from kctl.errors import KctlError, StatusError
from kctl.options import Command, command, option, switch
from kctl.printers import document_printer, output_of
from kctl.session import Session
from kctl.targets import Target

DUMPED = (
    ("v1", "Event"),
    ("v1", "ReplicationController"),
    ("v1", "Service"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("v1", "Pod"),
)


class InfoGroup(Command, click.Group):
    """A command of its own, with `dump` below it."""


@click.group("cluster-info", cls=InfoGroup, invoke_without_command=True)
@click.pass_context
def cluster_info(ctx: click.Context) -> None:
    """Show where the cluster, and the services that belong to it, are reached."""
    if ctx.invoked_subcommand is not None:
        return
    session = ctx.ensure_object(Session)
    services = session.client.get(
        "/api/v1/namespaces/kube-system/services", {"labelSelector": "kubernetes.io/cluster-service=true"}
    )
    session.say(f"Kubernetes control plane is running at {session.connection.server}")
    for service in services.get("items") or ():
        name, link = service_link(session.connection.server, service)
        session.say(f"{name} is running at {link}")
    session.say("\nTo further debug and diagnose cluster problems, use 'kctl cluster-info dump'.")


@command("dump")
@switch("-A", "--all-namespaces", help="Of every namespace.")
@option("--namespaces", multiple=True, help="Of these namespaces; kube-system and the current one when left out.")
@option("--output-directory", default="", help="Write files into this folder; - for standard output.")
@option("-o", "--output", default="json", type=click.Choice(["json", "yaml"]), help="json or yaml.")
def dump(session: Session, all_namespaces: bool, namespaces: tuple[str, ...], output_directory: str, output: str) -> None:
    """Print what the cluster has to say about itself."""
    folder = None if output_directory in ("", "-") else Path(output_directory)
    printer = document_printer(output_of(output, tables=False))

    def write(place: str, text: str) -> None:
        if folder is None:
            session.out.write(text)
            return
        try:
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_text(text)
        except OSError as error:
            raise KctlError(f"cannot write {folder / place}: {error.strerror}") from error

    write(f"nodes.{output}", printer(_list(session, session.discovery.for_kind("v1", "Node"), "")))
    for namespace in _namespaces(session, all_namespaces, namespaces):
        for resource in _resources(session):
            write(f"{namespace}/{resource.plural}.{output}", printer(_list(session, resource, namespace)))
        for pod in _list(session, session.discovery.for_kind("v1", "Pod"), namespace)["items"]:
            write(f"{namespace}/{pod['metadata']['name']}/logs.txt", "".join(_logs(session, pod)))
    if folder is not None:
        session.say(f"Cluster info dumped to {folder}")


def _namespaces(session: Session, everywhere: bool, given: tuple[str, ...]) -> list[str]:
    if everywhere:
        listed = _list(session, session.discovery.for_kind("v1", "Namespace"), "")["items"]
        return [each["metadata"]["name"] for each in listed]
    named = [name for text in given for name in text.split(",") if name]
    return named or list(dict.fromkeys(("kube-system", session.namespace)))


def _resources(session: Session) -> Iterator[ResourceType]:
    """Those of the dumped types that the server has."""
    served = {(each.api_version, each.kind): each for each in session.discovery.all()}
    return (served[key] for key in DUMPED if key in served)


def _list(session: Session, resource: ResourceType, namespace: str) -> dict[str, Any]:
    items, revision = targets.list_all(session.client, Target(resource, "", namespace), {})
    metadata = {"resourceVersion": revision}
    return {"apiVersion": resource.api_version, "items": items, "kind": f"{resource.kind}List", "metadata": metadata}


def _logs(session: Session, pod: Mapping[str, Any]) -> Iterator[str]:
    """What the containers have written; one that cannot be asked says why in its place."""
    metadata = pod["metadata"]
    first, main = pods.container_names(pod)
    for name in first + main:
        place = f"container {name} of pod {metadata['namespace']}/{metadata['name']}"
        yield f"==== START logs for {place} ====\n"
        try:
            path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/log"
            with session.client.stream(path, {"container": name}, accept="text/plain, */*") as stream:
                yield b"".join(stream.chunks()).decode(errors="replace")
        except StatusError as error:
            yield f"Request log error: {error}\n"
        yield f"==== END logs for {place} ====\n"


def service_link(server: str, service: Mapping[str, Any]) -> tuple[str, str]:
    """A cluster service's name for people, and where it is reached: a balancer's address, or through the API server."""
    metadata, spec = service["metadata"], service.get("spec") or {}
    title = (metadata.get("labels") or {}).get("kubernetes.io/name") or metadata["name"]
    ports = spec.get("ports") or ()
    ingresses = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    if ingresses:
        host = ingresses[0].get("ip") or ingresses[0].get("hostname") or ""
        return title, " ".join(f"{_scheme(port)}://{host}:{port['port']}" for port in ports)
    name = metadata["name"]
    if ports:
        first = ports[0]
        name = ":".join(filter(None, ("https" if _scheme(first) == "https" else "", name, first.get("name") or "")))
    return title, f"{server}/api/v1/namespaces/{metadata['namespace']}/services/{name}/proxy"


def _scheme(port: Mapping[str, Any]) -> str:
    return "https" if port.get("port") == 443 or port.get("name") == "https" else "http"


cluster_info.add_command(dump)
