"""The handler chain: what happens to every request between a door and the registry.

    authentication (at the door) → authorization → flow control → the registry's verbs, which decode, admit,
    default, validate and store

A door calls `Api.handle`, gets an Answer or an ApiError, and nothing else. A request that writes is carried through even
when its caller goes away: the doors await it, they do not cancel it.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import msgspec

from apimachinery import errors
from apimachinery.clock import Clock
from apimachinery.errors import ApiError
from apimachinery.resources import PODS, Resource
from apiserver.core import forms, parameters
from apiserver.core.paths import CONNECT_SUBRESOURCES, require_subresource
from apiserver.core.request import (
    Answer,
    Bind,
    Document,
    Fence,
    Listing,
    PatchType,
    Request,
    User,
    Verb,
)
from apiserver.failures import to_api_error
from apiserver.flow import Lines, seats_of
from apiserver.metrics import Metrics
from apiserver.ports import Authorizer
from apiserver.registry.applying import Applies
from apiserver.registry.connecting import Connections
from apiserver.registry.evictions import Evictions
from apiserver.registry.forms import answered
from apiserver.registry.objects import Objects
from apiserver.registry.pods import Pods
from apiserver.registry.reading import Reading
from apiserver.registry.reviewing import review_connection
from apiserver.registry.reviews import Reviews
from apiserver.registry.scales import Scales
from apiserver.registry.token_requests import TokenRequests
from apiserver.registry.webhooks import Webhooks

BODY_BYTES_MAX = 3 << 20
BODY_BYTES_SMALL = 16 << 10
DELETES_AT_ONCE = 16

T = TypeVar("T")


class Api:
    """Serves requests; made once by the composition root."""

    def __init__(
        self,
        *,
        authorizer: Authorizer,
        lines: Lines,
        reading: Reading,
        objects: Objects,
        applies: Applies,
        pods: Pods,
        evictions: Evictions,
        scales: Scales,
        connections: Connections,
        reviews: Reviews,
        token_requests: TokenRequests,
        webhooks: Webhooks,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.authorizer = authorizer
        self.metrics = metrics
        self.lines = lines
        self._reading = reading
        self._objects = objects
        self._applies = applies
        self._pods = pods
        self._evictions = evictions
        self._scales = scales
        self._connections = connections
        self._reviews = reviews
        self._token_requests = token_requests
        self._webhooks = webhooks
        self._clock = clock
        self._running: set[asyncio.Task[Any]] = set()
        self._turns = asyncio.Lock()

    async def handle(self, request: Request) -> Answer:
        """Answer one request; raises ApiError only."""
        started = self._clock.monotonic()
        code = 500
        try:
            answer = await self._admit(request)
            code = answer.code if isinstance(answer, Document) else 200
            return answer
        except asyncio.CancelledError:
            code = 499
            raise
        except Exception as error:
            translated = to_api_error(error)
            code = translated.code
            raise translated from error
        finally:
            self.metrics.observe(request, code, self._clock.monotonic() - started)

    async def bind(self, user: User, binds: Sequence[Bind], fence: Fence | None) -> list[int | ApiError]:
        """Place many pods at once: the revision of each, or why it was not placed; raises ApiError for the whole."""
        request = Request(verb=Verb.CREATE, resource=PODS, subresource="binding", user=user)
        started = self._clock.monotonic()
        code = 500
        try:
            self.authorizer.authorize(request)
            async with self.lines.for_request(request).admitted(user.name):
                results = await self._pods.bind_many(request, binds, fence)
            code = 200
            return results
        except Exception as error:
            translated = to_api_error(error)
            code = translated.code
            raise translated from error
        finally:
            self.metrics.observe(request, code, self._clock.monotonic() - started)

    async def carried_through(self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work` so that it goes on when the awaiting task is cancelled; `drain` waits for it."""
        task = asyncio.create_task(work, name="request")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def drain(self) -> None:
        """Wait for the requests whose callers have gone."""
        while self._running:
            await asyncio.wait(list(self._running))

    async def _admit(self, request: Request) -> Answer:
        self.authorizer.authorize(request)
        if len(request.body) > BODY_BYTES_MAX:
            raise errors.too_large(f"the request body is larger than the limit of {BODY_BYTES_MAX} bytes")
        require_subresource(request.resource, request.subresource)
        _require_scope(request)
        _require_verb(request)
        if request.verb.mutating:
            parameters.require_write_options(request)
        settled = forms.settle(request)
        async with self.lines.for_request(request).admitted(request.user.name, seats_of(request)):
            if len(request.body) > BODY_BYTES_SMALL:
                await self._turn()
            if request.resource.virtual:
                return await self._reviews.create(request)
            answer = await (self._subresource(settled) if request.subresource else self._dispatch(settled))
            return await answered(request.resource, answer)

    async def _turn(self) -> None:
        """Wait until a large body may be looked at: no two begin in one round of the event loop.

        Nobody else is served while one is decoded and validated; between two of them, everybody is, however many come at once.
        """
        async with self._turns:
            await asyncio.sleep(0)

    async def _dispatch(self, request: Request) -> Answer:
        match request.verb:
            case Verb.GET:
                return await self._reading.get(request)
            case Verb.LIST:
                return await self._reading.list(request)
            case Verb.WATCH:
                return await self._reading.watch(request)
            case Verb.CREATE:
                return await self._objects.create(request)
            case Verb.UPDATE:
                return await self._objects.update(request)
            case Verb.PATCH:
                return await self._patch(request)
            case Verb.DELETE:
                return await self._objects.delete(request)
            case Verb.DELETE_COLLECTION:
                return await self._delete_collection(request)
            case Verb.CONNECT:
                raise errors.method_not_allowed(request.verb)

    async def _subresource(self, request: Request) -> Answer:
        match request.subresource, request.verb:
            case "scale", _:
                return await self._scales.handle(request)
            case "binding", Verb.CREATE:
                return await self._pods.bind(request)
            case "eviction", Verb.CREATE:
                return await self._evictions.evict(request)
            case "token", Verb.CREATE:
                return await self._token_requests.create(request)
            case "status" | "approval" | "finalize" | "ephemeralcontainers" | "resize", Verb.GET:
                return await self._reading.get(request)
            case "status" | "approval" | "finalize" | "ephemeralcontainers" | "resize", Verb.UPDATE:
                return await self._objects.update(request)
            case "status" | "approval" | "ephemeralcontainers" | "resize", Verb.PATCH:
                return await self._patch(request)
            case subresource, Verb.CONNECT if subresource in CONNECT_SUBRESOURCES:
                return await self._connections.open(await review_connection(self._webhooks, request))
            case _:
                raise errors.method_not_allowed(request.verb)

    async def _patch(self, request: Request) -> Document:
        if request.content_type == PatchType.APPLY:
            if request.form is not None:
                stored = request.resource.api_version
                raise errors.unsupported_media_type(f"server-side apply of this kind is served in version {stored} only")
            return await self._applies.apply(request, self.authorizer.authorize)
        return await self._objects.patch(request)

    async def _delete_collection(self, request: Request) -> Listing:
        """Delete what is selected, a bounded number at a time; what vanishes meanwhile is as wanted."""
        options, uid, version = parameters.delete_options(request.options, request.body, request.content_type)
        if uid or version:
            raise errors.bad_request("preconditions are not allowed when a collection is deleted")
        listing = await self._reading.list(msgspec.structs.replace(request, verb=Verb.LIST, body=b"", options=options))
        places = asyncio.Semaphore(DELETES_AT_ONCE)

        failures: list[ApiError] = []

        async def delete(namespace: str, name: str) -> None:
            async with places:
                one = msgspec.structs.replace(
                    request, verb=Verb.DELETE, namespace=namespace, name=name, body=b"", options=options
                )
                try:
                    await self._objects.delete(one)
                except ApiError as error:
                    if not errors.is_not_found(error):
                        failures.append(error)

        async with asyncio.TaskGroup() as group:
            for item in listing.items:
                group.create_task(delete(item.namespace, item.name), name="deletecollection")
        if failures:
            raise failures[0]
        return listing


def _require_scope(request: Request) -> None:
    """A cluster-scoped resource has no namespace; an object of the other kind is named with one."""
    resource: Resource = request.resource
    if request.namespace and not resource.namespaced:
        raise errors.no_such_path()
    if resource.namespaced and not request.namespace and (request.name or request.verb is Verb.CREATE):
        raise errors.bad_request("an empty namespace may not be set when a resource name is provided")


def _require_verb(request: Request) -> None:
    """Raise 405 for what the resource as a whole does not take; its subresources have verbs of their own."""
    if not request.subresource and request.verb not in request.resource.verbs:
        raise errors.method_not_allowed(request.verb)
