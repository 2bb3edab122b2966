"""Nodes as pure decisions: taints from conditions, when evictions stop, how long pods may stay, pod CIDRs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.codec import convert
from apimachinery.kinds import Node, Pod, Taint, Toleration
from controller_manager.node_ipam.core import Allocator, ExhaustedError
from controller_manager.node_lifecycle import core
from controller_manager.node_lifecycle.core import Evictions
from controller_manager.taint_eviction import core as eviction

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
FREELY = Evictions(may_add=True, may_keep=True)


def node(ready: str | None = "True", taints: list[dict[str, str]] | None = None, **more: Any) -> Node:
    conditions = [{"type": "Ready", "status": ready}] if ready is not None else []
    conditions += [{"type": kind, "status": "True"} for kind in more.pop("pressures", [])]
    return convert(
        Node,
        {
            "metadata": {"name": "n", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"taints": taints or [], **more},
            "status": {"conditions": conditions},
        },
    )


@dataclass(frozen=True)
class Case:
    id: str
    node: Node
    want: set[str]
    policy: Evictions = FREELY


def taint(key: str, effect: str) -> dict[str, str]:
    return {"key": key, "effect": effect, "timeAdded": "2025-01-01T00:00:00Z"}


UNREACHABLE, NOT_READY = "node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"
CASES = (
    Case("a healthy node bears nothing", node(), set()),
    Case("others' taints stay", node(taints=[taint("gpu", "NoExecute")]), {"gpu:NoExecute"}),
    Case("silent", node("Unknown"), {f"{UNREACHABLE}:NoSchedule", f"{UNREACHABLE}:NoExecute"}),
    Case("not ready", node("False"), {f"{NOT_READY}:NoSchedule", f"{NOT_READY}:NoExecute"}),
    Case(
        "from not ready to silent",
        node("Unknown", [taint(NOT_READY, "NoSchedule"), taint(NOT_READY, "NoExecute")]),
        {f"{UNREACHABLE}:NoSchedule", f"{UNREACHABLE}:NoExecute"},
    ),
    Case("healed", node("True", [taint(UNREACHABLE, "NoSchedule"), taint(UNREACHABLE, "NoExecute")]), set()),
    Case("a new node keeps what it registered with", node(None, [taint(NOT_READY, "NoSchedule")]), {f"{NOT_READY}:NoSchedule"}),
    Case("cordoned", node(unschedulable=True), {"node.kubernetes.io/unschedulable:NoSchedule"}),
    Case("uncordoned", node(taints=[taint("node.kubernetes.io/unschedulable", "NoSchedule")]), set()),
    Case(
        "pressures",
        node(pressures=["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"]),
        {
            f"node.kubernetes.io/{key}:NoSchedule"
            for key in ("memory-pressure", "disk-pressure", "pid-pressure", "network-unavailable")
        },
    ),
    Case("no eviction begins", node("Unknown"), {f"{UNREACHABLE}:NoSchedule"}, Evictions(may_add=False, may_keep=True)),
    Case(
        "one under way goes on",
        node("Unknown", [taint(UNREACHABLE, "NoExecute")]),
        {f"{UNREACHABLE}:NoSchedule", f"{UNREACHABLE}:NoExecute"},
        Evictions(may_add=False, may_keep=True),
    ),
    Case(
        "evictions are called off",
        node("Unknown", [taint(UNREACHABLE, "NoExecute")]),
        {f"{UNREACHABLE}:NoSchedule"},
        Evictions(may_add=False, may_keep=False),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_taints(case: Case) -> None:
    wanted = core.wanted_taints(case.node, case.policy, NOW)
    assert {f"{each.key}:{each.effect}" for each in wanted} == case.want
    kept = {each.key + each.effect: each.time_added for each in case.node.spec.taints}
    for each in wanted:
        assert each.time_added == kept.get(each.key + each.effect, "2026-01-01T12:00:00Z")
    case.node.spec.taints = wanted
    assert core.wanted_taints(case.node, case.policy, NOW) == wanted, "and then nothing is left to do"


def test_silence_is_told_in_kubernetes_words_and_leaves_the_heartbeat() -> None:
    silent = node("True")
    silent.status.conditions[0].last_heartbeat_time = "2026-01-01T11:00:00Z"
    told = {each.type: each for each in core.silent_status(silent, NOW).conditions}
    assert (told["Ready"].status, told["Ready"].reason) == ("Unknown", "NodeStatusUnknown")
    assert told["Ready"].message == "Kubelet stopped posting node status."
    assert told["Ready"].last_heartbeat_time == "2026-01-01T11:00:00Z"
    assert told["MemoryPressure"].reason == "NodeStatusNeverUpdated"
    assert len(told) == 4
    assert silent.status.conditions[0].status == "True", "the cache's object is untouched"


def test_only_ready_pods_are_marked() -> None:
    def pod(value: str) -> Pod:
        return convert(
            Pod, {"status": {"conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": value}]}}
        )

    marked = core.unready_status(pod("True"), NOW)
    assert marked is not None
    assert [(each.type, each.status, each.reason) for each in marked.conditions] == [
        ("PodScheduled", "True", ""),
        ("Ready", "False", "NodeNotReady"),
    ]
    assert core.unready_status(pod("False"), NOW) is None
    assert core.unready_status(Pod(), NOW) is None


@pytest.mark.parametrize(
    ("total", "unhealthy", "late", "want"),
    [
        (3, 0, 0, (True, True)),
        (3, 1, 0, (True, True)),
        (3, 2, 0, (True, True)),  # two of three are more than the fraction, but only two
        (3, 3, 0, (False, False)),
        (1, 1, 0, (False, False)),
        (2, 1, 1, (False, True)),  # the other one is about to follow
        (10, 5, 0, (True, True)),
        (10, 6, 0, (False, False)),
        (10, 3, 3, (False, True)),
        (100, 54, 0, (True, True)),
        (100, 55, 0, (False, False)),
        (0, 0, 0, (True, True)),
    ],
)
def test_evictions_stop_when_most_nodes_vanish(total: int, unhealthy: int, late: int, want: tuple[bool, bool]) -> None:
    policy = core.evictions(total, unhealthy, late, 0.55)
    assert (policy.may_add, policy.may_keep) == want


def test_health_counts_from_the_last_change_seen() -> None:
    first = core.observe(None, core.Sign("a", "x"), 10)
    assert core.observe(first, core.Sign("a", "x"), 20) is first
    assert core.observe(first, core.Sign("b", "x"), 20).since == 20
    assert core.observe(first, core.Sign("a", "y"), 30).since == 30


EXECUTE = Taint(key="k", effect="NoExecute", value="v")


@pytest.mark.parametrize(
    ("tolerations", "want"),
    [
        ([], 0.0),
        ([Toleration(operator="Exists")], eviction.FOREVER),
        ([Toleration(key="k", operator="Exists", effect="NoExecute", toleration_seconds=5)], 5.0),
        ([Toleration(key="k", operator="Exists", toleration_seconds=-5)], 0.0),
        ([Toleration(key="k", operator="Equal", value="v", toleration_seconds=9), Toleration(operator="Exists")], 9.0),
        ([Toleration(key="k", value="v", toleration_seconds=9), Toleration(key="k", value="v", toleration_seconds=4)], 4.0),
        ([Toleration(key="k", value="other")], 0.0),
        ([Toleration(key="other", operator="Exists")], 0.0),
        ([Toleration(key="k", operator="Exists", effect="NoSchedule")], 0.0),
        ([Toleration(value="v")], 0.0),
    ],
)
def test_how_long_a_pod_may_stay(tolerations: list[Toleration], want: float) -> None:
    assert eviction.stay_s([EXECUTE], tolerations) == want


def test_every_taint_must_be_tolerated() -> None:
    other = Taint(key="z", effect="NoExecute")
    tolerations = [Toleration(key="k", operator="Exists", toleration_seconds=60)]
    assert eviction.stay_s([EXECUTE, other], tolerations) == 0.0
    assert eviction.stay_s([EXECUTE, other], [*tolerations, Toleration(key="z", operator="Exists")]) == 60.0


def test_cidrs_are_handed_out_lowest_first_and_come_back() -> None:
    allocator = Allocator("10.244.0.0/16", 24)
    allocator.occupy("old", "10.244.1.0/24")
    allocator.occupy("foreign", "192.168.0.0/24")
    assert [allocator.allocate(name) for name in "abc"] == ["10.244.0.0/24", "10.244.2.0/24", "10.244.3.0/24"]
    assert allocator.allocate("b") == "10.244.2.0/24", "asked again, the same"
    allocator.release("a")
    assert allocator.allocate("d") == "10.244.0.0/24"


def test_a_range_that_two_nodes_came_with_is_free_when_both_are_gone() -> None:
    allocator = Allocator("10.0.0.0/23", 24)
    allocator.occupy("a", "10.0.0.0/23")
    allocator.occupy("b", "10.0.0.0/24")
    with pytest.raises(ExhaustedError):
        allocator.allocate("c")
    allocator.release("a")
    assert allocator.allocate("c") == "10.0.1.0/24"
    allocator.release("b")
    assert allocator.allocate("d") == "10.0.0.0/24"


def test_a_mask_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Allocator("10.0.0.0/24", 16)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()), max_size=60))
def test_no_two_nodes_ever_share_a_cidr(steps: list[tuple[str, bool]]) -> None:
    allocator, held = Allocator("10.0.0.0/21", 24), dict[str, str]()
    for name, arrives in steps:
        if arrives:
            held[name] = allocator.allocate(name)
        else:
            allocator.release(name)
            held.pop(name, None)
        assert len(set(held.values())) == len(held)
