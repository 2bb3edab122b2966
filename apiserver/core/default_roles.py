"""The roles that every cluster has, and who holds them; names, labels and rules are those that Kubernetes' users know.

`admin`, `edit` and `view` are put together from all ClusterRoles that carry their label, so that the roles of custom kinds can
join them. The cluster's own components hold what they use, and no more where that can be told in advance: a controller manager
collects garbage of every kind.

Source: the Kubernetes page "Using RBAC Authorization", section "Default roles and role bindings".
"""

from collections.abc import Iterable, Sequence

from apimachinery.kinds import (
    AggregationRule,
    ClusterRole,
    ClusterRoleBinding,
    LabelSelector,
    ObjectMeta,
    PolicyRule,
    Role,
    RoleBinding,
    RoleRef,
    Subject,
)

GROUP = "rbac.authorization.k8s.io"
BOOTSTRAPPING = {"kubernetes.io/bootstrapping": "rbac-defaults"}
AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
SYSTEM_NAMESPACE = "kube-system"

READ = ("get", "list", "watch")
WRITE = ("create", "delete", "deletecollection", "patch", "update")
CHANGE = ("create", "patch", "update")

_WORKLOADS = ("daemonsets", "deployments", "replicasets", "statefulsets")
_SCALES = ("deployments/scale", "replicasets/scale", "statefulsets/scale")
_STATUS = ("daemonsets/status", "deployments/status", "replicasets/status", "statefulsets/status")
_VISIBLE = (
    "configmaps",
    "endpoints",
    "persistentvolumeclaims",
    "persistentvolumeclaims/status",
    "pods",
    "replicationcontrollers",
    "replicationcontrollers/scale",
    "serviceaccounts",
    "services",
    "services/status",
)
_COUNTED = (
    "bindings",
    "events",
    "limitranges",
    "namespaces/status",
    "pods/log",
    "pods/status",
    "replicationcontrollers/status",
    "resourcequotas",
    "resourcequotas/status",
)
_SIGNERS = ("kube-apiserver-client", "kube-apiserver-client-kubelet", "kubelet-serving", "legacy-unknown")
_EXTENSIONS = "extension-apiserver-authentication"
_PUBLIC_PATHS = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_DISCOVERY_PATHS = ("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *_PUBLIC_PATHS)


def _rule(groups: str | Sequence[str], resources: Sequence[str], verbs: Sequence[str], names: Sequence[str] = ()) -> PolicyRule:
    return PolicyRule(
        api_groups=[groups] if isinstance(groups, str) else list(groups),
        resources=list(resources),
        verbs=list(verbs),
        resource_names=list(names),
    )


def _paths(urls: Sequence[str], verbs: Sequence[str]) -> PolicyRule:
    return PolicyRule(non_resource_urls=list(urls), verbs=list(verbs))


_VIEW = (
    _rule("", _VISIBLE, READ),
    _rule("", _COUNTED, READ),
    _rule("", ("namespaces",), READ),
    _rule("discovery.k8s.io", ("endpointslices",), READ),
    _rule("apps", ("controllerrevisions", *_WORKLOADS, *_SCALES, *_STATUS), READ),
    _rule("autoscaling", ("horizontalpodautoscalers", "horizontalpodautoscalers/status"), READ),
    _rule("batch", ("cronjobs", "cronjobs/status", "jobs", "jobs/status"), READ),
    _rule("policy", ("poddisruptionbudgets", "poddisruptionbudgets/status"), READ),
    _rule("networking.k8s.io", ("ingresses", "ingresses/status", "networkpolicies"), READ),
)
_EDIT = (
    _rule("", ("pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"), READ),
    _rule("", ("serviceaccounts",), ("impersonate",)),
    _rule("", ("pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"), WRITE),
    _rule("", ("pods/eviction",), ("create",)),
    _rule(
        "",
        (
            "configmaps",
            "events",
            "persistentvolumeclaims",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "secrets",
            "serviceaccounts",
            "services",
            "services/proxy",
        ),
        WRITE,
    ),
    _rule("", ("serviceaccounts/token",), ("create",)),
    _rule("apps", (*_WORKLOADS, "deployments/rollback", *_SCALES), WRITE),
    _rule("autoscaling", ("horizontalpodautoscalers",), WRITE),
    _rule("batch", ("cronjobs", "jobs"), WRITE),
    _rule("policy", ("poddisruptionbudgets",), WRITE),
    _rule("networking.k8s.io", ("ingresses", "networkpolicies"), WRITE),
    _rule("coordination.k8s.io", ("leases",), (*READ, *WRITE)),
)
_ADMIN = (
    _rule("authorization.k8s.io", ("localsubjectaccessreviews",), ("create",)),
    _rule(GROUP, ("rolebindings", "roles"), (*READ, *WRITE)),
)
_REVIEWS = (
    _rule("authentication.k8s.io", ("tokenreviews",), ("create",)),
    _rule("authorization.k8s.io", ("subjectaccessreviews",), ("create",)),
)
_EVENTS = _rule(("", "events.k8s.io"), ("events",), CHANGE)
_NODE = (
    *_REVIEWS,
    _rule("authorization.k8s.io", ("localsubjectaccessreviews",), ("create",)),
    _rule("", ("services",), READ),
    _rule("", ("nodes",), (*READ, "create", "patch", "update")),
    _rule("", ("nodes/status",), ("patch", "update")),
    _EVENTS,
    _rule("", ("pods",), (*READ, "create", "delete")),
    _rule("", ("pods/status",), ("patch", "update")),
    _rule("", ("pods/eviction",), ("create",)),
    _rule("", ("configmaps", "secrets"), READ),
    _rule("", ("persistentvolumeclaims", "persistentvolumes"), READ),
    _rule("", ("persistentvolumeclaims/status",), ("get", "patch", "update")),
    _rule("", ("endpoints",), ("get",)),
    _rule("", ("serviceaccounts",), ("get",)),
    _rule("", ("serviceaccounts/token",), ("create",)),
    _rule("certificates.k8s.io", ("certificatesigningrequests",), (*READ, "create")),
    _rule("coordination.k8s.io", ("leases",), ("create", "delete", "get", "patch", "update")),
    _rule("storage.k8s.io", ("volumeattachments",), ("get",)),
    _rule("storage.k8s.io", ("csidrivers",), READ),
    _rule("storage.k8s.io", ("csinodes",), ("create", "delete", "get", "patch", "update")),
    _rule("node.k8s.io", ("runtimeclasses",), READ),
)
_PROXIER = (
    _rule("", ("endpoints", "services"), ("list", "watch")),
    _rule("discovery.k8s.io", ("endpointslices",), ("list", "watch")),
    _rule("", ("nodes",), READ),
    _EVENTS,
)
_DNS = (
    _rule("", ("endpoints", "namespaces", "pods", "services"), ("list", "watch")),
    _rule("discovery.k8s.io", ("endpointslices",), ("list", "watch")),
    _rule("", ("nodes",), ("get",)),
)
_DNS_ITSELF = (
    _rule("", ("services",), ("create", "get")),
    _rule("discovery.k8s.io", ("endpointslices",), ("create", "delete", "get", "update")),
)
_SCHEDULER = (
    *_REVIEWS,
    _EVENTS,
    _rule("coordination.k8s.io", ("leases",), ("create",)),
    _rule("coordination.k8s.io", ("leases",), ("get", "list", "update", "watch"), ("kube-scheduler",)),
    _rule(
        "", ("namespaces", "nodes", "persistentvolumeclaims", "persistentvolumes", "replicationcontrollers", "services"), READ
    ),
    _rule("", ("pods",), (*READ, "delete", "patch")),
    _rule("", ("bindings", "pods/binding"), ("create",)),
    _rule("", ("pods/status",), ("patch", "update")),
    _rule("apps", ("replicasets", "statefulsets"), READ),
    _rule("policy", ("poddisruptionbudgets",), READ),
    _rule("storage.k8s.io", ("csidrivers", "csinodes", "csistoragecapacities", "storageclasses", "volumeattachments"), READ),
)
_CONTROLLERS = (
    _rule("*", ("*",), (*READ, *WRITE)),
    _rule(GROUP, ("clusterroles",), ("escalate",)),
    _paths(("*",), ("get",)),
)


def cluster_roles() -> list[ClusterRole]:
    """The default ClusterRoles, each anew."""
    return [
        _role("cluster-admin", (_rule("*", ("*",), ("*",)), _paths(("*",), ("*",)))),
        _aggregating("admin"),
        _aggregating("edit", part_of="admin"),
        _aggregating("view", part_of="edit"),
        _role("system:aggregate-to-admin", _ADMIN, part_of="admin"),
        _role("system:aggregate-to-edit", _EDIT, part_of="edit"),
        _role("system:aggregate-to-view", _VIEW, part_of="view"),
        _role(
            "system:basic-user",
            (
                _rule("authorization.k8s.io", ("selfsubjectaccessreviews", "selfsubjectrulesreviews"), ("create",)),
                _rule("authentication.k8s.io", ("selfsubjectreviews",), ("create",)),
            ),
        ),
        _role("system:discovery", (_paths(_DISCOVERY_PATHS, ("get",)),)),
        _role("system:public-info-viewer", (_paths(_PUBLIC_PATHS, ("get",)),)),
        _role(
            "system:monitoring",
            (
                _paths(
                    ("/healthz", "/healthz/*", "/livez", "/livez/*", "/metrics", "/metrics/slis", "/readyz", "/readyz/*"),
                    ("get",),
                ),
            ),
        ),
        _role("system:auth-delegator", _REVIEWS),
        _role(
            "system:service-account-issuer-discovery",
            (
                _paths(
                    (
                        "/.well-known/openid-configuration",
                        "/.well-known/openid-configuration/",
                        "/openid/v1/jwks",
                        "/openid/v1/jwks/",
                    ),
                    ("get",),
                ),
            ),
        ),
        _role(
            "system:kubelet-api-admin",
            (
                _rule("", ("nodes",), (*READ, "proxy")),
                _rule("", ("nodes/log", "nodes/metrics", "nodes/proxy", "nodes/stats"), ("*",)),
            ),
        ),
        _role("system:node", _NODE),
        _role("system:node-proxier", _PROXIER),
        _role("system:cluster-dns", _DNS),
        _role("system:kube-scheduler", _SCHEDULER),
        _role("system:kube-controller-manager", _CONTROLLERS),
        *(_approver(signer) for signer in _SIGNERS),
    ]


def cluster_role_bindings() -> list[ClusterRoleBinding]:
    """Who holds them everywhere. Nodes are not bound to `system:node`: their authorizer knows what of it is theirs."""
    return [
        _bind("cluster-admin", _group(MASTERS)),
        _bind("system:basic-user", _group(AUTHENTICATED)),
        _bind("system:discovery", _group(AUTHENTICATED)),
        _bind("system:public-info-viewer", _group(AUTHENTICATED), _group(UNAUTHENTICATED)),
        _bind("system:monitoring", _group("system:monitoring")),
        _bind("system:service-account-issuer-discovery", _group("system:serviceaccounts")),
        _bind("system:node-proxier", _user("system:kube-proxy")),
        _bind("system:cluster-dns", _user("system:cluster-dns")),
        _bind("system:kube-scheduler", _user("system:kube-scheduler")),
        _bind("system:kube-controller-manager", _user("system:kube-controller-manager")),
    ]


def roles() -> list[Role]:
    """The default Roles of single namespaces."""
    return [
        _local_role("extension-apiserver-authentication-reader", _rule("", ("configmaps",), READ, (_EXTENSIONS,))),
        _local_role("system:cluster-dns", *_DNS_ITSELF),
    ]


def role_bindings() -> list[RoleBinding]:
    """Who holds those."""
    components = (_user("system:kube-controller-manager"), _user("system:kube-scheduler"))
    return [
        _local_binding(
            "system:extension-apiserver-authentication-reader", "extension-apiserver-authentication-reader", *components
        ),
        _local_binding("system:cluster-dns", "system:cluster-dns", _user("system:cluster-dns")),
    ]


def completed_rules(existing: Sequence[PolicyRule], wanted: Sequence[PolicyRule]) -> list[PolicyRule] | None:
    """The rules of a default role as it stands, with those it lacks; None when it lacks none."""
    missing = [rule for rule in wanted if rule not in existing]
    return [*existing, *missing] if missing else None


def completed_subjects(existing: Sequence[Subject], wanted: Sequence[Subject]) -> list[Subject] | None:
    """The same for a binding's subjects."""
    missing = [subject for subject in wanted if subject not in existing]
    return [*existing, *missing] if missing else None


def updates_itself(meta: ObjectMeta) -> bool:
    """Whether a default role may be completed at start: its annotation can forbid it."""
    return meta.annotations.get(AUTOUPDATE) != "false"


def _meta(name: str, *, namespace: str = "", part_of: str = "") -> ObjectMeta:
    labels = dict(BOOTSTRAPPING)
    if part_of:
        labels[f"{GROUP}/aggregate-to-{part_of}"] = "true"
    return ObjectMeta(name=name, namespace=namespace, labels=labels, annotations={AUTOUPDATE: "true"})


def _role(name: str, rules: Iterable[PolicyRule], *, part_of: str = "") -> ClusterRole:
    return ClusterRole(metadata=_meta(name, part_of=part_of), rules=list(rules))


def _approver(signer: str) -> ClusterRole:
    """Who holds it may approve the requests for one of the cluster's own signers."""
    rule = _rule("certificates.k8s.io", ("signers",), ("approve",), (f"kubernetes.io/{signer}",))
    return _role(f"system:certificates.k8s.io:{signer}-approver", (rule,))


def _local_role(name: str, *rules: PolicyRule) -> Role:
    return Role(metadata=_meta(name, namespace=SYSTEM_NAMESPACE), rules=list(rules))


def _local_binding(name: str, role: str, *subjects: Subject) -> RoleBinding:
    reference = RoleRef(api_group=GROUP, kind="Role", name=role)
    return RoleBinding(metadata=_meta(name, namespace=SYSTEM_NAMESPACE), role_ref=reference, subjects=list(subjects))


def _aggregating(name: str, *, part_of: str = "") -> ClusterRole:
    """A role whose rules a controller puts together from the roles with its label."""
    selector = LabelSelector(match_labels={f"{GROUP}/aggregate-to-{name}": "true"})
    role = _role(name, (), part_of=part_of)
    role.aggregation_rule = AggregationRule(cluster_role_selectors=[selector])
    return role


def _bind(role: str, *subjects: Subject) -> ClusterRoleBinding:
    reference = RoleRef(api_group=GROUP, kind="ClusterRole", name=role)
    return ClusterRoleBinding(metadata=_meta(role), role_ref=reference, subjects=list(subjects))


def _group(name: str) -> Subject:
    return Subject(kind="Group", api_group=GROUP, name=name)


def _user(name: str) -> Subject:
    return Subject(kind="User", api_group=GROUP, name=name)
