"""Compare-and-swap on objects: the loops that every write goes through.

A change starts from what the cache holds, because that costs nothing and is nearly always the newest state. It may be stale,
so nothing is concluded from it alone: a write is a compare-and-swap on its revision, which a stale start loses; a refusal or
a "nothing to do" that was decided on it is decided again when a read from storage shows another state. The loser of a swap gets
the winner's state with the refusal and goes on from there."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import msgspec

from apimachinery import codec, errors
from apimachinery.errors import ApiError
from apimachinery.kinds.custom import Custom
from apimachinery.kinds.object import Object
from apimachinery.resources import Resource
from apiserver.core.custom import CustomResource
from apiserver.core.keys import KeySpace
from apiserver.core.request import Fence
from apiserver.failures import storage_error
from apiserver.registry.current import Current, Reader, as_current
from apiserver.registry.fencing import Fenced
from apiserver.storage import port

ATTEMPTS_MAX = 20


class Put(msgspec.Struct, frozen=True):
    """Write this object in place of the current one; the warnings are for whoever asked for it."""

    obj: Object
    guards: tuple[port.Guard, ...] = ()
    warnings: tuple[str, ...] = ()


class Drop(msgspec.Struct, frozen=True):
    """Delete the current one, of which `obj` is the last state."""

    obj: Object | None = None


class Leave(msgspec.Struct, frozen=True):
    """The current one is as wanted."""


Outcome: TypeAlias = Put | Drop | Leave


class Written(msgspec.Struct, frozen=True):
    """What a change led to; `data` carries the new revision. For a removal, `data` is the last state."""

    data: bytes
    revision: int
    removed: bool = False
    changed: bool = True
    warnings: tuple[str, ...] = ()


class ObjectStore:
    """Reads, creates and changes single objects; every storage error leaves it as an ApiError."""

    def __init__(self, storage: port.Storage, keys: KeySpace, reader: Reader) -> None:
        self.storage = storage
        self.keys = keys
        self.reader = reader

    async def current(self, resource: Resource, namespace: str, name: str) -> Current:
        """The object as of now; raises ApiError (404)."""
        found = await self.reader.read(resource, namespace, name)
        if found is None:
            raise errors.not_found(resource.plural, name, group=resource.group)
        return await presented(resource, found)

    async def create(
        self,
        resource: Resource,
        obj: Object,
        *,
        ttl_s: float | None = None,
        guards: Sequence[port.Guard] = (),
        fence: Fence | None = None,
    ) -> Written:
        """Write an object that must not exist yet."""
        meta = obj.metadata
        key = self.keys.object(resource, meta.namespace, meta.name)
        stored = await _stored(resource, obj)
        fenced = Fenced(self.reader, fence, resource, meta.name)
        while True:
            try:
                revision = await self.storage.create(key, stored, ttl_s=ttl_s, guards=(*guards, *await fenced.guards()))
                return Written(codec.splice_revision(stored, revision), revision)
            except port.GuardFailed as error:
                fenced.failed(error)
            except port.StorageError as error:
                raise storage_error(error, resource, meta.name) from error

    async def change(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        decide: Callable[[Current], Awaitable[Outcome]],
        *,
        fence: Fence | None = None,
        dry_run: bool = False,
        costly: bool = False,
    ) -> Written:
        """Apply `decide` to the object until its outcome is in storage; raises what `decide` raises on the newest state.

        For a `decide` that is `costly` a read from storage is cheaper than to decide in vain, on a stale state.
        """
        glimpsed = None if costly else self.reader.glimpse(resource, namespace, name)
        fresh = glimpsed is None
        current = await (self.current(resource, namespace, name) if glimpsed is None else presented(resource, glimpsed))
        fenced = Fenced(self.reader, fence, resource, name)
        for _ in range(ATTEMPTS_MAX):
            outcome: Outcome = Leave()
            refusal = None
            try:
                outcome = await decide(current)
            except ApiError as error:
                if fresh:
                    raise
                refusal = error
            if isinstance(outcome, Leave) and not fresh:
                newest = await self.current(resource, namespace, name)
                fresh = True
                if newest.revision != current.revision:
                    current = newest
                    continue
                if refusal is not None:
                    raise refusal  # decided on the newest state, as has turned out
            if dry_run or isinstance(outcome, Leave):
                return preview(outcome, current)
            try:
                return await self._swap(resource, current, outcome, await fenced.guards())
            except port.Conflict as error:
                current, fresh = await presented(resource, as_current(error.current)), True
            except port.GuardFailed as error:
                fenced.failed(error)
            except port.StorageError as error:
                raise storage_error(error, resource, name) from error
        raise errors.conflict(resource.plural, name, group=resource.group)

    async def _swap(self, resource: Resource, current: Current, outcome: Put | Drop, guards: tuple[port.Guard, ...]) -> Written:
        if isinstance(outcome, Put):
            stored = await _stored(resource, outcome.obj)
            guards = (*guards, *outcome.guards)
            revision = await self.storage.update(current.key, stored, expected_revision=current.revision, guards=guards)
            return Written(codec.splice_revision(stored, revision), revision, warnings=outcome.warnings)
        revision = await self.storage.delete(current.key, expected_revision=current.revision, guards=guards)
        last = current.data if outcome.obj is None else codec.splice_revision(codec.encode_stored(outcome.obj), revision)
        return Written(last, revision, removed=True)


async def presented(resource: Resource, current: Current) -> Current:
    """The object in the version of the resource, where that may be another one than is stored; raises ApiError (500).

    What cannot be read stays as it is, and can be deleted.
    """
    if not isinstance(resource, CustomResource):
        return current
    try:
        (data,) = await resource.family.present(resource, [current.data])
    except (msgspec.MsgspecError, UnicodeDecodeError, AttributeError):
        return current
    except ApiError as error:
        if error.code >= 500:
            raise  # it cannot be had in this version now
        return current
    return msgspec.structs.replace(current, data=data)


async def _stored(resource: Resource, obj: Object) -> bytes:
    if isinstance(resource, CustomResource) and isinstance(obj, Custom):
        obj = await resource.family.to_storage(obj)
    return codec.encode_stored(obj)


def preview(outcome: Outcome, current: Current) -> Written:
    """What the caller would see, without a write: the current revision stays."""
    if isinstance(outcome, Put):
        stored = codec.encode_stored(outcome.obj)
        return Written(
            codec.splice_revision(stored, current.revision), current.revision, changed=False, warnings=outcome.warnings
        )
    return Written(current.data, current.revision, removed=isinstance(outcome, Drop), changed=False)
