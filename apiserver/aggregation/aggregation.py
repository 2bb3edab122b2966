"""The owner of what is known of APIServices: the routes, their order, and the APIServices that exist by themselves.

an APIService changes → routes and priorities anew → checks begin and end → missing APIServices are made
"""

import asyncio
import logging
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NoReturn

from aiohttp import web

from apimachinery import codec, errors
from apimachinery.clock import Clock
from apimachinery.errors import ApiError
from apimachinery.kinds import APIService
from apimachinery.resources import API_SERVICES, ResourceTable
from apiserver.aggregation.carrying import Carrying
from apiserver.aggregation.checking import Checking, write_verdict
from apiserver.aggregation.following import follow
from apiserver.aggregation.servers import Reach
from apiserver.bootstrap import SERVER
from apiserver.chain import Api
from apiserver.core.aggregation.availability import LOCAL, is_available, says
from apiserver.core.aggregation.ordering import OWN_GROUP, GroupVersion, Priority, Upkeep, upkeep
from apiserver.core.aggregation.paths import group_version_of
from apiserver.core.aggregation.routes import Route, priorities, route_of
from apiserver.core.request import Request, User, Verb
from apiserver.registry.current import Reader, readable
from component_base.tasks import forever

log = logging.getLogger(__name__)

PERIOD_S = 10.0
"""How often what is served is compared with the APIServices without a change of one."""
RETRY_S = 1.0
OPENAPI_V3 = "/openapi/v3"


class Aggregation:
    """`start` it before the doors open, then `run` it."""

    def __init__(
        self, api: Api, table: ResourceTable, reader: Reader, reach: Reach, *, clock: Clock, rng: random.Random
    ) -> None:
        self._api = api
        self._table = table
        self._reader = reader
        self._clock = clock
        self._carrying = Carrying(api.authorizer, api.lines, reach, api.metrics)
        self._checking = Checking(api, reader, reach, clock, rng, self._count)
        self._changed = asyncio.Event()
        self.known: Sequence[APIService] = ()
        self.routes: Mapping[GroupVersion, Route] = {}
        self._priorities: Mapping[GroupVersion, Priority] = {}
        self.generation = 0
        """Grows whenever anything that is said of aggregated APIs may have changed."""
        self.reach = reach

    def start(self) -> None:
        """Take in the APIServices that the cache holds."""
        self._reload()

    async def run(self) -> NoReturn:
        """Keep up with the APIServices."""
        async with asyncio.TaskGroup() as group:
            work = follow(self._api, API_SERVICES, self._changed.set)
            group.create_task(forever(work, "follow"), name="aggregation/follow")
            await self._keep_up(group)
        raise AssertionError("unreachable")

    def table_changed(self) -> None:
        """What this server serves itself has changed: bring the APIServices in line at once."""
        self._changed.set()

    def find(self, path: str) -> Route | None:
        """Whom the requests for a path belong to; None for this server itself."""
        if not self.routes:
            return None
        found = group_version_of(path.removeprefix(OPENAPI_V3))
        return None if found is None else self.routes.get(found)

    async def carry(self, request: web.BaseRequest, user: User, route: Route, stopping: asyncio.Event) -> web.StreamResponse:
        """Answer a request for a route; raises ApiError."""
        with self._suspecting(route):
            return await self._carrying.carry(request, user, route, stopping)

    async def ask(self, user: User, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to a request for a route, which has no query; raises ApiError."""
        if (route := self.find(path)) is None:
            raise errors.no_such_path()
        with self._suspecting(route):
            answer = await self._carrying.ask(user, method, path, body, route)
        return answer.status, answer.body

    @contextmanager
    def _suspecting(self, route: Route) -> Iterator[None]:
        """Servers that fail are looked at again at once."""
        try:
            yield
        except ApiError as error:
            if error.code >= 500 and route.available:
                self._checking.suspect(route)
            raise

    def document(self, route: Route) -> tuple[bytes, bool]:
        """The last APIResourceList of its servers, b"" for none, and whether it is current."""
        probed = self._checking.probed.get(route.name)
        return (b"", False) if probed is None else (probed.document, probed.current and route.available)

    def served(self) -> Iterable[GroupVersion]:
        """What this server serves itself."""
        return dict.fromkeys((row.group, row.version) for row in self._table.rows)

    def unavailable(self) -> list[str]:
        """The APIServices that are not available, by name."""
        return [each.metadata.name for each in self.known if not is_available(each.status.conditions)]

    def _count(self) -> None:
        self.generation += 1

    def _reload(self) -> None:
        known = tuple(readable(APIService, self._reader.view(API_SERVICES)))
        routes = {route.group_version: route for each in known if (route := route_of(each)) is not None}
        routes = {key: route for key, route in routes.items() if key[0] != OWN_GROUP}  # or nobody could take it back
        ranks = priorities(self.served(), known)
        if (routes, ranks) != (self.routes, self._priorities):
            self._count()
        self.known, self.routes, self._priorities = known, routes, ranks

    async def _keep_up(self, group: asyncio.TaskGroup) -> NoReturn:
        starting = True
        while True:
            self._changed.clear()
            self._reload()
            self._checking.settle(group, self.routes.values())
            pause_s = PERIOD_S
            try:
                await self._put_in_line(upkeep(self.served(), self.known, starting=starting))
                await self._state_local()
                starting = False
            except ApiError as error:
                log.info("APIServices could not be kept in line, will try again", extra={"error": error.status.message})
                pause_s = RETRY_S
            try:
                async with asyncio.timeout(pause_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _put_in_line(self, wanted: Upkeep) -> None:
        def request(verb: Verb, each: APIService) -> Request:
            name = "" if verb is Verb.CREATE else each.metadata.name
            body = b"" if verb is Verb.DELETE else codec.encode(each)
            return Request(verb=verb, resource=API_SERVICES, user=SERVER, name=name, body=body, agent="apiserver")

        requests = [request(Verb.CREATE, each) for each in wanted.create]
        requests += [request(Verb.UPDATE, each) for each in wanted.update]
        requests += [request(Verb.DELETE, each) for each in wanted.delete]
        # another API server may do the same at this moment: as good
        expected = (errors.is_already_exists, errors.is_conflict, errors.is_not_found)
        for result in await asyncio.gather(*map(self._api.handle, requests), return_exceptions=True):
            if isinstance(result, BaseException) and not any(each(result) for each in expected):
                raise result

    async def _state_local(self) -> None:
        """What is local, or has become so, is available."""
        for each in self.known:
            if each.spec.service is None and not says(each.status.conditions, LOCAL):
                await write_verdict(self._api, self._reader, each.metadata.name, each.metadata.uid, LOCAL, self._clock)
