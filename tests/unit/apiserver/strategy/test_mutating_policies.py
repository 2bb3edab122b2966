"""MutatingAdmissionPolicies and their bindings."""

from typing import Any

import pytest

from apimachinery.resources import MUTATING_ADMISSION_POLICIES, MUTATING_ADMISSION_POLICY_BINDINGS
from tests.support.strategies import (
    ABSENT,
    FORBIDDEN,
    INVALID,
    REQUIRED,
    UNSUPPORTED,
    Row,
    changed,
    check,
    check_defaults_are_stable,
    created,
    errors_on_create,
    wrong,
)

Plain = dict[str, Any]
RULE = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}
FIRST = "spec.mutations[0]"
CONFIGURATION = f"{FIRST}.applyConfiguration"
POLICY: Plain = {
    "metadata": {"name": "p"},
    "spec": {
        "matchConstraints": {"resourceRules": [RULE]},
        "mutations": [
            {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "Object{spec: Object.spec{replicas: 1}}"}}
        ],
    },
}
PATCH = {f"{FIRST}.patchType": "JSONPatch", CONFIGURATION: ABSENT}
ROWS = (
    Row("right", {}),
    Row("nothing to do", {"spec.mutations": []}, [wrong("spec.mutations", REQUIRED)]),
    Row("nothing to match", {"spec.matchConstraints": ABSENT}, [wrong("spec.matchConstraints", REQUIRED)]),
    Row(
        "deletes",
        {"spec.matchConstraints.resourceRules[0].operations": ["UPDATE", "DELETE"]},
        [wrong("spec.matchConstraints.resourceRules[0].operations[1]", UNSUPPORTED)],
    ),
    Row("patch type", {f"{FIRST}.patchType": "Merge", CONFIGURATION: ABSENT}, [wrong(f"{FIRST}.patchType", UNSUPPORTED)]),
    Row("no patch type", {f"{FIRST}.patchType": ""}, [wrong(f"{FIRST}.patchType", REQUIRED)]),
    Row("no configuration", {CONFIGURATION: ABSENT}, [wrong(CONFIGURATION, REQUIRED)]),
    Row("both", {f"{FIRST}.jsonPatch": {"expression": "[]"}}, [wrong(f"{FIRST}.jsonPatch", FORBIDDEN)]),
    Row("no expression", {f"{CONFIGURATION}.expression": ""}, [wrong(f"{CONFIGURATION}.expression", REQUIRED)]),
    Row(
        "no object",
        {f"{CONFIGURATION}.expression": "{'spec': 1}"},
        [wrong(f"{CONFIGURATION}.expression", INVALID, "must evaluate to Object")],
    ),
    Row(
        "another message",
        {f"{CONFIGURATION}.expression": "Thing{}"},
        [wrong(f"{CONFIGURATION}.expression", INVALID, "undeclared reference to 'Thing'")],
    ),
    Row("patch", {**PATCH, f"{FIRST}.jsonPatch": {"expression": "[JSONPatch{op: 'remove', path: '/a'}]"}}),
    Row(
        "patch that is none",
        {**PATCH, f"{FIRST}.jsonPatch": {"expression": "'x'"}},
        [wrong(f"{FIRST}.jsonPatch.expression", INVALID, "must evaluate to list")],
    ),
    Row(
        "objects in variables",
        {
            "spec.variables": [{"name": "s", "expression": "Object.spec{replicas: 2}"}],
            f"{CONFIGURATION}.expression": "Object{spec: variables.s}",
        },
    ),
    Row("reinvocation", {"spec.reinvocationPolicy": "Always"}, [wrong("spec.reinvocationPolicy", UNSUPPORTED)]),
    Row("failure policy", {"spec.failurePolicy": "Retry"}, [wrong("spec.failurePolicy", UNSUPPORTED)]),
    Row(
        "parameters",
        {
            "spec.paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
            f"{CONFIGURATION}.expression": "Object{data: params.data}",
        },
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_policy(row: Row) -> None:
    check(errors_on_create(MUTATING_ADMISSION_POLICIES, changed(POLICY, row.changes)), row.wrong)


def test_defaults() -> None:
    spec = created(MUTATING_ADMISSION_POLICIES, POLICY).spec
    assert (spec.failure_policy, spec.reinvocation_policy, spec.match_constraints.match_policy) == (
        "Fail",
        "Never",
        "Equivalent",
    )
    check_defaults_are_stable(MUTATING_ADMISSION_POLICIES, POLICY)


BINDING: Plain = {"metadata": {"name": "b"}, "spec": {"policyName": "p"}}
BINDING_ROWS = (
    Row("right", {}),
    Row("no policy", {"spec.policyName": ""}, [wrong("spec.policyName", REQUIRED)]),
    Row("parameters", {"spec.paramRef": {"name": "x"}}, [wrong("spec.paramRef.parameterNotFoundAction", REQUIRED)]),
    Row(
        "match policy",
        {"spec.matchResources": {"matchPolicy": "Some"}},
        [wrong("spec.matchResources.matchPolicy", UNSUPPORTED)],
    ),
)


@pytest.mark.parametrize("row", BINDING_ROWS, ids=lambda row: row.id)
def test_binding(row: Row) -> None:
    check(errors_on_create(MUTATING_ADMISSION_POLICY_BINDINGS, changed(BINDING, row.changes)), row.wrong)
