"""The Scale of a workload: a view of its replicas, and what writing it does to the workload."""

from collections.abc import Mapping
from typing import Any

from apimachinery import codec, errors, labels
from apimachinery.errors import FieldError
from apimachinery.kinds import (
    Deployment,
    ReplicaSet,
    ReplicationController,
    Scale,
    ScaleSpec,
    ScaleStatus,
    StatefulSet,
)
from apimachinery.kinds.meta import LabelSelector, ObjectMeta
from apimachinery.kinds.object import Object
from apimachinery.resources import Resource
from apiserver.core.custom import CustomResource, ScalePaths, Structured, set_at, value_at

SCALE_API_VERSION = "autoscaling/v1"


def scale_of(obj: Object) -> Scale:
    """The Scale of a workload; raises ApiError (404) for a kind that has none."""
    if isinstance(obj, Structured):
        return _custom_scale(obj)
    workload = _workload(obj)
    return Scale(
        metadata=_metadata(obj),
        spec=ScaleSpec(replicas=workload.spec.replicas),
        status=ScaleStatus(replicas=workload.status.replicas or 0, selector=_selector_text(workload.spec.selector)),
    )


def rescaled(obj: Object, scale: Scale) -> Object:
    """A copy of the workload with the replicas of `scale`; raises ApiError (422) for a negative number."""
    wanted = scale.spec.replicas or 0
    if wanted < 0:
        wrong = FieldError.invalid("spec.replicas", wanted, "must be greater than or equal to 0")
        raise errors.invalid("Scale", obj.metadata.name, [wrong], group="autoscaling")
    if isinstance(obj, Structured):
        changed = codec.deep_copy(obj)
        set_at(changed, _paths(obj).replicas, wanted)
        return changed
    result: Object = codec.deep_copy(_workload(obj))
    _workload(result).spec.replicas = wanted
    return result


def configuration_of_scale(resource: Resource, scale: Mapping[str, Any]) -> dict[str, Any]:
    """What applying a Scale, as plain data, applies to its workload: the replicas, and which object in which state is meant.

    Raises ApiError (400) for a Scale of another version, or that is none.
    """
    codec.convert(Scale, scale)
    if scale.get("apiVersion") != SCALE_API_VERSION:
        raise errors.bad_request(
            "Incorrect version specified in apply patch. "
            f"Specified patch version: {scale.get('apiVersion') or ''}, expected: {SCALE_API_VERSION}"
        )
    metadata = scale.get("metadata") or {}
    kept = {key: metadata[key] for key in ("name", "namespace", "uid", "resourceVersion", "managedFields") if key in metadata}
    wanted: dict[str, Any] = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": kept}
    replicas = (scale.get("spec") or {}).get("replicas")
    if replicas is not None:
        path = resource.scale.replicas if isinstance(resource, CustomResource) and resource.scale else ("spec", "replicas")
        for name in reversed(path):
            replicas = {name: replicas}
        wanted |= replicas
    return wanted


def _metadata(obj: Object) -> ObjectMeta:
    meta = obj.metadata
    return ObjectMeta(
        name=meta.name,
        namespace=meta.namespace,
        uid=meta.uid,
        resource_version=meta.resource_version,
        creation_timestamp=meta.creation_timestamp,
    )


def _paths(obj: Structured) -> ScalePaths:
    row = type(obj).row
    if not isinstance(row, CustomResource) or row.scale is None:
        raise errors.no_such_path()
    return row.scale


def _custom_scale(obj: Structured) -> Scale:
    paths = _paths(obj)
    replicas = value_at(obj, paths.replicas)
    if not _is_count(replicas):
        place = ".".join(paths.replicas)
        raise errors.internal(f'the spec replicas field ".{place}" does not exist' if replicas is None else _no_count(place))
    there = value_at(obj, paths.status_replicas)
    selector = value_at(obj, paths.selector) if paths.selector else ""
    return Scale(
        metadata=_metadata(obj),
        spec=ScaleSpec(replicas=replicas),
        status=ScaleStatus(replicas=there if _is_count(there) else 0, selector=selector if isinstance(selector, str) else ""),
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _no_count(place: str) -> str:
    return f'the spec replicas field ".{place}" is not a whole number'


def _workload(obj: Object) -> Any:
    if not isinstance(obj, Deployment | ReplicaSet | ReplicationController | StatefulSet):
        raise errors.no_such_path()
    return obj


def _selector_text(selector: LabelSelector | dict[str, str]) -> str:
    """A ReplicationController selects by labels alone."""
    return str(labels.from_struct(LabelSelector(match_labels=selector) if isinstance(selector, dict) else selector))
