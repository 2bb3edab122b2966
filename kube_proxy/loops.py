"""The shell: changes of Services and slices mark a Service; a sync computes the marked ones anew and feeds the difference.

The rules that are known to stand in the kernel are `_applied`. Before the first sync, and whenever a sync failed or the
kernel's chains were found missing, nothing is known of their contents: everything is written, and chains of an earlier
life that are no longer wanted are removed in the same atomic step, so that Services answer all the while; then the kernel's
UDP flows are looked through for those whose endpoint has gone meanwhile. The rules outlive the process.
"""

import asyncio
import itertools
import logging
import random
from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram

from apiclient.backoff import Backoff
from apiclient.client import EventType
from apiclient.informer import Informer, key_of
from apimachinery.clock import Clock
from apimachinery.kinds import EndpointSlice, Service
from kube_proxy.core.flows import Flow, left_behind, stale_flows
from kube_proxy.core.model import PortView, views
from kube_proxy.core.rules import CANARY, JUMPS, NAT, Rules, Ruleset, ServiceRules, assemble, restore, service_rules
from kube_proxy.ports import FlowTable, PacketFilter, PacketFilterError

log = logging.getLogger(__name__)

SERVICE_INDEX = "service"
SERVICE_LABEL = "kubernetes.io/service-name"
PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"


class Metrics:
    """What the proxy measures."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sync_s = Histogram("kubeproxy_sync_proxy_rules_duration_seconds", "Time of one sync.", registry=registry)
        self.failures = Counter("kubeproxy_sync_failures", "Syncs that the kernel refused.", registry=registry)


def service_key(each: EndpointSlice) -> str:
    """The key of the Service that a slice belongs to."""
    return f"{each.metadata.namespace}/{each.metadata.labels.get(SERVICE_LABEL, '')}"


class Proxy:
    """Owns the rules of this node."""

    def __init__(
        self,
        *,
        services: Informer[Service],
        slices: Informer[EndpointSlice],
        packet_filter: PacketFilter,
        flow_table: FlowTable,
        node_name: str,
        cluster_cidr: str,
        clock: Clock,
        rng: random.Random,
        metrics: Metrics,
        min_sync_period_s: float = 0.01,
        resync_period_s: float = 30.0,
    ) -> None:
        self._services = services.store
        self._slices = slices.store
        self._filter = packet_filter
        self._flows = flow_table
        self._node_name = node_name
        self._cluster_cidr = cluster_cidr
        self._clock = clock
        self._metrics = metrics
        self._backoff = Backoff(rng, base_s=0.1, max_s=10.0)
        self._min_sync_period_s = min_sync_period_s
        self._resync_period_s = resync_period_s
        self._views: dict[str, tuple[PortView, ...]] = {}
        self._rules: dict[str, ServiceRules] = {}
        self._applied: Ruleset | None = None
        self._marked: set[str] = set()
        self._wake = asyncio.Event()
        self.synced = asyncio.Event()
        services.on_event(self._on_service)
        slices.on_event(self._on_slice)

    async def run(self) -> None:
        """Keep the kernel's rules true until cancelled; the informers must have synced."""
        self._wake.set()
        while True:
            await self._wait()
            try:
                await self._sync()
                self._backoff.reset()
                self.synced.set()
            except (PacketFilterError, OSError, TimeoutError) as error:
                self._metrics.failures.inc()
                self._applied = None
                self._wake.set()
                delay_s = self._backoff.next_s()
                log.warning("could not program rules, will retry", extra={"error": str(error), "delay_s": delay_s})
                await asyncio.sleep(delay_s)

    async def _wait(self) -> None:
        """Until something is marked, or until it is time to look whether the rules still stand."""
        try:
            async with asyncio.timeout(self._resync_period_s):
                await self._wake.wait()
        except TimeoutError:
            await self._check()
            return
        # changes come in groups: a pod's end touches its slice and its Endpoints, a rollout many slices
        await asyncio.sleep(self._min_sync_period_s)

    async def _check(self) -> None:
        if self._applied is not None and CANARY not in (await self._filter.own_chains()).get(NAT, ()):
            log.warning("rules were removed by someone else, writing them anew")
            self._applied = None

    async def _sync(self) -> None:
        started = self._clock.monotonic()
        self._wake.clear()
        marked, self._marked = self._marked, set()
        before = {key: self._views[key] for key in marked if key in self._views}
        for key in marked:
            self._recompute(key)
        wanted = assemble(self._rules)
        known: Mapping[str, Mapping[str, Rules | None]]
        if self._applied is None:
            known = {table: dict.fromkeys(names) for table, names in (await self._filter.own_chains()).items()}
        else:
            known = self._applied
        text = restore(known, wanted)
        if text:
            try:
                await self._filter.apply(text)
            except BaseException:
                self._marked |= marked
                raise
        if self._applied is None:
            await self._filter.ensure_jumps(JUMPS)
            flows = await self._flows_left_behind(before)
        else:
            flows = stale_flows(before, {key: self._views.get(key, ()) for key in marked})
        await self._flows.forget(flows)
        self._applied = wanted
        self._metrics.sync_s.observe(self._clock.monotonic() - started)

    async def _flows_left_behind(self, before: Mapping[str, Sequence[PortView]]) -> tuple[Flow, ...]:
        """What to forget when not all that went was seen; a client whose endpoint is there stays with it."""
        seen = stale_flows(before, {key: self._views.get(key, ()) for key in before})
        return (*seen, *left_behind(await self._flows.tracked(), itertools.chain.from_iterable(self._views.values())))

    def _recompute(self, key: str) -> None:
        service = self._services.get(key)
        if service is None or PROXY_NAME_LABEL in service.metadata.labels:
            self._views.pop(key, None)
            self._rules.pop(key, None)
            return
        seen = views(service, self._slices.by_index(SERVICE_INDEX, key), self._node_name)
        if self._views.get(key) != seen:
            self._views[key] = seen
            self._rules[key] = service_rules(seen, self._cluster_cidr)

    def _on_service(self, kind: EventType, old: Service | None, new: Service | None) -> None:
        for each in (old, new):
            if each is not None:
                self._mark(key_of(each))

    def _on_slice(self, kind: EventType, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        for each in (old, new):
            if each is not None:
                self._mark(service_key(each))

    def _mark(self, key: str) -> None:
        self._marked.add(key)
        self._wake.set()
