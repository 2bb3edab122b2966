"""The Endpoints object of a Service."""

from __future__ import annotations

from typing import Any

from apimachinery.codec import convert
from apimachinery.kinds import Pod, Service
from controller_manager.endpoints import core


def service(**spec: Any) -> Service:
    meta = {"name": "web", "namespace": "default", "labels": {"tier": "front"}}
    ports = spec.pop("ports", [{"name": "http", "port": 80, "targetPort": "web"}])
    return convert(Service, {"metadata": meta, "spec": {"selector": {"app": "web"}, "ports": ports, **spec}})


def pod(number: int, *, ready: bool = True, terminating: bool = False, port: int = 8080) -> Pod:
    meta = {"name": f"p{number}", "namespace": "default", "uid": f"u{number}", "labels": {"app": "web"}}
    if terminating:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    status = {
        "phase": "Running",
        "podIP": f"10.244.{number // 256}.{number % 256}",
        "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
    }
    containers = [{"name": "c", "image": "i", "ports": [{"name": "web", "containerPort": port}]}]
    return convert(Pod, {"metadata": meta, "spec": {"nodeName": "n", "containers": containers}, "status": status})


def addresses(found: Any) -> list[tuple[int, list[str], list[str]]]:
    return [
        (subset.ports[0].port, [e.ip for e in subset.addresses], [e.ip for e in subset.not_ready_addresses])
        for subset in found.subsets
    ]


def test_ready_and_unready_stand_apart_by_port_and_the_terminating_not_at_all() -> None:
    pods = [pod(3), pod(1), pod(2, ready=False), pod(4, terminating=True), pod(5, port=9090)]
    found = core.wanted(service(), pods, None)
    assert addresses(found) == [(8080, ["10.244.0.1", "10.244.0.3"], ["10.244.0.2"]), (9090, ["10.244.0.5"], [])]
    assert found.metadata.labels == {"tier": "front", core.MANAGED_BY_LABEL: core.MANAGER}
    assert found.subsets[0].addresses[0].target_ref.name == "p1"
    assert core.wanted(service(), list(reversed(pods)), found) == found, "the order of pods does not matter"


def test_addresses_that_are_not_ready_are_published_when_asked_for() -> None:
    found = core.wanted(service(publishNotReadyAddresses=True), [pod(1, ready=False), pod(2, terminating=True)], None)
    assert addresses(found) == [(8080, ["10.244.0.1", "10.244.0.2"], [])]


def test_a_thousand_at_most_ready_ones_first() -> None:
    pods = [pod(number, ready=number % 2 == 0) for number in range(1200)]
    found = core.wanted(service(), pods, None)
    ((_, ready, unready),) = addresses(found)
    assert (len(ready), len(unready)) == (600, 400)
    assert found.metadata.annotations[core.OVER_CAPACITY] == "truncated"
    less = core.wanted(service(), pods[:10], found)
    assert core.OVER_CAPACITY not in less.metadata.annotations


def test_no_pods_no_subsets() -> None:
    assert core.wanted(service(), [], None).subsets == []
