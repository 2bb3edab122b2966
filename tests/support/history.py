"""What clients of an API server saw, and whether it can be one history (invariants I1 to I4, I8).

`Ledger` is filled while a test runs: what writers were told, what watchers and readers saw. `check` then holds it all against
one history, the union of all events: every revision is one change of one object, every acknowledged write is in it, and every
watcher has seen all of it that lies between the revisions it says it has covered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
DELETED = "DELETED"


@dataclass(frozen=True)
class Event:
    """One event of a watch, as far as it counts here."""

    type: str
    namespace: str
    name: str
    uid: str
    value: str
    labels: tuple[tuple[str, str], ...]

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, self.name


@dataclass
class Span:
    """What one watcher saw without a gap of its own making: after `start` up to and including `end`."""

    watcher: str
    namespace: str
    start: int
    end: int
    present: dict[tuple[str, str], str]
    """The objects as of `end`, by key: their value."""
    events: list[tuple[int, Event]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    initial: dict[tuple[str, str], str] = field(init=False)
    """The same as of `start`."""

    def __post_init__(self) -> None:
        self.initial = dict(self.present)

    def covers(self, revision: int, namespace: str) -> bool:
        """Whether a change of this namespace ("": of any) at this revision would have been seen."""
        return self.start <= revision <= self.end and self.namespace in ("", namespace)

    def state(self, revision: int, namespace: str) -> dict[tuple[str, str], str]:
        """The objects of a namespace as of a revision that the span covers."""
        state = dict(self.initial)
        for at, event in self.events:
            if at > revision:
                break
            if event.type == DELETED:
                state.pop(event.key, None)
            else:
                state[event.key] = event.value
        return {key: value for key, value in state.items() if namespace in ("", key[0])}

    def take(self, kind: str, found: Object) -> None:
        """The next event; what is wrong with it is noted."""
        revision = revision_of(found)
        if revision <= self.end:
            self.problems.append(f"{self.watcher}: {kind} at {revision} after {self.end}")
        self.end = max(self.end, revision)
        if kind == "BOOKMARK":
            return
        event = event_of(kind, found)
        known = event.key in self.present
        if known == (kind == "ADDED"):
            self.problems.append(
                f"{self.watcher}: {kind} of {event.key} at {revision}, which was {'' if known else 'not '}there"
            )
        if kind == DELETED:
            self.present.pop(event.key, None)
        else:
            self.present[event.key] = event.value
        self.events.append((revision, event))


@dataclass
class Ledger:
    """Everything that was seen."""

    spans: list[Span] = field(default_factory=list)
    acknowledged: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    """By revision: namespace, name and value ("" for a deletion) of a write whose success was told."""
    snapshots: list[tuple[int, str, dict[tuple[str, str], str]]] = field(default_factory=list)
    """Lists: revision, namespace ("" for all), and the values by key."""
    problems: list[str] = field(default_factory=list)
    floor: int = 0
    """The highest revision that anybody was told of so far."""

    def acknowledge(self, revision: int, namespace: str, name: str, value: str, *, not_before: int) -> None:
        """A write was told to have succeeded; it was begun when `not_before` was the highest revision known."""
        if revision <= not_before:
            self.problems.append(f"write of {name} begun after {not_before} got revision {revision}")
        if revision in self.acknowledged:
            self.problems.append(f"two writes got revision {revision}")
        self.acknowledged[revision] = (namespace, name, value)
        self.floor = max(self.floor, revision)

    def listed(self, revision: int, namespace: str, items: Iterable[Object], *, not_before: int) -> None:
        """A consistent list was read; it was begun when `not_before` was the highest revision known."""
        if revision < not_before:
            self.problems.append(f"a read begun after {not_before} showed the past, {revision}")
        self.snapshots.append((revision, namespace, values_of(items)))
        self.floor = max(self.floor, revision)

    def check(self) -> list[str]:
        """What is wrong with it. What no watcher covers, because it was told 410, is held against nothing."""
        problems = [*self.problems, *(each for span in self.spans for each in span.problems)]
        history = self._history(problems)
        for revision, (namespace, name, value) in self.acknowledged.items():
            found = history.get(revision)
            if found is None:
                if any(span.start < revision and span.covers(revision, namespace) for span in self.spans):
                    problems.append(f"nobody saw the acknowledged write {revision} of {name}")
            elif (found.namespace, found.name, "" if found.type == DELETED else found.value) != (namespace, name, value):
                problems.append(f"the write {revision} of {name} was seen as {found}")
        for span in self.spans:
            problems += _gaps(span, history)
        for revision, namespace, values in self.snapshots:
            for span in self.covering(revision, namespace):
                wanted = span.state(revision, namespace)
                if values != wanted:
                    where = namespace or "all"
                    problems.append(f"the list at {revision} of {where}, by {span.watcher}: {_differences(values, wanted)}")
        return problems

    def covering(self, revision: int, namespace: str) -> list[Span]:
        """The watchers that know what was there at a revision."""
        return [span for span in self.spans if span.covers(revision, namespace)]

    def _history(self, problems: list[str]) -> dict[int, Event]:
        history: dict[int, Event] = {}
        for span in self.spans:
            for revision, event in span.events:
                other = history.setdefault(revision, event)
                if (other.key, other.uid, other.value, other.type == DELETED) != (
                    event.key,
                    event.uid,
                    event.value,
                    event.type == DELETED,
                ):
                    problems.append(f"revision {revision} is {event} for {span.watcher}, and {other} for another")
        return dict(sorted(history.items()))


def revision_of(found: Object) -> int:
    return int(found["metadata"]["resourceVersion"])


def event_of(kind: str, found: Object) -> Event:
    meta = found["metadata"]
    labels = tuple(sorted((meta.get("labels") or {}).items()))
    return Event(kind, meta["namespace"], meta["name"], meta["uid"], found["data"]["value"], labels)


def values_of(items: Iterable[Object]) -> dict[tuple[str, str], str]:
    """By key: the value of each object."""
    return {(each["metadata"]["namespace"], each["metadata"]["name"]): each["data"]["value"] for each in items}


def _gaps(span: Span, history: Mapping[int, Event]) -> list[str]:
    seen = {revision for revision, _ in span.events}
    return [
        f"{span.watcher} missed {event} at {revision}, between {span.start} and {span.end}"
        for revision, event in history.items()
        if span.start < revision <= span.end and span.namespace in ("", event.namespace) and revision not in seen
    ]


def _differences(values: dict[tuple[str, str], str], wanted: dict[tuple[str, str], str]) -> str:
    more = {key: value for key, value in values.items() if wanted.get(key) != value}
    less = {key: value for key, value in wanted.items() if values.get(key) != value}
    return f"{more} instead of {less}"
