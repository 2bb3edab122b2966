"""What a node may write of what it may write at all (NodeRestriction). Pure: what is wrong as a sentence, "" for nothing.

A node registers and reports on itself and on the pods that are bound to it. It must not make itself attractive for pods that
were not meant for it, nor put its objects under owners whose end takes them along (CVE-2025-5187).

Source: the Kubernetes page "Admission Control in Kubernetes", section NodeRestriction.
"""

from collections.abc import Mapping

from apimachinery.kinds import CSINode, Lease, Node, Pod
from apimachinery.kinds.object import Object
from apimachinery.protection import claims_of
from apiserver.core.node_access import LEASES_NAMESPACE, config_maps_of, secrets_of

MIRROR = "kubernetes.io/config.mirror"
RESERVED_LABELS = "node-restriction.kubernetes.io"
_KUBELETS = frozenset(
    (
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "beta.kubernetes.io/os",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "kubernetes.io/arch",
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
    )
)
_KUBELETS_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")
_OUR_DOMAINS = ("kubernetes.io", "k8s.io")


def creation(node: str, obj: Object) -> str:
    """What is wrong with an object that a node creates."""
    name = obj.metadata.name
    match obj:
        case Pod():
            return _created_pod(node, obj)
        case Node():
            if name != node:
                return f'node "{node}" is not allowed to modify node "{name}"'
            if obj.metadata.owner_references:
                return f'node "{node}" is not allowed to set the owner references of its node'
            return _labels(node, {}, obj.metadata.labels)
        case Lease():
            if obj.metadata.namespace != LEASES_NAMESPACE or name != node:
                return f'can only create the lease "{node}" in the namespace "{LEASES_NAMESPACE}"'
        case CSINode():
            if name != node:
                return "can only access CSINode with the same name as the requesting node"
    return ""


def change(node: str, new: Object, old: Object, subresource: str) -> str:
    """What is wrong with a change that a node makes."""
    match new, old:
        case Pod(), Pod():
            return _changed_pod(node, new, old, subresource)
        case Node(), Node():
            return _changed_node(node, new, old)
    return ""


def removal(node: str, obj: Object) -> str:
    """What is wrong with a deletion, or an eviction, by a node."""
    if isinstance(obj, Pod) and obj.spec.node_name != node:
        return f'node "{node}" can only delete pods with spec.nodeName set to itself'
    return ""


def _created_pod(node: str, pod: Pod) -> str:
    if MIRROR not in pod.metadata.annotations:
        return f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods'
    if pod.spec.node_name != node:
        return f'node "{node}" can only create pods with spec.nodeName set to itself'
    owners = pod.metadata.owner_references
    if len(owners) > 1 or any((each.kind, each.name) != ("Node", node) for each in owners):
        return f'node "{node}" can only create pods with an owner reference set to itself'
    for what, named in (
        ("service accounts", [pod.spec.service_account_name] if pod.spec.service_account_name else []),
        ("secrets", list(secrets_of(pod))),
        ("configmaps", list(config_maps_of(pod))),
        ("persistentvolumeclaims", list(claims_of(pod))),
    ):
        if named:
            return f'node "{node}" can not create pods that reference {what}'
    return ""


def _changed_pod(node: str, new: Pod, old: Pod, subresource: str) -> str:
    if subresource != "status":
        return f'node "{node}" can only update the status of pods'
    if old.spec.node_name != node:
        return f'node "{node}" can only update pod status for pods with spec.nodeName set to itself'
    if new.metadata.labels != old.metadata.labels:
        return f'node "{node}" cannot update labels through pod status'
    if new.metadata.owner_references != old.metadata.owner_references:
        return f'node "{node}" cannot update owner references through pod status'
    return ""


def _changed_node(node: str, new: Node, old: Node) -> str:
    if new.metadata.name != node:
        return f'node "{node}" is not allowed to modify node "{new.metadata.name}"'
    if new.spec.taints != old.spec.taints:
        return f'node "{node}" is not allowed to modify taints'
    if new.metadata.owner_references != old.metadata.owner_references:
        return f'node "{node}" is not allowed to modify the owner references of its node'
    return _labels(node, old.metadata.labels, new.metadata.labels)


def _labels(node: str, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    changed = {key for key in {*old, *new} if old.get(key) != new.get(key)}
    refused = sorted(key for key in changed if not _may_label(key))
    return f'node "{node}" is not allowed to modify labels: {", ".join(refused)}' if refused else ""


def _may_label(key: str) -> bool:
    if key in _KUBELETS:
        return True
    domain, separator, _ = key.partition("/")
    if not separator:
        return True
    if _within(domain, (RESERVED_LABELS,)):
        return False
    return _within(domain, _KUBELETS_DOMAINS) or not _within(domain, _OUR_DOMAINS)


def _within(domain: str, parents: tuple[str, ...]) -> bool:
    return any(domain == parent or domain.endswith(f".{parent}") for parent in parents)
