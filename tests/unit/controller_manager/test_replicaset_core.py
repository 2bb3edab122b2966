"""How many pods a ReplicaSet creates, and which it gives up."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.codec import convert
from apimachinery.kinds import Pod, ReplicaSet
from apimachinery.times import format_time
from controller_manager.replicaset import core
from controller_manager.replicaset.core import BURST_MAX, Failure, Plan

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
OLD = NOW - timedelta(hours=1)


def pod(
    name: str,
    *,
    phase: str = "Running",
    ready: bool = True,
    node: str = "n",
    ready_at: datetime = OLD,
    created: datetime = OLD,
    cost: str = "",
    restarts: int = 0,
    terminating: bool = False,
    labels: dict[str, str] | None = None,
) -> Pod:
    conditions = [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": format_time(ready_at)}]
    meta = {"name": name, "uid": name, "creationTimestamp": format_time(created), "labels": labels or {"app": "web"}}
    if terminating:
        meta["deletionTimestamp"] = format_time(NOW)
    if cost:
        meta["annotations"] = {core.DELETION_COST: cost}
    status = {
        "phase": phase,
        "conditions": conditions,
        "containerStatuses": [{"name": "c", "restartCount": restarts, "ready": ready, "image": "i", "imageID": "i"}],
    }
    return convert(Pod, {"metadata": meta, "spec": {"nodeName": node, "containers": []}, "status": status})


def replica_set(replicas: int | None, min_ready_s: int = 0) -> ReplicaSet:
    spec = {
        "replicas": replicas,
        "minReadySeconds": min_ready_s,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
    }
    return convert(ReplicaSet, {"metadata": {"name": "web", "uid": "rs", "generation": 3}, "spec": spec})


@dataclass(frozen=True)
class Case:
    id: str
    replicas: int | None
    pods: tuple[Pod, ...] = ()
    creates: int = 0
    deletes: tuple[str, ...] = field(default=())


CASES = (
    Case("empty set wants nothing", 0),
    Case("nothing said means one", None, creates=1),
    Case("creates what is missing", 3, (pod("a"),), creates=2),
    Case("exact is enough", 1, (pod("a"),)),
    Case("terminating pods do not count", 1, (pod("a", terminating=True),), creates=1),
    Case("a failed pod is replaced", 1, (pod("a", phase="Failed"),), creates=1),
    Case("a succeeded pod is replaced", 1, (pod("a", phase="Succeeded"),), creates=1),
    Case("never more than one burst", 900, creates=BURST_MAX),
    Case("unplaced before placed", 1, (pod("a"), pod("b", node="")), deletes=("b",)),
    Case("pending before running", 1, (pod("a"), pod("b", phase="Pending")), deletes=("b",)),
    Case("unready before ready", 1, (pod("a", ready=False), pod("b")), deletes=("a",)),
    Case("cheap before dear", 1, (pod("a", cost="5"), pod("b", cost="-1")), deletes=("b",)),
    Case("a cost that is no number is none", 1, (pod("a", cost="x"), pod("b", cost="-1")), deletes=("b",)),
    Case("unready goes before cheap", 1, (pod("a", ready=False, cost="9"), pod("b", cost="-9")), deletes=("a",)),
    Case("crowded node first", 2, (pod("a", node="m"), pod("b", node="n"), pod("c", node="n")), deletes=("b",)),
    Case("briefly ready first", 1, (pod("a"), pod("b", ready_at=NOW - timedelta(seconds=5))), deletes=("b",)),
    Case("much restarted first", 1, (pod("a", restarts=1), pod("b", restarts=7)), deletes=("b",)),
    Case("young first", 1, (pod("a"), pod("b", created=NOW - timedelta(seconds=5))), deletes=("b",)),
    Case(
        "about equal ages are equal",
        1,
        (pod("b", created=OLD), pod("a", created=OLD - timedelta(seconds=5))),
        deletes=("a",),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_plan(case: Case) -> None:
    rs, pods = replica_set(case.replicas), list(case.pods)
    plan = core.plan(rs, pods, pods, NOW)
    assert (plan.creates, tuple(each.metadata.name for each in plan.deletes)) == (case.creates, case.deletes)
    while plan != Plan():  # acting on the plan converges
        gone = {each.metadata.name for each in plan.deletes}
        pods = [each for each in pods if each.metadata.name not in gone]
        pods += [pod(f"new-{len(pods)}-{number}") for number in range(plan.creates)]
        plan = core.plan(rs, pods, pods, NOW)
    assert sum(core.podinfo.is_active(each) for each in pods) == core.wanted(rs)


def test_a_set_that_is_being_deleted_plans_nothing() -> None:
    rs = replica_set(3)
    rs.metadata.deletion_timestamp = format_time(NOW)
    assert core.plan(rs, [], [], NOW) == Plan()


@given(st.integers(0, 2000))
def test_slow_start_doubles_and_adds_up(count: int) -> None:
    batches = core.slow_start(count)
    assert sum(batches) == count
    assert all(later <= 2 * earlier for earlier, later in itertools.pairwise(batches))
    assert not batches or batches[0] == 1


def test_status_counts() -> None:
    rs = replica_set(4, min_ready_s=10)
    pods = [
        pod("available"),
        pod("young", ready_at=NOW - timedelta(seconds=3)),
        pod("unready", ready=False, labels={"app": "other"}),
        pod("going", terminating=True),
        pod("failed", phase="Failed"),
    ]
    status = core.status(rs, pods, Failure("FailedCreate", "no"), NOW)
    assert (status.replicas, status.ready_replicas, status.available_replicas) == (3, 2, 1)
    assert (status.fully_labeled_replicas, status.terminating_replicas, status.observed_generation) == (2, 1, 3)
    assert [(each.type, each.reason) for each in status.conditions] == [("ReplicaFailure", "FailedCreate")]
    assert core.next_look_s(rs, pods, NOW) == 7
    rs.status = status
    assert core.status(rs, pods, None, NOW).conditions == []
    later = NOW + timedelta(minutes=1)
    assert core.status(rs, pods, Failure("FailedCreate", "no"), later).conditions == status.conditions


def test_new_pods_are_the_sets_own() -> None:
    made = core.new_pod(replica_set(1))
    assert made.metadata.generate_name == "web-"
    owner = made.metadata.owner_references[0]
    assert (owner.uid, owner.controller, owner.block_owner_deletion) == ("rs", True, True)
    assert made.metadata.labels == {"app": "web"}
