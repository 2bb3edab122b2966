"""Objects and a zone for the name server's tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from apimachinery.codec import convert
from apimachinery.kinds import EndpointSlice, Service
from cluster_dns.core import names
from cluster_dns.core.services import records_of
from cluster_dns.core.zone import Zone

DOMAIN = ("cluster", "local")

MakeService = Callable[..., Service]
MakeSlice = Callable[..., EndpointSlice]


def make_service(name: str, namespace: str = "default", **spec: Any) -> Service:
    return convert(Service, {"metadata": {"name": name, "namespace": namespace}, "spec": spec})


def make_slice(
    service: str, *endpoints: dict[str, Any], namespace: str = "default", number: int = 1, **rest: Any
) -> EndpointSlice:
    plain = {
        "metadata": {
            "name": f"{service}-{number}",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "ports": [{"name": "redis", "port": 6379, "protocol": "TCP"}],
        "endpoints": list(endpoints),
        **rest,
    }
    return convert(EndpointSlice, plain)


def endpoint(address: str, hostname: str = "", ready: bool | None = True) -> dict[str, Any]:
    return {"addresses": [address], "hostname": hostname, "conditions": {"ready": ready}}


def fill(zone: Zone, service: Service, *slices: EndpointSlice) -> None:
    meta = service.metadata
    zone.put(f"{meta.namespace}/{meta.name}", records_of(service, slices, zone.domain))


def make_zone() -> Zone:
    """A cluster with one Service of each sort."""
    zone = Zone(DOMAIN, "10.96.0.0/16")
    http = {"name": "http", "port": 80, "targetPort": 8080}
    fill(zone, make_service("web", clusterIP="10.96.0.5", ports=[http, {"name": "udp", "port": 81, "protocol": "UDP"}]))
    fill(zone, make_service("plain", clusterIP="10.96.0.6", ports=[{"port": 80}]))
    fill(zone, make_service("unallocated"))
    fill(
        zone,
        make_service("redis", namespace="data", clusterIP="None"),
        make_slice("redis", endpoint("10.244.1.2", "redis-0"), endpoint("10.244.1.3"), endpoint("10.244.1.4", ready=False)),
        make_slice("redis", endpoint("10.244.2.2", "redis-1"), endpoint("10.244.1.2", "redis-0"), number=2),
        make_slice("redis", {"addresses": ["fd00::1"]}, number=3, addressType="IPv6"),
    )
    fill(
        zone,
        make_service("peers", namespace="data", clusterIP="None", publishNotReadyAddresses=True),
        make_slice("peers", endpoint("10.244.3.2", "Peer-0", ready=False), endpoint("10.244.1.2", ready=None)),
    )
    fill(
        zone,
        make_service("starting", namespace="new", clusterIP="None"),
        make_slice("starting", endpoint("10.244.4.4", ready=False)),
    )
    fill(
        zone,
        make_service("world", clusterIP="None"),
        make_slice("world", endpoint("203.0.113.7", "far"), ports=[{"name": "", "port": 1}, {"name": "any"}]),
    )
    fill(zone, make_service("outside", type="ExternalName", externalName="www.Example.com."))
    fill(zone, make_service("alias", type="ExternalName", externalName="web.default.svc.cluster.local"))
    fill(zone, make_service("dangling", type="ExternalName", externalName="gone.default.svc.cluster.local"))
    fill(zone, make_service("loop-a", type="ExternalName", externalName="loop-b.default.svc.cluster.local"))
    fill(zone, make_service("loop-b", type="ExternalName", externalName="loop-a.default.svc.cluster.local"))
    fill(zone, make_service("nonsense", type="ExternalName", externalName="a..b"))
    assert names.parse("cluster.local") == zone.domain
    return zone


@pytest.fixture
def zone() -> Zone:
    return make_zone()
