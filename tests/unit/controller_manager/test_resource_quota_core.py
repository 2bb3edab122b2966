"""What the status of a quota should say."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from apimachinery import codec
from apimachinery.kinds import ResourceQuota
from apimachinery.resources import CONFIG_MAPS, EVENTS, JOBS, PODS, SECRETS, TABLE
from controller_manager.resource_quota import core

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def quota(hard: dict[str, str], used: dict[str, str] | None = None, **spec: Any) -> ResourceQuota:
    return codec.convert(ResourceQuota, {"spec": {"hard": hard, **spec}, "status": {"used": used or {}}})


def pod(cpu: str, phase: str = "Running") -> Any:
    containers = [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]
    return codec.convert(PODS.cls, {"spec": {"containers": containers}, "status": {"phase": phase, "qosClass": "Burstable"}})


def test_only_what_a_quota_is_about_is_counted() -> None:
    rows = core.counted_rows(quota({"configmaps": "1", "count/jobs.batch": "1", "count/events": "1"}), TABLE.stored)
    assert set(rows) == {CONFIG_MAPS, JOBS}
    assert EVENTS not in rows


def test_count() -> None:
    hard = {"requests.cpu": "9", "pods": "9", "count/pods": "9", "configmaps": "9"}
    objects = {PODS: [pod("1500m"), pod("1"), pod("8", "Failed")], SECRETS: [SECRETS.cls()]}
    counted = core.count(quota(hard), objects, NOW)
    assert counted == {"requests.cpu": "2500m", "pods": "2", "count/pods": "3", "configmaps": "0"}
    assert core.count(quota({"pods": "9"}, scopes=["BestEffort"]), objects, NOW) == {"pods": "0"}


@dataclass(frozen=True)
class Case:
    id: str
    used: dict[str, str]
    counted: dict[str, str]
    falls: bool
    unsettled: dict[str, str]


CASES = (
    Case("new", {}, {"pods": "2"}, False, {"pods": "2"}),
    Case("raised at once", {"pods": "1"}, {"pods": "2"}, False, {"pods": "2"}),
    Case("lowered later", {"pods": "3", "cpu": "1"}, {"pods": "2", "cpu": "2"}, True, {"pods": "3", "cpu": "2"}),
    Case("no limit any more", {"pods": "3", "cpu": "1"}, {"pods": "3"}, False, {"pods": "3"}),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_status(case: Case) -> None:
    given = quota({"pods": "5"}, case.used)
    assert core.falls(given, case.counted) is case.falls
    assert core.status(given, case.counted, settled=False).used == case.unsettled
    settled = core.status(given, case.counted, settled=True)
    assert (settled.hard, settled.used) == ({"pods": "5"}, case.counted)
