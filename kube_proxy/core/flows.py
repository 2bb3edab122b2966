"""UDP flows that the kernel remembers and that must be forgotten.

UDP has no end of connection: a client that keeps sending from one port keeps its flow alive, and with it the endpoint
chosen long ago. So when an endpoint goes, its flows are removed; and when a port gets its first endpoint, the flows that
were sent nowhere. What went while nobody looked is found by comparing the kernel's flows with the endpoints there are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kube_proxy.core.model import PortView


@dataclass(frozen=True, order=True)
class Flow:
    """Flows to forget: those to an address (or, with none, to a port of the node), to one endpoint or (with none) to any.

    As the kernel tracks one, with both; the endpoint is the address itself where nothing was rewritten.
    """

    address: str
    port: int
    endpoint: str = ""


def stale_flows(before: Mapping[str, Sequence[PortView]], after: Mapping[str, Sequence[PortView]]) -> tuple[Flow, ...]:
    """What to forget when the ports of Services (by key) went from `before` to `after`."""
    flows: set[Flow] = set()
    now = {view.name: view for views in after.values() for view in views if view.protocol == "udp"}
    for view in (view for views in before.values() for view in views if view.protocol == "udp"):
        current = now.get(view.name)
        kept = {target.ip for target in current.cluster_targets} if current is not None else set()
        gone = {target.ip for target in view.cluster_targets} - kept
        for endpoint in gone:
            flows.update(_flows(view, endpoint))
    had = {view.name: view for views in before.values() for view in views}
    for view in now.values():
        previous = had.get(view.name)
        if view.cluster_targets and (previous is None or not previous.cluster_targets):
            flows.update(_flows(view, ""))
    return tuple(sorted(flows))


def left_behind(tracked: Iterable[Flow], ports: Iterable[PortView]) -> tuple[Flow, ...]:
    """What to forget of the flows that the kernel tracks, given all ports of Services; flows of others are let be."""
    by_address: dict[tuple[str, int], set[str]] = {}
    by_node_port: dict[int, set[str]] = {}
    for view in (view for view in ports if view.protocol == "udp"):
        endpoints = {target.ip for target in (*view.cluster_targets, *view.local_targets)}
        by_address.update(dict.fromkeys(((address, view.port) for address in (view.cluster_ip, *view.addresses)), endpoints))
        if view.node_port:
            by_node_port[view.node_port] = endpoints
    flows: set[Flow] = set()
    for flow in tracked:
        wanted = by_address.get((flow.address, flow.port), by_node_port.get(flow.port))
        if wanted is not None and flow.endpoint not in wanted:
            flows.add(Flow(flow.address, flow.port, "") if flow.endpoint == flow.address else flow)
    return tuple(sorted(flows))


def _flows(view: PortView, endpoint: str) -> Iterable[Flow]:
    for address in (view.cluster_ip, *view.addresses):
        yield Flow(address, view.port, endpoint)
    if view.node_port:
        yield Flow("", view.node_port, endpoint)
