"""The pod network of a node: the CNI configuration from its pod CIDR, and the routes to the other nodes' pods."""

import ipaddress
import json
from collections.abc import Iterable
from dataclasses import dataclass

from apimachinery.kinds import Node

CONFIGURATION_FILE = "10-coxswain.conflist"


@dataclass(frozen=True, slots=True)
class Route:
    """Packets to `destination` (CIDR) go through `gateway`."""

    destination: str
    gateway: str


def conflist(pod_cidr: str, state_directory: str) -> str:
    """The CNI configuration list: bridge with host-local addresses, host ports, no masquerading."""
    subnet = ipaddress.ip_network(pod_cidr)
    default = "::/0" if subnet.version == 6 else "0.0.0.0/0"
    return json.dumps(
        {
            "cniVersion": "0.4.0",
            "name": "coxswain",
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": "cni0",
                    "isGateway": True,
                    "ipMasq": False,
                    "hairpinMode": True,
                    "ipam": {
                        "type": "host-local",
                        "ranges": [[{"subnet": str(subnet)}]],
                        "routes": [{"dst": default}],
                        "dataDir": f"{state_directory}/ipam",
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True},
            ],
        },
        indent=1,
    )


def internal_ip(node: Node) -> str:
    """The node's address among nodes; empty when it has none."""
    return next((each.address for each in node.status.addresses if each.type == "InternalIP"), "")


def routes(own_name: str, nodes: Iterable[Node]) -> list[Route]:
    """A route to every other node's pods, by destination; what is not a valid address or network is left out."""
    found = []
    for node in nodes:
        gateway = internal_ip(node)
        if node.metadata.name == own_name or not gateway:
            continue
        for cidr in node.spec.pod_cidrs or ([node.spec.pod_cidr] if node.spec.pod_cidr else []):
            try:
                destination, address = ipaddress.ip_network(cidr), ipaddress.ip_address(gateway)
            except ValueError:
                continue
            if destination.version == address.version:
                found.append(Route(str(destination), str(address)))
    return sorted(set(found), key=lambda route: (route.destination, route.gateway))
