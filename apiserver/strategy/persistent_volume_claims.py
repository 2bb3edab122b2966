"""PersistentVolumeClaims: what they ask for is fixed, but for growth once they have a volume.

Source: the Kubernetes page "Persistent Volumes", section "Expanding Persistent Volumes Claims".
"""

from collections.abc import Iterator

import msgspec

from apimachinery.errors import FieldError
from apimachinery.kinds import PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimStatus
from apimachinery.kinds.base import Quantity
from apimachinery.quantity import parse_quantity
from apiserver.core.default_classes import CLASS_ANNOTATION
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, optional_one_of, unchanged
from apiserver.strategy.claim_spec import default_claim_spec, validate_claim_spec
from apiserver.strategy.quantities import canonicalize, is_quantity, validate_resource_list

PHASES = ("Bound", "Lost", "Pending")


class PersistentVolumeClaimStrategy(Strategy[PersistentVolumeClaim]):
    has_status = True

    def default(self, obj: PersistentVolumeClaim) -> None:
        default_claim_spec(obj.spec)
        canonicalize(obj.status.capacity)
        canonicalize(obj.status.allocated_resources)

    def prepare_create(self, obj: PersistentVolumeClaim) -> None:
        super().prepare_create(obj)
        obj.status = PersistentVolumeClaimStatus(phase="Pending")

    def check(self, obj: PersistentVolumeClaim) -> Iterator[FieldError]:
        return validate_claim_spec(obj.spec, "spec")

    def check_update(self, new: PersistentVolumeClaim, old: PersistentVolumeClaim, subresource: str) -> Iterator[FieldError]:
        if _fixed(new, old) != _fixed(old, old):
            detail = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
            yield FieldError.forbidden("spec", detail)
        yield from _validate_size(new, old)
        key = CLASS_ANNOTATION
        yield from unchanged(
            f"metadata.annotations[{key}]", new.metadata.annotations.get(key, ""), old.metadata.annotations.get(key, "")
        )

    def check_status_update(self, new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> Iterator[FieldError]:
        status = new.status
        yield from optional_one_of("status.phase", status.phase, PHASES)
        yield from validate_resource_list("status.capacity", status.capacity)
        yield from validate_resource_list("status.allocatedResources", status.allocated_resources)


def _fixed(claim: PersistentVolumeClaim, stored: PersistentVolumeClaim) -> PersistentVolumeClaimSpec:
    """The specification without what may change, given how the claim is stored.

    A volume is named once. A claim without a class gets one late, as long as it has no volume. A bound claim may grow, and ask
    for other attributes.
    """
    spec, free = msgspec.structs.replace(claim.spec), stored.spec
    if not free.volume_name:
        spec.volume_name = ""
        if free.storage_class_name is None:
            spec.storage_class_name = None
    if stored.status.phase == "Bound":
        spec.volume_attributes_class_name = ""
        requests = {name: value for name, value in spec.resources.requests.items() if name != "storage"}
        spec.resources = msgspec.structs.replace(spec.resources, requests=requests)
    return spec


def _validate_size(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> Errors:
    """A bound claim may take back growth that failed, but not what it has."""
    wanted, before = _size(new.spec.resources.requests), _size(old.spec.resources.requests)
    if old.status.phase == "Bound" and wanted is not None and before is not None and wanted < before:
        has = _size(old.status.capacity)
        if has is None or wanted <= has:
            yield FieldError.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")


def _size(quantities: dict[str, Quantity]) -> int | None:
    value = quantities.get("storage")
    return int(parse_quantity(value)) if value is not None and is_quantity(value) else None
