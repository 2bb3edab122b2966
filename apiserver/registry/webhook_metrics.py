"""Metrics of admission webhooks, named as Kubernetes names them.

Their labels carry the names of webhooks, which users choose: of those that were seen first, NAMES_MAX have their own; the
others share one, "other".
"""

from prometheus_client import CollectorRegistry, Counter, Histogram

from apiserver.core.webhooks import Hook

NAMES_MAX = 100
OTHER = "other"
_SECONDS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0, 25.0)


class WebhookMetrics:
    """Counts calls, refusals and failures."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._names: set[str] = set()
        self._durations = Histogram(
            "apiserver_admission_webhook_admission_duration_seconds",
            "How long calls of admission webhooks took, and whether the request was rejected by it.",
            ("name", "type", "operation", "rejected"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._rejections = Counter(
            "apiserver_admission_webhook_rejection_count",
            "Requests rejected by admission webhooks, or for their failures (rejection_code 0).",
            ("name", "type", "operation", "error_type", "rejection_code"),
            registry=registry,
        )
        self._open = Counter(
            "apiserver_admission_webhook_fail_open_count",
            "Failures of admission webhooks that were passed over.",
            ("name", "type"),
            registry=registry,
        )

    def asked(self, hook: Hook, operation: str, seconds: float, *, rejected: bool) -> None:
        """Note one call."""
        self._durations.labels(self._name(hook), _type(hook), operation, str(rejected).lower()).observe(seconds)

    def rejected(self, hook: Hook, operation: str, error_type: str, code: int) -> None:
        """Note a request that was refused; `code` is the status of a webhook's own refusal."""
        self._rejections.labels(self._name(hook), _type(hook), operation, error_type, str(code)).inc()

    def failed_open(self, hook: Hook) -> None:
        """Note a failure that did not matter."""
        self._open.labels(self._name(hook), _type(hook)).inc()

    def _name(self, hook: Hook) -> str:
        if hook.name in self._names:
            return hook.name
        if len(self._names) >= NAMES_MAX:
            return OTHER
        self._names.add(hook.name)
        return hook.name


def _type(hook: Hook) -> str:
    return "admit" if hook.mutating else "validating"
