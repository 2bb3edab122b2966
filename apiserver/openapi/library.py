"""The OpenAPI documents as they are sent: made when first asked for, in a thread beside the loop, and then kept as bytes
until custom resources come or go.

Most servers are never asked, so start-up pays nothing; whoever asks first waits some tens of milliseconds.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence

import msgspec

from apimachinery.resources import Resource, ResourceTable
from apiserver.openapi import gnostic
from apiserver.openapi.documents import group_versions, openapi_v2, openapi_v3


class Published(msgspec.Struct, frozen=True):
    """A document's bytes, and a hash that names them."""

    body: bytes
    hash: str


_NOTHING: tuple[int, Mapping[str, Published]] = (-1, {})


class Library:
    """The documents of one table; `version` is the server's."""

    def __init__(self, table: ResourceTable, version: str) -> None:
        self._table = table
        self._version = version
        self._making = asyncio.Lock()
        self._made: dict[str, tuple[int, Mapping[str, Published]]] = {}
        self._v3: dict[str, tuple[list[Resource], Published]] = {}

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

    async def _get(self, name: str, make: Callable[[Sequence[Resource]], Mapping[str, Published]]) -> Mapping[str, Published]:
        generation, made = self._made.get(name, _NOTHING)
        if generation == self._table.generation:
            return made
        async with self._making:
            generation, made = self._made.get(name, _NOTHING)
            if (wanted := self._table.generation) != generation:
                made = await asyncio.to_thread(make, self._table.rows)
                self._made[name] = wanted, made
            return made

    def _make_v2_json(self, rows: Sequence[Resource]) -> Mapping[str, Published]:
        return {"": publish(msgspec.json.encode(openapi_v2(rows, self._version)))}

    def _make_v2_protobuf(self, rows: Sequence[Resource]) -> Mapping[str, Published]:
        return {"": publish(gnostic.encode(openapi_v2(rows, self._version)))}

    def _make_v3(self, rows: Sequence[Resource]) -> Mapping[str, Published]:
        """Documents whose rows are still the same are kept."""
        kept, self._v3 = self._v3, {}
        for place, members in group_versions(rows).items():
            before, published = kept.get(place, ((), None))
            if published is None or list(map(id, before)) != list(map(id, members)):
                published = publish(msgspec.json.encode(openapi_v3(members, self._version)))
            self._v3[place] = members, published
        made = {place: published for place, (_, published) in self._v3.items()}
        paths = {place: {"serverRelativeURL": f"/openapi/v3/{place}?hash={each.hash}"} for place, each in made.items()}
        return {"": publish(msgspec.json.encode({"paths": paths})), **made}


def publish(body: bytes) -> Published:
    """A document with its hash."""
    return Published(body, hashlib.sha256(body).hexdigest().upper())
