"""The ruleset as a packet meets it: a small interpreter of the rules says where packets end."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.codec import convert
from apimachinery.kinds import EndpointSlice, Service
from kube_proxy.adapters.fake import FakePacketFilter
from kube_proxy.core.flows import Flow, left_behind, stale_flows
from kube_proxy.core.model import views
from kube_proxy.core.rules import FILTER, JUMPS, NAT, Ruleset, assemble, restore, service_rules

CLUSTER = "10.244.0.0/16"
NODE = "node-a"
NODE_IP = "172.31.255.2"
POD, OUTSIDE = "10.244.7.7", "203.0.113.9"


def service(**spec: Any) -> Service:
    ports = spec.pop("ports", [{"name": "http", "port": 80, "protocol": "TCP", "nodePort": spec.pop("node_port", 0)}])
    return convert(
        Service,
        {"metadata": {"name": "web", "namespace": "default"}, "spec": {"clusterIP": "10.96.1.1", "ports": ports, **spec}},
    )


def slice_of(*endpoints: dict[str, Any], ports: list[dict[str, Any]] | None = None) -> EndpointSlice:
    return convert(
        EndpointSlice,
        {
            "metadata": {"name": "web-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4",
            "ports": ports or [{"name": "http", "port": 8080, "protocol": "TCP"}],
            "endpoints": list(endpoints),
        },
    )


def endpoint(
    ip: str, *, node: str = "node-b", ready: bool = True, serving: bool = True, terminating: bool = False
) -> dict[str, Any]:
    conditions = {"ready": ready, "serving": serving, "terminating": terminating}
    return {"addresses": [ip], "nodeName": node, "conditions": conditions}


def ruleset(one: Service, *slices: EndpointSlice) -> Ruleset:
    return assemble({"default/web": service_rules(views(one, slices, NODE), CLUSTER)})


@dataclass(frozen=True)
class Packet:
    source: str
    destination: str
    port: int
    protocol: str = "tcp"


@dataclass
class Ways:
    """All the places where a packet may end; `masquerade` when every way there is marked."""

    targets: set[str] = field(default_factory=set)
    marked: set[bool] = field(default_factory=set)


def _matches(rule: str, packet: Packet) -> bool:
    for pattern, address in ((r"(! )?-s (\S+)", packet.source), (r"(! )?-d (\S+)", packet.destination)):
        if found := re.search(pattern, rule):
            inside = ipaddress.ip_address(address) in ipaddress.ip_network(found.group(2))
            if inside == bool(found.group(1)):
                return False
    if (found := re.search(r"--dport (\d+)", rule)) and int(found.group(1)) != packet.port:
        return False
    if (found := re.search(r"-p (\w+)", rule)) and found.group(1) != packet.protocol:
        return False
    if "--dst-type LOCAL" in rule and packet.destination != NODE_IP:
        return False
    if "--src-type LOCAL" in rule and packet.source != NODE_IP:
        return False
    return not ("-m mark" in rule and "! --mark" not in rule)


def walk(chains: Mapping[str, tuple[str, ...]], packet: Packet, chain: str = "KUBE-SERVICES", marked: bool = False) -> Ways:
    """Follow a packet through nat; where chance or memory decides, both ways are followed."""
    ways = Ways()

    def follow(name: str, marked: bool) -> tuple[bool, bool]:
        """Whether the packet surely ended in the chain, and whether it is marked after it."""
        for rule in chains[name]:
            if not _matches(rule, packet):
                continue
            target = rule.rpartition("-j ")[2]
            if target == "KUBE-MARK-MASQ":
                marked = True
            elif target.startswith("DNAT"):
                ways.targets.add(target.split()[-1])
                ways.marked.add(marked)
                return True, marked
            elif target.startswith("KUBE-"):
                ended, marked_after = follow(target, marked)
                maybe = "statistic" in rule or "--rcheck" in rule
                if ended and not maybe:
                    return True, marked_after
                marked = marked if maybe else marked_after
        return False, marked

    follow(chain, marked)
    return ways


def rejected(rules: Ruleset, packet: Packet) -> bool:
    """Whether the filter refuses it, which nat comes before: a packet that was rewritten is no longer for the Service."""
    if walk(rules[NAT], packet).targets:
        return False
    chains = rules[FILTER]
    return any(_matches(rule, packet) for name in ("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES") for rule in chains[name])


@dataclass(frozen=True)
class Case:
    id: str
    service: dict[str, Any]
    endpoints: tuple[dict[str, Any], ...]
    packet: Packet
    want: set[str] = field(default_factory=set)
    masquerade: bool | None = None
    reject: bool = False


TO_SERVICE = Packet(POD, "10.96.1.1", 80)
TO_NODE_PORT = Packet(OUTSIDE, NODE_IP, 30080)
TWO = (endpoint("10.244.1.2"), endpoint("10.244.2.3", node=NODE))
BOTH = {"10.244.1.2:8080", "10.244.2.3:8080"}
HERE = {"10.244.2.3:8080"}

NODE_PORT = {"type": "NodePort", "node_port": 30080}

CASES = (
    Case("a pod reaches every ready endpoint", {}, TWO, TO_SERVICE, BOTH, masquerade=False),
    Case("from outside the cluster it is masqueraded", {}, TWO, Packet(OUTSIDE, "10.96.1.1", 80), BOTH, masquerade=True),
    Case("another port is not touched", {}, TWO, Packet(POD, "10.96.1.1", 81)),
    Case("another protocol is not touched", {}, TWO, Packet(POD, "10.96.1.1", 80, "udp")),
    Case("no endpoint: refused", {}, (), TO_SERVICE, reject=True),
    Case(
        "endpoints that are not ready get nothing",
        {},
        (endpoint("10.244.1.2", ready=False), endpoint("10.244.2.3")),
        TO_SERVICE,
        {"10.244.2.3:8080"},
    ),
    Case(
        "when none is ready, those that end but still serve are used",
        {},
        (
            endpoint("10.244.1.2", ready=False, terminating=True),
            endpoint("10.244.2.3", ready=False, serving=False, terminating=True),
        ),
        TO_SERVICE,
        {"10.244.1.2:8080"},
    ),
    Case("a node port reaches every endpoint", NODE_PORT, TWO, TO_NODE_PORT, BOTH, masquerade=True),
    Case("a node port without endpoints: refused", NODE_PORT, (), TO_NODE_PORT, reject=True),
    Case(
        "external traffic kept local keeps its source",
        {"type": "NodePort", "node_port": 30080, "externalTrafficPolicy": "Local"},
        TWO,
        TO_NODE_PORT,
        HERE,
        masquerade=False,
    ),
    Case(
        "external traffic kept local with nothing here: refused",
        {"type": "NodePort", "node_port": 30080, "externalTrafficPolicy": "Local"},
        TWO[:1],
        TO_NODE_PORT,
        reject=True,
    ),
    Case(
        "external policy does not bind pods",
        {"type": "NodePort", "node_port": 30080, "externalTrafficPolicy": "Local"},
        TWO,
        Packet(POD, NODE_IP, 30080),
        BOTH,
    ),
    Case(
        "nor with nothing here",
        {"type": "NodePort", "node_port": 30080, "externalTrafficPolicy": "Local"},
        TWO[:1],
        Packet(POD, NODE_IP, 30080),
        {"10.244.1.2:8080"},
    ),
    Case(
        "nor this node's own processes",
        {"type": "NodePort", "node_port": 30080, "externalTrafficPolicy": "Local"},
        TWO[:1],
        Packet(NODE_IP, NODE_IP, 30080),
        {"10.244.1.2:8080"},
        masquerade=True,
    ),
    Case(
        "through its outside a pod sees the whole Service, whatever is kept local",
        {"type": "NodePort", "node_port": 30080, "externalTrafficPolicy": "Local", "internalTrafficPolicy": "Local"},
        TWO,
        Packet(POD, NODE_IP, 30080),
        BOTH,
    ),
    Case("internal traffic kept local", {"internalTrafficPolicy": "Local"}, TWO, TO_SERVICE, HERE),
    Case("internal traffic kept local with nothing here", {"internalTrafficPolicy": "Local"}, TWO[:1], TO_SERVICE, reject=True),
    Case("with affinity every endpoint stays reachable", {"sessionAffinity": "ClientIP"}, TWO, TO_SERVICE, BOTH),
    Case("a headless Service has no rules", {"clusterIP": "None"}, TWO, TO_SERVICE),
    Case(
        "a pod that meets itself is masqueraded", {}, TWO[:1], Packet("10.244.1.2", "10.96.1.1", 80), {"10.244.1.2:8080"}, True
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_where_packets_go(case: Case) -> None:
    rules = ruleset(service(**case.service), slice_of(*case.endpoints))
    ways = walk(rules[NAT], case.packet)
    assert ways.targets == case.want
    assert rejected(rules, case.packet) is case.reject
    if case.masquerade is not None:
        assert ways.marked == {case.masquerade}


def test_chances_are_even() -> None:
    rules = ruleset(service(), slice_of(*(endpoint(f"10.244.1.{number}") for number in range(1, 6))))
    chain = next(rule.rpartition("-j ")[2] for rule in rules[NAT]["KUBE-SERVICES"] if "10.96.1.1" in rule)
    left, shares = 1.0, []
    for rule in rules[NAT][chain][1:]:
        found = re.search(r"--probability ([\d.]+)", rule)
        chance = float(found.group(1)) if found else 1.0
        shares.append(left * chance)
        left *= 1 - chance
    assert shares == [pytest.approx(0.2)] * 5


def test_one_changed_endpoint_touches_only_its_services_chains() -> None:
    many = {
        f"default/s{number}": service_rules(
            views(
                convert(
                    Service,
                    {
                        "metadata": {"name": f"s{number}", "namespace": "default"},
                        "spec": {"clusterIP": f"10.96.2.{number}", "ports": [{"name": "http", "port": 80}]},
                    },
                ),
                [slice_of(endpoint(f"10.244.3.{number}"))],
                NODE,
            ),
            CLUSTER,
        )
        for number in range(1, 100)
    }
    before = assemble(many | {"default/web": service_rules(views(service(), [slice_of(*TWO)], NODE), CLUSTER)})
    after = assemble(many | {"default/web": service_rules(views(service(), [slice_of(*TWO[:1])], NODE), CLUSTER)})
    text = restore(before, after)
    assert len(text.splitlines()) < 12
    assert "KUBE-SERVICES" not in text
    assert restore(after, after) == ""


ENDPOINTS = st.lists(st.integers(1, 6), unique=True, max_size=4)
STATES = st.lists(st.dictionaries(st.sampled_from("abc"), ENDPOINTS, max_size=3), min_size=1, max_size=6)


@given(STATES)
async def test_differences_lead_to_the_same_rules_as_a_fresh_start(states: list[dict[str, list[int]]]) -> None:
    """Each step is accepted by the kernel's rules of reference, and ends where writing everything would."""
    stepwise = FakePacketFilter()
    previous: Ruleset | None = None
    for state in states:
        wanted = assemble(
            {
                f"default/{name}": service_rules(
                    views(
                        convert(
                            Service,
                            {
                                "metadata": {"name": name, "namespace": "default"},
                                "spec": {
                                    "type": "NodePort",
                                    "clusterIP": f"10.96.3.{ord(name)}",
                                    "ports": [{"name": "http", "port": 80, "nodePort": 30000 + ord(name)}],
                                },
                            },
                        ),
                        [slice_of(*(endpoint(f"10.244.9.{number}") for number in numbers))],
                        NODE,
                    ),
                    CLUSTER,
                )
                for name, numbers in state.items()
            }
        )
        known = previous if previous is not None else {}
        if text := restore(known, wanted):
            await stepwise.apply(text)
        await stepwise.ensure_jumps(JUMPS)
        previous = wanted
    fresh = FakePacketFilter()
    assert previous is not None
    await fresh.apply(restore({}, previous))
    await fresh.ensure_jumps(JUMPS)
    assert stepwise.tables == fresh.tables


UDP = [{"name": "dns", "port": 53, "protocol": "UDP", "nodePort": 30053}]
UDP_SLICE = [{"name": "dns", "port": 5353, "protocol": "UDP"}]
FLOWS = (
    ("an endpoint that left", ("1", "2"), ("1",), {Flow("10.96.1.1", 53, "10.244.1.2"), Flow("", 30053, "10.244.1.2")}),
    ("the first endpoint", (), ("1",), {Flow("10.96.1.1", 53), Flow("", 30053)}),
    ("one more endpoint", ("1",), ("1", "2"), set()),
    ("the Service itself", ("1",), None, {Flow("10.96.1.1", 53, "10.244.1.1"), Flow("", 30053, "10.244.1.1")}),
)


@pytest.mark.parametrize(("name", "had", "has", "want"), FLOWS, ids=[row[0] for row in FLOWS])
def test_which_flows_are_forgotten(name: str, had: tuple[str, ...], has: tuple[str, ...] | None, want: set[Flow]) -> None:
    def state(numbers: tuple[str, ...]) -> Any:
        endpoints = [endpoint(f"10.244.1.{number}") for number in numbers]
        return views(service(type="NodePort", ports=UDP), [slice_of(*endpoints, ports=UDP_SLICE)], NODE)

    after = {} if has is None else {"default/web": state(has)}
    assert set(stale_flows({"default/web": state(had)}, after)) == want


TRACKED = (
    ("to an endpoint that is there", Flow("10.96.1.1", 53, "10.244.1.1"), None),
    ("to one that has gone", Flow("10.96.1.1", 53, "10.244.1.9"), Flow("10.96.1.1", 53, "10.244.1.9")),
    ("to nobody, from before there was a rule", Flow("10.96.1.1", 53, "10.96.1.1"), Flow("10.96.1.1", 53)),
    ("through a node port, to an endpoint that is there", Flow(NODE_IP, 30053, "10.244.1.1"), None),
    ("through a node port, to one that has gone", Flow(NODE_IP, 30053, "10.244.1.9"), Flow(NODE_IP, 30053, "10.244.1.9")),
    ("to another port of the address", Flow("10.96.1.1", 54, "10.244.1.9"), None),
    ("to another address", Flow("10.96.1.2", 53, "10.244.1.9"), None),
)


@pytest.mark.parametrize(("name", "tracked", "want"), TRACKED, ids=[row[0] for row in TRACKED])
def test_which_tracked_flows_were_left_behind(name: str, tracked: Flow, want: Flow | None) -> None:
    ports = views(service(type="NodePort", ports=UDP), [slice_of(endpoint("10.244.1.1"), ports=UDP_SLICE)], NODE)
    assert left_behind([tracked], ports) == ((want,) if want else ())
