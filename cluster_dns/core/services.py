"""What one Service contributes to the zone.

A Service with an address has it as A, and an SRV for each named port. A headless one has the addresses of its ready
endpoints, each again under the endpoint's hostname (or its dashed address when it has none), and an SRV for each endpoint
and named port; without a ready endpoint its name does not exist, as the specification asks. An ExternalName is a CNAME.
PTR records lead back from addresses.

Source: "Kubernetes DNS-Based Service Discovery" (the DNS specification), sections 2.3 to 2.5, and the Kubernetes page
"DNS for Services and Pods".
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

from apimachinery.kinds import Endpoint, EndpointSlice, Service
from cluster_dns.core import names
from cluster_dns.core.names import Name
from cluster_dns.core.records import Data, RecordSets, Srv, Type

HEADLESS = "None"


class _Names:
    """Record sets being gathered; a record that comes twice is kept once, in the order of first coming."""

    def __init__(self) -> None:
        self._sets: dict[Name, dict[Type, dict[Data, None]]] = {}

    def add(self, name: Name, kind: Type, data: Data) -> None:
        self._sets.setdefault(name, {}).setdefault(kind, {})[data] = None

    def exists(self, name: Name) -> None:
        self._sets.setdefault(name, {})

    def done(self) -> dict[Name, RecordSets]:
        return {name: {kind: tuple(data) for kind, data in sets.items()} for name, sets in self._sets.items()}


def is_headless(service: Service) -> bool:
    """Whether its records depend on its endpoints."""
    return service.spec.type != "ExternalName" and service.spec.cluster_ip == HEADLESS


def records_of(service: Service, slices: Iterable[EndpointSlice], domain: Name) -> dict[Name, RecordSets]:
    """All names of a Service, forward and reverse; its namespace is among them, with no records."""
    meta, spec = service.metadata, service.spec
    namespace: Name = (meta.namespace, "svc", *domain)
    own: Name = (meta.name, *namespace)
    found = _Names()
    found.exists(namespace)
    if spec.type == "ExternalName":
        target = names.parse(spec.external_name)
        if target is not None:
            found.add(own, Type.CNAME, target)
    elif spec.cluster_ip == HEADLESS:
        _add_endpoints(found, own, service, slices)
    else:
        _add_address(found, own, service)
    return found.done()


def _add_address(found: _Names, own: Name, service: Service) -> None:
    found.exists(own)  # before an address has been allocated, too
    address = names.address_of(service.spec.cluster_ip)
    if address is None:
        return
    found.add(own, Type.A, address)
    found.add(names.reverse_of(address), Type.PTR, own)
    for port in service.spec.ports:
        if port.name:
            found.add(_port_name(port.name, port.protocol, own), Type.SRV, Srv(own, port.port))


def _add_endpoints(found: _Names, own: Name, service: Service, slices: Iterable[EndpointSlice]) -> None:
    unready_too = bool(service.spec.publish_not_ready_addresses)
    for each in sorted(slices, key=lambda slice_: slice_.metadata.name):
        for address, endpoint in _addresses(each, unready_too):
            name = (endpoint.hostname.lower() or names.dashed(address), *own)
            found.add(own, Type.A, address)
            found.add(name, Type.A, address)
            found.add(names.reverse_of(address), Type.PTR, name)
            for port in each.ports:
                if port.name and port.port:
                    found.add(_port_name(port.name, port.protocol, own), Type.SRV, Srv(name, port.port))


def _addresses(slice_: EndpointSlice, unready_too: bool) -> Iterator[tuple[IPv4Address, Endpoint]]:
    if slice_.address_type != "IPv4":
        return
    for endpoint in slice_.endpoints:
        # an unknown readiness counts as ready (discovery/v1.EndpointConditions)
        ready = endpoint.conditions is None or endpoint.conditions.ready is not False
        if ready or unready_too:
            for text in endpoint.addresses:
                address = names.address_of(text)
                if address is not None:
                    yield address, endpoint


def _port_name(port: str, protocol: str, own: Name) -> Name:
    return (f"_{port.lower()}", f"_{(protocol or 'TCP').lower()}", *own)
