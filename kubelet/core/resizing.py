"""Changing what containers may use while they run: what is granted, what is applied, and what is told of it. Pure.

Three answers for each container: what its specification asks for, what this node has granted (allocated), and what the running
container was given (applied). A resize is granted as a whole once the node has room for it beside what its other pods were
granted; until then the pod goes on with what it had. What is granted is applied in place, or by a restart where the container's
resizePolicy says so. In between the pod's group is as wide as the wider of before and after, so that at no step a container
may use more than its pod.

Source: the Kubernetes page "Resize CPU and Memory Resources assigned to Containers".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from msgspec.structs import replace

from apimachinery import codec, pod_resources
from apimachinery.errors import ApiError
from apimachinery.kinds import Container, Pod, ResourceRequirements
from apimachinery.kinds.base import Quantity
from apimachinery.quantity import int_value, milli_value
from kubelet.core.cgroups import UNLIMITED, GroupLimits
from kubelet.core.model import RESOURCES, ContainerRecord, Observation
from kubelet.core.pods import is_sidecar

PENDING, IN_PROGRESS = CONDITIONS = ("PodResizePending", "PodResizeInProgress")
DEFERRED, INFEASIBLE = "Deferred", "Infeasible"
COMPUTE = ("cpu", "memory")

Granted: TypeAlias = Mapping[str, ResourceRequirements]
"""What containers were granted, by name."""
Amounts: TypeAlias = Mapping[str, int]
"""Thousandths of a core and bytes."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Why a resize is not granted: DEFERRED until there is room, or INFEASIBLE on this node."""

    reason: str
    message: str


@dataclass(frozen=True)
class Told:
    """What the status tells of a resize; `applied` goes by container id, where it is not what the container was made with."""

    pending: Pending | None = None
    error: str = ""
    applied: Mapping[str, ResourceRequirements] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """Give a running container what it was granted."""

    record: ContainerRecord
    container: Container
    restart: bool
    memory_falls_to: int | None = None
    """The new limit in bytes, when that is less than before."""


def resizable(pod: Pod) -> list[Container]:
    """The containers whose resources may change: those that go on running."""
    return [*(each for each in pod.spec.init_containers if is_sidecar(each)), *pod.spec.containers]


def wanted(pod: Pod) -> Granted:
    """What the specification asks for."""
    return {each.name: each.resources for each in resizable(pod)}


def granted_before(pod: Pod) -> Granted | None:
    """What the status says that this node had granted; None if that is what the specification asks for."""
    told = {each.name: each for each in (*pod.status.container_statuses, *pod.status.init_container_statuses)}
    found: dict[str, ResourceRequirements] = {}
    for container in resizable(pod):
        status, resources = told.get(container.name), container.resources
        if status is not None and status.resources is not None:
            resources = replace(resources, requests=status.allocated_resources, limits=status.resources.limits)
        found[container.name] = resources
    return None if found == wanted(pod) else found


def applied_before(pod: Pod, seen: Observation) -> dict[str, ResourceRequirements]:
    """What the running containers of a pod that a kubelet takes over were given last, by container id.

    The status tells it. Where the specification has changed since the status was written, what was given then may have been
    changed too: a container that can be changed in place is given it once more.
    """
    told = {each.name: each for each in (*pod.status.container_statuses, *pod.status.init_container_statuses)}
    is_old = pod.status.observed_generation != pod.metadata.generation
    found: dict[str, ResourceRequirements] = {}
    for container in resizable(pod):
        record, status = seen.latest(container.name), told.get(container.name)
        if record is None or not record.running or status is None or status.resources is None:
            continue
        in_place = all(each.restart_policy != "RestartContainer" for each in container.resize_policy)
        found[record.id] = ResourceRequirements() if is_old and in_place else status.resources
    return found


def with_granted(pod: Pod, granted: Granted | None) -> Pod:
    """The pod as this node runs it."""
    if granted is None:
        return pod

    def put(containers: list[Container]) -> list[Container]:
        return [replace(each, resources=granted[each.name]) if each.name in granted else each for each in containers]

    spec = replace(pod.spec, containers=put(pod.spec.containers), init_containers=put(pod.spec.init_containers))
    return replace(pod, spec=spec)


def requests(pod: Pod) -> Amounts:
    """What a pod as a whole takes of its node."""
    asked = pod_resources.requests(pod.spec)
    return {"cpu": milli_value(asked.get("cpu", "0")), "memory": int_value(asked.get("memory", "0"))}


def total(amounts: Iterable[Amounts]) -> Amounts:
    listed = list(amounts)
    return {name: sum(each[name] for each in listed) for name in COMPUTE}


def assess(pod: Pod, present: Amounts, others: Amounts, allocatable: Mapping[str, Quantity]) -> Pending | None:
    """Whether the node has room for what the pod's specification asks for, beside what others were granted.

    What does not grow over `present`, which the pod has now, needs no room.
    """
    asked = requests(pod)
    capacity = {"cpu": milli_value(allocatable.get("cpu", "0")), "memory": int_value(allocatable.get("memory", "0"))}
    growing = [name for name in COMPUTE if asked[name] > present[name]]
    for name in growing:
        if asked[name] > capacity[name]:
            numbers = f"requested: {asked[name]}, capacity: {capacity[name]}"
            return Pending(INFEASIBLE, f"Node didn't have enough capacity: {name}, {numbers}")
    for name in growing:
        if asked[name] + others[name] > capacity[name]:
            numbers = f"requested: {asked[name]}, used: {others[name]}, capacity: {capacity[name]}"
            return Pending(DEFERRED, f"Node didn't have enough resource: {name}, {numbers}")
    return None


def steps(pod: Pod, seen: Observation, applied: Mapping[str, ResourceRequirements]) -> list[Step]:
    """What to do so that the running containers have what `pod` (as granted) says; nothing, for nearly every pod."""
    found = []
    for container in resizable(pod):
        record = seen.latest(container.name)
        if record is None or not record.running:
            continue
        given = given_to(record, applied)
        if given == container.resources:
            continue
        changed = [name for name in COMPUTE if _of(given, name) != _of(container.resources, name)]
        if not changed:
            continue
        policies = {each.resource_name: each.restart_policy for each in container.resize_policy}
        restart = any(policies.get(name) == "RestartContainer" for name in changed)
        found.append(Step(record, container, restart, _falling_limit(given, container.resources)))
    return found


def given_to(record: ContainerRecord, applied: Mapping[str, ResourceRequirements]) -> ResourceRequirements:
    """What a container was given last."""
    if record.id in applied:
        return applied[record.id]
    text = record.annotations.get(RESOURCES, "")
    return _parsed(text) if text else ResourceRequirements()


def resources_text(resources: ResourceRequirements) -> str:
    """As a container carries what it was made with; empty when that is nothing."""
    return codec.encode(resources).decode() if resources.limits or resources.requests else ""


def wider(ones: GroupLimits, others: GroupLimits) -> GroupLimits:
    """Limits that hold both for what was and for what comes; where either is not limited, none."""
    return GroupLimits(
        max(ones.cpu_shares or 0, others.cpu_shares or 0) or None,
        _most(ones.cpu_quota_us, others.cpu_quota_us),
        _most(ones.memory_bytes, others.memory_bytes),
    )


def _most(one: int | None, other: int | None) -> int:
    return UNLIMITED if one is None or other is None else max(one, other)


def _of(resources: ResourceRequirements, name: str) -> tuple[Quantity | None, Quantity | None]:
    return resources.requests.get(name), resources.limits.get(name)


def _falling_limit(before: ResourceRequirements, after: ResourceRequirements) -> int | None:
    if "memory" not in before.limits or "memory" not in after.limits:
        return None
    limit = int_value(after.limits["memory"])
    return limit if limit < int_value(before.limits["memory"]) else None


def _parsed(text: str) -> ResourceRequirements:
    try:
        return codec.decode(ResourceRequirements, text.encode())
    except ApiError:
        return ResourceRequirements()  # by a hand that is not ours: what is granted is applied once more
