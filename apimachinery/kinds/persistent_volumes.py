"""PersistentVolumes and the claims to them; how a claim asks is in `volumes`, since pods ask that way too."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Int32, Merge, Quantity, Time, constant, required_list
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.kinds.object import Object
from apimachinery.kinds.references import NodeSelector, ObjectReference, SecretReference
from apimachinery.kinds.volumes import (
    AWSElasticBlockStoreVolumeSource,
    AzureDiskVolumeSource,
    FCVolumeSource,
    FlockerVolumeSource,
    GCEPersistentDiskVolumeSource,
    HostPathVolumeSource,
    NFSVolumeSource,
    PersistentVolumeClaimSpec,
    PhotonPersistentDiskVolumeSource,
    PortworxVolumeSource,
    QuobyteVolumeSource,
    VsphereVirtualDiskVolumeSource,
)


class AzureFilePersistentVolumeSource(Base):
    """core/v1.AzureFilePersistentVolumeSource"""

    read_only: bool | None = None
    secret_name: str = msgspec.field(default_factory=str)
    secret_namespace: str = ""
    share_name: str = msgspec.field(default_factory=str)


class CephFSPersistentVolumeSource(Base):
    """core/v1.CephFSPersistentVolumeSource"""

    monitors: Annotated[list[str], Merge(list_type="atomic")] = msgspec.field(default_factory=required_list)
    path: str = ""
    read_only: bool | None = None
    secret_file: str = ""
    secret_ref: SecretReference | None = None
    user: str = ""


class CinderPersistentVolumeSource(Base):
    """core/v1.CinderPersistentVolumeSource"""

    fs_type: str = ""
    read_only: bool | None = None
    secret_ref: SecretReference | None = None
    volume_id: str = msgspec.field(name="volumeID", default_factory=str)


class CSIPersistentVolumeSource(Base):
    """core/v1.CSIPersistentVolumeSource"""

    controller_expand_secret_ref: SecretReference | None = None
    controller_publish_secret_ref: SecretReference | None = None
    driver: str = msgspec.field(default_factory=str)
    fs_type: str = ""
    node_expand_secret_ref: SecretReference | None = None
    node_publish_secret_ref: SecretReference | None = None
    node_stage_secret_ref: SecretReference | None = None
    read_only: bool | None = None
    volume_attributes: dict[str, str] = {}
    volume_handle: str = msgspec.field(default_factory=str)


class FlexPersistentVolumeSource(Base):
    """core/v1.FlexPersistentVolumeSource"""

    driver: str = msgspec.field(default_factory=str)
    fs_type: str = ""
    options: dict[str, str] = {}
    read_only: bool | None = None
    secret_ref: SecretReference | None = None


class GlusterfsPersistentVolumeSource(Base):
    """core/v1.GlusterfsPersistentVolumeSource"""

    endpoints: str = msgspec.field(default_factory=str)
    endpoints_namespace: str = ""
    path: str = msgspec.field(default_factory=str)
    read_only: bool | None = None


class ISCSIPersistentVolumeSource(Base):
    """core/v1.ISCSIPersistentVolumeSource"""

    chap_auth_discovery: bool | None = None
    chap_auth_session: bool | None = None
    fs_type: str = ""
    initiator_name: str = ""
    iqn: str = msgspec.field(default_factory=str)
    iscsi_interface: str = ""
    lun: Int32 = msgspec.field(default_factory=int)
    portals: Annotated[list[str], Merge(list_type="atomic")] = []
    read_only: bool | None = None
    secret_ref: SecretReference | None = None
    target_portal: str = msgspec.field(default_factory=str)


class LocalVolumeSource(Base):
    """core/v1.LocalVolumeSource"""

    fs_type: str = ""
    path: str = msgspec.field(default_factory=str)


class VolumeNodeAffinity(Base):
    """core/v1.VolumeNodeAffinity"""

    required: NodeSelector | None = None


class RBDPersistentVolumeSource(Base):
    """core/v1.RBDPersistentVolumeSource"""

    fs_type: str = ""
    image: str = msgspec.field(default_factory=str)
    keyring: str = ""
    monitors: Annotated[list[str], Merge(list_type="atomic")] = msgspec.field(default_factory=required_list)
    pool: str = ""
    read_only: bool | None = None
    secret_ref: SecretReference | None = None
    user: str = ""


class ScaleIOPersistentVolumeSource(Base):
    """core/v1.ScaleIOPersistentVolumeSource"""

    fs_type: str = ""
    gateway: str = msgspec.field(default_factory=str)
    protection_domain: str = ""
    read_only: bool | None = None
    secret_ref: SecretReference = msgspec.field(default_factory=SecretReference)
    ssl_enabled: bool | None = None
    storage_mode: str = ""
    storage_pool: str = ""
    system: str = msgspec.field(default_factory=str)
    volume_name: str = ""


class StorageOSPersistentVolumeSource(Base):
    """core/v1.StorageOSPersistentVolumeSource"""

    fs_type: str = ""
    read_only: bool | None = None
    secret_ref: ObjectReference | None = None
    volume_name: str = ""
    volume_namespace: str = ""


class PersistentVolumeSpec(Base):
    """core/v1.PersistentVolumeSpec"""

    access_modes: Annotated[list[str], Merge(list_type="atomic")] = []
    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = None
    azure_disk: AzureDiskVolumeSource | None = None
    azure_file: AzureFilePersistentVolumeSource | None = None
    capacity: dict[str, Quantity] = {}
    cephfs: CephFSPersistentVolumeSource | None = None
    cinder: CinderPersistentVolumeSource | None = None
    claim_ref: Annotated[ObjectReference | None, Merge(map_type="granular")] = None
    csi: CSIPersistentVolumeSource | None = None
    fc: FCVolumeSource | None = None
    flex_volume: FlexPersistentVolumeSource | None = None
    flocker: FlockerVolumeSource | None = None
    gce_persistent_disk: GCEPersistentDiskVolumeSource | None = None
    glusterfs: GlusterfsPersistentVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    iscsi: ISCSIPersistentVolumeSource | None = None
    local: LocalVolumeSource | None = None
    mount_options: Annotated[list[str], Merge(list_type="atomic")] = []
    nfs: NFSVolumeSource | None = None
    node_affinity: VolumeNodeAffinity | None = None
    persistent_volume_reclaim_policy: str = ""
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = None
    portworx_volume: PortworxVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    rbd: RBDPersistentVolumeSource | None = None
    scale_io: ScaleIOPersistentVolumeSource | None = msgspec.field(name="scaleIO", default=None)
    storage_class_name: str = ""
    storageos: StorageOSPersistentVolumeSource | None = None
    volume_attributes_class_name: str = ""
    volume_mode: str = ""
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = None


class PersistentVolumeStatus(Base):
    """core/v1.PersistentVolumeStatus"""

    last_phase_transition_time: Time | None = None
    message: str = ""
    phase: str = ""
    reason: str = ""


class PersistentVolume(Object):
    """core/v1.PersistentVolume"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("PersistentVolume"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: PersistentVolumeSpec = msgspec.field(default_factory=PersistentVolumeSpec)
    status: PersistentVolumeStatus = msgspec.field(default_factory=PersistentVolumeStatus)


class PersistentVolumeClaimCondition(Base):
    """core/v1.PersistentVolumeClaimCondition"""

    last_probe_time: Time | None = None
    last_transition_time: Time | None = None
    message: str = ""
    reason: str = ""
    status: str = msgspec.field(default_factory=str)
    type: str = msgspec.field(default_factory=str)


class ModifyVolumeStatus(Base):
    """core/v1.ModifyVolumeStatus"""

    status: str = msgspec.field(default_factory=str)
    target_volume_attributes_class_name: str = ""


class PersistentVolumeClaimStatus(Base):
    """core/v1.PersistentVolumeClaimStatus"""

    access_modes: Annotated[list[str], Merge(list_type="atomic")] = []
    allocated_resources: dict[str, Quantity] = {}
    allocated_resource_statuses: Annotated[dict[str, str], Merge(map_type="granular")] = {}
    capacity: dict[str, Quantity] = {}
    conditions: Annotated[
        list[PersistentVolumeClaimCondition], Merge(patch="merge", merge_key="type", list_type="map", keys=("type",))
    ] = []
    current_volume_attributes_class_name: str = ""
    modify_volume_status: ModifyVolumeStatus | None = None
    phase: str = ""


class PersistentVolumeClaim(Object):
    """core/v1.PersistentVolumeClaim"""

    api_version: str = msgspec.field(name="apiVersion", default_factory=constant("v1"))
    kind: str = msgspec.field(name="kind", default_factory=constant("PersistentVolumeClaim"))
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: PersistentVolumeClaimSpec = msgspec.field(default_factory=PersistentVolumeClaimSpec)
    status: PersistentVolumeClaimStatus = msgspec.field(default_factory=PersistentVolumeClaimStatus)
