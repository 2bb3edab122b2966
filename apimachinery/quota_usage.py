"""What an object uses of its namespace's quotas, and which quotas it falls under. Pure; the moment is a parameter.

The API server charges what a new object uses before it is stored; the controller manager counts what all objects use. Both ask
here, so that they agree. A pod that has finished, or has outlived its grace period because its node is lost, uses nothing but
its place in `count/pods`.
Source: the Kubernetes page "Resource Quotas".
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from apimachinery import pod_resources
from apimachinery.kinds import (
    PersistentVolumeClaim,
    Pod,
    PodAffinityTerm,
    ResourceQuota,
    ScopedResourceSelectorRequirement,
    Service,
)
from apimachinery.kinds.base import Quantity
from apimachinery.kinds.object import Object
from apimachinery.labels import Operator, Requirement
from apimachinery.quantity import parse_quantity, total
from apimachinery.resource_names import is_extended, is_huge_page
from apimachinery.resources import EVENTS, PERSISTENT_VOLUME_CLAIMS, PODS, SERVICES, Resource
from apimachinery.times import parse_time

Usage = Mapping[str, Quantity]

COMPUTE = ("cpu", "memory", "ephemeral-storage")
NAMED_IN_CONTAINERS = frozenset(("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"))
"""What every container must name once a quota is for it; the rest may stay open."""

BY_PLAIN_NAME = frozenset(("configmaps", "resourcequotas", "replicationcontrollers", "secrets"))
"""Core resources that are counted by their mere name too, and that use nothing else."""

_OF_PODS = frozenset(("pods", *COMPUTE, *(f"requests.{name}" for name in COMPUTE), *(f"limits.{name}" for name in COMPUTE)))
_OF_SERVICES = frozenset(("services", "services.nodeports", "services.loadbalancers"))
_OF_CLAIMS = frozenset(("persistentvolumeclaims", "requests.storage"))
_OF_STORAGE_CLASS = ".storageclass.storage.k8s.io/"
_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_FINISHED = ("Succeeded", "Failed")


def is_counted(row: Resource) -> bool:
    """Whether quotas are about a resource at all."""
    return row.namespaced and row.plural != EVENTS.plural


def measures(row: Resource, name: str) -> bool:
    """Whether `name` in a quota is about objects of this resource."""
    if name == f"count/{row.qualified}":
        return True
    if row is PODS:
        asked = name.removeprefix("requests.")
        return name in _OF_PODS or is_huge_page(asked) or (asked != name and is_extended(asked))
    if row is SERVICES:
        return name in _OF_SERVICES
    if row is PERSISTENT_VOLUME_CLAIMS:
        return name in _OF_CLAIMS or _OF_STORAGE_CLASS in name
    return not row.group and name == row.plural and name in BY_PLAIN_NAME


def usage(row: Resource, obj: Object, now: datetime) -> dict[str, Quantity]:
    """What an object uses, by the names that quotas have for it."""
    used: dict[str, Quantity] = {f"count/{row.qualified}": "1"}
    match obj:
        case Pod():
            if uses_resources(obj, now):
                used |= {"pods": "1", **compute_usage(pod_resources.requests(obj.spec), pod_resources.limits(obj.spec))}
        case Service():
            used |= _of_service(obj)
        case PersistentVolumeClaim():
            used |= _of_claim(obj)
        case _ if not row.group and row.plural in BY_PLAIN_NAME:
            used[row.plural] = "1"
    return used


def uses_resources(pod: Pod, now: datetime) -> bool:
    """Whether a pod is to be charged for what it computes with."""
    meta = pod.metadata
    if pod.status.phase in _FINISHED:
        return False
    if meta.deletion_timestamp is None or meta.deletion_grace_period_seconds is None:
        return True
    return now <= parse_time(meta.deletion_timestamp) + timedelta(seconds=meta.deletion_grace_period_seconds)


def compute_usage(requests: Usage, limits: Usage) -> dict[str, Quantity]:
    """Requests and limits by the names that quotas have for them: `cpu` and `requests.cpu` are the same."""
    used: dict[str, Quantity] = {}
    for name, value in requests.items():
        if name in COMPUTE or is_huge_page(name):
            used[name] = used[f"requests.{name}"] = value
        elif is_extended(name):
            used[f"requests.{name}"] = value
    used |= {f"limits.{name}": value for name, value in limits.items() if name in COMPUTE}
    return used


def unnamed(pod: Pod, names: Iterable[str]) -> dict[str, list[str]]:
    """The containers that do not say how much they need of what a quota is for, by its name."""
    required = NAMED_IN_CONTAINERS.intersection(names)
    whole = pod.spec.resources
    if whole is not None:
        required -= compute_usage(whole.requests, whole.limits).keys()
    found: dict[str, set[str]] = {}
    for container in (*pod.spec.containers, *pod.spec.init_containers):
        for name in required - compute_usage(container.resources.requests, container.resources.limits).keys():
            found.setdefault(name, set()).add(container.name)
    return {name: sorted(found[name]) for name in sorted(found)}


def covers(quota: ResourceQuota, obj: Object) -> bool:
    """Whether an object is within all scopes of a quota; a quota with scopes is about pods or claims only."""
    selector = quota.spec.scope_selector
    scopes = [ScopedResourceSelectorRequirement(scope_name=name, operator="Exists") for name in quota.spec.scopes]
    return all(_in_scope(scope, obj) for scope in (*scopes, *(selector.match_expressions if selector else ())))


def sum_up(names: Iterable[str], parts: Iterable[Usage]) -> dict[str, Quantity]:
    """The sum of `parts` for each of `names`."""
    columns: dict[str, list[Quantity]] = {name: [] for name in names}
    for part in parts:
        for name, value in part.items():
            if name in columns:
                columns[name].append(value)
    return {name: total(values) for name, values in columns.items()}


def amount(quantities: Usage, name: str) -> Decimal:
    """A quantity by name; nothing is 0."""
    return parse_quantity(quantities.get(name, "0"))


def _of_service(service: Service) -> dict[str, Quantity]:
    spec, ports = service.spec, 0
    if spec.type == "LoadBalancer" and spec.allocate_load_balancer_node_ports is False:
        ports = sum(1 for port in spec.ports if port.node_port)
    elif spec.type in ("NodePort", "LoadBalancer"):
        ports = len(spec.ports)
    balancers = int(spec.type == "LoadBalancer")
    return {"services": "1", "services.nodeports": str(ports), "services.loadbalancers": str(balancers)}


def _of_claim(claim: PersistentVolumeClaim) -> dict[str, Quantity]:
    sizes = [each["storage"] for each in (claim.spec.resources.requests, claim.status.allocated_resources) if "storage" in each]
    used: dict[str, Quantity] = {"persistentvolumeclaims": "1"}
    if sizes:
        used["requests.storage"] = max(sizes, key=parse_quantity)
    storage_class = claim.metadata.annotations.get(_CLASS_ANNOTATION) or claim.spec.storage_class_name
    if storage_class:
        used |= {f"{storage_class}{_OF_STORAGE_CLASS}{name}": value for name, value in used.items()}
    return used


def _in_scope(scope: ScopedResourceSelectorRequirement, obj: Object) -> bool:
    name = scope.scope_name
    match obj:
        case Pod():
            limited = obj.spec.active_deadline_seconds is not None
            match name:
                case "Terminating":
                    return limited
                case "NotTerminating":
                    return not limited
                case "BestEffort":
                    return obj.status.qos_class == "BestEffort"
                case "NotBestEffort":
                    return obj.status.qos_class != "BestEffort"
                case "PriorityClass":
                    return _selects(scope, obj.spec.priority_class_name)
                case "CrossNamespacePodAffinity":
                    return _looks_beyond_namespace(obj)
        case PersistentVolumeClaim() if name == "VolumeAttributesClass":
            return _selects(scope, obj.spec.volume_attributes_class_name)
    return False


def _selects(scope: ScopedResourceSelectorRequirement, value: str) -> bool:
    condition = Requirement(scope.scope_name, Operator(scope.operator), frozenset(scope.values))
    return condition.matches({scope.scope_name: value} if value else {})


def _looks_beyond_namespace(pod: Pod) -> bool:
    affinity = pod.spec.affinity
    terms: list[PodAffinityTerm] = []
    for each in (affinity.pod_affinity, affinity.pod_anti_affinity) if affinity is not None else ():
        if each is not None:
            terms += each.required_during_scheduling_ignored_during_execution
            terms += [term.pod_affinity_term for term in each.preferred_during_scheduling_ignored_during_execution]
    return any(term.namespaces or term.namespace_selector is not None for term in terms)
