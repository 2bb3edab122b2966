"""The door for people and tools: Kubernetes' REST paths over aiohttp and TLS.

Lists and watches are put together from the shared bytes of the cache; nothing is encoded here, but for the tables and the
metadata that a client may ask for instead (`rendering`, `encoding`). JSON is what is spoken; YAML and protobuf are accepted in
bodies. Where clients prefer answers that cannot be had (protobuf) they get JSON if they accept it at all, and 406 if not.

Who asks is told by a client certificate or a bearer token; who shows neither gets nothing but the health checks.

A client that goes away cancels its handler, which ends its reads, watches and streams; a write is carried through all the same.
"""

import asyncio
import logging
import random
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from apimachinery import codec, errors
from apimachinery.clock import Clock
from apimachinery.errors import ApiError
from apimachinery.resources import ResourceTable
from apiserver.aggregation import Aggregation
from apiserver.chain import BODY_BYTES_MAX, Api
from apiserver.core.ownership import manager_of_agent
from apiserver.core.parameters import parse_boolean, parse_options
from apiserver.core.paths import CONNECT_SUBRESOURCES, PROXY, Target, parse_path, proxied_path
from apiserver.core.request import (
    DEFAULT_OPTIONS,
    Connecting,
    Document,
    FieldValidation,
    Listing,
    Options,
    Proxying,
    Request,
    Streaming,
    User,
    Verb,
    Watching,
)
from apiserver.doors.about import About
from apiserver.doors.answers import json_answer
from apiserver.doors.encoding import as_json, encoded, leaves_as_it_is
from apiserver.doors.health import Check, Health
from apiserver.doors.impersonating import effective_user
from apiserver.doors.lists import list_portions, send_list, size_bytes
from apiserver.doors.openid import OpenId
from apiserver.doors.proxying import proxy
from apiserver.doors.rendering import Rendering, bookmark_object, rendering
from apiserver.doors.streams import bridge
from apiserver.doors.watch_writer import Frames, WatchWriter
from apiserver.failures import to_api_error
from apiserver.identity import bearer_token, user_of_peer
from apiserver.ports import Nodes, Tokens

log = logging.getLogger(__name__)


class _Malformed(logging.Filter):
    """Keeps from the log what a malformed request held: the library quotes the place, which may be a token."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError):
            return True
        log.info("a request was malformed", extra={"error": type(error).__name__})
        return False


_protocol_log = logging.getLogger(f"{__name__}.protocol")
_protocol_log.addFilter(_Malformed())

JSON = "application/json"
WATCH_TIMEOUT_MIN_S = 1800.0
WRITE_TIMEOUT_S = 30.0
DRAIN_S = 5.0
_DEFAULTS = Options(field_validation=FieldValidation.WARN)
_PROXIED_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
_BODY_VERBS = {"POST": Verb.CREATE, "PUT": Verb.UPDATE, "PATCH": Verb.PATCH}


class RestDoor:
    """The server; `start` and `stop` it once. `checks` are those of /healthz and /readyz, by name.

    `last_requests_s`: how long `stop` goes on to answer what comes on connections that are open already.
    """

    def __init__(
        self,
        api: Api,
        table: ResourceTable,
        nodes: Nodes,
        checks: Mapping[str, Check],
        tokens: Tokens,
        aggregation: Aggregation,
        *,
        clock: Clock,
        rng: random.Random,
        openid: OpenId | None = None,
        last_requests_s: float = 0.0,
    ) -> None:
        self._api = api
        self._tokens = tokens
        self._table = table
        self._nodes = nodes
        self._aggregation = aggregation
        self._clock = clock
        self._rng = rng
        self._last_requests_s = last_requests_s
        health = Health(checks, {"shutdown": self._not_stopping})
        self._about = About(table, aggregation, health, api.metrics, clock, openid or OpenId())
        self._runner: web.ServerRunner | None = None
        self._stopping = asyncio.Event()
        self._frames = Frames()

    async def start(self, sockets: Sequence[socket.socket], context: ssl.SSLContext) -> None:
        """Serve on listening sockets."""
        server = web.Server(self.serve, access_log=None, auto_decompress=False, handler_cancellation=True, logger=_protocol_log)
        self._runner = web.ServerRunner(server, shutdown_timeout=DRAIN_S)
        await self._runner.setup()
        for each in sockets:
            await web.SockSite(self._runner, each, ssl_context=context, backlog=1024).start()

    async def stop(self) -> None:
        """Accept nothing new, end the watches, finish what was accepted.

        Clients that have just connected may still send their request, and those that keep their connection learn from the
        answer to their next one that it ends: only then nobody's request meets a connection that is being closed.
        """
        self._stopping.set()
        if self._runner is None:
            return
        for site in list(self._runner.sites):
            await site.stop()
        await asyncio.sleep(self._last_requests_s)
        await self._runner.cleanup()

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request."""
        response = await self._respond(request)
        if self._stopping.is_set():
            response.force_close()
        return response

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            response = await self._answer(request)
        except ApiError as error:
            response = _failure(error)
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001 - the edge: whatever happened becomes a Status
            response = _failure(to_api_error(error))
        return await encoded(request, response)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        user = await self._user(request)
        if user is None:
            if Health.serves(request.path):
                return await self._about.answer(request)
            raise errors.unauthorized()
        user = effective_user(self._api.authorizer, user, request.raw_headers)
        if (route := self._aggregation.find(request.path)) is not None:
            return await self._aggregation.carry(request, user, route, self._stopping)
        target = parse_path(self._table, request.path)
        if target is None:
            self._api.authorizer.authorize_path(user, request.path)
            return await self._about.answer(request)
        query = list(request.query.items()) if request.query_string else []
        verb = _verb(request.method, target, query)
        # what is proxied has a query of its own, in which our words may mean anything
        ours = query and target.subresource != PROXY
        options = parse_options(query, default_validation=FieldValidation.WARN) if ours else _DEFAULTS
        if not verb.mutating and not query:
            options = DEFAULT_OPTIONS
        if target.subresource == PROXY:
            path = proxied_path(request.path, request.raw_path.partition("?")[0]) or ""
            options = Options(parameters=(("path", path),))
        accept = request.headers.get("Accept", "")
        accept = accept if verb is Verb.WATCH else as_json(accept)
        form = rendering(accept, verb, options, self._clock, target.resource)
        wanted = Request(
            verb=verb,
            resource=target.resource,
            user=user,
            namespace=target.namespace,
            name=target.name,
            subresource=target.subresource,
            body=await _body(request) if verb.mutating else b"",
            content_type=_content_type(request),
            options=options,
            method=request.method if verb is Verb.CONNECT else "",
            agent=manager_of_agent(request.headers.get("User-Agent", "")) if verb.mutating else "",
        )
        try:
            work = self._api.handle(wanted)
            answer = await (self._api.carried_through(work) if verb.mutating else work)
        except ApiError as error:
            if verb is Verb.WATCH and errors.is_expired(error):
                return await _expired_watch(request, error)
            raise
        match answer:
            case Document():
                return self._document(request, answer, form, pretty=_pretty(query))
            case Listing():
                return await _listing(request, answer, form, pretty=_pretty(query))
            case Watching():
                return await self._watch(request, answer, form, options)
            case Streaming():
                return await _stream(request, answer)
            case Connecting():
                return await bridge(request, answer, self._nodes)
            case Proxying():
                return await proxy(request, answer, self._nodes)

    async def _user(self, request: web.BaseRequest) -> User | None:
        """Who asks; None for somebody who does not say. Raises ApiError (401) for a token that is not good."""
        transport = request.transport
        user = user_of_peer(transport.get_extra_info("peercert") if transport is not None else None)
        if user is not None:
            return user
        token = bearer_token(request.headers)
        if not token:
            return None
        attempts = self._api.metrics.authentications
        try:
            user = await self._tokens.authenticate(token)
        except ApiError as error:
            attempts.labels("failure" if error.code == 401 else "error").inc()
            raise
        attempts.labels("success").inc()
        return user

    def _document(
        self, request: web.BaseRequest, document: Document, form: Rendering | None, *, pretty: bool
    ) -> web.StreamResponse:
        body = form.document(document) if form else document.body
        if pretty:
            body = _indented(body)
        if not document.warnings and leaves_as_it_is(request, len(body)):
            return json_answer(request, body, document.code, self._clock.now())
        response = web.Response(body=body, status=document.code, content_type=JSON)
        _warn(response, document.warnings)
        return response

    async def _not_stopping(self) -> str | None:
        return "the server is about to stop" if self._stopping.is_set() else None

    async def _watch(
        self, request: web.BaseRequest, watching: Watching, form: Rendering | None, options: Options
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": JSON, "Cache-Control": "no-cache, private"})
        ending = asyncio.create_task(self._end_watch(watching), name="watch/end")
        try:
            await response.prepare(request)
            writer = WatchWriter(request, response, self._frames, WRITE_TIMEOUT_S)
            try:
                async for batch in watching.batches:
                    if batch.bookmark:
                        ends = batch.initial_events_end and options.send_initial_events is True
                        bookmark = bookmark_object(watching, batch.revision, initial_events_end=ends)
                        await writer.line(form.bookmark(bookmark, batch.revision) if form else _line("BOOKMARK", bookmark))
                    elif form:
                        await writer.line(await form.events(batch))
                    else:
                        await writer.events(batch)
            except ApiError as error:
                await response.write(_line("ERROR", codec.encode(error.status)))
            await response.write_eof()
        except ConnectionError:
            pass  # the client has gone; that is how watches usually end
        except TimeoutError:
            _cut_off(request)
        finally:
            ending.cancel()
            await watching.batches.aclose()
        return response

    async def _end_watch(self, watching: Watching) -> None:
        # Watches that began together are spread, so that their clients do not come back together.
        timeout_s = watching.timeout_s or WATCH_TIMEOUT_MIN_S * (1 + self._rng.random())
        try:
            async with asyncio.timeout(timeout_s):
                await self._stopping.wait()
        except TimeoutError:
            pass
        await watching.batches.aclose()


def _verb(method: str, target: Target, query: Sequence[tuple[str, str]]) -> Verb:
    subresource, named = target.subresource, bool(target.name)
    if subresource == PROXY:
        if method in _PROXIED_METHODS:
            return Verb.CONNECT
    elif subresource in CONNECT_SUBRESOURCES:
        if method == "GET" or (method == "POST" and subresource != "log"):
            return Verb.CONNECT
    elif method in ("GET", "HEAD"):
        watch = next((value for key, value in query if key == "watch"), None)
        if not subresource and parse_boolean(watch):
            return Verb.WATCH
        return Verb.GET if named else Verb.LIST
    elif method == "DELETE" and not subresource:
        return Verb.DELETE if named else Verb.DELETE_COLLECTION
    elif method in ("PUT", "PATCH") and named:
        return _BODY_VERBS[method]
    elif method == "POST" and (not named or subresource):
        return Verb.CREATE
    raise errors.method_not_allowed(method)


def _content_type(request: web.BaseRequest) -> str:
    return request.headers.get("Content-Type", JSON).partition(";")[0].strip() or JSON


async def _body(request: web.BaseRequest) -> bytes:
    """The whole body; raises ApiError (413) as soon as it is known to be too large."""
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise errors.unsupported_media_type(f"the body is encoded as {encoding!r}, which is not accepted")
    length = request.content_length
    if length is not None and length > BODY_BYTES_MAX:
        raise _too_large()
    if length == 0 or not request.body_exists:
        return b""
    parts, size = [], 0
    async for part in request.content.iter_any():
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise _too_large()
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large() -> ApiError:
    return errors.too_large(f"the request body is larger than the limit of {BODY_BYTES_MAX} bytes")


def _warn(response: web.Response, warnings: Sequence[str]) -> None:
    for warning in warnings:
        text = warning.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ").replace("\r", " ")
        response.headers.add("Warning", f'299 - "{text}"')


def _failure(error: ApiError) -> web.Response:
    response = web.Response(body=codec.encode(error.status), status=error.code, content_type=JSON)
    _warn(response, error.warnings)
    if (wait_s := error.retry_after_s()) is not None:
        response.headers["Retry-After"] = str(wait_s)
    return response


async def _listing(request: web.BaseRequest, listing: Listing, form: Rendering | None, *, pretty: bool) -> web.StreamResponse:
    if form is not None or pretty or not leaves_as_it_is(request, size_bytes(listing)):
        body = await form.listing(listing) if form else b"".join(list_portions(listing))
        return web.Response(body=_indented(body) if pretty else body, content_type=JSON)
    try:
        return await send_list(request, listing, WRITE_TIMEOUT_S)
    except TimeoutError:
        _cut_off(request)
        raise ConnectionResetError("a list was not taken in time") from None


def _pretty(query: Sequence[tuple[str, str]]) -> bool:
    return bool(query) and parse_boolean(next((value for key, value in query if key == "pretty"), None))


def _indented(body: bytes) -> bytes:
    return msgspec.json.format(body, indent=2) + b"\n"


async def _stream(request: web.BaseRequest, streaming: Streaming) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": streaming.content_type})
    chunks: AsyncIterator[bytes] = streaming.chunks
    try:
        await response.prepare(request)
        async for chunk in chunks:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await response.write(chunk)
        await response.write_eof()
    except ConnectionError:
        pass  # the client has gone; closing the chunks tells the source
    except TimeoutError:
        _cut_off(request)
    except ApiError as error:
        log.info("a stream was broken off", extra={"path": request.path, "error": error.status.message})
        _cut_off(request)
    finally:
        close: Any = getattr(chunks, "aclose", None)
        if close is not None:
            await close()
    return response


def _cut_off(request: web.BaseRequest) -> None:
    """Break the connection, so that its client cannot take what came for all there is."""
    log.info("a stream was cut off", extra={"path": request.path})
    if request.transport is not None:
        request.transport.abort()


async def _expired_watch(request: web.BaseRequest, error: ApiError) -> web.StreamResponse:
    """A watch from too long ago: clients expect it to begin, and to end with the error as its only event."""
    response = web.Response(body=_line("ERROR", codec.encode(error.status)), content_type=JSON)
    await response.prepare(request)
    await response.write_eof()
    return response


def _line(kind: str, data: bytes) -> bytes:
    """An event of a watch."""
    return b'{"type":"%b","object":%b}\n' % (kind.encode(), data)
