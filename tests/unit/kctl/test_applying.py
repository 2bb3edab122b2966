"""What apply decides from three states of an object."""

from __future__ import annotations

import json
from typing import Any

from kctl import applying
from kctl.rest import MERGE_PATCH, STRATEGIC_PATCH


def deployment(image: str = "web:1", **spec: Any) -> dict[str, Any]:
    template = {"spec": {"containers": [{"name": "web", "image": image}]}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": template, **spec}}


def stored(applied: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """What a server makes of an applied manifest: defaults, and what others have set since."""
    current: dict[str, Any] = json.loads(json.dumps(applying.annotated(applied)))
    current["metadata"] |= {"uid": "u", "resourceVersion": "7"}
    current["spec"] |= {"progressDeadlineSeconds": 600, **spec}
    current["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "IfNotPresent"
    current["status"] = {"replicas": 3}
    return current


def test_the_annotation_holds_the_manifest_without_itself() -> None:
    annotated = applying.annotated(applying.annotated(deployment()))
    kept = json.loads(annotated["metadata"]["annotations"][applying.LAST_APPLIED])
    assert kept["spec"] == deployment()["spec"]
    assert kept["metadata"] == {"name": "web", "annotations": {}}


def test_applying_twice_changes_nothing() -> None:
    assert applying.decide(deployment(replicas=3), stored(deployment(replicas=3))).unchanged


def test_a_change_is_sent_alone() -> None:
    decision = applying.decide(deployment("web:2"), stored(deployment("web:1")))
    assert decision.kind == STRATEGIC_PATCH
    assert decision.was_applied
    containers = decision.patch["spec"]["template"]["spec"]["containers"]
    assert [{key: each[key] for key in ("name", "image")} for each in containers] == [{"name": "web", "image": "web:2"}]
    assert "replicas" not in decision.patch["spec"]


def test_what_is_withdrawn_is_removed_and_what_others_set_stays() -> None:
    decision = applying.decide(deployment(), stored(deployment(minReadySeconds=5), replicas=9))
    assert decision.patch["spec"] == {"minReadySeconds": None}


def test_an_object_made_another_way() -> None:
    current = stored(deployment(replicas=3))
    del current["metadata"]["annotations"]
    decision = applying.decide(deployment(replicas=3), current)
    assert not decision.was_applied
    assert list(decision.patch) == ["metadata"]


def test_a_kind_without_a_class_gets_a_merge_patch() -> None:
    boat = {"apiVersion": "example.com/v1", "kind": "Boat", "metadata": {"name": "b"}, "spec": {"oars": [1, 2]}}
    current = {**applying.annotated(boat), "spec": {"oars": [1], "colour": "red"}}
    decision = applying.decide(boat, current)
    assert (decision.kind, decision.patch) == (MERGE_PATCH, {"spec": {"oars": [1, 2]}})


def test_a_broken_annotation_counts_as_none() -> None:
    assert applying.last_applied({"metadata": {"annotations": {applying.LAST_APPLIED: "{"}}}) is None
