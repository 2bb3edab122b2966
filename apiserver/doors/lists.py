"""Lists on the wire: put together from the cache's own bytes, and sent in portions.

A list may be as large as the cache, so it is never put together as a whole. Its length is known from its parts; portions are
small enough to stay in the processor's cache on their way through TLS, and the client takes one in while the next is made.
Between two of them others are served. The objects are those of one snapshot, however long the client takes.
"""

import asyncio
from collections.abc import Iterator, Sequence

from aiohttp import web

from apiserver.core.request import Item, Listing
from apiserver.doors.rendering import list_meta

PORTION_BYTES = 256 << 10
JSON = "application/json"
_END = b"]}\n"


def list_head(listing: Listing) -> bytes:
    """What stands before the objects of a list."""
    resource = listing.resource
    return b'{"kind":"%b","apiVersion":"%b","metadata":{%b},"items":[' % (
        resource.list_named.encode(),
        resource.api_version.encode(),
        list_meta(listing),
    )


def list_portions(listing: Listing) -> Iterator[bytes]:
    """A list's JSON, whose concatenation it is, in portions of about PORTION_BYTES."""
    parts, size, head = [], 0, list_head(listing)
    for item in listing.items:
        data = item.data
        parts.append(data)
        size += len(data)
        if size >= PORTION_BYTES:
            yield head + b",".join(parts)
            parts, size, head = [], 0, b","
    # what is left over may be nothing, and then its separator must not stand
    yield (head + b",".join(parts) if parts or head != b"," else b"") + _END


def size_bytes(listing: Listing) -> int:
    """How long a list's JSON is."""
    items: Sequence[Item] = listing.items
    return len(list_head(listing)) + sum([len(item.data) for item in items]) + max(len(items) - 1, 0) + len(_END)


async def send_list(request: web.BaseRequest, listing: Listing, portion_timeout_s: float) -> web.StreamResponse:
    """Answer with a list; raises TimeoutError when the client does not take a portion in time, ConnectionError if it goes."""
    length = size_bytes(listing)
    if length <= PORTION_BYTES or request.method == "HEAD":
        return web.Response(body=b"".join(list_portions(listing)), content_type=JSON)
    response = web.StreamResponse(headers={"Content-Type": JSON})
    response.content_length = length
    await response.prepare(request)
    for portion in list_portions(listing):
        async with asyncio.timeout(portion_timeout_s):
            await response.write(portion)
        await asyncio.sleep(0)
    await response.write_eof()
    return response
