"""What keeps storage from being removed under those who use it: finalizers that the API server sets when an object is made.

Shared by those who set them, who take them off, and who ask what a pod uses.

Source: the Kubernetes page "Persistent Volumes", section "Storage Object in Use Protection".
"""

from collections.abc import Iterator, Mapping

from apimachinery.kinds import PersistentVolume, PersistentVolumeClaim, Pod
from apimachinery.kinds.object import Object

FINALIZERS: Mapping[type[Object], str] = {
    PersistentVolumeClaim: "kubernetes.io/pvc-protection",
    PersistentVolume: "kubernetes.io/pv-protection",
}


def protect(obj: Object) -> bool:
    """Give `obj` the finalizer of its kind, in place; False if it has it, or its kind has none."""
    finalizer = FINALIZERS.get(type(obj))
    if finalizer is None or finalizer in obj.metadata.finalizers:
        return False
    obj.metadata.finalizers = [*obj.metadata.finalizers, finalizer]
    return True


def release(obj: Object) -> None:
    """Take the finalizer of its kind off `obj`, in place."""
    finalizer = FINALIZERS[type(obj)]
    obj.metadata.finalizers = [each for each in obj.metadata.finalizers if each != finalizer]


def claims_of(pod: Pod) -> Iterator[str]:
    """Names of the PersistentVolumeClaims that a pod uses, those that are made for it among them."""
    for volume in pod.spec.volumes:
        if volume.persistent_volume_claim is not None:
            yield volume.persistent_volume_claim.claim_name
        if volume.ephemeral is not None:
            yield f"{pod.metadata.name}-{volume.name}"
