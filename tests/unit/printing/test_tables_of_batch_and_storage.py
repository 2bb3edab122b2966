"""Cells of the tables of workloads with identities, Jobs, quotas and storage, against what kubectl shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from apimachinery import printing

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
META: dict[str, Any] = {"name": "x", "namespace": "default", "creationTimestamp": "2026-01-01T11:55:00Z"}
TEMPLATE = {
    "metadata": {"labels": {"b": "2", "a": "1"}},
    "spec": {"containers": [{"name": "c", "image": "i:1"}], "nodeSelector": {"disk": "ssd"}},
}
SELECTOR = {"matchLabels": {"app": "w"}}


def case(name: str, group: str, kind: str, want: dict[str, Any], **obj: Any) -> Any:
    metadata = {**META, **obj.pop("metadata", {})}
    return pytest.param(group, kind, {"metadata": metadata, **obj}, want, id=f"{kind}: {name}")


def job(name: str, want: dict[str, Any], status: dict[str, Any], metadata: dict[str, Any] | None = None, **spec: Any) -> Any:
    return case(name, "batch", "Job", want, spec=spec, status=status, metadata=metadata or {})


def true(kind: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": "True"}]}


CASES = (
    case(
        "two of three",
        "apps",
        "StatefulSet",
        {"Name": "x", "Ready": "2/3", "Age": "5m", "Containers": "c", "Images": "i:1"},
        spec={"replicas": 3, "template": TEMPLATE},
        status={"readyReplicas": 2},
    ),
    case(
        "on two nodes",
        "apps",
        "DaemonSet",
        {
            "Desired": 2,
            "Current": 2,
            "Ready": 1,
            "Up-to-date": 2,
            "Available": 0,
            "Node Selector": "disk=ssd",
            "Selector": "app=w",
        },
        spec={"selector": SELECTOR, "template": TEMPLATE},
        status={"desiredNumberScheduled": 2, "currentNumberScheduled": 2, "numberReady": 1, "updatedNumberScheduled": 2},
    ),
    case(
        "one of two",
        "",
        "ReplicationController",
        {"Desired": 2, "Current": 1, "Ready": 0, "Images": "i:1", "Selector": "a=1,b=2"},
        spec={"replicas": 2, "selector": {"b": "2", "a": "1"}, "template": TEMPLATE},
        status={"replicas": 1},
    ),
    case(
        "one",
        "",
        "PodTemplate",
        {"Name": "x", "Containers": "c", "Images": "i:1", "Pod Labels": "a=1,b=2"},
        template=TEMPLATE,
    ),
    case(
        "of a set",
        "apps",
        "ControllerRevision",
        {"Controller": "statefulset.apps/web", "Revision": 3, "Age": "5m"},
        metadata={"ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "controller": True}]},
        revision=3,
    ),
    case("of nobody", "apps", "ControllerRevision", {"Controller": "<none>", "Revision": 0}),
    job("waiting", {"Status": "Running", "Completions": "0/1", "Duration": "", "Selector": "<none>"}, {}, completions=1),
    job(
        "running",
        {"Status": "Running", "Completions": "1/3", "Duration": "60s"},
        {"startTime": "2026-01-01T11:59:00Z", "succeeded": 1},
        completions=3,
    ),
    job(
        "complete",
        {"Status": "Complete", "Completions": "1/1", "Duration": "30s"},
        {"startTime": "2026-01-01T11:00:00Z", "completionTime": "2026-01-01T11:00:30Z", "succeeded": 1, **true("Complete")},
        completions=1,
    ),
    job("any of two", {"Completions": "0/1 of 2"}, {}, parallelism=2),
    job("any of one", {"Completions": "1/1"}, {"succeeded": 1}, parallelism=1),
    job("failed", {"Status": "Failed"}, true("Failed"), {"deletionTimestamp": META["creationTimestamp"]}),
    job("going", {"Status": "Terminating"}, true("Suspended"), {"deletionTimestamp": META["creationTimestamp"]}),
    job("suspended", {"Status": "Suspended"}, true("Suspended")),
    job("about to fail", {"Status": "FailureTarget"}, true("FailureTarget")),
    job("about to succeed", {"Status": "SuccessCriteriaMet"}, true("SuccessCriteriaMet")),
    case(
        "never",
        "batch",
        "CronJob",
        {"Schedule": "@daily", "Timezone": "<none>", "Suspend": "False", "Active": 0, "Last Schedule": "<none>"},
        spec={"schedule": "@daily", "suspend": False},
    ),
    case(
        "often",
        "batch",
        "CronJob",
        {
            "Timezone": "Etc/UTC",
            "Suspend": "True",
            "Active": 1,
            "Last Schedule": "60s",
            "Containers": "c",
            "Selector": "<none>",
        },
        spec={"timeZone": "Etc/UTC", "suspend": True, "jobTemplate": {"spec": {"template": TEMPLATE}}},
        status={"lastScheduleTime": "2026-01-01T11:59:00Z", "active": [{"name": "y"}]},
    ),
    case(
        "bound",
        "",
        "PersistentVolume",
        {
            "Capacity": "1Gi",
            "Access Modes": "RWO,RWX",
            "Reclaim Policy": "Retain",
            "Status": "Bound",
            "Claim": "a/b",
            "StorageClass": "fast",
            "VolumeAttributesClass": "<unset>",
            "Reason": "",
            "VolumeMode": "Filesystem",
        },
        spec={
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteMany", "ReadWriteOnce", "ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": "a", "name": "b"},
            "storageClassName": "fast",
            "volumeMode": "Filesystem",
        },
        status={"phase": "Bound"},
    ),
    case(
        "going",
        "",
        "PersistentVolume",
        {"Status": "Terminating", "Claim": "", "VolumeMode": "<unset>"},
        metadata={"deletionTimestamp": META["creationTimestamp"]},
        status={"phase": "Released"},
    ),
    case(
        "pending",
        "",
        "PersistentVolumeClaim",
        {"Status": "Pending", "Volume": "", "Capacity": "", "Access Modes": "", "StorageClass": "old"},
        metadata={"annotations": {"volume.beta.kubernetes.io/storage-class": "old"}},
        spec={"accessModes": ["ReadWriteOnce"], "storageClassName": "new"},
        status={"phase": "Pending"},
    ),
    case(
        "bound",
        "",
        "PersistentVolumeClaim",
        {"Volume": "v", "Capacity": "1Gi", "Access Modes": "ROX", "StorageClass": "fast", "VolumeAttributesClass": "gold"},
        spec={"volumeName": "v", "storageClassName": "fast", "volumeAttributesClassName": "gold"},
        status={"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadOnlyMany"]},
    ),
    case("one", "", "LimitRange", {"Name": "x", "Created At": "2026-01-01T11:55:00Z"}),
    case(
        "one",
        "",
        "ResourceQuota",
        {"Request": "pods: 1/4, requests.cpu: 500m/1", "Limit": "limits.cpu: 0/2", "Age": "5m"},
        status={"hard": {"requests.cpu": "1", "pods": "4", "limits.cpu": "2"}, "used": {"pods": "1", "requests.cpu": "500m"}},
    ),
    case(
        "default",
        "storage.k8s.io",
        "StorageClass",
        {
            "Name": "x (default)",
            "Provisioner": "p",
            "ReclaimPolicy": "Delete",
            "VolumeBindingMode": "Immediate",
            "AllowVolumeExpansion": False,
        },
        metadata={"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        provisioner="p",
    ),
    case("one", "storage.k8s.io", "VolumeAttributesClass", {"Name": "x", "DriverName": "d", "Age": "5m"}, driverName="d"),
    case(
        "attached",
        "storage.k8s.io",
        "VolumeAttachment",
        {"Attacher": "d", "PV": "v", "Node": "n", "Attached": True},
        spec={"attacher": "d", "nodeName": "n", "source": {"persistentVolumeName": "v"}},
        status={"attached": True},
    ),
    case(
        "plain",
        "storage.k8s.io",
        "CSIDriver",
        {
            "AttachRequired": True,
            "PodInfoOnMount": False,
            "StorageCapacity": False,
            "TokenRequests": "<unset>",
            "RequiresRepublish": False,
            "Modes": "<none>",
        },
        spec={},
    ),
    case(
        "with tokens",
        "storage.k8s.io",
        "CSIDriver",
        {"AttachRequired": False, "TokenRequests": "a,b", "Modes": "Persistent,Ephemeral"},
        spec={
            "attachRequired": False,
            "tokenRequests": [{"audience": "a"}, {"audience": "b"}],
            "volumeLifecycleModes": ["Persistent", "Ephemeral"],
        },
    ),
    case("two drivers", "storage.k8s.io", "CSINode", {"Name": "x", "Drivers": 2, "Age": "5m"}, spec={"drivers": [{}, {}]}),
    case(
        "one",
        "storage.k8s.io",
        "CSIStorageCapacity",
        {"Name": "x", "StorageClassName": "fast", "Capacity": "1Gi"},
        storageClassName="fast",
        capacity="1Gi",
    ),
    case(
        "of this server",
        "apiregistration.k8s.io",
        "APIService",
        {"Name": "x", "Service": "Local", "Available": "True", "Age": "5m"},
        spec={"version": "v1"},
        status={"conditions": [{"type": "Available", "status": "True", "reason": "Local"}]},
    ),
    case(
        "of servers that are not there",
        "apiregistration.k8s.io",
        "APIService",
        {"Service": "ns/s", "Available": "False (ServiceNotFound)"},
        spec={"service": {"namespace": "ns", "name": "s"}},
        status={"conditions": [{"type": "Available", "status": "False", "reason": "ServiceNotFound"}]},
    ),
    case(
        "not looked at yet",
        "apiregistration.k8s.io",
        "APIService",
        {"Available": "Unknown"},
        spec={"service": {"namespace": "ns", "name": "s"}},
    ),
)


@pytest.mark.parametrize(("group", "kind", "obj", "want"), CASES)
def test_cells(group: str, kind: str, obj: dict[str, Any], want: dict[str, Any]) -> None:
    shape = printing.shape_for(group, kind)
    shown = {column.name: cell for column, cell in zip(shape.columns, shape.cells(obj, NOW), strict=True)}
    assert {name: shown[name] for name in want} == want


def test_what_shows_only_when_asked_for() -> None:
    wide = {
        kind: [column.name for column in printing.shape_for(group, kind).columns if column.priority]
        for group, kind in (("apps", "StatefulSet"), ("apps", "DaemonSet"), ("batch", "Job"), ("", "PersistentVolume"))
    }
    assert wide == {
        "StatefulSet": ["Containers", "Images"],
        "DaemonSet": ["Containers", "Images", "Selector"],
        "Job": ["Containers", "Images", "Selector"],
        "PersistentVolume": ["VolumeMode"],
    }
