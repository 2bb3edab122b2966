"""HorizontalPodAutoscalers: defaults, bounds, the union of metrics, behaviour."""

from typing import Any

import pytest

from apimachinery import codec
from apimachinery.resources import HORIZONTAL_POD_AUTOSCALERS
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
    wrong,
)

Plain = dict[str, Any]
M = "spec.metrics[0]"
UP = "spec.behavior.scaleUp"
PLAIN: Plain = {
    "metadata": {"name": "a", "namespace": "default"},
    "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 5},
}
PERCENT = {"type": "Utilization", "averageUtilization": 50}
AVERAGE = {"type": "AverageValue", "averageValue": "10"}
OBJECT = {"metric": {"name": "m"}, "describedObject": {"kind": "Service", "name": "s"}, "target": {"type": "Value", "value": 3}}
PODS = {"metric": {"name": "m"}, "target": AVERAGE}

ROWS = (
    Row("right", {}),
    Row("no replicas", {"spec.minReplicas": 0}, [wrong("spec.minReplicas", INVALID, "greater than or equal to 1")]),
    Row(
        "no bound",
        {"spec.maxReplicas": ABSENT},
        [wrong("spec.maxReplicas", INVALID, "greater than 0"), wrong("spec.maxReplicas", INVALID, "`minReplicas`")],
    ),
    Row("bounds crossed", {"spec.minReplicas": 9}, [wrong("spec.maxReplicas", INVALID, "`minReplicas`")]),
    Row(
        "no target",
        {"spec.scaleTargetRef": {}},
        [wrong("spec.scaleTargetRef.kind", REQUIRED), wrong("spec.scaleTargetRef.name", REQUIRED)],
    ),
    Row("version", {"spec.scaleTargetRef.apiVersion": "apps/V1"}, [wrong("spec.scaleTargetRef.apiVersion", INVALID)]),
    Row("no type", {M: {"resource": {"name": "cpu", "target": PERCENT}}}, [wrong(f"{M}.type", REQUIRED)]),
    Row("type", {M: {"type": "Moon"}}, [wrong(f"{M}.type", UNSUPPORTED)]),
    Row("no source", {M: {"type": "Pods"}}, [wrong(f"{M}.pods", REQUIRED, "must populate information")]),
    Row(
        "two sources",
        {M: {"type": "Resource", "resource": {"name": "cpu", "target": PERCENT}, "pods": PODS}},
        [wrong(f"{M}.pods", FORBIDDEN, "given metric source only")],
    ),
    Row("pods", {M: {"type": "Pods", "pods": PODS}}),
    Row(
        "pods without an average",
        {M: {"type": "Pods", "pods": {**PODS, "target": {"type": "AverageValue"}}}},
        [wrong(f"{M}.pods.target.averageValue", REQUIRED)],
    ),
    Row("object", {M: {"type": "Object", "object": OBJECT}}),
    Row(
        "object without anything",
        {M: {"type": "Object", "object": {}}},
        [
            wrong(f"{M}.object.describedObject.kind", REQUIRED),
            wrong(f"{M}.object.describedObject.name", REQUIRED),
            wrong(f"{M}.object.metric.name", REQUIRED),
            wrong(f"{M}.object.target.type", REQUIRED),
            wrong(f"{M}.object.target.averageValue", REQUIRED),
        ],
    ),
    Row(
        "external by two targets",
        {M: {"type": "External", "external": {"metric": {"name": "m"}, "target": {**AVERAGE, "value": "1"}}}},
        [wrong(f"{M}.external.target.value", FORBIDDEN)],
    ),
    Row(
        "resource without a target",
        {M: {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}},
        [wrong(f"{M}.resource.target.averageUtilization", REQUIRED)],
    ),
    Row(
        "resource by two targets",
        {M: {"type": "Resource", "resource": {"name": "cpu", "target": {**PERCENT, "averageValue": "1"}}}},
        [wrong(f"{M}.resource.target.averageValue", FORBIDDEN)],
    ),
    Row(
        "container",
        {M: {"type": "ContainerResource", "containerResource": {"name": "cpu", "target": PERCENT}}},
        [wrong(f"{M}.containerResource.container", REQUIRED)],
    ),
    Row(
        "amounts",
        {
            M: {"type": "Object", "object": {**OBJECT, "target": {"type": "Fine", "value": "-1", "averageValue": "lots"}}},
            "spec.metrics[1]": {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {**PERCENT, "averageUtilization": 0}},
            },
        },
        [
            wrong(f"{M}.object.target.type", INVALID, "must be either Utilization, Value, or AverageValue"),
            wrong(f"{M}.object.target.value", INVALID, "positive"),
            wrong(f"{M}.object.target.averageValue", INVALID),
            wrong("spec.metrics[1].resource.target.averageUtilization", INVALID),
        ],
    ),
    Row("window", {f"{UP}.stabilizationWindowSeconds": 3601}, [wrong(f"{UP}.stabilizationWindowSeconds", INVALID)]),
    Row("choice", {f"{UP}.selectPolicy": "Any"}, [wrong(f"{UP}.selectPolicy", UNSUPPORTED)]),
    Row("tolerance", {f"{UP}.tolerance": "-0.1"}, [wrong(f"{UP}.tolerance", INVALID)]),
    Row(
        "policies",
        {f"{UP}.policies": [{"type": "Nodes", "value": 0, "periodSeconds": 1801}, {"type": "Pods", "value": 1}]},
        [
            wrong(f"{UP}.policies[0].type", UNSUPPORTED),
            wrong(f"{UP}.policies[0].value", INVALID),
            wrong(f"{UP}.policies[0].periodSeconds", INVALID, "1800"),
            wrong(f"{UP}.policies[1].periodSeconds", INVALID, "greater than zero"),
        ],
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_create(row: Row) -> None:
    plain = changed(PLAIN, row.changes)
    check(errors_on_create(HORIZONTAL_POD_AUTOSCALERS, plain), row.wrong)
    check_defaults_are_stable(HORIZONTAL_POD_AUTOSCALERS, plain)


def test_status() -> None:
    row = Row(
        "negative",
        {"status": {"currentReplicas": -1, "desiredReplicas": -1}},
        [wrong("status.currentReplicas", INVALID), wrong("status.desiredReplicas", INVALID)],
        subresource="status",
    )
    check(errors_on_update(HORIZONTAL_POD_AUTOSCALERS, PLAIN, row), row.wrong)


def test_defaults() -> None:
    spec = codec.to_plain(created(HORIZONTAL_POD_AUTOSCALERS, PLAIN))["spec"]
    assert spec["minReplicas"] == 1
    target = {"type": "Utilization", "averageUtilization": 80}
    assert spec["metrics"] == [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    assert "behavior" not in spec


def test_who_says_something_about_behaviour_gets_the_rest_spelled_out() -> None:
    plain = changed(PLAIN, {"spec.behavior": {"scaleDown": {"selectPolicy": "Min", "tolerance": "0.10"}}})
    behavior = codec.to_plain(created(HORIZONTAL_POD_AUTOSCALERS, plain))["spec"]["behavior"]
    percent = {"type": "Percent", "value": 100, "periodSeconds": 15}
    assert behavior == {
        "scaleUp": {
            "selectPolicy": "Max",
            "stabilizationWindowSeconds": 0,
            "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, percent],
        },
        "scaleDown": {"selectPolicy": "Min", "tolerance": "100m", "policies": [percent]},
    }


def test_quantities_are_spelled_canonically() -> None:
    plain = changed(PLAIN, {M: {"type": "Pods", "pods": {**PODS, "target": {"type": "AverageValue", "averageValue": 0.5}}}})
    obj = created(HORIZONTAL_POD_AUTOSCALERS, plain)
    assert obj.spec.metrics[0].pods.target.average_value == "500m"
