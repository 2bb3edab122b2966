"""How the name server makes itself known: the objects it wants to exist, and what is wrong with those that do.

All instances share one Service, made by the first of them. Each owns one EndpointSlice with one endpoint, itself;
internalTrafficPolicy Local then leads every pod to the instance on its own node.

Source: the Kubernetes pages "Service Internal Traffic Policy" and "EndpointSlices" (management).
"""

from dataclasses import dataclass

from apimachinery import codec
from apimachinery.kinds import (
    Endpoint,
    EndpointConditions,
    EndpointSlice,
    Node,
    ObjectMeta,
    OwnerReference,
    Service,
    ServicePort,
    ServiceSpec,
)
from apimachinery.kinds.discovery import EndpointPort

NAMESPACE = "kube-system"
SERVICE = "kube-dns"
MANAGER = "cluster-dns.coxswain.dev"
SERVICE_LABEL = "kubernetes.io/service-name"
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
PORTS = (("dns", "UDP"), ("dns-tcp", "TCP"))
DNS_PORT = 53


@dataclass(frozen=True)
class Instance:
    """This name server: where it listens, and the address that pods know."""

    node_name: str
    node_ip: str
    port: int
    cluster_ip: str

    @property
    def slice_name(self) -> str:
        return f"{SERVICE}-{self.node_name}"


def wanted_service(instance: Instance) -> Service:
    """The Service; without a selector, since its endpoints are no pods."""
    return Service(
        metadata=ObjectMeta(
            name=SERVICE,
            namespace=NAMESPACE,
            labels={"k8s-app": SERVICE, "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "ClusterDNS"},
        ),
        spec=ServiceSpec(
            type="ClusterIP",
            cluster_ip=instance.cluster_ip,
            internal_traffic_policy="Local",
            ports=[
                ServicePort(name=name, protocol=protocol, port=DNS_PORT, target_port=instance.port) for name, protocol in PORTS
            ],
        ),
    )


def wanted_slice(instance: Instance, node: Node | None) -> EndpointSlice:
    """This instance's slice, owned by its node when that is known."""
    owners = [] if node is None else [OwnerReference("v1", "Node", node.metadata.name, node.metadata.uid)]
    return EndpointSlice(
        metadata=ObjectMeta(
            name=instance.slice_name,
            namespace=NAMESPACE,
            labels={SERVICE_LABEL: SERVICE, MANAGED_BY_LABEL: MANAGER, "k8s-app": SERVICE},
            owner_references=owners,
        ),
        address_type="IPv4",
        endpoints=[
            Endpoint(
                addresses=[instance.node_ip],
                conditions=EndpointConditions(ready=True, serving=True, terminating=False),
                node_name=instance.node_name,
            )
        ],
        ports=[EndpointPort(name=name, protocol=protocol, port=instance.port) for name, protocol in PORTS],
    )


def repaired(observed: EndpointSlice, wanted: EndpointSlice) -> EndpointSlice | None:
    """What to write over `observed`, None when nothing is wrong with it. Labels of others stay."""
    meta = observed.metadata
    owners = wanted.metadata.owner_references or meta.owner_references
    labels = {**meta.labels, **wanted.metadata.labels}
    right = (
        labels == meta.labels
        and owners == meta.owner_references
        and observed.endpoints == wanted.endpoints
        and observed.ports == wanted.ports
    )
    if right:
        return None
    changed = codec.deep_copy(observed)
    changed.metadata.labels = labels
    changed.metadata.owner_references = owners
    changed.endpoints = wanted.endpoints
    changed.ports = wanted.ports
    return changed
