"""Who may do what: roles, nodes, and that nobody grants what they lack. Over both doors, on both storages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from apiclient.client import Client
from apimachinery.errors import ApiError
from apimachinery.kinds import Namespace, Node, ObjectMeta, Pod, Secret
from tests.integration.apiserver.test_crud import PODS, pod
from tests.support.apiserver import RunningServer

RBAC = "/apis/rbac.authorization.k8s.io/v1"
GROUP = "rbac.authorization.k8s.io"
SECRETS = "/api/v1/namespaces/default/secrets"
NODES = "/api/v1/nodes"
DEADLINE_S = 10
MERGE = "application/merge-patch+json"


def role(name: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "rules": list(rules)}


def rule(verbs: str, resources: str, groups: str = "", **more: Any) -> dict[str, Any]:
    return {"verbs": verbs.split(), "resources": resources.split(), "apiGroups": [groups], **more}


def binding(name: str, kind: str, to: str, user: str) -> dict[str, Any]:
    subject = {"kind": "User", "name": user, "apiGroup": GROUP}
    return {"metadata": {"name": name}, "roleRef": {"kind": kind, "name": to, "apiGroup": GROUP}, "subjects": [subject]}


async def allowed(call: Callable[[], Awaitable[Any]], wanted: int) -> None:
    """Roles count as soon as the cache has them."""

    async with asyncio.timeout(DEADLINE_S):
        while True:
            if (await call())[0] == wanted:
                return
            await asyncio.sleep(0.01)


async def test_nothing_is_allowed_that_no_role_allows(as_user: Any, rest: Any) -> None:
    jane = as_user("jane", "dev")
    status, body = await jane("GET", PODS)
    assert (status, body["reason"]) == (403, "Forbidden")
    assert body["message"] == (
        'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "default"'
    )
    status, body = await jane("GET", "/api/v1/nodes/a")
    assert (
        body["message"]
        == 'nodes "a" is forbidden: User "jane" cannot get resource "nodes" in API group "" at the cluster scope'
    )
    status, body = await jane("GET", "/metrics")
    assert (status, body["message"]) == (403, 'forbidden: User "jane" cannot get path "/metrics"')
    assert (await jane("GET", "/apis"))[0] == 200, "everybody who is somebody may look around"
    assert (
        await jane(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}},
        )
    )[0] == 201


async def test_roles_are_held_where_they_are_bound_until_they_are_not(as_user: Any, rest: Any) -> None:
    jane = as_user("jane")
    local = f"{RBAC}/namespaces/default"
    assert (await rest("POST", f"{local}/roles", role("reader", rule("get list", "pods pods/log")))).status == 201
    assert (await rest("POST", f"{local}/rolebindings", binding("b", "Role", "reader", "jane"))).status == 201
    await allowed(lambda: jane("GET", PODS), 200)
    assert (await jane("GET", "/api/v1/namespaces/kube-system/pods"))[0] == 403
    assert (await jane("GET", "/api/v1/pods"))[0] == 403
    assert (await jane("DELETE", f"{PODS}/x"))[0] == 403
    assert (await jane("GET", f"{PODS}/x"))[0] == 404
    assert (await jane("GET", f"{PODS}/x/exec"))[0] == 403, "a WebSocket comes with GET, but is no reading"
    assert (await rest("DELETE", f"{local}/rolebindings/b")).status == 200
    await allowed(lambda: jane("GET", PODS), 403)
    assert (await rest("POST", f"{RBAC}/clusterrolebindings", binding("b", "ClusterRole", "all", "jane"))).status == 201
    assert (await jane("GET", PODS))[0] == 403, "there is no such role yet"
    assert (await rest("POST", f"{RBAC}/clusterroles", role("all", rule("*", "*")))).status == 201
    await allowed(lambda: jane("GET", "/api/v1/pods"), 200)


async def test_a_name_can_be_all_that_is_allowed(as_user: Any, rest: Any) -> None:
    jane = as_user("jane")
    await rest(
        "POST", f"{RBAC}/namespaces/default/roles", role("one", rule("get list watch", "secrets", resourceNames=["mine"]))
    )
    await rest("POST", f"{RBAC}/namespaces/default/rolebindings", binding("b", "Role", "one", "jane"))
    await allowed(lambda: jane("GET", f"{SECRETS}/mine"), 404)
    assert (await jane("GET", f"{SECRETS}/other"))[0] == 403
    assert (await jane("GET", SECRETS))[0] == 403
    assert (await jane("GET", f"{SECRETS}?fieldSelector=metadata.name%3Dmine"))[0] == 200
    assert (await jane("GET", f"{SECRETS}?fieldSelector=metadata.name%3Dother"))[0] == 403
    assert (await jane("GET", "/api/v1/namespaces/default"))[0] == 403
    await rest("POST", f"{RBAC}/namespaces/default/roles", role("home", rule("get", "namespaces")))
    await rest("POST", f"{RBAC}/namespaces/default/rolebindings", binding("c", "Role", "home", "jane"))
    await allowed(lambda: jane("GET", "/api/v1/namespaces/default"), 200)
    assert (await jane("GET", "/api/v1/namespaces/kube-system"))[0] == 403


async def test_nobody_grants_what_they_lack(as_user: Any, rest: Any) -> None:
    jane, local = as_user("jane", "dev"), f"{RBAC}/namespaces/default"
    await rest("POST", f"{local}/roles", role("manager", rule("*", "roles rolebindings", GROUP), rule("get", "pods")))
    await rest("POST", f"{local}/rolebindings", binding("b", "Role", "manager", "jane"))
    await allowed(lambda: jane("GET", f"{local}/roles"), 200)
    # `*` of roles is escalate, too, so take that away
    verbs = "get list watch create update patch delete"
    await rest("PUT", f"{local}/roles/manager", role("manager", rule(verbs, "roles rolebindings", GROUP), rule("get", "pods")))

    async def refused() -> Any:
        return await jane("POST", f"{local}/roles?dryRun=All", role("more", rule("get", "pods secrets")))

    await allowed(refused, 403)
    _, body = await refused()
    assert body["message"] == (
        'roles.rbac.authorization.k8s.io "more" is forbidden: user "jane" (groups=["dev", "system:authenticated"]) is '
        'attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}'
    )
    assert (await jane("POST", f"{local}/roles", role("less", rule("get", "pods"))))[0] == 201
    assert (await jane("PATCH", f"{local}/roles/less", {"rules": [rule("get", "secrets")]}, MERGE))[0] == 403
    assert (await jane("PATCH", f"{local}/roles/less", {"metadata": {"labels": {"a": "b"}}}, MERGE))[0] == 200
    assert (await jane("POST", f"{local}/rolebindings", binding("x", "Role", "less", "joe")))[0] == 201
    status, body = await jane("POST", f"{local}/rolebindings", binding("y", "ClusterRole", "cluster-admin", "jane"))
    assert (status, 'Verbs:["*"]' in body["message"]) == (403, True)
    assert (await jane("POST", f"{local}/rolebindings", binding("z", "Role", "missing", "jane")))[0] == 404
    await rest("POST", f"{local}/roles", role("binder", rule("bind", "clusterroles", GROUP, resourceNames=["view"])))
    await rest("POST", f"{local}/rolebindings", binding("d", "Role", "binder", "jane"))
    await allowed(lambda: jane("POST", f"{local}/rolebindings?dryRun=All", binding("v", "ClusterRole", "view", "joe")), 201)


async def test_a_node_speaks_for_itself_only(as_user: Any, rest: Any, server: RunningServer, client: Client) -> None:
    kubelet = as_user("system:node:n1", "system:nodes")
    for name in ("n1", "n2"):
        assert (await as_user(f"system:node:{name}", "system:nodes")("POST", NODES, {"metadata": {"name": name}}))[0] == 201
    assert (await kubelet("POST", NODES, {"metadata": {"name": "n3"}}))[0] == 403
    assert (await kubelet("PATCH", f"{NODES}/n1/status", {"status": {"phase": "x"}}, MERGE))[0] == 200
    assert (await kubelet("PATCH", f"{NODES}/n2/status", {"status": {"phase": "x"}}, MERGE))[0] == 403
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "u"}
    status, body = await kubelet("PATCH", f"{NODES}/n1", {"metadata": {"ownerReferences": [owner]}}, MERGE)
    assert (status, "owner references" in body["message"]) == (403, True), "CVE-2025-5187"
    assert (await kubelet("DELETE", f"{NODES}/n1"))[0] == 403

    for name, node in (("mine", "n1"), ("yours", "n2")):
        await client.create(Secret(metadata=ObjectMeta(name=name, namespace="default")))
        wanted = pod(name)
        wanted["spec"]["nodeName"] = node
        wanted["spec"]["volumes"] = [{"name": "v", "secret": {"secretName": name}}]
        assert (await rest("POST", PODS, wanted)).status == 201
    await allowed(lambda: kubelet("GET", f"{SECRETS}/mine"), 200)
    status, body = await kubelet("GET", f"{SECRETS}/yours")
    assert (status, "no relationship found between node 'n1' and this object" in body["message"]) == (403, True)
    assert (await kubelet("GET", SECRETS))[0] == 403
    assert (await kubelet("GET", f"{SECRETS}?fieldSelector=metadata.name%3Dmine"))[0] == 200
    assert (await kubelet("PATCH", f"{PODS}/mine/status", {"status": {"message": "x"}}, MERGE))[0] == 200
    assert (await kubelet("PATCH", f"{PODS}/yours/status", {"status": {"message": "x"}}, MERGE))[0] == 403
    assert (await kubelet("DELETE", f"{PODS}/yours"))[0] == 403
    assert (await kubelet("DELETE", f"{PODS}/mine?gracePeriodSeconds=0"))[0] == 200
    await allowed(lambda: kubelet("GET", f"{SECRETS}/mine"), 403)

    over_grpc = Client(server.transport(server.ca.client("system:node:n1", ("system:nodes",))))
    try:
        assert await over_grpc.get(Node, "n2")
        with pytest.raises(ApiError) as caught:
            await over_grpc.get(Secret, "yours", "default")
        assert caught.value.code == 403
        with pytest.raises(ApiError) as caught:
            await over_grpc.delete(Pod, "yours", "default")
        assert caught.value.code == 403
        with pytest.raises(ApiError) as caught:
            await over_grpc.delete(Namespace, "default")
        assert caught.value.code == 403
    finally:
        await over_grpc.close()
