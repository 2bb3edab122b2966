"""The Endpoints object that describes a Service's pods. Pure.

One subset for each set of ports; ready and not ready addresses apart; at most 1,000 addresses, ready ones first. A terminating
pod is left out, unless the Service publishes addresses that are not ready.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from apimachinery import codec
from apimachinery.kinds import (
    EndpointAddress,
    Endpoints,
    EndpointSubset,
    ObjectMeta,
    ObjectReference,
    Pod,
    Service,
)
from apimachinery.kinds.services import EndpointPort
from controller_manager.shared import pods as podinfo
from controller_manager.shared.services import HEADLESS_LABEL, hostname_of, is_headless, may_serve, target_port

MAX_ADDRESSES = 1000
MANAGED_BY_LABEL = "endpoints.kubernetes.io/managed-by"
MANAGER = "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"

_Ports = tuple[tuple[str, str, int, str], ...]


@dataclass
class _Group:
    ready: list[EndpointAddress] = field(default_factory=list)
    unready: list[EndpointAddress] = field(default_factory=list)


def wanted(service: Service, pods: Iterable[Pod], current: Endpoints | None) -> Endpoints:
    """The object as it should be: a changed copy of `current`, or a new one."""
    subsets, truncated = _subsets(service, pods)
    if current is not None:
        result = codec.deep_copy(current)
    else:
        result = Endpoints(metadata=ObjectMeta(name=service.metadata.name, namespace=service.metadata.namespace))
    labels = dict(service.metadata.labels)
    labels.pop(HEADLESS_LABEL, None)
    if is_headless(service):
        labels[HEADLESS_LABEL] = ""
    labels[MANAGED_BY_LABEL] = MANAGER
    result.metadata.labels = labels
    if truncated:
        result.metadata.annotations[OVER_CAPACITY] = "truncated"
    else:
        result.metadata.annotations.pop(OVER_CAPACITY, None)
    result.subsets = subsets
    return result


def _subsets(service: Service, pods: Iterable[Pod]) -> tuple[list[EndpointSubset], bool]:
    groups: dict[_Ports, _Group] = {}
    for pod in sorted(pods, key=lambda each: (podinfo.pod_ip(each), each.metadata.uid)):
        publish_all = bool(service.spec.publish_not_ready_addresses)
        if not may_serve(pod) or (podinfo.is_terminating(pod) and not publish_all):
            continue
        ports = _ports(service, pod)
        if service.spec.ports and not ports:
            continue
        group = groups.setdefault(ports, _Group())
        (group.ready if publish_all or podinfo.is_ready(pod) else group.unready).append(_address(service, pod))
    truncated = _truncate(groups.values())
    subsets = [
        EndpointSubset(
            addresses=group.ready,
            not_ready_addresses=group.unready,
            ports=[EndpointPort(name=n, protocol=p, port=number, app_protocol=a) for n, p, number, a in ports],
        )
        for ports, group in sorted(groups.items())
        if group.ready or group.unready
    ]
    return subsets, truncated


def _truncate(groups: Iterable[_Group]) -> bool:
    """Cut down to MAX_ADDRESSES, those not ready first; whether anything was cut."""
    room, cut = MAX_ADDRESSES, False
    ordered = list(groups)
    for listed in (*(group.ready for group in ordered), *(group.unready for group in ordered)):
        cut = cut or len(listed) > room
        del listed[room:]
        room -= len(listed)
    return cut


def _address(service: Service, pod: Pod) -> EndpointAddress:
    meta = pod.metadata
    return EndpointAddress(
        ip=podinfo.pod_ip(pod),
        hostname=hostname_of(pod, service),
        node_name=pod.spec.node_name,
        target_ref=ObjectReference(kind="Pod", namespace=meta.namespace, name=meta.name, uid=meta.uid),
    )


def _ports(service: Service, pod: Pod) -> _Ports:
    found = ((each, target_port(pod, each)) for each in service.spec.ports)
    return tuple((each.name, each.protocol or "TCP", number, each.app_protocol) for each, number in found if number is not None)
