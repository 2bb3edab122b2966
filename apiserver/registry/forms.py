"""Answers about stored objects, in the form of the row that was asked; see `core.forms`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import msgspec

from apimachinery.resources import Resource
from apiserver.core.custom import CustomResource
from apiserver.core.forms import shown
from apiserver.core.request import Answer, Batches, Document, EventBatch, Listing, Watching

ITEMS_AT_ONCE = 250
"""A long list is converted in portions, so that others are served meanwhile."""


Show = Callable[[Sequence[bytes]], Awaitable[list[bytes]]]
"""Stored objects' JSON -> the same objects as a row shows them; raises ApiError (500)."""


async def answered(row: Resource, answer: Answer) -> Answer:
    """The answer about stored objects, as the row shows them."""
    if (told := deprecations(row)) and isinstance(answer, Document | Listing | Watching):
        answer = msgspec.structs.replace(answer, warnings=(*told, *answer.warnings))
    show = _show(row)
    if show is None:
        return answer
    match answer:
        case Document():
            return await _document(row, show, answer)
        case Listing():
            items: list[ShownItem] = []
            for first in range(0, len(answer.items), ITEMS_AT_ONCE):
                if first:
                    await asyncio.sleep(0)
                part = answer.items[first : first + ITEMS_AT_ONCE]
                data = await show([item.data for item in part])
                items += [
                    ShownItem(item.namespace, item.name, each, item.revision) for item, each in zip(part, data, strict=True)
                ]
            return msgspec.structs.replace(answer, resource=row, items=items)
        case Watching():
            return msgspec.structs.replace(answer, resource=row, batches=_ShownBatches(show, answer.batches))
        case _:
            return answer


def deprecations(row: Resource) -> tuple[str, ...]:
    """What everybody is to be told who asks for a version that is on its way out, refused or not."""
    return (row.deprecation,) if isinstance(row, CustomResource) and row.deprecation else ()


def _show(row: Resource) -> Show | None:
    """None for a row that shows what is stored as it is."""
    if isinstance(row, CustomResource):
        return None if row.family.shows_stored(row) else lambda objects: row.family.present(row, objects)
    if row.conversion is None:
        return None

    async def show(objects: Sequence[bytes]) -> list[bytes]:
        return [shown(row, each) for each in objects]

    return show


class ShownItem(msgspec.Struct, frozen=True):
    """An object of a list in another form; see `request.Item`."""

    namespace: str
    name: str
    data: bytes
    revision: int


class ShownEvent(msgspec.Struct):
    """An event of a watch in another form; see `request.Event`."""

    type: str
    data: bytes
    revision: int
    wire: bytes | None = None

    @property
    def line(self) -> bytes:
        return b'{"type":"%b","object":%b}\n' % (self.type.encode(), self.data)


class ShownBatch(msgspec.Struct):
    """Events of one delivery in another form; see `request.EventBatch`."""

    events: list[ShownEvent]
    revision: int
    bookmark: bool
    initial_events_end: bool
    wire: bytes | None = None

    @property
    def payload(self) -> bytes:
        return b"".join([event.line for event in self.events])


class _ShownBatches:
    def __init__(self, show: Show, batches: Batches) -> None:
        self._show = show
        self._batches = batches
        self._stored = aiter(batches)

    def __aiter__(self) -> AsyncIterator[EventBatch]:
        return self

    async def __anext__(self) -> EventBatch:
        batch = await anext(self._stored)
        data = await self._show([event.data for event in batch.events]) if batch.events else []
        events = [ShownEvent(event.type, each, event.revision) for event, each in zip(batch.events, data, strict=True)]
        return ShownBatch(events, batch.revision, batch.bookmark, batch.initial_events_end)

    async def aclose(self) -> None:
        await self._batches.aclose()


class _Kind(msgspec.Struct, rename="camel"):
    api_version: str = ""
    kind: str = ""


async def _document(row: Resource, show: Show, document: Document) -> Document:
    """A Status, or a Scale, stays as it is."""
    kind = msgspec.json.decode(document.body, type=_Kind)
    stored = row.stored_as
    if kind.kind != stored.kind or kind.api_version.rpartition("/")[0] != stored.group:
        return document
    (body,) = await show([document.body])
    return msgspec.structs.replace(document, body=body)
