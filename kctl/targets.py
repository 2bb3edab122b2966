"""What the arguments of a command mean: `pods`, `po,svc`, `pod web`, `deploy/web svc/web`, `-f app.yaml`.

A Target with an empty name stands for the whole collection.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kctl import manifests
from kctl.discovery import Discovery, ResourceType
from kctl.errors import AggregateError, KctlError, StatusError, UnreachableError
from kctl.rest import RestClient
from kctl.session import Session

CATEGORIES = ("all",)
SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Target:
    """One object, or all objects of a resource; `place` says which manifest it came from."""

    resource: ResourceType
    name: str = ""
    namespace: str = ""
    place: str = ""

    @property
    def path(self) -> str:
        return self.resource.path(self.namespace, self.name)

    @property
    def title(self) -> str:
        """`deployment.apps/web`"""
        return f"{self.resource.label}/{self.name}"


def parse(discovery: Discovery, arguments: Sequence[str], namespace: str) -> list[Target]:
    """The targets of TYPE[,TYPE] [NAME...] or TYPE/NAME...; raises KctlError."""
    if not arguments:
        return []
    if any("/" in argument for argument in arguments):
        return [_slashed(discovery, argument, namespace) for argument in arguments]
    resources: list[ResourceType] = []
    for word in arguments[0].split(","):
        resources += discovery.category(word) if word in CATEGORIES else [discovery.find(word)]
    names: Sequence[str] = arguments[1:] or ("",)
    return [Target(resource, name, _scope(resource, namespace)) for resource in resources for name in names]


def read_documents(session: Session, filenames: Sequence[str], *, recursive: bool = False) -> Iterator[manifests.Document]:
    """The objects of files, folders (`recursive`: and theirs) and standard input (`-`), in order; raises KctlError."""
    for filename in filenames:
        if filename == "-":
            yield from manifests.objects(manifests.parse(session.read_stdin(), "STDIN"))
            continue
        for path in _files(filename, recursive):
            yield from manifests.objects(manifests.parse(_read(path), str(path)))


def of_document(session: Session, document: manifests.Document) -> Target:
    """Where a manifest's object lives; raises KctlError that names the manifest."""
    body = document.body
    metadata = body.get("metadata") or {}
    try:
        resource = session.discovery.for_kind(body["apiVersion"], body["kind"])
        namespace = session.namespace_of(metadata) if resource.namespaced else ""
    except (StatusError, UnreachableError):
        raise
    except KctlError as error:
        raise _unmapped(error, document) from error
    return Target(resource, str(metadata.get("name") or ""), namespace, document.place)


def fetch(client: RestClient, target: Target, query: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The target's object, or all objects of its collection that the query's selectors choose."""
    if target.name:
        return [client.get(target.path)]
    return list_all(client, target, query or {})[0]


def list_all(client: RestClient, target: Target, query: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """Every object of a collection, through all its pages, and the list's resourceVersion."""
    items: list[dict[str, Any]] = []
    token = ""
    while True:
        page = client.get(target.path, {**query, "continue": token})
        for item in page.get("items") or ():
            item.setdefault("apiVersion", target.resource.api_version)
            item.setdefault("kind", target.resource.kind)
            items.append(item)
        metadata = page.get("metadata") or {}
        token = metadata.get("continue") or ""
        if not token:
            return items, str(metadata.get("resourceVersion") or "")


def gather(errors: Iterable[KctlError]) -> None:
    """Raise what has been collected: nothing, the one error, or all of them."""
    collected = list(errors)
    if len(collected) == 1:
        raise collected[0]
    if collected:
        raise AggregateError(collected)


def one(session: Session, arguments: Sequence[str], default_type: str = "") -> Target:
    """The single object that TYPE NAME, TYPE/NAME or (with a default type) NAME stands for; raises KctlError."""
    words = [default_type, *arguments] if default_type and len(arguments) == 1 and "/" not in arguments[0] else list(arguments)
    found = parse(session.discovery, words, session.namespace)
    if len(found) != 1 or not found[0].name:
        raise KctlError("exactly one object is needed, as TYPE/NAME or TYPE NAME")
    return found[0]


def _slashed(discovery: Discovery, argument: str, namespace: str) -> Target:
    kind, slash, name = argument.partition("/")
    if not slash:
        raise KctlError(
            "there is no need to specify a resource type as a separate argument when passing arguments in resource/name form "
            "(e.g. 'kctl get resource/<resource_name>' instead of 'kctl get resource resource/<resource_name>'"
        )
    if not kind or not name or "/" in name:
        raise KctlError("arguments in resource/name form may not have more than one slash")
    resource = discovery.find(kind)
    return Target(resource, name, _scope(resource, namespace))


def _scope(resource: ResourceType, namespace: str) -> str:
    return namespace if resource.namespaced else ""


def _files(filename: str, recursive: bool) -> list[Path]:
    path = Path(filename)
    if not path.is_dir():
        return [path]
    entries = path.rglob("*") if recursive else path.iterdir()
    found = sorted(entry for entry in entries if entry.suffix in SUFFIXES and entry.is_file())
    if not found:
        raise KctlError(f"error reading [{filename}]: recognized file extensions are [.json .yaml .yml]")
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError as error:
        raise KctlError(f'the path "{path}" does not exist') from error
    except UnicodeDecodeError as error:
        raise KctlError(f"error parsing {path}: it is no UTF-8 text") from error
    except OSError as error:
        raise KctlError(f'cannot read "{path}": {error.strerror}') from error


def _unmapped(error: KctlError, document: manifests.Document) -> KctlError:
    name = (document.body.get("metadata") or {}).get("name", "")
    text = str(error)
    if text.startswith("no matches for kind"):
        return KctlError(f'resource mapping not found for name: "{name}" namespace: "" from {document.place}: {text}')
    return KctlError(f"{document.place}: {text}") if document.total > 1 else error
