"""A small valid object of every kind that the API serves, without its name; and a question for every review."""

from __future__ import annotations

from typing import Any

from apimachinery import resources
from apimachinery.resources import Resource
from tests.support.certificate_requests import encoded, request_pem

Plain = dict[str, Any]

_POD = {"containers": [{"name": "c", "image": "registry.local/busybox:1", "ports": [{"containerPort": 80}]}]}
_TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": _POD}
_ENDING = {"spec": {**_POD, "restartPolicy": "Never"}}
_SELECTED = {"selector": {"matchLabels": {"app": "web"}}, "template": _TEMPLATE}
_CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
_RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
_SUBJECTS = [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "jane"}]
_TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
_CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
_BACKEND = {"service": {"name": "web", "port": {"number": 80}}}
_RULE = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}
_WEBHOOK = {
    "name": "check.example.com",
    "clientConfig": {"url": "https://127.0.0.1:9/validate"},
    "rules": [{"operations": ["CREATE"], "apiGroups": ["example.com"], "apiVersions": ["*"], "resources": ["things"]}],
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
    "matchConditions": [{"name": "always", "expression": "true"}],
}
_MICRO_TIME = "2026-01-31T12:00:00.123456Z"

_VERSION = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}

OBJECTS: tuple[tuple[Resource, Plain], ...] = (
    (resources.NAMESPACES, {}),
    (
        resources.NODES,
        {"spec": {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"], "taints": [{"key": "k", "effect": "NoExecute"}]}},
    ),
    (resources.PODS, {"spec": _POD}),
    (resources.SERVICES, {"spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]}}),
    (resources.ENDPOINTS, {"subsets": [{"addresses": [{"ip": "10.1.0.5"}], "ports": [{"port": 80}]}]}),
    (resources.CONFIG_MAPS, {"data": {"k": "v"}, "binaryData": {"b": "AP8="}}),
    (resources.SECRETS, {"type": "Opaque", "data": {"k": "dg=="}}),
    (resources.SERVICE_ACCOUNTS, {"automountServiceAccountToken": False}),
    (
        resources.EVENTS,
        {"involvedObject": {"kind": "Pod", "name": "p"}, "reason": "Started"},
    ),
    (resources.REPLICA_SETS, {"spec": _SELECTED}),
    (resources.DEPLOYMENTS, {"spec": {**_SELECTED, "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}}}),
    (
        resources.ENDPOINT_SLICES,
        {
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.1.0.5"], "conditions": {"ready": True}}],
            "ports": [{"port": 80}],
        },
    ),
    (resources.LEASES, {"spec": {"holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": _MICRO_TIME}}),
    (resources.POD_DISRUPTION_BUDGETS, {"spec": {"minAvailable": "50%", "selector": {"matchLabels": {"app": "web"}}}}),
    (resources.INGRESSES, {"spec": {"defaultBackend": _BACKEND}}),
    (resources.INGRESS_CLASSES, {"spec": {"controller": "example.com/ingress"}}),
    (resources.NETWORK_POLICIES, {"spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}),
    (resources.IP_ADDRESSES, {"spec": {"parentRef": {"resource": "services", "namespace": "default", "name": "web"}}}),
    (resources.SERVICE_CIDRS, {"spec": {"cidrs": ["10.200.0.0/24"]}}),
    (resources.ROLES, {"rules": _RULES}),
    (
        resources.ROLE_BINDINGS,
        {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}, "subjects": _SUBJECTS},
    ),
    (resources.CLUSTER_ROLES, {"rules": _RULES}),
    (
        resources.CLUSTER_ROLE_BINDINGS,
        {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"}, "subjects": _SUBJECTS},
    ),
    (resources.PRIORITY_CLASSES, {"value": 7, "description": "d"}),
    (resources.RUNTIME_CLASSES, {"handler": "kata", "overhead": {"podFixed": {"cpu": "250m"}}}),
    (
        resources.HORIZONTAL_POD_AUTOSCALERS,
        {"spec": {"scaleTargetRef": _TARGET, "minReplicas": 2, "maxReplicas": 5, "metrics": [_CPU]}},
    ),
    (
        resources.CERTIFICATE_SIGNING_REQUESTS,
        {
            "spec": {
                "request": encoded(request_pem()),
                "signerName": "kubernetes.io/kube-apiserver-client",
                "usages": ["client auth"],
            }
        },
    ),
    (
        resources.PERSISTENT_VOLUMES,
        {"spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/data"}}},
    ),
    (resources.PERSISTENT_VOLUME_CLAIMS, {"spec": _CLAIM}),
    (resources.LIMIT_RANGES, {"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}}),
    (resources.RESOURCE_QUOTAS, {"spec": {"hard": {"pods": "400"}}}),
    (resources.REPLICATION_CONTROLLERS, {"spec": {"template": _TEMPLATE}}),
    (resources.POD_TEMPLATES, {"template": _TEMPLATE}),
    (
        resources.STATEFUL_SETS,
        {"spec": {**_SELECTED, "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": _CLAIM}]}},
    ),
    (resources.DAEMON_SETS, {"spec": _SELECTED}),
    (resources.CONTROLLER_REVISIONS, {"data": {"spec": {}}, "revision": 1}),
    (resources.JOBS, {"spec": {"template": _ENDING}}),
    (resources.CRON_JOBS, {"spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": _ENDING}}}}),
    (resources.STORAGE_CLASSES, {"provisioner": "csi.example.com"}),
    (
        resources.VOLUME_ATTACHMENTS,
        {"spec": {"attacher": "csi.example.com", "nodeName": "n", "source": {"persistentVolumeName": "x"}}},
    ),
    (resources.VOLUME_ATTRIBUTES_CLASSES, {"driverName": "csi.example.com", "parameters": {"iops": "9"}}),
    (resources.CSI_DRIVERS, {"spec": {}}),
    (resources.CSI_NODES, {"spec": {"drivers": [{"name": "csi.example.com", "nodeID": "1", "topologyKeys": []}]}}),
    (resources.CSI_STORAGE_CAPACITIES, {"storageClassName": "fast", "capacity": "1Gi"}),
    (resources.VALIDATING_WEBHOOK_CONFIGURATIONS, {"webhooks": [_WEBHOOK]}),
    (resources.MUTATING_WEBHOOK_CONFIGURATIONS, {"webhooks": [_WEBHOOK]}),
    (
        resources.VALIDATING_ADMISSION_POLICIES,
        {
            "spec": {
                "matchConstraints": {"resourceRules": [_RULE]},
                "validations": [{"expression": "object.spec.replicas <= 5"}],
            }
        },
    ),
    (
        resources.VALIDATING_ADMISSION_POLICY_BINDINGS,
        {"spec": {"policyName": "none", "validationActions": ["Deny"]}},
    ),
    (
        resources.MUTATING_ADMISSION_POLICIES,
        {
            "spec": {
                "matchConstraints": {"resourceRules": [_RULE]},
                "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}}],
            }
        },
    ),
    (resources.MUTATING_ADMISSION_POLICY_BINDINGS, {"spec": {"policyName": "none"}}),
    (
        resources.API_SERVICES,
        {"spec": {"group": "x.example.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10}},
    ),
    (resources.CUSTOM_RESOURCE_DEFINITIONS, {"spec": {"scope": "Namespaced", "versions": [_VERSION]}}),
    (
        resources.HORIZONTAL_POD_AUTOSCALERS_V1,
        {"spec": {"scaleTargetRef": _TARGET, "maxReplicas": 5, "targetCPUUtilizationPercentage": 50}},
    ),
    (
        resources.EVENTS_V1,
        {
            "eventTime": _MICRO_TIME,
            "action": "Binding",
            "reason": "Scheduled",
            "type": "Normal",
            "regarding": {"kind": "Pod", "name": "p"},
            "reportingController": "example.com/scheduler",
            "reportingInstance": "a",
        },
    ),
)

_GET_PODS = {"verb": "get", "resource": "pods", "namespace": "default"}
QUESTIONS: tuple[tuple[Resource, Plain], ...] = (
    (resources.TOKEN_REVIEWS, {"spec": {"token": "abc"}}),
    (resources.SELF_SUBJECT_REVIEWS, {}),
    (resources.SUBJECT_ACCESS_REVIEWS, {"spec": {"user": "jane", "resourceAttributes": _GET_PODS}}),
    (resources.SELF_SUBJECT_ACCESS_REVIEWS, {"spec": {"resourceAttributes": _GET_PODS}}),
    (resources.LOCAL_SUBJECT_ACCESS_REVIEWS, {"spec": {"user": "jane", "resourceAttributes": _GET_PODS}}),
    (resources.SELF_SUBJECT_RULES_REVIEWS, {"spec": {"namespace": "default"}}),
)


def named(resource: Resource, plain: Plain, name: str, namespace: str = "default") -> Plain:
    """The object as a manifest has it; what an event is about is in its namespace, a definition defines what its name says."""
    metadata: Plain = {"name": name}
    if resource.namespaced:
        metadata["namespace"] = namespace
    if resource is resources.CUSTOM_RESOURCE_DEFINITIONS and "spec" in plain:
        plural, _, group = name.partition(".")
        names = {"plural": plural, "kind": plural.capitalize()}
        plain = {"spec": {**plain["spec"], "group": group, "names": names}}
    about = {field: {**plain[field], "namespace": namespace} for field in ("involvedObject", "regarding") if field in plain}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **plain, **about}
