"""What the proxy needs to know of a Service port and of the endpoints behind it.

Source: the Kubernetes pages "Virtual IPs and Service Proxies" and "EndpointSlices".
"""

from collections.abc import Iterable
from dataclasses import dataclass

from apimachinery.kinds import Endpoint, EndpointSlice, Service, ServicePort

DEFAULT_AFFINITY_S = 10800
LOCAL = "Local"


@dataclass(frozen=True, order=True)
class Target:
    """Where a connection may go, and whether that is on this node."""

    ip: str
    port: int
    local: bool = False


@dataclass(frozen=True)
class PortView:
    """One port of one Service, as seen from this node.

    affinity_s: seconds for which a client stays with an endpoint, 0 for none; internal and external: the targets for
    traffic from within the cluster and for traffic that came through a node port or an external address. `addresses` are
    those addresses.
    """

    name: str
    """`namespace/service:port`, for people and for the chains' hashes."""
    protocol: str
    cluster_ip: str
    port: int
    node_port: int
    addresses: tuple[str, ...]
    affinity_s: int
    cluster_targets: tuple[Target, ...]
    local_targets: tuple[Target, ...]
    internal_local: bool
    external_local: bool

    @property
    def internal(self) -> tuple[Target, ...]:
        return self.local_targets if self.internal_local else self.cluster_targets

    @property
    def external(self) -> tuple[Target, ...]:
        return self.local_targets if self.external_local else self.cluster_targets


def views(service: Service, slices: Iterable[EndpointSlice], node_name: str) -> tuple[PortView, ...]:
    """The ports of a Service; none for what needs no proxying (headless, ExternalName)."""
    spec = service.spec
    if spec.type == "ExternalName" or spec.cluster_ip in ("", "None") or ":" in spec.cluster_ip:
        return ()
    own = [each for each in slices if each.address_type == "IPv4"]
    return tuple(_view(service, port, own, node_name) for port in spec.ports)


def _view(service: Service, port: ServicePort, slices: list[EndpointSlice], node_name: str) -> PortView:
    spec = service.spec
    protocol = (port.protocol or "TCP").lower()
    found = list(_endpoints(slices, port, node_name))
    balancers = spec.type == "LoadBalancer" and service.status.load_balancer
    ingress = [each.ip for each in balancers.ingress if each.ip] if balancers else []
    timeout = spec.session_affinity_config and spec.session_affinity_config.client_ip
    return PortView(
        name=f"{service.metadata.namespace}/{service.metadata.name}:{port.name or port.port}",
        protocol=protocol,
        cluster_ip=spec.cluster_ip,
        port=port.port,
        node_port=port.node_port or 0,
        addresses=(*spec.external_ips, *ingress),
        affinity_s=((timeout and timeout.timeout_seconds) or DEFAULT_AFFINITY_S) if spec.session_affinity == "ClientIP" else 0,
        cluster_targets=_usable(found),
        local_targets=_usable([each for each in found if each[0].local]),
        internal_local=spec.internal_traffic_policy == LOCAL,
        external_local=spec.external_traffic_policy == LOCAL,
    )


def _endpoints(slices: Iterable[EndpointSlice], port: ServicePort, node_name: str) -> Iterable[tuple[Target, Endpoint]]:
    for each in slices:
        for slice_port in each.ports:
            same = slice_port.name == port.name and (slice_port.protocol or "TCP") == (port.protocol or "TCP")
            if not same or not slice_port.port:
                continue
            for endpoint in each.endpoints:
                for address in endpoint.addresses[:1]:
                    yield Target(address, slice_port.port, endpoint.node_name == node_name), endpoint


def _usable(found: Iterable[tuple[Target, Endpoint]]) -> tuple[Target, ...]:
    """The ready endpoints; if there is none, those that terminate but still serve, so that a drain refuses nobody."""
    pairs = list(found)
    ready = {target for target, endpoint in pairs if _is_ready(endpoint)}
    if not ready:
        ready = {target for target, endpoint in pairs if _serves_while_terminating(endpoint)}
    return tuple(sorted(ready))


def _is_ready(endpoint: Endpoint) -> bool:
    conditions = endpoint.conditions
    return conditions is None or conditions.ready is None or conditions.ready


def _serves_while_terminating(endpoint: Endpoint) -> bool:
    conditions = endpoint.conditions
    return conditions is not None and bool(conditions.terminating) and conditions.serving is not False
