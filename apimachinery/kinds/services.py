"""Services and Endpoints."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Int32, IntOrString, Merge, constant
from apimachinery.kinds.meta import Condition, ObjectMeta
from apimachinery.kinds.object import Object
from apimachinery.kinds.references import ObjectReference


class ServicePort(Base):
    """core/v1.ServicePort"""

    name: str = ""
    app_protocol: str = ""
    node_port: Int32 | None = None
    port: Int32 = msgspec.field(default_factory=int)
    protocol: str = ""
    target_port: IntOrString | None = None


class ClientIPConfig(Base):
    """core/v1.ClientIPConfig"""

    timeout_seconds: Int32 | None = None


class SessionAffinityConfig(Base):
    """core/v1.SessionAffinityConfig"""

    client_ip: ClientIPConfig | None = msgspec.field(name="clientIP", default=None)


class ServiceSpec(Base):
    """core/v1.ServiceSpec

    Which pods a Service leads to, and how it is reached.
    """

    allocate_load_balancer_node_ports: bool | None = None
    cluster_ip: str = msgspec.field(name="clusterIP", default="")
    cluster_ips: Annotated[list[str], Merge(list_type="atomic")] = msgspec.field(name="clusterIPs", default_factory=list)
    external_ips: Annotated[list[str], Merge(list_type="atomic")] = msgspec.field(name="externalIPs", default_factory=list)
    external_name: str = ""
    external_traffic_policy: str = ""
    health_check_node_port: Int32 | None = None
    internal_traffic_policy: str = ""
    ip_families: Annotated[list[str], Merge(list_type="atomic")] = []
    ip_family_policy: str = ""
    load_balancer_class: str = ""
    load_balancer_ip: str = msgspec.field(name="loadBalancerIP", default="")
    load_balancer_source_ranges: Annotated[list[str], Merge(list_type="atomic")] = []
    ports: Annotated[
        list[ServicePort],
        Merge(
            patch="merge",
            merge_key="port",
            list_type="map",
            keys=(
                "port",
                "protocol",
            ),
        ),
    ] = []
    publish_not_ready_addresses: bool | None = None
    selector: Annotated[dict[str, str], Merge(map_type="atomic")] = {}
    session_affinity: str = ""
    session_affinity_config: SessionAffinityConfig | None = None
    traffic_distribution: str = ""
    type: str = ""


class PortStatus(Base):
    """core/v1.PortStatus"""

    error: str = ""
    port: Int32 = msgspec.field(default_factory=int)
    protocol: str = msgspec.field(default_factory=str)


class LoadBalancerIngress(Base):
    """core/v1.LoadBalancerIngress"""

    hostname: str = ""
    ip: str = ""
    ip_mode: str = ""
    ports: Annotated[list[PortStatus], Merge(list_type="atomic")] = []


class LoadBalancerStatus(Base):
    """core/v1.LoadBalancerStatus"""

    ingress: Annotated[list[LoadBalancerIngress], Merge(list_type="atomic")] = []


class ServiceStatus(Base):
    """core/v1.ServiceStatus"""

    conditions: Annotated[list[Condition], Merge(patch="merge", merge_key="type", list_type="map", keys=("type",))] = []
    load_balancer: LoadBalancerStatus | None = None


class Service(Object):
    """core/v1.Service

    A name and an address, stable over time, for the pods that a selector finds.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("Service"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: ServiceSpec = msgspec.field(default_factory=ServiceSpec)
    status: ServiceStatus = msgspec.field(default_factory=ServiceStatus)


class EndpointAddress(Base):
    """core/v1.EndpointAddress"""

    hostname: str = ""
    ip: str = msgspec.field(default_factory=str)
    node_name: str = ""
    target_ref: ObjectReference | None = None


class EndpointPort(Base):
    """core/v1.EndpointPort"""

    name: str = ""
    app_protocol: str = ""
    port: Int32 = msgspec.field(default_factory=int)
    protocol: str = ""


class EndpointSubset(Base):
    """core/v1.EndpointSubset"""

    addresses: Annotated[list[EndpointAddress], Merge(list_type="atomic")] = []
    not_ready_addresses: Annotated[list[EndpointAddress], Merge(list_type="atomic")] = []
    ports: Annotated[list[EndpointPort], Merge(list_type="atomic")] = []


class Endpoints(Object):
    """core/v1.Endpoints

    The addresses behind a Service, in the older form; EndpointSlices are the newer one.
    """

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("Endpoints"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    subsets: Annotated[list[EndpointSubset], Merge(list_type="atomic")] = []
