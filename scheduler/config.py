"""The scheduler's configuration file."""

from component_base.config import ClientConnection, Configuration, HealthConfig, LeaderElectionConfig


class SchedulerConfiguration(Configuration, frozen=True):
    """`seed` fixes chance, for tests that replay; `scheduler_name` is the spec.schedulerName that is served."""

    client: ClientConnection
    leader_election: LeaderElectionConfig
    health: HealthConfig = HealthConfig()
    scheduler_name: str = "default-scheduler"
    seed: int | None = None
