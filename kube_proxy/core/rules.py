"""From ports to iptables rules, chain by chain.

A packet to a Service address meets one rule for its port in KUBE-SERVICES, goes to the port's chain, from there by chance
(or by affinity) to the chain of one endpoint, and is rewritten there. What came from outside the cluster is marked and
leaves with the node's address, so that answers come back the same way. Chains are named by a hash of what they stand for,
so a change of one Service touches only its own chains and, if its address changed, the list of all. Chain names are those
of Kubernetes, so that what people know of them holds.

The rules of one Service are a pure function of its ports; `assemble` puts all together; `restore` says what must be fed to
iptables-restore to get from one state to another, in one atomic step for each table.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kube_proxy.core.model import PortView, Target

MARK = "0x4000/0x4000"
NAT = "nat"
FILTER = "filter"
SERVICES = "KUBE-SERVICES"
EXTERNAL_SERVICES = "KUBE-EXTERNAL-SERVICES"
NODE_PORTS = "KUBE-NODEPORTS"
MARK_MASQUERADE = "KUBE-MARK-MASQ"
POSTROUTING = "KUBE-POSTROUTING"
FORWARD = "KUBE-FORWARD"
CANARY = "KUBE-PROXY-CANARY"
OWN_PREFIX = "KUBE-"

Rules = tuple[str, ...]
Ruleset = dict[str, dict[str, Rules]]
"""Table -> chain -> rules, each without its leading `-A CHAIN`."""

JUMPS: tuple[tuple[str, str, str], ...] = (
    (NAT, "PREROUTING", f"-j {SERVICES}"),
    (NAT, "OUTPUT", f"-j {SERVICES}"),
    (NAT, "POSTROUTING", f"-j {POSTROUTING}"),
    (FILTER, "INPUT", f"-m conntrack --ctstate NEW -j {EXTERNAL_SERVICES}"),
    (FILTER, "FORWARD", f"-m conntrack --ctstate NEW -j {EXTERNAL_SERVICES}"),
    (FILTER, "FORWARD", f"-m conntrack --ctstate NEW -j {SERVICES}"),
    (FILTER, "FORWARD", f"-j {FORWARD}"),
    (FILTER, "OUTPUT", f"-m conntrack --ctstate NEW -j {SERVICES}"),
)
"""Rules in the kernel's own chains: (table, chain, rule)."""


@dataclass(frozen=True)
class ServiceRules:
    """What one Service adds: its own nat chains, and its lines in the common ones."""

    chains: Mapping[str, Rules] = field(default_factory=dict)
    services: Rules = ()
    node_ports: Rules = ()
    rejects: Rules = ()
    external_rejects: Rules = ()


def service_rules(ports: Iterable[PortView], cluster_cidr: str) -> ServiceRules:
    """The rules of one Service."""
    chains: dict[str, Rules] = {}
    services: list[str] = []
    node_ports: list[str] = []
    rejects: list[str] = []
    external_rejects: list[str] = []
    for view in ports:
        chains |= _port_chains(view, cluster_cidr)
        if view.internal:
            services.append(f"{_to(view, view.cluster_ip)} -j {_internal_chain(view)}")
        else:
            rejects.append(f"{_to(view, view.cluster_ip)} {_refuse(view)}")
        for address in view.addresses:
            if _has_external_way(view):
                services.append(f"{_to(view, address)} -j {_chain('EXT', view.name, view.protocol)}")
            if not view.external:
                external_rejects.append(f"{_to(view, address)} {_refuse(view)}")
        if view.node_port and _has_external_way(view):
            node_ports.append(f"-p {view.protocol} --dport {view.node_port} -j {_chain('EXT', view.name, view.protocol)}")
        if view.node_port and not view.external:
            match = f"-p {view.protocol} -m addrtype --dst-type LOCAL --dport {view.node_port}"
            external_rejects.append(f"{match} {_refuse(view)}")
    return ServiceRules(chains, tuple(services), tuple(node_ports), tuple(rejects), tuple(external_rejects))


def assemble(services: Mapping[str, ServiceRules]) -> Ruleset:
    """The whole ruleset, from the rules of each Service by its key."""
    nat: dict[str, Rules] = {
        MARK_MASQUERADE: (f"-j MARK --or-mark {MARK.split('/')[0]}",),
        POSTROUTING: (
            f"-m mark ! --mark {MARK} -j RETURN",
            f"-j MARK --xor-mark {MARK.split('/')[0]}",
            "-j MASQUERADE --random-fully",
        ),
        CANARY: (),
    }
    lines: list[str] = []
    node_ports: list[str] = []
    rejects: list[str] = []
    external_rejects: list[str] = []
    for key in sorted(services):
        rules = services[key]
        nat.update(rules.chains)
        lines.extend(rules.services)
        node_ports.extend(rules.node_ports)
        rejects.extend(rules.rejects)
        external_rejects.extend(rules.external_rejects)
    # last, since only what is no Service address can be a node port
    nat[SERVICES] = (*lines, f"-m addrtype --dst-type LOCAL -j {NODE_PORTS}")
    nat[NODE_PORTS] = tuple(node_ports)
    return {
        NAT: nat,
        FILTER: {
            SERVICES: tuple(rejects),
            EXTERNAL_SERVICES: tuple(external_rejects),
            FORWARD: (
                "-m conntrack --ctstate INVALID -j DROP",
                f"-m mark --mark {MARK} -j ACCEPT",
                "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            ),
        },
    }


def restore(before: Mapping[str, Mapping[str, Rules | None]], after: Ruleset) -> str:
    """Input for `iptables-restore --noflush` that turns `before` into `after`; empty when nothing differs.

    `before` may give None for the rules of a chain of which only the name is known.
    """
    text = ""
    for table, chains in after.items():
        had = before.get(table, {})
        changed = [name for name in chains if name not in had or had[name] != chains[name]]
        stale = [name for name in had if name not in chains]
        if not changed and not stale:
            continue
        # naming a chain empties it; all of a table's lines take effect together
        lines = [f"*{table}", *(f":{name} - [0:0]" for name in (*changed, *stale))]
        lines += [f"-A {name} {rule}" for name in changed for rule in chains[name]]
        lines += [f"-X {name}" for name in stale]
        text += "\n".join([*lines, "COMMIT", ""])
    return text


def _port_chains(view: PortView, cluster_cidr: str) -> dict[str, Rules]:
    chains: dict[str, Rules] = {}
    for kind, targets, used in (
        ("SVC", view.cluster_targets, _uses_cluster(view)),
        ("SVL", view.local_targets, _uses_local(view)),
    ):
        if used and targets:
            chains[_chain(kind, view.name, view.protocol)] = _choice(view, targets, cluster_cidr)
            for target in targets:
                chains[_endpoint_chain(view, target)] = _endpoint(view, target)
    if _has_external_way(view):
        chains[_chain("EXT", view.name, view.protocol)] = _external(view, cluster_cidr)
    return chains


def _is_external(view: PortView) -> bool:
    return bool(view.node_port or view.addresses)


def _has_external_way(view: PortView) -> bool:
    """Whether somebody gets through by a node port or an external address: this node's own at least, where others do not."""
    return _is_external(view) and bool(view.external or view.cluster_targets)


def _uses_cluster(view: PortView) -> bool:
    return not view.internal_local or _is_external(view)


def _uses_local(view: PortView) -> bool:
    return view.internal_local or (view.external_local and _is_external(view))


def _internal_chain(view: PortView) -> str:
    return _chain("SVL" if view.internal_local else "SVC", view.name, view.protocol)


def _external(view: PortView, cluster_cidr: str) -> Rules:
    """The way of traffic that came through a node port or an external address."""
    if not view.external_local:
        return (f"-j {MARK_MASQUERADE}", f"-j {_chain('SVC', view.name, view.protocol)}")
    short_cut: Rules = ()
    if view.cluster_targets:
        # pods, and this node itself, see the whole Service even through its outside
        everywhere = _chain("SVC", view.name, view.protocol)
        short_cut = (
            f"-s {cluster_cidr} -j {everywhere}",
            f"-m addrtype --src-type LOCAL -j {MARK_MASQUERADE}",
            f"-m addrtype --src-type LOCAL -j {everywhere}",
        )
    return (*short_cut, *([f"-j {_chain('SVL', view.name, view.protocol)}"] if view.local_targets else []))


def _choice(view: PortView, targets: tuple[Target, ...], cluster_cidr: str) -> Rules:
    rules = [f"! -s {cluster_cidr} {_to(view, view.cluster_ip)} -j {MARK_MASQUERADE}"]
    if view.affinity_s:
        rules += [
            f"-m recent --name {_endpoint_chain(view, target)} --rcheck --seconds {view.affinity_s} --reap"
            f" -j {_endpoint_chain(view, target)}"
            for target in targets
        ]
    for index, target in enumerate(targets):
        remaining = len(targets) - index
        chance = "" if remaining == 1 else f"-m statistic --mode random --probability {1 / remaining:.10f} "
        rules.append(f"{chance}-j {_endpoint_chain(view, target)}")
    return tuple(rules)


def _endpoint(view: PortView, target: Target) -> Rules:
    remember = f"-m recent --name {_endpoint_chain(view, target)} --set " if view.affinity_s else ""
    return (
        # a pod that reaches itself through its Service must see another sender than itself
        f"-s {target.ip}/32 -j {MARK_MASQUERADE}",
        f"-p {view.protocol} {remember}-j DNAT --to-destination {target.ip}:{target.port}",
    )


def _to(view: PortView, address: str) -> str:
    return f"-d {address}/32 -p {view.protocol} --dport {view.port}"


def _refuse(view: PortView) -> str:
    """A refusal that the client notices at once: the kernel sends few ICMP errors a second, but a reset for each SYN."""
    how = " --reject-with tcp-reset" if view.protocol == "tcp" else ""
    return f'-m comment --comment "{view.name} has no endpoints" -j REJECT{how}'


def _chain(kind: str, *parts: str) -> str:
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return f"{OWN_PREFIX}{kind}-{base64.b32encode(digest).decode()[:16]}"


def _endpoint_chain(view: PortView, target: Target) -> str:
    return _chain("SEP", view.name, view.protocol, f"{target.ip}:{target.port}")
