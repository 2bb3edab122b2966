"""Which resources the API serves: one row each, from which paths, discovery, storage keys and clients follow.

Adding a kind is a class in `kinds/` and a row here (and its defaults and validation in the API server's registry).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apimachinery import kinds
from apimachinery.conversions import autoscaling as autoscaling_conversion
from apimachinery.conversions import events as event_conversion
from apimachinery.kinds.custom import Custom
from apimachinery.kinds.object import Object

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Conversion:
    """Makes a row another form of what a different row stores; see `conversions`.

    field_names: what the form's field selectors are called in the stored one, (), when they are called the same.
    """

    stored: Resource
    to_stored: Callable[[Any], Any]
    from_stored: Callable[[Any], Any]
    field_names: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Resource:
    """One row: where a kind lives in the API.

    plural: the path segment; subresources: path segments below an object; categories: names that stand for several resources
    (`all`); group: "" for the core group; conversion: None for a row that stores its objects, or has none to store; list_kind:
    what a list is called where it is not KINDList; selectable_fields: paths of a custom resource that field selectors may name.
    """

    group: str
    version: str
    plural: str
    kind: str
    cls: type[Object]
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    conversion: Conversion | None = None
    list_kind: str = ""
    selectable_fields: tuple[str, ...] = ()

    @property
    def list_named(self) -> str:
        """The kind of a list of these objects."""
        return self.list_kind or f"{self.kind}List"

    def __hash__(self) -> int:
        """Rows are looked up many times for each request, and hardly two have the same plural."""
        return hash(self.plural)

    @property
    def stored_as(self) -> Resource:
        """The row that stores the objects which this one shows: itself, for nearly all."""
        return self if self.conversion is None else self.conversion.stored

    @property
    def virtual(self) -> bool:
        """Whether creating an object answers a question and nothing is stored."""
        return self.verbs == ("create",)

    @property
    def api_version(self) -> str:
        """`v1`, `apps/v1`: as objects carry it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`pods`, `deployments.apps`: as error messages and people name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The REST path of the collection, of an object in it, or of its subresource."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"
        parts = [root]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)

    def storage_prefix(self) -> str:
        """The part of a storage key that all objects of this resource share, with its closing slash."""
        return f"{self.group or 'core'}/{self.plural}/"


@dataclass(frozen=True)
class Subresource:
    """What stands below an object: its verbs and its kind ("" for that of the object, which `*` in it stands for)."""

    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""
    kind: str = ""
    streams: bool = False

    def gvk(self, row: Resource) -> tuple[str, str, str]:
        """Group, version and kind of what is sent to it below an object of that row."""
        if not self.kind:
            return row.group, row.version, row.kind
        return self.group, self.version, self.kind.replace("*", row.kind)


SUBRESOURCES: Mapping[str, Subresource] = {
    "status": Subresource(("get", "patch", "update")),
    "scale": Subresource(("get", "patch", "update"), "autoscaling", "v1", "Scale"),
    "binding": Subresource(("create",), "", "v1", "Binding"),
    "eviction": Subresource(("create",), "policy", "v1", "Eviction"),
    "ephemeralcontainers": Subresource(("get", "patch", "update")),
    "resize": Subresource(("get", "patch", "update")),
    "token": Subresource(("create",), "authentication.k8s.io", "v1", "TokenRequest"),
    "finalize": Subresource(("update",)),
    "approval": Subresource(("get", "patch", "update")),
    "log": Subresource(("get",), streams=True),
    "exec": Subresource(("create", "get"), "", "v1", "PodExecOptions", streams=True),
    "attach": Subresource(("create", "get"), "", "v1", "PodAttachOptions", streams=True),
    "portforward": Subresource(("create", "get"), "", "v1", "PodPortForwardOptions", streams=True),
    "proxy": Subresource(("create", "delete", "get", "patch", "update"), "", "v1", "*ProxyOptions", streams=True),
}
"""Subresources by name; a resource's row says which of them it has."""


def _core(plural: str, cls: type[Object], **more: object) -> Resource:
    return Resource("", "v1", plural, cls.__name__, cls, singular=cls.__name__.lower(), **more)  # type: ignore[arg-type]


def _apps(plural: str, cls: type[Object], **more: object) -> Resource:
    return Resource("apps", "v1", plural, cls.__name__, cls, singular=cls.__name__.lower(), **more)  # type: ignore[arg-type]


def _batch(plural: str, cls: type[Object], **more: object) -> Resource:
    return Resource("batch", "v1", plural, cls.__name__, cls, singular=cls.__name__.lower(), **more)  # type: ignore[arg-type]


def _storage(plural: str, cls: type[Object], *, namespaced: bool = False, **more: object) -> Resource:
    return Resource(
        "storage.k8s.io",
        "v1",
        plural,
        cls.__name__,
        cls,
        namespaced=namespaced,
        singular=cls.__name__.lower(),
        **more,  # type: ignore[arg-type]
    )


POD_PARTS = ("status", "ephemeralcontainers", "resize")
POD_SUBRESOURCES = (*POD_PARTS, "binding", "eviction", "log", "exec", "attach", "portforward", "proxy")

NAMESPACES = _core("namespaces", kinds.Namespace, namespaced=False, short_names=("ns",), subresources=("status", "finalize"))
NODES = _core("nodes", kinds.Node, namespaced=False, short_names=("no",), subresources=("status", "proxy"))
PODS = _core("pods", kinds.Pod, short_names=("po",), categories=("all",), subresources=POD_SUBRESOURCES)
SERVICES = _core("services", kinds.Service, short_names=("svc",), categories=("all",), subresources=("status", "proxy"))
ENDPOINTS = _core("endpoints", kinds.Endpoints, short_names=("ep",))
CONFIG_MAPS = _core("configmaps", kinds.ConfigMap, short_names=("cm",))
SECRETS = _core("secrets", kinds.Secret)
SERVICE_ACCOUNTS = _core("serviceaccounts", kinds.ServiceAccount, short_names=("sa",), subresources=("token",))
EVENTS = _core("events", kinds.Event, short_names=("ev",))
REPLICA_SETS = _apps(
    "replicasets", kinds.ReplicaSet, short_names=("rs",), categories=("all",), subresources=("status", "scale")
)
DEPLOYMENTS = _apps(
    "deployments", kinds.Deployment, short_names=("deploy",), categories=("all",), subresources=("status", "scale")
)
ENDPOINT_SLICES = Resource(
    "discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", kinds.EndpointSlice, singular="endpointslice"
)
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease", kinds.Lease, singular="lease")


def _networking(plural: str, cls: type[Object], **more: object) -> Resource:
    return Resource("networking.k8s.io", "v1", plural, cls.__name__, cls, singular=cls.__name__.lower(), **more)  # type: ignore[arg-type]


def _rbac(plural: str, cls: type[Object], **more: object) -> Resource:
    group = "rbac.authorization.k8s.io"
    return Resource(group, "v1", plural, cls.__name__, cls, singular=cls.__name__.lower(), **more)  # type: ignore[arg-type]


def _review(group: str, cls: type[Object], *, namespaced: bool = False) -> Resource:
    """A kind that is answered and never stored."""
    name = cls.__name__.lower()
    return Resource(group, "v1", f"{name}s", cls.__name__, cls, namespaced=namespaced, singular=name, verbs=("create",))


POD_DISRUPTION_BUDGETS = Resource(
    "policy",
    "v1",
    "poddisruptionbudgets",
    "PodDisruptionBudget",
    kinds.PodDisruptionBudget,
    singular="poddisruptionbudget",
    short_names=("pdb",),
    subresources=("status",),
)
INGRESSES = _networking("ingresses", kinds.Ingress, short_names=("ing",), subresources=("status",))
INGRESS_CLASSES = _networking("ingressclasses", kinds.IngressClass, namespaced=False)
NETWORK_POLICIES = _networking("networkpolicies", kinds.NetworkPolicy, short_names=("netpol",))
IP_ADDRESSES = _networking("ipaddresses", kinds.IPAddress, namespaced=False, short_names=("ip",))
SERVICE_CIDRS = _networking("servicecidrs", kinds.ServiceCIDR, namespaced=False, subresources=("status",))
ROLES = _rbac("roles", kinds.Role)
ROLE_BINDINGS = _rbac("rolebindings", kinds.RoleBinding)
CLUSTER_ROLES = _rbac("clusterroles", kinds.ClusterRole, namespaced=False)
CLUSTER_ROLE_BINDINGS = _rbac("clusterrolebindings", kinds.ClusterRoleBinding, namespaced=False)
PRIORITY_CLASSES = Resource(
    "scheduling.k8s.io",
    "v1",
    "priorityclasses",
    "PriorityClass",
    kinds.PriorityClass,
    namespaced=False,
    singular="priorityclass",
    short_names=("pc",),
)
RUNTIME_CLASSES = Resource(
    "node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", kinds.RuntimeClass, namespaced=False, singular="runtimeclass"
)
HORIZONTAL_POD_AUTOSCALERS = Resource(
    "autoscaling",
    "v2",
    "horizontalpodautoscalers",
    "HorizontalPodAutoscaler",
    kinds.HorizontalPodAutoscaler,
    singular="horizontalpodautoscaler",
    short_names=("hpa",),
    categories=("all",),
    subresources=("status",),
)
CERTIFICATE_SIGNING_REQUESTS = Resource(
    "certificates.k8s.io",
    "v1",
    "certificatesigningrequests",
    "CertificateSigningRequest",
    kinds.CertificateSigningRequest,
    namespaced=False,
    singular="certificatesigningrequest",
    short_names=("csr",),
    subresources=("approval", "status"),
)

HORIZONTAL_POD_AUTOSCALERS_V1 = Resource(
    "autoscaling",
    "v1",
    "horizontalpodautoscalers",
    "HorizontalPodAutoscaler",
    kinds.HorizontalPodAutoscalerV1,
    singular="horizontalpodautoscaler",
    short_names=("hpa",),
    categories=("all",),
    subresources=("status",),
    conversion=Conversion(HORIZONTAL_POD_AUTOSCALERS, autoscaling_conversion.to_stored, autoscaling_conversion.from_stored),
)
EVENTS_V1 = Resource(
    "events.k8s.io",
    "v1",
    "events",
    "Event",
    kinds.EventV1,
    singular="event",
    short_names=("ev",),
    conversion=Conversion(EVENTS, event_conversion.to_stored, event_conversion.from_stored, event_conversion.FIELD_NAMES),
)

CONVERTED: tuple[Resource, ...] = (HORIZONTAL_POD_AUTOSCALERS_V1, EVENTS_V1)
"""Rows that show what other rows store."""

_AUTHENTICATION, _AUTHORIZATION = "authentication.k8s.io", "authorization.k8s.io"
TOKEN_REVIEWS = _review(_AUTHENTICATION, kinds.TokenReview)
SELF_SUBJECT_REVIEWS = _review(_AUTHENTICATION, kinds.SelfSubjectReview)
SUBJECT_ACCESS_REVIEWS = _review(_AUTHORIZATION, kinds.SubjectAccessReview)
SELF_SUBJECT_ACCESS_REVIEWS = _review(_AUTHORIZATION, kinds.SelfSubjectAccessReview)
LOCAL_SUBJECT_ACCESS_REVIEWS = _review(_AUTHORIZATION, kinds.LocalSubjectAccessReview, namespaced=True)
SELF_SUBJECT_RULES_REVIEWS = _review(_AUTHORIZATION, kinds.SelfSubjectRulesReview)

REVIEWS: tuple[Resource, ...] = (
    TOKEN_REVIEWS,
    SELF_SUBJECT_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_ACCESS_REVIEWS,
    LOCAL_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_RULES_REVIEWS,
)
"""Rows that answer a question and store nothing."""
PERSISTENT_VOLUMES = _core(
    "persistentvolumes", kinds.PersistentVolume, namespaced=False, short_names=("pv",), subresources=("status",)
)
PERSISTENT_VOLUME_CLAIMS = _core(
    "persistentvolumeclaims", kinds.PersistentVolumeClaim, short_names=("pvc",), subresources=("status",)
)
LIMIT_RANGES = _core("limitranges", kinds.LimitRange, short_names=("limits",))
RESOURCE_QUOTAS = _core("resourcequotas", kinds.ResourceQuota, short_names=("quota",), subresources=("status",))
REPLICATION_CONTROLLERS = _core(
    "replicationcontrollers",
    kinds.ReplicationController,
    short_names=("rc",),
    categories=("all",),
    subresources=("status", "scale"),
)
POD_TEMPLATES = _core("podtemplates", kinds.PodTemplate)
STATEFUL_SETS = _apps(
    "statefulsets", kinds.StatefulSet, short_names=("sts",), categories=("all",), subresources=("status", "scale")
)
DAEMON_SETS = _apps("daemonsets", kinds.DaemonSet, short_names=("ds",), categories=("all",), subresources=("status",))
CONTROLLER_REVISIONS = _apps("controllerrevisions", kinds.ControllerRevision)
JOBS = _batch("jobs", kinds.Job, categories=("all",), subresources=("status",))
CRON_JOBS = _batch("cronjobs", kinds.CronJob, short_names=("cj",), categories=("all",), subresources=("status",))
STORAGE_CLASSES = _storage("storageclasses", kinds.StorageClass, short_names=("sc",))
VOLUME_ATTACHMENTS = _storage("volumeattachments", kinds.VolumeAttachment, subresources=("status",))
VOLUME_ATTRIBUTES_CLASSES = _storage("volumeattributesclasses", kinds.VolumeAttributesClass, short_names=("vac",))
CSI_DRIVERS = _storage("csidrivers", kinds.CSIDriver)
CSI_NODES = _storage("csinodes", kinds.CSINode)
CSI_STORAGE_CAPACITIES = _storage("csistoragecapacities", kinds.CSIStorageCapacity, namespaced=True)
API_SERVICES = Resource(
    "apiregistration.k8s.io",
    "v1",
    "apiservices",
    "APIService",
    kinds.APIService,
    namespaced=False,
    singular="apiservice",
    categories=("api-extensions",),
    subresources=("status",),
)


def _admission(plural: str, cls: type[Object], **more: object) -> Resource:
    group, name = "admissionregistration.k8s.io", cls.__name__
    return Resource(group, "v1", plural, name, cls, namespaced=False, singular=name.lower(), **more)  # type: ignore[arg-type]


VALIDATING_WEBHOOK_CONFIGURATIONS = _admission("validatingwebhookconfigurations", kinds.ValidatingWebhookConfiguration)
MUTATING_WEBHOOK_CONFIGURATIONS = _admission("mutatingwebhookconfigurations", kinds.MutatingWebhookConfiguration)
MUTATING_ADMISSION_POLICIES = _admission("mutatingadmissionpolicies", kinds.MutatingAdmissionPolicy)
MUTATING_ADMISSION_POLICY_BINDINGS = _admission("mutatingadmissionpolicybindings", kinds.MutatingAdmissionPolicyBinding)
VALIDATING_ADMISSION_POLICIES = _admission(
    "validatingadmissionpolicies", kinds.ValidatingAdmissionPolicy, subresources=("status",)
)
VALIDATING_ADMISSION_POLICY_BINDINGS = _admission("validatingadmissionpolicybindings", kinds.ValidatingAdmissionPolicyBinding)

CUSTOM_RESOURCE_DEFINITIONS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    kinds.CustomResourceDefinition,
    namespaced=False,
    singular="customresourcedefinition",
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    subresources=("status",),
)

RESOURCES: tuple[Resource, ...] = (
    NAMESPACES,
    NODES,
    PODS,
    SERVICES,
    ENDPOINTS,
    CONFIG_MAPS,
    SECRETS,
    SERVICE_ACCOUNTS,
    EVENTS,
    REPLICA_SETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    LEASES,
    POD_DISRUPTION_BUDGETS,
    INGRESSES,
    INGRESS_CLASSES,
    NETWORK_POLICIES,
    IP_ADDRESSES,
    SERVICE_CIDRS,
    ROLES,
    ROLE_BINDINGS,
    CLUSTER_ROLES,
    CLUSTER_ROLE_BINDINGS,
    PRIORITY_CLASSES,
    RUNTIME_CLASSES,
    HORIZONTAL_POD_AUTOSCALERS,
    CERTIFICATE_SIGNING_REQUESTS,
    PERSISTENT_VOLUMES,
    PERSISTENT_VOLUME_CLAIMS,
    LIMIT_RANGES,
    RESOURCE_QUOTAS,
    REPLICATION_CONTROLLERS,
    POD_TEMPLATES,
    STATEFUL_SETS,
    DAEMON_SETS,
    CONTROLLER_REVISIONS,
    JOBS,
    CRON_JOBS,
    STORAGE_CLASSES,
    VOLUME_ATTACHMENTS,
    VOLUME_ATTRIBUTES_CLASSES,
    CSI_DRIVERS,
    CSI_NODES,
    CSI_STORAGE_CAPACITIES,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    MUTATING_ADMISSION_POLICIES,
    MUTATING_ADMISSION_POLICY_BINDINGS,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
    MUTATING_WEBHOOK_CONFIGURATIONS,
    API_SERVICES,
    CUSTOM_RESOURCE_DEFINITIONS,
)
"""Rows whose objects are stored: what caches, controllers and clean-ups go through."""

RETURNED_WHEN_REMOVED = frozenset(
    (
        PODS,
        POD_TEMPLATES,
        SERVICES,
        SERVICE_ACCOUNTS,
        RESOURCE_QUOTAS,
        PERSISTENT_VOLUMES,
        PERSISTENT_VOLUME_CLAIMS,
        STORAGE_CLASSES,
        VOLUME_ATTACHMENTS,
        VOLUME_ATTRIBUTES_CLASSES,
        CSI_DRIVERS,
        CSI_NODES,
    )
)
"""Rows whose DELETE answers with the object even when it is gone; the others answer with a Status. Typed clients rely on it.

Source: the answers in Kubernetes' OpenAPI document.
"""


class ResourceTable:
    """Look-ups over rows: by path, by kind, by class, and by the names that people type.

    Rows of custom resources come and go (`replace_custom`); who keeps something that follows from the rows looks at
    `generation`, which counts these changes. A built-in row is never displaced.
    """

    def __init__(self, rows: Iterable[Resource]) -> None:
        self.rows = tuple(rows)
        self.generation = 0
        self._built_in = self.rows
        self._index()

    def replace_custom(self, rows: Iterable[Resource]) -> None:
        """Have these rows beside the built-in ones, instead of those that were there."""
        taken = {(row.group, row.version, row.plural) for row in self._built_in}
        self.rows = (*self._built_in, *(row for row in rows if (row.group, row.version, row.plural) not in taken))
        self.generation += 1
        self._index()

    @property
    def custom(self) -> tuple[Resource, ...]:
        """The rows of custom resources."""
        return self.rows[len(self._built_in) :]

    def _index(self) -> None:
        self.stored = tuple(row for row in self.rows if row.conversion is None and not row.virtual)
        self._by_path = {(row.group, row.version, row.plural): row for row in self.rows}
        self._by_kind = {(row.api_version, row.kind): row for row in self.rows}
        self._by_cls = {row.cls: row for row in self.rows}

    def by_plural(self, group: str, version: str, plural: str) -> Resource | None:
        return self._by_path.get((group, version, plural))

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        return self._by_kind.get((api_version, kind))

    def for_class(self, cls: type[Object]) -> Resource:
        """The row of a class, which that of a custom kind knows itself; raises KeyError for one that is not served."""
        found = self._by_cls.get(cls)
        if found is not None:
            return found
        if issubclass(cls, Custom) and hasattr(cls, "row"):
            return cls.row
        raise KeyError(cls)

    def find(self, text: str) -> Resource | None:
        """The row that `po`, `pod`, `pods`, `deploy.apps` or `deployments.v1.apps` names; the first of several."""
        name, _, rest = text.lower().partition(".")
        for row in self.rows:
            if name in (row.plural, row.singular, *row.short_names) and rest in ("", row.group, f"{row.version}.{row.group}"):
                return row
        return None


TABLE = ResourceTable((*RESOURCES, *CONVERTED, *REVIEWS))
by_plural = TABLE.by_plural
by_kind = TABLE.by_kind
resource_for = TABLE.for_class
