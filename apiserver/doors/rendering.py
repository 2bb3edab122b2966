"""Other representations of what the chain answers: tables for people, metadata alone, over REST.

What an answer consists of stays as it is; here each object's JSON becomes a row of a Table or a PartialObjectMetadata. Metadata
and whole objects are carried over as the bytes they are. Large lists are rendered in portions, between which others are served.
Source: the Kubernetes page "API Concepts", sections "Receiving resources as Tables" and "Metadata-only fetches".
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

import msgspec

from apimachinery import codec, errors, printing
from apimachinery.clock import Clock
from apimachinery.resources import Resource
from apiserver.core.custom import CustomResource
from apiserver.core.negotiation import LIST_FORMS, NO_FORMS, OBJECT_FORMS, PLAIN, Form, representation
from apiserver.core.request import Document, Event, EventBatch, Listing, Options, Verb, Watching

PORTION_ITEMS = 100

ItemT = TypeVar("ItemT")


class Include(StrEnum):
    """How much of an object stands in its row of a Table."""

    NONE = "None"
    METADATA = "Metadata"
    OBJECT = "Object"


class _Head(msgspec.Struct):
    """The outline of an object."""

    metadata: msgspec.Raw
    api_version: str = msgspec.field(name="apiVersion", default="")
    kind: str = ""


_heads = msgspec.json.Decoder(_Head)


class Rendering:
    """One request's representation."""

    def __init__(self, form: Form, include: Include, clock: Clock, resource: Resource) -> None:
        self._form = form
        self._resource = resource
        self._include = include
        self._clock = clock
        self._headers_sent = False

    def document(self, document: Document) -> bytes:
        """An answer that is one object; a Status stays what it is."""
        head = _heads.decode(document.body)
        if head.kind == "Status":
            return document.body
        return self._one(document.body, head, document.revision)

    async def listing(self, listing: Listing) -> bytes:
        """A whole list."""
        meta = list_meta(listing)
        items: Sequence[bytes] = [item.data for item in listing.items]
        kind, api_version = self._form.kind, f"{self._form.group}/{self._form.version}"
        resource = listing.resource
        if kind == "Table":
            shape = self._shape(resource.group, resource.kind)
            now = self._clock.now()
            rows = await _in_portions(items, lambda data: self._row(shape, data, _heads.decode(data), now))
            columns = _columns(shape)
            return b'{"kind":"Table","apiVersion":"%b","metadata":{%b},"columnDefinitions":%b,"rows":[%b]}\n' % (
                api_version.encode(),
                meta,
                columns,
                b",".join(rows),
            )
        parts = await _in_portions(items, lambda data: self._partial(_heads.decode(data)))
        return b'{"kind":"%b","apiVersion":"%b","metadata":{%b},"items":[%b]}\n' % (
            kind.encode(),
            api_version.encode(),
            meta,
            b",".join(parts),
        )

    async def events(self, batch: EventBatch) -> bytes:
        """The lines of a watch's batch of events."""
        return b"".join(await _in_portions(batch.events, self._event))

    def bookmark(self, data: bytes, revision: int) -> bytes:
        """The line of a bookmark, whose object is `data`."""
        return b'{"type":"BOOKMARK","object":%b}\n' % self._one(data, _heads.decode(data), revision)

    def _event(self, event: Event) -> bytes:
        rendered = self._one(event.data, _heads.decode(event.data), event.revision)
        return b'{"type":"%b","object":%b}\n' % (event.type.encode(), rendered)

    def _one(self, data: bytes, head: _Head, revision: int) -> bytes:
        if self._form.kind != "Table":
            return self._partial(head)
        group = head.api_version.rpartition("/")[0]
        shape = self._shape(group, head.kind)
        columns = b"null" if self._headers_sent else _columns(shape)
        self._headers_sent = True
        row = self._row(shape, data, head, self._clock.now())
        return b'{"kind":"Table","apiVersion":"%b","metadata":{%b},"columnDefinitions":%b,"rows":[%b]}' % (
            f"{self._form.group}/{self._form.version}".encode(),
            b'"resourceVersion":"%d"' % revision if revision else b"",
            columns,
            row,
        )

    def _shape(self, group: str, kind: str) -> printing.TableShape:
        """A custom resource's table comes with its row; an answer may be of another kind than was asked for (a Scale)."""
        resource = self._resource
        if isinstance(resource, CustomResource) and (group, kind) == (resource.group, resource.kind):
            return resource.shape
        return printing.shape_for(group, kind)

    def _row(self, shape: printing.TableShape, data: bytes, head: _Head, now: datetime) -> bytes:
        cells = codec.encode(shape.cells(msgspec.json.decode(data), now))
        match self._include:
            case Include.NONE:
                shown = b"null"
            case Include.METADATA:
                shown = self._partial(head)
            case Include.OBJECT:
                shown = data
        return b'{"cells":%b,"object":%b}' % (cells, shown)

    def _partial(self, head: _Head) -> bytes:
        return b'{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/%b","metadata":%b}' % (
            self._form.version.encode(),
            bytes(head.metadata),
        )


def rendering(accept: str, verb: Verb, options: Options, clock: Clock, resource: Resource) -> Rendering | None:
    """How an answer is to be rendered, None for the objects themselves; raises ApiError 400 or 406."""
    if verb is Verb.CONNECT:
        return None
    form = representation(accept, _forms(verb))
    if form == PLAIN:
        return None
    given = next((value for name, value in options.parameters if name == "includeObject"), "")
    try:
        include = Include(given or Include.METADATA)
    except ValueError:
        raise errors.bad_request(f'unrecognized includeObject value: "{given}"') from None
    return Rendering(form, include, clock, resource)


def list_meta(listing: Listing) -> bytes:
    """The members of a list's metadata."""
    meta = b'"resourceVersion":"%d"' % listing.revision
    if listing.continue_token:
        meta += b',"continue":"%b"' % listing.continue_token.encode()
        if listing.remaining is not None:
            meta += b',"remainingItemCount":%d' % listing.remaining
    return meta


def bookmark_object(watching: Watching, revision: int, *, initial_events_end: bool) -> bytes:
    """The object of a bookmark: of the watched kind, with nothing but its revision."""
    resource = watching.resource
    ends = b',"annotations":{"k8s.io/initial-events-end":"true"}' if initial_events_end else b""
    return b'{"kind":"%b","apiVersion":"%b","metadata":{"resourceVersion":"%d"%b}}' % (
        resource.kind.encode(),
        resource.api_version.encode(),
        revision,
        ends,
    )


def _forms(verb: Verb) -> frozenset[Form]:
    match verb:
        case Verb.LIST | Verb.DELETE_COLLECTION:
            return LIST_FORMS
        case Verb.CONNECT:
            return NO_FORMS
        case _:
            return OBJECT_FORMS


def _columns(shape: printing.TableShape) -> bytes:
    return codec.encode(printing.column_definitions(shape))


async def _in_portions(items: Sequence[ItemT], render: Callable[[ItemT], bytes]) -> list[bytes]:
    found: list[bytes] = []
    for first in range(0, len(items), PORTION_ITEMS):
        if first:
            await asyncio.sleep(0)
        found.extend([render(item) for item in items[first : first + PORTION_ITEMS]])
    return found
