"""What a write is charged, and when there is no room for it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from apimachinery import codec
from apimachinery.kinds import ResourceQuota
from apimachinery.kinds.object import Object
from apimachinery.resources import CONFIG_MAPS, PERSISTENT_VOLUME_CLAIMS, PODS, SECRETS, Resource
from apiserver.core.quotas import Refusal, assess, growth

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def made(row: Resource, **parts: Any) -> Object:
    return codec.convert(row.cls, {"metadata": {"name": "x", "namespace": "default"}, **parts})


def pod(**requests: str) -> Object:
    return made(PODS, spec={"containers": [{"name": "c", "resources": {"requests": requests}}]})


def claim(storage: str) -> Object:
    return made(PERSISTENT_VOLUME_CLAIMS, spec={"resources": {"requests": {"storage": storage}}})


@dataclass(frozen=True)
class Case:
    id: str
    row: Resource
    new: Object
    hard: dict[str, str]
    used: dict[str, str]
    want: dict[str, str] | str
    old: Object | None = None
    paid: dict[str, str] = field(default_factory=dict)


CASES = (
    Case("room", CONFIG_MAPS, made(CONFIG_MAPS), {"configmaps": "2"}, {"configmaps": "1"}, {"configmaps": "1"}),
    Case(
        "full",
        CONFIG_MAPS,
        made(CONFIG_MAPS),
        {"count/configmaps": "1", "configmaps": "1"},
        {"count/configmaps": "0", "configmaps": "1"},
        "exceeded quota: q, requested: configmaps=1, used: configmaps=1, limited: configmaps=1",
    ),
    Case("not concerned", SECRETS, made(SECRETS), {"configmaps": "0"}, {"configmaps": "0"}, {}),
    Case("not in force yet", CONFIG_MAPS, made(CONFIG_MAPS), {}, {}, {}),
    Case(
        "not counted yet",
        CONFIG_MAPS,
        made(CONFIG_MAPS),
        {"configmaps": "1"},
        {},
        "status unknown for quota: q, resources: configmaps",
    ),
    Case(
        "several at once",
        PODS,
        pod(cpu="600m", memory="1Gi"),
        {"cpu": "1", "requests.memory": "1Gi", "pods": "9"},
        {"cpu": "500m", "requests.memory": "1Mi", "pods": "1"},
        "exceeded quota: q, requested: cpu=600m,requests.memory=1Gi, used: cpu=500m,requests.memory=1Mi, "
        "limited: cpu=1,requests.memory=1Gi",
    ),
    Case(
        "a pod that does not say",
        PODS,
        pod(cpu="1"),
        {"limits.cpu": "9", "memory": "9"},
        {"limits.cpu": "0", "memory": "0"},
        "failed quota: q: must specify limits.cpu for: c; memory for: c",
    ),
    Case(
        "a claim grows",
        PERSISTENT_VOLUME_CLAIMS,
        claim("3Gi"),
        {"requests.storage": "5Gi"},
        {"requests.storage": "2Gi"},
        {"requests.storage": "2Gi"},
        old=claim("1Gi"),
    ),
    Case(
        "a claim grows, tried again",
        PERSISTENT_VOLUME_CLAIMS,
        claim("3Gi"),
        {"requests.storage": "3Gi"},
        {"requests.storage": "3Gi"},
        {},
        old=claim("1Gi"),
        paid={"requests.storage": "2Gi"},
    ),
    Case(
        "what shrinks is free",
        PERSISTENT_VOLUME_CLAIMS,
        claim("1Gi"),
        {"requests.storage": "1"},
        {"requests.storage": "3Gi"},
        {},
        old=claim("3Gi"),
    ),
    Case("pods pay once", PODS, pod(cpu="1"), {"cpu": "1"}, {"cpu": "1"}, {}, old=pod(cpu="1")),
    Case("and for what they grow by", PODS, pod(cpu="3"), {"cpu": "4"}, {"cpu": "2"}, {"cpu": "2"}, old=pod(cpu="1")),
    Case(
        "which may be too much",
        PODS,
        pod(cpu="2"),
        {"cpu": "1"},
        {"cpu": "1"},
        "exceeded quota: q, requested: cpu=1, used: cpu=1, limited: cpu=1",
        old=pod(cpu="1"),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_assess(case: Case) -> None:
    quota = codec.convert(
        ResourceQuota,
        {"metadata": {"name": "q"}, "spec": {"hard": case.hard}, "status": {"hard": case.hard, "used": case.used}},
    )
    added = growth(case.row, case.new, case.old, NOW)
    verdict = assess(quota, case.row, case.new, added, case.paid, created=case.old is None)
    assert (verdict.sentence if isinstance(verdict, Refusal) else verdict) == case.want
