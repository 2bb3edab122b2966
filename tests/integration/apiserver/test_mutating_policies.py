"""Mutating admission policies over REST: what they make of objects."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.apiserver.conftest import Rest

GROUP = "/apis/admissionregistration.k8s.io/v1"
POLICIES, BINDINGS = f"{GROUP}/mutatingadmissionpolicies", f"{GROUP}/mutatingadmissionpolicybindings"
MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
MERGE = {"Content_Type": "application/merge-patch+json"}
ON_MAPS = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}
ON_PODS = {**ON_MAPS, "operations": ["CREATE"], "resources": ["pods"]}


def laid(expression: str) -> dict[str, Any]:
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def patched(expression: str) -> dict[str, Any]:
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


async def impose(
    rest: Rest, *mutations: dict[str, Any], name: str = "p", rule: dict[str, Any] = ON_MAPS, binding: Any = None, **spec: Any
) -> None:
    """Put a policy in force; it is when its write has been answered."""
    body = {"matchConstraints": {"resourceRules": [rule]}, "mutations": list(mutations), **spec}
    made = await rest("POST", POLICIES, {"metadata": {"name": name}, "spec": body})
    assert made.status == 201, made.body
    made = await rest("POST", BINDINGS, {"metadata": {"name": name}, "spec": {"policyName": name, **(binding or {})}})
    assert made.status == 201, made.body


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def pod(name: str, **more: Any) -> dict[str, Any]:
    containers = [{"name": "c", "image": "busybox:1", "args": ["a"]}]
    return {"metadata": {"name": name}, "spec": {"containers": containers, **more}}


async def test_a_configuration_is_laid_over_the_object(rest: Rest) -> None:
    sidecar = 'Object.spec.initContainers{name: "proxy", image: "proxy:1", args: ["run"], restartPolicy: "Always"}'
    await impose(
        rest,
        laid(
            'Object{metadata: Object.metadata{labels: {"made": object.metadata.name}}, '
            f"spec: Object.spec{{initContainers: [{sidecar}], "
            'containers: [Object.spec.containers{name: "c", imagePullPolicy: "Never"}]}}'
        ),
        rule=ON_PODS,
    )
    made = await rest("POST", PODS, pod("p", initContainers=[{"name": "first", "image": "i:1"}]))
    assert made.status == 201, made.body
    spec = made.body["spec"]
    assert made.body["metadata"]["labels"] == {"made": "p"}
    assert [each["name"] for each in spec["initContainers"]] == ["first", "proxy"]
    (container,) = spec["containers"]
    assert (container["image"], container["imagePullPolicy"], container["args"]) == ("busybox:1", "Never", ["a"])


async def test_a_json_patch(rest: Rest) -> None:
    await impose(
        rest,
        patched(
            '[JSONPatch{op: "test", path: "/data/a", value: "x"}, JSONPatch{op: "replace", path: "/data/a", value: "y"}, '
            'JSONPatch{op: "add", path: "/metadata/annotations", value: {"example.com/by": request.userInfo.username}}, '
            'JSONPatch{op: "add", path: "/metadata/annotations/" + jsonpatch.escapeKey("example.com/n"), value: string(1 + 1)}]'
        ),
        matchConditions=[{"name": "a", "expression": "object.data.a == 'x'"}],
    )
    made = await rest("POST", MAPS, config_map("m", a="x"))
    assert made.body["data"] == {"a": "y"}
    assert made.body["metadata"]["annotations"] == {"example.com/by": "kubernetes-admin", "example.com/n": "2"}
    assert (await rest("POST", MAPS, config_map("n", a="z"))).body["data"] == {"a": "z"}
    changed = await rest("PATCH", f"{MAPS}/n", {"data": {"a": "x"}}, **MERGE)
    assert changed.body["data"] == {"a": "y"}
    assert (await rest("GET", f"{MAPS}/n")).body["data"] == {"a": "y"}


async def test_mutations_follow_each_other_and_share_variables(rest: Rest) -> None:
    await impose(
        rest,
        laid('Object{data: Object.data{b: variables.a + "1"}}'),
        patched('[JSONPatch{op: "add", path: "/data/c", value: object.data.b + "2"}]'),
        variables=[{"name": "a", "expression": "object.data.a"}],
    )
    assert (await rest("POST", MAPS, config_map("m", a="0"))).body["data"] == {"a": "0", "b": "01", "c": "012"}


async def test_what_policies_make_is_defaulted_validated_and_judged(rest: Rest) -> None:
    await impose(rest, patched('[JSONPatch{op: "add", path: "/spec/containers/-", value: {"name": "d"}}]'), rule=ON_PODS)
    refused = await rest("POST", PODS, pod("p"))
    assert (refused.status, refused.body["details"]["causes"][0]["field"]) == (422, "spec.containers[1].image")
    replaced = {"spec": {"mutations": [laid("Object{spec: Object.spec{hostname: 'web'}}")]}}
    assert (await rest("PATCH", f"{POLICIES}/p", replaced, **MERGE)).status == 200
    validating = f"{GROUP}/validatingadmissionpolicies"
    validations = [{"expression": "object.spec.hostname != 'web'"}]
    spec = {"matchConstraints": {"resourceRules": [ON_PODS]}, "validations": validations}
    assert (await rest("POST", validating, {"metadata": {"name": "v"}, "spec": spec})).status == 201
    binding = {"metadata": {"name": "v"}, "spec": {"policyName": "v", "validationActions": ["Deny"]}}
    assert (await rest("POST", f"{GROUP}/validatingadmissionpolicybindings", binding)).status == 201
    refused = await rest("POST", PODS, pod("p"))
    assert "ValidatingAdmissionPolicy 'v'" in refused.body["message"]


async def test_parameters(rest: Rest) -> None:
    assert (
        await rest("POST", "/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}, "type": "Opaque"})
    ).status == 201
    await impose(
        rest,
        laid("Object{data: Object.data{from: params.metadata.name}}"),
        paramKind={"apiVersion": "v1", "kind": "Secret"},
        binding={"paramRef": {"name": "s", "parameterNotFoundAction": "Deny"}},
    )
    assert (await rest("GET", "/api/v1/namespaces/default/secrets")).status == 200
    assert (await rest("POST", MAPS, config_map("m"))).body["data"] == {"from": "s"}


FAILING = (
    ("evaluation", patched('[JSONPatch{op: "add", path: "/data/" + object.data.none, value: "x"}]'), "no such key: none"),
    ("path", patched('[JSONPatch{op: "remove", path: "/data/none"}]'), "the JSON patch cannot be applied"),
    ("operation", patched("['x']"), "a JSON patch is a list of JSONPatch{}, not of string"),
    ("field", patched('[JSONPatch{op: "test", path: "/", where: "x"}]'), "JSONPatch has no field 'where'"),
    ("undeclared", laid("Object{spec: Object.spec{x: 1}}"), ".spec: field not declared in schema"),
    (
        "another place",
        laid("Object{data: Object.metadata{name: 'x'}}"),
        "type Object.metadata does not fit here: expected Object.data",
    ),
    ("another kind", patched('[JSONPatch{op: "replace", path: "/kind", value: "Secret"}]'), "cannot change kind"),
    ("another type", patched('[JSONPatch{op: "add", path: "/data/n", value: 1}]'), "expected `str`, got `int`"),
)


@pytest.mark.parametrize(("name", "mutation", "says"), FAILING, ids=[row[0] for row in FAILING])
async def test_a_policy_that_fails(rest: Rest, name: str, mutation: dict[str, Any], says: str) -> None:
    await impose(rest, mutation)
    refused = await rest("POST", MAPS, config_map("m", a="x"))
    assert refused.status == 422
    assert "MutatingAdmissionPolicy 'p' with binding 'p' denied request: " in refused.body["message"]
    assert says in refused.body["message"]
    assert (await rest("PATCH", f"{POLICIES}/p", {"spec": {"failurePolicy": "Ignore"}}, **MERGE)).status == 200
    assert (await rest("POST", MAPS, config_map("m", a="x"))).body["data"] == {"a": "x"}


async def test_what_is_one_value_is_not_lost(rest: Rest) -> None:
    expression = 'Object{spec: Object.spec{containers: [Object.spec.containers{name: "c", args: ["b"]}]}}'
    await impose(rest, laid(expression), rule=ON_PODS)
    refused = await rest("POST", PODS, pod("p"))
    assert "may not mutate atomic arrays, maps or structs" in refused.body["message"]


@pytest.mark.parametrize(("reinvocation", "seen"), [("Never", "0"), ("IfNeeded", "1")])
async def test_a_second_turn(rest: Rest, reinvocation: str, seen: str) -> None:
    count = "Object{data: Object.data{seen: string(object.data.filter(k, k == 'late').size())}}"
    await impose(rest, laid(count), name="a", reinvocationPolicy=reinvocation)
    await impose(rest, laid("Object{data: Object.data{late: 'x'}}"), name="b")
    made = await rest("POST", MAPS, config_map("m", a="x"))
    assert made.body["data"] == {"a": "x", "seen": seen, "late": "x"}


async def test_scales_are_changed_too(rest: Rest) -> None:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "busybox:1"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    assert (await rest("POST", DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": spec})).status == 201
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments/scale"]}
    await impose(rest, laid("Object{spec: Object.spec{replicas: 2}}"), rule=rule)
    changed = await rest("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 9}}, **MERGE)
    assert changed.body["spec"] == {"replicas": 2}
    assert (await rest("GET", f"{DEPLOYMENTS}/web")).body["spec"]["replicas"] == 2


async def test_what_policies_change_is_nobodys(rest: Rest) -> None:
    await impose(rest, laid('Object{metadata: Object.metadata{labels: {"made": "yes"}}}'))
    made = await rest("POST", f"{MAPS}?fieldManager=jane", config_map("m", a="x"))
    (entry,) = made.body["metadata"]["managedFields"]
    assert entry["manager"] == "jane"
    assert "f:data" in entry["fieldsV1"]
    assert "f:labels" not in entry["fieldsV1"].get("f:metadata", {})


async def test_names_that_are_made_up(rest: Rest) -> None:
    await impose(rest, laid('Object{data: Object.data{b: "made"}}'))
    made = await rest("POST", MAPS, {"metadata": {"generateName": "m-"}, "data": {"a": "x"}})
    assert (made.status, made.body["data"]) == (201, {"a": "x", "b": "made"})
    assert made.body["metadata"]["name"].startswith("m-")
