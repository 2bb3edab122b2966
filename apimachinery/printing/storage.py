"""Tables of volumes, claims to them, and the kinds of storage.k8s.io."""

from collections.abc import Sequence
from datetime import datetime

from apimachinery.printing.shape import AGE, NAME, Cell, Column, Plain, TableShape, age, name_of, wide

DEFAULT_CLASS_ANNOTATIONS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_UNSET = "<unset>"


def access_modes(modes: Sequence[str] | None) -> str:
    """`RWO,ROX`"""
    given = modes or ()
    return ",".join(short for mode, short in _MODES.items() if mode in given)


def storage_class_of(obj: Plain) -> str:
    """The class of a volume or of a claim; the annotation of old comes first."""
    annotations = (obj.get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(CLASS_ANNOTATION) or (obj.get("spec") or {}).get("storageClassName") or "")


def is_default_class(storage_class: Plain) -> bool:
    annotations = (storage_class.get("metadata") or {}).get("annotations") or {}
    return any(annotations.get(key) == "true" for key in DEFAULT_CLASS_ANNOTATIONS)


def phase(obj: Plain) -> str:
    """The phase of a volume or of a claim; what is being deleted is Terminating."""
    if (obj.get("metadata") or {}).get("deletionTimestamp"):
        return "Terminating"
    return str((obj.get("status") or {}).get("phase") or "")


def persistent_volume_cells(volume: Plain, now: datetime) -> list[Cell]:
    spec, status = volume.get("spec") or {}, volume.get("status") or {}
    claim = spec.get("claimRef") or {}
    return [
        name_of(volume),
        str((spec.get("capacity") or {}).get("storage", "0")),
        access_modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        phase(volume),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        storage_class_of(volume),
        spec.get("volumeAttributesClassName") or _UNSET,
        status.get("reason") or "",
        age(volume, now),
        spec.get("volumeMode") or _UNSET,
    ]


def persistent_volume_claim_cells(claim: Plain, now: datetime) -> list[Cell]:
    spec, status = claim.get("spec") or {}, claim.get("status") or {}
    bound = bool(spec.get("volumeName"))
    return [
        name_of(claim),
        phase(claim),
        spec.get("volumeName") or "",
        str((status.get("capacity") or {}).get("storage", "0")) if bound else "",
        access_modes(status.get("accessModes")) if bound else "",
        storage_class_of(claim),
        spec.get("volumeAttributesClassName") or _UNSET,
        age(claim, now),
        spec.get("volumeMode") or _UNSET,
    ]


def storage_class_cells(storage_class: Plain, now: datetime) -> list[Cell]:
    name = name_of(storage_class)
    return [
        f"{name} (default)" if is_default_class(storage_class) else name,
        storage_class.get("provisioner", ""),
        storage_class.get("reclaimPolicy") or "Delete",
        storage_class.get("volumeBindingMode") or "Immediate",
        bool(storage_class.get("allowVolumeExpansion")),
        age(storage_class, now),
    ]


def volume_attributes_class_cells(attributes: Plain, now: datetime) -> list[Cell]:
    return [name_of(attributes), attributes.get("driverName", ""), age(attributes, now)]


def volume_attachment_cells(attachment: Plain, now: datetime) -> list[Cell]:
    spec = attachment.get("spec") or {}
    return [
        name_of(attachment),
        spec.get("attacher", ""),
        (spec.get("source") or {}).get("persistentVolumeName") or "",
        spec.get("nodeName", ""),
        bool((attachment.get("status") or {}).get("attached")),
        age(attachment, now),
    ]


def csi_driver_cells(driver: Plain, now: datetime) -> list[Cell]:
    spec = driver.get("spec") or {}
    tokens = spec.get("tokenRequests")
    return [
        name_of(driver),
        spec.get("attachRequired") is not False,
        bool(spec.get("podInfoOnMount")),
        bool(spec.get("storageCapacity")),
        ",".join(each.get("audience", "") for each in tokens) if tokens else _UNSET,
        bool(spec.get("requiresRepublish")),
        ",".join(spec.get("volumeLifecycleModes") or ()) or "<none>",
        age(driver, now),
    ]


def csi_node_cells(node: Plain, now: datetime) -> list[Cell]:
    return [name_of(node), len((node.get("spec") or {}).get("drivers") or ()), age(node, now)]


def csi_storage_capacity_cells(capacity: Plain, now: datetime) -> list[Cell]:
    return [name_of(capacity), capacity.get("storageClassName", ""), str(capacity.get("capacity") or _UNSET)]


_ATTRIBUTES_CLASS = Column("VolumeAttributesClass", description="What can be changed of it while it is used.")
_VOLUME_MODE = wide("VolumeMode", "Whether it is a file system or a block device.")

PERSISTENT_VOLUME = TableShape(
    (
        NAME,
        Column("Capacity", description="Its size."),
        Column("Access Modes", description="Who can mount it at the same time."),
        Column("Reclaim Policy", description="What becomes of it once it is released."),
        Column("Status", description="Whether it is free, bound or released."),
        Column("Claim", description="The claim it is bound to."),
        Column("StorageClass", description="The class it belongs to."),
        _ATTRIBUTES_CLASS,
        Column("Reason", description="Why it has failed."),
        AGE,
        _VOLUME_MODE,
    ),
    persistent_volume_cells,
)

PERSISTENT_VOLUME_CLAIM = TableShape(
    (
        NAME,
        Column("Status", description="Whether it has a volume."),
        Column("Volume", description="The volume it is bound to."),
        Column("Capacity", description="The size of the volume."),
        Column("Access Modes", description="Who can mount the volume at the same time."),
        Column("StorageClass", description="The class it asks for."),
        _ATTRIBUTES_CLASS,
        AGE,
        _VOLUME_MODE,
    ),
    persistent_volume_claim_cells,
)

STORAGE_CLASS = TableShape(
    (
        NAME,
        Column("Provisioner", description="Who makes its volumes."),
        Column("ReclaimPolicy", description="What becomes of its volumes once they are released."),
        Column("VolumeBindingMode", description="When volumes are made and bound."),
        Column("AllowVolumeExpansion", "boolean", description="Whether its volumes can grow."),
        AGE,
    ),
    storage_class_cells,
)

VOLUME_ATTRIBUTES_CLASS = TableShape(
    (NAME, Column("DriverName", description="The driver that knows the attributes."), AGE), volume_attributes_class_cells
)

VOLUME_ATTACHMENT = TableShape(
    (
        NAME,
        Column("Attacher", description="The driver that attaches it."),
        Column("PV", description="The volume."),
        Column("Node", description="The node it is to be attached to."),
        Column("Attached", "boolean", description="Whether it is."),
        AGE,
    ),
    volume_attachment_cells,
)

CSI_DRIVER = TableShape(
    (
        NAME,
        Column("AttachRequired", "boolean", description="Whether volumes are attached before they are mounted."),
        Column("PodInfoOnMount", "boolean", description="Whether the driver is told about the pod."),
        Column("StorageCapacity", "boolean", description="Whether pods are scheduled by the room that is left."),
        Column("TokenRequests", description="Audiences of the tokens that the driver is given."),
        Column("RequiresRepublish", "boolean", description="Whether mounted volumes are published again and again."),
        Column("Modes", description="Which lives of volumes it knows."),
        AGE,
    ),
    csi_driver_cells,
)

CSI_NODE = TableShape((NAME, Column("Drivers", "integer", description="How many drivers it runs."), AGE), csi_node_cells)

CSI_STORAGE_CAPACITY = TableShape(
    (
        NAME,
        Column("StorageClassName", description="The class whose volumes the room is for."),
        Column("Capacity", description="Room that is left."),
    ),
    csi_storage_capacity_cells,
)
