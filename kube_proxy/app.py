"""The proxy's process."""

import asyncio
import random
from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from apiclient.informer import Informer
from apimachinery.clock import SystemClock
from apimachinery.kinds import EndpointSlice, Service
from component_base import notify, run
from component_base.connection import new_client
from component_base.health import HealthServer
from component_base.tasks import forever
from kube_proxy.adapters.conntrack import Conntrack
from kube_proxy.adapters.iptables import Iptables
from kube_proxy.config import KubeProxyConfiguration
from kube_proxy.loops import SERVICE_INDEX, Metrics, Proxy, service_key


async def serve(config: KubeProxyConfiguration, stop: asyncio.Event) -> None:
    """Run until `stop`. The rules stay in the kernel: a proxy that is away must not take Services with it."""
    clock, rng, registry = SystemClock(), random.Random(), CollectorRegistry()
    client = new_client(config.client, field_manager="kube-proxy")
    services = Informer(client, Service, rng=rng)
    slices = Informer(client, EndpointSlice, rng=rng, indexers={SERVICE_INDEX: lambda each: (service_key(each),)})
    proxy = Proxy(
        services=services,
        slices=slices,
        packet_filter=Iptables(),
        flow_table=Conntrack(),
        node_name=config.node_name,
        cluster_cidr=config.cluster_cidr,
        clock=clock,
        rng=rng,
        metrics=Metrics(registry),
        min_sync_period_s=config.min_sync_period_seconds,
        resync_period_s=config.resync_period_seconds,
    )
    checks = {"rules": lambda: None if proxy.synced.is_set() else "the rules have not been programmed yet"}
    async with HealthServer(config.health, checks, registry), asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(forever(services.run(), "services"), name="informer/Service"),
            group.create_task(forever(slices.run(), "slices"), name="informer/EndpointSlice"),
        ]
        await services.synced.wait()
        await slices.synced.wait()
        tasks.append(group.create_task(forever(proxy.run(), "proxy"), name="proxy"))
        await proxy.synced.wait()
        notify.ready()
        await stop.wait()
        for task in tasks:
            task.cancel()
    await client.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the proxy with `--config FILE`; the exit code."""
    return run.main("kube-proxy", KubeProxyConfiguration, serve, argv)
