"""LimitRanges and ResourceQuotas."""

from typing import Any

import pytest

from apimachinery import codec
from apimachinery.resources import LIMIT_RANGES, RESOURCE_QUOTAS
from tests.support.strategies import (
    DUPLICATE,
    FORBIDDEN,
    INVALID,
    REQUIRED,
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
META: Plain = {"metadata": {"name": "x", "namespace": "default"}}
L = "spec.limits[0]"


def limits(kind: str, **lists: Any) -> dict[str, Any]:
    return {"spec": {"limits": [{"type": kind, **lists}]}}


LIMITS = (
    Row("right", limits("Container", max={"cpu": "2"}, min={"cpu": "100m"}, default={"cpu": 1}, defaultRequest={"cpu": "0.5"})),
    Row("of pods", limits("Pod", max={"memory": "1Gi", "hugepages-2Mi": "4Mi"})),
    Row("of claims", limits("PersistentVolumeClaim", min={"storage": "1Gi"})),
    Row("of something else", limits("example.com/boat", max={"example.com/sails": 3})),
    Row(
        "of claims, without size", limits("PersistentVolumeClaim", max={"pods": 1}), [wrong(L, REQUIRED, "minimum or maximum")]
    ),
    Row("type", limits("Boat"), [wrong(f"{L}.type", INVALID, "standard limit type or fully qualified")]),
    Row("no type", limits(""), [wrong(f"{L}.type", INVALID)]),
    Row("type twice", {"spec": {"limits": [{"type": "Pod"}, {"type": "Pod"}]}}, [wrong("spec.limits[1].type", DUPLICATE)]),
    Row("defaults of pods", limits("Pod", default={"cpu": 1}), [wrong(f"{L}.default", FORBIDDEN, "when `type` is 'Pod'")]),
    Row("resource", limits("Pod", max={"pods": 1}), [wrong(f"{L}.max[pods]", INVALID, "standard resource for containers")]),
    Row("negative", limits("Pod", max={"cpu": -1}), [wrong(f"{L}.max[cpu]", INVALID, "greater than or equal to 0")]),
    Row("no quantity", limits("Pod", max={"cpu": "x"}, min={"cpu": 1}), [wrong(f"{L}.max[cpu]", INVALID)]),
    Row(
        "less at most than at least",
        limits("Pod", max={"cpu": "100m"}, min={"cpu": "1"}),
        [wrong(f"{L}.min[cpu]", INVALID, "min value 1 is greater than max value 100m")],
    ),
    Row(
        "defaults out of order",
        limits("Container", max={"cpu": 4}, min={"cpu": 2}, default={"cpu": 1}, defaultRequest={"cpu": 5}),
        [
            wrong(f"{L}.default[cpu]", INVALID, "min value 2 is greater than default value 1"),
            wrong(f"{L}.defaultRequest[cpu]", INVALID, "default request value 5 is greater than max value 4"),
            wrong(f"{L}.defaultRequest[cpu]", INVALID, "default request value 5 is greater than default value 1"),
        ],
    ),
    Row(
        "huge pages cannot be asked for and not limited",
        limits("Container", default={"hugepages-2Mi": "4Mi"}, defaultRequest={"hugepages-2Mi": "2Mi"}),
        [wrong(f"{L}.defaultRequest[hugepages-2Mi]", INVALID, "must equal to defaultRequest value 2Mi")],
    ),
    Row(
        "ratio",
        limits("Pod", maxLimitRequestRatio={"cpu": "0.5"}),
        [wrong(f"{L}.maxLimitRequestRatio[cpu]", INVALID, "less than 1")],
    ),
    Row(
        "ratio beyond",
        limits("Pod", max={"cpu": 4}, min={"cpu": 2}, maxLimitRequestRatio={"cpu": 3}),
        [wrong(f"{L}.maxLimitRequestRatio[cpu]", INVALID, "ratio 3 is greater than max/min = 2")],
    ),
)


@pytest.mark.parametrize("row", LIMITS, ids=lambda row: row.id)
def test_limits(row: Row) -> None:
    plain = changed(META, row.changes)
    check(errors_on_create(LIMIT_RANGES, plain), row.wrong)
    check_defaults_are_stable(LIMIT_RANGES, plain)


def test_limits_of_containers_fill_in_each_other() -> None:
    obj = created(LIMIT_RANGES, changed(META, limits("Container", max={"cpu": "2"}, min={"cpu": "100m", "memory": "1024Ki"})))
    item = codec.to_plain(obj)["spec"]["limits"][0]
    assert item["default"] == {"cpu": "2"}
    assert item["defaultRequest"] == {"cpu": "2", "memory": "1Mi"}


def hard(**quantities: Any) -> dict[str, Any]:
    return {"spec.hard": {name.replace("_", "."): value for name, value in quantities.items()}}


def selector(**expression: Any) -> dict[str, Any]:
    return {"spec.hard": {"pods": 1}, "spec.scopeSelector": {"matchExpressions": [expression]}}


E = "spec.scopeSelector.matchExpressions[0]"
QUOTAS = (
    Row("right", hard(pods=10, requests_cpu="1", limits_memory="1Gi", services_nodeports=0)),
    Row("counted by kind", {"spec.hard": {"count/deployments.apps": 3, "requests.nvidia.com/gpu": 2}}),
    Row("huge pages", {"spec.hard": {"requests.hugepages-2Mi": "4Mi"}}),
    Row("resource", hard(boats=1), [wrong("spec.hard[boats]", INVALID, "must be a standard resource for quota")]),
    Row("name", {"spec.hard": {"a b": 1}}, [wrong("spec.hard[a b]", INVALID)]),
    Row("negative", hard(pods=-1), [wrong("spec.hard[pods]", INVALID)]),
    Row("half a pod", hard(pods="0.5"), [wrong("spec.hard[pods]", INVALID, "must be an integer")]),
    Row("scope", {**hard(pods=1), "spec.scopes": ["BestEffort"]}),
    Row("no such scope", {"spec.scopes": ["Tall"]}, [wrong("spec.scopes", INVALID, "unsupported scope")]),
    Row(
        "scope and resource",
        {**hard(cpu=1), "spec.scopes": ["BestEffort"]},
        [wrong("spec.scopes", INVALID, "unsupported scope applied to resource")],
    ),
    Row(
        "opposite scopes",
        {**hard(pods=1), "spec.scopes": ["BestEffort", "NotBestEffort"]},
        [wrong("spec.scopes", INVALID, "conflicting scopes")],
    ),
    Row("priorities", selector(scopeName="PriorityClass", operator="In", values=["high"])),
    Row(
        "no priorities",
        selector(scopeName="PriorityClass", operator="In"),
        [wrong(f"{E}.values", REQUIRED, "at least one value")],
    ),
    Row(
        "existence of one",
        selector(scopeName="PriorityClass", operator="Exists", values=["high"]),
        [wrong(f"{E}.values", INVALID, "must be no value")],
    ),
    Row("operator", selector(scopeName="PriorityClass", operator="Is"), [wrong(f"{E}.operator", INVALID, "not a valid")]),
    Row(
        "a scope that is or is not",
        selector(scopeName="Terminating", operator="In", values=["a"]),
        [wrong(f"{E}.operator", INVALID, "must be 'Exist' when scope is any of")],
    ),
    Row("no such scope selected", selector(scopeName="Tall", operator="Exists"), [wrong(f"{E}.scopeName", INVALID)]),
)


@pytest.mark.parametrize("row", QUOTAS, ids=lambda row: row.id)
def test_quotas(row: Row) -> None:
    plain = changed({**META, "spec": {}}, row.changes)
    check(errors_on_create(RESOURCE_QUOTAS, plain), row.wrong)
    check_defaults_are_stable(RESOURCE_QUOTAS, plain)


def test_scopes_of_a_quota_are_immutable() -> None:
    base = {"spec": {"hard": {"pods": 1}, "scopes": ["Terminating", "NotBestEffort"]}}
    check(errors_on_update(RESOURCE_QUOTAS, META, Row("", {"spec.hard": {"pods": 2}}, base=base)), [])
    check(errors_on_update(RESOURCE_QUOTAS, META, Row("", {"spec.scopes": ["NotBestEffort", "Terminating"]}, base=base)), [])
    row = Row("", {"spec.scopes": []}, base=base)
    check(errors_on_update(RESOURCE_QUOTAS, META, row), [wrong("spec.scopes", INVALID, "field is immutable")])


def test_status_of_a_quota() -> None:
    old = stored(RESOURCE_QUOTAS, changed(META, {"spec": {"hard": {"pods": 3}}}))
    wanted = changed(codec.to_plain(old), {"status": {"hard": {"cpu": "1000m"}, "used": {"cpu": "0"}}, "spec.hard.pods": 4})
    new, found = updated(RESOURCE_QUOTAS, old, wanted, "status")
    assert (new.status.hard, new.spec.hard, found) == ({"cpu": "1"}, {"pods": "3"}, [])
    row = Row("", {"status.used": {"boats": -1}}, subresource="status")
    check(errors_on_update(RESOURCE_QUOTAS, META, row), [wrong("status.used[boats]", INVALID)] * 2)
