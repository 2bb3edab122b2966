"""A component's client and leader election, from its configuration."""

import random

from apiclient.client import Client
from apiclient.grpc_transport import GrpcTransport
from apiclient.leaderelection import LeaderElector, LeaseTimes
from apimachinery.clock import Clock
from component_base.config import ClientConnection, LeaderElectionConfig


def new_client(config: ClientConnection, *, field_manager: str) -> Client:
    """A client over gRPC and mutual TLS; needs a running event loop."""
    transport = GrpcTransport(config.endpoints, ca_file=config.ca_file, cert_file=config.cert_file, key_file=config.key_file)
    return Client(transport, field_manager=field_manager)


def new_elector(config: LeaderElectionConfig, client: Client, *, name: str, clock: Clock, rng: random.Random) -> LeaderElector:
    """The candidate for the Lease `name` in kube-system."""
    times = LeaseTimes(config.lease_duration_seconds, config.renew_deadline_seconds, config.retry_period_seconds)
    return LeaderElector(client, name=name, identity=config.identity, clock=clock, rng=rng, times=times)
