"""Which pods a Service sends to, and at which port of each. Pure.

Source: the Kubernetes page "Service".
"""

from collections.abc import Iterable

from apimachinery.kinds import Pod, Service, ServicePort
from apimachinery.labels import Selector, from_map
from controller_manager.shared import pods as podinfo

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
HEADLESS_LABEL = "service.kubernetes.io/headless"


def selects(service: Service) -> Selector | None:
    """The Service's pod selector; None for a Service whose endpoints others keep (no selector, or an external name)."""
    if not service.spec.selector or service.spec.type == "ExternalName":
        return None
    return from_map(service.spec.selector)


def may_serve(pod: Pod) -> bool:
    """Whether the pod has an address and may still run containers behind it; a terminating one may."""
    return bool(podinfo.pod_ip(pod)) and not podinfo.is_terminal(pod)


def is_headless(service: Service) -> bool:
    return service.spec.cluster_ip == "None"


def hostname_of(pod: Pod, service: Service) -> str:
    """The name the pod has below the Service's own in DNS, or ""."""
    same = pod.spec.subdomain == service.metadata.name and pod.metadata.namespace == service.metadata.namespace
    return pod.spec.hostname if same else ""


def target_port(pod: Pod, port: ServicePort) -> int | None:
    """The number of the pod's port that `port` means; None when the pod has no port of that name."""
    target = port.target_port
    if target is None or target == 0 or target == "":
        return port.port
    if isinstance(target, int):
        return target
    if target.isdigit():
        return int(target)
    restartable = (each for each in pod.spec.init_containers if each.restart_policy == "Always")
    for container in (*pod.spec.containers, *restartable):
        for candidate in container.ports:
            if candidate.name == target and (candidate.protocol or "TCP") == (port.protocol or "TCP"):
                return candidate.container_port
    return None


def services_of(pod: Pod, services: Iterable[Service]) -> list[Service]:
    """Those of the namespace's Services that select the pod."""
    chosen = []
    for service in services:
        selector = selects(service)
        if selector is not None and selector.matches(pod.metadata.labels):
            chosen.append(service)
    return chosen


def changes_endpoints(old: Pod | None, new: Pod | None) -> bool:
    """Whether an event of a pod can change what a Service that selects it sends to."""
    if old is None or new is None:
        return True
    return _facts(old) != _facts(new)


def _facts(pod: Pod) -> tuple[object, ...]:
    return (
        pod.metadata.uid,
        pod.metadata.labels,
        podinfo.is_terminating(pod),
        podinfo.is_terminal(pod),
        podinfo.is_ready(pod),
        podinfo.pod_ip(pod),
        pod.spec.node_name,
        pod.spec.hostname,
        pod.spec.subdomain,
    )
