"""What placing a pod on a node does to the pod."""

from datetime import datetime

from apimachinery import errors
from apimachinery.kinds import Binding, Pod, PodCondition
from apimachinery.times import format_time
from apiserver.core.request import Bind


def bind_pod(pod: Pod, bind: Bind, now: datetime) -> None:
    """Assign `pod` to its node, in place; raises ApiError (409) for a pod that has one, is going, or is another one."""
    meta = pod.metadata
    if bind.uid and bind.uid != meta.uid:
        detail = f"Precondition failed: UID in precondition: {bind.uid}, UID in object meta: {meta.uid}"
        raise errors.conflict("pods/binding", meta.name, detail)
    if meta.deletion_timestamp:
        raise errors.conflict("pods/binding", meta.name, f"pod {meta.name} is being deleted, cannot be assigned to a host")
    if pod.spec.node_name:
        detail = f'pod {meta.name} is already assigned to node "{pod.spec.node_name}"'
        raise errors.conflict("pods/binding", meta.name, detail)
    if pod.spec.scheduling_gates:
        raise errors.conflict("pods/binding", meta.name, f"pod {meta.name} has non-empty .spec.schedulingGates")
    pod.spec.node_name = bind.node
    meta.annotations = {**meta.annotations, **bind.annotations}
    scheduled = PodCondition(type="PodScheduled", status="True", last_transition_time=format_time(now))
    others = [each for each in pod.status.conditions if each.type != "PodScheduled"]
    pod.status.conditions = [*others, scheduled]


def from_binding(namespace: str, name: str, binding: Binding) -> Bind:
    """The Bind in a Binding's body; raises ApiError (400) when its target is no node."""
    target = binding.target
    if target.kind not in ("", "Node") or not target.name:
        raise errors.bad_request("target: a pod can only be bound to a Node, by its name")
    return Bind(namespace, name, binding.metadata.uid, target.name, dict(binding.metadata.annotations))
