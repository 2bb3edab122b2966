"""Metrics of the API server. Every label has few values: verbs, resources and subresources that are served, codes, operations.

What happens is counted as it happens; what stands at a moment (caches, watchers, requests at work) is read when somebody asks.
Counting is done here in plain numbers, which the event loop alone changes, and given the library's form when somebody asks: its
own counters take a lock each time, and counting took a tenth of the time of a read.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from apimachinery.resources import Resource
from apiserver.core.request import Request

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Durations:
    """How often something took how long."""

    __slots__ = ("_counts", "_sum")

    def __init__(self) -> None:
        self._counts = [0] * (len(_SECONDS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Note one of them."""
        self._counts[bisect_left(_SECONDS, seconds)] += 1
        self._sum += seconds

    def add_to(self, family: HistogramMetricFamily, labels: tuple[str, ...]) -> None:
        """Show it under these labels."""
        total, buckets = 0, []
        for bound, count in zip((*map(str, _SECONDS), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((bound, total))
        family.add_metric(labels, buckets, self._sum)


class _Answered:
    """Requests of one verb, resource, subresource and code; their durations are shared with the other codes."""

    __slots__ = ("count", "durations")

    def __init__(self, durations: Durations) -> None:
        self.count = 0
        self.durations = durations


class Metrics(Collector):
    """Counts requests and what is running."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._answered: dict[tuple[str, str, str, str, int], _Answered] = {}
        self._durations: dict[tuple[str, ...], Durations] = {}
        self._read_waits: dict[tuple[str, ...], Durations] = {}
        self._storage_durations: dict[tuple[str, ...], Durations] = {}
        self._storage_failures: dict[str, int] = {}
        self._samplers: list[Callable[[], None]] = []
        self.registry.register(self)
        self.authentications = Counter(
            "authentication_attempts",
            "Bearer tokens that were shown, by what came of them: success, failure, or error when that could not be told.",
            ("result",),
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "apiserver_current_inflight_requests", "Requests being worked on.", ("request_kind",), registry=self.registry
        )
        self.watchers = Gauge(
            "apiserver_registered_watchers", "Running watches.", ("group", "resource"), registry=self.registry
        )
        self.cache_revision = Gauge(
            "apiserver_watch_cache_revision", "How far the watch cache is.", ("group", "resource"), registry=self.registry
        )
        self.unavailable_api_services = Gauge(
            "aggregator_unavailable_apiservice",
            "APIServices that are not available.",
            ("name",),
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)

    def observe(self, request: Request, code: int, seconds: float) -> None:
        """Note one answered request."""
        resource = request.resource
        subresource = request.subresource if request.subresource in resource.subresources else ""
        key = (request.verb, resource.group, resource.plural, subresource, code)
        answered = self._answered.get(key)
        if answered is None:
            answered = self._answered[key] = _Answered(self._durations.setdefault(key[:4], Durations()))
        answered.count += 1
        answered.durations.observe(seconds)

    def observe_carried(self, verb: str, group: str, code: int) -> None:
        """Note one request that an aggregated API server answered, or should have; its resources are not known here."""
        key = (verb, group, "", "", code)
        answered = self._answered.get(key)
        if answered is None:
            answered = self._answered[key] = _Answered(Durations())
        answered.count += 1

    def observe_storage(self, operation: str, seconds: float, failed: bool) -> None:
        """Note one call of the storage."""
        durations = self._storage_durations.get((operation,))
        if durations is None:
            durations = self._storage_durations[(operation,)] = Durations()
        durations.observe(seconds)
        if failed:
            self._storage_failures[operation] = self._storage_failures.get(operation, 0) + 1

    def read_wait(self, resource: Resource) -> Callable[[float], None]:
        """What the cache of a resource tells how long a read waited."""
        return self._read_waits.setdefault((resource.group, resource.plural), Durations()).observe

    def collect(self) -> Iterator[Metric]:
        """All that is counted here, in the library's form."""
        resource = ("group", "resource")
        requests = CounterMetricFamily(
            "apiserver_request",
            "Requests by verb, resource and HTTP status code.",
            labels=("verb", *resource, "subresource", "code"),
        )
        for (*labels, code), answered in self._answered.items():
            requests.add_metric((*map(str, labels), str(code)), answered.count)
        failures = CounterMetricFamily(
            "etcd_request_errors", "Calls of the storage that were not answered.", labels=("operation",)
        )
        for operation, count in self._storage_failures.items():
            failures.add_metric((operation,), count)
        yield requests
        yield failures
        for name, text, names, found in (
            (
                "apiserver_request_duration_seconds",
                "How long requests took that are no watches and no streams.",
                ("verb", *resource, "subresource"),
                self._durations,
            ),
            (
                "apiserver_watch_cache_read_wait_seconds",
                "How long reads waited until the watch cache was as new as they asked.",
                resource,
                self._read_waits,
            ),
            (
                "etcd_request_duration_seconds",
                "How long calls of the storage took, whatever came of them.",
                ("operation",),
                self._storage_durations,
            ),
        ):
            family = HistogramMetricFamily(name, text, labels=names)
            for key, durations in found.items():
                durations.add_to(family, tuple(map(str, key)))
            yield family

    def before_exposition(self, sampler: Callable[[], None]) -> None:
        """Have gauges brought up to date before they are shown."""
        self._samplers.append(sampler)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        for sample in self._samplers:
            sample()
        return generate_latest(self.registry)
