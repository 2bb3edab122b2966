"""How storage is asked for: by claims, by templates of claims, and by pods with volumes of their own.

Source: the Kubernetes page "Persistent Volumes" and the API reference of PersistentVolumeClaimSpec.
"""

from collections.abc import Sequence

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds.base import Quantity
from apimachinery.kinds.references import TypedLocalObjectReference, TypedObjectReference
from apimachinery.kinds.volumes import PersistentVolumeClaimSpec
from apimachinery.quantity import parse_quantity
from apiserver.strategy.checks import Errors, named, one_of, optional_one_of
from apiserver.strategy.quantities import canonicalize, is_quantity, validate_quantity
from apiserver.strategy.selectors import validate_label_selector

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
CLAIM = ("", "PersistentVolumeClaim")
SNAPSHOT = ("snapshot.storage.k8s.io", "VolumeSnapshot")


def default_claim_spec(spec: PersistentVolumeClaimSpec) -> None:
    """A file system is wanted, and the two ways to name what a volume is filled with agree."""
    spec.volume_mode = spec.volume_mode or "Filesystem"
    canonicalize(spec.resources.limits)
    canonicalize(spec.resources.requests)
    source, reference = spec.data_source, spec.data_source_ref
    if source is not None and reference is None:
        if (source.api_group, source.kind) in (CLAIM, SNAPSHOT):
            spec.data_source_ref = TypedObjectReference(kind=source.kind, name=source.name, api_group=source.api_group)
        else:
            spec.data_source = None  # it has never been looked at for other kinds
    elif (
        source is None
        and reference is not None
        and not reference.namespace
        and (reference.api_group, reference.kind) in (CLAIM, SNAPSHOT)
    ):
        spec.data_source = TypedLocalObjectReference(kind=reference.kind, name=reference.name, api_group=reference.api_group)


def validate_claim_spec(spec: PersistentVolumeClaimSpec, path: str) -> Errors:
    yield from validate_access_modes(spec.access_modes, f"{path}.accessModes", "at least 1 access mode is required")
    yield from validate_label_selector(spec.selector, f"{path}.selector")
    if "storage" in spec.resources.requests:
        yield from validate_size(spec.resources.requests["storage"], f"{path}.resources[storage]")
    else:
        yield FieldError.required(f"{path}.resources[storage]")
    for kind, quantities in (("limits", spec.resources.limits), ("requests", spec.resources.requests)):
        for name, quantity in quantities.items():
            if (kind, name) != ("requests", "storage"):
                yield from validate_quantity(f"{path}.resources.{kind}[{name}]", quantity)
    for name, value in (
        ("storageClassName", spec.storage_class_name or ""),
        ("volumeAttributesClassName", spec.volume_attributes_class_name),
    ):
        if value:
            yield from named(f"{path}.{name}", value, names.dns_1123_subdomain)
    yield from optional_one_of(f"{path}.volumeMode", spec.volume_mode, VOLUME_MODES)
    yield from _validate_sources(spec, path)


def validate_access_modes(modes: Sequence[str], path: str, missing: str = "") -> Errors:
    if not modes:
        yield FieldError.required(path, missing)
    for index, mode in enumerate(modes):
        yield from one_of(f"{path}[{index}]", mode, ACCESS_MODES)
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        yield FieldError.forbidden(path, "may not use ReadWriteOncePod with other access modes")


def validate_size(value: Quantity, path: str) -> Errors:
    """A volume has at least one byte."""
    yield from validate_quantity(path, value)
    if is_quantity(value) and not parse_quantity(value):
        yield FieldError.invalid(path, value, "must be greater than zero")


def _validate_sources(spec: PersistentVolumeClaimSpec, path: str) -> Errors:
    source, reference = spec.data_source, spec.data_source_ref
    if source is not None:
        yield from _validate_source(source, f"{path}.dataSource")
    if reference is not None:
        yield from _validate_source(reference, f"{path}.dataSourceRef")
        if source is not None and reference.namespace:
            detail = "may not be specified when dataSourceRef.namespace is specified"
            yield FieldError.invalid(f"{path}.dataSource", source.kind, detail)
        elif source is not None and _triple(source) != _triple(reference):
            yield FieldError.invalid(f"{path}.dataSource", source.kind, "must match dataSourceRef")


def _validate_source(source: TypedLocalObjectReference | TypedObjectReference, path: str) -> Errors:
    if not source.name:
        yield FieldError.required(f"{path}.name")
    if not source.kind:
        yield FieldError.required(f"{path}.kind")
    if source.api_group:
        yield from named(f"{path}.apiGroup", source.api_group, names.dns_1123_subdomain)
    elif source.kind not in ("", "PersistentVolumeClaim"):
        yield FieldError.invalid(path, source.kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup")
    if isinstance(source, TypedObjectReference) and source.namespace:
        yield from named(f"{path}.namespace", source.namespace, names.dns_1123_label)


def _triple(source: TypedLocalObjectReference | TypedObjectReference) -> tuple[str, str, str]:
    return source.api_group, source.kind, source.name
