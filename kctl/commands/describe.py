"""`kctl describe`: objects for people, with what belongs to them and what has happened to them."""

from collections.abc import Sequence
from typing import Any

import click

from kctl import pods, targets, watching
from kctl.describe import Surroundings, describer_for
from kctl.errors import KctlError, StatusError
from kctl.options import command, option, switch
from kctl.session import Session
from kctl.targets import Target

_WITHOUT_EVENTS = ("Secret", "Namespace", "Event", "LimitRange", "ResourceQuota")


@command("describe")
@click.argument("arguments", nargs=-1, metavar="TYPE [NAME-PREFIX...] | TYPE/NAME...")
@option("-f", "--filename", multiple=True, help="Objects that manifests name.")
@switch("-R", "--recursive", help="Read folders within folders too.")
@option("-l", "--selector", default="", help="Choose objects by labels.")
@switch("-A", "--all-namespaces", help="In every namespace.")
@switch("--show-events", default=True, help="Show the Events section.")
@option("--chunk-size", type=int, default=500, hidden=True, help="Accepted for kubectl's sake.")
def describe(
    session: Session,
    arguments: tuple[str, ...],
    filename: tuple[str, ...],
    recursive: bool,
    selector: str,
    all_namespaces: bool,
    show_events: bool,
    chunk_size: int,
) -> None:
    """Show objects, what belongs to them, and what has happened to them."""
    if filename:
        documents = targets.read_documents(session, filename, recursive=recursive)
        found = [targets.of_document(session, document) for document in documents]
    else:
        found = targets.parse(session.discovery, arguments, "" if all_namespaces else session.namespace)
    if not found:
        raise KctlError("You must specify the type of resource to describe.")
    errors: list[KctlError] = []
    pages: list[str] = []
    for target in found:
        try:
            for item in _items(session, target, selector):
                pages.append(_describe(session, target, item, show_events))
        except StatusError as error:
            errors.append(error)
    if pages:
        session.out.write("\n\n".join(pages))
    elif not errors:
        session.note("No resources found" if all_namespaces else f"No resources found in {session.namespace} namespace.")
    targets.gather(errors)


def _items(session: Session, target: Target, selector: str) -> list[dict[str, Any]]:
    """The object of that name; when there is none, those whose names begin that way."""
    try:
        return targets.fetch(session.client, target, watching.selectors(selector))
    except StatusError as error:
        if not (error.not_found and target.name):
            raise
        listed = targets.fetch(session.client, watching.collection_of(target), {})
        matching = [item for item in listed if item["metadata"]["name"].startswith(target.name)]
        if not matching:
            raise
        return matching


def _describe(session: Session, target: Target, item: dict[str, Any], show_events: bool) -> str:
    kind = target.resource.kind
    found = None if not show_events else _events(session, target, item) if kind not in _WITHOUT_EVENTS else []
    around = Surroundings(session.clock.now(), found, _related(session, target, item))
    return describer_for(target.resource.group, kind)(item, around).text()


def _events(session: Session, target: Target, item: dict[str, Any]) -> list[dict[str, Any]]:
    metadata = item["metadata"]
    fields = [f"involvedObject.name={metadata['name']}", f"involvedObject.kind={target.resource.kind}"]
    if target.resource.namespaced:
        fields.append(f"involvedObject.namespace={metadata.get('namespace', '')}")
    if metadata.get("uid") and target.resource.kind != "Node":  # a kubelet knows its node by name, not by uid
        fields.append(f"involvedObject.uid={metadata['uid']}")
    collection = _collection(session, "v1", "Event", metadata.get("namespace", ""))
    return targets.fetch(session.client, collection, watching.selectors(field_selector=",".join(fields)))


def _related(session: Session, target: Target, item: dict[str, Any]) -> dict[str, Sequence[dict[str, Any]]]:
    namespace, name = item["metadata"].get("namespace", ""), item["metadata"]["name"]

    def listed(
        api_version: str, kind: str, labels: str = "", fields: str = "", within: str = namespace
    ) -> list[dict[str, Any]]:
        return targets.fetch(
            session.client, _collection(session, api_version, kind, within), watching.selectors(labels, fields)
        )

    match target.resource.kind:
        case "Deployment":
            return {"replicasets": listed("apps/v1", "ReplicaSet", pods.selector_of(item))}
        case "ReplicaSet" | "ReplicationController" | "StatefulSet" | "DaemonSet":
            return {"pods": listed("v1", "Pod", pods.selector_of(item))}
        case "PersistentVolumeClaim":
            return {"pods": listed("v1", "Pod")}
        case "Service":
            return {"endpointslices": listed("discovery.k8s.io/v1", "EndpointSlice", f"kubernetes.io/service-name={name}")}
        case "Node":
            leases = listed("coordination.k8s.io/v1", "Lease", fields=f"metadata.name={name}", within="kube-node-lease")
            return {"pods": listed("v1", "Pod", fields=f"spec.nodeName={name}", within=""), "leases": leases}
    return {}


def _collection(session: Session, api_version: str, kind: str, namespace: str) -> Target:
    return Target(session.discovery.for_kind(api_version, kind), "", namespace)
