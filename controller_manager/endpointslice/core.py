"""Which endpoints a Service has, and the fewest slice writes that say so. Pure.

Endpoints are grouped by the ports they are reached at (named ports may differ from pod to pod); a group fills slices of
at most 100. A slice that holds nothing wrong is not written: endpoints that stay keep their slice, changed ones are
changed in place, new ones go first into slices that are written anyway, then into one with room, then into new slices.
Source: the Kubernetes page "EndpointSlices".
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from apimachinery import codec
from apimachinery.kinds import (
    Endpoint,
    EndpointConditions,
    EndpointSlice,
    ObjectMeta,
    ObjectReference,
    Pod,
    Service,
)
from apimachinery.kinds.discovery import EndpointPort
from controller_manager.shared import pods as podinfo
from controller_manager.shared.ownership import controller_reference
from controller_manager.shared.services import (
    HEADLESS_LABEL,
    SERVICE_NAME_LABEL,
    hostname_of,
    is_headless,
    may_serve,
    target_port,
)

MAX_ENDPOINTS = 100
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"

Ports = tuple[tuple[str, str, int, str], ...]
"""(name, protocol, number, application protocol) of each port, in the Service's order."""


@dataclass
class Plan:
    """Slices to create, to replace and to delete."""

    creates: list[EndpointSlice] = field(default_factory=list)
    updates: list[EndpointSlice] = field(default_factory=list)
    deletes: list[EndpointSlice] = field(default_factory=list)


@dataclass
class _Draft:
    """A slice being filled. `slice` is None for one to be created."""

    slice: EndpointSlice | None
    endpoints: list[Endpoint]
    changed: bool = False

    @property
    def room(self) -> int:
        return MAX_ENDPOINTS - len(self.endpoints)


def plan(service: Service, pods: Iterable[Pod], slices: Sequence[EndpointSlice], zone_of: Callable[[str], str]) -> Plan:
    """What makes `slices` (those we manage for the service) describe `pods` (those it selects).

    zone_of: the zone of a node, "" where it has none.
    """
    wanted = _group(service, pods, zone_of)
    result = Plan()
    by_ports: dict[Ports, list[EndpointSlice]] = {}
    for each in slices:
        if each.metadata.deletion_timestamp is not None:
            continue
        ports = ports_of(each)
        if each.address_type != "IPv4" or (ports not in wanted and not _is_placeholder(each)):
            result.deletes.append(each)
        else:
            by_ports.setdefault(ports, []).append(each)
    placeholder: Ports = ()
    if not wanted:
        wanted[placeholder] = {}
    for ports, endpoints in wanted.items():
        _plan_group(service, ports, endpoints, by_ports.pop(ports, []), result, keep_one=len(wanted) == 1)
    result.deletes.extend(each for leftover in by_ports.values() for each in leftover)
    return result


def ports_of(slice_: EndpointSlice) -> Ports:
    return tuple((each.name, each.protocol, each.port or 0, each.app_protocol) for each in slice_.ports)


def endpoint_of(service: Service, pod: Pod, zone: str) -> Endpoint:
    """The pod as an endpoint: serving while it is ready, ready while it is serving and not about to stop."""
    serving, terminating = podinfo.is_ready(pod), podinfo.is_terminating(pod)
    ready = bool(service.spec.publish_not_ready_addresses) or (serving and not terminating)
    meta = pod.metadata
    return Endpoint(
        addresses=[podinfo.pod_ip(pod)],
        conditions=EndpointConditions(ready=ready, serving=serving, terminating=terminating),
        hostname=hostname_of(pod, service),
        node_name=pod.spec.node_name,
        zone=zone,
        target_ref=ObjectReference(kind="Pod", namespace=meta.namespace, name=meta.name, uid=meta.uid),
    )


def labels_for(service: Service) -> dict[str, str]:
    """The slice's labels: the Service's own, and those by which it is found."""
    labels = dict(service.metadata.labels)
    labels.pop(HEADLESS_LABEL, None)
    if is_headless(service):
        labels[HEADLESS_LABEL] = ""
    labels[SERVICE_NAME_LABEL] = service.metadata.name
    labels[MANAGED_BY_LABEL] = MANAGER
    return labels


def _group(service: Service, pods: Iterable[Pod], zone_of: Callable[[str], str]) -> dict[Ports, dict[str, Endpoint]]:
    groups: dict[Ports, dict[str, Endpoint]] = {}
    for pod in sorted(pods, key=lambda each: (each.metadata.creation_timestamp or "", each.metadata.name)):
        if not may_serve(pod):
            continue
        ports = _ports(service, pod)
        if service.spec.ports and not ports:
            continue  # the pod knows none of the Service's named ports
        zone = zone_of(pod.spec.node_name) if pod.spec.node_name else ""
        groups.setdefault(ports, {})[pod.metadata.uid] = endpoint_of(service, pod, zone)
    return groups


def _ports(service: Service, pod: Pod) -> Ports:
    found = ((each, target_port(pod, each)) for each in service.spec.ports)
    return tuple((each.name, each.protocol or "TCP", number, each.app_protocol) for each, number in found if number is not None)


def _plan_group(
    service: Service,
    ports: Ports,
    endpoints: dict[str, Endpoint],
    slices: Sequence[EndpointSlice],
    result: Plan,
    *,
    keep_one: bool,
) -> None:
    missing = dict(endpoints)
    drafts = [_keep(each, endpoints, missing) for each in sorted(slices, key=lambda each: each.metadata.name)]
    _place(list(missing.values()), drafts)
    if keep_one and not drafts:
        drafts.append(_Draft(None, []))  # an empty slice says that the Service is known to have nobody
    filled = sum(1 for draft in drafts if draft.endpoints)
    spare_kept = filled > 0 or not keep_one
    for draft in drafts:
        if draft.slice is None:
            result.creates.append(_new_slice(service, ports, draft.endpoints))
        elif not draft.endpoints and spare_kept:
            result.deletes.append(draft.slice)
        else:
            spare_kept = spare_kept or not draft.endpoints
            update = _replaced(service, draft)
            if update != draft.slice:
                result.updates.append(update)


def _keep(slice_: EndpointSlice, wanted: dict[str, Endpoint], missing: dict[str, Endpoint]) -> _Draft:
    """The slice without what is unwanted or already in an earlier slice; takes what it holds out of `missing`."""
    draft = _Draft(slice_, [])
    for endpoint in slice_.endpoints:
        uid = endpoint.target_ref.uid if endpoint.target_ref is not None else ""
        fresh = missing.pop(uid, None) if uid in wanted else None
        if fresh is None or draft.room == 0:
            draft.changed = True
            if fresh is not None:
                missing[uid] = fresh
            continue
        draft.changed = draft.changed or fresh != endpoint
        draft.endpoints.append(fresh)
    return draft


def _place(endpoints: list[Endpoint], drafts: list[_Draft]) -> None:
    """Put endpoints where they cost the fewest writes."""
    for draft in [each for each in drafts if each.changed]:
        _pour(endpoints, draft)
    while endpoints:
        roomy = [each for each in drafts if not each.changed and each.room >= min(len(endpoints), MAX_ENDPOINTS)]
        # the fullest of those that take all of the rest leaves the most room elsewhere
        draft = min(roomy, key=lambda each: each.room) if roomy else _Draft(None, [])
        if draft.slice is None:
            drafts.append(draft)
        _pour(endpoints, draft)


def _pour(endpoints: list[Endpoint], draft: _Draft) -> None:
    taken = min(draft.room, len(endpoints))
    draft.endpoints.extend(endpoints[:taken])
    draft.changed = draft.changed or taken > 0
    del endpoints[:taken]


def _new_slice(service: Service, ports: Ports, endpoints: list[Endpoint]) -> EndpointSlice:
    return EndpointSlice(
        metadata=ObjectMeta(
            generate_name=f"{service.metadata.name}-",
            namespace=service.metadata.namespace,
            labels=labels_for(service),
            owner_references=[controller_reference(service)],
        ),
        address_type="IPv4",
        endpoints=endpoints,
        ports=_slice_ports(ports),
    )


def _replaced(service: Service, draft: _Draft) -> EndpointSlice:
    assert draft.slice is not None
    update = codec.deep_copy(draft.slice)
    update.metadata.labels = labels_for(service)
    update.metadata.owner_references = [controller_reference(service)]
    update.endpoints = draft.endpoints
    return update


def _slice_ports(ports: Ports) -> list[EndpointPort]:
    return [
        EndpointPort(name=name, protocol=protocol, port=number, app_protocol=application)
        for name, protocol, number, application in ports
    ]


def _is_placeholder(slice_: EndpointSlice) -> bool:
    return not slice_.ports and not slice_.endpoints
