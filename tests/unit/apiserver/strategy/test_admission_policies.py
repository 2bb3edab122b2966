"""ValidatingAdmissionPolicies and their bindings."""

from typing import Any

import pytest

from apimachinery.resources import VALIDATING_ADMISSION_POLICIES, VALIDATING_ADMISSION_POLICY_BINDINGS
from tests.support.strategies import (
    ABSENT,
    DUPLICATE,
    FORBIDDEN,
    INVALID,
    REQUIRED,
    TOO_MANY,
    UNSUPPORTED,
    Row,
    changed,
    check,
    check_defaults_are_stable,
    created,
    errors_on_create,
    errors_on_update,
    stored,
    updated,
    wrong,
)

Plain = dict[str, Any]
RULE = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}
POLICY: Plain = {
    "metadata": {"name": "p"},
    "spec": {
        "matchConstraints": {"resourceRules": [RULE]},
        "validations": [{"expression": "object.spec.replicas <= 5"}],
    },
}
FIRST, RULES = "spec.validations[0]", "spec.matchConstraints.resourceRules[0]"
EMPTY = "validations or auditAnnotations must be non-empty"
POLICY_ROWS = (
    Row("right", {}),
    Row("nothing to match", {"spec.matchConstraints": ABSENT}, [wrong("spec.matchConstraints", REQUIRED)]),
    Row("no rules", {"spec.matchConstraints.resourceRules": []}, [wrong("spec.matchConstraints.resourceRules", REQUIRED)]),
    Row(
        "nothing to do",
        {"spec.validations": []},
        [wrong("spec.validations", REQUIRED, EMPTY), wrong("spec.auditAnnotations", REQUIRED, EMPTY)],
    ),
    Row("only annotations", {"spec.validations": [], "spec.auditAnnotations": [{"key": "k", "valueExpression": "'v'"}]}),
    Row("failure policy", {"spec.failurePolicy": "Retry"}, [wrong("spec.failurePolicy", UNSUPPORTED)]),
    Row(
        "match policy", {"spec.matchConstraints.matchPolicy": "Some"}, [wrong("spec.matchConstraints.matchPolicy", UNSUPPORTED)]
    ),
    Row("no operations", {f"{RULES}.operations": []}, [wrong(f"{RULES}.operations", REQUIRED)]),
    Row("operation", {f"{RULES}.operations": ["GET"]}, [wrong(f"{RULES}.operations[0]", UNSUPPORTED)]),
    Row("star is alone", {f"{RULES}.apiGroups": ["*", "apps"]}, [wrong(f"{RULES}.apiGroups", INVALID, "if '*' is present")]),
    Row("no groups", {f"{RULES}.apiGroups": []}, [wrong(f"{RULES}.apiGroups", REQUIRED)]),
    Row("empty version", {f"{RULES}.apiVersions": [""]}, [wrong(f"{RULES}.apiVersions[0]", REQUIRED)]),
    Row("no resources", {f"{RULES}.resources": []}, [wrong(f"{RULES}.resources", REQUIRED)]),
    Row("all and one", {f"{RULES}.resources": ["*", "pods"]}, [wrong(f"{RULES}.resources", INVALID, "without subresources")]),
    Row("scope", {f"{RULES}.scope": "Node"}, [wrong(f"{RULES}.scope", UNSUPPORTED)]),
    Row("names twice", {f"{RULES}.resourceNames": ["a", "a"]}, [wrong(f"{RULES}.resourceNames[1]", DUPLICATE)]),
    Row("a name that is none", {f"{RULES}.resourceNames": ["a/b"]}, [wrong(f"{RULES}.resourceNames[0]", INVALID)]),
    Row(
        "exceptions are rules too",
        {"spec.matchConstraints.excludeResourceRules": [{**RULE, "operations": []}]},
        [wrong("spec.matchConstraints.excludeResourceRules[0].operations", REQUIRED)],
    ),
    Row("no expression", {f"{FIRST}.expression": " "}, [wrong(f"{FIRST}.expression", REQUIRED, "expression is not specified")]),
    Row(
        "syntax",
        {f"{FIRST}.expression": "object.x >"},
        [wrong(f"{FIRST}.expression", INVALID, "compilation failed: ERROR: <input>:1:11: Syntax error")],
    ),
    Row("no bool", {f"{FIRST}.expression": "'x'"}, [wrong(f"{FIRST}.expression", INVALID, "must evaluate to bool")]),
    Row(
        "unknown name",
        {f"{FIRST}.expression": "params.x"},
        [wrong(f"{FIRST}.expression", INVALID, "undeclared reference to 'params'")],
    ),
    Row("params", {f"{FIRST}.expression": "params.x", "spec.paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}),
    Row(
        "unknown field",
        {f"{FIRST}.expression": "request.verb == 'x'"},
        [wrong(f"{FIRST}.expression", INVALID, "undefined field 'verb'")],
    ),
    Row("the authorizer", {f"{FIRST}.expression": "authorizer.requestResource.check('get').allowed()"}),
    Row("reason", {f"{FIRST}.reason": "Gone"}, [wrong(f"{FIRST}.reason", UNSUPPORTED)]),
    Row("empty message", {f"{FIRST}.message": "  "}, [wrong(f"{FIRST}.message", INVALID, "non-empty")]),
    Row("two lines", {f"{FIRST}.message": "a\nb"}, [wrong(f"{FIRST}.message", INVALID, "line breaks")]),
    Row(
        "long expressions have messages",
        {f"{FIRST}.expression": "true\n&& false"},
        [wrong(f"{FIRST}.message", REQUIRED, "line breaks")],
    ),
    Row("message expression", {f"{FIRST}.messageExpression": "object.kind + ' is wrong'"}),
    Row(
        "message of what",
        {f"{FIRST}.messageExpression": "1"},
        [wrong(f"{FIRST}.messageExpression", INVALID, "must evaluate to string")],
    ),
    Row(
        "messages do not authorize",
        {f"{FIRST}.messageExpression": "authorizer.path('/').check('get').reason()"},
        [wrong(f"{FIRST}.messageExpression", INVALID, "undeclared reference to 'authorizer'")],
    ),
    Row(
        "variables build on each other",
        {
            "spec.variables": [{"name": "a", "expression": "1"}, {"name": "b", "expression": "variables.a + 1"}],
            f"{FIRST}.expression": "variables.b == 2",
        },
    ),
    Row(
        "variables know those before them",
        {"spec.variables": [{"name": "a", "expression": "variables.b"}, {"name": "b", "expression": "1"}]},
        [wrong("spec.variables[0].expression", INVALID, "undefined field 'b'")],
    ),
    Row(
        "variables have types",
        {"spec.variables": [{"name": "a", "expression": "1"}], f"{FIRST}.expression": "variables.a == 'x'"},
        [wrong(f"{FIRST}.expression", INVALID, "'_==_' applied to '(int, string)'")],
    ),
    Row(
        "variable name",
        {"spec.variables": [{"name": "a-b", "expression": "1"}]},
        [wrong("spec.variables[0].name", INVALID, "not a valid CEL identifier")],
    ),
    Row(
        "reserved name",
        {"spec.variables": [{"name": "for", "expression": "1"}]},
        [wrong("spec.variables[0].name", INVALID, "not a valid CEL identifier")],
    ),
    Row("no name", {"spec.variables": [{"name": "", "expression": "1"}]}, [wrong("spec.variables[0].name", REQUIRED)]),
    Row(
        "one name twice",
        {"spec.variables": [{"name": "a", "expression": "1"}, {"name": "a", "expression": "2"}]},
        [wrong("spec.variables[1].name", DUPLICATE)],
    ),
    Row("conditions", {"spec.matchConditions": [{"name": "a", "expression": "request.name == 'x'"}]}),
    Row(
        "condition name",
        {"spec.matchConditions": [{"name": "a b", "expression": "true"}]},
        [wrong("spec.matchConditions[0].name", INVALID)],
    ),
    Row(
        "conditions know no variables",
        {
            "spec.variables": [{"name": "a", "expression": "true"}],
            "spec.matchConditions": [{"name": "a", "expression": "variables.a"}],
        },
        [wrong("spec.matchConditions[0].expression", INVALID, "undeclared reference to 'variables'")],
    ),
    Row(
        "too many conditions",
        {"spec.matchConditions": [{"name": f"c{n}", "expression": "true"} for n in range(65)]},
        [wrong("spec.matchConditions", TOO_MANY)],
    ),
    Row(
        "kind of parameters",
        {"spec.paramKind": {"apiVersion": "a/b/c", "kind": ""}},
        [wrong("spec.paramKind.apiVersion", INVALID), wrong("spec.paramKind.kind", REQUIRED)],
    ),
    Row("kind that is none", {"spec.paramKind": {"apiVersion": "v1", "kind": "a b"}}, [wrong("spec.paramKind.kind", INVALID)]),
    Row(
        "annotation key",
        {"spec.auditAnnotations": [{"key": "a/b", "valueExpression": "'x'"}]},
        [wrong("spec.auditAnnotations[0].key", INVALID)],
    ),
    Row(
        "annotation value",
        {"spec.auditAnnotations": [{"key": "a", "valueExpression": "1"}]},
        [wrong("spec.auditAnnotations[0].valueExpression", INVALID, "must evaluate to one of [string null_type]")],
    ),
    Row(
        "long annotation",
        {"spec.auditAnnotations": [{"key": "a", "valueExpression": f"'{'x' * 6000}'"}]},
        [wrong("spec.auditAnnotations[0].valueExpression", REQUIRED, "must not exceed")],
    ),
    Row(
        "too many annotations",
        {"spec.auditAnnotations": [{"key": f"k{n}", "valueExpression": "'x'"} for n in range(21)]},
        [wrong("spec.auditAnnotations", INVALID, "must not have more than 20")],
    ),
)


@pytest.mark.parametrize("row", POLICY_ROWS, ids=lambda row: row.id)
def test_policy(row: Row) -> None:
    check(errors_on_create(VALIDATING_ADMISSION_POLICIES, changed(POLICY, row.changes)), row.wrong)


def test_defaults() -> None:
    spec = created(VALIDATING_ADMISSION_POLICIES, POLICY).spec
    assert (spec.failure_policy, spec.match_constraints.match_policy) == ("Fail", "Equivalent")
    assert spec.match_constraints.resource_rules[0].scope == "*"
    assert spec.match_constraints.namespace_selector is not None
    check_defaults_are_stable(VALIDATING_ADMISSION_POLICIES, POLICY)


def test_what_is_stored_is_observed() -> None:
    old = stored(VALIDATING_ADMISSION_POLICIES, POLICY)
    assert old.status.observed_generation == 1
    new, _ = updated(VALIDATING_ADMISSION_POLICIES, old, changed(POLICY, {"spec.failurePolicy": "Ignore"}))
    assert (new.metadata.generation, new.status.observed_generation) == (2, 2)


STATUS_ROWS = (
    Row(
        "a warning says what and where",
        {"status.typeChecking": {"expressionWarnings": [{"fieldRef": "", "warning": ""}]}},
        [
            wrong("status.typeChecking.expressionWarnings[0].warning", REQUIRED),
            wrong("status.typeChecking.expressionWarnings[0].fieldRef", REQUIRED),
        ],
        "status",
    ),
    Row(
        "conditions have types",
        {
            "status.conditions": [
                {"type": "", "status": "True", "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
            ]
        },
        [wrong("status.conditions[0].type", REQUIRED)],
        "status",
    ),
)


@pytest.mark.parametrize("row", STATUS_ROWS, ids=lambda row: row.id)
def test_status(row: Row) -> None:
    check(errors_on_update(VALIDATING_ADMISSION_POLICIES, POLICY, row), row.wrong)


BINDING: Plain = {"metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": ["Deny"]}}
BINDING_ROWS = (
    Row("right", {}),
    Row("no policy", {"spec.policyName": ""}, [wrong("spec.policyName", REQUIRED)]),
    Row("policy name", {"spec.policyName": "A_b"}, [wrong("spec.policyName", INVALID)]),
    Row("no actions", {"spec.validationActions": []}, [wrong("spec.validationActions", REQUIRED)]),
    Row("action", {"spec.validationActions": ["Refuse"]}, [wrong("spec.validationActions[0]", UNSUPPORTED)]),
    Row("action twice", {"spec.validationActions": ["Deny", "Deny"]}, [wrong("spec.validationActions[1]", DUPLICATE)]),
    Row(
        "deny and warn",
        {"spec.validationActions": ["Deny", "Warn"]},
        [wrong("spec.validationActions", INVALID, "both Deny and Warn")],
    ),
    Row("warn and audit", {"spec.validationActions": ["Warn", "Audit"]}),
    Row("resources without rules", {"spec.matchResources": {"objectSelector": {"matchLabels": {"a": "b"}}}}),
    Row(
        "selector",
        {"spec.matchResources": {"objectSelector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}}},
        [wrong("spec.matchResources.objectSelector.matchExpressions[0].operator", INVALID)],
    ),
    Row("parameters", {"spec.paramRef": {"name": "x", "parameterNotFoundAction": "Allow"}}),
    Row(
        "parameters from nowhere",
        {"spec.paramRef": {"namespace": "x", "parameterNotFoundAction": "Deny"}},
        [wrong("spec.paramRef", REQUIRED, "one of name or selector")],
    ),
    Row(
        "parameters twice",
        {"spec.paramRef": {"name": "x", "selector": {}, "parameterNotFoundAction": "Deny"}},
        [wrong("spec.paramRef.name", FORBIDDEN, "mutually exclusive")],
    ),
    Row("when there are none", {"spec.paramRef": {"name": "x"}}, [wrong("spec.paramRef.parameterNotFoundAction", REQUIRED)]),
)


@pytest.mark.parametrize("row", BINDING_ROWS, ids=lambda row: row.id)
def test_binding(row: Row) -> None:
    check(errors_on_create(VALIDATING_ADMISSION_POLICY_BINDINGS, changed(BINDING, row.changes)), row.wrong)
