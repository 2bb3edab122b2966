"""Tables of Ingresses, their classes, NetworkPolicies, and the addresses of the service network."""

from collections.abc import Sequence
from datetime import datetime

from apimachinery.printing.shape import AGE, NAME, Cell, Column, Plain, TableShape, age, name_of, selector_text

HOSTS_SHOWN = 3


def hosts_text(rules: Sequence[Plain]) -> str:
    """Hosts of the first rules, and how many rules there are besides; `*` when none names a host."""
    hosts: list[str] = []
    more = False
    for rule in rules:
        if len(hosts) == HOSTS_SHOWN:
            more = True
        elif rule.get("host"):
            hosts.append(rule["host"])
    listed = ",".join(hosts) or "*"
    return f"{listed} + {len(rules) - HOSTS_SHOWN} more..." if more else listed


def ingress_cells(ingress: Plain, now: datetime) -> list[Cell]:
    spec = ingress.get("spec") or {}
    balancer = (ingress.get("status") or {}).get("loadBalancer") or {}
    points = [each.get("ip") or each.get("hostname") or "" for each in balancer.get("ingress") or ()]
    return [
        name_of(ingress),
        spec.get("ingressClassName") or "<none>",
        hosts_text(spec.get("rules") or ()),
        ",".join(filter(None, points)),
        "80, 443" if spec.get("tls") else "80",
        age(ingress, now),
    ]


def ingress_class_cells(ingress_class: Plain, now: datetime) -> list[Cell]:
    spec = ingress_class.get("spec") or {}
    parameters, shown = spec.get("parameters"), "<none>"
    if parameters:
        group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") else ""
        shown = f"{parameters.get('kind', '')}{group}/{parameters.get('name', '')}"
    return [name_of(ingress_class), spec.get("controller", ""), shown, age(ingress_class, now)]


def network_policy_cells(policy: Plain, now: datetime) -> list[Cell]:
    return [name_of(policy), selector_text((policy.get("spec") or {}).get("podSelector")), age(policy, now)]


def ip_address_cells(address: Plain, now: datetime) -> list[Cell]:
    parent, shown = (address.get("spec") or {}).get("parentRef"), "<none>"
    if parent:
        group = f".{parent['group']}" if parent.get("group") else ""
        parts = (f"{parent.get('resource', '')}{group}", parent.get("namespace") or "", parent.get("name") or "")
        shown = "/".join(filter(None, parts)).lower()
    return [name_of(address), shown, age(address, now)]


def service_cidr_cells(network: Plain, now: datetime) -> list[Cell]:
    return [name_of(network), ",".join((network.get("spec") or {}).get("cidrs") or ()), age(network, now)]


INGRESS = TableShape(
    (
        NAME,
        Column("Class", description="Who serves it."),
        Column("Hosts", description="Hosts that it routes."),
        Column("Address", description="Where it is served."),
        Column("Ports", description="Ports on which it is served."),
        AGE,
    ),
    ingress_cells,
)

INGRESS_CLASS = TableShape(
    (
        NAME,
        Column("Controller", description="Which controller serves its ingresses."),
        Column("Parameters", description="Where the controller finds its configuration."),
        AGE,
    ),
    ingress_class_cells,
)

NETWORK_POLICY = TableShape(
    (NAME, Column("Pod-Selector", description="Labels of the pods that it is about."), AGE), network_policy_cells
)

IP_ADDRESS = TableShape((NAME, Column("ParentRef", description="Whose address it is."), AGE), ip_address_cells)

SERVICE_CIDR = TableShape((NAME, Column("CIDRs", description="The networks."), AGE), service_cidr_cells)
