"""What a PodDisruptionBudget's status is counted to: numbers and percentages, owners' scales, evicted pods that linger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apimachinery.codec import convert
from apimachinery.kinds import (
    Deployment,
    Object,
    OwnerReference,
    Pod,
    PodDisruptionBudget,
    ReplicaSet,
    ReplicationController,
    StatefulSet,
)
from apimachinery.times import format_time
from controller_manager.disruption import core

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def reference(kind: str, name: str, api_version: str = "apps/v1") -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "name": name, "uid": f"uid-{name}", "controller": True}


def pod(name: str, owner: dict[str, Any] | None = None, *, ready: bool = True, going: bool = False) -> Pod:
    meta: dict[str, Any] = {"name": name, "namespace": "default", "ownerReferences": [owner] if owner else []}
    if going:
        meta["deletionTimestamp"] = format_time(NOW)
    status = {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    return convert(Pod, {"metadata": meta, "status": status})


def pods(count: int, owner: dict[str, Any] | None = None, *, sick: int = 0, prefix: str = "p") -> list[Pod]:
    return [pod(f"{prefix}{number}", owner, ready=number >= sick) for number in range(count)]


RS, STS = reference("ReplicaSet", "web-1"), reference("StatefulSet", "db")
RC, JOB = reference("ReplicationController", "old", "v1"), reference("Job", "once", "batch/v1")


def owner(cls: type[Object], name: str, replicas: int | None, above: dict[str, Any] | None = None) -> Object:
    meta = {"name": name, "namespace": "default", "uid": f"uid-{name}", "ownerReferences": [above] if above else []}
    return convert(cls, {"metadata": meta, "spec": {"replicas": replicas}})


ROLLING = (
    owner(Deployment, "web", 10),
    owner(ReplicaSet, "web-1", 7, reference("Deployment", "web")),
    owner(ReplicaSet, "web-2", 4, reference("Deployment", "web")),
)


@dataclass(frozen=True)
class Case:
    id: str
    spec: dict[str, Any]
    pods: Sequence[Pod]
    want: tuple[int, int, int, int]
    """healthy, desired, expected, allowed"""
    owners: Sequence[Object] = ()
    evicted_ago_s: dict[str, float] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    recheck_s: float | None = None
    overdue: tuple[str, ...] = ()


CASES = (
    Case("a number of pods that must stay", {"minAvailable": 2}, pods(3), (3, 2, 3, 1)),
    Case("with too few of them", {"minAvailable": 2}, pods(3, sick=2), (1, 2, 3, 0)),
    Case("a number needs no controller", {"minAvailable": 1}, pods(2, JOB), (2, 1, 2, 1)),
    Case("no pods allow nothing", {"minAvailable": 0}, (), (0, 0, 0, 0)),
    Case("a percentage of nothing allows nothing", {"maxUnavailable": "50%"}, (), (0, 0, 0, 0)),
    Case("neither limit allows nothing", {}, pods(2), (2, 0, 0, 0)),
    Case(
        "a share rounds up",
        {"minAvailable": "50%"},
        pods(5, STS),
        (5, 3, 5, 2),
        owners=(owner(StatefulSet, "db", 5),),
    ),
    Case(
        "a share that may miss rounds up too",
        {"maxUnavailable": "30%"},
        pods(5, STS),
        (5, 3, 5, 2),
        owners=(owner(StatefulSet, "db", 5),),
    ),
    Case("10% of 30 is 3", {"minAvailable": "10%"}, pods(4, RS), (4, 3, 30, 1), owners=(owner(ReplicaSet, "web-1", 30),)),
    Case("missing pods count as missing", {"maxUnavailable": 1}, pods(2, RS), (2, 2, 3, 0), (owner(ReplicaSet, "web-1", 3),)),
    Case("more may miss than there are", {"maxUnavailable": 9}, pods(2, RS), (2, 0, 2, 2), (owner(ReplicaSet, "web-1", 2),)),
    Case("no size is one", {"maxUnavailable": 1}, pods(1, RC), (1, 0, 1, 1), (owner(ReplicationController, "old", None),)),
    Case(
        "the Deployment is counted once, not its sets",
        {"maxUnavailable": "20%"},
        [*pods(7, RS), *pods(4, reference("ReplicaSet", "web-2"), prefix="q")],
        (11, 8, 10, 3),
        owners=ROLLING,
    ),
    Case(
        "several controllers add up",
        {"maxUnavailable": 1},
        [*pods(2, STS), *pods(2, RC, prefix="q")],
        (4, 4, 5, 0),
        owners=(owner(StatefulSet, "db", 3), owner(ReplicationController, "old", 2)),
    ),
    Case("pods of nobody are not expected", {"maxUnavailable": 1}, pods(2), (2, 0, 0, 0)),
    Case("terminating pods are not healthy", {"minAvailable": 1}, [*pods(2), pod("x", going=True)], (2, 1, 3, 1)),
    Case(
        "an evicted pod does not count",
        {"minAvailable": 1},
        pods(3),
        (2, 1, 3, 1),
        evicted_ago_s={"p0": 20},
        left=("p0",),
        recheck_s=100,
    ),
    Case("until it has stayed for two minutes", {"minAvailable": 1}, pods(3), (3, 1, 3, 2), (), {"p0": 120}, overdue=("p0",)),
    Case("an evicted pod that goes is forgotten", {"minAvailable": 1}, [pod("p0", going=True)], (0, 1, 1, 0), (), {"p0": 1}),
    Case("and one that is gone", {"minAvailable": 1}, pods(1), (1, 1, 1, 0), (), {"gone": 1}),
)


def finder(owners: Sequence[Object]) -> core.Find:
    def find(wanted: OwnerReference, namespace: str) -> Object | None:
        return next((each for each in owners if each.metadata.uid == wanted.uid), None)

    return find


def budget(spec: dict[str, Any], status: dict[str, Any] | None = None) -> PodDisruptionBudget:
    meta = {"name": "b", "namespace": "default", "generation": 3}
    return convert(PodDisruptionBudget, {"metadata": meta, "spec": spec, "status": status or {}})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_count(case: Case) -> None:
    noted = {name: format_time(NOW - timedelta(seconds=seconds)) for name, seconds in case.evicted_ago_s.items()}
    counted = core.count(budget(case.spec, {"disruptedPods": noted}), case.pods, finder(case.owners), NOW)
    status = counted.status
    found = (status.current_healthy, status.desired_healthy, status.expected_pods, status.disruptions_allowed)
    assert (found, counted.failure) == (case.want, "")
    assert tuple(status.disrupted_pods) == case.left
    assert counted.recheck_s == case.recheck_s
    assert tuple(each.metadata.name for each in counted.overdue) == case.overdue
    assert status.observed_generation == 3
    (condition,) = status.conditions
    told = ("True", "SufficientPods") if status.disruptions_allowed else ("False", "InsufficientPods")
    assert (condition.type, condition.status, condition.reason) == ("DisruptionAllowed", *told)
    assert condition.observed_generation == 3

    settled = budget(case.spec)
    settled.status = status
    assert core.count(settled, case.pods, finder(case.owners), NOW).status == status  # and nothing to write


FAILURES = (
    ("a controller without a scale", JOB, "jobs.batch does not implement the scale subresource"),
    ("a controller that is not there", RS, 'found no controllers for pod "p0"'),
    ("a controller of an unknown kind", reference("Thing", "t", "x.io/v1"), 'found no controllers for pod "p0"'),
)


@pytest.mark.parametrize(("controller", "message"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES])
def test_what_cannot_be_counted_allows_nothing(controller: dict[str, Any], message: str) -> None:
    before = {"disruptionsAllowed": 2, "currentHealthy": 4, "observedGeneration": 2, "disruptedPods": {"p": format_time(NOW)}}
    counted = core.count(budget({"maxUnavailable": 1}, before), pods(1, controller), finder(()), NOW)
    status = counted.status
    assert counted.failure == message
    assert (status.disruptions_allowed, status.current_healthy, status.observed_generation) == (0, 4, 2)
    assert list(status.disrupted_pods) == ["p"]
    (condition,) = status.conditions
    assert (condition.status, condition.reason, condition.message) == ("False", "SyncFailed", message)


def test_the_transition_time_moves_with_the_value_only() -> None:
    subject, early = budget({"minAvailable": 1}), NOW - timedelta(hours=1)
    subject.status = core.count(subject, pods(2), finder(()), early).status
    subject.status = core.count(subject, pods(3), finder(()), NOW).status
    assert subject.status.conditions[0].last_transition_time == format_time(early)
    subject.status = core.count(subject, pods(1), finder(()), NOW).status
    assert subject.status.conditions[0].last_transition_time == format_time(NOW)
