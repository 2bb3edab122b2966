"""The name server's configuration file."""

import ipaddress

from cluster_dns.core import names
from component_base.config import ClientConnection, Configuration, HealthConfig


class ClusterDnsConfiguration(Configuration, frozen=True):
    """It listens on `node_ip`:`port`; `cluster_ip` is the Service address under which pods reach it."""

    client: ClientConnection
    node_name: str
    node_ip: str
    cluster_ip: str = "10.96.0.10"
    port: int = 10053
    cluster_domain: str = "cluster.local"
    service_cidr: str = "10.96.0.0/16"
    health: HealthConfig = HealthConfig()

    def __post_init__(self) -> None:
        ipaddress.IPv4Address(self.node_ip)
        if ipaddress.IPv4Address(self.cluster_ip) not in ipaddress.IPv4Network(self.service_cidr):
            raise ValueError(f"clusterIp {self.cluster_ip} is not in serviceCidr {self.service_cidr}")
        if not 0 < self.port < 65536:
            raise ValueError(f"port {self.port} is not between 1 and 65535")
        if names.parse(self.cluster_domain) is None:
            raise ValueError(f"clusterDomain {self.cluster_domain!r} is not a domain name")
