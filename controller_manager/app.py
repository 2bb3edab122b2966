"""The controller manager's process: caches first, then, while it holds the lease, the controllers.

A standby keeps its caches warm, so that it can take over at once; it is ready as soon as they are. Losing the lease
while leading ends the process, and whatever it was about to write is refused by its fence. An orderly stop finishes the
keys in hand, then gives the lease away.
"""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from apiclient.client import Client
from apiclient.events import EventRecorder
from apimachinery.clock import Clock, SystemClock
from component_base import notify, run
from component_base.connection import new_client, new_elector
from component_base.health import HealthServer
from component_base.tasks import forever
from controller_manager.cluster_role_aggregation.controller import ClusterRoleAggregationController
from controller_manager.config import ControllerManagerConfiguration
from controller_manager.deployment.controller import DeploymentController
from controller_manager.disruption.controller import DisruptionController
from controller_manager.endpoints.controller import EndpointsController
from controller_manager.endpointslice.controller import EndpointSliceController
from controller_manager.garbage_collector.controller import GarbageCollector
from controller_manager.namespace.controller import NamespaceController
from controller_manager.node_ipam.controller import NodeIpamController
from controller_manager.node_lifecycle.controller import NodeLifecycleController
from controller_manager.pod_gc.controller import PodGcController
from controller_manager.replicaset.controller import ReplicaSetController
from controller_manager.resource_quota.controller import ResourceQuotaController
from controller_manager.root_ca.controller import RootCaController
from controller_manager.serviceaccount.controller import ServiceAccountController
from controller_manager.shared.context import Context, Informers, Recorder, build_informers
from controller_manager.shared.loop import Controller
from controller_manager.shared.metrics import Metrics
from controller_manager.taint_eviction.controller import TaintEvictionController

NAME = "kube-controller-manager"
SYNC_TIMEOUT_S = 60.0
DRAIN_TIMEOUT_S = 5.0
RESYNC_PERIOD_S = 120.0


class Leader:
    """The controllers of one term. `lead` runs them until `stop` is set, or raises when one fails."""

    def __init__(
        self,
        config: ControllerManagerConfiguration,
        client: Client,
        informers: Informers,
        *,
        clock: Clock,
        rng: random.Random,
        metrics: Metrics,
        stop: asyncio.Event,
    ) -> None:
        self._config = config
        self._client = client
        self._informers = informers
        self._clock = clock
        self._rng = rng
        self._metrics = metrics
        self._stop = stop

    async def lead(self) -> None:
        recorders: list[EventRecorder] = []

        def new_recorder(component: str) -> Recorder:
            recorders.append(EventRecorder(self._client, component=component, clock=self._clock, rng=self._rng))
            return recorders[-1]

        context = Context(self._client, self._informers, self._clock, self._rng, new_recorder, self._metrics)
        controllers = build_controllers(self._config, context)
        async with asyncio.TaskGroup() as group:
            talking = [group.create_task(forever(each.run(), "events"), name="events") for each in recorders]
            talking.append(group.create_task(forever(_resync(controllers), "resync"), name="resync"))
            working = [group.create_task(each.run(), name=each.name) for each in controllers]
            await self._stop.wait()
            for controller in controllers:
                controller.drain()
            await asyncio.wait(working, timeout=DRAIN_TIMEOUT_S)
            for task in (*working, *talking):
                task.cancel()


def build_controllers(config: ControllerManagerConfiguration, context: Context) -> list[Controller]:
    """One of each, subscribed to the informers."""
    grace_s = config.node_monitor_grace_period_seconds
    controllers: list[Controller] = [
        DeploymentController(context),
        ReplicaSetController(context),
        EndpointSliceController(context),
        EndpointsController(context),
        NodeLifecycleController(context, grace_s=grace_s, unhealthy_fraction=config.unhealthy_fraction),
        TaintEvictionController(context, settle_s=2 * grace_s),
        NodeIpamController(context, cluster_cidr=config.cluster_cidr, mask_size=config.node_cidr_mask_size),
        PodGcController(context),
        DisruptionController(context),
        GarbageCollector(context),
        NamespaceController(context),
        ServiceAccountController(context),
        ResourceQuotaController(context),
        ClusterRoleAggregationController(context),
    ]
    if config.root_ca_file:
        controllers.append(RootCaController(context, certificate=Path(config.root_ca_file).read_text()))
    return controllers


async def serve(config: ControllerManagerConfiguration, stop: asyncio.Event) -> None:
    """Run until `stop`; raises when the lease is lost or a part fails."""
    clock, rng, registry = SystemClock(), random.Random(config.seed), CollectorRegistry()
    client = new_client(config.client, field_manager=NAME)
    elector = new_elector(config.leader_election, client, name=NAME, clock=clock, rng=rng)
    informers = build_informers(client, rng)
    leader = Leader(
        config,
        client.fenced(elector.fence),
        informers,
        clock=clock,
        rng=rng,
        metrics=Metrics(registry),
        stop=stop,
    )
    async with HealthServer(config.health, {"ping": lambda: None}, registry), asyncio.TaskGroup() as group:
        feeds = [group.create_task(forever(each.run(), each.kind), name=f"informer/{each.kind}") for each in informers.all()]
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            if await _synced(informers, stopping):
                leading = group.create_task(elector.run(leader.lead), name="leading")
                notify.ready()
                await asyncio.wait((leading, stopping), return_when=asyncio.FIRST_COMPLETED)
                if not elector.leading:
                    leading.cancel()  # still waiting for the lease
                await asyncio.wait((leading,))
        finally:
            for task in (stopping, *feeds):
                task.cancel()
    await client.close()


async def _synced(informers: Informers, stopping: asyncio.Task[bool]) -> bool:
    """Wait until every cache is filled; False when stopped before. Raises TimeoutError when it takes too long."""

    async def all_synced() -> None:
        for informer in informers.all():
            await informer.synced.wait()

    syncing = asyncio.create_task(all_synced(), name="sync")
    try:
        async with asyncio.timeout(SYNC_TIMEOUT_S):
            await asyncio.wait((syncing, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        syncing.cancel()
    return not stopping.done()


async def _resync(controllers: Sequence[Controller]) -> None:
    """Have everything looked at again now and then: the net under lost events."""
    while True:
        await asyncio.sleep(RESYNC_PERIOD_S)
        for controller in controllers:
            controller.resync()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the controller manager with `--config FILE`; the exit code."""
    return run.main("controller-manager", ControllerManagerConfiguration, serve, argv)
