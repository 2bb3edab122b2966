"""Create, read, update, patch and delete over REST, on both storages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def config_map(name: str = "a", **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **more}, "data": {"k": "v"}}


def pod(name: str = "a", **spec: Any) -> dict[str, Any]:
    containers = [{"name": "c", "image": "registry.local/busybox:1"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers, **spec}}


def deployment(name: str = "web") -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod()["spec"]}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


async def test_life_of_an_object(rest: Any) -> None:
    created = await rest("POST", CONFIG_MAPS, config_map())
    assert created.status == 201
    meta = created.body["metadata"]
    assert meta["namespace"] == "default"
    assert {"uid", "creationTimestamp", "resourceVersion"} <= meta.keys()
    assert (await rest("GET", CONFIG_MAPS + "/a")).body == created.body
    assert (await rest("POST", CONFIG_MAPS, config_map())).body["reason"] == "AlreadyExists"

    changed = {**created.body, "data": {"k": "w"}}
    updated = await rest("PUT", CONFIG_MAPS + "/a", changed)
    assert (updated.status, updated.body["data"]) == (200, {"k": "w"})
    assert int(updated.body["metadata"]["resourceVersion"]) > int(meta["resourceVersion"])
    assert updated.body["metadata"]["uid"] == meta["uid"]

    stale = await rest("PUT", CONFIG_MAPS + "/a", changed)
    assert (stale.status, stale.body["reason"]) == (409, "Conflict")
    assert "has been modified" in stale.body["message"]

    deleted = await rest("DELETE", CONFIG_MAPS + "/a")
    assert (deleted.status, deleted.body["status"]) == (200, "Success")
    assert deleted.body["details"] == {"name": "a", "kind": "configmaps", "uid": meta["uid"]}
    gone = await rest("GET", CONFIG_MAPS + "/a")
    assert (gone.status, gone.body["message"]) == (404, 'configmaps "a" not found')
    assert (await rest("PUT", CONFIG_MAPS + "/a", config_map())).status == 404


async def test_update_that_changes_nothing_writes_nothing(rest: Any) -> None:
    created = (await rest("POST", CONFIG_MAPS, config_map())).body
    assert (await rest("PUT", CONFIG_MAPS + "/a", config_map())).body == created
    empty = await rest("PATCH", CONFIG_MAPS + "/a", {}, Content_Type="application/merge-patch+json")
    assert empty.body == created


async def test_generate_name(rest: Any) -> None:
    body = {"metadata": {"generateName": "x-"}}
    names = {(await rest("POST", CONFIG_MAPS, body)).body["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("x-") and len(name) == 7 for name in names)


async def test_patches(rest: Any) -> None:
    await rest("POST", DEPLOYMENTS, deployment())
    path = DEPLOYMENTS + "/web"

    strategic = {"spec": {"template": {"spec": {"containers": [{"name": "d", "image": "i:2"}]}}}}
    found = await rest("PATCH", path, strategic, Content_Type="application/strategic-merge-patch+json")
    assert {each["name"] for each in found.body["spec"]["template"]["spec"]["containers"]} == {"c", "d"}
    assert found.body["metadata"]["generation"] == 2

    merge = {"metadata": {"labels": {"x": "y"}}}
    found = await rest("PATCH", path, merge, Content_Type="application/merge-patch+json")
    assert (found.body["metadata"]["labels"], found.body["metadata"]["generation"]) == ({"x": "y"}, 2)

    operations = [{"op": "test", "path": "/spec/replicas", "value": 2}, {"op": "replace", "path": "/spec/replicas", "value": 5}]
    found = await rest("PATCH", path, operations, Content_Type="application/json-patch+json")
    assert found.body["spec"]["replicas"] == 5
    failed = await rest("PATCH", path, operations, Content_Type="application/json-patch+json")
    assert (failed.status, failed.body["reason"]) == (422, "Invalid")

    stale = {"metadata": {"resourceVersion": "1", "labels": {"x": "z"}}}
    found = await rest("PATCH", path, stale, Content_Type="application/merge-patch+json")
    assert found.status == 409
    assert (await rest("PATCH", path, {}, Content_Type="application/json")).status == 415


async def test_concurrent_patches_all_count(rest: Any) -> None:
    await rest("POST", CONFIG_MAPS, config_map())
    patches = [{"data": {f"k{index}": "v"}} for index in range(10)]
    found = await asyncio.gather(
        *[rest("PATCH", CONFIG_MAPS + "/a", each, Content_Type="application/merge-patch+json") for each in patches]
    )
    assert {each.status for each in found} == {200}
    assert len((await rest("GET", CONFIG_MAPS + "/a")).body["data"]) == 11


async def test_exactly_one_of_many_updates_wins(rest: Any) -> None:
    created = (await rest("POST", CONFIG_MAPS, config_map())).body
    bodies = [{**created, "data": {"winner": str(index)}} for index in range(8)]
    found = await asyncio.gather(*[rest("PUT", CONFIG_MAPS + "/a", each) for each in bodies])
    assert sorted(each.status for each in found) == [200] + [409] * 7
    (winner,) = [each.body for each in found if each.status == 200]
    assert (await rest("GET", CONFIG_MAPS + "/a")).body == winner


async def test_status_and_spec_are_kept_apart(rest: Any) -> None:
    created = (await rest("POST", DEPLOYMENTS, {**deployment(), "status": {"replicas": 9}})).body
    assert "replicas" not in created["status"]
    status = {**created, "status": {"replicas": 2, "observedGeneration": 1}, "spec": {**created["spec"], "replicas": 7}}
    found = (await rest("PUT", DEPLOYMENTS + "/web/status", status)).body
    assert (found["status"]["replicas"], found["spec"]["replicas"], found["metadata"]["generation"]) == (2, 2, 1)
    spec = {**found, "status": {"replicas": 5}, "spec": {**found["spec"], "replicas": 7}}
    found = (await rest("PUT", DEPLOYMENTS + "/web", spec)).body
    assert (found["status"]["replicas"], found["spec"]["replicas"], found["metadata"]["generation"]) == (2, 7, 2)


async def test_scale(rest: Any) -> None:
    await rest("POST", DEPLOYMENTS, deployment())
    scale = (await rest("GET", DEPLOYMENTS + "/web/scale")).body
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 2}, "app=web")
    scale["spec"]["replicas"] = 4
    assert (await rest("PUT", DEPLOYMENTS + "/web/scale", scale)).body["spec"]["replicas"] == 4
    assert (await rest("PUT", DEPLOYMENTS + "/web/scale", scale)).status == 409
    patched = await rest(
        "PATCH", DEPLOYMENTS + "/web/scale", {"spec": {"replicas": 0}}, Content_Type="application/merge-patch+json"
    )
    assert patched.status == 200
    found = (await rest("GET", DEPLOYMENTS + "/web")).body
    assert (found["spec"]["replicas"], found["metadata"]["generation"]) == (0, 3)


async def test_dry_run_changes_nothing(rest: Any) -> None:
    assert (await rest("POST", CONFIG_MAPS + "?dryRun=All", config_map())).status == 201
    assert (await rest("GET", CONFIG_MAPS + "/a")).status == 404
    created = (await rest("POST", CONFIG_MAPS, config_map())).body
    dry = await rest("PUT", CONFIG_MAPS + "/a?dryRun=All", {**created, "data": {"k": "w"}})
    assert dry.body["data"] == {"k": "w"}
    assert (await rest("DELETE", CONFIG_MAPS + "/a?dryRun=All")).status == 200
    assert (await rest("GET", CONFIG_MAPS + "/a")).body == created


async def test_finalizers_hold_an_object(rest: Any) -> None:
    await rest("POST", CONFIG_MAPS, config_map(finalizers=["example.com/hold"]))
    deleted = (await rest("DELETE", CONFIG_MAPS + "/a")).body
    assert deleted["metadata"]["deletionTimestamp"]
    assert (await rest("DELETE", CONFIG_MAPS + "/a")).body == deleted
    added = {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}
    refused = await rest("PATCH", CONFIG_MAPS + "/a", added, Content_Type="application/merge-patch+json")
    assert refused.status == 422
    released = {"metadata": {"finalizers": None}}
    assert (await rest("PATCH", CONFIG_MAPS + "/a", released, Content_Type="application/merge-patch+json")).status == 200
    assert (await rest("GET", CONFIG_MAPS + "/a")).status == 404


@pytest.mark.parametrize(("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
async def test_propagation_policy_becomes_a_finalizer(rest: Any, policy: str, finalizer: str) -> None:
    await rest("POST", CONFIG_MAPS, config_map())
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy}
    deleted = (await rest("DELETE", CONFIG_MAPS + "/a", options)).body
    assert deleted["metadata"]["finalizers"] == [finalizer]


async def test_delete_preconditions(rest: Any) -> None:
    created = (await rest("POST", CONFIG_MAPS, config_map())).body
    for wrong in ({"uid": "other"}, {"resourceVersion": "1"}):
        refused = await rest("DELETE", CONFIG_MAPS + "/a", {"preconditions": wrong})
        assert (refused.status, refused.body["reason"]) == (409, "Conflict")
    right = {key: created["metadata"][key] for key in ("uid", "resourceVersion")}
    assert (await rest("DELETE", CONFIG_MAPS + "/a", {"preconditions": right})).status == 200


async def test_graceful_deletion_of_pods(rest: Any) -> None:
    await rest("POST", PODS, pod("unbound"))
    assert (await rest("DELETE", PODS + "/unbound")).status == 200
    assert (await rest("GET", PODS + "/unbound")).status == 404, "nothing runs that would need grace"

    await rest("POST", PODS, pod("bound", nodeName="n1"))
    going = (await rest("DELETE", PODS + "/bound")).body["metadata"]
    assert (going["deletionGracePeriodSeconds"], going["generation"]) == (30, 2)
    shorter = (await rest("DELETE", PODS + "/bound?gracePeriodSeconds=5")).body["metadata"]
    assert shorter["deletionGracePeriodSeconds"] == 5
    assert shorter["deletionTimestamp"] < going["deletionTimestamp"]
    longer = (await rest("DELETE", PODS + "/bound?gracePeriodSeconds=50")).body["metadata"]
    assert longer == shorter
    assert (await rest("DELETE", PODS + "/bound", {"gracePeriodSeconds": 0})).status == 200
    assert (await rest("GET", PODS + "/bound")).status == 404


async def test_delete_collection(rest: Any) -> None:
    for index in range(6):
        await rest("POST", CONFIG_MAPS, config_map(f"c{index}", labels={"odd": str(index % 2)}))
    assert len((await rest("DELETE", CONFIG_MAPS + "?labelSelector=odd%3D1")).body["items"]) == 3
    assert [each["metadata"]["name"] for each in (await rest("GET", CONFIG_MAPS)).body["items"]] == ["c0", "c2", "c4"]


async def test_eviction_deletes(rest: Any) -> None:
    await rest("POST", PODS, pod("a"))
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a"}}
    assert (await rest("POST", PODS + "/a/eviction", body)).status == 201
    assert (await rest("GET", PODS + "/a")).status == 404


async def test_namespace_lifecycle(rest: Any) -> None:
    missing = await rest("POST", "/api/v1/namespaces/n1/configmaps", config_map())
    assert (missing.status, missing.body["message"]) == (404, 'namespaces "n1" not found')
    await rest("POST", "/api/v1/namespaces", {"metadata": {"name": "n1"}})
    assert (await rest("POST", "/api/v1/namespaces/n1/configmaps", config_map())).status == 201

    going = (await rest("DELETE", "/api/v1/namespaces/n1")).body
    assert going["status"]["phase"] == "Terminating"
    refused = await rest("POST", "/api/v1/namespaces/n1/configmaps", config_map("b"))
    assert (refused.status, refused.body["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")
    kept = await rest("GET", "/api/v1/namespaces/n1")
    assert kept.status == 200

    await rest("DELETE", "/api/v1/namespaces/n1/configmaps")
    final = {**going, "spec": {"finalizers": []}}
    assert (await rest("PUT", "/api/v1/namespaces/n1/finalize", final)).status == 200
    assert (await rest("GET", "/api/v1/namespaces/n1")).status == 404
    assert (await rest("DELETE", "/api/v1/namespaces/kube-system")).status == 403


async def test_admission_of_pods(rest: Any) -> None:
    found = (await rest("POST", PODS, pod())).body["spec"]
    assert found["serviceAccountName"] == "default"
    assert {(each["key"], each["tolerationSeconds"]) for each in found["tolerations"]} == {
        ("node.kubernetes.io/not-ready", 5),
        ("node.kubernetes.io/unreachable", 5),
    }
    own = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 77}
    found = (await rest("POST", PODS, pod("b", tolerations=[own]))).body["spec"]["tolerations"]
    assert own in found
    assert len(found) == 2
