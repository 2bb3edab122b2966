"""What every pod worker shares: the ports, the collaborators and the node's settings."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from apiclient.client import Client
from apiclient.events import EventRecorder
from apiclient.informer import Store
from apimachinery.clock import Clock
from apimachinery.kinds import Service
from apimachinery.kinds.base import Quantity
from kubelet.core.backoff import Backoff
from kubelet.core.resizing import Amounts
from kubelet.core.sandboxes import NodeFacts
from kubelet.loops.handlers import Handlers
from kubelet.loops.images import ImageKeeper
from kubelet.loops.objects import ObjectCache
from kubelet.loops.prober import Prober
from kubelet.ports import Cgroups, Filesystem, Runtime


@dataclass(frozen=True)
class Settings:
    """Of this node, from the configuration and the machine."""

    node_name: str
    node_ip: str
    facts: NodeFacts
    pod_logs_directory: str
    cgroup_root: str
    memory_bytes: int
    allocatable: Mapping[str, Quantity] = field(default_factory=dict)
    parallel_starts: int = 6


@dataclass(frozen=True)
class Kit:
    """Handed to each pod worker; owned by the application."""

    settings: Settings
    client: Client
    runtime: Runtime
    filesystem: Filesystem
    cgroups: Cgroups
    handlers: Handlers
    images: ImageKeeper
    objects: ObjectCache
    prober: Prober
    recorder: EventRecorder
    services: Store[Service]
    backoff: Backoff
    clock: Clock
    rng: random.Random
    start_slots: asyncio.Semaphore
    committed: Callable[[str], Amounts]
    """What this node has granted to all pods but the one of this uid."""
    room_freed: Callable[[], None]
    """To be told when a pod has given back some of what it was granted."""
    network_problem: Callable[[], str]
    """Why pods cannot be wired to the network now; empty when they can."""
