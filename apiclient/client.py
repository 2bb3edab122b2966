"""The typed client: kinds in, kinds out, over any transport.

A client belongs to one component. With a `fence` (see leaderelection) every write carries the leader's claim, so that a deposed
leader cannot write. Objects that come back are the caller's own.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from apiclient.transport import EventType, Fence, Name, PatchType, PodBinding, RawEvent, Selection, Transport, Verb, Write
from apimachinery import codec
from apimachinery.errors import ApiError, Reason, api_error
from apimachinery.kinds import DeleteOptions, Object, Preconditions, Status, TokenRequest
from apimachinery.resources import SERVICE_ACCOUNTS, resource_for

ObjectT = TypeVar("ObjectT", bound=Object)

__all__ = ["Client", "EventType", "Fence", "ObjectList", "PatchType", "PodBinding", "WatchEvent"]


@dataclass(frozen=True, slots=True)
class WatchEvent(Generic[ObjectT]):
    """One event; a bookmark carries no object."""

    type: EventType
    object: ObjectT | None
    revision: int
    initial_events_end: bool = False


@dataclass(frozen=True, slots=True)
class ObjectList(Generic[ObjectT]):
    """Objects as they all were at one revision."""

    items: list[ObjectT]
    revision: int


class Client:
    """Reads and writes of one component. Everything raises ApiError, and nothing else, when the server refuses or is away."""

    def __init__(
        self, transport: Transport, *, field_manager: str = "", fence: Callable[[], Fence | None] | None = None
    ) -> None:
        self._transport = transport
        self._field_manager = field_manager
        self._fence = fence or (lambda: None)

    def fenced(self, fence: Callable[[], Fence | None]) -> "Client":
        """The same connection, its writes valid only while `fence` holds."""
        return Client(self._transport, field_manager=self._field_manager, fence=fence)

    async def get(self, cls: type[ObjectT], name: str, namespace: str = "", *, subresource: str = "") -> ObjectT:
        """A quorum read of one object."""
        return codec.decode(cls, await self._transport.get(Name(resource_for(cls), namespace, name, subresource)))

    async def list(
        self,
        cls: type[ObjectT],
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
    ) -> ObjectList[ObjectT]:
        """A consistent list (all namespaces when none is given)."""
        selection = Selection(label_selector, field_selector)
        name = Name(resource_for(cls), namespace)
        items, revision = await self._transport.list(name, selection, resource_version=resource_version)
        return ObjectList([codec.decode(cls, item) for item in items], revision)

    async def watch(
        self,
        cls: type[ObjectT],
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
    ) -> AsyncIterator[Sequence[WatchEvent[ObjectT]]]:
        """Batches of events after a revision; without one the present objects come first, as ADDED, ended by a bookmark.

        Ends when the server ends it; raises ApiError 410 when the revision is too old to resume from.
        """
        selection = Selection(label_selector, field_selector)
        name = Name(resource_for(cls), namespace)
        async for batch in self._transport.watch(name, selection, resource_version=resource_version):
            yield [_typed(cls, event) for event in batch]

    async def create(self, obj: ObjectT, namespace: str | None = None, *, name: str = "", subresource: str = "") -> ObjectT:
        """Create an object, or post to the subresource of the object called `name`."""
        where = obj.metadata.namespace if namespace is None else namespace
        target = Name(resource_for(type(obj)), where, name or obj.metadata.name, subresource)
        return await self._write(type(obj), Verb.CREATE, target, codec.encode(obj))

    async def update(self, obj: ObjectT, *, subresource: str = "") -> ObjectT:
        """Replace an object; refused (409) when its resourceVersion is not the stored one."""
        target = Name(resource_for(type(obj)), obj.metadata.namespace, obj.metadata.name, subresource)
        return await self._write(type(obj), Verb.UPDATE, target, codec.encode(obj))

    async def update_status(self, obj: ObjectT) -> ObjectT:
        """Replace an object's status only."""
        return await self.update(obj, subresource="status")

    async def patch(
        self,
        cls: type[ObjectT],
        name: str,
        namespace: str = "",
        *,
        patch: Any,
        patch_type: PatchType = PatchType.MERGE,
        subresource: str = "",
    ) -> ObjectT:
        """Change parts of an object; `patch` is plain data (dicts and lists)."""
        target = Name(resource_for(cls), namespace, name, subresource)
        return await self._write(cls, Verb.PATCH, target, codec.encode(patch), patch_type)

    async def apply(
        self,
        cls: type[ObjectT],
        name: str,
        namespace: str = "",
        *,
        configuration: Any,
        subresource: str = "",
        force: bool = False,
    ) -> ObjectT:
        """Server-side apply: make `configuration` (plain data) part of an object, which is created if there is none.

        Fields of other managers that it would change are a conflict (409), or are taken over with `force`.
        """
        target = Name(resource_for(cls), namespace, name, subresource)
        write = Write(
            Verb.PATCH,
            target,
            codec.encode(configuration),
            PatchType.APPLY,
            field_manager=self._field_manager,
            fence=self._fence(),
            force=force,
        )
        return codec.decode(cls, await self._transport.write(write))

    async def delete(
        self,
        cls: type[ObjectT],
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        resource_version: str = "",
        grace_period_seconds: int | None = None,
        propagation_policy: str = "",
    ) -> None:
        """Delete an object, only the one with this uid and resource version when they are given (else 409)."""
        options = DeleteOptions(grace_period_seconds=grace_period_seconds, propagation_policy=propagation_policy)
        if uid or resource_version:
            options.preconditions = Preconditions(uid=uid, resource_version=resource_version)
        target = Name(resource_for(cls), namespace, name)
        await self._transport.write(
            Write(Verb.DELETE, target, codec.encode(options), field_manager=self._field_manager, fence=self._fence())
        )

    async def request_token(self, namespace: str, account: str, request: TokenRequest) -> TokenRequest:
        """A token of a ServiceAccount: the request with its status filled in."""
        target = Name(SERVICE_ACCOUNTS, namespace, account, "token")
        return await self._write(TokenRequest, Verb.CREATE, target, codec.encode(request))

    async def bind(self, bindings: Sequence[PodBinding]) -> Sequence[ApiError | None]:
        """Place pods on nodes in one go; for each None or why it failed."""
        answers = await self._transport.bind(bindings, self._fence())
        return [ApiError(codec.decode(Status, answer)) if answer else None for answer in answers]

    async def carry(self, method: str, path: str, body: bytes = b"") -> bytes:
        """A request to an aggregated API, by its path: the body of a good answer; raises ApiError for any other.

        Such APIs know nothing of leaders: what is asked must do no harm when a deposed one asks it.
        """
        code, answer = await self._transport.carry(method, path, body)
        if 200 <= code < 300:
            return answer
        raise _refusal(code, answer)

    async def close(self) -> None:
        await self._transport.close()

    async def _write(self, cls: type[ObjectT], verb: Verb, target: Name, body: bytes, patch_type: str = "") -> ObjectT:
        write = Write(verb, target, body, patch_type, field_manager=self._field_manager, fence=self._fence())
        return codec.decode(cls, await self._transport.write(write))


def _refusal(code: int, answer: bytes) -> ApiError:
    """What an answer that is not good says, in whatever form."""
    try:
        status = codec.decode(Status, answer)
    except ApiError:
        status = Status()
    if status.code == code:
        return ApiError(status)
    reason = Reason.NOT_FOUND if code == 404 else Reason.INTERNAL_ERROR
    return api_error(code, reason, f"the server answered with {code}")


def _typed(cls: type[ObjectT], event: RawEvent) -> WatchEvent[ObjectT]:
    decoded = None if event.type == EventType.BOOKMARK else codec.decode(cls, event.object)
    return WatchEvent(event.type, decoded, event.revision, event.initial_events_end)
