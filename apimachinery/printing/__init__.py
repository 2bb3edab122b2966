"""Tables of objects as people read them: the columns of each kind, and a Table of the API made from objects.

Pure, over plain data: the command line prints with it, and an API server can answer with it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from apimachinery.printing import (
    admission,
    admission_policies,
    aggregation,
    autoscaling,
    batch,
    core,
    extensions,
    network,
    nodes,
    pods,
    policies,
    quotas,
    routes,
    storage,
    workloads,
)
from apimachinery.printing.shape import Cell, Column, Plain, TableShape

SHAPES: dict[tuple[str, str], TableShape] = {
    ("", "Pod"): pods.POD,
    ("", "Node"): nodes.NODE,
    ("", "Service"): network.SERVICE,
    ("", "Endpoints"): network.ENDPOINTS,
    ("", "ConfigMap"): core.CONFIG_MAP,
    ("", "Secret"): core.SECRET,
    ("", "ServiceAccount"): core.SERVICE_ACCOUNT,
    ("", "Namespace"): core.NAMESPACE,
    ("", "Event"): core.EVENT,
    ("events.k8s.io", "Event"): core.NEW_EVENT,
    ("apps", "Deployment"): workloads.DEPLOYMENT,
    ("apps", "ReplicaSet"): workloads.REPLICA_SET,
    ("discovery.k8s.io", "EndpointSlice"): network.ENDPOINT_SLICE,
    ("coordination.k8s.io", "Lease"): core.LEASE,
    ("policy", "PodDisruptionBudget"): policies.BUDGET,
    ("networking.k8s.io", "Ingress"): routes.INGRESS,
    ("networking.k8s.io", "IngressClass"): routes.INGRESS_CLASS,
    ("networking.k8s.io", "NetworkPolicy"): routes.NETWORK_POLICY,
    ("networking.k8s.io", "IPAddress"): routes.IP_ADDRESS,
    ("networking.k8s.io", "ServiceCIDR"): routes.SERVICE_CIDR,
    ("rbac.authorization.k8s.io", "Role"): policies.ROLE,
    ("rbac.authorization.k8s.io", "ClusterRole"): policies.ROLE,
    ("rbac.authorization.k8s.io", "RoleBinding"): policies.BINDING,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): policies.BINDING,
    ("scheduling.k8s.io", "PriorityClass"): policies.PRIORITY_CLASS,
    ("node.k8s.io", "RuntimeClass"): policies.RUNTIME_CLASS,
    ("autoscaling", "HorizontalPodAutoscaler"): autoscaling.AUTOSCALER,
    ("autoscaling", "Scale"): autoscaling.SCALE,
    ("certificates.k8s.io", "CertificateSigningRequest"): policies.CERTIFICATE_REQUEST,
    ("", "PersistentVolume"): storage.PERSISTENT_VOLUME,
    ("", "PersistentVolumeClaim"): storage.PERSISTENT_VOLUME_CLAIM,
    ("", "LimitRange"): quotas.LIMIT_RANGE,
    ("", "ResourceQuota"): quotas.RESOURCE_QUOTA,
    ("", "ReplicationController"): workloads.REPLICATION_CONTROLLER,
    ("", "PodTemplate"): workloads.POD_TEMPLATE,
    ("apps", "StatefulSet"): workloads.STATEFUL_SET,
    ("apps", "DaemonSet"): workloads.DAEMON_SET,
    ("apps", "ControllerRevision"): workloads.CONTROLLER_REVISION,
    ("batch", "Job"): batch.JOB,
    ("batch", "CronJob"): batch.CRON_JOB,
    ("storage.k8s.io", "StorageClass"): storage.STORAGE_CLASS,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): admission_policies.POLICY,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): admission_policies.POLICY_BINDING,
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"): admission_policies.MUTATING_POLICY,
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"): admission_policies.POLICY_BINDING,
    ("storage.k8s.io", "VolumeAttachment"): storage.VOLUME_ATTACHMENT,
    ("storage.k8s.io", "VolumeAttributesClass"): storage.VOLUME_ATTRIBUTES_CLASS,
    ("storage.k8s.io", "CSIDriver"): storage.CSI_DRIVER,
    ("storage.k8s.io", "CSINode"): storage.CSI_NODE,
    ("storage.k8s.io", "CSIStorageCapacity"): storage.CSI_STORAGE_CAPACITY,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): admission.WEBHOOK_CONFIGURATION,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): admission.WEBHOOK_CONFIGURATION,
    ("apiregistration.k8s.io", "APIService"): aggregation.API_SERVICE,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): extensions.DEFINITION,
}


def shape_for(group: str, kind: str) -> TableShape:
    """The table of a kind; name and age for kinds that have none of their own."""
    return SHAPES.get((group, kind), core.GENERIC)


def table(group: str, kind: str, objects: Iterable[Plain], now: datetime) -> dict[str, Any]:
    """A meta.k8s.io/v1 Table with a row for each object, which carries that object's metadata."""
    shape = shape_for(group, kind)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "columnDefinitions": column_definitions(shape),
        "rows": [{"cells": shape.cells(obj, now), "object": _partial(obj)} for obj in objects],
    }


def column_definitions(shape: TableShape) -> list[dict[str, Any]]:
    """The columns of a table, as the API describes them."""
    return [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description,
            "priority": column.priority,
        }
        for column in shape.columns
    ]


def _partial(obj: Plain) -> dict[str, Any]:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj.get("metadata") or {}}


__all__ = ["SHAPES", "Cell", "Column", "Plain", "TableShape", "column_definitions", "shape_for", "table"]
