"""Carries a request to an aggregated API server and its answer back.

    the path → what is asked → allowed? → available? → a seat of flow control → the head of the answer → its body

A seat is held until the head of the answer is there; all but watches and streams have to answer within ANSWER_TIMEOUT_S. Bodies
stream in both directions, of whatever size. A redirect is neither followed nor relayed: it would send a client, its credentials
with it, wherever an aggregated server likes (CVE-2022-3172, CVE-2020-8559). Each request has a connection of its own, which is
closed with it: a backend that answers an upgrade with anything but 101 gets no second request on it (CVE-2018-1002105).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import aiohttp
from aiohttp import web

from apimachinery import errors
from apimachinery.errors import ApiError, Reason
from apiserver.aggregation.servers import Answer, Reach, ServersError, unavailable, url_of
from apiserver.core.access import Question
from apiserver.core.aggregation.identity import identity_headers
from apiserver.core.aggregation.paths import long_running, question_of, require_plain, require_single
from apiserver.core.aggregation.routes import Route
from apiserver.core.request import User, Verb
from apiserver.doors.proxying import headers_of, relay, send, upgraded
from apiserver.flow import Lines, flow_of
from apiserver.metrics import Metrics
from apiserver.ports import Authorizer
from apiserver.registry.authorizing import refused

log = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 60.0

ResponseT = TypeVar("ResponseT", web.StreamResponse, Answer)


class Carrying:
    """The way of one request."""

    def __init__(self, authorizer: Authorizer, lines: Lines, reach: Reach, metrics: Metrics) -> None:
        self._authorizer = authorizer
        self._lines = lines
        self._reach = reach
        self._metrics = metrics

    async def carry(self, request: web.BaseRequest, user: User, route: Route, stopping: asyncio.Event) -> web.StreamResponse:
        """Raises ApiError: 400, 403, 405, 429, 502, 503 and 504."""
        require_plain(request.path, request.raw_path.partition("?")[0])
        require_single(request.query.keys())
        question = question_of(user, request.method, request.path, request.query)
        return await self._observed(question, route, self._carry(request, question, route, stopping))

    async def ask(self, user: User, method: str, path: str, body: bytes, route: Route) -> Answer:
        """The whole answer to a request without a query that did not come over REST; raises ApiError as `carry` does."""
        require_plain(path, path)
        if "?" in path or "#" in path:
            raise errors.bad_request("the path may not have a query or a fragment")
        question = question_of(user, method, path, {})
        return await self._observed(question, route, self._ask(question, method, path, body, route))

    async def _observed(self, question: Question, route: Route, work: Coroutine[Any, Any, ResponseT]) -> ResponseT:
        code = 500
        try:
            self._allow(question)
            if not route.available:
                raise unavailable()
            response = await work
            code = response.status
            return response
        except asyncio.CancelledError:
            code = 499
            raise
        except ApiError as error:
            code = error.code
            raise
        finally:
            work.close()
            self._metrics.observe_carried(question.verb, route.group, code)

    async def _ask(self, question: Question, method: str, path: str, body: bytes, route: Route) -> Answer:
        user, line = question.user, self._lines.line(flow_of(question.user), mutating=question.verb in _MUTATING)
        async with line.admitted(user.name):
            try:
                answer = await self._reach.ask(
                    route.servers, path, timeout_s=ANSWER_TIMEOUT_S, method=method, body=body, user=user
                )
            except ServersError as error:
                raise unavailable() from error
        if 300 <= answer.status < 400 and "Location" in answer.headers:
            raise _bad_gateway("the backend attempted to redirect this request, which is not permitted")
        return answer

    async def _carry(
        self, request: web.BaseRequest, question: Question, route: Route, stopping: asyncio.Event
    ) -> web.StreamResponse:
        user, protocol = question.user, _upgrade_of(request)
        identity = identity_headers(user.name, user.groups, user.uid, user.extra)
        headers = [*headers_of(request, upgrade=bool(protocol)), *identity]
        endless = bool(protocol) or long_running(question)
        line = self._lines.line(flow_of(user), mutating=question.verb in _MUTATING)
        async with AsyncExitStack() as stack:
            async with line.admitted(user.name):
                session, end = await stack.enter_async_context(self._reach.open(route.servers))
                raw_path, _, query = request.raw_path.partition("?")
                url = url_of(route.servers, raw_path, query)
                try:
                    async with asyncio.timeout(None if endless else ANSWER_TIMEOUT_S):
                        response = await send(request, session, end, url, headers, upgrade=bool(protocol))
                except TimeoutError as error:
                    raise errors.timeout("the server of this API did not answer in time") from error
                stack.callback(response.close)
            return await self._answer(request, response, protocol, stopping)

    async def _answer(
        self, request: web.BaseRequest, response: aiohttp.ClientResponse, protocol: str, stopping: asyncio.Event
    ) -> web.StreamResponse:
        if 300 <= response.status < 400 and "Location" in response.headers:
            raise _bad_gateway("the backend attempted to redirect this request, which is not permitted")
        if protocol:
            return await upgraded(request, response, protocol)
        if response.status == 101:
            raise _bad_gateway("the backend switched protocols without having been asked to")
        async with _ended_by(stopping, response):
            return await relay(request, response, (), "")

    def _allow(self, question: Question) -> None:
        decision = self._authorizer.decide(question)
        if not decision.allowed:
            raise refused(question, decision)


_MUTATING = frozenset(str(verb) for verb in Verb if verb.mutating)


def _upgrade_of(request: web.BaseRequest) -> str:
    """The protocol to upgrade to, in small letters; "" when none is asked for."""
    asked = [each.strip().lower() for each in request.headers.get("Connection", "").split(",")]
    return request.headers.get("Upgrade", "").lower() if "upgrade" in asked else ""


def _bad_gateway(message: str) -> ApiError:
    return errors.api_error(502, Reason.INTERNAL_ERROR, message)


@asynccontextmanager
async def _ended_by(stopping: asyncio.Event, response: aiohttp.ClientResponse) -> AsyncIterator[None]:
    """Close the answer once the server is about to stop: a watch would keep it from doing so."""

    async def end() -> None:
        await stopping.wait()
        response.close()

    ending = asyncio.create_task(end(), name="carry/end")
    try:
        yield
    finally:
        ending.cancel()
