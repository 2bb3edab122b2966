"""Defaults and bounds of LimitRanges."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from apimachinery import codec
from apimachinery.kinds import ConfigMap, LimitRange, PersistentVolumeClaim, Pod
from apimachinery.kinds.object import Object
from apiserver.core import limit_ranges


def limit_range(*items: dict[str, Any]) -> LimitRange:
    return codec.convert(LimitRange, {"metadata": {"name": "l"}, "spec": {"limits": list(items)}})


def container(name: str, requests: dict[str, str] | None = None, limits: dict[str, str] | None = None) -> dict[str, Any]:
    return {"name": name, "resources": {"requests": requests or {}, "limits": limits or {}}}


def pod(*containers: dict[str, Any], **spec: Any) -> Pod:
    return codec.convert(Pod, {"metadata": {"name": "p"}, "spec": {"containers": list(containers), **spec}})


def claim(**requests: str) -> PersistentVolumeClaim:
    return codec.convert(PersistentVolumeClaim, {"metadata": {"name": "c"}, "spec": {"resources": {"requests": requests}}})


def test_defaults_fill_what_is_open() -> None:
    given = pod(
        container("open"),
        container("said", {"cpu": "1", "memory": "1Gi"}, {"cpu": "2", "memory": "1Gi"}),
        initContainers=[container("first", {}, {"cpu": "3"})],
    )
    defaults = {"default": {"cpu": "400m", "memory": "64Mi"}, "defaultRequest": {"cpu": "200m"}}
    limit_ranges.complete(given, limit_range({"type": "Pod", "max": {"cpu": "9"}}, {"type": "Container", **defaults}))
    open_, said, first = (each.resources for each in (*given.spec.containers, *given.spec.init_containers))
    assert (open_.requests, open_.limits) == ({"cpu": "200m"}, {"cpu": "400m", "memory": "64Mi"})
    assert (said.requests, said.limits) == ({"cpu": "1", "memory": "1Gi"}, {"cpu": "2", "memory": "1Gi"})
    assert (first.requests, first.limits) == ({"cpu": "200m"}, {"cpu": "3", "memory": "64Mi"})
    assert given.metadata.annotations == {
        "kubernetes.io/limit-ranger": "LimitRanger plugin set: cpu request for container open; cpu, memory limit for container "
        "open; cpu request for init container first; memory limit for init container first"
    }


def test_nothing_to_add_leaves_no_trace() -> None:
    given = pod(container("a"))
    limit_ranges.complete(given, limit_range({"type": "Container", "max": {"cpu": "1"}}))
    assert given == pod(container("a"))


@dataclass(frozen=True)
class Case:
    id: str
    item: dict[str, Any]
    obj: Object
    want: list[str] = field(default_factory=list)


MIN = {"type": "Container", "min": {"cpu": "100m"}}
MAX = {"type": "Container", "max": {"cpu": "1"}}
RATIO = {"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}}
CPU_1, CPU_2, CPU_50M = {"cpu": "1"}, {"cpu": "2"}, {"cpu": "50m"}
CASES = (
    Case("min: within", MIN, pod(container("a", {"cpu": "100m"}))),
    Case("min: no request", MIN, pod(container("a")), ["minimum cpu usage per Container is 100m.  No request is specified"]),
    Case("min: request", MIN, pod(container("a", CPU_50M)), ["minimum cpu usage per Container is 100m, but request is 50m"]),
    Case("min: limit", MIN, pod(container("a", CPU_1, CPU_50M)), ["minimum cpu usage per Container is 100m, but limit is 50m"]),
    Case("max: within", MAX, pod(container("a", CPU_1, CPU_1))),
    Case("max: no limit", MAX, pod(container("a", CPU_1)), ["maximum cpu usage per Container is 1.  No limit is specified"]),
    Case("max: limit", MAX, pod(container("a", CPU_1, CPU_2)), ["maximum cpu usage per Container is 1, but limit is 2"]),
    Case("max: request", MAX, pod(container("a", CPU_2, CPU_1)), ["maximum cpu usage per Container is 1, but request is 2"]),
    Case("ratio: within", RATIO, pod(container("a", CPU_1, CPU_2))),
    Case(
        "ratio: above",
        RATIO,
        pod(container("a", CPU_50M, CPU_1)),
        ["cpu max limit to request ratio per Container is 2, but provided ratio is 20.000000"],
    ),
    Case(
        "ratio: no request",
        RATIO,
        pod(container("a", {}, CPU_1)),
        ["cpu max limit to request ratio per Container is 2, but no request is specified or request is 0"],
    ),
    Case(
        "ratio: no limit",
        RATIO,
        pod(container("a", CPU_1)),
        ["cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0"],
    ),
    Case(
        "init containers count, and a sentence is said once",
        MIN,
        pod(container("a"), container("b"), initContainers=[container("i")]),
        ["minimum cpu usage per Container is 100m.  No request is specified"],
    ),
    Case(
        "pod: the sum",
        {"type": "Pod", "max": {"memory": "1Gi"}},
        pod(container("a", {}, {"memory": "512Mi"}), container("b", {}, {"memory": "1Gi"})),
        ["maximum memory usage per Pod is 1Gi, but limit is 1536Mi"],
    ),
    Case(
        "pod: without overhead", {"type": "Pod", "max": {"cpu": "1"}}, pod(container("a", CPU_1, CPU_1), overhead={"cpu": "1"})
    ),
    Case("claim: within", {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}}, claim(storage="1Gi")),
    Case(
        "claim: too small",
        {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}},
        claim(storage="1M"),
        ["minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1M"],
    ),
    Case(
        "claim: too large",
        {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}},
        claim(storage="2Gi"),
        ["maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi"],
    ),
    Case("bounds of pods are not for claims", MAX, claim(storage="1Gi")),
    Case("bounds of claims are not for pods", {"type": "PersistentVolumeClaim", "max": {"storage": "1"}}, pod(container("a"))),
    Case("others have no bounds", {"type": "PersistentVolumeClaim", "min": {"storage": "1"}}, ConfigMap()),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_violations(case: Case) -> None:
    before = codec.encode(case.obj)
    assert limit_ranges.violations(case.obj, limit_range(case.item)) == case.want
    assert codec.encode(case.obj) == before


def test_several_sentences_are_a_list() -> None:
    assert limit_ranges.sentence(["one"]) == "one"
    assert limit_ranges.sentence(["one", "two"]) == "[one, two]"
