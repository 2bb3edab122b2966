"""Events and Leases: small objects that components write often.

Source: the API reference of Event and Lease; the Kubernetes page "Leases".
"""

from collections.abc import Iterator

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import Event, EventV1, Lease
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, named, not_negative, positive, required, required_name

CLUSTER_SCOPED_NAMESPACE = "default"
TEXT_MAX = 128
MESSAGE_MAX = 1024


class EventStrategy(Strategy[Event]):
    def check(self, obj: Event) -> Iterator[FieldError]:
        yield from _validate_namespace(obj)
        if obj.event_time is not None:
            yield from _validate_series_event(obj)


class LeaseStrategy(Strategy[Lease]):
    allow_unconditional_update = False

    def check(self, obj: Lease) -> Iterator[FieldError]:
        spec = obj.spec
        yield from positive("spec.leaseDurationSeconds", spec.lease_duration_seconds)
        yield from not_negative("spec.leaseTransitions", spec.lease_transitions)
        if spec.strategy and "/" in spec.strategy:
            yield from named("spec.strategy", spec.strategy, names.qualified_name)
        elif spec.strategy and spec.strategy != "OldestEmulationVersion":
            yield FieldError.not_supported("spec.strategy", spec.strategy, ("OldestEmulationVersion",))
        if spec.preferred_holder and not spec.strategy:
            detail = "may only be specified when `strategy` is defined"
            yield FieldError.forbidden("spec.preferredHolder", detail)


def validate_new_event(event: EventV1) -> Errors:
    """What the newer form asks of a new event beyond the rules of the stored one."""
    yield from required("eventTime", event.event_time)
    source = event.deprecated_source
    for name, value in (
        ("deprecatedFirstTimestamp", event.deprecated_first_timestamp),
        ("deprecatedLastTimestamp", event.deprecated_last_timestamp),
        ("deprecatedCount", event.deprecated_count),
        ("deprecatedSource", source.component or source.host),
    ):
        if value:
            yield FieldError.invalid(name, value, "needs to be unset")


def _validate_namespace(event: Event) -> Errors:
    """An event stands beside its object, and in `default` when that one has no namespace."""
    wanted = event.involved_object.namespace or CLUSTER_SCOPED_NAMESPACE
    if event.metadata.namespace != wanted:
        yield FieldError.invalid("involvedObject.namespace", event.involved_object.namespace, "does not match event.namespace")


def _validate_series_event(event: Event) -> Errors:
    """An event of the newer form (it has an eventTime) says who reports what."""
    yield from required_name("reportingComponent", event.reporting_component, names.qualified_name)
    for name, value in (("reportingInstance", event.reporting_instance), ("action", event.action), ("reason", event.reason)):
        yield from required(name, value)
        if len(value) > TEXT_MAX:
            yield FieldError.too_long(name, TEXT_MAX)
    if len(event.message) > MESSAGE_MAX:
        yield FieldError.too_long("message", MESSAGE_MAX)
    if event.type not in ("Normal", "Warning"):
        yield FieldError.not_supported("type", event.type, ("Normal", "Warning"))
