"""Which resources the API serves: one row each, from which paths, discovery, storage keys and clients follow.

Adding a kind is a class in `kinds/` and a row here (and its defaults and validation in the API server's registry).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from apimachinery import kinds
from apimachinery.kinds.object import Object

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Resource:
    """One row: where a kind lives in the API.

    plural: the path segment; subresources: path segments below an object; categories: names that stand for several resources
    (`all`); group: "" for the core group.
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


def _core(plural: str, cls: type[Object], **more: object) -> Resource:
    return Resource("", "v1", plural, cls.__name__, cls, singular=cls.__name__.lower(), **more)  # type: ignore[arg-type]


def _apps(plural: str, cls: type[Object], **more: object) -> Resource:
    return Resource("apps", "v1", plural, cls.__name__, cls, singular=cls.__name__.lower(), **more)  # type: ignore[arg-type]


POD_SUBRESOURCES = ("status", "binding", "eviction", "log", "exec", "attach", "portforward", "proxy")

NAMESPACES = _core("namespaces", kinds.Namespace, namespaced=False, short_names=("ns",), subresources=("status", "finalize"))
NODES = _core("nodes", kinds.Node, namespaced=False, short_names=("no",), subresources=("status", "proxy"))
PODS = _core("pods", kinds.Pod, short_names=("po",), categories=("all",), subresources=POD_SUBRESOURCES)
SERVICES = _core("services", kinds.Service, short_names=("svc",), categories=("all",), subresources=("status", "proxy"))
ENDPOINTS = _core("endpoints", kinds.Endpoints, short_names=("ep",))
CONFIG_MAPS = _core("configmaps", kinds.ConfigMap, short_names=("cm",))
SECRETS = _core("secrets", kinds.Secret)
SERVICE_ACCOUNTS = _core("serviceaccounts", kinds.ServiceAccount, short_names=("sa",))
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
)


class ResourceTable:
    """Look-ups over rows: by path, by kind, by class, and by the names that people type."""

    def __init__(self, rows: Iterable[Resource]) -> None:
        self.rows = tuple(rows)
        self._by_path = {(row.group, row.version, row.plural): row for row in self.rows}
        self._by_kind = {(row.api_version, row.kind): row for row in self.rows}
        self._by_cls = {row.cls: row for row in self.rows}

    def by_plural(self, group: str, version: str, plural: str) -> Resource | None:
        return self._by_path.get((group, version, plural))

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        return self._by_kind.get((api_version, kind))

    def for_class(self, cls: type[Object]) -> Resource:
        """The row of a class; raises KeyError for one that is not served."""
        return self._by_cls[cls]

    def find(self, text: str) -> Resource | None:
        """The row that `po`, `pod`, `pods`, `deploy.apps` or `deployments.v1.apps` names; the first of several."""
        name, _, rest = text.lower().partition(".")
        for row in self.rows:
            if name in (row.plural, row.singular, *row.short_names) and rest in ("", row.group, f"{row.version}.{row.group}"):
                return row
        return None

    def in_category(self, category: str) -> tuple[Resource, ...]:
        return tuple(row for row in self.rows if category in row.categories)


TABLE = ResourceTable(RESOURCES)
by_plural = TABLE.by_plural
by_kind = TABLE.by_kind
resource_for = TABLE.for_class
