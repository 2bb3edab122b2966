"""Rules for the volumes of a pod: a unique name and exactly one source, each source with what it needs.

Source: the API reference of Volume; the Kubernetes pages "Volumes" and "Projected Volumes".
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds.volumes import (
    ConfigMapVolumeSource,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    EphemeralVolumeSource,
    HostPathVolumeSource,
    ImageVolumeSource,
    KeyToPath,
    ProjectedVolumeSource,
    SecretVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)
from apiserver.strategy.checks import (
    Errors,
    exactly_one,
    named,
    no_backsteps,
    one_of,
    optional_one_of,
    relative_path,
    required,
    required_name,
)
from apiserver.strategy.claim_spec import validate_claim_spec
from apiserver.strategy.pod_environment import VOLUME_FIELDS, validate_field_reference, validate_resource_reference
from apiserver.strategy.quantities import validate_quantity
from apiserver.strategy.selectors import validate_label_selector

TOKEN_SECONDS_MIN = 600
TOKEN_SECONDS_MAX = 1 << 32
HOST_PATH_TYPES = ("BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")


def validate_volumes(volumes: Sequence[Volume], path: str) -> Errors:
    seen = set()
    for index, volume in enumerate(volumes):
        where = f"{path}[{index}]"
        yield from required_name(f"{where}.name", volume.name, names.dns_1123_label)
        if volume.name and volume.name in seen:
            yield FieldError.duplicate(f"{where}.name", volume.name)
        seen.add(volume.name)
        yield from _validate_source(volume, where)


def _validate_source(volume: Volume, path: str) -> Errors:
    given = {
        wire_name: getattr(volume, attribute)
        for attribute, wire_name in zip(volume.__struct_fields__, volume.__struct_encode_fields__, strict=True)
        if wire_name != "name" and getattr(volume, attribute) is not None
    }
    yield from exactly_one(path, list(given), "volume type")
    for wire_name, source in given.items():
        yield from validate_source_members(wire_name, source, f"{path}.{wire_name}")


def validate_source_members(wire_name: str, source: Any, path: str) -> Errors:
    """What one source needs, by the name that it has in a volume; PersistentVolumes have most of them too."""
    for member in _REQUIRED.get(wire_name, ()):
        yield from required(f"{path}.{member}", _by_wire_name(source, member))
    if (rule := _RULES.get(wire_name)) is not None:
        yield from rule(source, path)


def _by_wire_name(source: Any, member: str) -> Any:
    return getattr(source, source.__struct_fields__[source.__struct_encode_fields__.index(member)])


def _validate_mode(mode: int | None, path: str) -> Errors:
    if mode is not None and not 0 <= mode <= 0o777:
        yield FieldError.invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive")


def _validate_file_path(value: str, path: str) -> Errors:
    """A file's place in a volume, where names that begin with two dots belong to the volume itself."""
    if not value:
        yield FieldError.required(path)
        return
    yield from relative_path(path, value)
    if value.startswith("..") and ".." not in value.split("/"):
        yield FieldError.invalid(path, value, "must not start with '..'")


def _validate_items(items: Sequence[KeyToPath], path: str) -> Errors:
    for index, item in enumerate(items):
        where = f"{path}[{index}]"
        yield from required(f"{where}.key", item.key)
        yield from _validate_file_path(item.path, f"{where}.path")
        yield from _validate_mode(item.mode, f"{where}.mode")


def _validate_config_map(source: ConfigMapVolumeSource, path: str) -> Errors:
    yield from required(f"{path}.name", source.name)
    yield from _validate_mode(source.default_mode, f"{path}.defaultMode")
    yield from _validate_items(source.items, f"{path}.items")


def _validate_secret(source: SecretVolumeSource, path: str) -> Errors:
    yield from required(f"{path}.secretName", source.secret_name)
    yield from _validate_mode(source.default_mode, f"{path}.defaultMode")
    yield from _validate_items(source.items, f"{path}.items")


def _validate_host_path(source: HostPathVolumeSource, path: str) -> Errors:
    yield from required(f"{path}.path", source.path)
    yield from no_backsteps(f"{path}.path", source.path)
    yield from optional_one_of(f"{path}.type", source.type, HOST_PATH_TYPES)


def _validate_empty_dir(source: EmptyDirVolumeSource, path: str) -> Errors:
    if source.size_limit is not None:
        yield from validate_quantity(f"{path}.sizeLimit", source.size_limit)
    if source.medium not in ("", "Memory", "HugePages") and not source.medium.startswith("HugePages-"):
        yield FieldError.not_supported(f"{path}.medium", source.medium, ("HugePages", "HugePages-<size>", "Memory"))


def _validate_downward(source: DownwardAPIVolumeSource, path: str) -> Errors:
    yield from _validate_mode(source.default_mode, f"{path}.defaultMode")
    for index, file in enumerate(source.items):
        yield from _validate_downward_file(file, f"{path}.items[{index}]")


def _validate_downward_file(file: DownwardAPIVolumeFile, path: str) -> Errors:
    yield from _validate_file_path(file.path, f"{path}.path")
    yield from _validate_mode(file.mode, f"{path}.mode")
    if file.field_ref is not None:
        yield from validate_field_reference(file.field_ref, f"{path}.fieldRef", VOLUME_FIELDS, subscripts=True)
        if file.resource_field_ref is not None:
            yield FieldError.invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
    elif file.resource_field_ref is not None:
        yield from validate_resource_reference(file.resource_field_ref, f"{path}.resourceFieldRef", needs_container=True)
    else:
        yield FieldError.required(path, "one of fieldRef and resourceFieldRef is required")


def _validate_projected(source: ProjectedVolumeSource, path: str) -> Errors:
    yield from _validate_mode(source.default_mode, f"{path}.defaultMode")
    taken: set[str] = set()
    for index, projection in enumerate(source.sources):
        where = f"{path}.sources[{index}]"
        yield from _validate_projection(projection, where)
        for file in _projected_paths(projection):
            if file in taken:
                yield FieldError.invalid(where, file, "conflicting duplicate paths")
            taken.add(file)


def _validate_projection(projection: VolumeProjection, path: str) -> Errors:
    given = {
        "secret": projection.secret,
        "configMap": projection.config_map,
        "downwardAPI": projection.downward_api,
        "serviceAccountToken": projection.service_account_token,
        "clusterTrustBundle": projection.cluster_trust_bundle,
        "podCertificate": projection.pod_certificate,
    }
    yield from exactly_one(path, [name for name, source in given.items() if source is not None], "volume type")
    for name, source in (("secret", projection.secret), ("configMap", projection.config_map)):
        if source is not None:
            yield from required(f"{path}.{name}.name", source.name)
            yield from _validate_items(source.items, f"{path}.{name}.items")
    if projection.downward_api is not None:
        for index, file in enumerate(projection.downward_api.items):
            yield from _validate_downward_file(file, f"{path}.downwardAPI.items[{index}]")
    if projection.service_account_token is not None:
        yield from _validate_token(projection.service_account_token, f"{path}.serviceAccountToken")
    yield from _validate_certificates(projection, path)


def _validate_token(token: ServiceAccountTokenProjection, path: str) -> Errors:
    seconds = token.expiration_seconds
    if seconds is not None and seconds < TOKEN_SECONDS_MIN:
        yield FieldError.invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    elif seconds is not None and seconds > TOKEN_SECONDS_MAX:
        yield FieldError.invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
    yield from _validate_file_path(token.path, f"{path}.path")


def _validate_certificates(projection: VolumeProjection, path: str) -> Errors:
    bundle, certificate = projection.cluster_trust_bundle, projection.pod_certificate
    if bundle is not None:
        where = f"{path}.clusterTrustBundle"
        if bool(bundle.name) == bool(bundle.signer_name):
            yield FieldError.required(where, "exactly one of name or signerName must be specified")
        if bundle.name and bundle.label_selector is not None:
            yield FieldError.invalid(f"{where}.labelSelector", "", "only signerName may be combined with a labelSelector")
        yield from validate_label_selector(bundle.label_selector, f"{where}.labelSelector")
        yield from _validate_file_path(bundle.path, f"{where}.path")
    if certificate is not None:
        where = f"{path}.podCertificate"
        yield from required_name(f"{where}.signerName", certificate.signer_name, names.domain_prefixed_path)
        key_types = ("ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519", "RSA3072", "RSA4096")
        yield from one_of(f"{where}.keyType", certificate.key_type, key_types)
        if not any((certificate.credential_bundle_path, certificate.key_path, certificate.certificate_chain_path)):
            yield FieldError.required(where, "specify at least one of credentialBundlePath, keyPath and certificateChainPath")


def _projected_paths(projection: VolumeProjection) -> list[str]:
    items: list[Any] = []
    for source in (projection.secret, projection.config_map, projection.downward_api):
        items += source.items if source is not None else []
    single = (projection.service_account_token, projection.cluster_trust_bundle)
    return [item.path for item in (*items, *single) if item is not None and item.path]


def _validate_ephemeral(source: EphemeralVolumeSource, path: str) -> Errors:
    template = source.volume_claim_template
    if template is None:
        yield FieldError.required(f"{path}.volumeClaimTemplate")
        return
    yield from validate_claim_spec(template.spec, f"{path}.volumeClaimTemplate.spec")


def _validate_image(source: ImageVolumeSource, path: str) -> Errors:
    yield from required(f"{path}.reference", source.reference)
    yield from optional_one_of(f"{path}.pullPolicy", source.pull_policy, ("Always", "IfNotPresent", "Never"))


def _validate_claim(source: Any, path: str) -> Errors:
    if source.claim_name:
        yield from named(f"{path}.claimName", source.claim_name, names.dns_1123_subdomain)


def _validate_nfs(source: Any, path: str) -> Errors:
    if source.path and not source.path.startswith("/"):
        yield FieldError.invalid(f"{path}.path", source.path, "must be an absolute path")


_RULES: Mapping[str, Callable[[Any, str], Errors]] = {
    "configMap": _validate_config_map,
    "downwardAPI": _validate_downward,
    "emptyDir": _validate_empty_dir,
    "ephemeral": _validate_ephemeral,
    "hostPath": _validate_host_path,
    "image": _validate_image,
    "nfs": _validate_nfs,
    "persistentVolumeClaim": _validate_claim,
    "projected": _validate_projected,
    "secret": _validate_secret,
}

_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "awsElasticBlockStore": ("volumeID",),
    "azureDisk": ("diskName", "diskURI"),
    "azureFile": ("secretName", "shareName"),
    "cephfs": ("monitors",),
    "cinder": ("volumeID",),
    "csi": ("driver",),
    "flexVolume": ("driver",),
    "gcePersistentDisk": ("pdName",),
    "gitRepo": ("repository",),
    "glusterfs": ("endpoints", "path"),
    "iscsi": ("targetPortal", "iqn"),
    "nfs": ("server", "path"),
    "persistentVolumeClaim": ("claimName",),
    "photonPersistentDisk": ("pdID",),
    "portworxVolume": ("volumeID",),
    "quobyte": ("registry", "volume"),
    "rbd": ("monitors", "image"),
    "scaleIO": ("gateway", "system", "volumeName"),
    "vsphereVolume": ("volumePath",),
}
"""What other sources cannot do without; no rule of this project goes further into them."""
