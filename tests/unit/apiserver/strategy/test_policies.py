"""Budgets, roles and bindings, priority and runtime classes: defaults, rules, what an update may change."""

from typing import Any

import pytest

from apimachinery import codec
from apimachinery.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    POD_DISRUPTION_BUDGETS,
    PRIORITY_CLASSES,
    ROLE_BINDINGS,
    ROLES,
    RUNTIME_CLASSES,
    Resource,
)
from tests.support.strategies import (
    ABSENT,
    DUPLICATE,
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
    errors_on_update,
    stored,
    updated,
    wrong,
)

Plain = dict[str, Any]
GROUP = "rbac.authorization.k8s.io"
NAMED: Plain = {"metadata": {"name": "a"}}
IN_NAMESPACE: Plain = {"metadata": {"name": "a", "namespace": "default"}}

BUDGET: Plain = {**IN_NAMESPACE, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}
BUDGETS = (
    Row("right", {}),
    Row("a percentage", {"spec.minAvailable": "50%"}),
    Row("no selector at all", {"spec.selector": ABSENT}),
    Row("both bounds", {"spec.maxUnavailable": 1}, [wrong("spec", INVALID, "cannot be both set")]),
    Row("fewer than none", {"spec.minAvailable": -1}, [wrong("spec.minAvailable", INVALID)]),
    Row("more than all", {"spec.minAvailable": "101%"}, [wrong("spec.minAvailable", INVALID, "100%")]),
    Row("no number", {"spec.minAvailable": "some"}, [wrong("spec.minAvailable", INVALID, "percent")]),
    Row(
        "policy",
        {"spec.unhealthyPodEvictionPolicy": "Never"},
        [wrong("spec.unhealthyPodEvictionPolicy", UNSUPPORTED, '"AlwaysAllow", "IfHealthyBudget"')],
    ),
    Row(
        "selector",
        {"spec.selector": {"matchLabels": {"a b": ""}}},
        [wrong("spec.selector.matchLabels", INVALID)],
    ),
)
CONDITION = {"type": "DisruptionAllowed", "status": "True", "reason": "R", "lastTransitionTime": "2026-01-31T12:00:00Z"}
BUDGET_STATUSES = (
    Row("right", {"status": {"disruptionsAllowed": 1, "conditions": [CONDITION]}}, subresource="status"),
    Row(
        "negative",
        {"status": {"disruptionsAllowed": -1, "currentHealthy": -1, "desiredHealthy": -1, "expectedPods": -1}},
        [
            wrong("status.disruptionsAllowed", INVALID),
            wrong("status.currentHealthy", INVALID),
            wrong("status.desiredHealthy", INVALID),
            wrong("status.expectedPods", INVALID),
        ],
        subresource="status",
    ),
    Row(
        "conditions",
        {"status": {"conditions": [CONDITION, CONDITION, {"type": "X", "status": "Maybe", "reason": "a b"}, {}]}},
        [
            wrong("status.conditions[1].type", DUPLICATE),
            wrong("status.conditions[2].status", UNSUPPORTED),
            wrong("status.conditions[2].reason", INVALID, "a condition reason must start"),
            wrong("status.conditions[2].lastTransitionTime", REQUIRED),
            wrong("status.conditions[3].type", REQUIRED),
            wrong("status.conditions[3].status", REQUIRED),
            wrong("status.conditions[3].reason", REQUIRED),
            wrong("status.conditions[3].lastTransitionTime", REQUIRED),
        ],
        subresource="status",
    ),
)

RULE = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
ROLE_ROWS = (
    Row("right", {"rules": [RULE]}),
    Row("nothing", {}),
    Row("a name with colons", {"metadata.name": "system:node:a"}),
    Row("a name that is a path", {"metadata.name": "a/b"}, [wrong("metadata.name", INVALID)]),
    Row("no verbs", {"rules": [{**RULE, "verbs": []}]}, [wrong("rules[0].verbs", REQUIRED, "at least one value")]),
    Row(
        "no groups, no resources",
        {"rules": [{"verbs": ["get"]}]},
        [wrong("rules[0].apiGroups", REQUIRED, "api group"), wrong("rules[0].resources", REQUIRED, "one resource")],
    ),
)
URLS = "rules[0].nonResourceURLs"
SUBJECT = {"kind": "User", "name": "jane"}
BINDING: Plain = {"roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": [SUBJECT]}
BINDING_ROWS = (
    Row("right", {}),
    Row("nobody", {"subjects": ABSENT}),
    Row("no role", {"roleRef": {"kind": "ClusterRole"}}, [wrong("roleRef.name", REQUIRED)]),
    Row("another group", {"roleRef.apiGroup": "apps"}, [wrong("roleRef.apiGroup", UNSUPPORTED, GROUP)]),
    Row("another kind", {"roleRef.kind": "Boat"}, [wrong("roleRef.kind", UNSUPPORTED)]),
    Row("subject's kind", {"subjects[0].kind": "Robot"}, [wrong("subjects[0].kind", UNSUPPORTED)]),
    Row("subject's name", {"subjects[0].name": ""}, [wrong("subjects[0].name", REQUIRED)]),
    Row("subject's group", {"subjects[0].apiGroup": "x"}, [wrong("subjects[0].apiGroup", UNSUPPORTED, GROUP)]),
    Row(
        "account's group",
        {"subjects[0]": {"kind": "ServiceAccount", "name": "sa", "namespace": "n", "apiGroup": GROUP}},
        [wrong("subjects[0].apiGroup", UNSUPPORTED, '""')],
    ),
    Row(
        "account's name",
        {"subjects[0]": {"kind": "ServiceAccount", "name": "S A", "namespace": "n"}},
        [wrong("subjects[0].name", INVALID)],
    ),
)

PRIORITY: Plain = {**NAMED, "value": 1000}
PRIORITIES = (
    Row("right", {}),
    Row("negative", {"value": -5}),
    Row("the most", {"value": 1_000_000_000}),
    Row("too much", {"value": 1_000_000_001}, [wrong("value", FORBIDDEN, "maximum allowed value")]),
    Row("reserved name", {"metadata.name": "system-mine"}, [wrong("metadata.name", FORBIDDEN, "reserved for system use")]),
    Row("system class", {"metadata.name": "system-node-critical", "value": 2_000_001_000}),
    Row(
        "system class of another value",
        {"metadata.name": "system-node-critical", "value": 1},
        [wrong("metadata.name", FORBIDDEN)],
    ),
    Row("policy", {"preemptionPolicy": "Always"}, [wrong("preemptionPolicy", UNSUPPORTED)]),
)

RUNTIME: Plain = {**NAMED, "handler": "runsc"}
RUNTIMES = (
    Row("right", {"overhead.podFixed": {"cpu": "100m"}, "scheduling": {"nodeSelector": {"a": "b"}}}),
    Row("no handler", {"handler": ABSENT}, [wrong("handler", REQUIRED)]),
    Row("handler's name", {"handler": "a.b"}, [wrong("handler", INVALID)]),
    Row("overhead", {"overhead.podFixed": {"cpu": "-1"}}, [wrong("overhead.podFixed[cpu]", INVALID)]),
    Row("labels", {"scheduling.nodeSelector": {"a b": ""}}, [wrong("scheduling.nodeSelector", INVALID)]),
    Row(
        "tolerations",
        {"scheduling.tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]},
        [wrong("scheduling.tolerations[0].operator", INVALID)],
    ),
)

CREATES = (
    *((POD_DISRUPTION_BUDGETS, BUDGET, row) for row in BUDGETS),
    *((ROLES, IN_NAMESPACE, row) for row in ROLE_ROWS),
    *((CLUSTER_ROLES, NAMED, row) for row in ROLE_ROWS),
    *((ROLE_BINDINGS, {**IN_NAMESPACE, **BINDING}, row) for row in BINDING_ROWS),
    *((CLUSTER_ROLE_BINDINGS, {**NAMED, **BINDING}, row) for row in BINDING_ROWS),
    *((PRIORITY_CLASSES, PRIORITY, row) for row in PRIORITIES),
    *((RUNTIME_CLASSES, RUNTIME, row) for row in RUNTIMES),
    (ROLE_BINDINGS, {**IN_NAMESPACE, **BINDING}, Row("role of the namespace", {"roleRef.kind": "Role"})),
    (
        CLUSTER_ROLE_BINDINGS,
        {**NAMED, **BINDING},
        Row("role of a namespace", {"roleRef.kind": "Role"}, [wrong("roleRef.kind", UNSUPPORTED, '"ClusterRole"')]),
    ),
    (
        CLUSTER_ROLE_BINDINGS,
        {**NAMED, **BINDING},
        Row(
            "account of no namespace",
            {"subjects[0]": {"kind": "ServiceAccount", "name": "sa"}},
            [wrong("subjects[0].namespace", REQUIRED)],
        ),
    ),
    (
        ROLES,
        IN_NAMESPACE,
        Row("paths", {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]}, [wrong(URLS, INVALID, "namespaced rules")]),
    ),
    (CLUSTER_ROLES, NAMED, Row("paths", {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]})),
    (
        CLUSTER_ROLES,
        NAMED,
        Row("paths and more", {"rules": [{**RULE, "nonResourceURLs": ["/x"]}]}, [wrong(URLS, INVALID, "cannot apply to both")]),
    ),
    (
        CLUSTER_ROLES,
        NAMED,
        Row(
            "aggregated of nothing",
            {"aggregationRule": {}},
            [wrong("aggregationRule.clusterRoleSelectors", REQUIRED, "at least one clusterRoleSelector")],
        ),
    ),
)

UPDATES = (
    *((POD_DISRUPTION_BUDGETS, BUDGET, row) for row in BUDGET_STATUSES),
    (POD_DISRUPTION_BUDGETS, BUDGET, Row("another bound", {"spec.minAvailable": 2})),
    (
        ROLE_BINDINGS,
        {**IN_NAMESPACE, **BINDING},
        Row("another role", {"roleRef.name": "edit"}, [wrong("roleRef", INVALID, "cannot change roleRef")]),
    ),
    (ROLE_BINDINGS, {**IN_NAMESPACE, **BINDING}, Row("others", {"subjects[0].name": "joe"})),
    (PRIORITY_CLASSES, PRIORITY, Row("another value", {"value": 7}, [wrong("value", FORBIDDEN, "may not be changed")])),
    (
        PRIORITY_CLASSES,
        PRIORITY,
        Row("another policy", {"preemptionPolicy": "Never"}, [wrong("preemptionPolicy", INVALID, "immutable")]),
    ),
    (PRIORITY_CLASSES, PRIORITY, Row("another description", {"description": "new"})),
    (RUNTIME_CLASSES, RUNTIME, Row("another handler", {"handler": "kata"}, [wrong("handler", INVALID, "immutable")])),
)


def named(value: object) -> str:
    match value:
        case Resource():
            return value.plural
        case Row():
            return value.id
        case _:
            return ""


@pytest.mark.parametrize(("resource", "plain", "row"), CREATES, ids=named)
def test_create(resource: Resource, plain: Plain, row: Row) -> None:
    given = changed(plain, row.changes)
    check(errors_on_create(resource, given), row.wrong)
    check_defaults_are_stable(resource, given)


@pytest.mark.parametrize(("resource", "plain", "row"), UPDATES, ids=named)
def test_update(resource: Resource, plain: Plain, row: Row) -> None:
    check(errors_on_update(resource, plain, row), row.wrong)


def test_defaults() -> None:
    binding = codec.to_plain(created(ROLE_BINDINGS, {**IN_NAMESPACE, **BINDING}))
    assert (binding["roleRef"]["apiGroup"], binding["subjects"][0]["apiGroup"]) == (GROUP, GROUP)
    assert codec.to_plain(created(PRIORITY_CLASSES, PRIORITY))["preemptionPolicy"] == "PreemptLowerPriority"
    budget = codec.to_plain(created(POD_DISRUPTION_BUDGETS, BUDGET))
    assert budget["status"] == {"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0}


def test_generations() -> None:
    old = stored(POD_DISRUPTION_BUDGETS, BUDGET)
    assert old.metadata.generation == 1
    new, found = updated(POD_DISRUPTION_BUDGETS, old, changed(codec.to_plain(old), {"spec.minAvailable": 2}))
    assert (new.metadata.generation, found) == (2, [])
    status, _ = updated(POD_DISRUPTION_BUDGETS, old, changed(codec.to_plain(old), {"status.expectedPods": 3}), "status")
    assert (status.metadata.generation, status.status.expected_pods) == (1, 3)
    assert created(PRIORITY_CLASSES, PRIORITY).metadata.generation == 1
