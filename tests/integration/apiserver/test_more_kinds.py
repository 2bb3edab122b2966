"""Volumes, quotas, workloads with identities, Jobs and storage.k8s.io through the REST door: the way of every kind, once."""

from __future__ import annotations

from typing import Any

import pytest

from apimachinery import protection, resources
from apimachinery.resources import RETURNED_WHEN_REMOVED, Resource
from apiserver.openapi.operations import paths_of

NS = "/namespaces/default"
POD = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "busybox:1"}]}}
ENDING = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox:1"}]}}
SELECTED = {"selector": {"matchLabels": {"app": "web"}}, "template": POD}
MODES = ["ReadWriteOnce"]
ON_NODE = {"attacher": "csi.example.com", "nodeName": "n", "source": {"persistentVolumeName": "x"}}
CLAIM = {"accessModes": MODES, "resources": {"requests": {"storage": "1Gi"}}}

OBJECTS: tuple[tuple[Resource, dict[str, Any]], ...] = (
    (
        resources.PERSISTENT_VOLUMES,
        {"spec": {"accessModes": MODES, "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/data"}}},
    ),
    (resources.PERSISTENT_VOLUME_CLAIMS, {"spec": CLAIM}),
    (resources.LIMIT_RANGES, {"spec": {"limits": [{"type": "Pod", "max": {"cpu": "1"}}]}}),
    (resources.RESOURCE_QUOTAS, {"spec": {"hard": {"pods": "4"}}}),
    (resources.REPLICATION_CONTROLLERS, {"spec": {"template": POD}}),
    (resources.POD_TEMPLATES, {"template": POD}),
    (
        resources.STATEFUL_SETS,
        {"spec": {**SELECTED, "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": CLAIM}]}},
    ),
    (resources.DAEMON_SETS, {"spec": SELECTED}),
    (resources.CONTROLLER_REVISIONS, {"data": {"spec": {}}, "revision": 1}),
    (resources.JOBS, {"spec": {"template": ENDING}}),
    (resources.CRON_JOBS, {"spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": ENDING}}}}),
    (resources.STORAGE_CLASSES, {"provisioner": "csi.example.com"}),
    (resources.VOLUME_ATTACHMENTS, {"spec": ON_NODE}),
    (resources.VOLUME_ATTRIBUTES_CLASSES, {"driverName": "csi.example.com", "parameters": {"iops": "9"}}),
    (resources.CSI_DRIVERS, {"spec": {}}),
    (resources.CSI_NODES, {"spec": {"drivers": []}}),
    (resources.CSI_STORAGE_CAPACITIES, {"storageClassName": "fast", "capacity": "1Gi"}),
)
WITH_STATUS = [(resource, obj) for resource, obj in OBJECTS if "status" in resource.subresources]


def collection(resource: Resource) -> str:
    return resource.path("default")


def named(resource: Resource, obj: dict[str, Any], name: str = "x") -> dict[str, Any]:
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}, **obj}


@pytest.mark.parametrize(("resource", "obj"), OBJECTS, ids=[resource.plural for resource, _ in OBJECTS])
async def test_there_and_back(rest: Any, resource: Resource, obj: dict[str, Any]) -> None:
    created = await rest("POST", collection(resource) + "?fieldValidation=Strict", named(resource, obj))
    assert created.status == 201, created.body
    path = resource.path("default", "x")
    assert (await rest("GET", path)).body == created.body
    again = await rest("PUT", path, created.body)
    assert (again.status, again.body) == (200, created.body), "what comes back unchanged is not written"
    labelled = await rest("PATCH", path, {"metadata": {"labels": {"a": "b"}}}, Content_Type="application/merge-patch+json")
    assert labelled.body["metadata"]["labels"]["a"] == "b", labelled.body
    listed = (await rest("GET", collection(resource) + "?fieldSelector=metadata.name%3Dx&labelSelector=a%3Db")).body
    assert listed["kind"] == f"{resource.kind}List"
    assert [each["metadata"]["uid"] for each in listed["items"]] == [created.body["metadata"]["uid"]]
    deleted = await rest("DELETE", path)
    assert (deleted.status, deleted.body["kind"]) == (200, resource.kind if resource in RETURNED_WHEN_REMOVED else "Status")
    (described,) = [each for each in paths_of(resource) if each.path.endswith("/{name}")]
    (answer,) = [each.answer.rpartition(".")[2] for each in described.operations if each.method == "delete"]
    assert answer == deleted.body["kind"], "and OpenAPI says so"
    if resource.cls in protection.FINALIZERS:  # kept until a controller finds that nobody uses it
        assert (await rest("GET", path)).body["metadata"]["finalizers"] == [protection.FINALIZERS[resource.cls]]
        await rest("PATCH", path, {"metadata": {"finalizers": None}}, Content_Type="application/merge-patch+json")
    assert (await rest("GET", path)).status == 404


@pytest.mark.parametrize(("resource", "obj"), WITH_STATUS, ids=[resource.plural for resource, _ in WITH_STATUS])
async def test_the_status_is_written_apart(rest: Any, resource: Resource, obj: dict[str, Any]) -> None:
    created = (await rest("POST", collection(resource), named(resource, obj))).body
    path = resource.path("default", "x")
    patch = {"status": {"phase": "Lost"}} if "phase" in created["status"] else {"status": {"observedGeneration": 1}}
    if resource is resources.PERSISTENT_VOLUMES:
        patch = {"status": {"phase": "Available"}}
    elif resource is resources.VOLUME_ATTACHMENTS:
        patch = {"status": {"attached": True}}
    elif resource is resources.RESOURCE_QUOTAS:
        patch = {"status": {"used": {"pods": "1"}}}
    elif resource in (resources.JOBS, resources.CRON_JOBS):
        member = "startTime" if resource is resources.JOBS else "lastScheduleTime"
        patch = {"status": {member: "2026-01-31T12:00:00Z"}}
    ignored = await rest("PATCH", path, patch, Content_Type="application/merge-patch+json")
    assert (ignored.status, ignored.body["status"]) == (200, created["status"])
    written = await rest("PATCH", path + "/status", patch, Content_Type="application/merge-patch+json")
    assert written.status == 200, written.body
    assert written.body["status"].items() >= patch["status"].items()
    assert written.body.get("spec") == created.get("spec")
    assert written.body["metadata"].get("generation") == created["metadata"].get("generation")


@pytest.mark.parametrize("resource", [resources.STATEFUL_SETS, resources.REPLICATION_CONTROLLERS], ids=lambda each: each.plural)
async def test_scale(rest: Any, resource: Resource) -> None:
    await rest("POST", collection(resource), named(resource, dict(OBJECTS)[resource]))
    path = resource.path("default", "x")
    scale = (await rest("GET", path + "/scale")).body
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 1}, "app=web")
    scale["spec"]["replicas"] = 4
    assert (await rest("PUT", path + "/scale", scale)).body["spec"]["replicas"] == 4
    assert (await rest("GET", path)).body["spec"]["replicas"] == 4


@pytest.mark.parametrize("resource", [resources.DAEMON_SETS, resources.JOBS], ids=lambda resource: resource.plural)
async def test_what_does_not_scale(rest: Any, resource: Resource) -> None:
    await rest("POST", collection(resource), named(resource, dict(OBJECTS)[resource]))
    assert (await rest("GET", resource.path("default", "x") + "/scale")).status == 404


async def test_field_selectors_of_their_own(rest: Any) -> None:
    for name in ("one", "two"):
        await rest("POST", "/apis/batch/v1" + NS + "/jobs", named(resources.JOBS, {"spec": {"template": ENDING}}, name))
        controller = named(resources.REPLICATION_CONTROLLERS, {"spec": {"template": POD}}, name)
        await rest("POST", "/api/v1" + NS + "/replicationcontrollers", controller)
    merge = {"Content_Type": "application/merge-patch+json"}
    await rest("PATCH", "/apis/batch/v1" + NS + "/jobs/two/status", {"status": {"succeeded": 1}}, **merge)
    await rest("PATCH", "/api/v1" + NS + "/replicationcontrollers/two/status", {"status": {"replicas": 1}}, **merge)
    for path, want in (
        ("/apis/batch/v1/jobs?fieldSelector=status.successful%3D0", ["one"]),
        ("/apis/batch/v1/jobs?fieldSelector=status.successful%3D1", ["two"]),
        ("/api/v1/replicationcontrollers?fieldSelector=status.replicas!%3D0", ["two"]),
    ):
        assert [each["metadata"]["name"] for each in (await rest("GET", path)).body["items"]] == want
    refused = await rest("GET", "/apis/apps/v1/daemonsets?fieldSelector=status.replicas%3D0")
    assert (refused.status, refused.body["reason"]) == (400, "BadRequest")


async def test_a_job_is_told_apart_by_its_uid(rest: Any) -> None:
    created = (await rest("POST", "/apis/batch/v1" + NS + "/jobs", named(resources.JOBS, {"spec": {"template": ENDING}}))).body
    uid = created["metadata"]["uid"]
    assert created["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    assert created["spec"]["template"]["metadata"]["labels"]["batch.kubernetes.io/job-name"] == "x"


async def test_discovery(rest: Any) -> None:
    groups = {each["name"] for each in (await rest("GET", "/apis")).body["groups"]}
    assert {"apps", "batch", "storage.k8s.io"} <= groups
    found = {each["name"]: each for each in (await rest("GET", "/api/v1")).body["resources"]}
    assert found["persistentvolumeclaims"]["shortNames"] == ["pvc"]
    assert not found["persistentvolumes"]["namespaced"]
    assert found["replicationcontrollers"]["categories"] == ["all"]
    assert (found["replicationcontrollers/scale"]["kind"], found["replicationcontrollers/scale"]["group"]) == (
        "Scale",
        "autoscaling",
    )
