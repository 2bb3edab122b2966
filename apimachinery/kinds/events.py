"""Events: what happened to an object, aggregated by the reporter."""

import msgspec

from apimachinery.kinds.base import Base, Int32, MicroTime, Time, constant
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.kinds.object import Object
from apimachinery.kinds.references import ObjectReference


class EventSeries(Base):
    """core/v1.EventSeries"""

    count: Int32 | None = None
    last_observed_time: MicroTime | None = None


class EventSource(Base):
    """core/v1.EventSource"""

    component: str = ""
    host: str = ""


class Event(Object):
    """core/v1.Event

    Something that happened to an object, kept for a while.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("Event"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    action: str = ""
    count: Int32 | None = None
    event_time: MicroTime | None = None
    first_timestamp: Time | None = None
    involved_object: ObjectReference = msgspec.field(default_factory=ObjectReference)
    last_timestamp: Time | None = None
    message: str = ""
    reason: str = ""
    related: ObjectReference | None = None
    reporting_component: str = ""
    reporting_instance: str = ""
    series: EventSeries | None = None
    source: EventSource = msgspec.field(default_factory=EventSource)
    type: str = ""
