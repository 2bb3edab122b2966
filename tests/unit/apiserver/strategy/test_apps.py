"""ReplicaSets and Deployments: defaults, rules, what an update may change, counts of their status."""

from typing import Any

import pytest

from apimachinery import codec
from apimachinery.resources import DEPLOYMENTS, REPLICA_SETS, Resource
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
    errors_on_update,
    stored,
    updated,
    wrong,
)

Plain = dict[str, Any]
T = "spec.template"
PLAIN: Plain = {
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "busybox:1"}]}},
    },
}

BOTH = (
    Row("right", {}),
    Row("no replicas at all", {"spec.replicas": 0}),
    Row("fewer than none", {"spec.replicas": -1}, [wrong("spec.replicas", INVALID, "greater than or equal to 0")]),
    Row("time to be ready", {"spec.minReadySeconds": -1}, [wrong("spec.minReadySeconds", INVALID)]),
    Row("no selector", {"spec.selector": ABSENT}, [wrong("spec.selector", REQUIRED)]),
    Row("an empty selector", {"spec.selector": {}}, [wrong("spec.selector", REQUIRED, "empty selector")]),
    Row(
        "a selector of others",
        {"spec.selector.matchLabels": {"app": "db"}},
        [wrong(f"{T}.metadata.labels", INVALID, "`selector` does not match template `labels`")],
    ),
    Row(
        "a wrong selector",
        {"spec.selector": {"matchExpressions": [{"key": "app", "operator": "Is", "values": ["web"]}]}},
        [wrong("spec.selector.matchExpressions[0].operator", INVALID, "not a valid selector operator")],
    ),
    Row(
        "a set-based selector",
        {"spec.selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "db"]}]}},
    ),
    Row("no image", {f"{T}.spec.containers[0].image": ""}, [wrong(f"{T}.spec.containers[0].image", REQUIRED)]),
    Row("template's labels", {f"{T}.metadata.labels.x": "a b"}, [wrong(f"{T}.metadata.labels", INVALID)]),
    Row("pods that end", {f"{T}.spec.restartPolicy": "Never"}, [wrong(f"{T}.spec.restartPolicy", UNSUPPORTED, '"Always"')]),
    Row("pods with a deadline", {f"{T}.spec.activeDeadlineSeconds": 5}, [wrong(f"{T}.spec.activeDeadlineSeconds", FORBIDDEN)]),
    Row(
        "ephemeral containers",
        {f"{T}.spec.ephemeralContainers": [{"name": "e", "image": "x"}]},
        [wrong(f"{T}.spec.ephemeralContainers", FORBIDDEN)],
    ),
)
RU = "spec.strategy.rollingUpdate"
DEPLOYMENT = (
    Row("strategy", {"spec.strategy.type": "Magic"}, [wrong("spec.strategy.type", UNSUPPORTED, '"Recreate", "RollingUpdate"')]),
    Row("recreate", {"spec.strategy": {"type": "Recreate"}}),
    Row(
        "recreate, rolling",
        {"spec.strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
        [wrong(RU, FORBIDDEN, "may not be specified when strategy `type` is 'Recreate'")],
    ),
    Row(
        "neither surge nor loss",
        {RU: {"maxSurge": 0, "maxUnavailable": "0%"}},
        [wrong(f"{RU}.maxUnavailable", INVALID, "may not be 0")],
    ),
    Row("no percentage", {RU: {"maxSurge": "a lot"}}, [wrong(f"{RU}.maxSurge", INVALID, "percent")]),
    Row("negative", {RU: {"maxSurge": -1}}, [wrong(f"{RU}.maxSurge", INVALID)]),
    Row("more than all", {RU: {"maxUnavailable": "101%"}}, [wrong(f"{RU}.maxUnavailable", INVALID, "100%")]),
    Row("surge beyond all", {RU: {"maxSurge": "150%"}}),
    Row("history", {"spec.revisionHistoryLimit": -1}, [wrong("spec.revisionHistoryLimit", INVALID)]),
    Row(
        "deadline before readiness",
        {"spec.minReadySeconds": 600},
        [wrong("spec.progressDeadlineSeconds", INVALID, "greater than minReadySeconds")],
    ),
)


@pytest.mark.parametrize("resource", [DEPLOYMENTS, REPLICA_SETS], ids=lambda resource: resource.plural)
@pytest.mark.parametrize("row", BOTH, ids=lambda row: row.id)
def test_create(resource: Resource, row: Row) -> None:
    plain = changed(PLAIN, row.changes)
    check(errors_on_create(resource, plain), row.wrong)
    check_defaults_are_stable(resource, plain)


@pytest.mark.parametrize("row", DEPLOYMENT, ids=lambda row: row.id)
def test_create_deployment(row: Row) -> None:
    plain = changed(PLAIN, row.changes)
    check(errors_on_create(DEPLOYMENTS, plain), row.wrong)
    check_defaults_are_stable(DEPLOYMENTS, plain)


@pytest.mark.parametrize("resource", [DEPLOYMENTS, REPLICA_SETS], ids=lambda resource: resource.plural)
def test_the_selector_is_immutable(resource: Resource) -> None:
    changes = {"spec.selector.matchLabels.v": "2", f"{T}.metadata.labels.v": "2"}
    row = Row("", changes, [wrong("spec.selector", INVALID, "field is immutable")])
    check(errors_on_update(resource, PLAIN, row), row.wrong)


def test_defaults() -> None:
    spec = codec.to_plain(created(DEPLOYMENTS, PLAIN))["spec"]
    assert {key: spec[key] for key in ("replicas", "revisionHistoryLimit", "progressDeadlineSeconds", "strategy")} == {
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
    }
    template = spec["template"]["spec"]
    assert template["restartPolicy"] == "Always"
    assert "enableServiceLinks" not in template
    assert "priority" not in template
    assert codec.to_plain(created(REPLICA_SETS, PLAIN))["spec"]["replicas"] == 1


def test_requests_of_a_template_are_left_to_its_pods() -> None:
    obj = created(DEPLOYMENTS, changed(PLAIN, {f"{T}.spec.containers[0].resources": {"limits": {"cpu": 1}}}))
    resources = obj.spec.template.spec.containers[0].resources
    assert (resources.limits, resources.requests) == ({"cpu": "1"}, {})


def test_the_generation_counts_changes_of_the_specification() -> None:
    for resource, by_annotation in ((DEPLOYMENTS, 2), (REPLICA_SETS, 1)):
        old = stored(resource, PLAIN)
        plain = codec.to_plain(old)
        assert old.metadata.generation == 1
        assert updated(resource, old, changed(plain, {"spec.replicas": 3}))[0].metadata.generation == 2
        assert updated(resource, old, changed(plain, {"metadata.labels": {"a": "b"}}))[0].metadata.generation == 1
        assert (
            updated(resource, old, changed(plain, {"metadata.annotations": {"a": "b"}}))[0].metadata.generation == by_annotation
        )
        assert updated(resource, old, changed(plain, {"metadata.generation": 7}))[0].metadata.generation == 1
        status, found = updated(resource, old, changed(plain, {"status.replicas": 1, "spec.replicas": 3}), "status")
        assert (status.metadata.generation, status.spec.replicas, status.status.replicas, found) == (1, 1, 1, [])
        annotated, _ = updated(resource, old, changed(plain, {"metadata.annotations": {"a": "b"}}), "status")
        assert annotated.metadata.generation == 1


STATUS = (
    Row("counts", {"status": {"replicas": 3, "readyReplicas": 2, "availableReplicas": 1}}),
    Row("negative", {"status": {"replicas": -1}}, [wrong("status.replicas", INVALID)]),
    Row(
        "more ready than there are",
        {"status": {"replicas": 1, "readyReplicas": 2}},
        [wrong("status.readyReplicas", INVALID, "status.replicas")],
    ),
    Row(
        "more available than ready",
        {"status": {"replicas": 3, "readyReplicas": 1, "availableReplicas": 2}},
        [wrong("status.availableReplicas", INVALID, "readyReplicas")],
    ),
)


@pytest.mark.parametrize("resource", [DEPLOYMENTS, REPLICA_SETS], ids=lambda resource: resource.plural)
@pytest.mark.parametrize("row", STATUS, ids=lambda row: row.id)
def test_status(resource: Resource, row: Row) -> None:
    check(errors_on_update(resource, PLAIN, Row(row.id, row.changes, row.wrong, "status")), row.wrong)


def test_collisions_are_never_taken_back() -> None:
    row = Row(
        "", {"status.collisionCount": 1}, [wrong("status.collisionCount", INVALID)], "status", {"status.collisionCount": 2}
    )
    check(errors_on_update(DEPLOYMENTS, PLAIN, row), row.wrong)
