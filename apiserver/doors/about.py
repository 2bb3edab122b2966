"""The paths of the REST door that name no resource: discovery, OpenAPI, health, metrics, the keys of tokens.

Documents that do not change have an ETag, and are not sent again to who has them; an OpenAPI v3 document that was asked for by
its hash may be kept for ever.
"""

from datetime import datetime, timedelta
from email.utils import format_datetime

from aiohttp import web

from apimachinery import errors
from apimachinery.clock import Clock
from apimachinery.resources import ResourceTable
from apiserver.aggregation import Aggregation
from apiserver.aggregation.describing import MergedDiscovery, MergedLibrary
from apiserver.core.negotiation import DISCOVERY_FORMS, JSON, NO_FORMS, PLAIN, media_type, representation
from apiserver.doors.discovery import VERSION, Discovery
from apiserver.doors.encoding import as_json
from apiserver.doors.health import Health
from apiserver.doors.openid import OpenId
from apiserver.metrics import Metrics
from apiserver.openapi import Library, Published

_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_PROTOBUF_OLD = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
"""The same under a name that is no valid media type; answers do not use it."""
_OPENAPI_V2_TYPES = (JSON, _PROTOBUF, _PROTOBUF_OLD)
_OPENAPI_V3 = "/openapi/v3"
_YEAR = timedelta(days=365)


class About:
    """Answers for one server."""

    def __init__(
        self,
        table: ResourceTable,
        aggregation: Aggregation,
        health: Health,
        metrics: Metrics,
        clock: Clock,
        openid: OpenId,
    ) -> None:
        self._discovery = MergedDiscovery(Discovery(table), aggregation)
        self._library = MergedLibrary(Library(table, VERSION["gitVersion"]), aggregation)
        self._health = health
        self._metrics = metrics
        self._clock = clock
        self._openid = openid

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Raises ApiError 404, 405 or 406."""
        path = request.path.rstrip("/") or "/"
        found = await self._find(request, path)
        if request.method not in ("GET", "HEAD"):
            raise errors.method_not_allowed(request.method)
        return found

    async def _find(self, request: web.BaseRequest, path: str) -> web.Response:
        if Health.serves(path):
            query = request.query
            status, text = await self._health.answer(
                path, verbose="verbose" in query, exclude=[each for each in query.getall("exclude", ()) if each]
            )
            headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache, private"}
            return web.Response(text=text, status=status, headers=headers)
        if path == "/metrics":
            headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
            return web.Response(body=self._metrics.exposition(), headers=headers)
        if (document := self._openid.document(path)) is not None:
            return document
        if path == "/openapi/v2":
            return await self._openapi_v2(request)
        if path == _OPENAPI_V3 or path.startswith(f"{_OPENAPI_V3}/"):
            return await self._openapi_v3(request, path)
        return self._discover(request, path)

    def _discover(self, request: web.BaseRequest, path: str) -> web.Response:
        document = self._discovery.document(path)
        if document is None:
            raise errors.no_such_path()
        forms = DISCOVERY_FORMS if path in ("/api", "/apis") else NO_FORMS
        form = representation(as_json(request.headers.get("Accept", "")), forms)
        if form == PLAIN:
            return web.Response(body=document, content_type=JSON, headers={"Vary": "Accept"} if forms else None)
        response = _published(request, self._discovery.aggregated(path, form), form.content_type)
        response.headers["Cache-Control"] = "public"
        return response

    async def _openapi_v2(self, request: web.BaseRequest) -> web.Response:
        wanted = media_type(request.headers.get("Accept", ""), _OPENAPI_V2_TYPES)
        if wanted == JSON:
            return _published(request, await self._library.v2_json(), JSON)
        return _published(request, await self._library.v2_protobuf(), _PROTOBUF)

    async def _openapi_v3(self, request: web.BaseRequest, path: str) -> web.Response:
        media_type(request.headers.get("Accept", ""), (JSON,))
        place = path[len(_OPENAPI_V3) + 1 :]
        published = await self._library.v3(place) if place else await self._library.v3_index()
        if published is None:
            raise errors.no_such_path()
        asked = request.query.get("hash", "") if place else ""
        if asked and asked != published.hash:
            return web.Response(status=301, headers={"Location": f"{path}?hash={published.hash}"})
        response = _published(request, published, JSON)
        if asked:
            response.headers["Cache-Control"] = "public, immutable"
            response.headers["Expires"] = _http_date(self._clock.now() + _YEAR)
        return response


def _published(request: web.BaseRequest, published: Published, content_type: str) -> web.Response:
    """The document, or 304 for a client that has it."""
    headers = {"ETag": f'"{published.hash}"', "Vary": "Accept"}
    known = [each.strip().removeprefix("W/").strip('"') for each in request.headers.get("If-None-Match", "").split(",")]
    if published.hash in known:
        return web.Response(status=304, headers=headers)
    return web.Response(body=published.body, headers={"Content-Type": content_type, **headers})


def _http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)
