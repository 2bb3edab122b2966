"""Descriptions for people, one function for each kind: from the object and what surrounds it to a page of aligned lines.

Pure: `kctl.commands.describe` fetches what a description needs.
"""

from collections.abc import Callable

from kctl.describe import admission_policies, batch, core, network, nodes, pods, policies, quotas, storage, workloads
from kctl.describe.common import Plain, Surroundings
from kctl.describe.text import Page

Describer = Callable[[Plain, Surroundings], Page]

DESCRIBERS: dict[tuple[str, str], Describer] = {
    ("", "Pod"): pods.describe_pod,
    ("", "Node"): nodes.describe_node,
    ("", "Service"): network.describe_service,
    ("", "Endpoints"): network.describe_endpoints,
    ("", "ConfigMap"): core.describe_config_map,
    ("", "Secret"): core.describe_secret,
    ("", "ServiceAccount"): core.describe_service_account,
    ("", "Namespace"): core.describe_namespace,
    ("apps", "Deployment"): workloads.describe_deployment,
    ("apps", "ReplicaSet"): workloads.describe_replica_set,
    ("discovery.k8s.io", "EndpointSlice"): network.describe_endpoint_slice,
    ("policy", "PodDisruptionBudget"): policies.describe_budget,
    ("networking.k8s.io", "Ingress"): policies.describe_ingress,
    ("networking.k8s.io", "NetworkPolicy"): policies.describe_network_policy,
    ("rbac.authorization.k8s.io", "Role"): policies.describe_role,
    ("rbac.authorization.k8s.io", "ClusterRole"): policies.describe_role,
    ("rbac.authorization.k8s.io", "RoleBinding"): policies.describe_binding,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): policies.describe_binding,
    ("autoscaling", "HorizontalPodAutoscaler"): policies.describe_autoscaler,
    ("", "PersistentVolume"): storage.describe_persistent_volume,
    ("", "PersistentVolumeClaim"): storage.describe_persistent_volume_claim,
    ("", "LimitRange"): quotas.describe_limit_range,
    ("", "ResourceQuota"): quotas.describe_resource_quota,
    ("", "ReplicationController"): workloads.describe_replication_controller,
    ("apps", "StatefulSet"): workloads.describe_stateful_set,
    ("apps", "DaemonSet"): workloads.describe_daemon_set,
    ("batch", "Job"): batch.describe_job,
    ("batch", "CronJob"): batch.describe_cron_job,
    ("storage.k8s.io", "StorageClass"): storage.describe_storage_class,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): admission_policies.describe_policy,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): admission_policies.describe_policy_binding,
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"): admission_policies.describe_mutating_policy,
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"): admission_policies.describe_policy_binding,
}


def describer_for(group: str, kind: str) -> Describer:
    """The describer of a kind; the generic one for kinds that have none of their own."""
    return DESCRIBERS.get((group, kind), core.describe_generic)


__all__ = ["DESCRIBERS", "Describer", "Page", "Plain", "Surroundings", "describer_for"]
