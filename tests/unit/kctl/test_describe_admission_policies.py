"""Descriptions and tables of admission policies and their bindings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from apimachinery.printing import SHAPES
from kctl.describe import Surroundings, describer_for

GROUP = "admissionregistration.k8s.io"
NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
METADATA = {"name": "x", "creationTimestamp": "2026-01-01T11:55:00Z"}
RULE = {"apiGroups": ["", "apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["*"], "scope": "*"}
POLICY: dict[str, Any] = {
    "metadata": METADATA,
    "spec": {
        "failurePolicy": "Fail",
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "matchConstraints": {
            "matchPolicy": "Equivalent",
            "resourceRules": [RULE],
            "objectSelector": {"matchLabels": {"a": "b"}},
        },
        "variables": [{"name": "big", "expression": "object.spec.replicas > 5"}],
        "validations": [
            {"expression": "!variables.big", "message": "too big", "reason": "Forbidden"},
            {"expression": "has(object.spec) &&\n  object.spec.x", "message": "no x"},
        ],
    },
    "status": {"typeChecking": {"expressionWarnings": [{"fieldRef": "spec.validations[1]", "warning": "undefined field"}]}},
}
BINDING: dict[str, Any] = {
    "metadata": METADATA,
    "spec": {
        "policyName": "p",
        "validationActions": ["Warn", "Audit"],
        "paramRef": {"name": "limits", "parameterNotFoundAction": "Deny"},
    },
}


def described(kind: str, obj: dict[str, Any]) -> list[str]:
    text = describer_for(GROUP, kind)(obj, Surroundings(NOW)).text()
    return [" ".join(line.split()) for line in text.splitlines()]


def test_a_policy() -> None:
    lines = described("ValidatingAdmissionPolicy", POLICY)
    for line in (
        "Failure Policy: Fail",
        "Param Kind: v1/ConfigMap",
        "Object Selector: a=b",
        'CREATE,UPDATE "",apps v1 * * *',
        "big: object.spec.replicas > 5",
        "Expression: !variables.big",
        "Message: too big",
        "Reason: Forbidden",
        "has(object.spec) &&",
        "object.spec.x",
        "spec.validations[1]: undefined field",
    ):
        assert line in lines
    assert "Audit Annotations:" not in lines


def test_a_mutating_policy() -> None:
    mutations = [
        {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "Object{}"}},
        {"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}},
    ]
    spec = {"failurePolicy": "Fail", "reinvocationPolicy": "Never", "mutations": mutations}
    lines = described("MutatingAdmissionPolicy", {"metadata": METADATA, "spec": spec})
    for line in ("Reinvocation Policy: Never", "Param Kind: <unset>", "ApplyConfiguration: Object{}", "JSONPatch: []"):
        assert line in lines
    shape = SHAPES[GROUP, "MutatingAdmissionPolicy"]
    assert [column.name for column in shape.columns] == ["Name", "Mutations", "ParamKind", "Age"]
    assert shape.cells({"metadata": METADATA, "spec": spec}, NOW) == ["x", 2, "<unset>", "5m"]
    assert "Validation Actions:" not in " ".join(described("MutatingAdmissionPolicyBinding", {"spec": {"policyName": "p"}}))


def test_a_binding() -> None:
    lines = described("ValidatingAdmissionPolicyBinding", BINDING)
    for line in (
        "Policy Name: p",
        "Param Ref: */limits",
        "If No Param Is Found: Deny",
        "Validation Actions: Warn, Audit",
        "Match Resources: <none>",
    ):
        assert line in lines


def test_tables() -> None:
    policy, binding = SHAPES[GROUP, "ValidatingAdmissionPolicy"], SHAPES[GROUP, "ValidatingAdmissionPolicyBinding"]
    assert [column.name for column in policy.columns] == ["Name", "Validations", "ParamKind", "Age"]
    assert policy.cells(POLICY, NOW) == ["x", 2, "v1/ConfigMap", "5m"]
    assert [column.name for column in binding.columns] == ["Name", "PolicyName", "ParamRef", "Age"]
    assert binding.cells(BINDING, NOW) == ["x", "p", "*/limits", "5m"]
    chosen = {"namespace": "n", "selector": {"matchLabels": {"a": "b"}}, "parameterNotFoundAction": "Deny"}
    assert binding.cells({"metadata": METADATA, "spec": {"policyName": "p", "paramRef": chosen}}, NOW)[2] == "n/a=b"
    assert binding.cells({"metadata": METADATA, "spec": {"policyName": "p"}}, NOW)[2] == "<unset>"
