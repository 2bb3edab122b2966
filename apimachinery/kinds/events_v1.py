"""Events in their newer form (group events.k8s.io/v1)."""

import msgspec

from apimachinery.kinds.base import Base, Int32, MicroTime, Time, constant
from apimachinery.kinds.events import EventSource
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.kinds.object import Object
from apimachinery.kinds.references import ObjectReference


class EventSeries(Base):
    """events/v1.EventSeries"""

    count: Int32 = msgspec.field(default_factory=int)
    last_observed_time: MicroTime | None = None


class Event(Object):
    """events/v1.Event"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("events.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("Event"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    action: str = ""
    deprecated_count: Int32 | None = None
    deprecated_first_timestamp: Time | None = None
    deprecated_last_timestamp: Time | None = None
    deprecated_source: EventSource = msgspec.field(default_factory=EventSource)
    event_time: MicroTime | None = None
    note: str = ""
    reason: str = ""
    regarding: ObjectReference = msgspec.field(default_factory=ObjectReference)
    related: ObjectReference | None = None
    reporting_controller: str = ""
    reporting_instance: str = ""
    series: EventSeries | None = None
    type: str = ""
