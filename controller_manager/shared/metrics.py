"""What the controllers count, by controller."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """Reconciles (duration, failures) and the depth of each queue."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.reconcile_s = Histogram(
            "controller_reconcile_duration_seconds", "Duration of one reconcile", ["controller"], registry=registry
        )
        self.failures = Counter(
            "controller_reconcile_failures_total", "Reconciles to be tried again", ["controller"], registry=registry
        )
        self._depth = Gauge("workqueue_depth", "Keys waiting to be reconciled", ["name"], registry=registry)

    def watch_queue(self, controller: str, depth: Callable[[], int]) -> None:
        """Report `depth` whenever somebody asks."""
        self._depth.labels(controller).set_function(depth)
