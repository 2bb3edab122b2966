"""What a node may do: what the rules of `system:node` say, and of that only what concerns itself and the pods it runs.

A kubelet that has been taken over reads the secrets of its own pods, and no others; it speaks for its own node, and for no
other.

Source: the Kubernetes page "Using Node Authorization".
"""

from collections.abc import Iterable

from apimachinery.kinds import Container, EphemeralContainer, Pod
from apimachinery.protection import claims_of
from apiserver.core.access import Question
from apiserver.core.request import User

GROUP = "system:nodes"
_PREFIX = "system:node:"
LEASES_NAMESPACE = "kube-node-lease"
_OWN_NAME = frozenset((("coordination.k8s.io", "leases"), ("storage.k8s.io", "csinodes")))
_OF_PODS = ("secrets", "configmaps", "persistentvolumeclaims", "serviceaccounts")


def node_of(user: User) -> str:
    """The node that a user speaks for; "" when it speaks for none."""
    if GROUP not in user.groups or not user.name.startswith(_PREFIX):
        return ""
    return user.name.removeprefix(_PREFIX)


def depends_on_pods(question: Question) -> bool:
    """Whether the answer depends on what the node's pods refer to."""
    return question.group == "" and question.resource in _OF_PODS


def refusal(node: str, question: Question) -> str:
    """Why a node may not do what the rules allow it, apart from what depends on its pods; "" when it may."""
    subject, verb = (question.group, question.resource), question.verb
    if subject == ("", "nodes") and verb in ("update", "patch", "delete") and question.name != node:
        return f"node '{node}' cannot {verb} resource \"nodes\" of another node"
    if subject in _OWN_NAME and verb != "create":
        if question.name != node:
            return f"can only access {question.resource} with the same name as the requesting node"
        if question.resource == "leases" and question.namespace != LEASES_NAMESPACE:
            return f'can only access leases in the "{LEASES_NAMESPACE}" system namespace'
    return ""


def needs_of_pods(question: Question) -> str:
    """Why a question about what pods refer to is refused before their objects are looked at; "" when it is not."""
    if question.verb not in ("get", "list", "watch", "create", "update", "patch"):
        return f"cannot {question.verb} {question.resource}"
    if not question.name:
        return f"can only read {question.resource} that are named, and that a pod of this node refers to"
    return ""


def refers(pod: Pod, resource: str, name: str) -> bool:
    """Whether a pod names an object of its namespace."""
    match resource:
        case "secrets":
            return name in set(secrets_of(pod))
        case "configmaps":
            return name in set(config_maps_of(pod))
        case "persistentvolumeclaims":
            return name in set(claims_of(pod))
        case _:
            return name == pod.spec.service_account_name


def secrets_of(pod: Pod) -> Iterable[str]:
    """The Secrets a pod names."""
    yield from (each.name for each in pod.spec.image_pull_secrets)
    yield from _environment(pod, "secret")
    for volume in pod.spec.volumes:
        if volume.secret is not None:
            yield volume.secret.secret_name
        if volume.azure_file is not None:
            yield volume.azure_file.secret_name
        for source in volume.projected.sources if volume.projected is not None else ():
            if source.secret is not None:
                yield source.secret.name
        for field in volume.__struct_fields__:
            yield from _plugin_secrets(getattr(volume, field))


def config_maps_of(pod: Pod) -> Iterable[str]:
    """The ConfigMaps a pod names."""
    yield from _environment(pod, "config_map")
    for volume in pod.spec.volumes:
        if volume.config_map is not None:
            yield volume.config_map.name
        for source in volume.projected.sources if volume.projected is not None else ():
            if source.config_map is not None:
                yield source.config_map.name


def _environment(pod: Pod, kind: str) -> Iterable[str]:
    spec = pod.spec
    containers: tuple[Container | EphemeralContainer, ...] = (
        *spec.init_containers,
        *spec.containers,
        *spec.ephemeral_containers,
    )
    for container in containers:
        for source in container.env_from:
            reference = getattr(source, f"{kind}_ref")
            if reference is not None:
                yield reference.name
        for variable in container.env:
            key = getattr(variable.value_from, f"{kind}_key_ref") if variable.value_from is not None else None
            if key is not None:
                yield key.name


def _plugin_secrets(source: object) -> Iterable[str]:
    """What drivers of volumes need to reach their storage."""
    for attribute in ("secret_ref", "node_publish_secret_ref"):
        reference = getattr(source, attribute, None)
        if reference is not None:
            yield reference.name
