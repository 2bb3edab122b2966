"""The rules of each kind: defaults, validation, what updates may change. `STRATEGIES` has one for each resource served."""

from collections.abc import Mapping
from typing import Any

from apimachinery import resources
from apimachinery.resources import Resource
from apiserver.strategy.apps import DeploymentStrategyRules, ReplicaSetStrategy
from apiserver.strategy.base import Strategy
from apiserver.strategy.configuration import ConfigMapStrategy, SecretStrategy
from apiserver.strategy.cron_jobs import CronJobStrategy
from apiserver.strategy.csi import (
    CSIDriverStrategy,
    CSINodeStrategy,
    CSIStorageCapacityStrategy,
    VolumeAttachmentStrategy,
)
from apiserver.strategy.daemon_sets import ControllerRevisionStrategy, DaemonSetStrategy
from apiserver.strategy.endpoints import EndpointSliceStrategy, EndpointsStrategy
from apiserver.strategy.events import EventStrategy, LeaseStrategy
from apiserver.strategy.jobs import JobStrategy
from apiserver.strategy.namespaces import NamespaceStrategy
from apiserver.strategy.nodes import NodeStrategy
from apiserver.strategy.persistent_volume_claims import PersistentVolumeClaimStrategy
from apiserver.strategy.persistent_volumes import PersistentVolumeStrategy
from apiserver.strategy.pods import PodStrategy
from apiserver.strategy.quotas import LimitRangeStrategy, ResourceQuotaStrategy
from apiserver.strategy.replication import PodTemplateStrategy, ReplicationControllerStrategy
from apiserver.strategy.services import ServiceStrategy
from apiserver.strategy.stateful_sets import StatefulSetStrategy
from apiserver.strategy.storage_classes import StorageClassStrategy, VolumeAttributesClassStrategy

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
    PersistentVolumeStrategy(resources.PERSISTENT_VOLUMES),
    PersistentVolumeClaimStrategy(resources.PERSISTENT_VOLUME_CLAIMS),
    LimitRangeStrategy(resources.LIMIT_RANGES),
    ResourceQuotaStrategy(resources.RESOURCE_QUOTAS),
    ReplicationControllerStrategy(resources.REPLICATION_CONTROLLERS),
    PodTemplateStrategy(resources.POD_TEMPLATES),
    StatefulSetStrategy(resources.STATEFUL_SETS),
    DaemonSetStrategy(resources.DAEMON_SETS),
    ControllerRevisionStrategy(resources.CONTROLLER_REVISIONS),
    JobStrategy(resources.JOBS),
    CronJobStrategy(resources.CRON_JOBS),
    StorageClassStrategy(resources.STORAGE_CLASSES),
    VolumeAttachmentStrategy(resources.VOLUME_ATTACHMENTS),
    VolumeAttributesClassStrategy(resources.VOLUME_ATTRIBUTES_CLASSES),
    CSIDriverStrategy(resources.CSI_DRIVERS),
    CSINodeStrategy(resources.CSI_NODES),
    CSIStorageCapacityStrategy(resources.CSI_STORAGE_CAPACITIES),
)

STRATEGIES: Mapping[Resource, Strategy[Any]] = {strategy.resource: strategy for strategy in _ALL}

__all__ = ["STRATEGIES", "Strategy"]
