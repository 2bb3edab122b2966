"""The storage port: an ordered map from keys to opaque bytes, with one revision counter over the whole of it.

Model. Every write that succeeds gets a revision of its own, strictly greater than every revision before it; no two writes
share one, so whoever has seen revision N of a watch can resume after N and miss nothing. A snapshot, a watch and a
compare-and-swap all speak of these revisions. Revisions are positive and increasing but not consecutive: do no arithmetic
on them except `+ 1` for "everything after".

Reads (`get`, `list` without a revision, `current_revision`) are linearizable. Writes are compare-and-swap on the revision the
key was last written at; `guards` add compares of other keys to the same transaction, which fences the writes of a leader on
the Lease it believes to hold. A write is either acknowledged, refused with one of the errors below, or ends in
`Unavailable` with `uncertain=True`: then, and only then, the caller cannot know whether it happened.
"""

# ruff: noqa: N818 - the errors are named for what happened

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, Protocol, Self

import msgspec

VALUE_BYTES_MAX = 1_572_864 - 8_192
"""Largest key plus value accepted, in bytes: etcd's request limit of 1.5 MiB less room for the envelope."""


class StorageError(Exception):
    """Root of everything a storage adapter raises."""


class KeyExists(StorageError):
    """A create found the key taken; `current` is what is there."""

    def __init__(self, current: KeyValue) -> None:
        super().__init__(f"key {current.key!r} exists at revision {current.mod_revision}")
        self.current = current


class Conflict(StorageError):
    """A compare-and-swap found the key at another revision; `current` is what is there."""

    def __init__(self, current: KeyValue) -> None:
        super().__init__(f"key {current.key!r} is at revision {current.mod_revision}")
        self.current = current


class KeyMissing(StorageError):
    """An update or delete found no such key."""

    def __init__(self, key: bytes) -> None:
        super().__init__(f"key {key!r} does not exist")
        self.key = key


class GuardFailed(StorageError):
    """A guard key is no longer at the revision the writer relies on: its leadership is gone, nothing was written."""

    def __init__(self, key: bytes) -> None:
        super().__init__(f"guard {key!r} has changed")
        self.key = key


class Compacted(StorageError):
    """The history asked for is gone; what is left begins after `compact_revision` (0 when the store did not say)."""

    def __init__(self, compact_revision: int) -> None:
        super().__init__(f"history up to revision {compact_revision} is compacted")
        self.compact_revision = compact_revision


class FutureRevision(StorageError):
    """A snapshot was asked for at a revision the store has not reached."""


class TooLarge(StorageError):
    """The value is larger than the store accepts."""


class NoSpace(StorageError):
    """The store has reached its quota and refuses to grow; nothing was written."""


class Unavailable(StorageError):
    """The store does not answer. With `uncertain`, a write may or may not have happened."""

    def __init__(self, message: str, *, uncertain: bool = False) -> None:
        super().__init__(message)
        self.uncertain = uncertain


class KeyValue(msgspec.Struct, frozen=True, gc=False):
    """A key as of one revision.

    `create_revision` tells incarnations apart: it is the same for every version of a key from its create to its deletion.
    """

    key: bytes
    value: bytes
    mod_revision: int
    create_revision: int


class Page(msgspec.Struct, frozen=True):
    """Part of a snapshot: `items` in key order, all of them as of `revision`.

    `more` says that keys after the last item are left; `remaining` counts them. The next page is
    `list(prefix, revision=page.revision, start_after=page.items[-1].key, limit=...)`.
    """

    items: Sequence[KeyValue]
    revision: int
    more: bool
    remaining: int


class Guard(NamedTuple):
    """The write goes through only while `key` was last written at `mod_revision`."""

    key: bytes
    mod_revision: int


class Write(msgspec.Struct, frozen=True):
    """One compare-and-swap of a `commit`: a create (`expected_revision` 0), an update, or a delete (`value` None)."""

    key: bytes
    value: bytes | None
    expected_revision: int = 0
    guards: tuple[Guard, ...] = ()
    ttl_s: float | None = None

    def __post_init__(self) -> None:
        if self.value is None and self.expected_revision <= 0:
            raise ValueError("a delete names the revision it deletes")
        if self.ttl_s is not None and (self.expected_revision or self.value is None):
            raise ValueError("only a create takes a time to live")


class ChangeType(Enum):
    """What a change did to its key."""

    PUT = "PUT"
    DELETE = "DELETE"


class Change(msgspec.Struct, frozen=True, gc=False):
    """One write as a watch reports it.

    `value` is empty for a delete: whoever needs the last state keeps it, as the watch cache does, which spares the store a
    second read for every event. `create_revision` is as in `KeyValue`, and 0 for a delete.
    """

    type: ChangeType
    key: bytes
    value: bytes
    mod_revision: int
    create_revision: int


class Batch(msgspec.Struct, frozen=True):
    """Changes in revision order. With it, everything up to and including `revision` has been delivered.

    A batch without changes is a progress notification.
    """

    revision: int
    changes: Sequence[Change]


class Watch(Protocol):
    """A running watch; iterate it for batches, close it when done. It holds a bounded queue however slow its reader is.

    It has one reader. Cancelling `__anext__` ends the watch; another that starts after the last batch goes on without a gap.

    Iteration raises `Compacted` when the history that follows the last batch is gone, and ends when the storage is closed.
    """

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> Batch: ...

    def request_progress(self, revision: int) -> None:
        """Ask for a batch, if need be an empty one, as soon as the watch has reached `revision`."""
        ...

    async def aclose(self) -> None: ...


class Storage(Protocol):
    """What the API server needs of a store. Every method may raise `Unavailable`."""

    async def get(self, key: bytes) -> KeyValue | None:
        """The key as of now (linearizable), or None."""
        ...

    async def list(self, prefix: bytes, *, revision: int = 0, limit: int = 0, start_after: bytes = b"") -> Page:
        """A snapshot of the keys under `prefix`, as of now or of `revision`; at most `limit` items when it is not 0.

        Raises `Compacted` or `FutureRevision` when the store cannot show that revision.
        """
        ...

    async def create(self, key: bytes, value: bytes, *, ttl_s: float | None = None, guards: Sequence[Guard] = ()) -> int:
        """Write a key that must not exist; returns its revision. With `ttl_s` it is deleted some time after that many seconds.

        Raises `KeyExists`, `GuardFailed`, `TooLarge`, `NoSpace`.
        """
        ...

    async def update(self, key: bytes, value: bytes, *, expected_revision: int, guards: Sequence[Guard] = ()) -> int:
        """Replace a key last written at `expected_revision`; returns the new revision. A time to live stays as it was.

        Raises `Conflict`, `KeyMissing`, `GuardFailed`, `TooLarge`, `NoSpace`.
        """
        ...

    async def delete(self, key: bytes, *, expected_revision: int, guards: Sequence[Guard] = ()) -> int:
        """Delete a key last written at `expected_revision`; returns the revision of the deletion.

        Raises `Conflict`, `KeyMissing`, `GuardFailed`.
        """
        ...

    async def commit(self, writes: Sequence[Write]) -> Sequence[int | StorageError]:
        """Many independent compare-and-swaps in few round trips: for each, in order, its revision or why it was refused."""
        ...

    async def current_revision(self) -> int:
        """A revision that every write acknowledged before this call is within (linearizable; concurrent calls share a read)."""
        ...

    async def recent_revision(self) -> int:
        """Where a cache that starts now should take its snapshot: recent, but with some history after it to resume within."""
        ...

    async def compact(self, revision: int) -> None:
        """Forget the history up to `revision`: later snapshots before it and watches from within it raise `Compacted`."""
        ...

    def watch(self, prefix: bytes, start_revision: int) -> Watch:
        """Every change under `prefix` at or after `start_revision`, in order, once each, across reconnections."""
        ...

    async def close(self) -> None:
        """End every watch and release the connection; writes under way are awaited."""
        ...


def prefix_end(prefix: bytes) -> bytes:
    """The smallest key above every key that starts with `prefix`; `b"\\0"` (etcd's "no end") when there is none."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1]) if trimmed else b"\0"
