"""UDP flows that the kernel remembers and that must be forgotten.

UDP has no end of connection: a client that keeps sending from one port keeps its flow alive, and with it the endpoint
chosen long ago. So when an endpoint goes, its flows are removed; and when a port gets its first endpoint, the flows that
were sent nowhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kube_proxy.core.model import PortView


@dataclass(frozen=True, order=True)
class Flow:
    """Flows to forget: those to an address (or, with none, to a port of the node), to one endpoint or (with none) to any."""

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


def _flows(view: PortView, endpoint: str) -> Iterable[Flow]:
    for address in (view.cluster_ip, *view.addresses):
        yield Flow(address, view.port, endpoint)
    if view.node_port:
        yield Flow("", view.node_port, endpoint)
