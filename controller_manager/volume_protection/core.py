"""Who uses a claim or a volume, and what that means for its finalizer. Pure.

A pod uses a claim from when it has a node until it is gone, whether its containers run or not: before, no kubelet starts it
with a claim that is being deleted. A volume is used while it is bound.
Source: the Kubernetes page "Persistent Volumes", section "Storage Object in Use Protection".
"""

from collections.abc import Iterable
from enum import Enum

from apimachinery.kinds import PersistentVolume, PersistentVolumeClaim, Pod
from apimachinery.kinds.object import Object
from apimachinery.protection import FINALIZERS, claims_of


class Step(Enum):
    """What to do about an object's finalizer."""

    NOTHING = "nothing"
    PROTECT = "protect"
    RELEASE_IF_UNUSED = "release if unused"


def step(obj: Object) -> Step:
    """An object that is being deleted goes once nobody uses it; one that was made without protection gets it."""
    protected = FINALIZERS[type(obj)] in obj.metadata.finalizers
    if obj.metadata.deletion_timestamp:
        return Step.RELEASE_IF_UNUSED if protected else Step.NOTHING
    return Step.NOTHING if protected else Step.PROTECT


def is_claim_used(claim: PersistentVolumeClaim, pods: Iterable[Pod]) -> bool:
    return any(pod.spec.node_name and claim.metadata.name in claims_of(pod) for pod in pods)


def is_volume_used(volume: PersistentVolume) -> bool:
    return volume.status.phase == "Bound"
