"""The OpenAPI documents as they are sent: made when first asked for, in a thread beside the loop, and then kept as bytes.

Most servers are never asked, so start-up pays nothing; whoever asks first waits some tens of milliseconds.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping

import msgspec

from apimachinery.resources import ResourceTable
from apiserver.openapi import gnostic
from apiserver.openapi.documents import group_versions, openapi_v2, openapi_v3


class Published(msgspec.Struct, frozen=True):
    """A document's bytes, and a hash that names them."""

    body: bytes
    hash: str


class Library:
    """The documents of one table; `version` is the server's."""

    def __init__(self, table: ResourceTable, version: str) -> None:
        self._table = table
        self._version = version
        self._making = asyncio.Lock()
        self._made: dict[str, Mapping[str, Published]] = {}

    async def v2_json(self) -> Published:
        return (await self._get("v2 json", self._make_v2_json))[""]

    async def v2_protobuf(self) -> Published:
        return (await self._get("v2 protobuf", self._make_v2_protobuf))[""]

    async def v3_index(self) -> Published:
        """Where the document of each group version is."""
        return (await self._get("v3", self._make_v3))[""]

    async def v3(self, place: str) -> Published | None:
        """The document of a group version, by its path (`apis/apps/v1`)."""
        return (await self._get("v3", self._make_v3)).get(place) if place else None

    async def _get(self, name: str, make: Callable[[], Mapping[str, Published]]) -> Mapping[str, Published]:
        made = self._made.get(name)
        if made is not None:
            return made
        async with self._making:
            if name not in self._made:
                self._made[name] = await asyncio.to_thread(make)
            return self._made[name]

    def _make_v2_json(self) -> Mapping[str, Published]:
        return {"": publish(msgspec.json.encode(openapi_v2(self._table, self._version)))}

    def _make_v2_protobuf(self) -> Mapping[str, Published]:
        return {"": publish(gnostic.encode(openapi_v2(self._table, self._version)))}

    def _make_v3(self) -> Mapping[str, Published]:
        made = {
            place: publish(msgspec.json.encode(openapi_v3(rows, self._version)))
            for place, rows in group_versions(self._table).items()
        }
        paths = {place: {"serverRelativeURL": f"/openapi/v3/{place}?hash={each.hash}"} for place, each in made.items()}
        return {"": publish(msgspec.json.encode({"paths": paths})), **made}


def publish(body: bytes) -> Published:
    """A document with its hash."""
    return Published(body, hashlib.sha256(body).hexdigest().upper())
