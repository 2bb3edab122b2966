"""Which fields of a type must be given, where the class does not show it.

A scalar, list or map that is written even when nobody gave it is required, with few exceptions. A struct is written either
way, and a time has no default: these are listed here, by the names of types and fields. Source: the OpenAPI document of
Kubernetes 1.36.
"""

from collections.abc import Mapping

ALSO_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "admissionregistration/v1.ValidatingAdmissionPolicyBinding": ("spec",),
    "admissionregistration/v1.MutatingWebhook": ("clientConfig",),
    "admissionregistration/v1.ValidatingWebhook": ("clientConfig",),
    "apiextensions/v1.CustomResourceDefinition": ("spec",),
    "apiextensions/v1.CustomResourceDefinitionSpec": ("names",),
    "apps/v1.DaemonSetSpec": ("selector", "template"),
    "apps/v1.DeploymentSpec": ("selector", "template"),
    "apps/v1.ReplicaSetSpec": ("selector",),
    "apps/v1.StatefulSetSpec": ("selector", "template"),
    "authentication/v1.TokenReview": ("spec",),
    "authorization/v1.LocalSubjectAccessReview": ("spec",),
    "authorization/v1.SelfSubjectAccessReview": ("spec",),
    "authorization/v1.SelfSubjectRulesReview": ("spec",),
    "authorization/v1.SubjectAccessReview": ("spec",),
    "autoscaling/v1.HorizontalPodAutoscaler": ("spec",),
    "autoscaling/v1.HorizontalPodAutoscalerSpec": ("scaleTargetRef",),
    "autoscaling/v2.ContainerResourceMetricSource": ("target",),
    "autoscaling/v2.ContainerResourceMetricStatus": ("current",),
    "autoscaling/v2.ExternalMetricSource": ("metric", "target"),
    "autoscaling/v2.ExternalMetricStatus": ("current", "metric"),
    "autoscaling/v2.HorizontalPodAutoscaler": ("spec",),
    "autoscaling/v2.HorizontalPodAutoscalerSpec": ("scaleTargetRef",),
    "autoscaling/v2.ObjectMetricSource": ("describedObject", "metric", "target"),
    "autoscaling/v2.ObjectMetricStatus": ("current", "describedObject", "metric"),
    "autoscaling/v2.PodsMetricSource": ("metric", "target"),
    "autoscaling/v2.PodsMetricStatus": ("current", "metric"),
    "autoscaling/v2.ResourceMetricSource": ("target",),
    "autoscaling/v2.ResourceMetricStatus": ("current",),
    "batch/v1.CronJob": ("spec",),
    "batch/v1.CronJobSpec": ("jobTemplate",),
    "batch/v1.JobSpec": ("template",),
    "certificates/v1.CertificateSigningRequest": ("spec",),
    "core/v1.Binding": ("target",),
    "core/v1.Event": ("involvedObject", "metadata"),
    "core/v1.PersistentVolumeClaimTemplate": ("spec",),
    "core/v1.PreferredSchedulingTerm": ("preference",),
    "core/v1.ScaleIOPersistentVolumeSource": ("secretRef",),
    "core/v1.ScaleIOVolumeSource": ("secretRef",),
    "core/v1.WeightedPodAffinityTerm": ("podAffinityTerm",),
    "events/v1.Event": ("eventTime",),
    "events/v1.EventSeries": ("lastObservedTime",),
    "meta/v1.Condition": ("lastTransitionTime",),
    "networking/v1.HTTPIngressPath": ("backend",),
    "networking/v1.IPAddress": ("spec",),
    "networking/v1.IPAddressSpec": ("parentRef",),
    "rbac/v1.ClusterRoleBinding": ("roleRef",),
    "rbac/v1.RoleBinding": ("roleRef",),
    "storage/v1.CSIDriver": ("spec",),
    "storage/v1.CSINode": ("spec",),
    "storage/v1.VolumeAttachment": ("spec",),
    "storage/v1.VolumeAttachmentSpec": ("source",),
}

WRITTEN_YET_OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "policy/v1.PodDisruptionBudgetStatus": ("currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"),
    "scheduling/v1.PriorityClass": ("value",),
}
