"""The proxy's rules in a real kernel: connections through Service addresses between network namespaces."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from apimachinery.codec import convert
from apimachinery.kinds import EndpointSlice, Service
from kube_proxy.adapters.conntrack import Conntrack
from kube_proxy.adapters.iptables import Iptables
from kube_proxy.core.flows import Flow
from kube_proxy.core.model import views
from kube_proxy.core.rules import JUMPS, Ruleset, assemble, restore, service_rules
from tests.support.netns import NetworkNamespace, connect

CLUSTER = "10.244.0.0/16"
TIMEOUT_S = 3.0


@dataclass
class Lab:
    """A node with two pods and an outside client, each a namespace."""

    node: NetworkNamespace
    pods: tuple[NetworkNamespace, ...]
    client: NetworkNamespace


@pytest.fixture
def lab() -> Iterator[Lab]:
    node, client = NetworkNamespace("node"), NetworkNamespace("client")
    pods = tuple(NetworkNamespace(f"pod{number}") for number in (1, 2))
    try:
        for number, pod in enumerate(pods, start=1):
            connect(node, f"10.244.{number}.1/24", pod, f"10.244.{number}.2/24")
            pod.command("ip", "route", "add", "default", "via", f"10.244.{number}.1")
        connect(node, "172.31.250.1/24", client, "172.31.250.2/24")
        client.command("ip", "route", "add", "10.96.0.0/16", "via", "172.31.250.1")
        # the node's own connections must be routed before they can be rewritten
        node.command("ip", "route", "add", "10.96.0.0/16", "via", "172.31.250.2")
        node.command("sysctl", "-qw", "net.ipv4.ip_forward=1")
        yield Lab(node, pods, client)
    finally:
        for namespace in (node, client, *pods):
            namespace.close()


def rules(endpoints: tuple[str, ...], protocol: str = "TCP", **spec: object) -> Ruleset:
    ports = [{"name": "p", "port": 80, "protocol": protocol, "nodePort": 30080}]
    service = convert(
        Service,
        {
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {"type": "NodePort", "clusterIP": "10.96.0.7", "ports": ports, **spec},
        },
    )
    slices = convert(
        EndpointSlice,
        {
            "metadata": {"name": "web-1", "namespace": "default"},
            "addressType": "IPv4",
            "ports": [{"name": "p", "port": 8080, "protocol": protocol}],
            "endpoints": [{"addresses": [ip], "conditions": {"ready": True}} for ip in endpoints],
        },
    )
    return assemble({"default/web": service_rules(views(service, [slices], "node"), CLUSTER)})


def program(node: NetworkNamespace, before: Ruleset, after: Ruleset) -> None:
    async def apply() -> None:
        kernel = Iptables()
        await kernel.apply(restore(before, after))
        await kernel.ensure_jumps(JUMPS)

    node.call(lambda: asyncio.run(apply()))


def serve(pod: NetworkNamespace, name: bytes, kind: socket.SocketKind) -> socket.socket:
    """Answer with the name and the peer's address until the socket is closed."""

    def listen() -> socket.socket:
        listener = socket.socket(socket.AF_INET, kind)
        listener.bind(("0.0.0.0", 8080))
        if kind == socket.SOCK_STREAM:
            listener.listen(64)
        return listener

    listener = pod.call(listen)

    def answer() -> None:
        while True:
            try:
                if kind == socket.SOCK_STREAM:
                    connection, peer = listener.accept()
                    with connection:
                        connection.sendall(name + b" " + peer[0].encode())
                else:
                    _, peer = listener.recvfrom(64)
                    listener.sendto(name + b" " + peer[0].encode(), peer)
            except OSError:
                return

    threading.Thread(target=answer, daemon=True).start()
    return listener


def ask(source: NetworkNamespace, address: str, port: int) -> tuple[str, str]:
    """Who answered a TCP connection, and whom it saw."""

    def connect_and_read() -> tuple[str, str]:
        with socket.create_connection((address, port), timeout=TIMEOUT_S) as connection:
            name, peer = connection.recv(100).decode().split()
            return name, peer

    return source.call(connect_and_read)


def test_cluster_ip_node_port_and_refusal(lab: Lab) -> None:
    listeners = [serve(pod, name, socket.SOCK_STREAM) for pod, name in zip(lab.pods, (b"one", b"two"), strict=True)]
    try:
        both = rules(("10.244.1.2", "10.244.2.2"))
        program(lab.node, {}, both)
        assert {ask(lab.client, "10.96.0.7", 80)[0] for _ in range(30)} == {"one", "two"}
        assert {ask(lab.client, "172.31.250.1", 30080)[0] for _ in range(30)} == {"one", "two"}
        assert ask(lab.node, "10.96.0.7", 80)[0] in ("one", "two")

        one = rules(("10.244.1.2",))
        program(lab.node, both, one)
        assert {ask(lab.client, "10.96.0.7", 80)[0] for _ in range(10)} == {"one"}
        assert ask(lab.pods[1], "10.96.0.7", 80) == ("one", "10.244.2.2"), "between pods the source is kept"
        assert ask(lab.pods[0], "10.96.0.7", 80)[0] == "one", "a pod reaches itself through its Service"

        program(lab.node, one, rules(()))
        with pytest.raises(ConnectionRefusedError):
            ask(lab.client, "10.96.0.7", 80)
        with pytest.raises(ConnectionRefusedError):
            ask(lab.client, "172.31.250.1", 30080)
    finally:
        for listener in listeners:
            listener.close()


def test_session_affinity_keeps_a_client_with_its_endpoint(lab: Lab) -> None:
    listeners = [serve(pod, name, socket.SOCK_STREAM) for pod, name in zip(lab.pods, (b"one", b"two"), strict=True)]
    try:
        program(lab.node, {}, rules(("10.244.1.2", "10.244.2.2"), sessionAffinity="ClientIP"))
        assert len({ask(lab.client, "10.96.0.7", 80)[0] for _ in range(20)}) == 1
    finally:
        for listener in listeners:
            listener.close()


def test_a_udp_flow_moves_on_when_its_endpoint_leaves(lab: Lab) -> None:
    listeners = [serve(pod, name, socket.SOCK_DGRAM) for pod, name in zip(lab.pods, (b"one", b"two"), strict=True)]
    client = lab.client.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    client.settimeout(TIMEOUT_S)

    def ask_again() -> str:
        client.sendto(b"?", ("10.96.0.7", 80))
        return client.recv(100).decode().split()[0]

    try:
        first = rules(("10.244.1.2",), "UDP")
        program(lab.node, {}, first)
        assert ask_again() == "one"
        program(lab.node, first, rules(("10.244.2.2",), "UDP"))
        assert ask_again() == "one", "the kernel remembers the flow: this is what must be undone"
        assert Flow("10.96.0.7", 80, "10.244.1.2") in lab.node.call(lambda: asyncio.run(Conntrack().tracked()))
        lab.node.call(lambda: asyncio.run(Conntrack().forget([Flow("10.96.0.7", 80, "10.244.1.2")])))
        assert ask_again() == "two"
    finally:
        client.close()
        for listener in listeners:
            listener.close()


def test_own_chains_are_found_and_jumps_stand_once(lab: Lab) -> None:
    wanted = rules(("10.244.1.2",))
    program(lab.node, {}, wanted)
    program(lab.node, {}, wanted)
    found = lab.node.call(lambda: asyncio.run(Iptables().own_chains()))
    assert {table: set(names) for table, names in found.items()} == {table: set(chains) for table, chains in wanted.items()}
    saved = lab.node.command("iptables-save")
    assert saved.count("-A PREROUTING -j KUBE-SERVICES") == 1
    assert saved.count("-A FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES") == 1
