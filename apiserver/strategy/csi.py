"""What CSI drivers tell the cluster: themselves, their nodes, room that is left, and volumes attached to nodes.

Source: the Kubernetes page "Storage Capacity"; the API reference of CSIDriver, CSINode, CSIStorageCapacity and
VolumeAttachment.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import (
    CSIDriver,
    CSIDriverSpec,
    CSINode,
    CSINodeDriver,
    CSIStorageCapacity,
    VolumeAttachment,
    VolumeAttachmentSource,
    VolumeAttachmentStatus,
)
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, named, not_negative, one_of, required_name, unchanged, unique
from apiserver.strategy.persistent_volumes import DRIVER_NAME_MAX, validate_driver_name, validate_inline_volume_spec
from apiserver.strategy.pod_defaults import default_network_sources
from apiserver.strategy.pod_volumes import TOKEN_SECONDS_MAX, TOKEN_SECONDS_MIN
from apiserver.strategy.quantities import canonical_quantity, canonicalize, validate_quantity
from apiserver.strategy.selectors import validate_label_selector

FS_GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")
NODE_ID_MAX = 256
UPDATE_PERIOD_MIN_S = 10
METADATA_BYTES_MAX = 256 << 10
MESSAGE_MAX = 1024


class CSIDriverStrategy(Strategy[CSIDriver]):
    allow_unconditional_update = False

    def name_problems(self, name: str) -> Sequence[str]:
        problems = names.dns_1123_subdomain(name.lower())
        return problems if len(name) <= DRIVER_NAME_MAX else [*problems, f"must be no more than {DRIVER_NAME_MAX} characters"]

    def default(self, obj: CSIDriver) -> None:
        spec = obj.spec
        spec.attach_required = True if spec.attach_required is None else spec.attach_required
        spec.pod_info_on_mount = bool(spec.pod_info_on_mount)
        spec.storage_capacity = bool(spec.storage_capacity)
        spec.requires_republish = bool(spec.requires_republish)
        spec.se_linux_mount = bool(spec.se_linux_mount)
        spec.fs_group_policy = spec.fs_group_policy or "ReadWriteOnceWithFSType"
        spec.volume_lifecycle_modes = spec.volume_lifecycle_modes or ["Persistent"]

    def check(self, obj: CSIDriver) -> Iterator[FieldError]:
        spec = obj.spec
        yield from one_of("spec.fsGroupPolicy", spec.fs_group_policy, FS_GROUP_POLICIES)
        for index, mode in enumerate(spec.volume_lifecycle_modes):
            yield from one_of(f"spec.volumeLifecycleModes[{index}]", mode, ("Ephemeral", "Persistent"))
        yield from _validate_tokens(spec, "spec.tokenRequests")
        period_s = spec.node_allocatable_update_period_seconds
        if period_s is not None and period_s < UPDATE_PERIOD_MIN_S:
            detail = f"must be greater than or equal to {UPDATE_PERIOD_MIN_S} seconds"
            yield FieldError.invalid("spec.nodeAllocatableUpdatePeriodSeconds", period_s, detail)
        if spec.service_account_token_in_secrets is not None and not spec.token_requests:
            detail = "may only be set when `tokenRequests` is not empty"
            yield FieldError.invalid("spec.serviceAccountTokenInSecrets", spec.service_account_token_in_secrets, detail)

    def check_update(self, new: CSIDriver, old: CSIDriver, subresource: str) -> Iterator[FieldError]:
        yield from unchanged("spec.attachRequired", new.spec.attach_required, old.spec.attach_required)
        modes = new.spec.volume_lifecycle_modes
        yield from unchanged("spec.volumeLifecycleModes", modes, old.spec.volume_lifecycle_modes)


class CSINodeStrategy(Strategy[CSINode]):
    allow_unconditional_update = False

    def check(self, obj: CSINode) -> Iterator[FieldError]:
        for index, driver in enumerate(obj.spec.drivers):
            yield from _validate_node_driver(driver, f"spec.drivers[{index}]")
        yield from unique("spec.drivers", [driver.name for driver in obj.spec.drivers], ".name")

    def check_update(self, new: CSINode, old: CSINode, subresource: str) -> Iterator[FieldError]:
        """How many volumes a driver can attach may change, nothing else of it."""
        before = {driver.name: _without_room(driver) for driver in old.spec.drivers}
        for index, driver in enumerate(new.spec.drivers):
            if driver.name in before:
                path = f"spec.drivers[{index}]"
                if _without_room(driver) != before[driver.name]:
                    yield FieldError.invalid(path, driver.name, "field is immutable")


class CSIStorageCapacityStrategy(Strategy[CSIStorageCapacity]):
    allow_unconditional_update = False

    def default(self, obj: CSIStorageCapacity) -> None:
        if obj.capacity is not None:
            obj.capacity = canonical_quantity(obj.capacity)
        if obj.maximum_volume_size is not None:
            obj.maximum_volume_size = canonical_quantity(obj.maximum_volume_size)

    def check(self, obj: CSIStorageCapacity) -> Iterator[FieldError]:
        yield from validate_label_selector(obj.node_topology, "nodeTopology")
        yield from required_name("storageClassName", obj.storage_class_name, names.dns_1123_subdomain)
        if obj.capacity is not None:
            yield from validate_quantity("capacity", obj.capacity)
        if obj.maximum_volume_size is not None:
            yield from validate_quantity("maximumVolumeSize", obj.maximum_volume_size)

    def check_update(self, new: CSIStorageCapacity, old: CSIStorageCapacity, subresource: str) -> Iterator[FieldError]:
        yield from unchanged("nodeTopology", new.node_topology, old.node_topology)
        yield from unchanged("storageClassName", new.storage_class_name, old.storage_class_name)


class VolumeAttachmentStrategy(Strategy[VolumeAttachment]):
    has_status = True
    allow_unconditional_update = False

    def default(self, obj: VolumeAttachment) -> None:
        if obj.spec.source.inline_volume_spec is not None:
            default_network_sources(obj.spec.source.inline_volume_spec)
            canonicalize(obj.spec.source.inline_volume_spec.capacity)

    def check(self, obj: VolumeAttachment) -> Iterator[FieldError]:
        yield from validate_driver_name("spec.attacher", obj.spec.attacher)
        yield from _validate_attached(obj.spec.source, "spec.source")
        yield from required_name("spec.nodeName", obj.spec.node_name, names.dns_1123_subdomain)

    def check_update(self, new: VolumeAttachment, old: VolumeAttachment, subresource: str) -> Iterator[FieldError]:
        return unchanged("spec", new.spec, old.spec)

    def check_status_update(self, new: VolumeAttachment, old: VolumeAttachment) -> Iterator[FieldError]:
        return _validate_attachment(new.status, "status")


def _validate_tokens(spec: CSIDriverSpec, path: str) -> Errors:
    seen = set()
    for index, request in enumerate(spec.token_requests):
        if request.audience in seen:
            yield FieldError.duplicate(f"{path}[{index}].audience", request.audience)
        seen.add(request.audience)
        seconds, where = request.expiration_seconds, f"{path}[{index}].expirationSeconds"
        if seconds is not None and seconds < TOKEN_SECONDS_MIN:
            yield FieldError.invalid(where, seconds, "may not specify a duration less than 10 minutes")
        elif seconds is not None and seconds > TOKEN_SECONDS_MAX:
            yield FieldError.invalid(where, seconds, "may not specify a duration larger than 2^32 seconds")


def _validate_node_driver(driver: CSINodeDriver, path: str) -> Errors:
    yield from validate_driver_name(f"{path}.name", driver.name)
    if not driver.node_id:
        yield FieldError.required(f"{path}.nodeID")
    elif len(driver.node_id) > NODE_ID_MAX:
        yield FieldError.invalid(f"{path}.nodeID", driver.node_id, f"must be {NODE_ID_MAX} characters or less")
    if driver.allocatable is not None:
        yield from not_negative(f"{path}.allocatable.count", driver.allocatable.count)
    for index, key in enumerate(driver.topology_keys):
        yield from named(f"{path}.topologyKeys[{index}]", key, names.qualified_name)
    yield from unique(f"{path}.topologyKeys", driver.topology_keys)


def _without_room(driver: CSINodeDriver) -> CSINodeDriver:
    return msgspec.structs.replace(driver, allocatable=None)


def _validate_attached(source: VolumeAttachmentSource, path: str) -> Errors:
    inline, name = source.inline_volume_spec, source.persistent_volume_name
    exactly_one = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
    if inline is None and not name:
        yield FieldError.required(path, exactly_one)
    elif inline is not None and name:
        yield FieldError.forbidden(path, exactly_one)
    elif inline is not None:
        yield from validate_inline_volume_spec(inline, f"{path}.inlineVolumeSpec")
    else:
        yield from named(f"{path}.persistentVolumeName", name, names.dns_1123_subdomain)


def _validate_attachment(status: VolumeAttachmentStatus, path: str) -> Errors:
    if _size_bytes(status.attachment_metadata) > METADATA_BYTES_MAX:
        yield FieldError.too_long(f"{path}.attachmentMetadata", METADATA_BYTES_MAX)
    for name, error in (("attachError", status.attach_error), ("detachError", status.detach_error)):
        if error is not None and len(error.message) > MESSAGE_MAX:
            yield FieldError.too_long(f"{path}.{name}.message", MESSAGE_MAX)


def _size_bytes(texts: Mapping[str, str]) -> int:
    return sum(len(key.encode()) + len(value.encode()) for key, value in texts.items())
