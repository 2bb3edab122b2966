"""How the storage port's revisions, values and errors map onto etcd's. Pure functions over etcd's messages.

Model. One etcd transaction carries up to `WRITES_MAX` independent writes, which all get the same etcd revision. The port
promises every write a revision of its own (a watcher that saw one of two changes of a shared revision could not resume
between them), so

    revision = etcd revision * 64 + place of the write within its transaction.

The place of a put is its index in the transaction. It is stored as one byte after the value, a space for place 0, so that a
value written alone is still the JSON document a human expects to see with etcdctl; a value without such a byte (written by
another tool: JSON ends in `}`, which is outside the range) has place 0. Deletes store nothing: a transaction holds its puts
before its deletes, and the deletes that happened are numbered backwards from 63, which the writer can tell from the answer
and a watcher from the events. Leases are shared by at most `WRITES_MAX` keys for the same reason: keys that expire together
are deleted in one etcd revision. "All of etcd revision r" is therefore `r * 64 + 63`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
from aetcd import rpc  # type: ignore[import-untyped]

from apiserver.storage.port import (
    Change,
    ChangeType,
    Compacted,
    FutureRevision,
    KeyValue,
    NoSpace,
    StorageError,
    TooLarge,
    Unavailable,
    Write,
)

WRITES_MAX = 64
_SHIFT = 6
_LAST_PLACE = WRITES_MAX - 1
_PLACE_BASE = 0x20

_UNCERTAIN_CODES = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)

_KEY_REVISION = rpc.Compare.CompareTarget.Value("MOD")
_EQUAL = rpc.Compare.CompareResult.Value("EQUAL")
_PUT = rpc.Event.EventType.Value("PUT")


class LeaseGone(StorageError):  # noqa: N818 - named for what happened
    """The etcd lease of a create has expired; nothing was written."""


def snapshot_revision(etcd_revision: int) -> int:
    """The port's revision that includes everything of an etcd revision."""
    return etcd_revision << _SHIFT | _LAST_PLACE


def etcd_revision(revision: int) -> int:
    """The etcd revision that holds a revision of the port."""
    return revision >> _SHIFT


def existing_revision(revision: int) -> int:
    """The etcd revision to compare an existing key with; never 0, by which etcd means a key that does not exist."""
    return etcd_revision(revision) or -1


def put_revision(revision: int, place: int) -> int:
    """The port's revision of the put at `place` of the transaction etcd gave `revision`."""
    return revision << _SHIFT | place


def delete_revision(revision: int, deletes_left: int) -> int:
    """The port's revision of a delete that is followed by `deletes_left - 1` more in its transaction."""
    return revision << _SHIFT | max(0, WRITES_MAX - deletes_left)


def decode_item(stored: Any) -> KeyValue:
    """An etcd KeyValue as the port's."""
    value, place = _split(stored.value)
    return KeyValue(stored.key, value, stored.mod_revision << _SHIFT | place, stored.create_revision << _SHIFT)


def decode_events(events: Sequence[Any]) -> list[Change]:
    """Events of any number of whole etcd revisions, in order, as changes.

    Foreign transactions (a delete of a whole range with etcdctl) may hold more deletes than there are places: those share
    place 0, still in order.
    """
    changes: list[Change] = []
    index, count = 0, len(events)
    while index < count:
        event_revision = events[index].kv.mod_revision
        end = index + 1
        while end < count and events[end].kv.mod_revision == event_revision:
            end += 1
        _decode_revision(events[index:end], event_revision << _SHIFT, changes)
        index = end
    return changes


def _decode_revision(events: Sequence[Any], base: int, changes: list[Change]) -> None:
    deletes_left = sum(event.type != _PUT for event in events)
    for event in events:
        stored = event.kv
        if event.type == _PUT:
            value, place = _split(stored.value)
            changes.append(Change(ChangeType.PUT, stored.key, value, base | place, stored.create_revision << _SHIFT))
        else:
            revision = delete_revision(etcd_revision(base), deletes_left)
            changes.append(Change(ChangeType.DELETE, stored.key, b"", revision, 0))
            deletes_left -= 1


def _split(stored: bytes) -> tuple[bytes, int]:
    place = stored[-1] - _PLACE_BASE if stored else -1
    return (stored[:-1], place) if 0 <= place < WRITES_MAX else (stored, 0)


def transaction(writes: Sequence[Write], leases: Sequence[int]) -> Any:
    """One etcd transaction of independent writes, puts before deletes; `leases[i]` is the lease of `writes[i]` or 0.

    etcd evaluates the compares of every nested transaction before any of them writes, so the caller sees to it that no
    write touches the key or the guard of another. Quotas are charged for top-level puts only, hence the put in the branch
    that is never taken: without it a full store would accept nested puts.
    """
    request = rpc.TxnRequest()
    for place, write in enumerate(writes):
        _fill(request.success.add().request_txn, write, place, leases[place])
    if any(write.value is not None for write in writes):
        request.failure.add().request_put.key = b"\0"
    return request


def _fill(nested: Any, write: Write, place: int, lease: int) -> None:
    _compare(nested, write.key, existing_revision(write.expected_revision) if write.expected_revision else 0)
    for guard in write.guards:
        _compare(nested, guard.key, existing_revision(guard.mod_revision))
    operation = nested.success.add()
    if write.value is None:
        operation.request_delete_range.key = write.key
    else:
        put = operation.request_put
        put.key = write.key
        put.value = stored_value(write.value, place)
        if lease:
            put.lease = lease
        elif write.expected_revision:
            put.ignore_lease = True
    nested.failure.add().request_range.key = write.key
    for guard in write.guards:
        read = nested.failure.add().request_range
        read.key = guard.key
        read.keys_only = True


def _compare(nested: Any, key: bytes, mod_revision: int) -> None:
    compare = nested.compare.add()
    compare.result = _EQUAL
    compare.target = _KEY_REVISION
    compare.key = key
    compare.mod_revision = mod_revision


def stored_value(value: bytes, place: int) -> bytes:
    """A value as etcd holds it: followed by its place."""
    return value + bytes((_PLACE_BASE + place,))


def translate(error: grpc.aio.AioRpcError) -> StorageError:
    """An etcd call's failure as the port's; `Unavailable.uncertain` when a write may have happened."""
    details = error.details() or ""
    code = error.code()
    if "compacted" in details:
        return Compacted(0)
    if "future revision" in details:
        return FutureRevision(details)
    if "request is too large" in details or "larger than max" in details:
        return TooLarge(details)
    if "space exceeded" in details:
        return NoSpace(details)
    if "lease not found" in details:
        return LeaseGone(details)
    return Unavailable(f"etcd: {code.name}: {details}", uncertain=code in _UNCERTAIN_CODES)
