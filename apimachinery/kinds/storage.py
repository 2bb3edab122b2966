"""Where volumes come from and how nodes reach them (group storage.k8s.io/v1)."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Int32, Int64, Merge, Quantity, Time, constant, required_list
from apimachinery.kinds.meta import LabelSelector, ObjectMeta
from apimachinery.kinds.object import Object
from apimachinery.kinds.persistent_volumes import PersistentVolumeSpec


class TokenRequest(Base):
    """storage/v1.TokenRequest"""

    audience: str = msgspec.field(default_factory=str)
    expiration_seconds: Int64 | None = None


class CSIDriverSpec(Base):
    """storage/v1.CSIDriverSpec"""

    attach_required: bool | None = None
    fs_group_policy: str = ""
    node_allocatable_update_period_seconds: Int64 | None = None
    pod_info_on_mount: bool | None = None
    prevent_pod_scheduling_if_missing: bool | None = None
    requires_republish: bool | None = None
    se_linux_mount: bool | None = None
    service_account_token_in_secrets: bool | None = None
    storage_capacity: bool | None = None
    token_requests: Annotated[list[TokenRequest], Merge(list_type="atomic")] = []
    volume_lifecycle_modes: Annotated[list[str], Merge(list_type="set")] = []


class CSIDriver(Object):
    """storage/v1.CSIDriver"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("storage.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("CSIDriver"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: CSIDriverSpec = msgspec.field(default_factory=CSIDriverSpec)


class VolumeNodeResources(Base):
    """storage/v1.VolumeNodeResources"""

    count: Int32 | None = None


class CSINodeDriver(Base):
    """storage/v1.CSINodeDriver"""

    name: str = msgspec.field(default_factory=str)
    allocatable: VolumeNodeResources | None = None
    node_id: str = msgspec.field(name="nodeID", default_factory=str)
    topology_keys: Annotated[list[str], Merge(list_type="atomic")] = []


class CSINodeSpec(Base):
    """storage/v1.CSINodeSpec"""

    drivers: Annotated[list[CSINodeDriver], Merge(patch="merge", merge_key="name", list_type="map", keys=("name",))] = (
        msgspec.field(default_factory=required_list)
    )


class CSINode(Object):
    """storage/v1.CSINode"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("storage.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("CSINode"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: CSINodeSpec = msgspec.field(default_factory=CSINodeSpec)


class CSIStorageCapacity(Object):
    """storage/v1.CSIStorageCapacity"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("storage.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("CSIStorageCapacity"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    capacity: Quantity | None = None
    maximum_volume_size: Quantity | None = None
    node_topology: LabelSelector | None = None
    storage_class_name: str = msgspec.field(default_factory=str)


class TopologySelectorLabelRequirement(Base):
    """core/v1.TopologySelectorLabelRequirement"""

    key: str = msgspec.field(default_factory=str)
    values: Annotated[list[str], Merge(list_type="atomic")] = msgspec.field(default_factory=required_list)


class TopologySelectorTerm(Base):
    """core/v1.TopologySelectorTerm"""

    match_label_expressions: Annotated[list[TopologySelectorLabelRequirement], Merge(list_type="atomic")] = []


class StorageClass(Object):
    """storage/v1.StorageClass"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("storage.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("StorageClass"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    allowed_topologies: Annotated[list[TopologySelectorTerm], Merge(list_type="atomic")] = []
    allow_volume_expansion: bool | None = None
    mount_options: Annotated[list[str], Merge(list_type="atomic")] = []
    parameters: dict[str, str] = {}
    provisioner: str = msgspec.field(default_factory=str)
    reclaim_policy: str = ""
    volume_binding_mode: str = ""


class VolumeAttachmentSource(Base):
    """storage/v1.VolumeAttachmentSource"""

    inline_volume_spec: PersistentVolumeSpec | None = None
    persistent_volume_name: str = ""


class VolumeAttachmentSpec(Base):
    """storage/v1.VolumeAttachmentSpec"""

    attacher: str = msgspec.field(default_factory=str)
    node_name: str = msgspec.field(default_factory=str)
    source: VolumeAttachmentSource = msgspec.field(default_factory=VolumeAttachmentSource)


class VolumeError(Base):
    """storage/v1.VolumeError"""

    error_code: Int32 | None = None
    message: str = ""
    time: Time | None = None


class VolumeAttachmentStatus(Base):
    """storage/v1.VolumeAttachmentStatus"""

    attached: bool = msgspec.field(default_factory=bool)
    attach_error: VolumeError | None = None
    attachment_metadata: dict[str, str] = {}
    detach_error: VolumeError | None = None


class VolumeAttachment(Object):
    """storage/v1.VolumeAttachment"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("storage.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("VolumeAttachment"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: VolumeAttachmentSpec = msgspec.field(default_factory=VolumeAttachmentSpec)
    status: VolumeAttachmentStatus = msgspec.field(default_factory=VolumeAttachmentStatus)


class VolumeAttributesClass(Object):
    """storage/v1.VolumeAttributesClass"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("storage.k8s.io/v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("VolumeAttributesClass"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    driver_name: str = msgspec.field(default_factory=str)
    parameters: dict[str, str] = {}
