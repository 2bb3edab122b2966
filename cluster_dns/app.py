"""The name server's process.

It listens only once the zone is complete: a name must not be denied because it has not been read yet.
"""

import asyncio
import random
from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from apiclient.client import Client
from apiclient.informer import Informer
from apiclient.workqueue import WorkQueue, work
from apimachinery.clock import SystemClock
from apimachinery.kinds import EndpointSlice, Service
from cluster_dns import loops
from cluster_dns.adapters.metrics import Metrics
from cluster_dns.adapters.responder import Responder
from cluster_dns.adapters.server import DnsServer
from cluster_dns.config import ClusterDnsConfiguration
from cluster_dns.core import names
from cluster_dns.core.registration import Instance
from cluster_dns.core.zone import Zone
from component_base import notify, run
from component_base.connection import new_client
from component_base.health import HealthServer
from component_base.tasks import forever

DRAIN_TIMEOUT_S = 1.0
RETRY_MAX_S = 5.0


async def serve(config: ClusterDnsConfiguration, stop: asyncio.Event) -> None:
    """Run until `stop`."""
    client = new_client(config.client, field_manager="cluster-dns")
    try:
        await serve_with(client, config, stop)
    finally:
        await client.close()


async def serve_with(client: Client, config: ClusterDnsConfiguration, stop: asyncio.Event) -> None:
    """Run on a client until `stop`."""
    clock, rng, registry = SystemClock(), random.Random(), CollectorRegistry()
    metrics = Metrics(registry)
    services = Informer(client, Service, rng=rng)
    slices = Informer(client, EndpointSlice, rng=rng, indexers={loops.SERVICE_INDEX: lambda each: (loops.service_key(each),)})
    zone = Zone(names.parse(config.cluster_domain) or (), config.service_cidr)
    loops.ZoneKeeper(zone, services, slices)
    queue = WorkQueue(clock=clock, rng=rng, base_delay_s=0.05, max_delay_s=RETRY_MAX_S)
    instance = Instance(config.node_name, config.node_ip, config.port, config.cluster_ip)
    registration = loops.Registration(client, instance, services, slices, queue)
    server = DnsServer(config.node_ip, config.port, Responder(zone, rng, metrics.observe), metrics)
    checks = {
        "sockets": lambda: None if server.listening else "not listening: the zone has not been read yet",
        "registration": registration.problem,
    }
    async with HealthServer(config.health, checks, registry), asyncio.TaskGroup() as group:
        feeds = [group.create_task(forever(each.run(), each.kind), name=f"informer/{each.kind}") for each in (services, slices)]
        synced = group.create_task(_all(services.synced, slices.synced), name="synced")
        if await _before(synced, stop, group):
            try:
                await server.start()
                worker = group.create_task(work(queue, registration.reconcile, log=loops.log), name="registration")
                registration.begin()
                if await _before(group.create_task(_all(registration.complete)), stop, group):
                    notify.ready()
                    await stop.wait()
                # a write under way is not cut off; nothing new is begun
                queue.shut_down()
                await asyncio.wait([worker], timeout=DRAIN_TIMEOUT_S)
                worker.cancel()
            finally:
                await server.close()
        for task in feeds:
            task.cancel()


async def _all(*events: asyncio.Event) -> None:
    for event in events:
        await event.wait()


async def _before(task: asyncio.Task[None], stop: asyncio.Event, group: asyncio.TaskGroup) -> bool:
    """Whether `task` finished before `stop` was set; the other one of the two is given up."""
    stopped = group.create_task(_all(stop), name="stop")
    await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
    finished = task.done()
    task.cancel()
    stopped.cancel()
    return finished


def main(argv: Sequence[str] | None = None) -> int:
    """Run the name server with `--config FILE`; the exit code."""
    return run.main("cluster-dns", ClusterDnsConfiguration, serve, argv)
