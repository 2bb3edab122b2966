"""The narrow port below the client: bytes to and from an API server.

Adapters: gRPC to a running server (`grpc_transport`), the server's handler chain in the same process (tests and
simulation), and an imitation for unit tests (`testing`). All raise `ApiError`, and only that, for what fails.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from apimachinery.resources import Resource


class EventType(StrEnum):
    """What happened to an object, as seen through the watch's selectors."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


class Verb(StrEnum):
    """The writes."""

    CREATE = "create"
    UPDATE = "update"
    PATCH = "patch"
    DELETE = "delete"


class PatchType(StrEnum):
    """The media types of patches."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class Name:
    """An object, a collection (no name) or a subresource."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a collection."""

    label_selector: str = ""
    field_selector: str = ""


@dataclass(frozen=True, slots=True)
class Fence:
    """A leader's claim: its writes count only while this Lease names this holder in this epoch (leaseTransitions)."""

    namespace: str
    name: str
    holder: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Write:
    """One write. `body` is the object, the patch, or DeleteOptions (may be empty)."""

    verb: Verb
    name: Name
    body: bytes = b""
    patch_type: str = ""
    field_manager: str = ""
    dry_run: bool = False
    field_validation: str = ""
    fence: Fence | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class PodBinding:
    """A pod's place. An empty uid means any pod of that name; the annotations are merged into the pod's."""

    namespace: str
    name: str
    uid: str
    node: str
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RawEvent:
    """One event of a watch. `initial_events_end` is set on the bookmark after the objects that were there first."""

    type: EventType
    object: bytes
    revision: int
    initial_events_end: bool = False


class Transport(Protocol):
    """What a client needs of an API server."""

    async def get(self, name: Name, *, resource_version: str = "") -> bytes:
        """The object's JSON; an empty resource_version asks for a quorum read."""

    async def list(self, name: Name, selection: Selection, *, resource_version: str = "") -> tuple[Sequence[bytes], int]:
        """The objects' JSON and the revision at which they were all true."""

    def watch(self, name: Name, selection: Selection, *, resource_version: str = "") -> AsyncIterator[Sequence[RawEvent]]:
        """Batches of events after a revision, until the stream ends; ApiError 410 when that revision is too old."""

    async def write(self, write: Write) -> bytes:
        """Carry out a write; the resulting object's JSON (a delete: the object or a Status)."""

    async def bind(self, bindings: Sequence[PodBinding], fence: Fence | None) -> Sequence[bytes]:
        """Bind pods, each by itself; for each the empty string or its Status as JSON."""

    async def carry(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """A request to an API that the server has others serve, by its path: the HTTP status and body of the answer."""

    async def close(self) -> None:
        """Give up the connection; calls under way fail."""
