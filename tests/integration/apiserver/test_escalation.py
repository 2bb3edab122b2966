"""What somebody with some rights tries in order to get more: each attempt is one that a weaker check would let through."""

from __future__ import annotations

from typing import Any

import pytest

from apiclient.client import Client
from apiclient.transport import PodBinding
from apimachinery.errors import ApiError
from apimachinery.kinds import Secret
from tests.integration.apiserver.test_authorization import GROUP, MERGE, RBAC, SECRETS, allowed, role, rule
from tests.integration.apiserver.test_crud import PODS, pod
from tests.support.apiserver import RunningServer
from tests.support.certificate_requests import encoded, request_pem

REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
CERTIFICATES = "certificates.k8s.io"
CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"
CHANGE = "get list watch create update patch delete"


async def give(rest: Any, user: str, *rules: dict[str, Any], name: str = "given", namespace: str = "") -> None:
    """Give rules to a user, everywhere or in a namespace."""
    kind = "Role" if namespace else "ClusterRole"
    base = f"{RBAC}/namespaces/{namespace}" if namespace else RBAC
    plural = kind.lower()
    assert (await rest("POST", f"{base}/{plural}s", role(name, *rules))).status == 201
    subject = {"kind": "User", "name": user, "apiGroup": GROUP}
    reference = {"kind": kind, "name": name, "apiGroup": GROUP}
    binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
    assert (await rest("POST", f"{base}/{plural}bindings", binding)).status == 201


async def test_a_label_does_not_lend_a_role_to_an_aggregated_one(as_user: Any, rest: Any) -> None:
    jane = as_user("jane")
    await give(rest, "jane", rule(CHANGE, "clusterroles", GROUP))
    strong = f"{RBAC}/clusterroles/cluster-admin"
    await allowed(lambda: jane("GET", strong), 200)
    labels = {"metadata": {"labels": {f"{GROUP}/aggregate-to-view": "true"}}}
    status, body = await jane("PATCH", strong, labels, MERGE)
    assert (status, "attempting to grant RBAC permissions not currently held" in body["message"]) == (403, True)
    assert (await jane("PATCH", strong, {"metadata": {"finalizers": ["example.com/a"]}}, MERGE))[0] == 200
    assert (await jane("PATCH", strong, {"metadata": {"finalizers": None}}, MERGE))[0] == 200


async def test_aggregation_rules_are_for_those_who_hold_everything(as_user: Any, rest: Any) -> None:
    jane = as_user("jane")
    await give(rest, "jane", rule(CHANGE, "clusterroles", GROUP))
    await allowed(lambda: jane("GET", f"{RBAC}/clusterroles"), 200)
    gathering = role("mine") | {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}}
    status, body = await jane("POST", f"{RBAC}/clusterroles", gathering)
    assert (status, "aggregationRule" in body["message"]) == (403, True)
    assert (await rest("POST", f"{RBAC}/clusterroles", gathering)).status == 201
    status, body = await jane("PATCH", f"{RBAC}/clusterroles/mine", {"aggregationRule": None}, MERGE)
    assert (status, "aggregationRule" in body["message"]) == (403, True)


async def test_a_binding_cannot_wait_for_its_role(as_user: Any, rest: Any) -> None:
    jane = as_user("jane")
    await give(rest, "jane", rule(CHANGE, "rolebindings", GROUP), namespace="default")
    bindings = f"{RBAC}/namespaces/default/rolebindings"
    await allowed(lambda: jane("GET", bindings), 200)
    reference = {"kind": "ClusterRole", "name": "later", "apiGroup": GROUP}
    subjects = [{"kind": "User", "name": "jane", "apiGroup": GROUP}]
    status, _ = await jane("POST", bindings, {"metadata": {"name": "b"}, "roleRef": reference, "subjects": subjects})
    assert status == 404


async def test_who_writes_certificate_requests_does_not_decide_about_them(
    as_user: Any, rest: Any, server: RunningServer
) -> None:
    jane = as_user("jane")
    parts = "certificatesigningrequests certificatesigningrequests/approval certificatesigningrequests/status"
    await give(rest, "jane", rule(CHANGE, parts, CERTIFICATES))
    await allowed(lambda: jane("GET", REQUESTS), 200)
    spec = {"request": encoded(request_pem()), "signerName": CLIENT_SIGNER, "usages": ["client auth"]}
    assert (await jane("POST", REQUESTS, {"metadata": {"name": "a"}, "spec": spec}))[0] == 201

    approve = {"status": {"conditions": [{"type": "Approved", "status": "True", "reason": "x"}]}}
    fail = {"status": {"conditions": [{"type": "Failed", "status": "True", "reason": "x"}]}}
    signed = {"status": {"certificate": encoded(server.ca.ca.read_bytes())}}
    attempts = (("approval", approve, "approve"), ("status", fail, "sign"), ("status", signed, "sign"))
    for subresource, patch, verb in attempts:
        status, body = await jane("PATCH", f"{REQUESTS}/a/{subresource}", patch, MERGE)
        said = f'user not permitted to {verb} requests with signerName "{CLIENT_SIGNER}"'
        assert (status, said in body["message"]) == (403, True)
    others = {"status": {"conditions": [{"type": "Noted", "status": "True", "reason": "x"}]}}
    assert (await jane("PATCH", f"{REQUESTS}/a/status", others, MERGE))[0] == 200

    approver = {"kind": "ClusterRole", "name": "system:certificates.k8s.io:kube-apiserver-client-approver", "apiGroup": GROUP}
    subjects = [{"kind": "User", "name": "jane", "apiGroup": GROUP}]
    bound = {"metadata": {"name": "approver"}, "roleRef": approver, "subjects": subjects}
    assert (await rest("POST", f"{RBAC}/clusterrolebindings", bound)).status == 201
    await allowed(lambda: jane("PATCH", f"{REQUESTS}/a/approval", approve, MERGE), 200)
    assert (await jane("PATCH", f"{REQUESTS}/a/status", signed, MERGE))[0] == 403
    await give(rest, "jane", rule("sign", "signers", CERTIFICATES, resourceNames=["kubernetes.io/*"]), name="signer")
    await allowed(lambda: jane("PATCH", f"{REQUESTS}/a/status", signed, MERGE), 200)


async def test_nobody_asks_for_a_certificate_of_the_masters(rest: Any) -> None:
    request = encoded(request_pem("jane", "dev", "system:masters"))
    spec = {"request": request, "signerName": CLIENT_SIGNER, "usages": ["client auth"]}
    refused = await rest("POST", REQUESTS, {"metadata": {"name": "a"}, "spec": spec})
    assert (refused.status, "system:masters group is not allowed" in refused.body["message"]) == (403, True)
    others = spec | {"signerName": "example.com/mine"}
    assert (await rest("POST", REQUESTS, {"metadata": {"name": "a"}, "spec": others})).status == 201


async def test_a_name_in_a_rule_limits_what_has_a_name_and_allows_nothing_else(
    as_user: Any, rest: Any, server: RunningServer
) -> None:
    jane = as_user("jane")
    named = rule("get list watch create delete deletecollection update", "secrets", resourceNames=["mine"])
    await give(rest, "jane", named, namespace="default")
    for name in ("mine", "other"):
        assert (await rest("POST", SECRETS, {"metadata": {"name": name}})).status == 201
    await allowed(lambda: jane("GET", f"{SECRETS}/mine"), 200)
    assert (await jane("POST", SECRETS, {"metadata": {"name": "mine"}}))[0] == 403
    assert (await jane("DELETE", SECRETS))[0] == 403
    assert (await jane("DELETE", f"{SECRETS}?fieldSelector=metadata.name%21%3Dmine"))[0] == 403
    assert (await jane("GET", f"{SECRETS}?fieldSelector=metadata.name%3Dmine,metadata.name%3Dother"))[0] in (200, 403)
    assert (await jane("PUT", f"{SECRETS}/mine", {"metadata": {"name": "other"}}))[0] == 400

    client = Client(server.transport(server.ca.client("jane")))
    try:
        with pytest.raises(ApiError) as caught:
            await client.list(Secret, "default")
        assert caught.value.code == 403
    finally:
        await client.close()


async def test_a_part_of_a_pod_is_written_by_its_own_right_only(as_user: Any, rest: Any) -> None:
    jane = as_user("jane")
    await give(rest, "jane", rule("get update patch", "pods"), rule("get update patch", "pods/status"), namespace="default")
    made = await rest("POST", PODS, pod("a"))
    assert made.status == 201
    await allowed(lambda: jane("GET", f"{PODS}/a"), 200)
    shell = {"name": "shell", "image": "i"}
    for subresource in (
        "ephemeralcontainers",
        "resize",
        "binding",
        "eviction",
        "exec",
        "attach",
        "portforward",
        "proxy",
        "log",
    ):
        assert (await jane("GET", f"{PODS}/a/{subresource}"))[0] in (403, 405), subresource
    assert (await jane("PATCH", f"{PODS}/a/ephemeralcontainers", {"spec": {"ephemeralContainers": [shell]}}, MERGE))[0] == 403
    assert (await jane("PATCH", f"{PODS}/a/resize", {"spec": {}}, MERGE))[0] == 403
    for path in (f"{PODS}/a", f"{PODS}/a/status"):
        await jane("PATCH", path, {"spec": {"ephemeralContainers": [shell], "nodeName": "n1"}}, MERGE)
    spec = (await rest("GET", f"{PODS}/a")).body["spec"]
    assert "ephemeralContainers" not in spec
    assert "nodeName" not in spec


@pytest.mark.parametrize(
    "name", ["system:node:", "system:masters", "jane\nsystem:masters", "system:serviceaccount::", " ", "*"]
)
@pytest.mark.parametrize("groups", [(), ("system:nodes",), ("*",), ("system:masters ",)])
async def test_odd_names_are_nobody_in_particular(as_user: Any, name: str, groups: tuple[str, ...]) -> None:
    nobody = as_user(name, *groups)
    for path in (SECRETS, f"{SECRETS}/a", "/api/v1/nodes", "/metrics"):
        assert (await nobody("GET", path))[0] == 403


async def test_a_hostile_node(as_user: Any, rest: Any, server: RunningServer, client: Client) -> None:
    node = as_user("system:node:n1", "system:nodes")
    for name in ("n1", "n2"):
        assert (await rest("POST", "/api/v1/nodes", {"metadata": {"name": name}})).status == 201
    assert (await rest("POST", PODS, pod("theirs") | {"spec": pod("theirs")["spec"] | {"nodeName": "n2"}})).status == 201
    assert (await rest("POST", PODS, pod("free"))).status == 201
    lease = {"metadata": {"name": "n2", "namespace": "kube-node-lease"}}
    leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
    assert (await rest("POST", leases, lease)).status == 201
    await allowed(lambda: node("GET", f"{PODS}/theirs"), 200)

    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "theirs"}}
    bound = {"target": {"kind": "Node", "name": "n1"}, "metadata": {"name": "free"}}
    reserved = {"metadata": {"labels": {"node-restriction.kubernetes.io/tier": "secure"}}}
    taken = {"spec": {"serviceAccountName": "default", "nodeName": "n1"}}
    attempts: tuple[tuple[str, str, Any, str], ...] = (
        ("POST", f"{PODS}/theirs/eviction", eviction, "application/json"),
        ("POST", f"{PODS}/free/binding", bound, "application/json"),
        ("PATCH", f"{PODS}/theirs/ephemeralcontainers", {"spec": {"ephemeralContainers": []}}, MERGE),
        ("PATCH", f"{PODS}/theirs/resize", {"spec": {}}, MERGE),
        ("PATCH", f"{PODS}/theirs", {"metadata": {"labels": {"a": "b"}}}, MERGE),
        ("PATCH", f"{PODS}/theirs/status", {"metadata": {"labels": {"a": "b"}}}, MERGE),
        ("DELETE", PODS, None, "application/json"),
        ("DELETE", f"{PODS}/theirs", None, "application/json"),
        ("POST", PODS, pod("mine") | {"spec": pod("mine")["spec"] | taken}, "application/json"),
        ("POST", f"{PODS}/theirs/exec?command=sh&stdout=1", None, "application/json"),
        ("GET", f"{PODS}/theirs/log", None, "application/json"),
        ("GET", "/api/v1/nodes/n2/proxy/metrics", None, "application/json"),
        ("PATCH", "/api/v1/nodes/n2", {"metadata": {"labels": {"a": "b"}}}, MERGE),
        ("PATCH", "/api/v1/nodes/n1", reserved, MERGE),
        ("PATCH", "/api/v1/nodes/n1/status", reserved, MERGE),
        ("PATCH", "/api/v1/nodes/n1", {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}, MERGE),
        ("PATCH", f"{leases}/n2", {"spec": {"holderIdentity": "n1"}}, MERGE),
        ("DELETE", f"{leases}/n2", None, "application/json"),
        ("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", {"spec": {}}, "application/json"),
        ("GET", SECRETS, None, "application/json"),
        ("POST", SECRETS, {"metadata": {"name": "s"}}, "application/json"),
        ("GET", "/api/v1/namespaces/default/configmaps", None, "application/json"),
        ("GET", RBAC + "/clusterroles", None, "application/json"),
        ("PATCH", "/api/v1/namespaces/default", {"metadata": {"labels": {"a": "b"}}}, MERGE),
    )
    for method, path, body, content_type in attempts:
        status, answer = await node(method, path, body, content_type)
        assert status == 403, (method, path, answer)
    over_grpc = server.transport(server.ca.client("system:node:n1", ("system:nodes",)))
    try:
        with pytest.raises(ApiError) as caught:
            await over_grpc.bind([PodBinding("default", "free", "", "n1", {})], None)
        assert caught.value.code == 403
    finally:
        await over_grpc.close()
    assert "nodeName" not in (await rest("GET", f"{PODS}/free")).body["spec"]
