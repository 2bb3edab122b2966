"""The rules of each kind: defaults, validation, what updates may change. `STRATEGIES` has one for each resource
that is stored, `FORM_RULES` what a form that is not stored asks of new objects beyond that.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from apimachinery import resources
from apimachinery.errors import FieldError
from apimachinery.resources import Resource
from apiserver.strategy.admission_policies import (
    ValidatingAdmissionPolicyBindingStrategy,
    ValidatingAdmissionPolicyStrategy,
)
from apiserver.strategy.api_services import APIServiceStrategy
from apiserver.strategy.apps import DeploymentStrategyRules, ReplicaSetStrategy
from apiserver.strategy.autoscaling import HorizontalPodAutoscalerStrategy
from apiserver.strategy.base import Strategy
from apiserver.strategy.certificates import CertificateSigningRequestStrategy
from apiserver.strategy.cluster_addresses import IPAddressStrategy, ServiceCIDRStrategy
from apiserver.strategy.configuration import ConfigMapStrategy, SecretStrategy
from apiserver.strategy.cron_jobs import CronJobStrategy
from apiserver.strategy.csi import (
    CSIDriverStrategy,
    CSINodeStrategy,
    CSIStorageCapacityStrategy,
    VolumeAttachmentStrategy,
)
from apiserver.strategy.custom_resource_definitions import CustomResourceDefinitionStrategy
from apiserver.strategy.daemon_sets import ControllerRevisionStrategy, DaemonSetStrategy
from apiserver.strategy.disruption import PodDisruptionBudgetStrategy
from apiserver.strategy.endpoints import EndpointSliceStrategy, EndpointsStrategy
from apiserver.strategy.events import EventStrategy, LeaseStrategy, validate_new_event
from apiserver.strategy.ingresses import IngressClassStrategy, IngressStrategy
from apiserver.strategy.jobs import JobStrategy
from apiserver.strategy.mutating_policies import (
    MutatingAdmissionPolicyBindingStrategy,
    MutatingAdmissionPolicyStrategy,
)
from apiserver.strategy.namespaces import NamespaceStrategy
from apiserver.strategy.network_policies import NetworkPolicyStrategy
from apiserver.strategy.nodes import NodeStrategy
from apiserver.strategy.persistent_volume_claims import PersistentVolumeClaimStrategy
from apiserver.strategy.persistent_volumes import PersistentVolumeStrategy
from apiserver.strategy.pods import PodStrategy
from apiserver.strategy.quotas import LimitRangeStrategy, ResourceQuotaStrategy
from apiserver.strategy.rbac import ClusterRoleBindingStrategy, ClusterRoleStrategy, RoleBindingStrategy, RoleStrategy
from apiserver.strategy.replication import PodTemplateStrategy, ReplicationControllerStrategy
from apiserver.strategy.runtime_classes import RuntimeClassStrategy
from apiserver.strategy.scheduling import PriorityClassStrategy
from apiserver.strategy.services import ServiceStrategy
from apiserver.strategy.stateful_sets import StatefulSetStrategy
from apiserver.strategy.storage_classes import StorageClassStrategy, VolumeAttributesClassStrategy
from apiserver.strategy.webhooks import MutatingWebhookConfigurationStrategy, ValidatingWebhookConfigurationStrategy

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
    PodDisruptionBudgetStrategy(resources.POD_DISRUPTION_BUDGETS),
    IngressStrategy(resources.INGRESSES),
    IngressClassStrategy(resources.INGRESS_CLASSES),
    NetworkPolicyStrategy(resources.NETWORK_POLICIES),
    IPAddressStrategy(resources.IP_ADDRESSES),
    ServiceCIDRStrategy(resources.SERVICE_CIDRS),
    RoleStrategy(resources.ROLES),
    RoleBindingStrategy(resources.ROLE_BINDINGS),
    ClusterRoleStrategy(resources.CLUSTER_ROLES),
    ClusterRoleBindingStrategy(resources.CLUSTER_ROLE_BINDINGS),
    PriorityClassStrategy(resources.PRIORITY_CLASSES),
    RuntimeClassStrategy(resources.RUNTIME_CLASSES),
    HorizontalPodAutoscalerStrategy(resources.HORIZONTAL_POD_AUTOSCALERS),
    CertificateSigningRequestStrategy(resources.CERTIFICATE_SIGNING_REQUESTS),
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
    ValidatingAdmissionPolicyStrategy(resources.VALIDATING_ADMISSION_POLICIES),
    ValidatingAdmissionPolicyBindingStrategy(resources.VALIDATING_ADMISSION_POLICY_BINDINGS),
    MutatingAdmissionPolicyStrategy(resources.MUTATING_ADMISSION_POLICIES),
    MutatingAdmissionPolicyBindingStrategy(resources.MUTATING_ADMISSION_POLICY_BINDINGS),
    ValidatingWebhookConfigurationStrategy(resources.VALIDATING_WEBHOOK_CONFIGURATIONS),
    MutatingWebhookConfigurationStrategy(resources.MUTATING_WEBHOOK_CONFIGURATIONS),
    APIServiceStrategy(resources.API_SERVICES),
    CustomResourceDefinitionStrategy(resources.CUSTOM_RESOURCE_DEFINITIONS),
)

STRATEGIES: Mapping[Resource, Strategy[Any]] = {strategy.resource: strategy for strategy in _ALL}

FORM_RULES: Mapping[Resource, Callable[[Any], Iterator[FieldError]]] = {resources.EVENTS_V1: validate_new_event}

__all__ = ["FORM_RULES", "STRATEGIES", "Strategy"]
