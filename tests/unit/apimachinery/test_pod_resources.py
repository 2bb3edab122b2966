"""What a pod as a whole asks for."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from apimachinery import codec, pod_resources
from apimachinery.kinds import PodSpec


def container(name: str, restart: str = "", **requests: str) -> dict[str, Any]:
    return {"name": name, "restartPolicy": restart, "resources": {"requests": requests, "limits": requests}}


@dataclass(frozen=True)
class Case:
    id: str
    containers: tuple[dict[str, Any], ...] = ()
    init: tuple[dict[str, Any], ...] = ()
    more: dict[str, Any] = field(default_factory=dict)
    want: dict[str, str] = field(default_factory=dict)
    limits: dict[str, str] | None = None


CASES = (
    Case("nothing", (container("a"),)),
    Case(
        "containers add up",
        (container("a", cpu="500m"), container("b", cpu="1", memory="1Gi")),
        (),
        {},
        {"cpu": "1500m", "memory": "1Gi"},
    ),
    Case(
        "a sum keeps the manner of its first part",
        (container("a", memory="1Mi"), container("b", memory="1M")),
        want={"memory": "2048576"},
    ),
    Case(
        "init containers run one by one",
        (container("a", cpu="1"),),
        (container("i", cpu="2"), container("j", cpu="3")),
        want={"cpu": "3"},
    ),
    Case("what goes on running adds up", (container("a", cpu="1"),), (container("s", "Always", cpu="2"),), want={"cpu": "3"}),
    Case(
        "an init container beside what has been started",
        (container("a", cpu="1"),),
        (container("i", cpu="4"), container("s", "Always", cpu="2"), container("j", cpu="3")),
        want={"cpu": "5"},
    ),
    Case(
        "the pod outweighs its containers",
        (container("a", cpu="1", memory="1Gi"),),
        more={"resources": {"requests": {"cpu": "4"}, "limits": {"cpu": "4"}}},
        want={"cpu": "4", "memory": "1Gi"},
    ),
    Case(
        "the runtime costs, where there is a limit",
        (container("a", cpu="1"),),
        more={"overhead": {"cpu": "250m", "memory": "1Mi"}},
        want={"cpu": "1250m", "memory": "1Mi"},
        limits={"cpu": "1250m"},
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_totals(case: Case) -> None:
    spec = codec.convert(PodSpec, {"containers": list(case.containers), "initContainers": list(case.init), **case.more})
    before = codec.encode(spec)
    assert pod_resources.requests(spec) == case.want
    assert pod_resources.limits(spec) == (case.want if case.limits is None else case.limits)
    assert codec.encode(spec) == before
