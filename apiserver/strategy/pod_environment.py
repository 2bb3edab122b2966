"""Rules for the environment of containers, and for references to a pod's own fields and resources.

Source: the Kubernetes pages "Define Environment Variables for a Container" and "Downward API".
"""

import re
from collections.abc import Collection, Sequence

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import (
    ConfigMapKeySelector,
    EnvFromSource,
    EnvVar,
    FileKeySelector,
    ObjectFieldSelector,
    ResourceFieldSelector,
    SecretKeySelector,
)
from apimachinery.quantity import canonical
from apimachinery.resource_names import is_huge_page
from apiserver.strategy.checks import Errors, named, no_backsteps, required
from apiserver.strategy.quantities import is_quantity

ENVIRONMENT_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
VOLUME_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")

_SUBSCRIPT = re.compile(r"(metadata\.(?:labels|annotations))\['([^']*)'\]")
_RESOURCES = tuple(f"{kind}.{name}" for kind in ("limits", "requests") for name in ("cpu", "memory", "ephemeral-storage"))
_CPU_DIVISORS = ("1m", "1")
_BYTE_DIVISORS = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")


def validate_environment(variables: Sequence[EnvVar], path: str, volumes: Collection[str]) -> Errors:
    for index, variable in enumerate(variables):
        where = f"{path}[{index}]"
        if variable.name:
            yield from named(f"{where}.name", variable.name, names.environment_name)
        else:
            yield FieldError.required(f"{where}.name")
        if variable.value_from is not None:
            yield from _validate_value_from(variable, f"{where}.valueFrom", volumes)


def validate_environment_sources(sources: Sequence[EnvFromSource], path: str) -> Errors:
    for index, source in enumerate(sources):
        where = f"{path}[{index}]"
        if source.prefix:
            yield from named(f"{where}.prefix", source.prefix, names.environment_name)
        given = [each for each in (source.config_map_ref, source.secret_ref) if each is not None]
        if not given:
            yield FieldError.invalid(where, "", "must specify one of: `configMapRef` or `secretRef`")
        elif len(given) > 1:
            yield FieldError.invalid(where, "", "may not have more than one field specified at a time")
        for wire_name, reference in (("configMapRef", source.config_map_ref), ("secretRef", source.secret_ref)):
            if reference is not None:
                yield from required(f"{where}.{wire_name}.name", reference.name)
                if reference.name:
                    yield from named(f"{where}.{wire_name}.name", reference.name, names.dns_1123_subdomain)


def validate_field_reference(reference: ObjectFieldSelector, path: str, supported: Sequence[str], subscripts: bool) -> Errors:
    """A field of the pod; with `subscripts`, single labels and annotations may be named too."""
    if not reference.api_version:
        yield FieldError.required(f"{path}.apiVersion")
    if not reference.field_path:
        yield FieldError.required(f"{path}.fieldPath")
        return
    where = f"{path}.fieldPath"
    if (found := _SUBSCRIPT.fullmatch(reference.field_path)) is not None:
        if not subscripts:
            yield FieldError.invalid(where, reference.field_path, "does not support subscript")
        key = found.group(2)
        if found.group(1) == "metadata.annotations":
            key = key.lower()
        yield from named(where, key, names.qualified_name)
    elif reference.field_path not in supported:
        yield FieldError.not_supported(where, reference.field_path, supported)


def validate_resource_reference(reference: ResourceFieldSelector, path: str, *, needs_container: bool) -> Errors:
    """A limit or request of a container."""
    if needs_container and not reference.container_name:
        yield FieldError.required(f"{path}.containerName")
    kind, _, name = reference.resource.partition(".")
    if not reference.resource:
        yield FieldError.required(f"{path}.resource")
    elif reference.resource not in _RESOURCES and not (kind in ("limits", "requests") and is_huge_page(name)):
        yield FieldError.not_supported(f"{path}.resource", reference.resource, _RESOURCES)
    elif reference.divisor is not None:
        allowed = _CPU_DIVISORS if name == "cpu" else _BYTE_DIVISORS
        if not is_quantity(reference.divisor) or canonical(reference.divisor) not in (*allowed, "0"):
            detail = f"only divisor's values {', '.join(allowed)} are supported with the {name} resource"
            yield FieldError.invalid(f"{path}.divisor", reference.divisor, detail)


def _validate_value_from(variable: EnvVar, path: str, volumes: Collection[str]) -> Errors:
    source = variable.value_from
    assert source is not None
    checks = []
    if source.field_ref is not None:
        checks.append(validate_field_reference(source.field_ref, f"{path}.fieldRef", ENVIRONMENT_FIELDS, subscripts=True))
    if source.resource_field_ref is not None:
        where = f"{path}.resourceFieldRef"
        checks.append(validate_resource_reference(source.resource_field_ref, where, needs_container=False))
    if source.config_map_key_ref is not None:
        checks.append(_validate_key(source.config_map_key_ref, f"{path}.configMapKeyRef"))
    if source.secret_key_ref is not None:
        checks.append(_validate_key(source.secret_key_ref, f"{path}.secretKeyRef"))
    if source.file_key_ref is not None:
        checks.append(_validate_file_key(source.file_key_ref, f"{path}.fileKeyRef", volumes))
    if not checks:
        detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        yield FieldError.invalid(path, "", detail)
    elif variable.value:
        yield FieldError.invalid(path, "", "may not be specified when `value` is not empty")
    elif len(checks) > 1:
        yield FieldError.invalid(path, "", "may not have more than one field specified at a time")
    for check in checks:
        yield from check


def _validate_key(reference: ConfigMapKeySelector | SecretKeySelector, path: str) -> Errors:
    yield from required(f"{path}.name", reference.name)
    if reference.name:
        yield from named(f"{path}.name", reference.name, names.dns_1123_subdomain)
    yield from required(f"{path}.key", reference.key)
    if reference.key:
        yield from named(f"{path}.key", reference.key, names.config_key)


def _validate_file_key(reference: FileKeySelector, path: str, volumes: Collection[str]) -> Errors:
    yield from required(f"{path}.key", reference.key)
    if reference.key:
        yield from named(f"{path}.key", reference.key, names.environment_name)
    yield from required(f"{path}.path", reference.path)
    if reference.path:
        yield from no_backsteps(f"{path}.path", reference.path)
    if not reference.volume_name:
        yield FieldError.required(f"{path}.volumeName")
    elif reference.volume_name not in volumes:
        yield FieldError.not_found(f"{path}.volumeName", reference.volume_name)
