"""What keeps storage from being removed under those who use it: finalizers that the API server sets when an object is made.

Source: the Kubernetes page "Persistent Volumes", section "Storage Object in Use Protection".
"""

from collections.abc import Mapping

from apimachinery.kinds import PersistentVolume, PersistentVolumeClaim
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
