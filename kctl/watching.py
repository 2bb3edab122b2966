"""Following objects over time: a list, then a watch from where it ended, again and again until whoever asked has seen enough.

`follow` yields what a list has (`SYNCED` closes it) and then each change; when the watch ends or is too old it lists again,
so a consumer must take the same object twice and is told of what has vanished in between.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apimachinery.clock import Clock
from kctl.errors import StatusError
from kctl.rest import RestClient, Stream, StreamTimeoutError
from kctl.targets import Target, list_all

ADDED, MODIFIED, DELETED, SYNCED, BOOKMARK, ERROR = "ADDED", "MODIFIED", "DELETED", "SYNCED", "BOOKMARK", "ERROR"
RELIST_PAUSE_S = 0.2


@dataclass(frozen=True)
class Change:
    """What happened, and the object as it is now (as it last was, for DELETED; empty for SYNCED)."""

    type: str
    object: dict[str, Any]

    @property
    def uid(self) -> str:
        return str((self.object.get("metadata") or {}).get("uid", ""))


class Deadline:
    """A point in time up to which to wait; without a limit when `seconds` is None."""

    def __init__(self, clock: Clock, seconds: float | None) -> None:
        self._clock = clock
        self._end = None if seconds is None else clock.monotonic() + seconds

    def remaining_s(self) -> float | None:
        return None if self._end is None else self._end - self._clock.monotonic()

    @property
    def passed(self) -> bool:
        remaining = self.remaining_s()
        return remaining is not None and remaining <= 0


def selectors(label_selector: str = "", field_selector: str = "", name: str = "") -> dict[str, str]:
    """The query that chooses objects; a name becomes a field selector."""
    fields = ",".join(filter(None, (field_selector, f"metadata.name={name}" if name else "")))
    return {"labelSelector": label_selector, "fieldSelector": fields}


def collection_of(target: Target) -> Target:
    """The collection that an object is in."""
    return Target(target.resource, "", target.namespace)


def watch(
    client: RestClient,
    target: Target,
    query: Mapping[str, Any],
    revision: str,
    remaining_s: Callable[[], float | None] = lambda: None,
) -> Iterator[Change]:
    """Changes after `revision` until the server ends the watch; raises StatusError (410 when the revision is too old)."""
    asked = {**query, "watch": True, "resourceVersion": revision, "allowWatchBookmarks": True}
    with client.stream(target.path, asked) as stream:
        yield from _changes(stream, target, remaining_s)


def follow(client: RestClient, target: Target, query: Mapping[str, Any], deadline: Deadline) -> Iterator[Change]:
    """List and watch for ever; raises StreamTimeoutError when the deadline passes."""
    known: dict[str, dict[str, Any]] = {}
    while True:
        items, revision = list_all(client, target, query)
        present = {str(item["metadata"]["uid"]): item for item in items}
        for uid in [uid for uid in known if uid not in present]:
            yield Change(DELETED, known.pop(uid))
        for uid, item in present.items():
            yield Change(MODIFIED if uid in known else ADDED, item)
            known[uid] = item
        yield Change(SYNCED, {})
        try:
            for change in watch(client, target, query, revision, deadline.remaining_s):
                if change.type == BOOKMARK:
                    continue
                if change.type == DELETED:
                    known.pop(change.uid, None)
                else:
                    known[change.uid] = change.object
                yield change
        except StatusError as error:
            if error.code != 410:
                raise
        if deadline.passed:
            raise StreamTimeoutError
        time.sleep(RELIST_PAUSE_S)


def _changes(stream: Stream, target: Target, remaining_s: Callable[[], float | None]) -> Iterator[Change]:
    for line in stream.lines(remaining_s):
        if not line.strip():
            continue
        event = json.loads(line)
        obj = event.get("object") or {}
        if event.get("type") == ERROR:
            raise StatusError(obj)
        obj.setdefault("apiVersion", target.resource.api_version)
        obj.setdefault("kind", target.resource.kind)
        yield Change(event.get("type", ""), obj)
