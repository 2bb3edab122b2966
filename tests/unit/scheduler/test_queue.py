"""The scheduling queue: order, back-off, requeueing by events. Time is a number here."""

from collections.abc import Callable

import pytest

from apimachinery.kinds import Pod
from scheduler.core.queue import ClusterEvent, SchedulingQueue

PodMaker = Callable[..., Pod]
FIT = frozenset({"NodeResourcesFit"})


def test_priority_then_age(pod: PodMaker) -> None:
    queue = SchedulingQueue()
    for at, name, priority in ((1, "old", 0), (2, "urgent", 10), (3, "young", 0)):
        queue.add(pod(name, priority=priority), at)
    order = []
    while (waiting := queue.pop(5)) is not None:
        order.append(waiting.pod.metadata.name)
    assert order == ["urgent", "old", "young"]


def test_a_failed_pod_backs_off_longer_each_time(pod: PodMaker) -> None:
    queue, now, waits = SchedulingQueue(), 0.0, []
    queue.add(pod("p"), now)
    for _ in range(6):
        waiting = queue.pop(now)
        assert waiting is not None
        queue.failed(waiting.uid, now)
        assert queue.pop(now) is None
        due = queue.next_due()
        assert due is not None
        waits.append(due - now)
        now = due
    assert waits == [1, 2, 4, 8, 10, 10]


REQUEUED = (
    ("a pod left: room may be free", FIT, ClusterEvent.POD_GONE, True),
    ("labels do not make room", FIT, ClusterEvent.NODE_LABELS, False),
    ("a new node may always fit", frozenset({"NodeAffinity"}), ClusterEvent.NODE_ADDED, True),
    ("labels decide affinity", frozenset({"NodeAffinity"}), ClusterEvent.NODE_LABELS, True),
    ("a pod that left does not change labels", frozenset({"NodeAffinity"}), ClusterEvent.POD_GONE, False),
    ("taints decide toleration", frozenset({"TaintToleration"}), ClusterEvent.NODE_TAINTS, True),
    ("any of several filters", frozenset({"TaintToleration", "NodeResourcesFit"}), ClusterEvent.POD_GONE, True),
    ("a placed pod may be a wanted neighbour", frozenset({"InterPodAffinity"}), ClusterEvent.POD_PLACED, True),
)


@pytest.mark.parametrize(("name", "rejectors", "event", "moves"), REQUEUED, ids=[row[0] for row in REQUEUED])
def test_only_what_concerns_it_gives_a_pod_another_try(
    name: str, rejectors: frozenset[str], event: ClusterEvent, moves: bool, pod: PodMaker
) -> None:
    queue = SchedulingQueue()
    queue.add(pod("p"), 0)
    waiting = queue.pop(0)
    assert waiting is not None
    queue.unfit(waiting.uid, rejectors, 0)
    assert queue.pop(100) is None
    assert queue.happened(event, 100) == int(moves)
    assert (queue.pop(100) is not None) is moves


def test_what_happened_during_the_attempt_is_not_lost(pod: PodMaker) -> None:
    queue = SchedulingQueue()
    queue.add(pod("p"), 0)
    waiting = queue.pop(0)
    assert waiting is not None
    queue.happened(ClusterEvent.POD_GONE, 0.5)
    queue.unfit(waiting.uid, FIT, 0.6)
    assert queue.next_due() == pytest.approx(1.6)
    assert queue.pop(1.7) is not None


def test_an_event_soon_after_a_try_still_backs_off(pod: PodMaker) -> None:
    queue = SchedulingQueue()
    queue.add(pod("p"), 0)
    waiting = queue.pop(0)
    assert waiting is not None
    queue.unfit(waiting.uid, FIT, 0)
    queue.happened(ClusterEvent.POD_GONE, 0.2)
    assert queue.pop(0.3) is None
    assert queue.pop(1.0) is not None


def test_an_unschedulable_pod_is_tried_again_after_a_while(pod: PodMaker) -> None:
    queue = SchedulingQueue()
    queue.add(pod("p"), 0)
    waiting = queue.pop(0)
    assert waiting is not None
    queue.unfit(waiting.uid, FIT, 0)
    assert queue.next_due() == 300
    assert queue.pop(299) is None
    assert queue.pop(300) is not None


def test_a_changed_spec_gives_another_try_and_a_changed_status_does_not(pod: PodMaker) -> None:
    queue = SchedulingQueue()
    first = pod("p")
    queue.add(first, 0)
    assert queue.pop(0) is not None
    queue.unfit(first.metadata.uid, FIT, 0)
    again = pod("p")
    again.metadata.uid = first.metadata.uid
    again.status.phase = "Pending"
    queue.update(again, 1)
    assert queue.pop(1) is None
    smaller = pod("p", cpu="1m")
    smaller.metadata.uid = first.metadata.uid
    queue.update(smaller, 2)
    assert queue.pop(2) is not None


@pytest.mark.parametrize("place", ["active", "in flight", "unschedulable"])
def test_a_removed_pod_never_comes_back(place: str, pod: PodMaker) -> None:
    queue = SchedulingQueue()
    waiting = pod("p")
    queue.add(waiting, 0)
    if place != "active":
        assert queue.pop(0) is not None
    if place == "unschedulable":
        queue.unfit(waiting.metadata.uid, FIT, 0)
    queue.remove(waiting.metadata.uid)
    queue.unfit(waiting.metadata.uid, FIT, 1)
    queue.failed(waiting.metadata.uid, 1)
    queue.happened(ClusterEvent.NODE_ADDED, 2)
    assert queue.pop(1000) is None
    assert len(queue) == 0
