"""Parts of a pod that have a subresource of their own: what is sent there changes that part and nothing else.

Ephemeral containers are added for good. Resources change while containers run; what a resize may not change is the class of
service, which decides where a pod's control group lies and whom the kernel kills first, and whether there is a limit at all.

Source: the Kubernetes pages "Ephemeral Containers" and "Resize CPU and Memory Resources assigned to Containers".
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from apimachinery.errors import FieldError
from apimachinery.kinds import Container, Pod, PodSpec
from apiserver.strategy.checks import Errors
from apiserver.strategy.pod_qos import QOS_RESOURCES, qos_class

_ONLY_COMPUTE = "only cpu and memory resources are mutable"


class Part(msgspec.Struct, frozen=True):
    """How to put the part of a new specification into the stored one, and what must not change about it."""

    into: Callable[[PodSpec, PodSpec], PodSpec]
    validate: Callable[[Pod, Pod], Errors]


def keep_all_but(part: Part, new: Pod, old: Pod) -> None:
    """Undo what `new` says beyond the part."""
    meta, before = new.metadata, old.metadata
    meta.labels, meta.annotations = before.labels, before.annotations
    meta.finalizers, meta.owner_references = before.finalizers, before.owner_references
    new.spec = part.into(new.spec, old.spec)


def _with_ephemeral(new: PodSpec, old: PodSpec) -> PodSpec:
    return replace(old, ephemeral_containers=new.ephemeral_containers)


def _validate_ephemeral(new: Pod, old: Pod) -> Errors:
    """What may have run is not taken back."""
    path, after = "spec.ephemeralContainers", {each.name: each for each in new.spec.ephemeral_containers}
    for container in old.spec.ephemeral_containers:
        if container.name not in after:
            yield FieldError.forbidden(path, f'existing ephemeral containers "{container.name}" may not be removed')
        elif after[container.name] != container:
            yield FieldError.forbidden(path, f'existing ephemeral containers "{container.name}" may not be changed')


def _with_resources(new: PodSpec, old: PodSpec) -> PodSpec:
    return replace(
        old,
        containers=_resized(new.containers, old.containers),
        init_containers=_resized(new.init_containers, old.init_containers),
    )


def _resized(new: Sequence[Container], old: Sequence[Container]) -> list[Container]:
    wanted = {each.name: each for each in new}
    return [
        replace(each, resources=wanted[each.name].resources, resize_policy=wanted[each.name].resize_policy)
        if each.name in wanted
        else each
        for each in old
    ]


def _validate_resize(new: Pod, old: Pod) -> Errors:
    if old.spec.os is not None and old.spec.os.name == "windows":
        yield FieldError.forbidden("spec", "windows pods cannot be resized")
        return
    if old.spec.resources is not None:
        yield FieldError.forbidden("spec.resources", "pods with pod-level resources cannot be resized")
        return
    qos = qos_class(new.spec)
    if qos != (old.status.qos_class or qos_class(old.spec)):
        yield FieldError.invalid("spec", qos, "Pod QOS Class may not change as a result of resizing")
    for index, (after, before) in enumerate(zip(new.spec.containers, old.spec.containers, strict=True)):
        yield from _validate_resources(after, before, f"spec.containers[{index}].resources")
    for index, (after, before) in enumerate(zip(new.spec.init_containers, old.spec.init_containers, strict=True)):
        path = f"spec.initContainers[{index}].resources"
        if after.resources != before.resources and before.restart_policy != "Always":
            yield FieldError.forbidden(path, "init containers that run to their end cannot be resized")
        else:
            yield from _validate_resources(after, before, path)


def _validate_resources(new: Container, old: Container, path: str) -> Errors:
    """Requests and limits of CPU and memory may be added and changed."""
    after, before = new.resources, old.resources
    for name, ours, theirs in (("requests", after.requests, before.requests), ("limits", after.limits, before.limits)):
        others = (ours.keys() | theirs.keys()) - set(QOS_RESOURCES)
        if any(ours.get(each) != theirs.get(each) for each in others):
            yield FieldError.forbidden(f"{path}.{name}", _ONLY_COMPUTE)
        if any(each in theirs and each not in ours for each in QOS_RESOURCES):
            yield FieldError.forbidden(f"{path}.{name}", f"resource {name} cannot be removed")
    if after.claims != before.claims:
        yield FieldError.forbidden(f"{path}.claims", _ONLY_COMPUTE)


PARTS: Mapping[str, Part] = {
    "ephemeralcontainers": Part(_with_ephemeral, _validate_ephemeral),
    "resize": Part(_with_resources, _validate_resize),
}
