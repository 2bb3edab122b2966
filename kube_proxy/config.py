"""The proxy's configuration file."""

from component_base.config import ClientConnection, Configuration, HealthConfig


class KubeProxyConfiguration(Configuration, frozen=True):
    """`min_sync_period_seconds` gathers changes that come close together; `backend` names the packet filter."""

    client: ClientConnection
    node_name: str
    node_ip: str
    cluster_cidr: str
    service_cidr: str = ""
    health: HealthConfig = HealthConfig()
    backend: str = "iptables"
    min_sync_period_seconds: float = 0.01
    resync_period_seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.backend != "iptables":
            raise ValueError(f"backend {self.backend!r} is not supported: use iptables")
