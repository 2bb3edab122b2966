"""What objects use of quotas, and which quotas they fall under."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from apimachinery import codec, quota_usage
from apimachinery.kinds import ResourceQuota
from apimachinery.kinds.object import Object
from apimachinery.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    EVENTS,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Resource,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ASKS = {"requests": {"cpu": "500m", "memory": "1Gi", "example.com/boat": "2"}, "limits": {"cpu": "1", "example.com/boat": "2"}}


def made(row: Resource, **parts: Any) -> Object:
    return codec.convert(row.cls, {"metadata": {"name": "x", "namespace": "default"}, **parts})


def pod(resources: Any = None, *, status: Any = None, metadata: Any = None, **spec: Any) -> Object:
    parts = {"spec": {"containers": [{"name": "c", "resources": resources or {}}], **spec}, "status": status or {}}
    return made(PODS, **parts, **({"metadata": {"name": "x", "namespace": "default", **metadata}} if metadata else {}))


def claim(storage: str, **spec: Any) -> Object:
    return made(PERSISTENT_VOLUME_CLAIMS, spec={"resources": {"requests": {"storage": storage}}, **spec})


@dataclass(frozen=True)
class Case:
    id: str
    row: Resource
    obj: Object
    want: dict[str, str]


COMPUTED = {
    "count/pods": "1",
    "pods": "1",
    "cpu": "500m",
    "requests.cpu": "500m",
    "limits.cpu": "1",
    "memory": "1Gi",
    "requests.memory": "1Gi",
    "requests.example.com/boat": "2",
}
GOING = {"deletionTimestamp": "2026-01-01T11:59:00Z", "deletionGracePeriodSeconds": 30}
STAYING = {"deletionTimestamp": "2026-01-01T11:59:00Z", "deletionGracePeriodSeconds": 90}
CASES = (
    Case("pod", PODS, pod(ASKS), COMPUTED),
    Case("a pod that has finished", PODS, pod(ASKS, status={"phase": "Succeeded"}), {"count/pods": "1"}),
    Case("a pod that should be gone", PODS, pod(ASKS, metadata=GOING), {"count/pods": "1"}),
    Case("a pod in its grace period", PODS, pod(ASKS, metadata=STAYING), COMPUTED),
    Case("config map", CONFIG_MAPS, made(CONFIG_MAPS), {"count/configmaps": "1", "configmaps": "1"}),
    Case("service account", SERVICE_ACCOUNTS, made(SERVICE_ACCOUNTS), {"count/serviceaccounts": "1"}),
    Case("deployment", DEPLOYMENTS, made(DEPLOYMENTS), {"count/deployments.apps": "1"}),
    Case(
        "service",
        SERVICES,
        made(SERVICES, spec={"type": "ClusterIP", "ports": [{"port": 1}]}),
        {"count/services": "1", "services": "1", "services.nodeports": "0", "services.loadbalancers": "0"},
    ),
    Case(
        "node ports",
        SERVICES,
        made(SERVICES, spec={"type": "NodePort", "ports": [{"port": 1}, {"port": 2}]}),
        {"count/services": "1", "services": "1", "services.nodeports": "2", "services.loadbalancers": "0"},
    ),
    Case(
        "load balancer without node ports",
        SERVICES,
        made(SERVICES, spec={"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False, "ports": [{"port": 1}]}),
        {"count/services": "1", "services": "1", "services.nodeports": "0", "services.loadbalancers": "1"},
    ),
    Case(
        "claim of a class",
        PERSISTENT_VOLUME_CLAIMS,
        claim("1Gi", storageClassName="gold"),
        {
            "count/persistentvolumeclaims": "1",
            "persistentvolumeclaims": "1",
            "requests.storage": "1Gi",
            "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
            "gold.storageclass.storage.k8s.io/requests.storage": "1Gi",
        },
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_usage(case: Case) -> None:
    used = quota_usage.usage(case.row, case.obj, NOW)
    assert used == case.want
    assert all(quota_usage.measures(case.row, name) for name in used)


def test_what_is_never_counted() -> None:
    assert not quota_usage.is_counted(EVENTS)
    assert not quota_usage.is_counted(NODES)
    assert quota_usage.is_counted(DEPLOYMENTS)
    assert not quota_usage.measures(CONFIG_MAPS, "secrets")
    assert not quota_usage.measures(DEPLOYMENTS, "deployments")


BEST_EFFORT = pod(status={"qosClass": "BestEffort"})
BURSTABLE = pod(ASKS, status={"qosClass": "Burstable"}, activeDeadlineSeconds=0)
URGENT = pod(priorityClassName="urgent")


def only(operator: str, *values: str, scope: str = "PriorityClass") -> dict[str, Any]:
    return {"scopeSelector": {"matchExpressions": [{"scopeName": scope, "operator": operator, "values": list(values)}]}}


@dataclass(frozen=True)
class Scoped:
    id: str
    spec: dict[str, Any]
    obj: Object
    want: bool


SCOPED = (
    Scoped("no scope", {}, made(CONFIG_MAPS), True),
    Scoped("best effort", {"scopes": ["BestEffort"]}, BEST_EFFORT, True),
    Scoped("not best effort", {"scopes": ["NotBestEffort"]}, BEST_EFFORT, False),
    Scoped("a deadline", {"scopes": ["Terminating", "NotBestEffort"]}, BURSTABLE, True),
    Scoped("all scopes have to match", {"scopes": ["Terminating", "BestEffort"]}, BURSTABLE, False),
    Scoped("no deadline", {"scopes": ["NotTerminating"]}, BURSTABLE, False),
    Scoped("runs for ever", {"scopes": ["NotTerminating"]}, BEST_EFFORT, True),
    Scoped("any class", {"scopes": ["PriorityClass"]}, URGENT, True),
    Scoped("no class", {"scopes": ["PriorityClass"]}, BEST_EFFORT, False),
    Scoped("one of the classes", only("In", "urgent", "high"), URGENT, True),
    Scoped("none of the classes", only("In", "high"), URGENT, False),
    Scoped("another than", only("NotIn", "high"), BEST_EFFORT, True),
    Scoped("without class", only("DoesNotExist"), URGENT, False),
    Scoped("scopes of pods leave others alone", {"scopes": ["NotTerminating"]}, made(CONFIG_MAPS), False),
    Scoped(
        "claims by attributes",
        only("In", "fast", scope="VolumeAttributesClass"),
        claim("1", volumeAttributesClassName="fast"),
        True,
    ),
    Scoped(
        "affinity beyond the namespace",
        {"scopes": ["CrossNamespacePodAffinity"]},
        pod(
            affinity={
                "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "z", "namespaces": ["a"]}]}
            }
        ),
        True,
    ),
    Scoped("no affinity", {"scopes": ["CrossNamespacePodAffinity"]}, pod(), False),
)


@pytest.mark.parametrize("case", SCOPED, ids=lambda case: case.id)
def test_scopes(case: Scoped) -> None:
    quota = codec.convert(ResourceQuota, {"metadata": {"name": "q"}, "spec": case.spec})
    assert quota_usage.covers(quota, case.obj) is case.want


def test_containers_that_do_not_say() -> None:
    given = codec.convert(
        PODS.cls,
        {
            "spec": {
                "containers": [{"name": "b"}, {"name": "a", "resources": {"requests": {"cpu": "1"}}}],
                "initContainers": [{"name": "i", "resources": {"requests": {"memory": "1"}}}],
            }
        },
    )
    assert quota_usage.unnamed(given, ["requests.cpu", "memory", "pods"]) == {"memory": ["a", "b"], "requests.cpu": ["b", "i"]}  # type: ignore[arg-type]
