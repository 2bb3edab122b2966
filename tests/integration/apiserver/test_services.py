"""Addresses and node ports of Services: once each, kept, given back, whoever crashes."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from apiclient.client import Client
from apimachinery import codec
from apimachinery.clock import FakeClock
from apimachinery.errors import ApiError
from apimachinery.kinds import ObjectMeta, Service, ServicePort, ServiceSpec
from apiserver.app import Settings
from apiserver.core.allocation import CLUSTER_IPS, address_number
from apiserver.registry.services import Owner
from apiserver.storage.memory import MemoryStorage
from apiserver.storage.port import Storage
from tests.support.apiserver import RunningServer
from tests.support.inprocess import InProcessTransport, in_process_api

SERVICES = "/api/v1/namespaces/default/services"
MERGE = {"Content_Type": "application/merge-patch+json"}


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], "selector": {"app": name}, **spec}}


async def reserved(server: RunningServer, kind: str) -> set[str]:
    prefix = f"{server.assembly.settings.prefix}/coxswain.dev/reservations/{kind}/".encode()
    return {item.key[len(prefix) :].decode() for item in (await server.assembly.storage.list(prefix)).items}


async def test_bootstrap_made_the_kubernetes_service(rest: Any) -> None:
    found = (await rest("GET", SERVICES + "/kubernetes")).body
    assert (found["spec"]["clusterIP"], found["spec"]["ports"][0]["port"]) == ("10.96.0.1", 443)
    endpoints = (await rest("GET", "/api/v1/namespaces/default/endpoints/kubernetes")).body
    assert endpoints["subsets"][0]["addresses"] == [{"ip": "172.31.255.2"}]
    slices = await rest("GET", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes")
    assert slices.body["endpoints"][0]["addresses"] == ["172.31.255.2"]


async def test_addresses_are_given_out_once(rest: Any) -> None:
    found = await asyncio.gather(*[rest("POST", SERVICES, service(f"s{index}")) for index in range(20)])
    addresses = [each.body["spec"]["clusterIP"] for each in found]
    assert len(set(addresses)) == 20
    assert all(address.startswith("10.96.") for address in addresses)
    assert found[0].body["spec"]["clusterIPs"] == addresses[:1]


async def test_an_address_asked_for(rest: Any) -> None:
    body = {**service("kube-dns", clusterIP="10.96.0.10")}
    assert (await rest("POST", SERVICES, body)).body["spec"]["clusterIP"] == "10.96.0.10"
    taken = await rest("POST", SERVICES, service("other", clusterIP="10.96.0.10"))
    assert (taken.status, taken.body["reason"]) == (422, "Invalid")
    assert taken.body["message"].endswith("failed to allocate IP 10.96.0.10: provided IP is already allocated")
    outside = await rest("POST", SERVICES, service("other", clusterIP="10.1.2.3"))
    assert outside.status == 422
    assert "not in the valid range. The range of valid IPs is 10.96.0.0/16" in outside.body["message"]
    assert (await rest("POST", SERVICES, service("other", clusterIP="010.96.0.9"))).status == 422
    await rest("DELETE", SERVICES + "/kube-dns")
    assert (await rest("POST", SERVICES, service("other", clusterIP="10.96.0.10"))).status == 201


async def test_a_race_for_one_address_has_one_winner(rest: Any) -> None:
    bodies = [service(f"s{index}", clusterIP="10.96.0.77") for index in range(8)]
    found = await asyncio.gather(*[rest("POST", SERVICES, body) for body in bodies])
    assert sorted(each.status for each in found) == [201] + [422] * 7


async def test_headless_and_external_name_take_nothing(server: RunningServer, rest: Any) -> None:
    before = await reserved(server, "clusterips")
    headless = (await rest("POST", SERVICES, service("h", clusterIP="None"))).body["spec"]
    assert (headless["clusterIP"], headless["clusterIPs"]) == ("None", ["None"])
    external = await rest(
        "POST", SERVICES, {"metadata": {"name": "e"}, "spec": {"type": "ExternalName", "externalName": "a.b"}}
    )
    assert external.status == 201
    assert "clusterIP" not in external.body["spec"]
    assert await reserved(server, "clusterips") == before


async def test_node_ports(server: RunningServer, rest: Any) -> None:
    ports = [
        {"name": "a", "port": 53, "protocol": "UDP"},
        {"name": "b", "port": 53},
        {"name": "c", "port": 80, "nodePort": 30080},
    ]
    created = (await rest("POST", SERVICES, service("s", type="NodePort", ports=ports))).body
    udp, tcp, web = [each["nodePort"] for each in created["spec"]["ports"]]
    assert (udp, web) == (tcp, 30080)
    assert 30000 <= udp <= 32767
    assert await reserved(server, "nodeports") == {str(udp), "30080"}

    taken = await rest("POST", SERVICES, service("t", type="NodePort", ports=[{"port": 80, "nodePort": 30080}]))
    assert taken.status == 422
    assert "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated" in taken.body["message"]
    outside = await rest("POST", SERVICES, service("t", type="NodePort", ports=[{"port": 80, "nodePort": 80}]))
    assert "The range of valid ports is 30000-32767" in outside.body["message"]

    again = {**service("s", type="NodePort"), "spec": {**created["spec"], "ports": ports}}
    for key in ("clusterIP", "clusterIPs"):
        again["spec"].pop(key)
    kept = (await rest("PUT", SERVICES + "/s", again)).body
    assert kept["spec"] == created["spec"], "what an update does not mention it keeps"

    inside = (await rest("PATCH", SERVICES + "/s", {"spec": {"type": "ClusterIP"}}, **MERGE)).body
    assert [each.get("nodePort") for each in inside["spec"]["ports"]] == [None] * 3
    assert inside["spec"]["clusterIP"] == created["spec"]["clusterIP"]
    assert await reserved(server, "nodeports") == set()


async def test_type_changes_take_and_give_back(server: RunningServer, rest: Any) -> None:
    before = await reserved(server, "clusterips")
    await rest("POST", SERVICES, service("s"))
    external = await rest("PATCH", SERVICES + "/s", {"spec": {"type": "ExternalName", "externalName": "a.b"}}, **MERGE)
    assert external.status == 200, external.body
    assert "clusterIP" not in external.body["spec"]
    assert await reserved(server, "clusterips") == before
    back = await rest("PATCH", SERVICES + "/s", {"spec": {"type": "ClusterIP", "externalName": None}}, **MERGE)
    assert back.body["spec"]["clusterIP"] in await reserved(server, "clusterips")
    moved = await rest("PATCH", SERVICES + "/s", {"spec": {"clusterIP": "10.96.0.99", "clusterIPs": ["10.96.0.99"]}}, **MERGE)
    assert (moved.status, moved.body["reason"]) == (422, "Invalid")
    assert await reserved(server, "clusterips") == before | {back.body["spec"]["clusterIP"]}


async def test_refused_writes_give_back_what_they_took(server: RunningServer, rest: Any) -> None:
    await rest("POST", SERVICES, service("s"))
    before = await reserved(server, "clusterips")
    assert (await rest("POST", SERVICES, service("s"))).status == 409
    assert (await rest("POST", SERVICES + "?dryRun=All", service("t"))).status == 201
    assert await reserved(server, "clusterips") == before
    await rest("DELETE", SERVICES + "/s")
    assert len(await reserved(server, "clusterips")) == len(before) - 1


async def test_several_api_servers_give_nothing_out_twice(storage: Callable[[], Storage]) -> None:
    settings = Settings(prefix=f"/registry-{uuid.uuid4()}", service_cidr="10.96.0.0/26", node_port_range="30000-30063")
    stores = [storage()] * 2 if isinstance(storage(), MemoryStorage) else [storage(), storage()]
    async with (
        in_process_api(clock=FakeClock(), rng=random.Random(1), storage=stores[0], settings=settings) as one,
        in_process_api(clock=FakeClock(), rng=random.Random(2), storage=stores[1], settings=settings) as two,
    ):
        clients = [Client(InProcessTransport(each.api)) for each in (one, two)]

        async def create(index: int) -> Service:
            spec = ServiceSpec(type="NodePort", ports=[ServicePort(port=80)])
            service = Service(metadata=ObjectMeta(name=f"s{index}", namespace="default"), spec=spec)
            return await clients[index % 2].create(service)

        made = await asyncio.gather(*[create(index) for index in range(60)])
        assert len({each.spec.cluster_ip for each in made}) == 60, "all that the network has but two that are kept"
        assert len({each.spec.ports[0].node_port for each in made}) == 60
        with pytest.raises(ApiError, match="range is full"):
            await create(60)
        await clients[0].delete(Service, "s1", "default")
        assert (await create(60)).spec.cluster_ip == made[1].spec.cluster_ip


@pytest.mark.parametrize("address", ["10.96.3.3"])
async def test_repair_frees_what_a_crash_left(server: RunningServer, rest: Any, address: str) -> None:
    allocator = server.assembly.allocator
    number = address_number(address)
    assert number is not None
    owner = Owner("default", "crashed", "uid-of-the-crashed")
    assert await allocator.reserve(CLUSTER_IPS, number, owner) is not None
    assert (await rest("POST", SERVICES, service("s", clusterIP=address))).status == 422
    await allocator.repair()
    assert address in await reserved(server, "clusterips"), "a first look only suspects"
    await allocator.repair()
    assert address not in await reserved(server, "clusterips")
    assert (await rest("POST", SERVICES, service("s", clusterIP=address))).status == 201
    assert codec.encode(owner)


async def test_a_reservation_taken_away_stops_the_write(server: RunningServer, rest: Any) -> None:
    """The guard: between reserving and writing, somebody frees the address."""
    storage = server.assembly.storage
    original = storage.create
    prefix = f"{server.assembly.settings.prefix}/coxswain.dev/reservations/clusterips/".encode()

    async def create(key: bytes, value: bytes, **more: Any) -> int:
        if b"/core/services/" in key:
            stolen = prefix + b"10.96.4.4"
            held = await storage.get(stolen)
            assert held is not None
            await storage.delete(stolen, expected_revision=held.mod_revision)
        return await original(key, value, **more)

    storage.create = create  # type: ignore[method-assign]
    found = await rest("POST", SERVICES, service("s", clusterIP="10.96.4.4"))
    assert found.status == 409
    assert (await rest("GET", SERVICES + "/s")).status == 404
