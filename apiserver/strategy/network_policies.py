"""NetworkPolicies: which traffic pods take and send.

Source: the Kubernetes page "Network Policies" and the API reference of NetworkPolicy.
"""

import ipaddress
from collections.abc import Iterator, Sequence

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort
from apiserver.strategy.base import Strategy
from apiserver.strategy.checks import PROTOCOLS, Errors, named, one_of, optional_one_of, port_number, port_number_or_name
from apiserver.strategy.selectors import validate_label_selector

POLICY_TYPES = ("Egress", "Ingress")


class NetworkPolicyStrategy(Strategy[NetworkPolicy]):
    has_generation = True

    def default(self, obj: NetworkPolicy) -> None:
        spec = obj.spec
        for ports in (*(rule.ports for rule in spec.ingress), *(rule.ports for rule in spec.egress)):
            for port in ports:
                port.protocol = port.protocol or "TCP"
        if not spec.policy_types:
            spec.policy_types = ["Ingress", "Egress"] if spec.egress else ["Ingress"]

    def check(self, obj: NetworkPolicy) -> Iterator[FieldError]:
        spec = obj.spec
        yield from validate_label_selector(spec.pod_selector, "spec.podSelector")
        for index, incoming in enumerate(spec.ingress):
            where = f"spec.ingress[{index}]"
            yield from _validate_ports(incoming.ports, f"{where}.ports")
            yield from _validate_peers(incoming.from_, f"{where}.from")
        for index, outgoing in enumerate(spec.egress):
            where = f"spec.egress[{index}]"
            yield from _validate_ports(outgoing.ports, f"{where}.ports")
            yield from _validate_peers(outgoing.to, f"{where}.to")
        if len(spec.policy_types) > len(POLICY_TYPES):
            detail = "may not specify more than two policyTypes"
            yield FieldError.invalid("spec.policyTypes", spec.policy_types, detail)
            return
        for index, kind in enumerate(spec.policy_types):
            yield from one_of(f"spec.policyTypes[{index}]", kind, POLICY_TYPES)


def _validate_ports(ports: Sequence[NetworkPolicyPort], path: str) -> Errors:
    for index, port in enumerate(ports):
        where = f"{path}[{index}]"
        yield from optional_one_of(f"{where}.protocol", port.protocol, PROTOCOLS)
        if port.port is not None:
            yield from port_number_or_name(f"{where}.port", port.port)
        if port.end_port is not None:
            yield from _validate_end(port, port.end_port, f"{where}.endPort")


def _validate_end(port: NetworkPolicyPort, end: int, path: str) -> Errors:
    if port.port is None:
        yield FieldError.invalid(path, end, "may not be specified when `port` is not specified")
    elif isinstance(port.port, str):
        yield FieldError.invalid(path, end, "may not be specified when `port` is non-numeric")
    else:
        if end < port.port:
            yield FieldError.invalid(path, end, "must be greater than or equal to `port`")
        yield from port_number(path, end)


def _validate_peers(peers: Sequence[NetworkPolicyPeer], path: str) -> Errors:
    for index, peer in enumerate(peers):
        where = f"{path}[{index}]"
        selects = peer.pod_selector is not None or peer.namespace_selector is not None
        yield from validate_label_selector(peer.pod_selector, f"{where}.podSelector")
        yield from validate_label_selector(peer.namespace_selector, f"{where}.namespaceSelector")
        if peer.ip_block is not None:
            yield from _validate_block(peer.ip_block, f"{where}.ipBlock")
            if selects:
                yield FieldError.forbidden(where, "may not specify both ipBlock and another peer")
        elif not selects:
            yield FieldError.required(where, "must specify a peer")


def _validate_block(block: IPBlock, path: str) -> Errors:
    if not block.cidr:
        yield FieldError.required(f"{path}.cidr")
        return
    problems = list(named(f"{path}.cidr", block.cidr, names.cidr))
    yield from problems
    for index, text in enumerate(block.except_):
        where = f"{path}.except[{index}]"
        wrong = list(named(where, text, names.cidr))
        yield from wrong
        if not wrong and not problems and not _is_strictly_within(text, block.cidr):
            yield FieldError.invalid(where, text, "must be a strict subset of `cidr`")


def _is_strictly_within(inner: str, outer: str) -> bool:
    small, large = ipaddress.ip_network(inner, strict=False), ipaddress.ip_network(outer, strict=False)
    if small.version != large.version or small.prefixlen <= large.prefixlen:
        return False
    return small.network_address in large
