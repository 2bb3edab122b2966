"""The hot gRPC messages, put together from bytes: Envelope, ListChunk, WatchBatch, WriteResults of proto/apiserver.proto.

An object travels in an envelope of two fields. Building that as a message object copies the bytes three times and costs more
than all the rest of a list; joined from parts it is one copy. The event of a watch is put together once and kept beside its
JSON line for all watchers. A message is the concatenation of its fields, and an absent field is its default: protobuf's
encoding guide."""

from collections.abc import Iterable, Sequence

from apimachinery.protobuf import varint
from apiserver.core.request import Event, EventBatch, Item

_TYPES = {"ADDED": b"", "MODIFIED": b"\x08\x01", "DELETED": b"\x08\x02"}
_BOOKMARK = b"\x08\x03"


def envelope(data: bytes, revision: int) -> bytes:
    """Envelope {object = 1, revision = 2}."""
    return b"\x0a%b%b\x10%b" % (varint(len(data)), data, varint(revision))


def nested(field: int, message: bytes) -> bytes:
    """A message as a field (below 16) of another."""
    return b"%c%b%b" % (field << 3 | 2, varint(len(message)), message)


def list_chunk(items: Sequence[Item], revision: int = 0) -> bytes:
    """ListChunk {repeated items = 1, revision = 2}; the revision stands in the last chunk only."""
    parts = [nested(1, envelope(item.data, item.revision)) for item in items]
    if revision:
        parts.append(b"\x10" + varint(revision))
    return b"".join(parts)


def chunks(items: Sequence[Item], *, items_max: int, bytes_max: int) -> Iterable[Sequence[Item]]:
    """Items in portions that a message carries well; at least one item each, and one empty portion for an empty list."""
    first, size = 0, 0
    for index, item in enumerate(items):
        if index > first and (index - first >= items_max or size + len(item.data) > bytes_max):
            yield items[first:index]
            first, size = index, 0
        size += len(item.data)
    yield items[first:]


def watch_event(event: Event) -> bytes:
    """WatchBatch's field 1: WatchEvent {type = 1, object = 2, revision = 3}."""
    if event.wire is None:
        data = event.data
        event.wire = nested(1, b"%b\x12%b%b\x18%b" % (_TYPES[event.type], varint(len(data)), data, varint(event.revision)))
    return event.wire


def watch_batches(batch: EventBatch, *, bytes_max: int) -> Iterable[bytes]:
    """WatchBatch messages: the batch's events, several messages where one would be too large, or the bookmark that it is."""
    if batch.wire is not None:
        return (batch.wire,)
    if batch.bookmark:
        ends = b"\x20\x01" if batch.initial_events_end else b""
        batch.wire = nested(1, _BOOKMARK + b"\x18" + varint(batch.revision) + ends)
        return (batch.wire,)
    pieces = [watch_event(event) for event in batch.events]
    if sum(map(len, pieces)) <= bytes_max:
        batch.wire = b"".join(pieces)
        return (batch.wire,)
    return pieces


def write_result(identifier: int, data: bytes, revision: int) -> bytes:
    """WriteResults' field 1: a WriteResult {id = 1, envelope = 2} that succeeded."""
    return nested(1, b"\x08" + varint(identifier) + nested(2, envelope(data, revision)))


def write_failure(identifier: int, status: bytes) -> bytes:
    """WriteResults' field 1: a WriteResult {id = 1, status = 3} that failed."""
    return nested(1, b"\x08" + varint(identifier) + nested(3, status))
