"""The controller manager's configuration file."""

from component_base.config import ClientConnection, Configuration, HealthConfig, LeaderElectionConfig


class ControllerManagerConfiguration(Configuration, frozen=True):
    """What the cluster wants of its controllers.

    cluster_cidr is cut into pod CIDRs with prefixes of node_cidr_mask_size bits. A node silent for
    node_monitor_grace_period_seconds is out; evictions stop when unhealthy_fraction of the nodes are. root_ca_file, if
    given, is published in each namespace. service_account_key_file, if given, signs the tokens that stand in Secrets. seed
    fixes chance, for tests that replay.
    """

    client: ClientConnection
    leader_election: LeaderElectionConfig
    health: HealthConfig = HealthConfig()
    cluster_cidr: str = "10.244.0.0/16"
    node_cidr_mask_size: int = 24
    node_monitor_grace_period_seconds: float = 4.0
    unhealthy_fraction: float = 0.55
    root_ca_file: str = ""
    service_account_key_file: str = ""
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.node_monitor_grace_period_seconds <= 0:
            raise ValueError("nodeMonitorGracePeriodSeconds must be positive")
        if not 0 < self.unhealthy_fraction <= 1:
            raise ValueError("unhealthyFraction must lie above 0 and at most at 1")
