"""Services: a stable address for pods.

Addresses and node ports are given out by the registry after these rules have run on a new object, so neither is required here.
The cluster is IPv4 only. `externalIPs` are refused: whoever may write a Service could take over traffic of others
(CVE-2020-8554); a Service that has some keeps them, but gets no new ones.
Source: the Kubernetes page "Service" and the API reference of ServiceSpec.
"""

from collections.abc import Iterator, Sequence

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import ClientIPConfig, Service, ServicePort, ServiceSpec, SessionAffinityConfig
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import (
    PROTOCOLS,
    Errors,
    in_range,
    named,
    one_of,
    optional_one_of,
    port_number,
    port_number_or_name,
    required_name,
)
from apiserver.strategy.meta import validate_labels

HEADLESS = "None"
TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
AFFINITY_TIMEOUT_S = 10_800
AFFINITY_TIMEOUT_MAX_S = 86_400
KUBELET_PORT = 10_250
_EXTERNAL = ("LoadBalancer", "NodePort")


class ServiceStrategy(Strategy[Service]):
    has_status = True

    def default(self, obj: Service) -> None:
        default_service(obj.spec)

    def name_problems(self, name: str) -> Sequence[str]:
        return names.dns_1035_label(name)

    def prepare_update(self, new: Service, old: Service, subresource: str) -> None:
        super().prepare_update(new, old, subresource)
        if subresource:
            return
        if new.spec.type != old.spec.type:
            _drop_what_the_old_type_had(new.spec, old.spec)
        _let_cluster_ips_follow(new.spec, old.spec)

    def check(self, obj: Service) -> Iterator[FieldError]:
        return validate_service(obj.spec, "spec")

    def validate(self, obj: Service) -> list[FieldError]:
        return [*super().validate(obj), *validate_external_ips(obj.spec.external_ips, (), "spec.externalIPs")]

    def check_update(self, new: Service, old: Service, subresource: str) -> Iterator[FieldError]:
        yield from _validate_address_update(new.spec, old.spec, "spec")
        yield from validate_external_ips(new.spec.external_ips, old.spec.external_ips, "spec.externalIPs")

    def warnings(self, obj: Service) -> list[str]:
        if obj.spec.cluster_ip == HEADLESS and obj.spec.session_affinity == "ClientIP":
            return ["spec.SessionAffinity is ignored for headless services"]
        return []


def default_service(spec: ServiceSpec) -> None:
    spec.type = spec.type or "ClusterIP"
    spec.session_affinity = spec.session_affinity or "None"
    if spec.session_affinity == "None":
        spec.session_affinity_config = None
    elif spec.session_affinity == "ClientIP":
        if spec.session_affinity_config is None:
            spec.session_affinity_config = SessionAffinityConfig()
        client = spec.session_affinity_config.client_ip or ClientIPConfig()
        if client.timeout_seconds is None:
            client.timeout_seconds = AFFINITY_TIMEOUT_S
        spec.session_affinity_config.client_ip = client
    for port in spec.ports:
        port.protocol = port.protocol or "TCP"
        if port.target_port in (None, "", 0):
            port.target_port = port.port
    if spec.type in _EXTERNAL:
        spec.external_traffic_policy = spec.external_traffic_policy or "Cluster"
    if spec.type == "LoadBalancer" and spec.allocate_load_balancer_node_ports is None:
        spec.allocate_load_balancer_node_ports = True
    if spec.type != "ExternalName":
        spec.internal_traffic_policy = spec.internal_traffic_policy or "Cluster"
        spec.ip_families = spec.ip_families or ["IPv4"]
        spec.ip_family_policy = spec.ip_family_policy or "SingleStack"
        if spec.cluster_ip and not spec.cluster_ips:
            spec.cluster_ips = [spec.cluster_ip]
        elif spec.cluster_ips and not spec.cluster_ip:
            spec.cluster_ip = spec.cluster_ips[0]


def validate_service(spec: ServiceSpec, path: str) -> Errors:
    yield from one_of(f"{path}.type", spec.type, TYPES)
    if not spec.ports and spec.cluster_ip != HEADLESS and spec.type != "ExternalName":
        yield FieldError.required(f"{path}.ports")
    yield from validate_labels(spec.selector, f"{path}.selector")
    yield from _validate_ports(spec, f"{path}.ports")
    yield from _validate_addresses(spec, path)
    yield from _validate_affinity(spec, path)
    yield from _validate_external_name(spec, path)
    yield from _validate_traffic(spec, path)
    yield from _validate_load_balancer(spec, path)


def validate_external_ips(new: Sequence[str], old: Sequence[str], path: str) -> Errors:
    """No address may be added."""
    if any(address not in old for address in new):
        detail = "external IPs are not served, since with them a Service could intercept traffic of others (CVE-2020-8554)"
        yield FieldError.forbidden(path, detail)


def _validate_ports(spec: ServiceSpec, path: str) -> Errors:
    port_names: set[str] = set()
    pairs: set[tuple[str, int]] = set()
    node_ports: set[tuple[str, int]] = set()
    for index, port in enumerate(spec.ports):
        where = f"{path}[{index}]"
        yield from _validate_port(port, where, spec, needs_name=len(spec.ports) > 1)
        if port.name and port.name in port_names:
            yield FieldError.duplicate(f"{where}.name", port.name)
        port_names.add(port.name)
        if (port.protocol, port.port) in pairs:
            yield FieldError.duplicate(where, f"{port.port}/{port.protocol}")
        pairs.add((port.protocol, port.port))
        if port.node_port:
            if (port.protocol, port.node_port) in node_ports:
                yield FieldError.duplicate(f"{where}.nodePort", port.node_port)
            node_ports.add((port.protocol, port.node_port))


def _validate_port(port: ServicePort, path: str, spec: ServiceSpec, *, needs_name: bool) -> Errors:
    if port.name:
        yield from named(f"{path}.name", port.name, names.dns_1123_label)
    elif needs_name:
        yield FieldError.required(f"{path}.name")
    yield from port_number(f"{path}.port", port.port)
    yield from one_of(f"{path}.protocol", port.protocol, PROTOCOLS)
    if port.target_port is not None:
        yield from port_number_or_name(f"{path}.targetPort", port.target_port)
    if port.app_protocol:
        yield from named(f"{path}.appProtocol", port.app_protocol, names.qualified_name)
    if port.node_port:
        if spec.type not in _EXTERNAL:
            yield FieldError.forbidden(f"{path}.nodePort", f"may not be used when `type` is '{spec.type}'")
        yield from port_number(f"{path}.nodePort", port.node_port)
    if spec.type == "LoadBalancer" and port.port == KUBELET_PORT:
        detail = f"may not expose port {KUBELET_PORT} externally since it is used by kubelet"
        yield FieldError.invalid(f"{path}.port", port.port, detail)


def _validate_addresses(spec: ServiceSpec, path: str) -> Errors:
    if spec.type == "ExternalName":
        for name, value in (
            ("clusterIP", spec.cluster_ip),
            ("clusterIPs", spec.cluster_ips),
            ("ipFamilies", spec.ip_families),
            ("ipFamilyPolicy", spec.ip_family_policy),
        ):
            if value:
                yield FieldError.forbidden(f"{path}.{name}", "may not be set for ExternalName services")
        return
    if spec.cluster_ip and spec.cluster_ips and spec.cluster_ip != spec.cluster_ips[0]:
        yield FieldError.invalid(f"{path}.clusterIPs", spec.cluster_ips, "first value must match `clusterIP`")
    if spec.cluster_ip == HEADLESS:
        if spec.type in _EXTERNAL:
            yield FieldError.invalid(f"{path}.clusterIPs[0]", HEADLESS, f"may not be set to 'None' for {spec.type} services")
        if len(spec.cluster_ips) > 1:
            yield FieldError.invalid(f"{path}.clusterIPs", spec.cluster_ips, "'None' must be the first and only value")
    elif len(spec.cluster_ips) > 1:
        yield FieldError.invalid(
            f"{path}.clusterIPs", spec.cluster_ips, "only one address is given out: the cluster is IPv4 only"
        )
    else:
        for index, address in enumerate(spec.cluster_ips):
            yield from named(f"{path}.clusterIPs[{index}]", address, names.ip_address)
            if ":" in address:
                detail = "expected an IPv4 value as indicated by `ipFamilies[0]`"
                yield FieldError.invalid(f"{path}.clusterIPs[{index}]", address, detail)
    yield from _validate_families(spec, path)


def _validate_families(spec: ServiceSpec, path: str) -> Errors:
    policies = ("PreferDualStack", "RequireDualStack", "SingleStack")
    yield from one_of(f"{path}.ipFamilyPolicy", spec.ip_family_policy, policies)
    if spec.ip_family_policy == "RequireDualStack":
        detail = "this cluster is not configured for dual-stack services"
        yield FieldError.invalid(f"{path}.ipFamilyPolicy", spec.ip_family_policy, detail)
    for index, family in enumerate(spec.ip_families):
        where = f"{path}.ipFamilies[{index}]"
        if family == "IPv6":
            yield FieldError.invalid(where, family, "not configured on this cluster")
        elif family != "IPv4":
            yield FieldError.not_supported(where, family, ("IPv4", "IPv6"))
        elif family in spec.ip_families[:index]:
            yield FieldError.duplicate(where, family)


def _validate_affinity(spec: ServiceSpec, path: str) -> Errors:
    yield from one_of(f"{path}.sessionAffinity", spec.session_affinity, ("ClientIP", "None"))
    config = spec.session_affinity_config
    where = f"{path}.sessionAffinityConfig"
    if spec.session_affinity == "None" and config is not None:
        yield FieldError.forbidden(where, "must not be set when session affinity is None")
    elif spec.session_affinity == "ClientIP":
        timeout_s = config.client_ip.timeout_seconds if config and config.client_ip else None
        if timeout_s is None:
            yield FieldError.required(f"{where}.clientIP.timeoutSeconds", "when session affinity type is ClientIP")
        elif not 0 < timeout_s <= AFFINITY_TIMEOUT_MAX_S:
            detail = f"must be greater than 0 and less than or equal to {AFFINITY_TIMEOUT_MAX_S}"
            yield FieldError.invalid(f"{where}.clientIP.timeoutSeconds", timeout_s, detail)


def _validate_external_name(spec: ServiceSpec, path: str) -> Errors:
    if spec.type == "ExternalName":
        name = spec.external_name.removesuffix(".")
        yield from required_name(f"{path}.externalName", name, names.dns_1123_subdomain)


def _validate_traffic(spec: ServiceSpec, path: str) -> Errors:
    external = spec.external_traffic_policy
    if spec.type in _EXTERNAL:
        yield from one_of(f"{path}.externalTrafficPolicy", external, ("Cluster", "Local"))
    elif external:
        detail = "may only be set for externally-accessible services"
        yield FieldError.invalid(f"{path}.externalTrafficPolicy", external, detail)
    if spec.type != "ExternalName":
        yield from one_of(f"{path}.internalTrafficPolicy", spec.internal_traffic_policy, ("Cluster", "Local"))
    distributions = ("PreferClose", "PreferSameNode", "PreferSameZone")
    yield from optional_one_of(f"{path}.trafficDistribution", spec.traffic_distribution, distributions)
    if spec.health_check_node_port:
        yield from in_range(f"{path}.healthCheckNodePort", spec.health_check_node_port, 1, 65535)
        if spec.type != "LoadBalancer" or external != "Local":
            detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
            yield FieldError.invalid(f"{path}.healthCheckNodePort", spec.health_check_node_port, detail)


def _validate_load_balancer(spec: ServiceSpec, path: str) -> Errors:
    if spec.type != "LoadBalancer":
        for name, value in (
            ("allocateLoadBalancerNodePorts", spec.allocate_load_balancer_node_ports is not None),
            ("loadBalancerClass", spec.load_balancer_class),
            ("loadBalancerSourceRanges", spec.load_balancer_source_ranges),
        ):
            if value:
                yield FieldError.forbidden(f"{path}.{name}", "may only be used when `type` is 'LoadBalancer'")
        return
    if spec.load_balancer_class:
        yield from named(f"{path}.loadBalancerClass", spec.load_balancer_class, names.qualified_name)
    for index, network in enumerate(spec.load_balancer_source_ranges):
        yield from named(f"{path}.loadBalancerSourceRanges[{index}]", network.strip(), names.cidr)


def _validate_address_update(new: ServiceSpec, old: ServiceSpec, path: str) -> Errors:
    """An address stays as long as the Service has one; clients have it in their hands."""
    if "ExternalName" in (new.type, old.type) or not old.cluster_ip:
        return
    if new.cluster_ip != old.cluster_ip:
        yield FieldError.invalid(f"{path}.clusterIPs[0]", new.cluster_ips, "may not change once set")
    if old.ip_families and new.ip_families[:1] != old.ip_families[:1]:
        yield FieldError.invalid(f"{path}.ipFamilies[0]", new.ip_families, "may not change once set")
    if new.type == old.type == "LoadBalancer" and new.load_balancer_class != old.load_balancer_class:
        yield FieldError.invalid(f"{path}.loadBalancerClass", new.load_balancer_class, "may not change once set")


def _let_cluster_ips_follow(new: ServiceSpec, old: ServiceSpec) -> None:
    """A client that knows only `clusterIP` changes that and sends `clusterIPs` back as it was."""
    if new.cluster_ip and new.cluster_ip != old.cluster_ip and new.cluster_ips and new.cluster_ips == old.cluster_ips:
        new.cluster_ips = [new.cluster_ip, *new.cluster_ips[1:]]


def _drop_what_the_old_type_had(new: ServiceSpec, old: ServiceSpec) -> None:
    """A changed type sheds the fields that only the old type has, when the client merely sent them back unchanged."""
    if new.type not in _EXTERNAL and new.external_traffic_policy == old.external_traffic_policy:
        new.external_traffic_policy = ""
    if new.type == "ExternalName":
        if new.ip_families == old.ip_families:
            new.ip_families = []
        if new.ip_family_policy == old.ip_family_policy:
            new.ip_family_policy = ""
        if new.internal_traffic_policy == old.internal_traffic_policy:
            new.internal_traffic_policy = ""
        if new.cluster_ip == old.cluster_ip:
            new.cluster_ip, new.cluster_ips = "", []
    if old.type == "ExternalName" and new.external_name == old.external_name:
        new.external_name = ""
    if new.type != "LoadBalancer":
        if new.allocate_load_balancer_node_ports == old.allocate_load_balancer_node_ports:
            new.allocate_load_balancer_node_ports = None
        if new.load_balancer_class == old.load_balancer_class:
            new.load_balancer_class = ""
        if new.health_check_node_port == old.health_check_node_port:
            new.health_check_node_port = None
        if new.load_balancer_source_ranges == old.load_balancer_source_ranges:
            new.load_balancer_source_ranges = []
