"""The kubelet as a whole: its parts wired to each other, started and stopped together.

`app.py` gives it real adapters, tests give it others; nothing here knows which.
"""

import asyncio
import logging
import random
from dataclasses import dataclass

from apiclient.client import Client
from apiclient.events import EventRecorder
from apiclient.informer import Informer
from apimachinery.clock import Clock
from apimachinery.kinds import Node, Pod, Service
from component_base.tasks import forever
from kubelet.core.backoff import Backoff
from kubelet.core.model import RuntimeHealth
from kubelet.core.node import Machine, NodeIdentity
from kubelet.loops.handlers import Handlers
from kubelet.loops.images import ImageKeeper
from kubelet.loops.kit import Kit, Settings
from kubelet.loops.log_keeper import LogKeeper
from kubelet.loops.network import NetworkKeeper
from kubelet.loops.node_agent import HealthWatch, LeaseKeeper, NodeReporter
from kubelet.loops.objects import ObjectCache
from kubelet.loops.pod_manager import PodManager
from kubelet.loops.prober import Prober
from kubelet.ports import Cgroups, Filesystem, LogStore, Machinery, Network, ProbeRunner, Runtime

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ports:
    """Everything outside."""

    runtime: Runtime
    filesystem: Filesystem
    cgroups: Cgroups
    network: Network
    probes: ProbeRunner
    machinery: Machinery
    logs: LogStore


@dataclass(frozen=True)
class Options:
    """What the configuration says beyond the pods' settings."""

    identity: NodeIdentity
    machine: Machine
    lease_duration_s: int
    lease_renew_s: float
    state_directory: str
    program_routes: bool


class Kubelet:
    """Construct, then `run`; `ready` is set once the pods are known and the node is registered."""

    def __init__(
        self, client: Client, ports: Ports, settings: Settings, options: Options, clock: Clock, rng: random.Random
    ) -> None:
        name = settings.node_name
        self._recorder = EventRecorder(client, component="kubelet", host=name, clock=clock, rng=rng)
        self._pods = Informer(client, Pod, rng=rng, field_selector=f"spec.nodeName={name}")
        self._services = Informer(client, Service, rng=rng)
        self._nodes = Informer(client, Node, rng=rng)
        self.health = HealthWatch(ports.runtime, clock)
        handlers = Handlers(ports.runtime, ports.probes)
        self._prober = Prober(handlers, self._recorder, clock, rng)
        self._objects = ObjectCache(client, rng)
        self._images = ImageKeeper(ports.runtime, self._recorder, clock)
        self._ports = ports
        self.kit = Kit(
            settings=settings,
            client=client,
            runtime=ports.runtime,
            filesystem=ports.filesystem,
            cgroups=ports.cgroups,
            handlers=handlers,
            images=self._images,
            objects=self._objects,
            prober=self._prober,
            recorder=self._recorder,
            services=self._services.store,
            backoff=Backoff(),
            clock=clock,
            rng=rng,
            start_slots=asyncio.Semaphore(settings.parallel_starts),
            committed=lambda uid: self.manager.committed(uid),
            room_freed=lambda: self.manager.room_freed(),
            network_problem=self.health.network_problem,
        )
        self.manager = PodManager(self.kit, self._pods, self.health.doubt)
        self._logs = LogKeeper(self.manager, ports.runtime, ports.logs, clock)
        self._reporter = NodeReporter(
            client,
            options.identity,
            options.machine,
            self.health,
            images=lambda: (),
            pressures=ports.machinery.pressures,
            clock=clock,
        )
        self._lease = LeaseKeeper(
            client,
            name,
            duration_s=options.lease_duration_s,
            renew_s=options.lease_renew_s,
            clock=clock,
            rng=rng,
        )
        self._lease.owner = lambda: self._reporter.node
        self._network = NetworkKeeper(
            name,
            self._nodes,
            ports.network,
            self._reporter,
            self.health,
            state_directory=options.state_directory,
            program_routes=options.program_routes,
        )
        self.ready = asyncio.Event()
        self.health.on_change(self._health_changed)

    def _health_changed(self, health: RuntimeHealth) -> None:
        if health.runtime_ready:
            self.manager.nudge_all()

    async def run(self) -> None:
        """Serve until cancelled, or until a part fails. Containers are left as they are."""
        eternal = {
            "lease": self._lease.run(),
            "health": self.health.run(),
            "node": self._reporter.run(),
            "informer/Pod": self._pods.run(),
            "informer/Service": self._services.run(),
            "informer/Node": self._nodes.run(),
            "events": self._recorder.run(),
            "network": self._network.run(),
            "pods": self._run_pods(),
            "logs": self._logs.run(),
        }
        try:
            async with asyncio.TaskGroup() as group:
                for name, work in eternal.items():
                    group.create_task(forever(work, name), name=name)
        finally:
            await self._prober.close()
            await self._objects.close()
            await self._images.close()

    async def _run_pods(self) -> None:
        await self._services.synced.wait()
        await self._pods.synced.wait()
        self.ready.set()
        await self.manager.run()
