"""Metrics of the API server. Every label has few values: verbs, resources and subresources that are served, codes, operations.

What happens is counted as it happens; what stands at a moment (caches, watchers, requests at work) is read when somebody asks.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from apimachinery.resources import Resource
from apiserver.core.request import Request

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Counts requests and what is running; children are looked up once for each combination of labels."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "apiserver_request_total",
            "Requests by verb, resource and HTTP status code.",
            ("verb", "group", "resource", "subresource", "code"),
            registry=self.registry,
        )
        self.authentications = Counter(
            "authentication_attempts",
            "Bearer tokens that were shown, by what came of them: success, failure, or error when that could not be told.",
            ("result",),
            registry=self.registry,
        )
        self._durations = Histogram(
            "apiserver_request_duration_seconds",
            "How long requests took that are no watches and no streams.",
            ("verb", "group", "resource", "subresource"),
            buckets=_SECONDS,
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
        self._read_waits = Histogram(
            "apiserver_watch_cache_read_wait_seconds",
            "How long reads waited until the watch cache was as new as they asked.",
            ("group", "resource"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._storage_durations = Histogram(
            "etcd_request_duration_seconds",
            "How long calls of the storage took, whatever came of them.",
            ("operation",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._storage_failures = Counter(
            "etcd_request_errors",
            "Calls of the storage that were not answered.",
            ("operation",),
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
        self._samplers: list[Callable[[], None]] = []
        self._storage_children: dict[str, Histogram] = {}
        self._counters: dict[tuple[str, str, str, str, int], Counter] = {}
        self._histograms: dict[tuple[str, str, str, str], Histogram] = {}

    def observe(self, request: Request, code: int, seconds: float) -> None:
        """Note one answered request."""
        resource = request.resource
        subresource = request.subresource if request.subresource in resource.subresources else ""
        labels = (str(request.verb), resource.group, resource.plural, subresource)
        counter = self._counters.get((*labels, code))
        if counter is None:
            counter = self._counters[*labels, code] = self._requests.labels(*labels, str(code))
        counter.inc()
        histogram = self._histograms.get(labels)
        if histogram is None:
            histogram = self._histograms[labels] = self._durations.labels(*labels)
        histogram.observe(seconds)

    def observe_carried(self, verb: str, group: str, code: int) -> None:
        """Note one request that an aggregated API server answered, or should have; its resources are not known here."""
        self._requests.labels(verb, group, "", "", str(code)).inc()

    def observe_storage(self, operation: str, seconds: float, failed: bool) -> None:
        """Note one call of the storage."""
        histogram = self._storage_children.get(operation)
        if histogram is None:
            histogram = self._storage_children[operation] = self._storage_durations.labels(operation)
        histogram.observe(seconds)
        if failed:
            self._storage_failures.labels(operation).inc()

    def read_wait(self, resource: Resource) -> Callable[[float], None]:
        """What the cache of a resource tells how long a read waited."""
        child: Histogram = self._read_waits.labels(resource.group, resource.plural)
        return child.observe

    def before_exposition(self, sampler: Callable[[], None]) -> None:
        """Have gauges brought up to date before they are shown."""
        self._samplers.append(sampler)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        for sample in self._samplers:
            sample()
        return generate_latest(self.registry)
