"""Reviews, approval of certificate requests, and classes that pods name: over REST, on both storages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.apiserver.test_crud import PODS, pod
from tests.support.certificate_requests import encoded, request_pem

AUTHORIZATION = "/apis/authorization.k8s.io/v1"
AUTHENTICATION = "/apis/authentication.k8s.io/v1"
LOCAL = AUTHORIZATION + "/namespaces/default/localsubjectaccessreviews"
REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
PRIORITIES = "/apis/scheduling.k8s.io/v1/priorityclasses"
RUNTIMES = "/apis/node.k8s.io/v1/runtimeclasses"
MERGE = "application/merge-patch+json"
GET_PODS = {"verb": "get", "resource": "pods", "namespace": "default"}


async def test_what_somebody_may_do(rest: Any) -> None:
    """The asker is of system:masters, jane views one namespace, and of the others nobody has heard."""
    binding = {
        "metadata": {"name": "viewers"},
        "roleRef": {"kind": "ClusterRole", "name": "system:aggregate-to-view", "apiGroup": "rbac.authorization.k8s.io"},
        "subjects": [{"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}],
    }
    bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings"
    assert (await rest("POST", bindings, binding)).status == 201
    why = 'RBAC: allowed by RoleBinding "viewers/default" of ClusterRole "system:aggregate-to-view" to User "jane"'
    for path, spec, status in (
        ("/subjectaccessreviews", {"user": "jane", "resourceAttributes": GET_PODS}, {"allowed": True, "reason": why}),
        (
            "/subjectaccessreviews",
            {"user": "jane", "resourceAttributes": {**GET_PODS, "namespace": "kube-system"}},
            {"allowed": False},
        ),
        ("/subjectaccessreviews", {"groups": ["dev"], "user": "j", "resourceAttributes": GET_PODS}, {"allowed": False}),
        (
            "/subjectaccessreviews",
            {"groups": ["system:masters"], "user": "j", "nonResourceAttributes": {"path": "/x", "verb": "get"}},
            {"allowed": True},
        ),
        ("/selfsubjectaccessreviews", {"resourceAttributes": GET_PODS}, {"allowed": True}),
        (
            "/namespaces/default/localsubjectaccessreviews",
            {"user": "jane", "resourceAttributes": GET_PODS},
            {"allowed": True, "reason": why},
        ),
    ):
        answer = await rest("POST", AUTHORIZATION + path, {"spec": spec})
        assert (answer.status, answer.body["status"]) == (201, status), answer.body
        assert answer.body["spec"] == spec
    rules = await rest("POST", AUTHORIZATION + "/selfsubjectrulesreviews", {"spec": {"namespace": "default"}})
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    assert rules.body["status"]["resourceRules"] == [everything]
    assert rules.body["status"]["incomplete"] is False


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/subjectaccessreviews", {"spec": {"user": "a"}}, "spec.resourceAttributes"),
        ("/subjectaccessreviews", {"spec": {"resourceAttributes": GET_PODS}}, "spec.user"),
        (
            "/selfsubjectaccessreviews",
            {"spec": {"resourceAttributes": GET_PODS, "nonResourceAttributes": {}}},
            "spec.nonResourceAttributes",
        ),
        ("/selfsubjectaccessreviews", {"metadata": {"name": "a"}, "spec": {"resourceAttributes": GET_PODS}}, "metadata"),
        (
            "/namespaces/kube-system/localsubjectaccessreviews",
            {"spec": {"user": "a", "resourceAttributes": GET_PODS}},
            "spec.resourceAttributes.namespace",
        ),
    ],
)
async def test_questions_that_make_no_sense(rest: Any, path: str, body: Any, field: str) -> None:
    answer = await rest("POST", AUTHORIZATION + path, body)
    assert (answer.status, answer.body["details"]["causes"][0]["field"]) == (422, field)


async def test_who_somebody_is(rest: Any) -> None:
    me = await rest("POST", AUTHENTICATION + "/selfsubjectreviews", {})
    assert me.body["status"]["userInfo"] == {
        "username": "kubernetes-admin",
        "groups": ["system:masters", "system:authenticated"],
    }
    token = await rest("POST", AUTHENTICATION + "/tokenreviews", {"spec": {"token": "abc"}})
    assert token.body["status"] == {"error": "invalid bearer token"}
    assert (await rest("POST", AUTHENTICATION + "/tokenreviews", {"spec": {}})).status == 400


async def test_reviews_can_only_be_created(rest: Any) -> None:
    for method, path in (("GET", "/selfsubjectreviews"), ("DELETE", "/tokenreviews"), ("GET", "/tokenreviews/a")):
        assert (await rest(method, AUTHENTICATION + path)).status == 405
    assert (await rest("POST", AUTHORIZATION + "/localsubjectaccessreviews", {})).status == 400


async def test_discovery_names_versions_and_verbs(rest: Any) -> None:
    groups = {each["name"]: each for each in (await rest("GET", "/apis")).body["groups"]}
    assert [each["version"] for each in groups["autoscaling"]["versions"]] == ["v2", "v1"]
    assert groups["autoscaling"]["preferredVersion"]["version"] == "v2"
    reviews = (await rest("GET", AUTHENTICATION)).body["resources"]
    assert all(each["verbs"] == ["create"] for each in reviews)
    names = {each["name"] for each in (await rest("GET", "/apis/certificates.k8s.io/v1")).body["resources"]}
    assert "certificatesigningrequests/approval" in names


async def test_a_certificate_request_is_approved(rest: Any) -> None:
    spec = {"request": encoded(request_pem()), "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]}
    created = await rest("POST", REQUESTS, {"metadata": {"name": "jane"}, "spec": spec})
    assert created.status == 201, created.body
    assert created.body["spec"]["username"] == "kubernetes-admin"
    assert "system:masters" in created.body["spec"]["groups"]
    condition = {"type": "Approved", "status": "True", "reason": "KubectlApprove"}
    patch = {"status": {"conditions": [condition]}}
    refused = await rest("PATCH", REQUESTS + "/jane/status", patch, Content_Type=MERGE)
    assert refused.status == 422
    approved = await rest("PATCH", REQUESTS + "/jane/approval", patch, Content_Type=MERGE)
    (written,) = approved.body["status"]["conditions"]
    assert written["lastUpdateTime"] == written["lastTransitionTime"]
    assert (await rest("GET", REQUESTS + "/jane/approval")).body == approved.body
    assert (await rest("PUT", REQUESTS + "/jane/approval", approved.body)).body == approved.body
    listed = await rest("GET", REQUESTS + "?fieldSelector=spec.signerName%3Dexample.com/x")
    assert listed.body["items"] == []


async def test_pods_get_the_priority_of_their_class(rest: Any) -> None:
    names = [each["metadata"]["name"] for each in (await rest("GET", PRIORITIES)).body["items"]]
    assert names == ["system-cluster-critical", "system-node-critical"]
    critical = (await rest("POST", PODS, pod("a", priorityClassName="system-node-critical"))).body["spec"]
    assert (critical["priority"], critical["preemptionPolicy"]) == (2_000_001_000, "PreemptLowerPriority")
    ordinary = (await rest("POST", PODS, pod("b"))).body["spec"]
    assert ordinary["priority"] == 0
    unknown = await rest("POST", PODS, pod("c", priorityClassName="none"))
    assert (unknown.status, "no PriorityClass with name none was found" in unknown.body["message"]) == (403, True)
    assert (await rest("POST", PODS, pod("c", priority=5))).status == 403

    usual = {"metadata": {"name": "usual"}, "value": 7, "globalDefault": True, "preemptionPolicy": "Never"}
    assert (await rest("POST", PRIORITIES, usual)).status == 201
    assert (await rest("GET", PRIORITIES + "/usual")).status == 200
    second = await rest("POST", PRIORITIES, {**usual, "metadata": {"name": "other"}})
    assert (second.status, "already marked as default" in second.body["message"]) == (403, True)
    spec = (await rest("POST", PODS, pod("d"))).body["spec"]
    assert (spec["priorityClassName"], spec["priority"], spec["preemptionPolicy"]) == ("usual", 7, "Never")


async def test_pods_get_what_their_runtime_costs(rest: Any) -> None:
    assert (await rest("POST", PODS, pod("a", runtimeClassName="vm"))).status == 403
    vm = {
        "metadata": {"name": "vm"},
        "handler": "kata",
        "overhead": {"podFixed": {"cpu": "0.25"}},
        "scheduling": {"nodeSelector": {"vm": "yes"}, "tolerations": [{"key": "vm", "operator": "Exists"}]},
    }
    assert (await rest("POST", RUNTIMES, vm)).status == 201
    spec = (await rest("POST", PODS, pod("a", runtimeClassName="vm"))).body["spec"]
    assert (spec["overhead"], spec["nodeSelector"]) == ({"cpu": "250m"}, {"vm": "yes"})
    assert {"key": "vm", "operator": "Exists"} in spec["tolerations"]
    conflict = await rest("POST", PODS, pod("b", runtimeClassName="vm", nodeSelector={"vm": "no"}))
    assert (conflict.status, "conflict" in conflict.body["message"]) == (403, True)
