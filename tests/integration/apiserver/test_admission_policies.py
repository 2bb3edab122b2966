"""Validating admission policies over REST: what a policy in force refuses, warns of, and lets pass."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest

from apiserver.app import Settings
from apiserver.storage.etcd import EtcdStorage
from tests.integration.apiserver.conftest import Rest
from tests.integration.apiserver.test_authorization import RBAC, allowed, binding, role, rule
from tests.support.apiserver import RunningServer, real_api_server
from tests.support.etcd import Etcd

GROUP = "/apis/admissionregistration.k8s.io/v1"
POLICIES, BINDINGS = f"{GROUP}/validatingadmissionpolicies", f"{GROUP}/validatingadmissionpolicybindings"
MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
MERGE = {"Content_Type": "application/merge-patch+json"}
APPLY = {"Content_Type": "application/apply-patch+yaml"}
ON_MAPS = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}


class Cluster:
    """Puts policies in force, and waits until the server has seen them."""

    def __init__(self, rest: Rest, server: RunningServer) -> None:
        self.rest = rest
        self.server = server

    async def impose(
        self,
        *expressions: str | dict[str, Any],
        rule: dict[str, Any] = ON_MAPS,
        binding: dict[str, Any] | None = None,
        match: dict[str, Any] | None = None,
        name: str = "p",
        **spec: Any,
    ) -> None:
        validations = [{"expression": each} if isinstance(each, str) else each for each in expressions]
        body = {"matchConstraints": {"resourceRules": [rule], **(match or {})}, "validations": validations, **spec}
        made = await self.rest("POST", POLICIES, {"metadata": {"name": name}, "spec": body})
        assert made.status == 201, made.body
        bound = {"policyName": name, "validationActions": ["Deny"], **(binding or {})}
        made = await self.rest("POST", BINDINGS, {"metadata": {"name": "b"}, "spec": bound})
        assert made.status == 201, made.body
        await self.seen(f"{BINDINGS}/b", f"{POLICIES}/{name}")

    async def seen(self, *paths: str) -> None:
        """A consistent read waits until the cache, which policies are taken from, is as new."""
        for path in paths:
            assert (await self.rest("GET", path)).status == 200


@pytest.fixture
def cluster(rest: Rest, server: RunningServer) -> Cluster:
    return Cluster(rest, server)


def config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels or {}}, "data": data}


def deployment(name: str, replicas: int) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "busybox:1"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


async def test_what_a_policy_refuses_is_not_stored(cluster: Cluster, rest: Rest) -> None:
    await cluster.impose("!has(object.data) || object.data.all(k, v, v.size() < 5)")
    assert (await rest("POST", MAPS, config_map("good", a="ok"))).status == 201
    refused = await rest("POST", MAPS, config_map("bad", a="too long"))
    sentence = (
        "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: "
        "failed expression: !has(object.data) || object.data.all(k, v, v.size() < 5)"
    )
    assert (refused.status, refused.body["reason"]) == (422, "Invalid")
    assert refused.body["message"] == f'configmaps "bad" is forbidden: {sentence}'
    assert refused.body["details"]["causes"] == [{"message": sentence}]
    assert (await rest("GET", f"{MAPS}/bad")).status == 404


async def test_every_way_to_change_an_object_is_judged(cluster: Cluster, rest: Rest) -> None:
    assert (await rest("POST", MAPS, config_map("m", a="ok"))).status == 201
    await cluster.impose("oldObject == null || object.data.a == oldObject.data.a")
    changed = config_map("m", a="no")
    for method, query, body, headers in (
        ("PUT", "", changed, {}),
        ("PATCH", "", {"data": {"a": "no"}}, MERGE),
        ("PATCH", "?fieldManager=x&force=true", changed, APPLY),
        ("PATCH", "?dryRun=All", {"data": {"a": "no"}}, MERGE),
    ):
        refused = await rest(method, f"{MAPS}/m{query}", body, **headers)
        assert refused.status == 422, refused.body
        assert "denied request" in refused.body["message"]
    stored = await rest("GET", f"{MAPS}/m")
    assert stored.body["data"] == {"a": "ok"}
    assert (await rest("PATCH", f"{MAPS}/m", {"data": {"b": "new"}}, **MERGE)).status == 200


async def test_deletes_and_scales(cluster: Cluster, rest: Rest) -> None:
    assert (await rest("POST", DEPLOYMENTS, deployment("web", 1))).status == 201
    rule = {"apiGroups": ["apps"], "apiVersions": ["*"], "operations": ["DELETE", "UPDATE"]}
    await cluster.impose(
        {"expression": "request.operation != 'DELETE' || oldObject.spec.replicas == 0", "message": "scale it down first"},
        {"expression": "request.operation != 'UPDATE' || object.spec.replicas < 5", "reason": "Forbidden"},
        rule={**rule, "resources": ["deployments", "deployments/scale"]},
    )
    refused = await rest("DELETE", f"{DEPLOYMENTS}/web")
    assert refused.status == 422
    assert refused.body["message"].endswith("denied request: scale it down first")
    refused = await rest("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 7}}, **MERGE)
    assert (refused.status, refused.body["reason"]) == (403, "Forbidden")
    assert (await rest("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 0}}, **MERGE)).status == 200
    assert (await rest("DELETE", f"{DEPLOYMENTS}/web")).status == 200


async def test_what_is_done_to_pods_beside_writing_them(cluster: Cluster, rest: Rest) -> None:
    pods = "/api/v1/namespaces/default/pods"
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "busybox:1"}]}}
    assert (await rest("POST", pods, pod)).status == 201
    below = ["pods/binding", "pods/eviction", "pods/exec"]
    await cluster.impose(
        {"expression": "request.subResource != 'binding' || object.target.name != 'bad'", "message": "no binding"},
        {"expression": "request.subResource != 'eviction'", "message": "no eviction"},
        {"expression": "request.subResource != 'exec' || object.command != ['sh']", "message": "no shell"},
        rule={"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "CONNECT"], "resources": below},
    )
    for path, body, message in (
        ("binding", {"target": {"kind": "Node", "name": "bad"}}, "no binding"),
        ("eviction", {"metadata": {"name": "p"}}, "no eviction"),
        ("exec?command=sh&container=c", None, "no shell"),
    ):
        refused = await rest("POST", f"{pods}/p/{path}", body)
        assert refused.status == 422, refused.body
        assert refused.body["message"].endswith(f"denied request: {message}")
    assert (await rest("POST", f"{pods}/p/binding", {"target": {"kind": "Node", "name": "good"}})).status == 201


async def test_collections_are_judged_one_by_one(cluster: Cluster, rest: Rest) -> None:
    for name in ("keep", "drop"):
        assert (await rest("POST", MAPS, config_map(name, {"set": "x"}))).status == 201
    await cluster.impose("oldObject.metadata.name != 'keep'", rule={**ON_MAPS, "operations": ["DELETE"]})
    refused = await rest("DELETE", f"{MAPS}?labelSelector=set%3Dx")
    assert refused.status == 422
    assert (await rest("GET", f"{MAPS}/keep")).status == 200


async def test_warnings(cluster: Cluster, rest: Rest) -> None:
    validation = {"expression": "object.data.a == 'ok'", "messageExpression": "'a is ' + object.data.a"}
    await cluster.impose(validation, binding={"validationActions": ["Warn", "Audit"]})
    made = await rest("POST", MAPS, config_map("m", a="odd"))
    assert made.status == 201
    told = "299 - \"Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': a is odd\""
    assert made.headers.getall("Warning") == [told]
    changed = await rest("PATCH", f"{MAPS}/m", {"data": {"a": "odder"}}, **MERGE)
    assert (changed.status, len(changed.headers.getall("Warning"))) == (200, 1)
    assert "Warning" not in (await rest("PATCH", f"{MAPS}/m", {"data": {"a": "ok"}}, **MERGE)).headers


async def test_selectors_and_exceptions(cluster: Cluster, rest: Rest) -> None:
    assert (await rest("POST", "/api/v1/namespaces", {"metadata": {"name": "free"}})).status == 201
    await cluster.impose(
        "false",
        match={
            "excludeResourceRules": [{**ON_MAPS, "resourceNames": ["exempt"]}],
            "objectSelector": {"matchLabels": {"judged": "yes"}},
            "namespaceSelector": {
                "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["free"]}]
            },
        },
    )
    judged = {"judged": "yes"}
    assert (await rest("POST", MAPS, config_map("bad", judged))).status == 422
    assert (await rest("POST", MAPS, config_map("plain"))).status == 201
    assert (await rest("POST", MAPS, config_map("exempt", judged))).status == 201
    assert (await rest("POST", "/api/v1/namespaces/free/configmaps", config_map("m", judged))).status == 201
    taken_off = {"metadata": {"labels": {"judged": None}}}
    assert (await rest("PATCH", f"{MAPS}/exempt", taken_off, **MERGE)).status == 200


async def test_a_binding_narrows_its_policy(cluster: Cluster, rest: Rest) -> None:
    resources = {"objectSelector": {"matchLabels": {"judged": "yes"}}}
    await cluster.impose("false", binding={"matchResources": resources})
    assert (await rest("POST", MAPS, config_map("plain"))).status == 201
    assert (await rest("POST", MAPS, config_map("bad", {"judged": "yes"}))).status == 422


async def test_variables_conditions_and_what_surrounds_the_request(cluster: Cluster, rest: Rest) -> None:
    await cluster.impose(
        "variables.short && variables.admin && namespaceObject.metadata.name == 'default' && request.kind.kind == 'ConfigMap'",
        variables=[
            {"name": "size", "expression": "object.data.a.size()"},
            {"name": "short", "expression": "variables.size < 4"},
            {"name": "admin", "expression": "'system:masters' in request.userInfo.groups"},
        ],
        matchConditions=[{"name": "has-data", "expression": "has(object.data)"}],
    )
    assert (await rest("POST", MAPS, config_map("good", a="ok"))).status == 201
    assert (await rest("POST", MAPS, config_map("bad", a="long"))).status == 422
    assert (await rest("POST", MAPS, {"metadata": {"name": "nothing"}})).status == 201
    failed = await rest("POST", MAPS, config_map("odd", b="x"))
    assert failed.status == 422
    assert failed.body["message"].endswith(
        'resulted in error: composited variable "short" fails to evaluate: '
        'composited variable "size" fails to evaluate: no such key: a'
    )


async def test_the_authorizer_can_be_asked(cluster: Cluster, rest: Rest) -> None:
    await cluster.impose(
        "authorizer.requestResource.check('create').allowed()"
        " && authorizer.group('apps').resource('deployments').namespace('default').check('delete').allowed()"
        " && authorizer.path('/metrics').check('get').allowed()"
    )
    assert (await rest("POST", MAPS, config_map("m"))).status == 201


@pytest.mark.parametrize(("policy", "status"), [("Fail", 422), ("Ignore", 201)])
async def test_a_policy_that_fails(cluster: Cluster, rest: Rest, policy: str, status: int) -> None:
    await cluster.impose("object.data.missing == 'x'", failurePolicy=policy)
    answer = await rest("POST", MAPS, config_map("m", a="b"))
    assert answer.status == status
    if status == 422:
        assert answer.body["message"].endswith(
            "expression 'object.data.missing == 'x'' resulted in error: no such key: missing"
        )


async def test_a_policy_that_would_not_end(cluster: Cluster, rest: Rest) -> None:
    endless = "object.data.all(a, object.data.all(b, object.data.all(c, object.data.all(d, a + b + c + d != ''))))"
    await cluster.impose(endless)
    answer = await asyncio.wait_for(rest("POST", MAPS, config_map("m", **{f"k{n}": "v" for n in range(300)})), 20)
    assert answer.status == 422
    assert "running out of cost budget" in answer.body["message"]


async def test_parameters_by_name_and_by_selector(cluster: Cluster, rest: Rest) -> None:
    limits = config_map("limits", {"kind": "limits"}, most="2")
    assert (await rest("POST", MAPS, limits)).status == 201
    reference = {"name": "limits", "namespace": "default", "parameterNotFoundAction": "Deny"}
    on_deployments = {**ON_MAPS, "apiGroups": ["apps"], "resources": ["deployments"]}
    await cluster.impose(
        "object.spec.replicas <= int(params.data.most)",
        rule=on_deployments,
        paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
        binding={"paramRef": reference},
    )
    await cluster.seen(f"{MAPS}/limits")
    assert (await rest("POST", DEPLOYMENTS, deployment("small", 2))).status == 201
    assert (await rest("POST", DEPLOYMENTS, deployment("large", 3))).status == 422
    assert (await rest("PATCH", f"{MAPS}/limits", {"data": {"most": "3"}}, **MERGE)).status == 200
    await cluster.seen(f"{MAPS}/limits")
    assert (await rest("POST", DEPLOYMENTS, deployment("large", 3))).status == 201
    chosen = {"selector": {"matchLabels": {"kind": "limits"}}, "parameterNotFoundAction": "Allow"}
    replaced = {"spec": {"paramRef": {"name": None, "namespace": None, **chosen}}}
    assert (await rest("PATCH", f"{BINDINGS}/b", replaced, **MERGE)).status == 200
    await cluster.seen(f"{BINDINGS}/b")
    assert (await rest("POST", DEPLOYMENTS, deployment("huge", 4))).status == 422
    assert (await rest("DELETE", f"{MAPS}/limits")).status == 200
    assert (await rest("GET", MAPS)).status == 200
    assert (await rest("POST", DEPLOYMENTS, deployment("huge", 4))).status == 201


@pytest.mark.parametrize(("action", "status"), [("Deny", 422), ("Allow", 201)])
async def test_parameters_that_are_not_there(cluster: Cluster, rest: Rest, action: str, status: int) -> None:
    await cluster.impose(
        "params.data.a == 'x'",
        paramKind={"apiVersion": "v1", "kind": "Secret"},
        binding={"paramRef": {"name": "none", "parameterNotFoundAction": action}},
    )
    answer = await rest("POST", MAPS, config_map("m"))
    assert answer.status == status
    if status == 422:
        assert "failed to configure binding: no params found" in answer.body["message"]


async def test_a_kind_of_parameters_that_is_not_served(cluster: Cluster, rest: Rest) -> None:
    await cluster.impose(
        "params == null",
        paramKind={"apiVersion": "example.com/v1", "kind": "Nothing"},
        binding={"paramRef": {"name": "none", "parameterNotFoundAction": "Allow"}},
    )
    answer = await rest("POST", MAPS, config_map("m"))
    assert "paramKind kind `example.com/v1, Kind=Nothing` not known" in answer.body["message"]


async def test_equivalent_forms(cluster: Cluster, rest: Rest) -> None:
    rule = {
        "apiGroups": ["autoscaling"],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["horizontalpodautoscalers"],
    }
    await cluster.impose("object.apiVersion != 'autoscaling/v1' || object.spec.targetCPUUtilizationPercentage < 80", rule=rule)
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 90}}}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    body = {"metadata": {"name": "h"}, "spec": {"maxReplicas": 3, "scaleTargetRef": target, "metrics": [metric]}}
    path = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
    assert (await rest("POST", path, body)).status == 422
    exact = {"spec": {"matchConstraints": {"matchPolicy": "Exact"}}}
    assert (await rest("PATCH", f"{POLICIES}/p", exact, **MERGE)).status == 200
    await cluster.seen(f"{POLICIES}/p")
    assert (await rest("POST", path, body)).status == 201


async def test_policies_do_not_decide_about_policies(cluster: Cluster, rest: Rest) -> None:
    everything = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
    await cluster.impose("false", rule=everything)
    assert (await rest("POST", MAPS, config_map("m"))).status == 422
    assert (await rest("DELETE", f"{BINDINGS}/b")).status == 200
    assert (await rest("DELETE", f"{POLICIES}/p")).status == 200
    assert (await rest("GET", BINDINGS)).status == 200
    assert (await rest("GET", POLICIES)).status == 200
    assert (await rest("POST", MAPS, config_map("m"))).status == 201


async def test_the_server_starts_whatever_its_policies_say(tmp_path: Path, shared_etcd: Etcd) -> None:
    settings = Settings(prefix=f"/registry-{uuid.uuid4()}")
    everything = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
    spec = {"matchConstraints": {"resourceRules": [everything]}, "validations": [{"expression": "false"}]}
    first = real_api_server(tmp_path / "a", storage=EtcdStorage([shared_etcd.endpoint]), settings=settings)
    async with first as server, server.session() as session:
        for path, body in ((POLICIES, spec), (BINDINGS, {"policyName": "p", "validationActions": ["Deny"]})):
            answer = await session.post(server.url + path, json={"metadata": {"name": "p"}, "spec": body})
            assert answer.status == 201
        assert (await session.delete(f"{server.url}/api/v1/namespaces/default/services/kubernetes")).status == 422
    second = real_api_server(tmp_path / "b", storage=EtcdStorage([shared_etcd.endpoint]), settings=settings)
    async with second as server, server.session() as session:
        assert (await session.post(server.url + MAPS, json=config_map("m"))).status == 422


async def test_the_kinds_are_kept_whole(rest: Rest) -> None:
    made = await rest(
        "POST",
        POLICIES,
        {
            "metadata": {"name": "p"},
            "spec": {"matchConstraints": {"resourceRules": [ON_MAPS]}, "validations": [{"expression": "true"}]},
        },
    )
    spec, status = made.body["spec"], made.body["status"]
    assert spec["failurePolicy"] == "Fail"
    assert spec["matchConstraints"]["matchPolicy"] == "Equivalent"
    assert spec["matchConstraints"]["namespaceSelector"] == spec["matchConstraints"]["objectSelector"] == {}
    assert spec["matchConstraints"]["resourceRules"][0]["scope"] == "*"
    assert (made.body["metadata"]["generation"], status) == (1, {"observedGeneration": 1, "typeChecking": {}})
    changed = await rest("PATCH", f"{POLICIES}/p", {"spec": {"failurePolicy": "Ignore"}}, **MERGE)
    assert changed.body["status"]["observedGeneration"] == 2
    refused = await rest("PATCH", f"{POLICIES}/p", {"spec": {"validations": [{"expression": "object.x +"}]}}, **MERGE)
    assert refused.status == 422
    assert refused.body["message"].startswith(
        'ValidatingAdmissionPolicy.admissionregistration.k8s.io "p" is invalid: spec.validations[0].expression: '
        'Invalid value: "object.x +": compilation failed: ERROR: <input>:1:11: Syntax error'
    )


async def test_authors_can_read_what_they_make_parameters_of(rest: Rest, as_user: Any) -> None:
    """Else they could read it by way of messages."""
    rules = [rule("create update", "*", "admissionregistration.k8s.io"), rule("get list", "configmaps")]
    assert (await rest("POST", f"{RBAC}/clusterroles", role("author", *rules))).status == 201
    assert (await rest("POST", f"{RBAC}/clusterrolebindings", binding("author", "ClusterRole", "author", "jane"))).status == 201
    jane = as_user("jane")
    spec = {"matchConstraints": {"resourceRules": [ON_MAPS]}, "validations": [{"expression": "params == null"}]}

    async def write(kind: str, name: str, spec: dict[str, Any]) -> Any:
        return await jane("POST", f"{GROUP}/{kind}", {"metadata": {"name": name}, "spec": spec})

    about = {"apiVersion": "v1", "kind": "ConfigMap"}
    await allowed(lambda: write("validatingadmissionpolicies", "mine", {**spec, "paramKind": about}), 201)
    about = {"apiVersion": "v1", "kind": "Secret"}
    status, body = await write("validatingadmissionpolicies", "p", {**spec, "paramKind": about})
    assert status == 403
    assert body["message"].endswith(
        'user jane must have "get" permission on all objects of the referenced paramKind (kind=Secret, apiVersion=v1)'
    )
    assert (await rest("POST", POLICIES, {"metadata": {"name": "p"}, "spec": {**spec, "paramKind": about}})).status == 201
    for kind, verb, reference in (
        ("validatingadmissionpolicybindings", "get", {"name": "s"}),
        ("validatingadmissionpolicybindings", "list", {"selector": {}}),
    ):
        bound = {
            "policyName": "p",
            "paramRef": {**reference, "parameterNotFoundAction": "Allow"},
            "validationActions": ["Warn"],
        }
        status, body = await write(kind, "b", bound)
        assert status == 403
        assert body["message"].endswith(f'user jane does not have "{verb}" permission on the object referenced by paramRef')
        assert (await write(kind, f"mine-{verb}", {**bound, "policyName": "mine"}))[0] == 201
