"""The quality of service that a pod's resources come to.

Source: the Kubernetes page "Pod Quality of Service Classes".
"""

from apimachinery.kinds import PodSpec, ResourceRequirements
from apimachinery.kinds.base import Quantity
from apimachinery.quantity import parse_quantity
from apiserver.strategy.quantities import is_quantity

QOS_RESOURCES = ("cpu", "memory")


def qos_class(spec: PodSpec) -> str:
    """Guaranteed when every container limits CPU and memory and asks for as much; BestEffort when none says anything."""
    lists = [container.resources for container in (*spec.containers, *spec.init_containers)]
    if spec.resources is not None and (_given(spec.resources.limits) or _given(spec.resources.requests)):
        lists = [spec.resources]
    if not any(_given(each.limits) or _given(each.requests) for each in lists):
        return "BestEffort"
    return "Guaranteed" if all(map(_is_guaranteed, lists)) else "Burstable"


def _is_guaranteed(resources: ResourceRequirements) -> bool:
    requests, limits = _given(resources.requests), _given(resources.limits)
    return limits.keys() == set(QOS_RESOURCES) and all(
        parse_quantity(requests.get(name, limit)) == parse_quantity(limit) for name, limit in limits.items()
    )


def _given(resources: dict[str, Quantity]) -> dict[str, Quantity]:
    """CPU and memory, where they are more than nothing."""
    return {
        name: resources[name]
        for name in QOS_RESOURCES
        if name in resources and is_quantity(resources[name]) and parse_quantity(resources[name]) > 0
    }
