"""Answers about stored objects, in the form of the row that was asked; see `core.forms`."""

import asyncio
from collections.abc import AsyncIterator

import msgspec

from apimachinery.resources import Conversion, Resource
from apiserver.core.forms import shown
from apiserver.core.request import Answer, Batches, Document, Event, EventBatch, Listing, Watching

ITEMS_AT_ONCE = 250
"""A long list is converted in portions, so that others are served meanwhile."""


async def answered(row: Resource, answer: Answer) -> Answer:
    """The answer about stored objects, as the row shows them."""
    if row.conversion is None:
        return answer
    match answer:
        case Document():
            return _document(row, row.conversion, answer)
        case Listing():
            items = []
            for index, item in enumerate(answer.items, start=1):
                items.append(ShownItem(item.namespace, item.name, shown(row, item.data), item.revision))
                if index % ITEMS_AT_ONCE == 0:
                    await asyncio.sleep(0)
            return msgspec.structs.replace(answer, resource=row, items=items)
        case Watching():
            return msgspec.structs.replace(answer, resource=row, batches=_ShownBatches(row, answer.batches))
        case _:
            return answer


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
    def __init__(self, row: Resource, batches: Batches) -> None:
        self._row = row
        self._batches = batches
        self._stored = aiter(batches)

    def __aiter__(self) -> AsyncIterator[EventBatch]:
        return self

    async def __anext__(self) -> EventBatch:
        batch = await anext(self._stored)
        return ShownBatch(
            [self._shown(event) for event in batch.events], batch.revision, batch.bookmark, batch.initial_events_end
        )

    async def aclose(self) -> None:
        await self._batches.aclose()

    def _shown(self, event: Event) -> ShownEvent:
        return ShownEvent(event.type, shown(self._row, event.data), event.revision)


class _Kind(msgspec.Struct, rename="camel"):
    api_version: str = ""
    kind: str = ""


def _document(row: Resource, conversion: Conversion, document: Document) -> Document:
    """A Status stays as it is."""
    kind = msgspec.json.decode(document.body, type=_Kind)
    if (kind.api_version, kind.kind) != (conversion.stored.api_version, conversion.stored.kind):
        return document
    return msgspec.structs.replace(document, body=shown(row, document.body))
