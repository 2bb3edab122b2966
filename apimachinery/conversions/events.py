"""Events: core/v1 is stored, events.k8s.io/v1 names the same fields otherwise.

Source: the API reference of both Events; the fields whose names begin with `deprecated` are those of the older form.
"""

from apimachinery.kinds import Event, EventSeries
from apimachinery.kinds.events_v1 import Event as NewEvent
from apimachinery.kinds.events_v1 import EventSeries as NewEventSeries

FIELD_NAMES = (
    *((f"regarding.{each}", f"involvedObject.{each}") for each in ("kind", "namespace", "name", "uid", "apiVersion")),
    *((f"regarding.{each}", f"involvedObject.{each}") for each in ("resourceVersion", "fieldPath")),
    ("reportingController", "reportingComponent"),
    *((each, each) for each in ("metadata.name", "metadata.namespace", "reason", "type")),
)
"""Fields that the newer form can be selected by, and what they are called in the stored one."""


def to_stored(event: NewEvent) -> Event:
    series = event.series
    return Event(
        metadata=event.metadata,
        action=event.action,
        count=event.deprecated_count,
        event_time=event.event_time,
        first_timestamp=event.deprecated_first_timestamp,
        involved_object=event.regarding,
        last_timestamp=event.deprecated_last_timestamp,
        message=event.note,
        reason=event.reason,
        related=event.related,
        reporting_component=event.reporting_controller,
        reporting_instance=event.reporting_instance,
        series=None if series is None else EventSeries(count=series.count, last_observed_time=series.last_observed_time),
        source=event.deprecated_source,
        type=event.type,
    )


def from_stored(event: Event) -> NewEvent:
    series = event.series
    return NewEvent(
        metadata=event.metadata,
        action=event.action,
        deprecated_count=event.count,
        deprecated_first_timestamp=event.first_timestamp,
        deprecated_last_timestamp=event.last_timestamp,
        deprecated_source=event.source,
        event_time=event.event_time,
        note=event.message,
        reason=event.reason,
        regarding=event.involved_object,
        related=event.related,
        reporting_controller=event.reporting_component,
        reporting_instance=event.reporting_instance,
        series=None
        if series is None
        else NewEventSeries(count=series.count or 0, last_observed_time=series.last_observed_time),
        type=event.type,
    )
