"""The kubelet's configuration file."""

from msgspec import field

from component_base.config import ClientConnection, Configuration, HealthConfig, Section


class NodeTaint(Section, frozen=True):
    """A taint that the node registers with."""

    key: str
    value: str = ""
    effect: str = "NoSchedule"


class ServingConfig(Section, frozen=True):
    """Where the API server reaches this kubelet; port 0 turns it off."""

    address: str
    port: int = 10250
    cert_file: str = ""
    key_file: str = ""
    client_ca_file: str = ""


class KubeletConfiguration(Configuration, frozen=True):
    """`kind: KubeletConfiguration`. Paths are absolute; times in seconds."""

    client: ClientConnection
    node_name: str
    node_ip: str
    root_directory: str
    pod_logs_directory: str
    runtime_endpoint: str
    cgroup_root: str
    cni_config_directory: str
    serving: ServingConfig
    node_labels: dict[str, str] = field(default_factory=dict)
    register_with_taints: list[NodeTaint] = field(default_factory=list)
    cluster_dns: list[str] = field(default_factory=list)
    cluster_domain: str = "cluster.local"
    health: HealthConfig = field(default_factory=HealthConfig)
    lease_duration_seconds: int = 4
    lease_renew_seconds: float = 1.0
    max_pods: int = 110
    node_routes: bool = True
    pause_image: str = ""
    """The sandbox image; the runtime's own configuration decides, this is for its record."""
