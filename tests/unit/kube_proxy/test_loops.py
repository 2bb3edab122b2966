"""The proxy's shell against imitations, in virtual time."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from apiclient.informer import Informer
from apiclient.testing import FakeApi, fake_client
from apimachinery.codec import convert
from apimachinery.kinds import EndpointSlice, Service
from kube_proxy.adapters.fake import FakeFlowTable, FakePacketFilter
from kube_proxy.core.flows import Flow
from kube_proxy.loops import SERVICE_INDEX, Metrics, Proxy, service_key
from kube_proxy.ports import PacketFilterError


class LoopClock:
    def now(self) -> datetime:
        return datetime.fromtimestamp(1_700_000_000 + self.monotonic(), UTC)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


def service(name: str, ip: str, protocol: str = "TCP") -> Service:
    spec = {"clusterIP": ip, "ports": [{"name": "http", "port": 80, "protocol": protocol}]}
    return convert(Service, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})


def slice_of(name: str, *ips: str, protocol: str = "TCP") -> EndpointSlice:
    return convert(
        EndpointSlice,
        {
            "metadata": {"name": f"{name}-1", "namespace": "default", "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8080, "protocol": protocol}],
            "endpoints": [{"addresses": [ip], "conditions": {"ready": True}} for ip in ips],
        },
    )


@asynccontextmanager
async def proxying(
    api: FakeApi, packet_filter: FakePacketFilter, flow_table: FakeFlowTable | None = None
) -> AsyncIterator[Proxy]:
    client, rng = fake_client(api), random.Random(0)
    services = Informer(client, Service, rng=rng)
    slices = Informer(client, EndpointSlice, rng=rng, indexers={SERVICE_INDEX: lambda each: (service_key(each),)})
    proxy = Proxy(
        services=services,
        slices=slices,
        packet_filter=packet_filter,
        flow_table=flow_table or FakeFlowTable(),
        node_name="node-a",
        cluster_cidr="10.244.0.0/16",
        clock=LoopClock(),
        rng=rng,
        metrics=Metrics(CollectorRegistry()),
    )
    tasks = [asyncio.create_task(services.run()), asyncio.create_task(slices.run())]
    await services.synced.wait()
    await slices.synced.wait()
    tasks.append(asyncio.create_task(proxy.run()))
    try:
        yield proxy
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def destinations(packet_filter: FakePacketFilter) -> set[str]:
    rules = (rule for rules in packet_filter.tables["nat"].values() for rule in rules)
    return {rule.split()[-1] for rule in rules if "DNAT" in rule}


@pytest.mark.looptime
async def test_follows_services_and_slices() -> None:
    api, kernel = FakeApi(), FakePacketFilter()
    api.seed(service("web", "10.96.0.5"), slice_of("web", "10.244.1.2"))
    async with proxying(api, kernel):
        await asyncio.sleep(1)
        assert destinations(kernel) == {"10.244.1.2:8080"}
        api.put(slice_of("web", "10.244.1.2", "10.244.1.3"))
        await asyncio.sleep(1)
        assert destinations(kernel) == {"10.244.1.2:8080", "10.244.1.3:8080"}
        api.remove(Service, "web", "default")
        await asyncio.sleep(1)
        assert destinations(kernel) == set()


@pytest.mark.looptime
async def test_an_earlier_lifes_rules_are_taken_over_and_the_stale_ones_removed() -> None:
    api, kernel = FakeApi(), FakePacketFilter()
    api.seed(
        service("web", "10.96.0.5"), slice_of("web", "10.244.1.2"), service("old", "10.96.0.6"), slice_of("old", "10.244.1.9")
    )
    async with proxying(api, kernel):
        await asyncio.sleep(1)
    api.remove(Service, "old", "default")
    async with proxying(api, kernel):
        await asyncio.sleep(1)
        assert destinations(kernel) == {"10.244.1.2:8080"}
    assert all(len(set(rules)) == len(rules) for rules in kernel.tables["nat"].values()), "no jump stands twice"


@pytest.mark.looptime
async def test_rules_that_someone_removed_come_back() -> None:
    api, kernel = FakeApi(), FakePacketFilter()
    api.seed(service("web", "10.96.0.5"), slice_of("web", "10.244.1.2"))
    async with proxying(api, kernel):
        await asyncio.sleep(1)
        kernel.tables = FakePacketFilter().tables
        await asyncio.sleep(60)
        assert destinations(kernel) == {"10.244.1.2:8080"}
        assert kernel.tables["nat"]["PREROUTING"] == ["-j KUBE-SERVICES"]


@pytest.mark.looptime
async def test_a_refused_sync_is_tried_again_with_everything() -> None:
    api, kernel = FakeApi(), FakePacketFilter()
    api.seed(service("web", "10.96.0.5"), slice_of("web", "10.244.1.2"))
    real, failures = kernel.apply, [PacketFilterError("resource busy")] * 2

    async def apply(text: str) -> None:
        if failures:
            raise failures.pop()
        await real(text)

    kernel.apply = apply  # type: ignore[method-assign]
    async with proxying(api, kernel) as proxy:
        await asyncio.sleep(10)
        assert proxy.synced.is_set()
        assert destinations(kernel) == {"10.244.1.2:8080"}


@pytest.mark.looptime
async def test_of_the_flows_from_before_only_those_to_endpoints_that_have_gone_are_forgotten() -> None:
    api, kernel, flows = FakeApi(), FakePacketFilter(), FakeFlowTable()
    api.seed(service("dns", "10.96.0.5", "UDP"), slice_of("dns", "10.244.1.3", protocol="UDP"))
    gone, there = Flow("10.96.0.5", 80, "10.244.1.2"), Flow("10.96.0.5", 80, "10.244.1.3")
    flows.flows = [gone, there]
    async with proxying(api, kernel, flows):
        await asyncio.sleep(1)
        assert flows.forgotten == [gone]
        api.put(slice_of("dns", "10.244.1.4", protocol="UDP"))
        await asyncio.sleep(1)
        assert flows.forgotten == [gone, there]
