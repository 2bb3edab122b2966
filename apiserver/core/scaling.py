"""The Scale of a workload: a view of its replicas, and what writing it does to the workload."""

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


def scale_of(obj: Object) -> Scale:
    """The Scale of a workload; raises ApiError (404) for a kind that has none."""
    workload = _workload(obj)
    meta = workload.metadata
    return Scale(
        metadata=ObjectMeta(
            name=meta.name,
            namespace=meta.namespace,
            uid=meta.uid,
            resource_version=meta.resource_version,
            creation_timestamp=meta.creation_timestamp,
        ),
        spec=ScaleSpec(replicas=workload.spec.replicas),
        status=ScaleStatus(replicas=workload.status.replicas or 0, selector=_selector_text(workload.spec.selector)),
    )


def rescaled(obj: Object, scale: Scale) -> Object:
    """A copy of the workload with the replicas of `scale`; raises ApiError (422) for a negative number."""
    wanted = scale.spec.replicas or 0
    if wanted < 0:
        wrong = FieldError.invalid("spec.replicas", wanted, "must be greater than or equal to 0")
        raise errors.invalid("Scale", obj.metadata.name, [wrong], group="autoscaling")
    result: Object = codec.deep_copy(_workload(obj))
    _workload(result).spec.replicas = wanted
    return result


def _workload(obj: Object) -> Any:
    if not isinstance(obj, Deployment | ReplicaSet | ReplicationController | StatefulSet):
        raise errors.no_such_path()
    return obj


def _selector_text(selector: LabelSelector | dict[str, str]) -> str:
    """A ReplicationController selects by labels alone."""
    return str(labels.from_struct(LabelSelector(match_labels=selector) if isinstance(selector, dict) else selector))
