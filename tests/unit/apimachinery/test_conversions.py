"""Forms of one stored object: what is read in one form and written back is what was stored."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apimachinery import codec
from apimachinery.conversions import autoscaling
from apimachinery.errors import ApiError
from apimachinery.resources import (
    CONVERTED,
    EVENTS,
    EVENTS_V1,
    HORIZONTAL_POD_AUTOSCALERS,
    HORIZONTAL_POD_AUTOSCALERS_V1,
    TABLE,
    Resource,
)
from tests.support.any_objects import plain_objects

Plain = dict[str, Any]
V1, V2 = HORIZONTAL_POD_AUTOSCALERS_V1, HORIZONTAL_POD_AUTOSCALERS
CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
MEMORY = {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}}
CPU_NOW = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 7}}}
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}


def shown(row: Resource, plain: Plain) -> Plain:
    assert row.conversion is not None
    result: Plain = codec.to_plain(row.conversion.from_stored(codec.convert(row.conversion.stored.cls, plain)))
    return result


def stored(row: Resource, plain: Plain) -> Plain:
    assert row.conversion is not None
    result: Plain = codec.to_plain(row.conversion.to_stored(codec.convert(row.cls, plain)))
    return result


def autoscaler(metrics: list[Plain], **status: Any) -> Plain:
    spec = {"scaleTargetRef": TARGET, "minReplicas": 2, "maxReplicas": 5, "metrics": metrics}
    return {"metadata": {"name": "a", "annotations": {"mine": "1"}}, "spec": spec, "status": {"desiredReplicas": 3, **status}}


@pytest.mark.parametrize("row", CONVERTED, ids=lambda row: row.api_version)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_nothing_is_lost_on_the_way_through_a_form(row: Resource, data: st.DataObject) -> None:
    assert row.conversion is not None
    plain = data.draw(plain_objects(row.conversion.stored.cls))
    once = stored(row, shown(row, plain))
    assert stored(row, shown(row, once)) == once
    assert once.keys() >= codec.to_plain(codec.convert(row.conversion.stored.cls, plain)).keys()
    written = data.draw(plain_objects(row.cls))
    assert shown(row, stored(row, written)) == shown(row, stored(row, shown(row, stored(row, written))))


def test_an_event_in_both_forms() -> None:
    old = {
        "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "p"},
        "message": "Started",
        "count": 3,
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:01:00Z",
        "source": {"component": "kubelet", "host": "n1"},
        "reportingComponent": "kubelet",
        "series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:00.000000Z"},
    }
    new = shown(EVENTS_V1, old)
    assert new["apiVersion"] == "events.k8s.io/v1"
    expected = {
        "regarding": old["involvedObject"],
        "note": "Started",
        "deprecatedCount": 3,
        "deprecatedFirstTimestamp": old["firstTimestamp"],
        "deprecatedLastTimestamp": old["lastTimestamp"],
        "deprecatedSource": old["source"],
        "reportingController": "kubelet",
        "series": old["series"],
    }
    assert {key: new[key] for key in expected} == expected
    assert stored(EVENTS_V1, new) == codec.to_plain(codec.convert(EVENTS.cls, old))


def test_one_cpu_target_needs_no_annotation() -> None:
    old = shown(V1, autoscaler([CPU], currentMetrics=[CPU_NOW], currentReplicas=2))
    assert old["metadata"]["annotations"] == {"mine": "1"}
    assert old["spec"] == {
        "scaleTargetRef": TARGET,
        "minReplicas": 2,
        "maxReplicas": 5,
        "targetCPUUtilizationPercentage": 50,
    }
    assert old["status"] == {"currentReplicas": 2, "desiredReplicas": 3, "currentCPUUtilizationPercentage": 7}


def test_what_v1_cannot_say_stands_in_annotations() -> None:
    behavior = {"scaleDown": {"selectPolicy": "Disabled"}}
    new = autoscaler(
        [MEMORY, CPU],
        currentMetrics=[
            {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 7, "averageValue": "1"}}}
        ],
        conditions=[{"type": "AbleToScale", "status": "True"}],
        currentReplicas=2,
    )
    new["spec"]["behavior"] = behavior
    old = shown(V1, new)
    assert old["metadata"]["annotations"].keys() == {
        "mine",
        autoscaling.METRICS,
        autoscaling.BEHAVIOR,
        autoscaling.CONDITIONS,
        autoscaling.CURRENT_METRICS,
    }
    assert old["spec"]["targetCPUUtilizationPercentage"] == 50
    again = stored(V1, old)
    assert again["metadata"]["annotations"] == {"mine": "1"}
    assert again["spec"]["metrics"] == [CPU, MEMORY]
    assert again["spec"]["behavior"] == behavior
    assert again["status"] == codec.to_plain(codec.convert(V2.cls, new))["status"]


def test_an_annotation_that_says_nothing_sensible_is_refused() -> None:
    plain = {"metadata": {"annotations": {autoscaling.METRICS: "{"}}, "spec": {"scaleTargetRef": TARGET, "maxReplicas": 1}}
    with pytest.raises(ApiError, match=re.escape(autoscaling.METRICS)) as caught:
        stored(V1, plain)
    assert caught.value.code == 400


def test_each_form_is_of_a_row_that_is_stored() -> None:
    for row in CONVERTED:
        assert row.stored_as in TABLE.stored
        assert row not in TABLE.stored
        assert row.kind == row.stored_as.kind
        assert row.subresources == row.stored_as.subresources
    assert not any(row.virtual for row in TABLE.stored)
