"""The objects that a command changes: named, chosen by labels, or in manifests; fetched, or as the manifests have them.

Commands that change objects (`patch`, `set`, `edit`, `expose`) all take `-f FILE`, `TYPE NAME...` and `TYPE/NAME...`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kctl import targets, watching
from kctl.discovery import ResourceType
from kctl.errors import KctlError
from kctl.manifests import Document
from kctl.session import Session
from kctl.targets import Target

NOTHING_NAMED = (
    "You must provide one or more resources by argument or filename.\n"
    "Example resource specifications include:\n"
    "   '-f rsrc.yaml'\n"
    "   '--filename=rsrc.json'\n"
    "   '<resource> <name>'\n"
    "   '<resource>'"
)
NO_NAME = "resource(s) were provided, but no name was specified"


@dataclass(frozen=True)
class Chosen:
    """One object and where it lives."""

    target: Target
    object: dict[str, Any]


@dataclass(frozen=True)
class Selection:
    """What stands on the command line; `local` takes the objects of manifests as they are, without asking a server."""

    arguments: Sequence[str] = ()
    filenames: Sequence[str] = ()
    recursive: bool = False
    selector: str = ""
    everything: bool = False
    local: bool = False


def named(session: Session, selection: Selection) -> list[Target]:
    """The targets, of which those without a name are collections to choose from; raises KctlError."""
    if selection.filenames:
        if selection.arguments:
            raise KctlError("when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well")
        documents = targets.read_documents(session, selection.filenames, recursive=selection.recursive)
        return [targets.of_document(session, document) for document in documents]
    if not selection.arguments:
        raise KctlError(NOTHING_NAMED)
    found = targets.parse(session.discovery, selection.arguments, session.namespace)
    if any(not target.name for target in found) and not (selection.selector or selection.everything):
        raise KctlError(NO_NAME)
    if selection.selector and any(target.name for target in found):
        raise KctlError("name cannot be provided when a selector is specified")
    return found


def choose(session: Session, selection: Selection) -> list[Chosen]:
    """The objects; raises KctlError, for all that are missing together."""
    if selection.local:
        return _local(session, selection)
    chosen: list[Chosen] = []
    errors: list[KctlError] = []
    for target in named(session, selection):
        try:
            items = targets.fetch(session.client, target, watching.selectors(selection.selector))
        except KctlError as error:
            errors.append(error)
            continue
        chosen += [Chosen(own_target(target, item), item) for item in items]
    targets.gather(errors)
    return chosen


def own_target(target: Target, item: dict[str, Any]) -> Target:
    """The target of one object of a collection."""
    metadata = item["metadata"]
    return Target(target.resource, metadata["name"], metadata.get("namespace", ""), target.place)


def _local(session: Session, selection: Selection) -> list[Chosen]:
    if selection.arguments or not selection.filenames:
        raise KctlError("one or more files must be specified as -f FILENAME when --local is given")
    documents = targets.read_documents(session, selection.filenames, recursive=selection.recursive)
    return [Chosen(local_target(document), document.body) for document in documents]


def local_target(document: Document) -> Target:
    """A target made from the manifest alone."""
    body = document.body
    group, _, version = str(body["apiVersion"]).rpartition("/")
    metadata = body.get("metadata") or {}
    resource = ResourceType(group, version, f"{body['kind'].lower()}s", body["kind"])
    return Target(resource, str(metadata.get("name") or ""), str(metadata.get("namespace") or ""), document.place)
