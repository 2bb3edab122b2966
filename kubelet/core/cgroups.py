"""Resources of pods as control group values: quality of service, where a pod's group lies, limits.

Source: the Kubernetes pages "Configure Quality of Service for Pods" and "Resource Management for Pods and Containers"; the
kernel's documents on cgroup v1 and v2.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from apimachinery.kinds import Container, Pod
from apimachinery.kinds.base import Quantity
from apimachinery.quantity import int_value, milli_value
from kubelet.core.pods import is_sidecar
from proto.gen.cri_pb2 import LinuxContainerResources

PERIOD_US = 100_000
_MINIMUM_QUOTA_US = 1000
_MINIMUM_SHARES = 2
_MAXIMUM_SHARES = 262_144
UNLIMITED = -1
GUARANTEED, BURSTABLE, BEST_EFFORT = "Guaranteed", "Burstable", "BestEffort"


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """What a pod's control group is set to; None leaves what is there, which for a new group is no limit; UNLIMITED lifts it.

    CPU time in microseconds of each period.
    """

    cpu_shares: int | None = None
    cpu_quota_us: int | None = None
    memory_bytes: int | None = None


def qos_class(pod: Pod) -> str:
    """Guaranteed when every container limits CPU and memory and requests as much; BestEffort when none asks for anything."""
    if pod.status.qos_class:
        return pod.status.qos_class
    every = [*pod.spec.init_containers, *pod.spec.containers]
    asked = [quantity for each in every for quantity in _compute(each.resources.requests | each.resources.limits).values()]
    if not any(milli_value(quantity) for quantity in asked):
        return BEST_EFFORT
    return GUARANTEED if all(_guaranteed(each) for each in every) else BURSTABLE


def pod_group(root: str, pod: Pod) -> str:
    """Path of the pod's group below `root`: guaranteed pods at the top, the others under their class."""
    qos = qos_class(pod)
    middle = "" if qos == GUARANTEED else f"/{qos.lower()}"
    return f"{root}{middle}/pod{pod.metadata.uid}"


def pod_limits(pod: Pod) -> GroupLimits:
    """Shares for what the pod requests; limits only where every container has one."""
    containers = [*(each for each in pod.spec.init_containers if is_sidecar(each)), *pod.spec.containers]
    requests = [milli_value(_request(each, "cpu")) for each in containers]
    cpu = [each.resources.limits.get("cpu") for each in containers]
    memory = [each.resources.limits.get("memory") for each in containers]
    overhead_cpu = milli_value(pod.spec.overhead.get("cpu", "0"))
    overhead_memory = int_value(pod.spec.overhead.get("memory", "0"))
    cpu_limit = _with_init(pod, "cpu", sum(milli_value(each) for each in cpu if each is not None), milli=True)
    memory_limit = _with_init(pod, "memory", sum(int_value(each) for each in memory if each is not None), milli=False)
    return GroupLimits(
        cpu_shares=shares(sum(requests) + overhead_cpu),
        cpu_quota_us=quota_us(cpu_limit + overhead_cpu) if all(each is not None for each in cpu) else None,
        memory_bytes=memory_limit + overhead_memory if all(each is not None for each in memory) else None,
    )


def shares(milli_cpu: int) -> int:
    """CPU weight of so many thousandths of a core, 1024 for each core."""
    return min(max(milli_cpu * 1024 // 1000, _MINIMUM_SHARES), _MAXIMUM_SHARES)


def quota_us(milli_cpu: int) -> int:
    """CPU time in each period for so many thousandths of a core."""
    return max(milli_cpu * PERIOD_US // 1000, _MINIMUM_QUOTA_US)


def weight(cpu_shares: int) -> int:
    """The cgroup v2 weight (1 to 10,000) of cgroup v1 shares (2 to 262,144)."""
    return 1 + (cpu_shares - _MINIMUM_SHARES) * 9999 // (_MAXIMUM_SHARES - _MINIMUM_SHARES)


def container_resources(pod: Pod, container: Container, memory_capacity_bytes: int) -> LinuxContainerResources:
    """What CRI shall set for a container."""
    limits = container.resources.limits
    resources = LinuxContainerResources(
        cpu_shares=shares(milli_value(_request(container, "cpu"))),
        oom_score_adj=oom_score(pod, container, memory_capacity_bytes),
    )
    if "cpu" in limits:
        resources.cpu_period = PERIOD_US
        resources.cpu_quota = quota_us(milli_value(limits["cpu"]))
    if "memory" in limits:
        resources.memory_limit_in_bytes = int_value(limits["memory"])
    return resources


def oom_score(pod: Pod, container: Container, memory_capacity_bytes: int) -> int:
    """How willingly the kernel kills it when memory runs out: -997 hardly ever, 1000 first."""
    qos = qos_class(pod)
    if qos == GUARANTEED:
        return -997
    if qos == BEST_EFFORT:
        return 1000
    request = int_value(_request(container, "memory"))
    score = 1000 - 1000 * request // max(memory_capacity_bytes, 1)
    return min(max(score, 3), 999)


def _request(container: Container, resource: str) -> Quantity:
    """What the container asks for; a limit alone is a request of as much."""
    resources = container.resources
    return resources.requests.get(resource, resources.limits.get(resource, "0"))


def _guaranteed(container: Container) -> bool:
    limits, requests = container.resources.limits, container.resources.requests
    return all(
        resource in limits and milli_value(limits[resource]) == milli_value(requests.get(resource, limits[resource]))
        for resource in ("cpu", "memory")
    )


def _compute(resources: Mapping[str, Quantity]) -> dict[str, Quantity]:
    return {name: quantity for name, quantity in resources.items() if name in ("cpu", "memory")}


def _with_init(pod: Pod, resource: str, total: int, *, milli: bool) -> int:
    """The total, or what the greediest init container needs if that is more: those run alone."""
    value = milli_value if milli else int_value
    initial = [each.resources.limits.get(resource) for each in pod.spec.init_containers if not is_sidecar(each)]
    return max([total, *(value(each) for each in initial if each is not None)])
