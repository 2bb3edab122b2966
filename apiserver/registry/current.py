"""One object as the registry sees it, and where it sees it."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

import msgspec

from apimachinery import codec
from apimachinery.errors import ApiError
from apimachinery.kinds.object import Object
from apimachinery.resources import Resource
from apiserver.storage import port

log = logging.getLogger(__name__)

T = TypeVar("T", bound=Object)


class Current(msgspec.Struct, frozen=True):
    """An object as it stands: JSON with its resourceVersion in place, and the key and revision for a swap."""

    key: bytes
    data: bytes
    revision: int

    def decode(self, resource: Resource) -> Object:
        return codec.decode(resource.cls, self.data)

    def labels(self) -> dict[str, str]:
        """Its labels, without decoding the rest."""
        return msgspec.json.decode(self.data, type=_Labelled).metadata.labels


class Reader(Protocol):
    """How the registry sees single objects."""

    def glimpse(self, resource: Resource, namespace: str, name: str) -> Current | None:
        """What the cache holds now; may be behind."""
        ...

    def view(self, resource: Resource, namespace: str = "") -> Sequence[Current]:
        """All that the cache holds now of a namespace, or of all (""); may be behind."""
        ...

    def changes(self, resource: Resource) -> int:
        """A number that differs whenever what the cache holds of a resource does: what was derived from it is then stale."""
        ...

    async def read(self, resource: Resource, namespace: str, name: str) -> Current | None:
        """What the storage holds, linearizably."""
        ...


class _OnlyLabels(msgspec.Struct):
    labels: dict[str, str] = {}


class _Labelled(msgspec.Struct):
    metadata: _OnlyLabels = msgspec.field(default_factory=_OnlyLabels)


def as_current(item: port.KeyValue) -> Current:
    """A stored value with its revision in place."""
    return Current(item.key, codec.splice_revision(item.value, item.mod_revision), item.mod_revision)


def readable(cls: type[T], entries: "Iterable[Entry]") -> Iterator[T]:
    """The objects that can be decoded; the others are passed over, for one of a wrong shape must not stop the rest."""
    for each in entries:
        try:
            yield codec.decode(cls, each.data)
        except ApiError as error:
            log.warning("a stored object cannot be read and is passed over", extra={"kind": cls.__name__, "error": str(error)})


class Entry(Protocol):
    """Anything that carries an object's JSON."""

    @property
    def data(self) -> bytes: ...
