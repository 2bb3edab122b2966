"""Looks whether aggregated APIs are available, and writes it into the status of their APIServices.

Each has a task of its own. It looks when the Service or its Endpoints change, when a request has failed, and every RECHECK_S or
so, since servers may fail without a change of any object; after a failure sooner, with a growing pause. Its servers are asked
for their discovery document, which is kept: at most PROBES_MAX are asked at once.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from typing import NoReturn

import msgspec

from apimachinery import codec
from apimachinery.clock import Clock
from apimachinery.errors import ApiError
from apimachinery.kinds import APIService, Endpoints, Service
from apimachinery.resources import API_SERVICES, ENDPOINTS, SERVICES
from apimachinery.times import format_time
from apiserver.aggregation.following import follow
from apiserver.aggregation.servers import Reach, ServersError
from apiserver.bootstrap import SERVER
from apiserver.chain import Api
from apiserver.core.aggregation.availability import PASSED, Verdict, discovery_failed, obstacle, with_condition
from apiserver.core.aggregation.routes import Route, Servers, reference_of
from apiserver.core.request import Request, Verb
from apiserver.registry.current import Reader
from component_base.tasks import forever

log = logging.getLogger(__name__)

PROBES_MAX = 8
PROBE_TIMEOUT_S = 6.0
RECHECK_S = 30.0
PAUSE_MIN_S = 0.5


class Probed(msgspec.Struct, frozen=True):
    """What servers said of themselves: their last good discovery document (b"" for none), and whether it is still true."""

    document: bytes = b""
    current: bool = False


class Checking:
    """One task for each route; `settle` says which there are. `probed` has what came of it, by the name of the APIService."""

    def __init__(
        self, api: Api, reader: Reader, reach: Reach, clock: Clock, rng: random.Random, on_probed: Callable[[], None]
    ) -> None:
        self._api = api
        self._reader = reader
        self._reach = reach
        self._clock = clock
        self._rng = rng
        self._on_probed = on_probed
        self._slots = asyncio.Semaphore(PROBES_MAX)
        self._tasks: dict[tuple[str, str, Servers], asyncio.Task[NoReturn]] = {}
        self._wakes: dict[str, asyncio.Event] = {}
        self.probed: dict[str, Probed] = {}

    def settle(self, group: asyncio.TaskGroup, routes: Iterable[Route]) -> None:
        """Begin to look after new routes, in tasks of the group, and end with those that are gone or lead elsewhere."""
        wanted = {(each.name, each.uid, each.servers): each for each in routes}
        for key in self._tasks.keys() - wanted.keys():
            self._tasks.pop(key).cancel()
        names = {route.name for route in wanted.values()}
        for name in self.probed.keys() - names:
            del self.probed[name], self._wakes[name]
        for key in wanted.keys() - self._tasks.keys():
            route = wanted[key]
            self._wakes[route.name] = asyncio.Event()
            self.probed[route.name] = Probed()
            self._tasks[key] = group.create_task(self._look_after(route), name=f"aggregation/{route.name}")

    def suspect(self, route: Route) -> None:
        """A request has failed: look soon."""
        if route.name in self._wakes:
            self._wakes[route.name].set()

    async def _look_after(self, route: Route) -> NoReturn:
        wake, servers = self._wakes[route.name], route.servers
        async with asyncio.TaskGroup() as group:
            for resource in (SERVICES, ENDPOINTS):
                work = follow(self._api, resource, wake.set, namespace=servers.namespace, name=servers.service)
                group.create_task(forever(work, resource.plural), name=f"aggregation/{resource.plural}")
            failures = 0
            while True:
                wake.clear()
                failures = 0 if await self._look(route) else failures + 1
                pause_s = RECHECK_S if not failures else min(RECHECK_S, PAUSE_MIN_S * 2.0 ** min(failures, 10))
                try:
                    async with asyncio.timeout(pause_s * (0.8 + 0.4 * self._rng.random())):
                        await wake.wait()
                except TimeoutError:
                    continue
        raise AssertionError("unreachable")

    async def _look(self, route: Route) -> bool:
        """Look once; whether all is well, and known to be."""
        try:
            verdict = self._obstacle(route.servers)
            if verdict is None:
                async with self._slots:
                    verdict = await self._probe(route)
            if not verdict.available:
                self._note(route, Probed(self.probed[route.name].document))
            await write_verdict(self._api, self._reader, route.name, route.uid, verdict, self._clock)
        except ApiError as error:
            detail = {"api_service": route.name, "error": error.status.message}
            log.info("the status of an APIService could not be brought up to date, will try again", extra=detail)
            return False
        return verdict.available

    def _obstacle(self, servers: Servers) -> Verdict | None:
        service = self._reader.glimpse(SERVICES, servers.namespace, servers.service)
        endpoints = self._reader.glimpse(ENDPOINTS, servers.namespace, servers.service)
        return obstacle(
            reference_of(servers),
            None if service is None else codec.decode(Service, service.data),
            None if endpoints is None else codec.decode(Endpoints, endpoints.data),
        )

    async def _probe(self, route: Route) -> Verdict:
        """Ask one of the servers for what it serves."""
        url = route.servers.origin + route.path
        try:
            answer = await self._reach.ask(route.servers, route.path, timeout_s=PROBE_TIMEOUT_S)
        except ServersError as error:
            return discovery_failed(url, str(error))
        if not answer.good:
            return discovery_failed(url, f"bad status from {url}: {answer.status}")
        self._note(route, Probed(answer.body, True))
        return PASSED

    def _note(self, route: Route, probed: Probed) -> None:
        if self.probed[route.name] != probed:
            self.probed[route.name] = probed
            self._on_probed()


async def write_verdict(api: Api, reader: Reader, name: str, uid: str, verdict: Verdict, clock: Clock) -> None:
    """Write the condition unless it stands there, or the APIService is another one by now; raises ApiError."""
    found = reader.glimpse(API_SERVICES, "", name)
    if found is None:
        return
    api_service = codec.decode(APIService, found.data)
    known = api_service.status.conditions
    conditions = with_condition(known, verdict, format_time(clock.now()))
    if api_service.metadata.uid != uid or conditions == known:
        return
    api_service.status.conditions = conditions
    body = codec.encode(api_service)
    request = Request(
        verb=Verb.UPDATE, resource=API_SERVICES, user=SERVER, name=name, subresource="status", body=body, agent="apiserver"
    )
    await api.handle(request)
