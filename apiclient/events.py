"""Events: what a component tells people about an object, counted instead of repeated.

`event` never blocks and never fails: it hands a note to a bounded queue that `run` empties. A note that says the same of
the same object as an earlier one raises that Event's count. A source that talks too much about one object is cut short (25
at once, then one in five minutes), as is a queue that overflows; both are counted in `dropped`.

What waits in the queue is written together, since a write among others costs far less than one by itself, and after each round
the recorder pauses for several times as long as that took: what is told must not keep what is told of from happening.
Source: the Kubernetes Event API; the limits are those of its client library.
"""

import asyncio
import logging
import random
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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
ROUND = 64
PAUSE_FACTOR = 4.0
PAUSE_MAX_S = 0.5


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
    at: datetime

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
        self._last_stamp = 0
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
        note = _Note(about, type_, reason, message[:1024], self._clock.now())
        if not self._admit(about.uid or f"{about.namespace}/{about.name}") or self._queue.full():
            self.dropped += 1
            return
        self._queue.put_nowait(note)

    async def run(self) -> NoReturn:
        """Write what was noted, for ever."""
        while True:
            notes = [await self._queue.get()]
            while len(notes) < ROUND and not self._queue.empty():
                notes.append(self._queue.get_nowait())
            began = self._clock.monotonic()
            await self._record_all(notes)
            await asyncio.sleep(min(PAUSE_FACTOR * (self._clock.monotonic() - began), PAUSE_MAX_S))

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

    async def _record_all(self, notes: Sequence[_Note]) -> None:
        """Record notes side by side, those that say the same as one."""
        alike: dict[tuple[str, ...], list[_Note]] = {}
        for note in notes:
            alike.setdefault(note.key, []).append(note)
        outcomes = await asyncio.gather(*map(self._record, alike.values()), return_exceptions=True)
        for (note, *_), outcome in zip(alike.values(), outcomes, strict=True):
            if isinstance(outcome, ApiError):
                # an event is worth no retry storm: the object it tells of may be gone, its namespace going
                log.info(
                    "could not record event", extra={"reason": note.reason, "object": note.about.name, "error": str(outcome)}
                )
            elif outcome is not None:
                raise outcome

    async def _record(self, notes: Sequence[_Note]) -> None:
        """Record notes that say the same."""
        now, first, last = self._clock.monotonic(), notes[0], notes[-1]
        known = self._known.get(first.key)
        if known is not None and now - known.last_seen < SAME_WITHIN_S:
            try:
                await self._count(last, known, len(notes))
                known.last_seen = now
                return
            except ApiError as error:
                if not is_not_found(error):
                    raise
        name = f"{first.about.name}.{self._stamp(first.at):016x}"
        await self._client.create(self._event(first, last, len(notes), name))
        self._known[first.key] = _Known(name, len(notes), now)
        self._known.move_to_end(first.key)
        if len(self._known) > CACHE_LIMIT:
            self._known.popitem(last=False)

    def _stamp(self, at: datetime) -> int:
        """A number for a name, so that names are in the order of events: about nanoseconds since 1970, never twice."""
        self._last_stamp = max(int(at.timestamp() * 1e6) * 1000 + self._rng.randrange(1000), self._last_stamp + 1)
        return self._last_stamp

    async def _count(self, note: _Note, known: _Known, times: int) -> None:
        change = {"count": known.count + times, "lastTimestamp": format_time(note.at)}
        await self._client.patch(Event, known.name, note.about.namespace or "default", patch=change)
        known.count += times

    def _event(self, first: _Note, last: _Note, times: int, name: str) -> Event:
        return Event(
            metadata=ObjectMeta(name=name, namespace=first.about.namespace or "default"),
            involved_object=first.about,
            type=first.type,
            reason=first.reason,
            message=first.message,
            source=self._source,
            reporting_component=self._source.component,
            reporting_instance=self._source.host,
            first_timestamp=format_time(first.at),
            last_timestamp=format_time(last.at),
            count=times,
        )
