"""Descriptions of storage, quotas, Jobs and workloads with identities: what stands where."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from kctl.describe import Surroundings, describer_for

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
TEMPLATE = {"metadata": {"labels": {"app": "w"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}


def described(group: str, kind: str, obj: dict[str, Any], **related: Any) -> list[str]:
    """The lines of a description, each with single spaces."""
    around = Surroundings(NOW, related=related)
    text = describer_for(group, kind)({"metadata": {"name": "x", "namespace": "default", "uid": "u"}, **obj}, around).text()
    return [" ".join(line.split()) for line in text.splitlines()]


def pod(name: str, phase: str = "Running", claim: str = "") -> dict[str, Any]:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    owner = {"uid": "u", "controller": True}
    return {"metadata": {"name": name, "ownerReferences": [owner]}, "spec": {"volumes": volumes}, "status": {"phase": phase}}


def test_a_claim_says_who_uses_it() -> None:
    lines = described(
        "",
        "PersistentVolumeClaim",
        {
            "spec": {"volumeName": "v", "storageClassName": "fast", "volumeMode": "Filesystem"},
            "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]},
        },
        pods=[pod("a", claim="x"), pod("b", claim="y"), pod("c", claim="x")],
    )
    for line in ("Status: Bound", "Volume: v", "Capacity: 1Gi", "Access Modes: RWO", "StorageClass: fast", "Used By: a", "c"):
        assert line in lines
    assert "b" not in lines


def test_a_volume_says_where_it_is() -> None:
    term = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}]}
    lines = described(
        "",
        "PersistentVolume",
        {
            "spec": {
                "hostPath": {"path": "/data"},
                "claimRef": {"namespace": "a", "name": "b"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
            }
        },
    )
    for line in ("Claim: a/b", "Path: /data", "Type: HostPath (a path of the node)", "Term 0: zone in [a, b]"):
        assert line in lines


def test_limits_and_quotas_are_tables() -> None:
    items = [{"type": "Container", "max": {"cpu": "1"}, "default": {"memory": "1Gi"}}]
    lines = described("", "LimitRange", {"spec": {"limits": items}})
    assert lines[-2:] == ["Container cpu - 1 - - -", "Container memory - - - 1Gi -"]
    status = {"hard": {"pods": "4", "cpu": "1"}, "used": {"pods": "2"}}
    lines = described("", "ResourceQuota", {"spec": {"scopes": ["BestEffort"]}, "status": status})
    assert "Scopes: BestEffort" in lines
    assert lines[-2:] == ["cpu 0 1", "pods 2 4"]


def test_a_stateful_set_says_what_it_claims() -> None:
    claim = {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}, "accessModes": ["A", "B"]}}
    lines = described(
        "apps",
        "StatefulSet",
        {"spec": {"replicas": 2, "template": TEMPLATE, "volumeClaimTemplates": [claim]}, "status": {"replicas": 1}},
        pods=[pod("x-0"), pod("x-1", "Pending")],
    )
    for line in (
        "Replicas: 2 desired | 1 total",
        "Pods Status: 1 Running / 1 Waiting / 0 Succeeded / 0 Failed",
        "Name: data",
        "Capacity: 1Gi",
        "Access Modes: [A B]",
    ):
        assert line in lines


def test_a_job_says_how_far_it_is() -> None:
    lines = described(
        "batch",
        "Job",
        {
            "spec": {"completions": 3, "suspend": False, "template": TEMPLATE, "activeDeadlineSeconds": 9},
            "status": {"active": 1, "ready": 0, "succeeded": 2, "startTime": "2026-01-01T11:59:00Z", "completedIndexes": "0,1"},
        },
    )
    for line in (
        "Parallelism: <unset>",
        "Completions: 3",
        "Suspend: false",
        "Active Deadline Seconds: 9s",
        "Pods Statuses: 1 Active (0 Ready) / 2 Succeeded / 0 Failed",
        "Completed Indexes: 0,1",
    ):
        assert line in lines


def test_a_cron_job_says_when() -> None:
    lines = described("batch", "CronJob", {"spec": {"schedule": "@daily", "suspend": True}})
    for line in ("Schedule: @daily", "Suspend: True", "Starting Deadline Seconds: <unset>", "Active Jobs: <none>"):
        assert line in lines
