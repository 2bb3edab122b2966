"""Discovery and OpenAPI of this server and of aggregated ones: what is its own, with what the others said added.

Documents are made when asked for, and kept until either side of them changes. Discovery follows from what the checks keep, so
no answer waits for another server. OpenAPI is asked of the servers when somebody wants it, at most every KEPT_S, and who does
not answer in time is left out: everybody else's stays readable.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from apiserver.aggregation.aggregation import OPENAPI_V3, Aggregation
from apiserver.aggregation.servers import Answer, ServersError
from apiserver.core.aggregation import discovery as documents
from apiserver.core.aggregation import openapi
from apiserver.core.aggregation.routes import Servers, priorities
from apiserver.core.negotiation import Form
from apiserver.doors.discovery import Discovery
from apiserver.openapi import Library, Published, gnostic
from apiserver.openapi.library import publish

log = logging.getLogger(__name__)

KEPT_S = 10.0
TIMEOUT_S = 4.0
ASKED_AT_ONCE = 8


class MergedDiscovery:
    """See `doors.discovery.Discovery`, which it adds to."""

    def __init__(self, own: Discovery, aggregation: Aggregation) -> None:
        self._own = own
        self._aggregation = aggregation
        self._documents: Mapping[str, bytes] = {}
        self._documents_of: tuple[bytes | None, int] = (None, -1)
        self._aggregated: dict[tuple[str, str], tuple[Published, int, Published]] = {}

    def document(self, path: str) -> bytes | None:
        """The old form of a path, None where there is none."""
        made_of = (self._own.document("/apis"), self._aggregation.generation)
        if self._documents_of[0] is not made_of[0] or self._documents_of[1] != made_of[1]:
            self._documents, self._documents_of = self._made(), made_of
        return self._documents.get(path) or self._own.document(path)

    def aggregated(self, path: str, form: Form) -> Published:
        """All that is below /api or /apis, in apidiscovery.k8s.io of the form's version."""
        own, generation = self._own.aggregated(path, form), self._aggregation.generation
        kept = self._aggregated.get((path, form.version))
        if kept is not None and kept[0] is own and kept[1] == generation:
            return kept[2]
        aggregation = self._aggregation
        ranks = priorities(aggregation.served(), aggregation.known)
        routes = {key: route for key, route in aggregation.routes.items() if bool(key[0]) == (path == "/apis")}
        given = {key: aggregation.document(route) for key, route in routes.items()}
        made = publish(msgspec.json.encode(documents.merged_groups(msgspec.json.decode(own.body), ranks, given)))
        self._aggregated[path, form.version] = (own, generation, made)
        return made

    def _made(self) -> Mapping[str, bytes]:
        aggregation = self._aggregation
        found = documents.group_documents(priorities(aggregation.served(), aggregation.known))
        found["/"] = documents.root_document(msgspec.json.decode(self._own.document("/") or b"{}"), aggregation.routes)
        return {path: msgspec.json.encode(document) for path, document in found.items()}


class MergedLibrary:
    """See `openapi.Library`, which it adds to."""

    def __init__(self, own: Library, aggregation: Aggregation) -> None:
        self._own = own
        self._aggregation = aggregation
        self._asking = asyncio.Lock()
        self._slots = asyncio.Semaphore(ASKED_AT_ONCE)
        self._answers: dict[tuple[Servers, str], Answer] = {}
        self._asked_at: dict[str, tuple[float, int]] = {}
        self._made: dict[str, tuple[tuple[object, ...], Published]] = {}

    async def v2_json(self) -> Published:
        own = await self._own.v2_json()
        return await self._merged("v2 json", own, msgspec.json.encode)

    async def v2_protobuf(self) -> Published:
        if not self._aggregation.routes:
            return await self._own.v2_protobuf()
        return await self._merged("v2 protobuf", await self._own.v2_json(), gnostic.encode)

    async def v3_index(self) -> Published:
        """Where the document of each group version is; requests for those of others are carried to them."""
        own = await self._own.v3_index()
        if not self._aggregation.routes:
            return own
        answers = await self._ask(OPENAPI_V3)
        paths = msgspec.json.decode(own.body)["paths"]
        for route in self._aggregation.routes.values():
            place = route.path.removeprefix("/")
            paths.pop(place, None)
            answer = answers.get(route.servers)
            if answer is not None and (url := _index(answer.body).get(place)):
                paths[place] = {"serverRelativeURL": url}
        return publish(msgspec.json.encode({"paths": paths}))

    async def v3(self, place: str) -> Published | None:
        """This server's own document of a group version."""
        return await self._own.v3(place)

    async def _merged(self, name: str, own: Published, encode: Callable[[Any], bytes]) -> Published:
        if not self._aggregation.routes:
            return own
        answers = await self._ask("/openapi/v2")
        made_of = (own.hash, self._aggregation.generation, *((each, answer.body) for each, answer in answers.items()))
        kept = self._made.get(name)
        if kept is None or kept[0] != made_of:
            places: dict[Servers, list[str]] = {}
            for route in self._aggregation.routes.values():
                places.setdefault(route.servers, []).append(route.path)
            made = await asyncio.to_thread(_merge, own.body, answers, places, encode)
            kept = self._made[name] = (made_of, made)
        return kept[1]

    async def _ask(self, path: str) -> Mapping[Servers, Answer]:
        """What the servers that answer say; not asked again for a while."""
        async with self._asking:
            now, generation = asyncio.get_running_loop().time(), self._aggregation.generation
            wanted = {route.servers for route in self._aggregation.routes.values() if route.available}
            asked_at, asked_of = self._asked_at.get(path, (now - KEPT_S, -1))
            if now - asked_at >= KEPT_S or asked_of != generation:
                for key in [key for key in self._answers if key[1] == path]:
                    del self._answers[key]
                async with asyncio.TaskGroup() as group:
                    for servers in wanted:
                        group.create_task(self._ask_one(servers, path), name=f"aggregation{path}")
                self._asked_at[path] = (now, generation)
            return {servers: answer for (servers, asked), answer in self._answers.items() if asked == path}

    async def _ask_one(self, servers: Servers, path: str) -> None:
        try:
            async with self._slots:
                answer = await self._aggregation.reach.ask(servers, path, timeout_s=TIMEOUT_S)
        except ServersError as error:
            log.info("an aggregated API server does not describe itself", extra={"host": servers.host, "error": str(error)})
            return
        if answer.good:
            self._answers[servers, path] = answer


def _index(body: bytes) -> Mapping[str, str]:
    """Places and URLs of an OpenAPI 3 index; none of what is no index, and of URLs that lead elsewhere."""
    try:
        found = msgspec.json.decode(body, type=_Index).paths
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    urls = {place: entry.url for place, entry in found.items()}
    return {place: url for place, url in urls.items() if url.partition("?")[0] == f"{OPENAPI_V3}/{place}"}


class _Place(msgspec.Struct):
    url: str = msgspec.field(name="serverRelativeURL", default="")


class _Index(msgspec.Struct):
    paths: dict[str, _Place] = {}


def _merge(
    own: bytes, answers: Mapping[Servers, Answer], places: Mapping[Servers, list[str]], encode: Callable[[Any], bytes]
) -> Published:
    foreign = []
    for servers, answer in answers.items():
        try:
            foreign.append(openapi.taken(answer.body, places.get(servers, [])))
        except ValueError as error:
            log.info("an OpenAPI document is left out", extra={"host": servers.host, "error": str(error)})
    return publish(encode(openapi.merged(msgspec.json.decode(own), foreign)))
