"""Configurations of admission webhooks: what is filled in, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from apimachinery.resources import MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS, Resource
from tests.support.strategies import (
    ABSENT,
    DUPLICATE,
    INVALID,
    REQUIRED,
    TOO_MANY,
    UNSUPPORTED,
    Plain,
    Row,
    changed,
    check,
    check_defaults_are_stable,
    created,
    errors_on_create,
    stored,
    updated,
    wrong,
)

BOTH = (VALIDATING_WEBHOOK_CONFIGURATIONS, MUTATING_WEBHOOK_CONFIGURATIONS)
SERVICE = {"namespace": "default", "name": "hook", "path": "/validate"}
RULE = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
WEBHOOK: Plain = {
    "name": "check.example.com",
    "clientConfig": {"service": SERVICE},
    "rules": [RULE],
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
}
CONFIGURATION: Plain = {"metadata": {"name": "w"}, "webhooks": [WEBHOOK]}
W = "webhooks[0]"
R = f"{W}.rules[0]"


def resources(*values: str) -> dict[str, Any]:
    return {f"{R}.resources": list(values)}


CASES = (
    Row("as it is", {}),
    Row("without webhooks", {"webhooks": []}),
    Row("a name is a domain", {f"{W}.name": "check"}, [wrong(f"{W}.name", INVALID, "at least three segments")]),
    Row("two segments are too few", {f"{W}.name": "check.example"}, [wrong(f"{W}.name", INVALID, "three segments")]),
    Row("no capitals in a name", {f"{W}.name": "Check.example.com"}, [wrong(f"{W}.name", INVALID, "RFC 1123")]),
    Row("a name must be given", {f"{W}.name": ""}, [wrong(f"{W}.name", REQUIRED)]),
    Row("names are unique", {"webhooks": [WEBHOOK, WEBHOOK]}, [wrong("webhooks[1].name", DUPLICATE)]),
    Row("side effects must be told", {f"{W}.sideEffects": ABSENT}, [wrong(f"{W}.sideEffects", REQUIRED)]),
    Row("some side effects", {f"{W}.sideEffects": "Some"}, [wrong(f"{W}.sideEffects", UNSUPPORTED, '"None", "NoneOnDryRun"')]),
    Row("none on dry run", {f"{W}.sideEffects": "NoneOnDryRun"}),
    Row("versions must be told", {f"{W}.admissionReviewVersions": []}, [wrong(f"{W}.admissionReviewVersions", REQUIRED)]),
    Row(
        "a version that we know",
        {f"{W}.admissionReviewVersions": ["v2", "v3"]},
        [wrong(f"{W}.admissionReviewVersions", INVALID, "must include at least one of v1")],
    ),
    Row("one known version is enough", {f"{W}.admissionReviewVersions": ["v9", "v1", "v1beta1"]}),
    Row(
        "versions are unique",
        {f"{W}.admissionReviewVersions": ["v1", "v1"]},
        [wrong(f"{W}.admissionReviewVersions", INVALID, "duplicates")],
    ),
    Row(
        "what is no version", {f"{W}.admissionReviewVersions": ["v1", "1"]}, [wrong(f"{W}.admissionReviewVersions[1]", INVALID)]
    ),
    Row("the least time", {f"{W}.timeoutSeconds": 1}),
    Row("the most time", {f"{W}.timeoutSeconds": 30}),
    Row("no time", {f"{W}.timeoutSeconds": 0}, [wrong(f"{W}.timeoutSeconds", INVALID, "between 1 and 30 seconds")]),
    Row("too much time", {f"{W}.timeoutSeconds": 31}, [wrong(f"{W}.timeoutSeconds", INVALID)]),
    Row("failure policy", {f"{W}.failurePolicy": "fail"}, [wrong(f"{W}.failurePolicy", UNSUPPORTED)]),
    Row("match policy", {f"{W}.matchPolicy": "Other"}, [wrong(f"{W}.matchPolicy", UNSUPPORTED)]),
    Row(
        "selectors are judged",
        {f"{W}.namespaceSelector": {"matchLabels": {"/": "x"}}, f"{W}.objectSelector": {"matchLabels": {"a": "/"}}},
        [wrong(f"{W}.namespaceSelector.matchLabels", INVALID)] * 2 + [wrong(f"{W}.objectSelector.matchLabels", INVALID)],
    ),
    Row("no server", {f"{W}.clientConfig": {}}, [wrong(f"{W}.clientConfig", REQUIRED, "exactly one of url or service")]),
    Row(
        "two servers", {f"{W}.clientConfig.url": "https://a.example.com"}, [wrong(f"{W}.clientConfig", REQUIRED, "exactly one")]
    ),
    Row("a URL", {f"{W}.clientConfig": {"url": "https://127.0.0.1:8443/a/b"}}),
    Row(
        "not HTTPS", {f"{W}.clientConfig": {"url": "http://a.com"}}, [wrong(f"{W}.clientConfig.url", INVALID, "'https' is the")]
    ),
    Row("no host", {f"{W}.clientConfig": {"url": "https://"}}, [wrong(f"{W}.clientConfig.url", INVALID, "host must be")]),
    Row(
        "user, query and fragment",
        {f"{W}.clientConfig": {"url": "https://u:p@a.com/?q=1#f"}},
        [wrong(f"{W}.clientConfig.url", INVALID, word) for word in ("user information", "query", "fragments")],
    ),
    Row(
        "a service has a name and a namespace",
        {f"{W}.clientConfig.service": {"name": "", "namespace": ""}},
        [wrong(f"{W}.clientConfig.service.{field}", REQUIRED) for field in ("name", "namespace")],
    ),
    Row("no port", {f"{W}.clientConfig.service.port": 0}, [wrong(f"{W}.clientConfig.service.port", INVALID, "1 and 65535")]),
    Row("the root", {f"{W}.clientConfig.service.path": "/"}),
    Row("a path below", {f"{W}.clientConfig.service.path": "/v1/validate.pods"}),
    Row(
        "a path has a slash",
        {f"{W}.clientConfig.service.path": "validate"},
        [wrong(f"{W}.clientConfig.service.path", INVALID, "must start with a '/'")],
    ),
    Row(
        "no empty segments",
        {f"{W}.clientConfig.service.path": "/a//b"},
        [wrong(f"{W}.clientConfig.service.path", INVALID, "segment[1] may not be empty")],
    ),
    Row(
        "segments are names",
        {f"{W}.clientConfig.service.path": "/A"},
        [wrong(f"{W}.clientConfig.service.path", INVALID, "segment[0]: ")],
    ),
    Row("a bundle is base64", {f"{W}.clientConfig.caBundle": "not base64"}, [wrong(f"{W}.clientConfig.caBundle", INVALID)]),
    Row("operations must be told", {f"{R}.operations": []}, [wrong(f"{R}.operations", REQUIRED)]),
    Row("an operation", {f"{R}.operations": ["create"]}, [wrong(f"{R}.operations[0]", UNSUPPORTED)]),
    Row("all operations alone", {f"{R}.operations": ["*", "CREATE"]}, [wrong(f"{R}.operations", INVALID, "if '*' is present")]),
    Row("groups must be told", {f"{R}.apiGroups": []}, [wrong(f"{R}.apiGroups", REQUIRED)]),
    Row("all groups alone", {f"{R}.apiGroups": ["*", "apps"]}, [wrong(f"{R}.apiGroups", INVALID, "other API groups")]),
    Row("versions must be told in rules", {f"{R}.apiVersions": []}, [wrong(f"{R}.apiVersions", REQUIRED)]),
    Row("no empty version", {f"{R}.apiVersions": [""]}, [wrong(f"{R}.apiVersions[0]", REQUIRED)]),
    Row("all versions alone", {f"{R}.apiVersions": ["v1", "*"]}, [wrong(f"{R}.apiVersions", INVALID, "other API versions")]),
    Row("resources must be told", resources(), [wrong(f"{R}.resources", REQUIRED)]),
    Row("no empty resource", resources(""), [wrong(f"{R}.resources[0]", REQUIRED)]),
    Row("all resources", resources("*")),
    Row("everything", resources("*/*")),
    Row("resources and subresources", resources("pods", "pods/status", "*/scale", "nodes/*")),
    Row("everything alone", resources("*/*", "pods"), [wrong(f"{R}.resources", INVALID, "if '*/*' is present")]),
    Row("all resources alone", resources("*", "pods"), [wrong(f"{R}.resources", INVALID, "without subresources")]),
    Row("all resources beside subresources", resources("*", "pods/status")),
    Row("all below one", resources("pods/*", "pods/status"), [wrong(f"{R}.resources[1]", INVALID, "if 'pods/*' is present")]),
    Row("one below all", resources("*/scale", "pods/scale"), [wrong(f"{R}.resources[1]", INVALID, "if '*/scale' is present")]),
    Row("a scope", {f"{R}.scope": "Everywhere"}, [wrong(f"{R}.scope", UNSUPPORTED)]),
    Row("a condition", {f"{W}.matchConditions": [{"name": "example.com/a", "expression": "object.kind == 'Pod'"}]}),
    Row(
        "conditions have names and expressions",
        {f"{W}.matchConditions": [{"name": "", "expression": ""}]},
        [wrong(f"{W}.matchConditions[0].name", REQUIRED), wrong(f"{W}.matchConditions[0].expression", REQUIRED)],
    ),
    Row(
        "names of conditions are unique, and names",
        {f"{W}.matchConditions": [{"name": "a b", "expression": "true"}] * 2},
        [
            wrong(f"{W}.matchConditions[0].name", INVALID),
            wrong(f"{W}.matchConditions[1].name", INVALID),
            wrong(f"{W}.matchConditions[1].name", DUPLICATE),
        ],
    ),
    Row(
        "conditions compile, to truth values",
        {f"{W}.matchConditions": [{"name": "a", "expression": "object."}, {"name": "b", "expression": "1 + 1"}]},
        [
            wrong(f"{W}.matchConditions[0].expression", INVALID, "compilation failed"),
            wrong(f"{W}.matchConditions[1].expression", INVALID, "must evaluate to bool"),
        ],
    ),
    Row(
        "conditions know their variables",
        {f"{W}.matchConditions": [{"name": "a", "expression": "params.x == 1"}]},
        [wrong(f"{W}.matchConditions[0].expression", INVALID, "params")],
    ),
    Row(
        "too many conditions",
        {f"{W}.matchConditions": [{"name": f"n{number}", "expression": "true"} for number in range(65)]},
        [wrong(f"{W}.matchConditions", TOO_MANY, "at most 64")],
    ),
)


@pytest.mark.parametrize("resource", BOTH, ids=lambda resource: str(resource.kind))
@pytest.mark.parametrize("row", CASES, ids=lambda row: row.id)
def test_rules(row: Row, resource: Resource) -> None:
    check(errors_on_create(resource, changed(CONFIGURATION, row.changes)), row.wrong)


@pytest.mark.parametrize("resource", BOTH, ids=lambda resource: str(resource.kind))
def test_defaults(resource: Resource) -> None:
    check_defaults_are_stable(resource, CONFIGURATION)
    obj = created(resource, CONFIGURATION)
    (webhook,) = obj.webhooks
    assert (webhook.failure_policy, webhook.match_policy, webhook.timeout_seconds) == ("Fail", "Equivalent", 10)
    assert webhook.namespace_selector is not None
    assert webhook.object_selector is not None
    assert (webhook.client_config.service.port, webhook.rules[0].scope) == (443, "*")
    assert obj.metadata.generation == 1
    if resource is MUTATING_WEBHOOK_CONFIGURATIONS:
        assert webhook.reinvocation_policy == "Never"


def test_reinvocation_policy() -> None:
    found = errors_on_create(MUTATING_WEBHOOK_CONFIGURATIONS, changed(CONFIGURATION, {f"{W}.reinvocationPolicy": "Often"}))
    check(found, [wrong(f"{W}.reinvocationPolicy", UNSUPPORTED, '"IfNeeded", "Never"')])


@pytest.mark.parametrize("resource", BOTH, ids=lambda resource: str(resource.kind))
def test_the_generation_counts_changes_of_webhooks(resource: Resource) -> None:
    old = stored(resource, CONFIGURATION)
    same, found = updated(resource, old, changed(CONFIGURATION, {"metadata.labels": {"a": "b"}}))
    assert (same.metadata.generation, found) == (1, [])
    other, found = updated(resource, old, changed(CONFIGURATION, {f"{W}.timeoutSeconds": 3}))
    assert (other.metadata.generation, found) == (2, [])
