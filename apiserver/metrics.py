"""Metrics of the API server. Every label has few values: verbs, resources that are served, codes, doors."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

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
        self._counters: dict[tuple[str, str, str, str, int], Counter] = {}
        self._histograms: dict[tuple[str, str, str, str], Histogram] = {}

    def observe(self, request: Request, code: int, seconds: float) -> None:
        """Note one answered request."""
        labels = (str(request.verb), request.resource.group, request.resource.plural, request.subresource)
        counter = self._counters.get((*labels, code))
        if counter is None:
            counter = self._counters[*labels, code] = self._requests.labels(*labels, str(code))
        counter.inc()
        histogram = self._histograms.get(labels)
        if histogram is None:
            histogram = self._histograms[labels] = self._durations.labels(*labels)
        histogram.observe(seconds)
