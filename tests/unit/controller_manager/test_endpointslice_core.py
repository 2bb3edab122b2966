"""Which endpoints a Service has, and that slices say so in the fewest writes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apimachinery import codec
from apimachinery.codec import convert
from apimachinery.kinds import EndpointSlice, Pod, Service
from controller_manager.endpointslice import core


def service(**spec: Any) -> Service:
    meta = {"name": "web", "namespace": "default", "uid": "svc", "labels": {"tier": "front"}}
    ports = spec.pop("ports", [{"name": "http", "port": 80, "targetPort": 8080}])
    return convert(Service, {"metadata": meta, "spec": {"selector": {"app": "web"}, "ports": ports, **spec}})


def pod(name: str, *, ready: bool = True, terminating: bool = False, port: int = 8080, **more: Any) -> Pod:
    number = int("".join(filter(str.isdigit, name)) or 0)
    meta = {"name": name, "namespace": "default", "uid": f"uid-{name}", "labels": {"app": "web"}}
    if terminating:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    spec = {
        "nodeName": more.pop("node", "n1"),
        "containers": [{"name": "c", "image": "i", "ports": [{"name": "web", "containerPort": port}]}],
        **more.pop("spec", {}),
    }
    status = {
        "phase": "Running",
        "podIP": f"10.244.{number // 256}.{number % 256}",
        "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        **more,
    }
    return convert(Pod, {"metadata": meta, "spec": spec, "status": status})


def zone_of(node: str) -> str:
    return {"n1": "east"}.get(node, "")


class Slices:
    """Slices as the API keeps them; counts what is written."""

    def __init__(self) -> None:
        self.all: dict[str, EndpointSlice] = {}
        self.writes = 0
        self._serial = 0

    def apply(self, plan: core.Plan) -> None:
        for made in plan.creates:
            self._serial += 1
            fresh = codec.deep_copy(made)
            fresh.metadata.name = fresh.metadata.uid = f"web-{self._serial}"
            self.all[fresh.metadata.uid] = fresh
        for changed in plan.updates:
            self.all[changed.metadata.uid] = codec.deep_copy(changed)
        for doomed in plan.deletes:
            del self.all[doomed.metadata.uid]
        self.writes += len(plan.creates) + len(plan.updates) + len(plan.deletes)

    def sync(self, of: Service, pods: list[Pod]) -> core.Plan:
        plan = core.plan(of, pods, list(self.all.values()), zone_of)
        self.apply(plan)
        again = core.plan(of, pods, list(self.all.values()), zone_of)
        assert again == core.Plan(), "a plan that was carried out leaves nothing to do"
        return plan

    def endpoints(self) -> dict[str, Any]:
        found = {}
        for each in self.all.values():
            assert len(each.endpoints) <= core.MAX_ENDPOINTS
            for endpoint in each.endpoints:
                assert endpoint.target_ref is not None
                assert endpoint.target_ref.name not in found, "no endpoint stands twice"
                found[endpoint.target_ref.name] = endpoint
        return found


@dataclass(frozen=True)
class Case:
    id: str
    pod: Pod
    want: tuple[bool, bool, bool] | None
    service: dict[str, Any] = field(default_factory=dict)


CASES = (
    Case("ready", pod("a1"), (True, True, False)),
    Case("not ready", pod("a1", ready=False), (False, False, False)),
    Case("terminating but serving", pod("a1", terminating=True), (False, True, True)),
    Case("terminating and not serving", pod("a1", ready=False, terminating=True), (False, False, True)),
    Case("published though not ready", pod("a1", ready=False), (True, False, False), {"publishNotReadyAddresses": True}),
    Case("no address yet", pod("a1", podIP=""), None),
    Case("finished", pod("a1", phase="Succeeded"), None),
    Case("failed", pod("a1", phase="Failed"), None),
    Case("without the named port", pod("a1"), None, {"ports": [{"name": "x", "port": 80, "targetPort": "metrics"}]}),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_conditions(case: Case) -> None:
    slices = Slices()
    slices.sync(service(**case.service), [case.pod])
    found = slices.endpoints().get("a1")
    if case.want is None:
        assert found is None
    else:
        told = found.conditions
        assert (told.ready, told.serving, told.terminating) == case.want


def test_an_endpoint_says_where_it_is() -> None:
    slices = Slices()
    slices.sync(service(), [pod("a1", spec={"hostname": "h", "subdomain": "web"})])
    (only,) = slices.all.values()
    (endpoint,) = only.endpoints
    assert (endpoint.addresses, endpoint.node_name, endpoint.zone, endpoint.hostname) == (["10.244.0.1"], "n1", "east", "h")
    assert (endpoint.target_ref.kind, endpoint.target_ref.uid) == ("Pod", "uid-a1")
    assert only.metadata.labels == {
        "tier": "front",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert [(each.name, each.port, each.protocol) for each in only.ports] == [("http", 8080, "TCP")]
    assert only.metadata.owner_references[0].uid == "svc"
    assert (only.address_type, only.metadata.generate_name) == ("IPv4", "web-")


def test_named_ports_may_differ_from_pod_to_pod() -> None:
    slices = Slices()
    slices.sync(service(ports=[{"name": "http", "port": 80, "targetPort": "web"}]), [pod("a1"), pod("a2", port=9090)])
    by_port = {each.ports[0].port: [e.target_ref.name for e in each.endpoints] for each in slices.all.values()}
    assert by_port == {8080: ["a1"], 9090: ["a2"]}


def test_a_service_without_pods_has_one_empty_slice() -> None:
    slices = Slices()
    slices.sync(service(), [])
    (only,) = slices.all.values()
    assert (only.endpoints, only.ports) == ([], [])
    slices.sync(service(), [pod("a1")])
    assert list(slices.endpoints()) == ["a1"]
    assert len(slices.all) == 1
    slices.sync(service(), [])
    assert len(slices.all) == 1


def test_a_headless_service_is_marked() -> None:
    slices = Slices()
    slices.sync(service(clusterIP="None", ports=[]), [pod("a1")])
    (only,) = slices.all.values()
    assert "service.kubernetes.io/headless" in only.metadata.labels
    assert list(slices.endpoints()) == ["a1"]


def test_changes_touch_only_the_slices_that_they_concern() -> None:
    slices, pods = Slices(), [pod(f"p{number}") for number in range(250)]
    slices.sync(service(), pods)
    assert sorted(len(each.endpoints) for each in slices.all.values()) == [50, 100, 100]
    slices.writes = 0
    pods[7] = pod("p7", ready=False)
    slices.sync(service(), pods)
    assert slices.writes == 1, "one pod's change is one slice's"
    pods.append(pod("p250"))
    slices.sync(service(), pods)
    assert slices.writes == 2, "a new pod goes into the slice with room"
    del pods[7]
    pods.append(pod("p251"))
    slices.sync(service(), pods)
    assert slices.writes == 3, "a slice that is written anyway takes what is new"


def test_what_stands_twice_or_is_foreign_is_cleaned_up() -> None:
    slices = Slices()
    slices.sync(service(), [pod("a1"), pod("a2")])
    (first,) = list(slices.all.values())
    twin = codec.deep_copy(first)
    twin.metadata.name = twin.metadata.uid = "web-9"
    slices.all["web-9"] = twin
    other = codec.deep_copy(first)
    other.metadata.name = other.metadata.uid = "web-v6"
    other.address_type = "IPv6"
    slices.all["web-v6"] = other
    slices.sync(service(), [pod("a1"), pod("a2")])
    assert sorted(slices.endpoints()) == ["a1", "a2"]
    assert list(slices.all) == [first.metadata.uid]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_slices_always_end_up_telling_the_truth(seed: int) -> None:
    chance, slices = random.Random(seed), Slices()
    wanted = service(ports=[{"name": "http", "port": 80, "targetPort": "web"}])
    pods: dict[str, Pod] = {}
    for _ in range(15):
        for _ in range(chance.randrange(60)):
            name = f"p{chance.randrange(400)}"
            if chance.random() < 0.4:
                pods.pop(name, None)
            else:
                pods[name] = pod(name, ready=chance.random() < 0.8, port=chance.choice((8080, 9090)))
        slices.sync(wanted, list(pods.values()))
        found = slices.endpoints()
        assert found.keys() == pods.keys()
        assert all(found[name].conditions.ready == core.podinfo.is_ready(pods[name]) for name in pods)
