"""Which StorageClass a claim gets that names none. Pure.

Of several classes that are marked as the default the one that was made last counts. A claim that names the class "" wants none.
Source: the Kubernetes page "Storage Classes", section "Default StorageClass".
"""

from collections.abc import Iterable

from apimachinery.kinds import PersistentVolumeClaim, StorageClass

DEFAULT_ANNOTATIONS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"


def names_class(claim: PersistentVolumeClaim) -> bool:
    return claim.spec.storage_class_name is not None or CLASS_ANNOTATION in claim.metadata.annotations


def default_class(classes: Iterable[StorageClass]) -> StorageClass | None:
    """The newest default; of those made in the same second the first by name."""
    marked = sorted((each for each in classes if _is_default(each)), key=lambda each: each.metadata.name)
    return max(marked, key=lambda each: each.metadata.creation_timestamp or "", default=None)


def _is_default(storage_class: StorageClass) -> bool:
    return any(storage_class.metadata.annotations.get(name) == "true" for name in DEFAULT_ANNOTATIONS)
