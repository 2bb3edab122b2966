"""Events: what a component tells people about an object, counted instead of repeated.

`event` never blocks and never fails: it hands a note to a bounded queue that `run` empties. A note that says the same of
the same object as an earlier one raises that Event's count. A source that talks too much about one object is cut short (25
at once, then one in five minutes), as is a queue that overflows; both are counted in `dropped`.
Source: the Kubernetes Event API; the limits are those of its client library.
"""

import asyncio
import logging
import random
from collections import OrderedDict
from dataclasses import dataclass
from typing import NoReturn

from apiclient.client import Client
from apimachinery.clock import Clock
from apimachinery.errors import ApiError, is_not_found
from apimachinery.kinds import Event, EventSource, Object, ObjectMeta, ObjectReference
from apimachinery.times import format_time

log = logging.getLogger(__name__)

QUEUE_LIMIT = 1000
CACHE_LIMIT = 4096
BURST = 25
REFILL_S = 300.0
SAME_WITHIN_S = 600.0


@dataclass
class _Known:
    """An Event that stands in the API."""

    name: str
    count: int
    last_seen: float


@dataclass
class _Bucket:
    tokens: float
    filled_at: float


@dataclass(frozen=True)
class _Note:
    about: ObjectReference
    type: str
    reason: str
    message: str

    @property
    def key(self) -> tuple[str, ...]:
        about = self.about
        return (about.kind, about.namespace, about.name, about.uid, about.field_path, self.type, self.reason, self.message)


class EventRecorder:
    """Writes Events in the name of one component."""

    def __init__(self, client: Client, *, component: str, clock: Clock, rng: random.Random, host: str = "") -> None:
        self._client = client
        self._source = EventSource(component=component, host=host)
        self._clock = clock
        self._rng = rng
        self._queue: asyncio.Queue[_Note] = asyncio.Queue(QUEUE_LIMIT)
        self._known: OrderedDict[tuple[str, ...], _Known] = OrderedDict()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self.dropped = 0

    def event(self, obj: Object, type_: str, reason: str, message: str, *, field_path: str = "") -> None:
        """Note that something happened to `obj`; type is "Normal" or "Warning", reason a CamelCase word."""
        meta = obj.metadata
        about = ObjectReference(
            api_version=obj.api_version,
            kind=obj.kind,
            namespace=meta.namespace,
            name=meta.name,
            uid=meta.uid,
            resource_version=meta.resource_version,
            field_path=field_path,
        )
        note = _Note(about, type_, reason, message[:1024])
        if not self._admit(about.uid or f"{about.namespace}/{about.name}") or self._queue.full():
            self.dropped += 1
            return
        self._queue.put_nowait(note)

    async def run(self) -> NoReturn:
        """Write what was noted, for ever."""
        while True:
            note = await self._queue.get()
            try:
                await self._record(note)
            except ApiError as error:
                # an event is worth no retry storm: the object it tells of may be gone, its namespace going
                log.info(
                    "could not record event", extra={"reason": note.reason, "object": note.about.name, "error": str(error)}
                )

    async def drain(self) -> None:
        """Write what is still queued; for an orderly stop."""
        while not self._queue.empty():
            await self._record(self._queue.get_nowait())

    def _admit(self, source: str) -> bool:
        now = self._clock.monotonic()
        bucket = self._buckets.pop(source, None) or _Bucket(BURST, now)
        bucket.tokens = min(BURST, bucket.tokens + (now - bucket.filled_at) / REFILL_S)
        bucket.filled_at = now
        self._buckets[source] = bucket
        if len(self._buckets) > CACHE_LIMIT:
            self._buckets.popitem(last=False)
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    async def _record(self, note: _Note) -> None:
        now = self._clock.monotonic()
        known = self._known.get(note.key)
        if known is not None and now - known.last_seen < SAME_WITHIN_S:
            try:
                await self._count(note, known)
                known.last_seen = now
                return
            except ApiError as error:
                if not is_not_found(error):
                    raise
        name = f"{note.about.name}.{self._rng.getrandbits(64):016x}"
        await self._client.create(self._event(note, name))
        self._known[note.key] = _Known(name, 1, now)
        self._known.move_to_end(note.key)
        if len(self._known) > CACHE_LIMIT:
            self._known.popitem(last=False)

    async def _count(self, note: _Note, known: _Known) -> None:
        change = {"count": known.count + 1, "lastTimestamp": format_time(self._clock.now())}
        await self._client.patch(Event, known.name, note.about.namespace or "default", patch=change)
        known.count += 1

    def _event(self, note: _Note, name: str) -> Event:
        now = format_time(self._clock.now())
        return Event(
            metadata=ObjectMeta(name=name, namespace=note.about.namespace or "default"),
            involved_object=note.about,
            type=note.type,
            reason=note.reason,
            message=note.message,
            source=self._source,
            reporting_component=self._source.component,
            reporting_instance=self._source.host,
            first_timestamp=now,
            last_timestamp=now,
            count=1,
        )
