"""Which budget an eviction needs, and how it draws on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from apimachinery.codec import convert
from apimachinery.errors import ApiError
from apimachinery.kinds import Pod, PodDisruptionBudget
from apimachinery.times import format_time
from apiserver.core import eviction

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def pod(phase: str = "Running", *, ready: bool = True, going: bool = False, **labels: str) -> Pod:
    meta: dict[str, Any] = {"name": "p", "namespace": "default", "labels": labels or {"app": "web"}}
    if going:
        meta["deletionTimestamp"] = format_time(NOW)
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return convert(Pod, {"metadata": meta, "status": {"phase": phase, "conditions": conditions}})


def budget(name: str = "b", policy: str = "", selector: Any = None, **status: Any) -> PodDisruptionBudget:
    chosen = {"matchLabels": {"app": "web"}} if selector is None else selector
    return convert(
        PodDisruptionBudget,
        {
            "metadata": {"name": name, "namespace": "default", "generation": 2},
            "spec": {"selector": chosen, "unhealthyPodEvictionPolicy": policy},
            "status": {"observedGeneration": 2, **status},
        },
    )


MET, UNMET = {"currentHealthy": 2, "desiredHealthy": 2}, {"currentHealthy": 1, "desiredHealthy": 2}


@dataclass(frozen=True)
class Case:
    id: str
    pod: Pod
    budgets: tuple[PodDisruptionBudget, ...] = field(default=(budget(),))
    want: str = ""


CASES = (
    Case("a pod that serves", pod(), want="b"),
    Case("nobody's budget", pod(), ()),
    Case("another's budget", pod(app="db")),
    Case("a budget for everything", pod(app="db"), (budget(selector={}),), want="b"),
    Case("a budget for nothing", pod(), (budget(selector={"matchExpressions": [{"key": "app", "operator": "Odd"}]}),)),
    Case("succeeded", pod("Succeeded")),
    Case("failed", pod("Failed")),
    Case("pending", pod("Pending")),
    Case("terminating", pod(going=True)),
    Case("ended, with two budgets", pod("Failed"), (budget("a"), budget("b"))),
    Case("sick while the others are enough", pod(ready=False), (budget(**MET),)),
    Case("sick while they are not", pod(ready=False), (budget(**UNMET),), want="b"),
    Case("sick, and none is wanted", pod(ready=False), (budget(currentHealthy=0, desiredHealthy=0),), want="b"),
    Case("sick, by name of the default", pod(ready=False), (budget(policy="IfHealthyBudget", **UNMET),), want="b"),
    Case("sick, and always allowed", pod(ready=False), (budget(policy="AlwaysAllow", **UNMET),)),
    Case("healthy, although the sick are always allowed", pod(), (budget(policy="AlwaysAllow", **MET),), want="b"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_to_charge(case: Case) -> None:
    found = eviction.to_charge(case.pod, case.budgets)
    assert (found.metadata.name if found else "") == case.want


def test_several_budgets_are_too_many() -> None:
    with pytest.raises(ApiError, match="more than one PodDisruptionBudget, which the eviction subresource") as caught:
        eviction.to_charge(pod(), (budget("a"), budget("b")))
    assert caught.value.code == 500


def test_a_charge_takes_one_and_notes_the_pod() -> None:
    subject = budget(disruptionsAllowed=2, disruptedPods={"other": format_time(NOW)})
    eviction.charge(subject, "p", NOW)
    assert subject.status.disruptions_allowed == 1
    assert subject.status.disrupted_pods == {"other": format_time(NOW), "p": format_time(NOW)}
    assert subject.status.conditions == []
    eviction.charge(subject, "q", NOW)
    (condition,) = subject.status.conditions
    assert (condition.type, condition.status, condition.reason) == ("DisruptionAllowed", "False", "InsufficientPods")
    with pytest.raises(ApiError):
        eviction.charge(subject, "r", NOW)
    assert "r" not in subject.status.disrupted_pods


FAILED = {"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed", "message": "no scale"}
REFUSALS: tuple[tuple[str, dict[str, Any], int, str, int | None], ...] = (
    ("too few", UNMET, 429, "The disruption budget b needs 2 healthy pods and has 1 currently", None),
    ("just enough", MET, 429, "The disruption budget b needs 2 healthy pods and has 2 currently", None),
    (
        "enough, but the disruptions are being used",
        {"currentHealthy": 3, "desiredHealthy": 2},
        429,
        "The disruption budget b does not allow evicting pods currently",
        None,
    ),
    (
        "not counted",
        {"conditions": [FAILED]},
        429,
        "The disruption budget b does not allow evicting pods currently because it failed sync: no scale",
        None,
    ),
    (
        "counted for an older spec",
        {"observedGeneration": 1, "disruptionsAllowed": 5},
        429,
        "The disruption budget b is still being processed by the server.",
        10,
    ),
)


@pytest.mark.parametrize(("status", "code", "cause", "retry_s"), [row[1:] for row in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_refusals(status: dict[str, Any], code: int, cause: str, retry_s: int | None) -> None:
    with pytest.raises(ApiError) as caught:
        eviction.charge(budget(**status), "p", NOW)
    found = caught.value.status
    assert (found.code, found.reason) == (code, "TooManyRequests")
    assert found.message == "Cannot evict pod as it would violate the pod's disruption budget."
    assert found.details is not None
    assert [(each.reason, each.message) for each in found.details.causes] == [("DisruptionBudget", cause)]
    assert caught.value.retry_after_s() == retry_s


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({"disruptionsAllowed": -1}, id="less than none"),
        pytest.param(
            {"disruptionsAllowed": 1, "disruptedPods": {f"p{n}": format_time(NOW) for n in range(2001)}}, id="too many notes"
        ),
    ],
)
def test_a_status_that_cannot_be_trusted(status: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        eviction.charge(budget(**status), "p", NOW)
    assert caught.value.code == 403


def test_an_evicted_pod_says_why_it_goes() -> None:
    subject = pod()
    eviction.mark(subject, NOW)
    told = subject.status.conditions[-1]
    assert (told.type, told.status, told.reason) == ("DisruptionTarget", "True", "EvictionByEvictionAPI")
    eviction.mark(subject, datetime(2026, 1, 2, tzinfo=UTC))
    assert subject.status.conditions[-1] == told
