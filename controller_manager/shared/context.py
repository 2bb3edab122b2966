"""What every controller is handed: the API, the shared caches, time, chance, and a voice."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from apiclient.client import Client
from apiclient.informer import Informer, index_by_owner
from apimachinery.clock import Clock
from apimachinery.kinds import (
    ClusterRole,
    ConfigMap,
    Deployment,
    Endpoints,
    EndpointSlice,
    Lease,
    Namespace,
    Node,
    Object,
    PersistentVolumeClaim,
    Pod,
    PodDisruptionBudget,
    ReplicaSet,
    ReplicationController,
    ResourceQuota,
    Secret,
    Service,
    ServiceAccount,
    StatefulSet,
)
from controller_manager.shared.metrics import Metrics
from controller_manager.shared.ownership import controller_of
from controller_manager.shared.services import SERVICE_NAME_LABEL

OWNER = "owner"
"""Index of pods and ReplicaSets by the uid of the object that controls them."""

FREE = "free"
"""Index of pods and ReplicaSets that nobody controls, by namespace."""

NODE = "node"
"""Index of pods by the node they are bound to."""

SERVICE = "service"
"""Index of EndpointSlices by `namespace/name` of the Service they belong to."""


class Recorder(Protocol):
    """Tells people what happened to an object; never blocks and never fails."""

    def event(self, obj: Object, type_: str, reason: str, message: str) -> None:
        """type_ is "Normal" or "Warning", reason a CamelCase word."""


@dataclass(frozen=True)
class Informers:
    """One informer for each kind, shared by all controllers of the process; owners stand before what they own."""

    namespaces: Informer[Namespace]
    nodes: Informer[Node]
    deployments: Informer[Deployment]
    replica_sets: Informer[ReplicaSet]
    replication_controllers: Informer[ReplicationController]
    stateful_sets: Informer[StatefulSet]
    services: Informer[Service]
    pods: Informer[Pod]
    endpoints: Informer[Endpoints]
    endpoint_slices: Informer[EndpointSlice]
    config_maps: Informer[ConfigMap]
    secrets: Informer[Secret]
    service_accounts: Informer[ServiceAccount]
    leases: Informer[Lease]
    pod_disruption_budgets: Informer[PodDisruptionBudget]
    persistent_volume_claims: Informer[PersistentVolumeClaim]
    resource_quotas: Informer[ResourceQuota]
    cluster_roles: Informer[ClusterRole]

    def all(self) -> tuple[Informer[Object], ...]:
        return tuple(getattr(self, name) for name in self.__dataclass_fields__)


def build_informers(client: Client, rng: random.Random) -> Informers:
    """Informers with the indices that controllers look things up by; the caller runs them."""
    return Informers(
        pods=Informer(client, Pod, rng=rng, indexers={OWNER: index_by_owner, FREE: _free, NODE: _by_node}),
        nodes=Informer(client, Node, rng=rng),
        namespaces=Informer(client, Namespace, rng=rng),
        services=Informer(client, Service, rng=rng),
        endpoints=Informer(client, Endpoints, rng=rng),
        endpoint_slices=Informer(client, EndpointSlice, rng=rng, indexers={SERVICE: _by_service}),
        config_maps=Informer(client, ConfigMap, rng=rng),
        secrets=Informer(client, Secret, rng=rng),
        service_accounts=Informer(client, ServiceAccount, rng=rng),
        replica_sets=Informer(client, ReplicaSet, rng=rng, indexers={OWNER: index_by_owner, FREE: _free}),
        replication_controllers=Informer(client, ReplicationController, rng=rng),
        stateful_sets=Informer(client, StatefulSet, rng=rng),
        deployments=Informer(client, Deployment, rng=rng),
        leases=Informer(client, Lease, rng=rng),
        pod_disruption_budgets=Informer(client, PodDisruptionBudget, rng=rng),
        persistent_volume_claims=Informer(client, PersistentVolumeClaim, rng=rng),
        resource_quotas=Informer(client, ResourceQuota, rng=rng),
        cluster_roles=Informer(client, ClusterRole, rng=rng),
    )


@dataclass(frozen=True)
class Context:
    """Handed to each controller's constructor. `recorder` gives the voice of one component."""

    client: Client
    informers: Informers
    clock: Clock
    rng: random.Random
    recorder: Callable[[str], Recorder]
    metrics: Metrics


def _by_node(pod: Pod) -> Iterable[str]:
    return (pod.spec.node_name,) if pod.spec.node_name else ()


def _free(obj: Object) -> Iterable[str]:
    return (obj.metadata.namespace,) if controller_of(obj) is None else ()


def _by_service(slice_: EndpointSlice) -> Iterable[str]:
    service = slice_.metadata.labels.get(SERVICE_NAME_LABEL)
    return (f"{slice_.metadata.namespace}/{service}",) if service else ()
