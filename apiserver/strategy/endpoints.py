"""Endpoints and EndpointSlices: the addresses behind a Service.

Source: the Kubernetes pages "EndpointSlices" and "Service", section "Services without selectors".
"""

from collections.abc import Iterator, Sequence
from typing import Any

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import EndpointAddress, Endpoints, EndpointSlice, EndpointSubset
from apimachinery.kinds.discovery import Endpoint, EndpointHints
from apimachinery.kinds.discovery import EndpointPort as SlicePort
from apimachinery.kinds.services import EndpointPort
from apiserver.strategy.addresses import is_ipv4, is_ipv6, validate_endpoint_address
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import PROTOCOLS, Errors, named, one_of, port_number, unchanged

ENDPOINTS_MAX = 1_000
PORTS_MAX = 20_000
ADDRESSES_MAX = 100
HINTS_MAX = 8
ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")


class EndpointsStrategy(Strategy[Endpoints]):
    def default(self, obj: Endpoints) -> None:
        for subset in obj.subsets:
            for port in subset.ports:
                port.protocol = port.protocol or "TCP"

    def check(self, obj: Endpoints) -> Iterator[FieldError]:
        for index, subset in enumerate(obj.subsets):
            yield from _validate_subset(subset, f"subsets[{index}]")


class EndpointSliceStrategy(Strategy[EndpointSlice]):
    has_generation = True

    def default(self, obj: EndpointSlice) -> None:
        for port in obj.ports:
            port.protocol = port.protocol or "TCP"

    def specification(self, obj: EndpointSlice) -> Any:
        return obj.address_type, obj.endpoints, obj.ports

    def check(self, obj: EndpointSlice) -> Iterator[FieldError]:
        yield from one_of("addressType", obj.address_type, ADDRESS_TYPES)
        if len(obj.endpoints) > ENDPOINTS_MAX:
            yield FieldError.too_many("endpoints", len(obj.endpoints), ENDPOINTS_MAX)
            return
        for index, endpoint in enumerate(obj.endpoints):
            yield from _validate_endpoint(endpoint, obj.address_type, f"endpoints[{index}]")
        yield from _validate_slice_ports(obj.ports, "ports")

    def check_update(self, new: EndpointSlice, old: EndpointSlice, subresource: str) -> Iterator[FieldError]:
        return unchanged("addressType", new.address_type, old.address_type)


def _validate_subset(subset: EndpointSubset, path: str) -> Errors:
    if not subset.addresses and not subset.not_ready_addresses:
        yield FieldError.required(path, "must specify `addresses` or `notReadyAddresses`")
    for name, addresses in (("addresses", subset.addresses), ("notReadyAddresses", subset.not_ready_addresses)):
        for index, address in enumerate(addresses):
            yield from _validate_address(address, f"{path}.{name}[{index}]")
    for index, port in enumerate(subset.ports):
        yield from _validate_port(port, f"{path}.ports[{index}]", needs_name=len(subset.ports) > 1)


def _validate_address(address: EndpointAddress, path: str) -> Errors:
    yield from validate_endpoint_address(f"{path}.ip", address.ip)
    if address.hostname:
        yield from named(f"{path}.hostname", address.hostname, names.dns_1123_label)
    if address.node_name:
        yield from named(f"{path}.nodeName", address.node_name, names.dns_1123_subdomain)


def _validate_port(port: EndpointPort, path: str, *, needs_name: bool) -> Errors:
    if port.name:
        yield from named(f"{path}.name", port.name, names.dns_1123_label)
    elif needs_name:
        yield FieldError.required(f"{path}.name")
    yield from port_number(f"{path}.port", port.port)
    yield from one_of(f"{path}.protocol", port.protocol, PROTOCOLS)
    if port.app_protocol:
        yield from named(f"{path}.appProtocol", port.app_protocol, names.qualified_name)


def _validate_endpoint(endpoint: Endpoint, address_type: str, path: str) -> Errors:
    if not endpoint.addresses:
        yield FieldError.required(f"{path}.addresses", "must contain at least 1 address")
    elif len(endpoint.addresses) > ADDRESSES_MAX:
        yield FieldError.too_many(f"{path}.addresses", len(endpoint.addresses), ADDRESSES_MAX)
        return
    for index, address in enumerate(endpoint.addresses):
        yield from _validate_typed_address(f"{path}.addresses[{index}]", address, address_type)
    if endpoint.node_name:
        yield from named(f"{path}.nodeName", endpoint.node_name, names.dns_1123_subdomain)
    if endpoint.hostname:
        yield from named(f"{path}.hostname", endpoint.hostname, names.dns_1123_label)
    if endpoint.deprecated_topology:
        yield FieldError.forbidden(f"{path}.deprecatedTopology", "is kept for reading old objects only")
    if endpoint.hints is not None:
        yield from _validate_hints(endpoint.hints, f"{path}.hints")


def _validate_typed_address(path: str, address: str, address_type: str) -> Errors:
    if address_type == "FQDN":
        yield from named(path, address, names.dns_1123_subdomain)
        return
    errors = list(validate_endpoint_address(path, address))
    yield from errors
    if errors:
        return
    if address_type == "IPv4" and not is_ipv4(address):
        yield FieldError.invalid(path, address, "must be an IPv4 address")
    elif address_type == "IPv6" and not is_ipv6(address):
        yield FieldError.invalid(path, address, "must be an IPv6 address")


def _validate_hints(hints: EndpointHints, path: str) -> Errors:
    for name, targets in (
        ("forZones", [zone.name for zone in hints.for_zones]),
        ("forNodes", [node.name for node in hints.for_nodes]),
    ):
        if len(targets) > HINTS_MAX:
            yield FieldError.too_many(f"{path}.{name}", len(targets), HINTS_MAX)
        seen: set[str] = set()
        for index, target in enumerate(targets):
            where = f"{path}.{name}[{index}].name"
            yield from named(where, target, names.qualified_name if name == "forZones" else names.dns_1123_subdomain)
            if target in seen:
                yield FieldError.duplicate(where, target)
            seen.add(target)


def _validate_slice_ports(ports: Sequence[SlicePort], path: str) -> Errors:
    if len(ports) > PORTS_MAX:
        yield FieldError.too_many(path, len(ports), PORTS_MAX)
        return
    seen: set[str] = set()
    for index, port in enumerate(ports):
        where = f"{path}[{index}]"
        if port.name:
            yield from named(f"{where}.name", port.name, names.dns_1123_label)
        if port.name in seen:
            yield FieldError.duplicate(f"{where}.name", port.name)
        seen.add(port.name)
        yield from port_number(f"{where}.port", port.port)
        yield from one_of(f"{where}.protocol", port.protocol, PROTOCOLS)
        if port.app_protocol:
            yield from named(f"{where}.appProtocol", port.app_protocol, names.qualified_name)
