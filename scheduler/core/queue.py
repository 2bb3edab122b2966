"""Who is tried when: pods that wait for a node.

A pod is in exactly one place: `active` (to be tried, by priority and then by age), `backoff` (failed; tried again at a
time), `unschedulable` (no node fits: tried again when something happens that concerns a filter that refused it, or after
five minutes), or with the scheduler (popped). What happens while a pod is being tried is remembered, so that no change falls
between the two. Time is a parameter.
Source: the Kubernetes page "Scheduling Framework"; times are kube-scheduler's defaults.
"""

import heapq
import itertools
from dataclasses import dataclass, field
from enum import StrEnum

from apimachinery.kinds import Pod

INITIAL_BACKOFF_S = 1.0
MAX_BACKOFF_S = 10.0
UNSCHEDULABLE_LIMIT_S = 300.0


class ClusterEvent(StrEnum):
    """What may make a pod fit."""

    NODE_ADDED = "NodeAdded"
    NODE_FREED = "NodeFreed"
    NODE_RESOURCES = "NodeResources"
    NODE_LABELS = "NodeLabels"
    NODE_TAINTS = "NodeTaints"
    POD_PLACED = "PodPlaced"
    POD_GONE = "PodGone"


_CONCERNS: dict[str, frozenset[ClusterEvent]] = {
    "NodeUnschedulable": frozenset({ClusterEvent.NODE_TAINTS}),
    "NodeName": frozenset(),
    "TaintToleration": frozenset({ClusterEvent.NODE_TAINTS}),
    "NodeAffinity": frozenset({ClusterEvent.NODE_LABELS}),
    "NodePorts": frozenset({ClusterEvent.POD_GONE}),
    "NodeResourcesFit": frozenset({ClusterEvent.POD_GONE, ClusterEvent.NODE_RESOURCES}),
    "PodTopologySpread": frozenset({ClusterEvent.POD_GONE, ClusterEvent.POD_PLACED, ClusterEvent.NODE_LABELS}),
    "InterPodAffinity": frozenset({ClusterEvent.POD_GONE, ClusterEvent.POD_PLACED, ClusterEvent.NODE_LABELS}),
}


@dataclass
class Waiting:
    """A pod that waits, and how it fared so far."""

    pod: Pod
    since: float
    attempts: int = 0
    rejectors: frozenset[str] = frozenset()
    due: float = 0.0
    """When it may leave `backoff`, or must leave `unschedulable`."""
    sequence: int = 0

    @property
    def uid(self) -> str:
        return self.pod.metadata.uid

    @property
    def rank(self) -> tuple[int, float, int]:
        return (-(self.pod.spec.priority or 0), self.since, self.sequence)


@dataclass
class _InFlight:
    waiting: Waiting
    missed: set[ClusterEvent] = field(default_factory=set)


class SchedulingQueue:
    """See the module. Keys are pod uids."""

    def __init__(self) -> None:
        self._sequence = itertools.count()
        self._active: list[tuple[tuple[int, float, int], str]] = []
        self._backoff: list[tuple[float, int, str]] = []
        self._place: dict[str, str] = {}
        self._waiting: dict[str, Waiting] = {}
        self._in_flight: dict[str, _InFlight] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._in_flight)

    def counts(self) -> dict[str, int]:
        """How many pods are in each place, for metrics."""
        places = list(self._place.values())
        return {place: places.count(place) for place in ("active", "backoff", "unschedulable")}

    def add(self, pod: Pod, now: float) -> None:
        """A pod without a node has appeared."""
        uid = pod.metadata.uid
        if uid in self._waiting or uid in self._in_flight:
            self.update(pod, now)
            return
        self._activate(Waiting(pod, now, sequence=next(self._sequence)))

    def update(self, pod: Pod, now: float) -> None:
        """A waiting pod has changed; one that fitted nowhere may fit now."""
        uid = pod.metadata.uid
        if (flight := self._in_flight.get(uid)) is not None:
            flight.waiting.pod = pod
            return
        waiting = self._waiting.get(uid)
        if waiting is None:
            return
        changed = waiting.pod.spec != pod.spec or waiting.pod.metadata.labels != pod.metadata.labels
        waiting.pod = pod
        if changed and self._place[uid] == "unschedulable":
            self._activate(waiting)

    def remove(self, uid: str) -> None:
        """The pod is gone, or has been placed."""
        self._waiting.pop(uid, None)
        self._place.pop(uid, None)
        self._in_flight.pop(uid, None)

    def pop(self, now: float) -> Waiting | None:
        """The next pod to try, None when there is none now. It is the caller's until `placed`, `failed` or `unfit`."""
        self._release_due(now)
        while self._active:
            rank, uid = heapq.heappop(self._active)
            waiting = self._waiting.get(uid)
            if waiting is None or self._place.get(uid) != "active" or waiting.rank != rank:
                continue  # it left, or its priority changed, since it was filed here
            del self._waiting[uid], self._place[uid]
            waiting.attempts += 1
            self._in_flight[uid] = _InFlight(waiting)
            return waiting
        return None

    def placed(self, uid: str) -> None:
        """The pod has its node."""
        self._in_flight.pop(uid, None)

    def failed(self, uid: str, now: float) -> None:
        """The attempt failed for reasons that are not the pod's (an API error): again after a while."""
        if (flight := self._in_flight.pop(uid, None)) is not None:
            self._back_off(flight.waiting, now)

    def unfit(self, uid: str, rejectors: frozenset[str], now: float) -> None:
        """No node fits: wait for something to happen that concerns the filters that refused."""
        flight = self._in_flight.pop(uid, None)
        if flight is None:
            return
        waiting = flight.waiting
        waiting.rejectors = rejectors
        if any(self._concerns(waiting, event) for event in flight.missed):
            self._back_off(waiting, now)
            return
        self._waiting[uid] = waiting
        self._place[uid] = "unschedulable"
        waiting.due = now + UNSCHEDULABLE_LIMIT_S
        heapq.heappush(self._backoff, (waiting.due, next(self._sequence), uid))

    def happened(self, event: ClusterEvent, now: float) -> int:
        """Something changed in the cluster; how many pods it gave another try."""
        for flight in self._in_flight.values():
            flight.missed.add(event)
        moved = 0
        for uid, place in list(self._place.items()):
            if place == "unschedulable" and self._concerns(self._waiting[uid], event):
                self._back_off(self._waiting[uid], now, since_last_try=True)
                moved += 1
        return moved

    def next_due(self) -> float | None:
        """When `pop` may find something that it does not find now."""
        while self._backoff:
            due, _, uid = self._backoff[0]
            waiting = self._waiting.get(uid)
            if waiting is not None and waiting.due == due and self._place.get(uid) != "active":
                return due
            heapq.heappop(self._backoff)
        return None

    def _concerns(self, waiting: Waiting, event: ClusterEvent) -> bool:
        if event in (ClusterEvent.NODE_ADDED, ClusterEvent.NODE_FREED) or not waiting.rejectors:
            return True
        return any(event in _CONCERNS.get(name, frozenset(ClusterEvent)) for name in waiting.rejectors)

    def _activate(self, waiting: Waiting) -> None:
        self._waiting[waiting.uid] = waiting
        self._place[waiting.uid] = "active"
        heapq.heappush(self._active, (waiting.rank, waiting.uid))

    def _back_off(self, waiting: Waiting, now: float, *, since_last_try: bool = False) -> None:
        delay_s = min(MAX_BACKOFF_S, INITIAL_BACKOFF_S * 2.0 ** min(waiting.attempts - 1, 10))
        if since_last_try:
            tried_at = waiting.due - UNSCHEDULABLE_LIMIT_S
            delay_s = max(0.0, tried_at + delay_s - now)
        if delay_s <= 0:
            self._activate(waiting)
            return
        self._waiting[waiting.uid] = waiting
        self._place[waiting.uid] = "backoff"
        waiting.due = now + delay_s
        heapq.heappush(self._backoff, (waiting.due, next(self._sequence), waiting.uid))

    def _release_due(self, now: float) -> None:
        while (due := self.next_due()) is not None and due <= now:
            _, _, uid = heapq.heappop(self._backoff)
            self._activate(self._waiting[uid])
