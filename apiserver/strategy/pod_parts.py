"""Parts of a pod that have a subresource of their own: what is sent there changes that part and nothing else.

Source: the Kubernetes page "Ephemeral Containers".
"""

from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from apimachinery.errors import FieldError
from apimachinery.kinds import Pod, PodSpec
from apiserver.strategy.checks import Errors


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
    """They are added for good: what may have run is not taken back."""
    path, after = "spec.ephemeralContainers", {each.name: each for each in new.spec.ephemeral_containers}
    for container in old.spec.ephemeral_containers:
        if container.name not in after:
            yield FieldError.forbidden(path, f'existing ephemeral containers "{container.name}" may not be removed')
        elif after[container.name] != container:
            yield FieldError.forbidden(path, f'existing ephemeral containers "{container.name}" may not be changed')


PARTS: Mapping[str, Part] = {"ephemeralcontainers": Part(_with_ephemeral, _validate_ephemeral)}
