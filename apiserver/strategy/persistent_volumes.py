"""PersistentVolumes: pieces of storage, each with exactly one source, which never changes.

Source: the Kubernetes page "Persistent Volumes" and the API reference of PersistentVolumeSpec.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import (
    CSIPersistentVolumeSource,
    PersistentVolume,
    PersistentVolumeSpec,
    PersistentVolumeStatus,
    SecretReference,
)
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import (
    Errors,
    exactly_one,
    named,
    no_backsteps,
    one_of,
    optional_one_of,
    required,
    unchanged,
)
from apiserver.strategy.claim_spec import VOLUME_MODES, validate_access_modes, validate_size
from apiserver.strategy.pod_defaults import default_network_sources
from apiserver.strategy.pod_volumes import validate_source_members
from apiserver.strategy.quantities import canonicalize
from apiserver.strategy.selectors import validate_node_selector

RECLAIM_POLICIES = ("Delete", "Recycle", "Retain")
PHASES = ("Available", "Bound", "Failed", "Pending", "Released")
DRIVER_NAME_MAX = 63
_NO_SOURCES = (
    "access_modes",
    "capacity",
    "claim_ref",
    "mount_options",
    "node_affinity",
    "persistent_volume_reclaim_policy",
    "storage_class_name",
    "volume_attributes_class_name",
    "volume_mode",
)


class PersistentVolumeStrategy(Strategy[PersistentVolume]):
    has_status = True

    def default(self, obj: PersistentVolume) -> None:
        default_volume_spec(obj.spec)

    def prepare_create(self, obj: PersistentVolume) -> None:
        super().prepare_create(obj)
        obj.status = PersistentVolumeStatus(phase="Pending", last_phase_transition_time=obj.metadata.creation_timestamp)

    def check(self, obj: PersistentVolume) -> Iterator[FieldError]:
        return validate_volume_spec(obj.spec, "spec")

    def check_update(self, new: PersistentVolume, old: PersistentVolume, subresource: str) -> Iterator[FieldError]:
        if _settled_sources(new.spec, old.spec) != _sources(old.spec):
            yield FieldError.forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation")
        yield from unchanged("spec.volumeMode", new.spec.volume_mode, old.spec.volume_mode)
        if old.spec.node_affinity is not None:
            yield from unchanged("spec.nodeAffinity", new.spec.node_affinity, old.spec.node_affinity)

    def check_status_update(self, new: PersistentVolume, old: PersistentVolume) -> Iterator[FieldError]:
        return optional_one_of("status.phase", new.status.phase, PHASES)


def default_volume_spec(spec: PersistentVolumeSpec) -> None:
    spec.persistent_volume_reclaim_policy = spec.persistent_volume_reclaim_policy or "Retain"
    spec.volume_mode = spec.volume_mode or "Filesystem"
    canonicalize(spec.capacity)
    default_network_sources(spec)


def validate_volume_spec(spec: PersistentVolumeSpec, path: str) -> Errors:
    yield from _validate_sources(spec, path)
    yield from _validate_capacity(spec, f"{path}.capacity")
    yield from one_of(f"{path}.persistentVolumeReclaimPolicy", spec.persistent_volume_reclaim_policy, RECLAIM_POLICIES)
    if spec.host_path is not None and spec.persistent_volume_reclaim_policy == "Recycle" and _is_root(spec.host_path.path):
        detail = "may not be 'recycle' for a hostPath mount of '/'"
        yield FieldError.forbidden(f"{path}.persistentVolumeReclaimPolicy", detail)
    if spec.storage_class_name:
        yield from named(f"{path}.storageClassName", spec.storage_class_name, names.dns_1123_subdomain)
    yield from optional_one_of(f"{path}.volumeMode", spec.volume_mode, VOLUME_MODES)
    if spec.node_affinity is not None:
        yield from _validate_affinity(spec, f"{path}.nodeAffinity")
    elif spec.local is not None:
        yield FieldError.required(f"{path}.nodeAffinity", "Local volume requires node affinity")
    if spec.volume_attributes_class_name:
        yield from named(f"{path}.volumeAttributesClassName", spec.volume_attributes_class_name, names.dns_1123_subdomain)
        if spec.csi is None:
            yield FieldError.required(f"{path}.csi", "has to be specified when using volumeAttributesClassName")


def validate_inline_volume_spec(spec: PersistentVolumeSpec, path: str) -> Errors:
    """Rules for a volume that stands in a pod and is handed on to be attached: nothing but where it is and who may use it."""
    for name, value in (
        ("claimRef", spec.claim_ref),
        ("capacity", spec.capacity),
        ("persistentVolumeReclaimPolicy", spec.persistent_volume_reclaim_policy),
        ("storageClassName", spec.storage_class_name),
        ("nodeAffinity", spec.node_affinity),
    ):
        if value:
            yield FieldError.forbidden(f"{path}.{name}", "may not be specified in the context of inline volumes")
    if spec.csi is None:
        yield FieldError.required(f"{path}.csi", "has to be specified in the context of inline volumes")
    yield from _validate_sources(spec, path)


def _validate_sources(spec: PersistentVolumeSpec, path: str) -> Errors:
    yield from validate_access_modes(spec.access_modes, f"{path}.accessModes")
    given = _sources(spec)
    yield from exactly_one(path, list(given), "volume type")
    for wire_name, source in given.items():
        if wire_name != "csi":
            yield from validate_source_members(wire_name, source, f"{path}.{wire_name}")
    if spec.local is not None:
        yield from required(f"{path}.local.path", spec.local.path)
        yield from no_backsteps(f"{path}.local.path", spec.local.path)
    if spec.csi is not None:
        yield from _validate_csi(spec.csi, f"{path}.csi")


def validate_driver_name(path: str, name: str) -> Errors:
    """The name of a CSI driver: a domain name, 63 characters at most."""
    if not name:
        yield FieldError.required(path)
        return
    if len(name) > DRIVER_NAME_MAX:
        yield FieldError.too_long(path, DRIVER_NAME_MAX)
    for problem in names.dns_1123_subdomain(name.lower()):
        yield FieldError.invalid(path, name, problem)


def _validate_capacity(spec: PersistentVolumeSpec, path: str) -> Errors:
    if not spec.capacity:
        yield FieldError.required(path)
    elif spec.capacity.keys() != {"storage"}:
        yield FieldError.not_supported(path, spec.capacity, ("storage",))
    for name, value in spec.capacity.items():
        yield from validate_size(value, f"{path}[{name}]")


def _validate_affinity(spec: PersistentVolumeSpec, path: str) -> Errors:
    wanted = spec.node_affinity.required if spec.node_affinity is not None else None
    if wanted is None:
        yield FieldError.required(f"{path}.required", "must specify required node constraints")
    else:
        yield from validate_node_selector(wanted, f"{path}.required")


def _validate_csi(source: CSIPersistentVolumeSource, path: str) -> Errors:
    yield from validate_driver_name(f"{path}.driver", source.driver)
    yield from required(f"{path}.volumeHandle", source.volume_handle)
    secrets: tuple[tuple[str, SecretReference | None], ...] = (
        ("controllerPublishSecretRef", source.controller_publish_secret_ref),
        ("controllerExpandSecretRef", source.controller_expand_secret_ref),
        ("nodePublishSecretRef", source.node_publish_secret_ref),
        ("nodeStageSecretRef", source.node_stage_secret_ref),
        ("nodeExpandSecretRef", source.node_expand_secret_ref),
    )
    for name, secret in secrets:
        if secret is not None:
            yield from required(f"{path}.{name}.name", secret.name)
            yield from required(f"{path}.{name}.namespace", secret.namespace)


def _sources(spec: PersistentVolumeSpec) -> dict[str, Any]:
    """The sources that are given, by wire name."""
    return {
        wire_name: getattr(spec, attribute)
        for attribute, wire_name in zip(spec.__struct_fields__, spec.__struct_encode_fields__, strict=True)
        if attribute not in _NO_SOURCES and getattr(spec, attribute) is not None
    }


def _settled_sources(new: PersistentVolumeSpec, old: PersistentVolumeSpec) -> dict[str, Any]:
    """The new sources, without secrets for expansion that are named for the first time: volumes may learn to grow."""
    found = _sources(new)
    if new.csi is not None and old.csi is not None:
        first = {
            name: None for name in ("controller_expand_secret_ref", "node_expand_secret_ref") if getattr(old.csi, name) is None
        }
        found["csi"] = msgspec.structs.replace(new.csi, **first)
    return found


def _is_root(path: str) -> bool:
    return not path.strip("/").replace("/", "").replace(".", "")
