"""Field ownership and server-side apply over REST, on both storages."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import yaml

from apiclient.client import Client
from apimachinery.errors import ApiError
from apimachinery.kinds import ConfigMap, ObjectMeta

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
SERVICES = "/api/v1/namespaces/default/services"
PODS = "/api/v1/namespaces/default/pods"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def config_map(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


def deployment(**spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "registry.local/web:1", "resources": {"requests": {"cpu": "1000m"}}}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template, **spec},
    }


def pod() -> dict[str, Any]:
    container = {"name": "c", "image": "registry.local/web:1", "ports": [{"containerPort": 80}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [container]}}


def service(port: int = 80) -> dict[str, Any]:
    spec = {"selector": {"app": "web"}, "ports": [{"port": port, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}


async def applied(rest: Any, path: str, body: Any, query: str = "fieldManager=m") -> Any:
    text = body if isinstance(body, bytes) else yaml.safe_dump(body).encode()
    return await rest("PATCH", f"{path}?{query}", text, Content_Type=APPLY)


def managers(obj: Any) -> dict[str, Any]:
    """Fields by `manager/operation[/subresource]`."""
    return {
        "/".join(filter(None, (entry["manager"], entry["operation"], entry.get("subresource")))): entry["fieldsV1"]
        for entry in obj["metadata"].get("managedFields", ())
    }


async def test_every_write_is_tracked(rest: Any) -> None:
    created = await rest("POST", f"{DEPLOYMENTS}?fieldManager=maker", deployment(replicas=2))
    (entry,) = created.body["metadata"]["managedFields"]
    assert {key: entry[key] for key in ("manager", "operation", "apiVersion", "fieldsType")} == {
        "manager": "maker",
        "operation": "Update",
        "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1",
    }
    assert entry["fieldsV1"]["f:spec"]["f:replicas"] == {}
    assert "f:status" not in entry["fieldsV1"]
    assert "f:metadata" not in entry["fieldsV1"]

    body = {**created.body, "spec": {**created.body["spec"], "replicas": 3}}
    updated = (await rest("PUT", f"{DEPLOYMENTS}/web?fieldManager=scaler", body)).body
    assert managers(updated)["scaler/Update"] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in managers(updated)["maker/Update"]["f:spec"]

    label = {"metadata": {"labels": {"x": "y"}}}
    patched = await rest("PATCH", f"{DEPLOYMENTS}/web", label, Content_Type=MERGE, User_Agent="editor/v1.2 (linux)")
    assert managers(patched.body)["editor/Update"] == {"f:metadata": {"f:labels": {".": {}, "f:x": {}}}}

    status = {"status": {"replicas": 1}}
    reported = await rest("PATCH", f"{DEPLOYMENTS}/web/status?fieldManager=scaler", status, Content_Type=MERGE)
    assert managers(reported.body)["scaler/Update/status"] == {"f:status": {"f:replicas": {}}}
    scaled = await rest("PATCH", f"{DEPLOYMENTS}/web/scale?fieldManager=hpa", {"spec": {"replicas": 5}}, Content_Type=MERGE)
    assert scaled.body["spec"] == {"replicas": 5}
    found = (await rest("GET", DEPLOYMENTS + "/web")).body
    assert managers(found)["hpa/Update/scale"] == {"f:spec": {"f:replicas": {}}}
    assert "scaler/Update" not in managers(found)


async def test_a_pod_is_what_kubernetes_writes(rest: Any) -> None:
    created = (await rest("POST", f"{PODS}?fieldManager=kubectl-create", pod())).body
    spec = managers(created)["kubectl-create/Update"]["f:spec"]
    assert spec["f:containers"] == {
        'k:{"name":"c"}': {
            ".": {},
            "f:image": {},
            "f:imagePullPolicy": {},
            "f:name": {},
            "f:ports": {".": {}, 'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}, "f:protocol": {}}},
            "f:resources": {},
            "f:terminationMessagePath": {},
            "f:terminationMessagePolicy": {},
        }
    }
    assert not {"f:tolerations", "f:serviceAccountName", "f:nodeName"} & spec.keys(), "what admission adds is nobody's"


async def test_what_the_server_allocates_is_nobodys(rest: Any) -> None:
    created = (await rest("POST", f"{SERVICES}?fieldManager=m", service())).body
    assert created["spec"]["clusterIP"]
    assert "f:clusterIP" not in managers(created)["m/Update"]["f:spec"]


@pytest.mark.parametrize(
    ("given", "cleared"), [([], True), ([{}], True), (None, False), ([{"manager": "x", "operation": "Nonsense"}], False)]
)
async def test_clearing_managers(rest: Any, given: Any, cleared: bool) -> None:
    created = (await rest("POST", CONFIG_MAPS, config_map(k="v"))).body
    body = {**created, "metadata": {**created["metadata"], "managedFields": given}}
    updated = (await rest("PUT", CONFIG_MAPS + "/a", body)).body
    assert ("managedFields" not in updated["metadata"]) is cleared
    again = await rest("PATCH", CONFIG_MAPS + "/a", {"data": {"k": "w"}}, Content_Type=MERGE)
    assert ("managedFields" not in again.body["metadata"]) is cleared, "what is cleared stays so until someone applies"


async def test_clearing_managers_by_patches(rest: Any) -> None:
    for content_type, patch in (
        (MERGE, {"metadata": {"managedFields": []}}),
        (MERGE, {"metadata": {"managedFields": [{}]}}),
        ("application/strategic-merge-patch+json", {"metadata": {"managedFields": [{}]}}),
        ("application/json-patch+json", [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]),
    ):
        await rest("POST", CONFIG_MAPS, config_map(k="v"))
        found = await rest("PATCH", CONFIG_MAPS + "/a", patch, Content_Type=content_type)
        assert (found.status, found.body["metadata"].get("managedFields")) == (200, None), (content_type, patch)
        await rest("DELETE", CONFIG_MAPS + "/a")
    await rest("POST", CONFIG_MAPS, config_map(k="v"))
    kept = await rest("PATCH", CONFIG_MAPS + "/a", {"metadata": {"managedFields": None}}, Content_Type=MERGE)
    assert kept.body["metadata"]["managedFields"]
    named = await rest("PATCH", CONFIG_MAPS + "/a/status", {"metadata": {"managedFields": []}}, Content_Type=MERGE)
    assert named.status == 404, "a ConfigMap has no status"


async def test_apply_creates_then_merges(rest: Any) -> None:
    first = await applied(rest, CONFIG_MAPS + "/a", config_map(k="v", gone="x"))
    assert (first.status, first.body["data"]) == (201, {"k": "v", "gone": "x"})
    (entry,) = first.body["metadata"]["managedFields"]
    assert (entry["operation"], entry["fieldsV1"]) == ("Apply", {"f:data": {"f:gone": {}, "f:k": {}}})
    other = await applied(rest, CONFIG_MAPS + "/a", config_map(other="1"), "fieldManager=n")
    assert (other.status, other.body["data"]) == (200, {"k": "v", "gone": "x", "other": "1"})
    second = await applied(rest, CONFIG_MAPS + "/a", config_map(k="w"))
    assert (second.status, second.body["data"]) == (200, {"k": "w", "other": "1"})
    assert (await rest("GET", CONFIG_MAPS + "/a")).body == second.body


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CONFIG_MAPS + "/a", config_map(k="v")),
        (DEPLOYMENTS + "/web", deployment(replicas=2)),
        (SERVICES + "/web", service()),
        (PODS + "/a", pod()),
        ("/api/v1/namespaces/extra", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "extra"}}),
    ],
)
async def test_applying_again_is_no_write(rest: Any, path: str, body: Any) -> None:
    first = await applied(rest, path, body)
    assert first.status == 201, first.body
    assert (await rest("GET", path)).body == first.body
    await asyncio.sleep(1.1)  # so that the time of an entry would differ
    second = await applied(rest, path, body)
    assert (second.status, second.body) == (200, first.body)
    joined = await applied(rest, path, body, "fieldManager=n")
    third = await applied(rest, path, body, "fieldManager=n")
    assert third.body == joined.body
    assert third.body["metadata"]["resourceVersion"] == joined.body["metadata"]["resourceVersion"]


async def test_conflicts(rest: Any) -> None:
    await rest("POST", f"{DEPLOYMENTS}?fieldManager=kubectl-create", deployment(replicas=2))
    refused = await applied(rest, DEPLOYMENTS + "/web", deployment(replicas=3))
    assert (refused.status, refused.body["reason"]) == (409, "Conflict")
    assert refused.body["message"] == (
        'Apply failed with 1 conflict: conflict with "kubectl-create" using apps/v1: .spec.replicas'
    )
    assert refused.body["details"]["causes"] == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kubectl-create" using apps/v1',
            "field": ".spec.replicas",
        }
    ]
    tried = await applied(rest, DEPLOYMENTS + "/web", deployment(replicas=3), "fieldManager=m&force=true&dryRun=All")
    assert (tried.status, tried.body["spec"]["replicas"]) == (200, 3)
    assert (await rest("GET", DEPLOYMENTS + "/web")).body["spec"]["replicas"] == 2
    forced = await applied(rest, DEPLOYMENTS + "/web", deployment(replicas=3), "fieldManager=m&force=true")
    assert (forced.body["spec"]["replicas"], forced.body["metadata"]["generation"]) == (3, 2)
    assert "f:replicas" not in managers(forced.body)["kubectl-create/Update"]["f:spec"]


async def test_apply_to_status_and_scale(rest: Any) -> None:
    await applied(rest, DEPLOYMENTS + "/web", deployment(replicas=2))
    status = {**deployment(replicas=9), "status": {"observedGeneration": 1, "replicas": 2}}
    found = await applied(rest, DEPLOYMENTS + "/web/status", status, "fieldManager=reporter")
    assert (found.body["spec"]["replicas"], found.body["status"]["replicas"]) == (2, 2)
    assert managers(found.body)["reporter/Apply/status"] == {"f:status": {"f:observedGeneration": {}, "f:replicas": {}}}

    scale: dict[str, Any] = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": 7},
    }
    refused = await applied(rest, DEPLOYMENTS + "/web/scale", scale, "fieldManager=hpa")
    assert (refused.status, refused.body["details"]["causes"][0]["field"]) == (409, ".spec.replicas")
    forced = await applied(rest, DEPLOYMENTS + "/web/scale", scale, "fieldManager=hpa&force=true")
    assert (forced.status, forced.body["kind"], forced.body["spec"]) == (200, "Scale", {"replicas": 7})
    held = managers((await rest("GET", DEPLOYMENTS + "/web")).body)
    assert held["hpa/Apply/scale"] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in held["m/Apply"]["f:spec"]
    assert (await applied(rest, DEPLOYMENTS + "/none/scale", {**scale, "metadata": {}})).status == 404
    assert (await applied(rest, DEPLOYMENTS + "/none/status", {**status, "metadata": {}})).status == 404
    assert (await applied(rest, DEPLOYMENTS + "/web/scale", {**scale, "spec": {"copies": 1}})).status == 400


async def test_from_client_side_to_server_side_apply(rest: Any) -> None:
    body = config_map(k="v", gone="x")
    last = json.dumps({**body, "metadata": {"name": "a"}})
    annotated = {**body, "metadata": {"name": "a", "annotations": {LAST_APPLIED: last}}}
    await rest("POST", f"{CONFIG_MAPS}?fieldManager=kubectl-client-side-apply", annotated)
    moved = await applied(rest, CONFIG_MAPS + "/a", config_map(k="w"), "fieldManager=kubectl")
    assert (moved.status, moved.body["data"]) == (200, {"k": "w"})
    assert list(managers(moved.body)) == ["kubectl/Apply"]
    assert json.loads(moved.body["metadata"]["annotations"][LAST_APPLIED])["data"] == {"k": "w"}


@pytest.mark.parametrize(
    ("path", "query", "body", "code", "message"),
    [
        ("/a", "", config_map(), 422, "fieldManager: Required value: is required for apply patch"),
        ("/a", f"fieldManager={'x' * 129}", config_map(), 422, "Too long: may not be more than 128 bytes"),
        ("/a", "fieldManager=a%0Ab", config_map(), 422, "should only contain printable characters"),
        ("/a", "fieldManager=m", b"[1]", 400, "an apply configuration is an object"),
        ("/a", "fieldManager=m", b"a: [", 400, "error converting YAML to JSON"),
        ("/a", "fieldManager=m", b"[" * 100_000, 400, "nested too deeply"),
        ("/a", "fieldManager=m", b"a: &x [1]\nb: *x", 400, "aliases are not accepted"),
        ("/a", "fieldManager=m", {"apiVersion": "v1"}, 400, "Object 'Kind' is missing"),
        ("/a", "fieldManager=m", {"apiVersion": "v1", "kind": "Secret"}, 400, 'no kind "Secret"'),
        ("/a", "fieldManager=m", {"apiVersion": "v2", "kind": "ConfigMap"}, 400, "Incorrect version specified in apply patch"),
        ("/a", "fieldManager=m", {**config_map(), "x": 1}, 400, "field not declared in schema"),
        ("/a", "fieldManager=m", {**config_map(), "metadata": {"managedFields": [{}]}}, 400, "managedFields must be nil"),
        ("/b", "fieldManager=m", config_map(), 400, "does not match the name on the URL"),
        ("/a", "fieldManager=m", {**config_map(), "metadata": {"uid": "7"}}, 409, "uid mismatch"),
        (
            "/a",
            "fieldManager=m&fieldValidation=Strict",
            b"kind: ConfigMap\napiVersion: v1\ndata: {a: b, a: c}",
            400,
            "duplicate",
        ),
    ],
)
async def test_refused(rest: Any, path: str, query: str, body: Any, code: int, message: str) -> None:
    answer = await applied(rest, CONFIG_MAPS + path, body, query)
    assert (answer.status, message in answer.body["message"]) == (code, True), answer.body
    assert (await rest("GET", CONFIG_MAPS + path)).status == 404


async def test_force_is_for_apply_only(rest: Any) -> None:
    await rest("POST", CONFIG_MAPS, config_map())
    answer = await rest("PATCH", CONFIG_MAPS + "/a?force=true", {}, Content_Type=MERGE)
    assert (answer.status, answer.body["message"]) == (
        422,
        'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
    )


async def test_json_is_applied_too(rest: Any) -> None:
    found = await applied(rest, CONFIG_MAPS + "/a", json.dumps(config_map(k="\U0001f600")).encode())
    assert (found.status, found.body["data"]) == (201, {"k": "\U0001f600"})


async def test_apply_in_a_namespace_that_is_not_there(rest: Any) -> None:
    found = await applied(rest, "/api/v1/namespaces/nowhere/configmaps/a", {"apiVersion": "v1", "kind": "ConfigMap"})
    assert (found.status, found.body["message"]) == (404, 'namespaces "nowhere" not found')


async def test_concurrent_appliers_all_get_their_way(rest: Any) -> None:
    found = await asyncio.gather(
        *(applied(rest, CONFIG_MAPS + "/a", config_map(**{f"k{n}": "v"}), f"fieldManager=m{n}") for n in range(8))
    )
    assert sorted(each.status for each in found) == [200] * 7 + [201]
    final = (await rest("GET", CONFIG_MAPS + "/a")).body
    assert final["data"] == {f"k{n}": "v" for n in range(8)}
    assert set(managers(final)) == {f"m{n}/Apply" for n in range(8)}


async def test_a_stale_apply_is_refused(rest: Any) -> None:
    await applied(rest, CONFIG_MAPS + "/a", config_map(k="v"))
    stale = {**config_map(k="w"), "metadata": {"name": "a", "resourceVersion": "1"}}
    answer = await applied(rest, CONFIG_MAPS + "/a", stale)
    assert (answer.status, "has been modified" in answer.body["message"]) == (409, True)


async def test_components_name_themselves(client: Client, rest: Any) -> None:
    await client.create(ConfigMap(metadata=ObjectMeta(name="a", namespace="default"), data={"k": "v"}))
    assert list(managers((await rest("GET", CONFIG_MAPS + "/a")).body)) == ["kubernetes-admin/Update"]


async def test_components_apply(client: Client) -> None:
    with pytest.raises(ApiError) as caught:
        await client.apply(ConfigMap, "a", "default", configuration=config_map(k="v"))
    assert caught.value.code == 422, "without a field manager"
    named = Client(client._transport, field_manager="boat")
    created = await named.apply(ConfigMap, "a", "default", configuration=config_map(k="v"))
    assert (created.data, created.metadata.managed_fields[0].manager) == ({"k": "v"}, "boat")
    await client.patch(ConfigMap, "a", "default", patch={"data": {"k": "w"}})
    with pytest.raises(ApiError) as caught:
        await named.apply(ConfigMap, "a", "default", configuration=config_map(k="v"))
    assert caught.value.code == 409
    forced = await named.apply(ConfigMap, "a", "default", configuration=config_map(k="v"), force=True)
    assert forced.data == {"k": "v"}
