"""The rules of each kind: defaults, validation, what updates may change. `STRATEGIES` has one for each resource served."""

from collections.abc import Mapping
from typing import Any

from apimachinery import resources
from apimachinery.resources import Resource
from apiserver.strategy.apps import DeploymentStrategyRules, ReplicaSetStrategy
from apiserver.strategy.base import Strategy
from apiserver.strategy.configuration import ConfigMapStrategy, SecretStrategy
from apiserver.strategy.endpoints import EndpointSliceStrategy, EndpointsStrategy
from apiserver.strategy.events import EventStrategy, LeaseStrategy
from apiserver.strategy.namespaces import NamespaceStrategy
from apiserver.strategy.nodes import NodeStrategy
from apiserver.strategy.pods import PodStrategy
from apiserver.strategy.services import ServiceStrategy

_ALL: tuple[Strategy[Any], ...] = (
    NamespaceStrategy(resources.NAMESPACES),
    NodeStrategy(resources.NODES),
    PodStrategy(resources.PODS),
    ServiceStrategy(resources.SERVICES),
    EndpointsStrategy(resources.ENDPOINTS),
    ConfigMapStrategy(resources.CONFIG_MAPS),
    SecretStrategy(resources.SECRETS),
    Strategy(resources.SERVICE_ACCOUNTS),
    EventStrategy(resources.EVENTS),
    ReplicaSetStrategy(resources.REPLICA_SETS),
    DeploymentStrategyRules(resources.DEPLOYMENTS),
    EndpointSliceStrategy(resources.ENDPOINT_SLICES),
    LeaseStrategy(resources.LEASES),
)

STRATEGIES: Mapping[Resource, Strategy[Any]] = {strategy.resource: strategy for strategy in _ALL}

__all__ = ["STRATEGIES", "Strategy"]
