"""Descriptions of Services, Endpoints and EndpointSlices."""

from apimachinery.printing.network import join_host_port
from apimachinery.printing.shape import labels_text, shortened
from kctl.describe.common import Plain, Surroundings, annotations, events, heading, labels, lower_truth, metadata_of
from kctl.describe.text import Page


def describe_service(service: Plain, around: Surroundings) -> Page:
    """`around.of("endpointslices")`: the slices that carry its name."""
    page, spec, metadata = Page(), service.get("spec") or {}, metadata_of(service)
    heading(page, service)
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    page.field("Selector", labels_text(spec.get("selector")))
    page.field("Type", spec.get("type") or "ClusterIP")
    page.field("IP Family Policy", spec.get("ipFamilyPolicy") or "<none>")
    page.field("IP Families", ",".join(spec.get("ipFamilies") or ()) or "<none>")
    page.field("IP", spec.get("clusterIP", ""))
    page.field("IPs", ",".join(spec.get("clusterIPs") or ()) or "<none>")
    page.optional("External IPs", ",".join(spec.get("externalIPs") or ()))
    page.optional("External Name", spec.get("externalName"))
    page.optional("LoadBalancer Ingress", _ingress(service))
    for port in spec.get("ports") or ():
        _port(page, port, around)
    page.field("Session Affinity", spec.get("sessionAffinity") or "None")
    page.optional("External Traffic Policy", spec.get("externalTrafficPolicy"))
    page.optional("Internal Traffic Policy", spec.get("internalTrafficPolicy"))
    events(page, around)
    return page


def describe_endpoints(endpoints: Plain, around: Surroundings) -> Page:
    page, metadata = Page(), metadata_of(endpoints)
    heading(page, endpoints)
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    page.line("Subsets:")
    for subset in endpoints.get("subsets") or ():
        for title, key in (("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")):
            page.field(title, ",".join(each.get("ip", "") for each in subset.get(key) or ()) or "<none>", 1)
        if subset.get("ports"):
            page.line("Ports:", 1)
            rows = [
                (each.get("name") or "<unset>", each.get("port"), each.get("protocol") or "TCP") for each in subset["ports"]
            ]
            page.table(("Name", "Port", "Protocol"), rows, 2)
        page.line()
    events(page, around)
    return page


def describe_endpoint_slice(endpoint_slice: Plain, around: Surroundings) -> Page:
    page, metadata = Page(), metadata_of(endpoint_slice)
    heading(page, endpoint_slice)
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    page.field("AddressType", endpoint_slice.get("addressType", ""))
    ports = endpoint_slice.get("ports") or ()
    if page.section("Ports", not ports):
        rows = [(each.get("name") or "<unset>", each.get("port") or "*", each.get("protocol") or "TCP") for each in ports]
        page.table(("Name", "Port", "Protocol"), rows)
    listed = endpoint_slice.get("endpoints") or ()
    if page.section("Endpoints", not listed):
        for endpoint in listed:
            _endpoint(page, endpoint)
    events(page, around)
    return page


def _port(page: Page, port: Plain, around: Surroundings) -> None:
    name, protocol = port.get("name") or "<unset>", port.get("protocol") or "TCP"
    page.field("Port", f"{name}  {port.get('port')}/{protocol}")
    page.field("TargetPort", f"{port.get('targetPort') or port.get('port')}/{protocol}")
    if port.get("nodePort"):
        page.field("NodePort", f"{name}  {port['nodePort']}/{protocol}")
    page.field("Endpoints", shortened(_ready_addresses(port, around)))


def _ready_addresses(port: Plain, around: Surroundings) -> list[str]:
    found = []
    for endpoint_slice in around.of("endpointslices"):
        numbers = [
            each.get("port")
            for each in endpoint_slice.get("ports") or ()
            if (each.get("name") or "") == (port.get("name") or "")
        ]
        for endpoint in endpoint_slice.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is False:
                continue
            found += [
                join_host_port(address, number) for number in numbers if number for address in endpoint.get("addresses") or ()
            ]
    return found


def _endpoint(page: Page, endpoint: Plain) -> None:
    page.field("- Addresses", ",".join(endpoint.get("addresses") or ()) or "<none>", 1)
    page.line("Conditions:", 2)
    conditions = endpoint.get("conditions") or {}
    ready = conditions.get("ready")
    page.field("Ready", "<unset>" if ready is None else lower_truth(ready), 3)
    page.field("Hostname", endpoint.get("hostname") or "<unset>", 2)
    target = endpoint.get("targetRef")
    if target:
        page.field("TargetRef", f"{target.get('kind')}/{target.get('name')}", 2)
    page.field("NodeName", endpoint.get("nodeName") or "<unset>", 2)
    page.field("Zone", endpoint.get("zone") or "<unset>", 2)


def _ingress(service: Plain) -> str:
    balancer = (service.get("status") or {}).get("loadBalancer") or {}
    return ", ".join(each.get("ip") or each.get("hostname") or "" for each in balancer.get("ingress") or ())
