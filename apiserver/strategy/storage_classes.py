"""StorageClasses and VolumeAttributesClasses: named ways to make volumes, and to change them; what they say is fixed.

Source: the Kubernetes pages "Storage Classes" and "Volume Attributes Classes".
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import StorageClass, TopologySelectorTerm, VolumeAttributesClass
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import Errors, named, one_of, unchanged
from apiserver.strategy.persistent_volumes import validate_driver_name

PARAMETERS_MAX = 512
PARAMETERS_BYTES_MAX = 256 << 10


class StorageClassStrategy(Strategy[StorageClass]):
    def default(self, obj: StorageClass) -> None:
        obj.reclaim_policy = obj.reclaim_policy or "Delete"
        obj.volume_binding_mode = obj.volume_binding_mode or "Immediate"

    def check(self, obj: StorageClass) -> Iterator[FieldError]:
        if obj.provisioner:
            for problem in names.qualified_name(obj.provisioner.lower()):
                yield FieldError.invalid("provisioner", obj.provisioner, problem)
        else:
            yield FieldError.required("provisioner")
        yield from _validate_parameters(obj.parameters, "parameters")
        yield from one_of("reclaimPolicy", obj.reclaim_policy, ("Delete", "Retain"))
        yield from one_of("volumeBindingMode", obj.volume_binding_mode, ("Immediate", "WaitForFirstConsumer"))
        yield from _validate_topologies(obj.allowed_topologies, "allowedTopologies")

    def check_update(self, new: StorageClass, old: StorageClass, subresource: str) -> Iterator[FieldError]:
        yield from _validate_fixed("parameters", new.parameters, old.parameters)
        yield from _validate_fixed("provisioner", new.provisioner, old.provisioner)
        yield from _validate_fixed("reclaimPolicy", new.reclaim_policy, old.reclaim_policy)
        yield from unchanged("volumeBindingMode", new.volume_binding_mode, old.volume_binding_mode)


class VolumeAttributesClassStrategy(Strategy[VolumeAttributesClass]):
    def check(self, obj: VolumeAttributesClass) -> Iterator[FieldError]:
        yield from validate_driver_name("driverName", obj.driver_name)
        if not obj.parameters:
            yield FieldError.required("parameters", "must contain at least one key/value pair")
        yield from _validate_parameters(obj.parameters, "parameters")

    def check_update(self, new: VolumeAttributesClass, old: VolumeAttributesClass, subresource: str) -> Iterator[FieldError]:
        yield from _validate_fixed("driverName", new.driver_name, old.driver_name)
        yield from _validate_fixed("parameters", new.parameters, old.parameters)


def _validate_fixed(path: str, new: Any, old: Any) -> Errors:
    if new != old:
        yield FieldError.forbidden(path, f"updates to {path} are forbidden.")


def _validate_parameters(parameters: Mapping[str, str], path: str) -> Errors:
    if len(parameters) > PARAMETERS_MAX:
        yield FieldError.too_long(path, PARAMETERS_MAX, "entries")
    if "" in parameters:
        yield FieldError.invalid(path, "", "field can not be empty.")
    if sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items()) > PARAMETERS_BYTES_MAX:
        yield FieldError.too_long(path, PARAMETERS_BYTES_MAX)


def _validate_topologies(terms: Sequence[TopologySelectorTerm], path: str) -> Errors:
    seen: list[dict[str, set[str]]] = []
    for index, term in enumerate(terms):
        where = f"{path}[{index}].matchLabelExpressions"
        wanted: dict[str, set[str]] = {}
        for position, expression in enumerate(term.match_label_expressions):
            yield from named(f"{where}[{position}].key", expression.key, names.qualified_name)
            if expression.key in wanted:
                yield FieldError.duplicate(f"{where}[{position}].key", expression.key)
            if not expression.values:
                yield FieldError.required(f"{where}[{position}].values")
            for number, value in enumerate(expression.values):
                if value in expression.values[:number]:
                    yield FieldError.duplicate(f"{where}[{position}].values[{number}]", value)
            wanted[expression.key] = set(expression.values)
        if wanted in seen:
            yield FieldError.duplicate(where, "")
        seen.append(wanted)
