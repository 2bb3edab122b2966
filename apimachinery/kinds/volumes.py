"""Volumes of a pod and where their contents come from."""

from typing import Annotated

import msgspec

from apimachinery.kinds.base import Base, Int32, Int64, Merge, Quantity, required_list
from apimachinery.kinds.meta import LabelSelector, ObjectMeta
from apimachinery.kinds.references import (
    LocalObjectReference,
    ObjectFieldSelector,
    ResourceFieldSelector,
    TypedLocalObjectReference,
    TypedObjectReference,
)


class AWSElasticBlockStoreVolumeSource(Base):
    """core/v1.AWSElasticBlockStoreVolumeSource"""

    fs_type: str = ""
    partition: Int32 | None = None
    read_only: bool | None = None
    volume_id: str = msgspec.field(name="volumeID", default_factory=str)


class AzureDiskVolumeSource(Base):
    """core/v1.AzureDiskVolumeSource"""

    kind: str = ""
    caching_mode: str = ""
    disk_name: str = msgspec.field(default_factory=str)
    disk_uri: str = msgspec.field(name="diskURI", default_factory=str)
    fs_type: str = ""
    read_only: bool | None = None


class AzureFileVolumeSource(Base):
    """core/v1.AzureFileVolumeSource"""

    read_only: bool | None = None
    secret_name: str = msgspec.field(default_factory=str)
    share_name: str = msgspec.field(default_factory=str)


class CephFSVolumeSource(Base):
    """core/v1.CephFSVolumeSource"""

    monitors: Annotated[list[str], Merge(list_type="atomic")] = msgspec.field(default_factory=required_list)
    path: str = ""
    read_only: bool | None = None
    secret_file: str = ""
    secret_ref: LocalObjectReference | None = None
    user: str = ""


class CinderVolumeSource(Base):
    """core/v1.CinderVolumeSource"""

    fs_type: str = ""
    read_only: bool | None = None
    secret_ref: LocalObjectReference | None = None
    volume_id: str = msgspec.field(name="volumeID", default_factory=str)


class KeyToPath(Base):
    """core/v1.KeyToPath"""

    key: str = msgspec.field(default_factory=str)
    mode: Int32 | None = None
    path: str = msgspec.field(default_factory=str)


class ConfigMapVolumeSource(Base):
    """core/v1.ConfigMapVolumeSource"""

    name: str = ""
    default_mode: Int32 | None = None
    items: Annotated[list[KeyToPath], Merge(list_type="atomic")] = []
    optional: bool | None = None


class CSIVolumeSource(Base):
    """core/v1.CSIVolumeSource"""

    driver: str = msgspec.field(default_factory=str)
    fs_type: str = ""
    node_publish_secret_ref: LocalObjectReference | None = None
    read_only: bool | None = None
    volume_attributes: dict[str, str] = {}


class DownwardAPIVolumeFile(Base):
    """core/v1.DownwardAPIVolumeFile"""

    field_ref: ObjectFieldSelector | None = None
    mode: Int32 | None = None
    path: str = msgspec.field(default_factory=str)
    resource_field_ref: ResourceFieldSelector | None = None


class DownwardAPIVolumeSource(Base):
    """core/v1.DownwardAPIVolumeSource"""

    default_mode: Int32 | None = None
    items: Annotated[list[DownwardAPIVolumeFile], Merge(list_type="atomic")] = []


class EmptyDirVolumeSource(Base):
    """core/v1.EmptyDirVolumeSource"""

    medium: str = ""
    size_limit: Quantity | None = None


class VolumeResourceRequirements(Base):
    """core/v1.VolumeResourceRequirements"""

    limits: dict[str, Quantity] = {}
    requests: dict[str, Quantity] = {}


class PersistentVolumeClaimSpec(Base):
    """core/v1.PersistentVolumeClaimSpec"""

    access_modes: Annotated[list[str], Merge(list_type="atomic")] = []
    data_source: TypedLocalObjectReference | None = None
    data_source_ref: TypedObjectReference | None = None
    resources: VolumeResourceRequirements = msgspec.field(default_factory=VolumeResourceRequirements)
    selector: LabelSelector | None = None
    storage_class_name: str | None = None
    volume_attributes_class_name: str = ""
    volume_mode: str = ""
    volume_name: str = ""


class PersistentVolumeClaimTemplate(Base):
    """core/v1.PersistentVolumeClaimTemplate"""

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: PersistentVolumeClaimSpec = msgspec.field(default_factory=PersistentVolumeClaimSpec)


class EphemeralVolumeSource(Base):
    """core/v1.EphemeralVolumeSource"""

    volume_claim_template: PersistentVolumeClaimTemplate | None = None


class FCVolumeSource(Base):
    """core/v1.FCVolumeSource"""

    fs_type: str = ""
    lun: Int32 | None = None
    read_only: bool | None = None
    target_wwns: Annotated[list[str], Merge(list_type="atomic")] = msgspec.field(name="targetWWNs", default_factory=list)
    wwids: Annotated[list[str], Merge(list_type="atomic")] = []


class FlexVolumeSource(Base):
    """core/v1.FlexVolumeSource"""

    driver: str = msgspec.field(default_factory=str)
    fs_type: str = ""
    options: dict[str, str] = {}
    read_only: bool | None = None
    secret_ref: LocalObjectReference | None = None


class FlockerVolumeSource(Base):
    """core/v1.FlockerVolumeSource"""

    dataset_name: str = ""
    dataset_uuid: str = msgspec.field(name="datasetUUID", default="")


class GCEPersistentDiskVolumeSource(Base):
    """core/v1.GCEPersistentDiskVolumeSource"""

    fs_type: str = ""
    partition: Int32 | None = None
    pd_name: str = msgspec.field(default_factory=str)
    read_only: bool | None = None


class GitRepoVolumeSource(Base):
    """core/v1.GitRepoVolumeSource"""

    directory: str = ""
    repository: str = msgspec.field(default_factory=str)
    revision: str = ""


class GlusterfsVolumeSource(Base):
    """core/v1.GlusterfsVolumeSource"""

    endpoints: str = msgspec.field(default_factory=str)
    path: str = msgspec.field(default_factory=str)
    read_only: bool | None = None


class HostPathVolumeSource(Base):
    """core/v1.HostPathVolumeSource"""

    path: str = msgspec.field(default_factory=str)
    type: str = ""


class ImageVolumeSource(Base):
    """core/v1.ImageVolumeSource"""

    pull_policy: str = ""
    reference: str = ""


class ISCSIVolumeSource(Base):
    """core/v1.ISCSIVolumeSource"""

    chap_auth_discovery: bool | None = None
    chap_auth_session: bool | None = None
    fs_type: str = ""
    initiator_name: str = ""
    iqn: str = msgspec.field(default_factory=str)
    iscsi_interface: str = ""
    lun: Int32 = msgspec.field(default_factory=int)
    portals: Annotated[list[str], Merge(list_type="atomic")] = []
    read_only: bool | None = None
    secret_ref: LocalObjectReference | None = None
    target_portal: str = msgspec.field(default_factory=str)


class NFSVolumeSource(Base):
    """core/v1.NFSVolumeSource"""

    path: str = msgspec.field(default_factory=str)
    read_only: bool | None = None
    server: str = msgspec.field(default_factory=str)


class PersistentVolumeClaimVolumeSource(Base):
    """core/v1.PersistentVolumeClaimVolumeSource"""

    claim_name: str = msgspec.field(default_factory=str)
    read_only: bool | None = None


class PhotonPersistentDiskVolumeSource(Base):
    """core/v1.PhotonPersistentDiskVolumeSource"""

    fs_type: str = ""
    pd_id: str = msgspec.field(name="pdID", default_factory=str)


class PortworxVolumeSource(Base):
    """core/v1.PortworxVolumeSource"""

    fs_type: str = ""
    read_only: bool | None = None
    volume_id: str = msgspec.field(name="volumeID", default_factory=str)


class ClusterTrustBundleProjection(Base):
    """core/v1.ClusterTrustBundleProjection"""

    name: str = ""
    label_selector: LabelSelector | None = None
    optional: bool | None = None
    path: str = msgspec.field(default_factory=str)
    signer_name: str = ""


class ConfigMapProjection(Base):
    """core/v1.ConfigMapProjection"""

    name: str = ""
    items: Annotated[list[KeyToPath], Merge(list_type="atomic")] = []
    optional: bool | None = None


class DownwardAPIProjection(Base):
    """core/v1.DownwardAPIProjection"""

    items: Annotated[list[DownwardAPIVolumeFile], Merge(list_type="atomic")] = []


class PodCertificateProjection(Base):
    """core/v1.PodCertificateProjection"""

    certificate_chain_path: str = ""
    credential_bundle_path: str = ""
    key_path: str = ""
    key_type: str = msgspec.field(default_factory=str)
    max_expiration_seconds: Int32 | None = None
    signer_name: str = msgspec.field(default_factory=str)
    user_annotations: dict[str, str] = {}


class SecretProjection(Base):
    """core/v1.SecretProjection"""

    name: str = ""
    items: Annotated[list[KeyToPath], Merge(list_type="atomic")] = []
    optional: bool | None = None


class ServiceAccountTokenProjection(Base):
    """core/v1.ServiceAccountTokenProjection"""

    audience: str = ""
    expiration_seconds: Int64 | None = None
    path: str = msgspec.field(default_factory=str)


class VolumeProjection(Base):
    """core/v1.VolumeProjection"""

    cluster_trust_bundle: ClusterTrustBundleProjection | None = None
    config_map: ConfigMapProjection | None = None
    downward_api: DownwardAPIProjection | None = msgspec.field(name="downwardAPI", default=None)
    pod_certificate: PodCertificateProjection | None = None
    secret: SecretProjection | None = None
    service_account_token: ServiceAccountTokenProjection | None = None


class ProjectedVolumeSource(Base):
    """core/v1.ProjectedVolumeSource"""

    default_mode: Int32 | None = None
    sources: Annotated[list[VolumeProjection], Merge(list_type="atomic")] = []


class QuobyteVolumeSource(Base):
    """core/v1.QuobyteVolumeSource"""

    group: str = ""
    read_only: bool | None = None
    registry: str = msgspec.field(default_factory=str)
    tenant: str = ""
    user: str = ""
    volume: str = msgspec.field(default_factory=str)


class RBDVolumeSource(Base):
    """core/v1.RBDVolumeSource"""

    fs_type: str = ""
    image: str = msgspec.field(default_factory=str)
    keyring: str = ""
    monitors: Annotated[list[str], Merge(list_type="atomic")] = msgspec.field(default_factory=required_list)
    pool: str = ""
    read_only: bool | None = None
    secret_ref: LocalObjectReference | None = None
    user: str = ""


class ScaleIOVolumeSource(Base):
    """core/v1.ScaleIOVolumeSource"""

    fs_type: str = ""
    gateway: str = msgspec.field(default_factory=str)
    protection_domain: str = ""
    read_only: bool | None = None
    secret_ref: LocalObjectReference = msgspec.field(default_factory=LocalObjectReference)
    ssl_enabled: bool | None = None
    storage_mode: str = ""
    storage_pool: str = ""
    system: str = msgspec.field(default_factory=str)
    volume_name: str = ""


class SecretVolumeSource(Base):
    """core/v1.SecretVolumeSource"""

    default_mode: Int32 | None = None
    items: Annotated[list[KeyToPath], Merge(list_type="atomic")] = []
    optional: bool | None = None
    secret_name: str = ""


class StorageOSVolumeSource(Base):
    """core/v1.StorageOSVolumeSource"""

    fs_type: str = ""
    read_only: bool | None = None
    secret_ref: LocalObjectReference | None = None
    volume_name: str = ""
    volume_namespace: str = ""


class VsphereVirtualDiskVolumeSource(Base):
    """core/v1.VsphereVirtualDiskVolumeSource"""

    fs_type: str = ""
    storage_policy_id: str = msgspec.field(name="storagePolicyID", default="")
    storage_policy_name: str = ""
    volume_path: str = msgspec.field(default_factory=str)


class Volume(Base):
    """core/v1.Volume

    Files that containers of a pod can mount; exactly one source says where they come from.
    """

    name: str = msgspec.field(default_factory=str)
    aws_elastic_block_store: AWSElasticBlockStoreVolumeSource | None = None
    azure_disk: AzureDiskVolumeSource | None = None
    azure_file: AzureFileVolumeSource | None = None
    cephfs: CephFSVolumeSource | None = None
    cinder: CinderVolumeSource | None = None
    config_map: ConfigMapVolumeSource | None = None
    csi: CSIVolumeSource | None = None
    downward_api: DownwardAPIVolumeSource | None = msgspec.field(name="downwardAPI", default=None)
    empty_dir: EmptyDirVolumeSource | None = None
    ephemeral: EphemeralVolumeSource | None = None
    fc: FCVolumeSource | None = None
    flex_volume: FlexVolumeSource | None = None
    flocker: FlockerVolumeSource | None = None
    gce_persistent_disk: GCEPersistentDiskVolumeSource | None = None
    git_repo: GitRepoVolumeSource | None = None
    glusterfs: GlusterfsVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    image: ImageVolumeSource | None = None
    iscsi: ISCSIVolumeSource | None = None
    nfs: NFSVolumeSource | None = None
    persistent_volume_claim: PersistentVolumeClaimVolumeSource | None = None
    photon_persistent_disk: PhotonPersistentDiskVolumeSource | None = None
    portworx_volume: PortworxVolumeSource | None = None
    projected: ProjectedVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    rbd: RBDVolumeSource | None = None
    scale_io: ScaleIOVolumeSource | None = msgspec.field(name="scaleIO", default=None)
    secret: SecretVolumeSource | None = None
    storageos: StorageOSVolumeSource | None = None
    vsphere_volume: VsphereVirtualDiskVolumeSource | None = None
