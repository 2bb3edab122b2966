"""Ingresses and their classes, NetworkPolicies, IPAddresses, ServiceCIDRs (group networking.k8s.io/v1)."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Int32, IntOrString, Merge, constant, required_list
from apimachinery.kinds.meta import Condition, LabelSelector, ObjectMeta
from apimachinery.kinds.object import Object
from apimachinery.kinds.references import TypedLocalObjectReference


class ServiceBackendPort(Base):
    """networking/v1.ServiceBackendPort"""

    name: str = ""
    number: Int32 | None = None


class IngressServiceBackend(Base):
    """networking/v1.IngressServiceBackend"""

    name: str = msgspec.field(default_factory=str)
    port: ServiceBackendPort | None = None


class IngressBackend(Base):
    """networking/v1.IngressBackend"""

    resource: TypedLocalObjectReference | None = None
    service: IngressServiceBackend | None = None


class HTTPIngressPath(Base):
    """networking/v1.HTTPIngressPath"""

    backend: IngressBackend = msgspec.field(default_factory=IngressBackend)
    path: str = ""
    path_type: str = msgspec.field(default_factory=str)


class HTTPIngressRuleValue(Base):
    """networking/v1.HTTPIngressRuleValue"""

    paths: Annotated[list[HTTPIngressPath], Merge(list_type="atomic")] = msgspec.field(default_factory=required_list)


class IngressRule(Base):
    """networking/v1.IngressRule"""

    host: str = ""
    http: HTTPIngressRuleValue | None = None


class IngressTLS(Base):
    """networking/v1.IngressTLS"""

    hosts: Annotated[list[str], Merge(list_type="atomic")] = []
    secret_name: str = ""


class IngressSpec(Base):
    """networking/v1.IngressSpec"""

    default_backend: IngressBackend | None = None
    ingress_class_name: str = ""
    rules: Annotated[list[IngressRule], Merge(list_type="atomic")] = []
    tls: Annotated[list[IngressTLS], Merge(list_type="atomic")] = []


class IngressPortStatus(Base):
    """networking/v1.IngressPortStatus"""

    error: str = ""
    port: Int32 = msgspec.field(default_factory=int)
    protocol: str = msgspec.field(default_factory=str)


class IngressLoadBalancerIngress(Base):
    """networking/v1.IngressLoadBalancerIngress"""

    hostname: str = ""
    ip: str = ""
    ports: Annotated[list[IngressPortStatus], Merge(list_type="atomic")] = []


class IngressLoadBalancerStatus(Base):
    """networking/v1.IngressLoadBalancerStatus"""

    ingress: Annotated[list[IngressLoadBalancerIngress], Merge(list_type="atomic")] = []


class IngressStatus(Base):
    """networking/v1.IngressStatus"""

    load_balancer: IngressLoadBalancerStatus = msgspec.field(default_factory=IngressLoadBalancerStatus)


class Ingress(Object):
    """networking/v1.Ingress"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("networking.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("Ingress"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: IngressSpec = msgspec.field(default_factory=IngressSpec)
    status: IngressStatus = msgspec.field(default_factory=IngressStatus)


class IngressClassParametersReference(Base):
    """networking/v1.IngressClassParametersReference"""

    kind: str = msgspec.field(default_factory=str)
    name: str = msgspec.field(default_factory=str)
    namespace: str = ""
    api_group: str = ""
    scope: str = ""


class IngressClassSpec(Base):
    """networking/v1.IngressClassSpec"""

    controller: str = ""
    parameters: IngressClassParametersReference | None = None


class IngressClass(Object):
    """networking/v1.IngressClass"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("networking.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("IngressClass"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: IngressClassSpec = msgspec.field(default_factory=IngressClassSpec)


class NetworkPolicyPort(Base):
    """networking/v1.NetworkPolicyPort"""

    end_port: Int32 | None = None
    port: IntOrString | None = None
    protocol: str = ""


class IPBlock(Base):
    """networking/v1.IPBlock"""

    cidr: str = msgspec.field(default_factory=str)
    except_: Annotated[list[str], Merge(list_type="atomic")] = []


class NetworkPolicyPeer(Base):
    """networking/v1.NetworkPolicyPeer"""

    ip_block: IPBlock | None = None
    namespace_selector: LabelSelector | None = None
    pod_selector: LabelSelector | None = None


class NetworkPolicyEgressRule(Base):
    """networking/v1.NetworkPolicyEgressRule"""

    ports: Annotated[list[NetworkPolicyPort], Merge(list_type="atomic")] = []
    to: Annotated[list[NetworkPolicyPeer], Merge(list_type="atomic")] = []


class NetworkPolicyIngressRule(Base):
    """networking/v1.NetworkPolicyIngressRule"""

    from_: Annotated[list[NetworkPolicyPeer], Merge(list_type="atomic")] = []
    ports: Annotated[list[NetworkPolicyPort], Merge(list_type="atomic")] = []


class NetworkPolicySpec(Base):
    """networking/v1.NetworkPolicySpec"""

    egress: Annotated[list[NetworkPolicyEgressRule], Merge(list_type="atomic")] = []
    ingress: Annotated[list[NetworkPolicyIngressRule], Merge(list_type="atomic")] = []
    pod_selector: LabelSelector = msgspec.field(default_factory=LabelSelector)
    policy_types: Annotated[list[str], Merge(list_type="atomic")] = []


class NetworkPolicy(Object):
    """networking/v1.NetworkPolicy"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("networking.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("NetworkPolicy"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: NetworkPolicySpec = msgspec.field(default_factory=NetworkPolicySpec)


class ParentReference(Base):
    """networking/v1.ParentReference"""

    name: str = msgspec.field(default_factory=str)
    namespace: str = ""
    group: str = ""
    resource: str = msgspec.field(default_factory=str)


class IPAddressSpec(Base):
    """networking/v1.IPAddressSpec"""

    parent_ref: ParentReference = msgspec.field(default_factory=ParentReference)


class IPAddress(Object):
    """networking/v1.IPAddress"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("networking.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("IPAddress"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: IPAddressSpec = msgspec.field(default_factory=IPAddressSpec)


class ServiceCIDRSpec(Base):
    """networking/v1.ServiceCIDRSpec"""

    cidrs: Annotated[list[str], Merge(list_type="atomic")] = []


class ServiceCIDRStatus(Base):
    """networking/v1.ServiceCIDRStatus"""

    conditions: Annotated[list[Condition], Merge(patch="merge", merge_key="type", list_type="map", keys=("type",))] = []


class ServiceCIDR(Object):
    """networking/v1.ServiceCIDR"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("networking.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("ServiceCIDR"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: ServiceCIDRSpec = msgspec.field(default_factory=ServiceCIDRSpec)
    status: ServiceCIDRStatus = msgspec.field(default_factory=ServiceCIDRStatus)
