"""Which pods the collector removes, as tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from apimachinery.codec import convert
from apimachinery.kinds import Node, Pod
from controller_manager.pod_gc import core
from controller_manager.pod_gc.core import Cause

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def pod(name: str = "p", node: str = "a", *, deleted: bool = False, phase: str = "Running", created: int = 0) -> Pod:
    meta: dict[str, Any] = {"name": name, "creationTimestamp": f"2026-01-01T00:00:0{created}Z"}
    if deleted:
        meta["deletionTimestamp"] = "2026-01-01T00:00:30Z"
    return convert(Pod, {"metadata": meta, "spec": {"nodeName": node, "containers": []}, "status": {"phase": phase}})


def node(ready: str | None, *taints: str) -> Node:
    conditions = [] if ready is None else [{"type": "Ready", "status": ready}]
    spec = {"taints": [{"key": key, "effect": "NoExecute"} for key in taints]}
    return convert(Node, {"metadata": {"name": "a"}, "spec": spec, "status": {"conditions": conditions}})


@pytest.mark.parametrize(
    ("where", "deleted", "cause"),
    [
        (None, False, Cause.NODE_GONE),
        (None, True, Cause.NODE_GONE),
        (node("True"), True, None),
        (node("Unknown"), True, None),
        (node("Unknown", core.OUT_OF_SERVICE), False, None),
        (node("Unknown", core.OUT_OF_SERVICE), True, Cause.OUT_OF_SERVICE),
        (node("False", "other", core.OUT_OF_SERVICE), True, Cause.OUT_OF_SERVICE),
        (node(None, core.OUT_OF_SERVICE), True, Cause.OUT_OF_SERVICE),
        (node("True", core.OUT_OF_SERVICE), True, None),
    ],
)
def test_what_becomes_of_a_pod_on_such_a_node(where: Node | None, deleted: bool, cause: Cause | None) -> None:
    assert [each.cause for each in core.plan([pod(deleted=deleted)], where)] == ([] if cause is None else [cause])


@pytest.mark.parametrize(("bound", "deleted", "never"), [("", True, True), ("", False, False), ("a", True, False)])
def test_a_pod_that_was_deleted_before_it_was_placed(bound: str, deleted: bool, never: bool) -> None:
    assert core.never_placed(pod(node=bound, deleted=deleted)) == never


def test_the_oldest_that_have_finished_and_are_not_going_already_are_too_many() -> None:
    pods = [
        pod("new", phase="Failed", created=5),
        pod("old", phase="Succeeded", created=1),
        pod("b", phase="Failed", created=2),
        pod("a", phase="Failed", created=2),
        pod("going", phase="Failed", deleted=True),
        pod("running"),
    ]
    assert [each.pod.metadata.name for each in core.surplus(pods, 1)] == ["old", "a", "b"]
    assert core.surplus(pods, 4) == []


@pytest.mark.parametrize(
    ("phase", "cause", "message"),
    [
        ("Running", Cause.NODE_GONE, "PodGC: node no longer exists"),
        ("Pending", Cause.OUT_OF_SERVICE, "PodGC: node is out of service"),
        ("Succeeded", Cause.NODE_GONE, None),
        ("Failed", Cause.TOO_MANY, None),
        ("Pending", Cause.NEVER_PLACED, None),
    ],
)
def test_the_last_status(phase: str, cause: Cause, message: str | None) -> None:
    status = core.final_status(pod(phase=phase), cause, NOW)
    if message is None:
        assert status is None
        return
    assert status is not None
    assert status.phase == "Failed"
    [told] = status.conditions
    assert (told.type, told.status, told.reason, told.message) == ("DisruptionTarget", "True", "DeletionByPodGC", message)
