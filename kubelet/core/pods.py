"""Small facts about a pod that several decisions need."""

import hashlib
from collections.abc import Iterator

from apimachinery import codec
from apimachinery.kinds import Container, EphemeralContainer, Pod
from kubelet.core.model import ContainerKind

DEFAULT_GRACE_S = 30


def key(pod: Pod) -> str:
    """`namespace/name`."""
    return f"{pod.metadata.namespace}/{pod.metadata.name}"


def full_name(pod: Pod) -> str:
    """`name_namespace(uid)`, as Kubernetes' messages name a pod."""
    return f"{pod.metadata.name}_{pod.metadata.namespace}({pod.metadata.uid})"


def is_sidecar(container: Container) -> bool:
    """An init container that keeps running beside the others."""
    return container.restart_policy == "Always"


def containers(pod: Pod) -> Iterator[tuple[ContainerKind, Container]]:
    """All containers in the order in which they start, ephemeral ones last."""
    for each in pod.spec.init_containers:
        yield ContainerKind.INIT, each
    for each in pod.spec.containers:
        yield ContainerKind.APP, each
    for ephemeral in pod.spec.ephemeral_containers:
        yield ContainerKind.EPHEMERAL, as_container(ephemeral)


def find(pod: Pod, name: str) -> tuple[ContainerKind, Container] | None:
    """The container of that name, with its kind."""
    return next(((kind, each) for kind, each in containers(pod) if each.name == name), None)


def as_container(ephemeral: EphemeralContainer) -> Container:
    """An ephemeral container in the shape of the others."""
    plain = codec.to_plain(ephemeral)
    plain.pop("targetContainerName", None)
    return codec.convert(Container, plain)


def spec_hash(container: Container) -> str:
    """Names the parts of a container whose change calls for another container: its name and image."""
    return hashlib.sha256(f"{container.name}\n{container.image}".encode()).hexdigest()[:16]


def grace_period_s(pod: Pod) -> int:
    """Seconds that the pod's containers get to end: what the deletion says, else the spec."""
    meta = pod.metadata
    if meta.deletion_grace_period_seconds is not None:
        return max(meta.deletion_grace_period_seconds, 0)
    spec = pod.spec.termination_grace_period_seconds
    return DEFAULT_GRACE_S if spec is None else max(spec, 0)


def terminating(pod: Pod) -> bool:
    return pod.metadata.deletion_timestamp is not None


def finished(pod: Pod) -> bool:
    """Its phase says that it will never run again."""
    return pod.status.phase in ("Succeeded", "Failed")


def restart_policy(pod: Pod) -> str:
    return pod.spec.restart_policy or "Always"


def hostname(pod: Pod, cluster_domain: str) -> tuple[str, str]:
    """Host name and domain of a pod; the domain is empty without a subdomain."""
    name = (pod.spec.hostname_override or pod.spec.hostname or pod.metadata.name)[:63].rstrip("-.")
    if not pod.spec.subdomain or pod.spec.hostname_override:
        return name, ""
    return name, f"{pod.spec.subdomain}.{pod.metadata.namespace}.svc.{cluster_domain}"


def log_directory(root: str, pod: Pod) -> str:
    """Where the pod's logs lie: `ROOT/NAMESPACE_NAME_UID`."""
    meta = pod.metadata
    return f"{root}/{meta.namespace}_{meta.name}_{meta.uid}"
