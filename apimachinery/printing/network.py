"""Tables of Services, Endpoints and EndpointSlices."""

from datetime import datetime

from apimachinery.printing.shape import (
    AGE,
    NAME,
    Cell,
    Column,
    Plain,
    TableShape,
    age,
    labels_text,
    name_of,
    shortened,
    wide,
)


def external_ip(service: Plain) -> str:
    """Where a service is reached from outside: addresses, a name, `<pending>` or `<none>`."""
    spec = service.get("spec") or {}
    given = list(spec.get("externalIPs") or ())
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName") or "")
    if spec.get("type") != "LoadBalancer":
        return ",".join(given) or "<none>"
    balancer = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    points = [each.get("ip") or each.get("hostname") or "" for each in balancer]
    return ",".join(filter(None, [*points, *given])) or "<pending>"


def ports_text(ports: list[Plain]) -> str:
    """`80/TCP,443:30443/TCP`."""
    listed = []
    for port in ports:
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        listed.append(f"{port.get('port')}{node_port}/{port.get('protocol') or 'TCP'}")
    return ",".join(listed) or "<none>"


def service_cells(service: Plain, now: datetime) -> list[Cell]:
    spec = service.get("spec") or {}
    addresses = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    return [
        name_of(service),
        spec.get("type") or "ClusterIP",
        addresses[0] if addresses else "<none>",
        external_ip(service),
        ports_text(spec.get("ports") or []),
        age(service, now),
        labels_text(spec.get("selector")),
    ]


def endpoint_addresses(endpoints: Plain, port_name: str | None = None) -> list[str]:
    """`10.0.0.1:80` for each ready address and port (of that name, when given); addresses alone where there are no ports."""
    listed = []
    for subset in endpoints.get("subsets") or ():
        addresses = [each.get("ip", "") for each in subset.get("addresses") or ()]
        if not subset.get("ports"):
            listed += addresses
        for port in subset.get("ports") or ():
            if port_name in (None, port.get("name") or ""):
                listed += [join_host_port(address, port.get("port", 0)) for address in addresses]
    return listed


def join_host_port(host: str, port: int | str) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def endpoints_cells(endpoints: Plain, now: datetime) -> list[Cell]:
    return [name_of(endpoints), shortened(endpoint_addresses(endpoints)), age(endpoints, now)]


def endpoint_slice_cells(endpoint_slice: Plain, now: datetime) -> list[Cell]:
    ports = [str(port["port"]) if port.get("port") else "*" for port in endpoint_slice.get("ports") or ()]
    addresses = [address for each in endpoint_slice.get("endpoints") or () for address in each.get("addresses") or ()]
    return [
        name_of(endpoint_slice),
        endpoint_slice.get("addressType", ""),
        shortened(ports, empty="<unset>"),
        shortened(addresses, empty="<unset>"),
        age(endpoint_slice, now),
    ]


SERVICE = TableShape(
    (
        NAME,
        Column("Type", description="How it is reached."),
        Column("Cluster-IP", description="Its address within the cluster."),
        Column("External-IP", description="Its address from outside."),
        Column("Port(s)", description="Its ports, with the nodes' ports where it has them."),
        AGE,
        wide("Selector", "Labels of the pods it leads to."),
    ),
    service_cells,
)

ENDPOINTS = TableShape((NAME, Column("Endpoints", description="Addresses that are ready."), AGE), endpoints_cells)

ENDPOINT_SLICE = TableShape(
    (
        NAME,
        Column("AddressType", description="The kind of its addresses."),
        Column("Ports", description="Ports of its endpoints."),
        Column("Endpoints", description="Addresses of its endpoints."),
        AGE,
    ),
    endpoint_slice_cells,
)
