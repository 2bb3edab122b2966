"""Services as their clients see them: from pods and nodes, over TCP and UDP, by address and by name, through changes and ends.

Every endpoint says its pod's name and whom it sees; a client asks one or several addresses, many times if need be, each time
from a new socket, and says who answered or which error came.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tests.support import chaos
from tests.support.cluster import LocalCluster, Namespace, Object
from tests.support.manifests import deployment, pod, python, service, sleeper, web_container
from tests.support.waiting import eventually

PUBLISHED_PORT = 30082
TALK_PORT = 9000
REFUSED = "ConnectionRefusedError"
AT_ONCE_S = 1.0
"""Less than the second after which TCP sends its first packet again."""

Addressee = tuple[str, str, int]
"""Protocol, address, port."""

_TALKER = """
import socket, threading
HOST = socket.gethostname()

def datagrams(server):
    while True:
        data, peer = server.recvfrom(100)
        server.sendto(f"{HOST} {peer[0]}".encode(), peer)

udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("", PORT))
tcp = socket.create_server(("", PORT), backlog=64)
threading.Thread(target=datagrams, args=(udp,), daemon=True).start()
while True:
    connection, peer = tcp.accept()
    with connection:
        connection.sendall(f"{HOST} {peer[0]}".encode())
"""

_CLIENT = """
import json, socket, sys, time

def ask(protocol, address, port):
    kind = socket.SOCK_DGRAM if protocol == "UDP" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as client:
        client.settimeout(TIMEOUT)
        try:
            client.connect((address, port))
            if protocol == "UDP":
                client.send(b"?")
            return client.recv(100).decode()
        except PermissionError:
            return "ConnectionRefusedError"  # what the kernel says of a datagram that it refuses on its way out
        except OSError as error:
            return type(error).__name__

answers = []
for _ in range(int(sys.argv[2])):
    for addressee in json.loads(sys.argv[1]):
        began = time.monotonic()
        answer = ask(*addressee)
        answers.append(answer + (" late" if time.monotonic() - began > AT_ONCE else ""))
print(json.dumps(answers))
"""

# Keeps one source port, so that the kernel sees one flow. A line for each datagram: who answered, or the error.
_FLOW = """
import socket, sys, time
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(1)
client.connect((sys.argv[1], int(sys.argv[2])))
while True:
    try:
        client.send(b"?")
        print(client.recv(100).decode().split()[0])
    except OSError as error:
        print(type(error).__name__)
    sys.stdout.flush()
    time.sleep(0.02)
"""


def _talker(**fields: Any) -> Object:
    """A container that answers on a TCP and a UDP port of the same number."""
    ports = [{"name": "talk", "containerPort": TALK_PORT}, {"name": "talk-udp", "containerPort": TALK_PORT, "protocol": "UDP"}]
    probe = {"tcpSocket": {"port": "talk"}, "periodSeconds": 1, "failureThreshold": 1}
    return python(_TALKER.replace("PORT", str(TALK_PORT)), "talker", ports=ports, readinessProbe=probe, **fields)


def _talk(name: str, *, app: str = "talk", **spec: Any) -> Object:
    """A Service of a talker: TCP on port 80, UDP on port 53."""
    ports = [
        {"name": "tcp", "port": 80, "targetPort": "talk"},
        {"name": "udp", "port": 53, "targetPort": "talk-udp", "protocol": "UDP"},
    ]
    made = service(name, app=app, **spec)
    made["spec"]["ports"] = spec.get("ports", ports)
    return made


def _on(node: str) -> Object:
    return {"nodeSelector": {"kubernetes.io/hostname": node}}


def _program(timeout_s: float = 2.0) -> str:
    return _CLIENT.replace("TIMEOUT", str(timeout_s)).replace("AT_ONCE", str(AT_ONCE_S))


def _pod_asks(ns: Namespace, client: str, *addressees: Addressee, count: int = 1, timeout_s: float = 2.0) -> list[str]:
    """What a pod with Python gets for each of the addressees, `count` times over."""
    argv = ("/usr/bin/python3", "-EsSc", _program(timeout_s), json.dumps(addressees), str(count))
    answers: list[str] = json.loads(ns.exec(client, *argv).stdout)
    return answers


def _node_asks(cluster: LocalCluster, node: str, *addressees: Addressee, count: int = 1, timeout_s: float = 2.0) -> list[str]:
    """What a process of a node gets."""
    argv = (sys.executable, "-ISc", _program(timeout_s), json.dumps(addressees), str(count))
    answers: list[str] = json.loads(chaos.in_network(cluster, node, *argv, timeout_s=60))
    return answers


def _names(answers: Sequence[str]) -> set[str]:
    """The pods that answered; an error stands for itself."""
    return {answer.split()[0] for answer in answers}


def _client(name: str = "client", **spec: Any) -> Object:
    """A pod to ask from."""
    return pod(name, python("import threading; threading.Event().wait()"), **spec)


def _address(ns: Namespace, name: str) -> str:
    return str(ns.get("services", name)["spec"]["clusterIP"])


def _port_of(found: Object, name: str) -> int:
    return next(int(each["nodePort"]) for each in found["spec"]["ports"] if each["name"] == name)


def _talkers(ns: Namespace, replicas: int = 2, name: str = "talk", **options: Any) -> set[str]:
    """A Deployment of talkers; the names of its pods, all of them ready."""
    ns.create(deployment(name, replicas, _talker(), **options), "deployments")
    ns.deployment_done(name)
    return {each["metadata"]["name"] for each in ns.pods(f"app={name}")}


def _served(ask: Callable[[], list[str]], wanted: set[str], timeout_s: float = 10.0) -> None:
    """Wait until exactly these pods (or errors) answer."""

    def check() -> None:
        answers = ask()
        assert _names(answers) == wanted, f"{answers} instead of {wanted}"

    eventually(check, timeout_s)


# Addresses


def test_a_cluster_ip_answers_pods_and_nodes_over_tcp_and_udp(ns: Namespace, cluster: LocalCluster) -> None:
    talkers = _talkers(ns, 3)
    ns.create(_talk("talk"), "services")
    ns.endpoints_ready("talk", 3)
    address = _address(ns, "talk")
    addressees: tuple[Addressee, Addressee] = (("TCP", address, 80), ("UDP", address, 53))
    for n, node in enumerate(cluster.workers()):
        ns.create(_client(f"client-{n}", **_on(node)))
    for addressee in addressees:
        for node in (each.name for each in cluster.nodes()):
            _served(lambda node=node, to=addressee: _node_asks(cluster, node, to, count=30), talkers)  # type: ignore[misc]
        for n in range(len(cluster.workers())):
            client = ns.pod_ready(f"client-{n}")
            answers = _pod_asks(ns, f"client-{n}", addressee, count=30)
            assert _names(answers) == talkers
            # Within the cluster nobody's address is hidden.
            assert {answer.split()[1] for answer in answers} == {client["status"]["podIP"]}


def test_a_pod_reaches_itself_through_its_service(ns: Namespace) -> None:
    (name,) = _talkers(ns, 1)
    ns.create(_talk("talk"), "services")
    ns.endpoints_ready("talk", 1)
    address = _address(ns, "talk")
    _served(lambda: _pod_asks(ns, name, ("TCP", address, 80), ("UDP", address, 53)), {name})


def test_a_node_port_answers_on_every_node_over_tcp_and_udp(ns: Namespace, cluster: LocalCluster) -> None:
    worker = cluster.workers()[0]
    talkers = _talkers(ns, 2, template=_on(worker))
    made = _talk("talk", type="NodePort")
    made["spec"]["ports"][0]["nodePort"] = PUBLISHED_PORT
    found = ns.create(made, "services")
    ns.endpoints_ready("talk", 2)
    tcp, udp = _port_of(found, "tcp"), _port_of(found, "udp")
    assert tcp == PUBLISHED_PORT
    assert 30000 <= udp <= 32767
    everywhere: list[Addressee] = [
        (protocol, node.ip, port) for node in cluster.nodes() for protocol, port in (("TCP", tcp), ("UDP", udp))
    ]
    for node in cluster.nodes():
        _served(lambda node=node: _node_asks(cluster, node.name, *everywhere, count=8), talkers)  # type: ignore[misc]
    ns.create(_client())
    ns.pod_ready("client")
    _served(lambda: _pod_asks(ns, "client", *everywhere, count=8), talkers)
    # From outside the cluster. The talker hears nothing before it speaks: what it had not read would reset the connection.
    with socket.create_connection(("127.0.0.1", cluster.ports[PUBLISHED_PORT]), 5) as connection:
        assert connection.recv(100).decode().split()[0] in talkers


def test_a_local_node_port_serves_from_its_own_node_and_shows_the_clients_address(ns: Namespace, cluster: LocalCluster) -> None:
    with_pods, without = cluster.workers()
    talkers = _talkers(ns, 1, template=_on(with_pods))
    found = ns.create(_talk("talk", type="NodePort", externalTrafficPolicy="Local"), "services")
    ns.endpoints_ready("talk", 1)
    port = _port_of(found, "tcp")
    ips = {node.name: node.ip for node in cluster.nodes()}
    from_afar = chaos.control_plane(cluster)
    _served(lambda: _node_asks(cluster, from_afar, ("TCP", ips[with_pods], port)), talkers)
    (answer,) = _node_asks(cluster, from_afar, ("TCP", ips[with_pods], port))
    assert answer.split()[1] == ips[from_afar]
    # A node that has no endpoint answers nobody from outside, but its own processes and its pods see the whole Service.
    ns.create(_client("neighbour", **_on(without)))
    ns.pod_ready("neighbour")
    _served(lambda: _node_asks(cluster, without, ("TCP", ips[without], port), count=3), talkers)
    _served(lambda: _pod_asks(ns, "neighbour", ("TCP", ips[without], port), count=3), talkers)
    # It refuses those from outside knowingly, then: it has the Service's rules.
    (answer,) = _node_asks(cluster, from_afar, ("TCP", ips[without], port), timeout_s=0.7)
    assert answer.split()[0] in (REFUSED, "TimeoutError")


def test_local_internal_traffic_stays_on_the_node(ns: Namespace, cluster: LocalCluster) -> None:
    first, second = cluster.workers()
    for n, node in enumerate((first, first, second)):
        ns.create(pod(f"talk-{n}", _talker(), labels={"app": "talk"}, **_on(node)))
    ns.create(_talk("talk", internalTrafficPolicy="Local"), "services")
    ns.endpoints_ready("talk", 3)
    to: Addressee = ("TCP", _address(ns, "talk"), 80)
    _served(lambda: _node_asks(cluster, first, to, count=12), {"talk-0", "talk-1"})
    _served(lambda: _node_asks(cluster, second, to, count=6), {"talk-2"})
    _served(lambda: _node_asks(cluster, chaos.control_plane(cluster), to), {REFUSED})


# Affinity


def test_session_affinity_keeps_a_client_with_its_endpoint_until_that_goes(ns: Namespace, cluster: LocalCluster) -> None:
    talkers = _talkers(ns, 3)
    ns.create(_talk("talk", sessionAffinity="ClientIP"), "services")
    ns.endpoints_ready("talk", 3)
    assert ns.get("services", "talk")["spec"]["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    for n, node in enumerate(cluster.workers()):
        ns.create(_client(f"client-{n}", **_on(node)))
    addressees: tuple[Addressee, Addressee] = (("TCP", _address(ns, "talk"), 80), ("UDP", _address(ns, "talk"), 53))
    for n in range(len(cluster.workers())):
        ns.pod_ready(f"client-{n}")
        for addressee in addressees:
            eventually(lambda n=n, to=addressee: _assert_no_errors(_pod_asks(ns, f"client-{n}", to)))  # type: ignore[misc]
            answers = _pod_asks(ns, f"client-{n}", addressee, count=20)
            assert len(_names(answers)) == 1, answers
            assert _names(answers) < talkers
            assert _names(_pod_asks(ns, f"client-{n}", addressee, count=10)) == _names(answers)
    (chosen,) = _names(_pod_asks(ns, "client-0", addressees[0]))
    ns.kctl("delete", "pod", chosen)
    ns.endpoints_ready("talk", 3)

    def moved_on() -> None:
        answers = _pod_asks(ns, "client-0", addressees[0], count=10)
        assert len(_names(answers)) == 1, answers
        assert _names(answers).isdisjoint({chosen, REFUSED, "TimeoutError"}), answers

    eventually(moved_on)
    ns.patch("services", "talk", {"spec": {"sessionAffinity": "None", "sessionAffinityConfig": None}})
    remaining = {each["metadata"]["name"] for each in ns.pods("app=talk")}
    _served(lambda: _pod_asks(ns, "client-0", addressees[0], count=40), remaining)


def test_session_affinity_ends_after_its_timeout(ns: Namespace, cluster: LocalCluster) -> None:
    _talkers(ns, 3)
    config = {"clientIP": {"timeoutSeconds": 1}}
    ns.create(_talk("talk", sessionAffinity="ClientIP", sessionAffinityConfig=config), "services")
    ns.endpoints_ready("talk", 3)
    to: Addressee = ("TCP", _address(ns, "talk"), 80)
    node = cluster.workers()[0]
    eventually(lambda: _assert_no_errors(_node_asks(cluster, node, to)))
    seen: list[str] = []
    for _ in range(15):  # of three endpoints the same fifteen times: once in five million runs
        answers = _node_asks(cluster, node, to, count=5)
        assert len(_names(answers)) == 1, answers
        seen += _names(answers)
        if len(set(seen)) > 1:
            break
        time.sleep(1.3)  # what is tested is that time passes
    assert len(set(seen)) > 1, seen


def _assert_no_errors(answers: list[str]) -> None:
    assert not any(answer.split()[0].endswith("Error") for answer in answers), answers


# Names


def _lookup(ns: Namespace, client: str, name: str, kind: str = "a") -> list[str]:
    """The lines of a name server's answer that matter: addresses, or what stands behind `service =`."""
    result = ns.exec(client, "nslookup", f"-type={kind}", name, check=False)
    lines = result.stdout.splitlines()
    if kind == "srv":
        return sorted(line.partition("service = ")[2] for line in lines if "service = " in line)
    answers = lines[next((n for n, line in enumerate(lines) if line.startswith("Name:")), len(lines)) :]
    return sorted(line.split()[-1] for line in answers if line.startswith("Address"))


def _resolves(ns: Namespace, name: str, wanted: Sequence[str], kind: str = "a") -> None:
    def check() -> None:
        found = _lookup(ns, "resolver", name, kind)
        assert found == sorted(wanted), f"{name} {kind}: {found} instead of {wanted}"

    eventually(check, 15)


def test_a_headless_service_names_its_pods_and_their_ports(ns: Namespace) -> None:
    ns.create(_talk("talk", clusterIP="None"), "services")
    ns.create(pod("resolver", sleeper()))
    for n in range(2):
        ns.create(pod(f"talk-{n}", _talker(), labels={"app": "talk"}, hostname=f"member-{n}", subdomain="talk"))
    ns.create(pod("talk-2", _talker(), labels={"app": "talk"}))  # has no name of its own
    ips = [ns.pod_ready(f"talk-{n}")["status"]["podIP"] for n in range(3)]
    ns.pod_ready("resolver")
    domain = f"talk.{ns.name}.svc.cluster.local"
    dashed = ips[2].replace(".", "-")
    assert _address(ns, "talk") == "None"
    _resolves(ns, domain, ips)
    _resolves(ns, f"member-0.{domain}", ips[:1])
    _resolves(ns, f"member-1.{domain}", ips[1:2])
    _resolves(ns, f"{dashed}.{domain}", ips[2:])
    members = [f"member-0.{domain}", f"member-1.{domain}", f"{dashed}.{domain}"]
    for port, protocol in (("tcp", "tcp"), ("udp", "udp")):
        # A headless Service has no port of its own: clients dial the endpoints'.
        _resolves(ns, f"_{port}._{protocol}.{domain}", [f"0 100 {TALK_PORT} {member}" for member in members], "srv")
    # By the search path, from a pod and about itself: what a member of a cluster of databases does.
    assert ns.exec("talk-0", "/usr/bin/python3", "-EsSc", "import socket; print(socket.getfqdn())").stdout.strip() == (
        f"member-0.{domain}"
    )
    ns.kctl("delete", "pod", "talk-1")
    _resolves(ns, domain, [ips[0], ips[2]])
    _resolves(ns, f"member-1.{domain}", [])


def test_a_service_with_an_address_has_it_by_name_with_its_ports(ns: Namespace) -> None:
    ns.create(_talk("talk"), "services")
    ns.create(pod("resolver", sleeper()))
    ns.pod_ready("resolver")
    domain = f"talk.{ns.name}.svc.cluster.local"
    address = _address(ns, "talk")
    _resolves(ns, domain, [address])
    _resolves(ns, f"_tcp._tcp.{domain}", [f"0 100 80 {domain}"], "srv")
    _resolves(ns, f"_udp._udp.{domain}", [f"0 100 53 {domain}"], "srv")
    _resolves(ns, f"_nobody._tcp.{domain}", [], "srv")
    ns.kctl("delete", "service", "talk")
    _resolves(ns, domain, [])


def test_publish_not_ready_addresses(ns: Namespace, cluster: LocalCluster) -> None:
    never = _talker()
    never["readinessProbe"] = {"exec": {"command": ["false"]}, "periodSeconds": 1}
    ns.create(pod("talk-0", never, labels={"app": "talk"}))
    ns.create(_talk("members", clusterIP="None", publishNotReadyAddresses=True), "services")
    ns.create(_talk("served", publishNotReadyAddresses=True), "services")
    ns.create(_talk("waiting"), "services")
    ns.create(_talk("hidden", clusterIP="None"), "services")
    ns.create(pod("resolver", sleeper()))
    ns.pod_ready("resolver")
    running = ns.pod_where("talk-0", lambda each: each["status"]["phase"] == "Running", "running")
    ip = running["status"]["podIP"]
    ns.endpoints_ready("served", 1)
    _resolves(ns, f"members.{ns.name}.svc.cluster.local", [ip])
    _resolves(ns, f"hidden.{ns.name}.svc.cluster.local", [])
    node = cluster.workers()[0]
    _served(lambda: _node_asks(cluster, node, ("TCP", _address(ns, "served"), 80)), {"talk-0"})
    _served(lambda: _node_asks(cluster, node, ("TCP", _address(ns, "waiting"), 80)), {REFUSED})
    eventually(lambda: _assert_endpoints(ns, "waiting", {ip: False}))
    ns.patch("services", "served", {"spec": {"publishNotReadyAddresses": False}})
    _served(lambda: _node_asks(cluster, node, ("TCP", _address(ns, "served"), 80)), {REFUSED})


def _assert_endpoints(ns: Namespace, name: str, wanted: dict[str, bool]) -> None:
    assert ns.endpoints(name) == wanted


# Without endpoints


def test_a_service_without_endpoints_is_refused_at_once_until_it_has_one(ns: Namespace, cluster: LocalCluster) -> None:
    found = ns.create(_talk("talk", type="NodePort"), "services")
    ns.create(_client())
    ns.pod_ready("client")
    address, node = found["spec"]["clusterIP"], cluster.workers()[0]
    ips = [each.ip for each in cluster.nodes()]
    everything: list[Addressee] = [
        ("TCP", address, 80), ("UDP", address, 53), *(("TCP", ip, _port_of(found, "tcp")) for ip in ips),
        *(("UDP", ip, _port_of(found, "udp")) for ip in ips),
    ]  # fmt: skip
    _served(lambda: _pod_asks(ns, "client", *everything), {REFUSED})
    _served(lambda: _node_asks(cluster, node, *everything), {REFUSED})
    # Busy clients too: every connection is refused at once, not one in a second.
    answers = _pod_asks(ns, "client", ("TCP", address, 80), count=50)
    assert set(answers) == {REFUSED}
    talkers = _talkers(ns, 1)
    _served(lambda: _pod_asks(ns, "client", *everything), talkers)
    _served(lambda: _node_asks(cluster, node, *everything), talkers)
    ns.kctl("scale", "deployment/talk", "--replicas=0")
    _served(lambda: _pod_asks(ns, "client", *everything), {REFUSED})


# UDP flows


@contextlib.contextmanager
def _flow(ns: Namespace, client: str, address: str, port: int) -> Iterator[Callable[[], str]]:
    """A flow from one source port of a pod; each call of what is yielded reads on: who answered, or the error."""
    arguments = ("exec", client, "--", "/usr/bin/python3", "-EsSc", _FLOW, address, str(port))
    process = ns.start_kctl(*arguments)
    try:
        assert process.stdout is not None
        yield lambda: _line(process)
    finally:
        process.kill()
        process.communicate()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line, f"the flow has ended: {process.stderr.read() if process.stderr else ''}"
    return line


def _until(read: Callable[[], str], wanted: set[str], timeout_s: float = 10.0) -> str:
    deadline, seen = time.monotonic() + timeout_s, []
    while time.monotonic() < deadline:
        seen.append(read())
        if seen[-1] in wanted:
            return seen[-1]
    raise AssertionError(f"{wanted} did not come within {timeout_s:g} s: {seen[-30:]}")


def _tracked(cluster: LocalCluster, node: str, address: str, endpoint: str) -> list[str]:
    """The UDP flows to an address that the kernel of a node leads to an endpoint."""
    text = chaos.in_network(cluster, node, "conntrack", "-L", "-p", "udp", "--orig-dst", address, "--dst-nat", endpoint)
    return [line for line in text.splitlines() if line.startswith("udp")]


@pytest.mark.parametrize("end", ["deleted", "killed", "unready"])
def test_udp_clients_move_on(ns: Namespace, cluster: LocalCluster, end: str) -> None:
    node = cluster.workers()[0]
    talker = _talker()
    talker["readinessProbe"] = {"exec": {"command": ["test", "!", "-e", "/tmp/unready"]}, "periodSeconds": 1}
    talker["readinessProbe"] |= {"failureThreshold": 1}
    for n in range(2):
        ns.create(pod(f"talk-{n}", talker, labels={"app": "talk"}))
    ns.create(_client(**_on(node)))
    found = ns.create(_talk("talk", type="NodePort"), "services")
    ips = {f"talk-{n}": ns.pod_ready(f"talk-{n}")["status"]["podIP"] for n in range(2)}
    ns.pod_ready("client")
    ns.endpoints_ready("talk", 2)
    address = found["spec"]["clusterIP"]
    node_ip = next(each.ip for each in cluster.nodes() if each.name == node)
    ways = ((address, 53), (node_ip, _port_of(found, "udp")))
    with _flow(ns, "client", *ways[0]) as to_service, _flow(ns, "client", *ways[1]) as to_node:
        chosen = [_until(read, set(ips)) for read in (to_service, to_node)]
        assert _tracked(cluster, node, address, ips[chosen[0]])
        _end(ns, chosen[0], end)
        (other,) = set(ips) - {chosen[0]}
        _until(to_service, {other})
        _until(to_node, {other})
        assert {to_service() for _ in range(20)} == {other}
        assert {to_node() for _ in range(20)} == {other}
        for destination, _ in ways:
            assert _tracked(cluster, node, destination, ips[chosen[0]]) == []


def _end(ns: Namespace, name: str, how: str) -> None:
    match how:
        case "deleted":
            ns.kctl("delete", "pod", name, "--wait=false")
        case "killed":
            ns.kctl("delete", "pod", name, "--force", "--grace-period=0")
        case "unready":
            ns.exec(name, "touch", "/tmp/unready")


def test_a_udp_client_that_found_nobody_finds_the_first_endpoint(ns: Namespace, cluster: LocalCluster) -> None:
    found = ns.create(_talk("talk", type="NodePort"), "services")
    ns.create(_client())
    client = ns.pod_ready("client")
    node = next(each for each in cluster.nodes() if each.name == client["spec"]["nodeName"])
    with (
        _flow(ns, "client", found["spec"]["clusterIP"], 53) as to_service,
        _flow(ns, "client", node.ip, _port_of(found, "udp")) as to_node,
    ):
        for read in (to_service, to_node):
            _until(read, {REFUSED, "TimeoutError"})  # before the node has heard of the Service, there is no way at all
        (name,) = _talkers(ns, 1)
        for read in (to_service, to_node):
            _until(read, {name})


# Changes


def test_named_target_ports_are_each_pods_own(ns: Namespace, cluster: LocalCluster) -> None:
    """While a Deployment moves from one port to another, the Service leads to both."""
    for name, number in (("old", 8080), ("new", 9090)):
        container = web_container(name)
        container["command"][2] = container["command"][2].replace("-p 8080", f"-p {number}")
        container["ports"][0]["containerPort"] = number
        ns.create(pod(name, container, labels={"app": "web"}, restartPolicy="Always"))
    ns.create(service("web"), "services")
    ns.endpoints_ready("web", 2)
    address, node = _address(ns, "web"), cluster.workers()[0]

    def both() -> None:
        seen = {_page(cluster, node, address, 80) for _ in range(8)}
        assert seen == {"old", "new"}, seen

    eventually(both)
    ports = {
        (each["ports"][0]["port"], endpoint["targetRef"]["name"])
        for each in ns.list("endpointslices", "kubernetes.io/service-name=web")
        for endpoint in each.get("endpoints") or []
    }
    assert ports == {(8080, "old"), (9090, "new")}


def _page(cluster: LocalCluster, node: str, address: str, port: int) -> str:
    """The body of a page, or the error of asking for it."""
    try:
        return cluster.fetch_from(node, address, port)[1].strip()
    except AssertionError as error:
        return str(error).splitlines()[-1]


def test_ports_and_selector_of_a_service_change_under_its_clients(ns: Namespace, cluster: LocalCluster) -> None:
    for name in ("blue", "green"):
        ns.create(pod(name, _talker(), labels={"app": name}))
        ns.pod_ready(name)
    ns.create(_talk("talk", app="blue"), "services")
    ns.endpoints_ready("talk", 1)
    address, node = _address(ns, "talk"), cluster.workers()[0]

    def ask(port: int, protocol: str = "TCP") -> Callable[[], list[str]]:
        return lambda: _node_asks(cluster, node, (protocol, address, port), count=3, timeout_s=0.5)

    _served(ask(80), {"blue"})
    ns.patch("services", "talk", {"spec": {"selector": {"app": "green"}}})
    _served(ask(80), {"green"})
    _served(ask(53, "UDP"), {"green"})
    # A port moves: the new one answers, the old one no longer does.
    ports = ns.get("services", "talk")["spec"]["ports"]
    ports[0]["port"] = 8000
    _replace(ns, ports=ports)
    _served(ask(8000), {"green"})
    assert "green" not in _names(ask(80)())
    _served(ask(53, "UDP"), {"green"})
    # A target port to where nobody listens: the endpoint itself refuses.
    ports[0]["targetPort"] = TALK_PORT + 1
    _replace(ns, ports=ports)
    _served(ask(8000), {REFUSED})
    ports[0]["targetPort"] = TALK_PORT
    _replace(ns, ports=ports)
    _served(ask(8000), {"green"})
    # Nobody is selected, then everybody who carries the label.
    ns.patch("services", "talk", {"spec": {"selector": {"app": "red"}}})
    _served(ask(8000), {REFUSED})
    for name in ("blue", "green"):
        ns.kctl("label", "pod", name, "app=red", "--overwrite")
    _served(lambda: _node_asks(cluster, node, ("TCP", address, 8000), count=12), {"blue", "green"})


def _replace(ns: Namespace, **spec: Any) -> None:
    found = ns.get("services", "talk")
    found["spec"].update(spec)
    ns.rest.update(ns.path("services", "talk"), found)


def test_a_service_changes_its_type_and_back(ns: Namespace, cluster: LocalCluster) -> None:
    talkers = _talkers(ns, 1)
    ns.create(_talk("talk"), "services")
    ns.endpoints_ready("talk", 1)
    address, node = _address(ns, "talk"), cluster.workers()[0]
    ns.patch("services", "talk", {"spec": {"type": "NodePort"}})
    found = ns.get("services", "talk")
    port = _port_of(found, "tcp")
    ips = [each.ip for each in cluster.nodes()]
    outside: list[Addressee] = [("TCP", ip, port) for ip in ips]
    _served(lambda: _node_asks(cluster, node, ("TCP", address, 80), *outside), talkers)
    ns.patch("services", "talk", {"spec": {"type": "ClusterIP"}})
    assert "nodePort" not in ns.get("services", "talk")["spec"]["ports"][0]
    _served(lambda: _node_asks(cluster, node, *outside), {REFUSED})
    assert _names(_node_asks(cluster, node, ("TCP", address, 80))) == talkers
    ns.kctl("delete", "service", "talk")
    eventually(lambda: _assert_silent(_node_asks(cluster, node, ("TCP", address, 80), timeout_s=0.5), talkers))


def _assert_silent(answers: list[str], talkers: set[str]) -> None:
    assert _names(answers).isdisjoint(talkers), answers


def test_a_service_without_selector_leads_to_the_slices_that_name_it(ns: Namespace, cluster: LocalCluster) -> None:
    ns.create(pod("talk", _talker(), labels={"app": "talk"}))
    ip = ns.pod_ready("talk")["status"]["podIP"]
    made = _talk("manual", ports=[{"name": "tcp", "port": 80, "targetPort": TALK_PORT}])
    del made["spec"]["selector"]
    ns.create(made, "services")
    to: Addressee = ("TCP", _address(ns, "manual"), 80)
    node = cluster.workers()[0]
    _served(lambda: _node_asks(cluster, node, to), {REFUSED})
    ns.create(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "manual-1", "labels": {"kubernetes.io/service-name": "manual"}},
            "addressType": "IPv4",
            "ports": [{"name": "tcp", "port": TALK_PORT}],
            "endpoints": [{"addresses": [ip]}],
        },
        "endpointslices",
    )
    _served(lambda: _node_asks(cluster, node, to), {"talk"})
    ns.delete("endpointslices", "manual-1")
    _served(lambda: _node_asks(cluster, node, to), {REFUSED})


# Without kube_proxy


@contextlib.contextmanager
def _proxy_stopped(cluster: LocalCluster, node: str) -> Iterator[None]:
    """kube_proxy of a node does nothing while the block runs, then dies and is started anew."""
    pid = chaos.kill(cluster, node, "kube_proxy", signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        chaos.back(cluster, node, "kube_proxy", pid)


def test_services_answer_while_kube_proxy_is_down_and_new_ones_once_it_is_back(ns: Namespace, cluster: LocalCluster) -> None:
    node, other = cluster.workers()
    talkers = _talkers(ns, 2, template=_on(other))
    for name in ("old", "going"):
        ns.create(_talk(name), "services")
        ns.endpoints_ready(name, 2)
    old: list[Addressee] = [("TCP", _address(ns, "old"), 80), ("UDP", _address(ns, "old"), 53)]
    going: Addressee = ("TCP", _address(ns, "going"), 80)
    _served(lambda: _node_asks(cluster, node, *old, going, count=10), talkers)
    ns.create(_client(**_on(node)))
    ns.pod_ready("client")
    with _proxy_stopped(cluster, node):
        assert _names(_node_asks(cluster, node, *old, count=20)) == talkers
        assert _names(_pod_asks(ns, "client", *old, count=20)) == talkers
        ns.create(_talk("new"), "services")
        ns.kctl("delete", "service", "going")
        new: Addressee = ("TCP", _address(ns, "new"), 80)
        _served(lambda: _node_asks(cluster, other, new, count=10), talkers)  # the other node's proxy lives
        assert _names(_node_asks(cluster, node, new, timeout_s=0.3)).isdisjoint(talkers)
    # Not once in between is an old Service without rules.
    assert _names(_node_asks(cluster, node, *old, count=20)) == talkers
    _served(lambda: _node_asks(cluster, node, new, count=10), talkers)
    _served(lambda: _pod_asks(ns, "client", new, count=10), talkers)
    eventually(lambda: _assert_silent(_node_asks(cluster, node, going, timeout_s=0.3), talkers))


def test_udp_clients_stay_with_their_endpoints_when_kube_proxy_starts_anew(ns: Namespace, cluster: LocalCluster) -> None:
    node = cluster.workers()[0]
    talkers = _talkers(ns, 3)
    ns.create(_client(**_on(node)))
    ns.create(_talk("talk"), "services")
    ns.pod_ready("client")
    ns.endpoints_ready("talk", 3)
    with contextlib.ExitStack() as flows:
        reads = [flows.enter_context(_flow(ns, "client", _address(ns, "talk"), 53)) for _ in range(4)]
        chosen = [_until(read, talkers) for read in reads]
        pid = chaos.kill(cluster, node, "kube_proxy")
        chaos.back(cluster, node, "kube_proxy", pid)
        for read, name in zip(reads, chosen, strict=True):
            assert {read() for _ in range(200)} == {name}  # those before the kill, too


def test_a_udp_endpoint_that_went_while_kube_proxy_was_down_is_left_once_it_is_back(
    ns: Namespace, cluster: LocalCluster
) -> None:
    node = cluster.workers()[0]
    for n in range(2):
        ns.create(pod(f"talk-{n}", _talker(), labels={"app": "talk"}))
    ns.create(_client(**_on(node)))
    ns.create(_talk("talk"), "services")
    ips = {f"talk-{n}": ns.pod_ready(f"talk-{n}")["status"]["podIP"] for n in range(2)}
    ns.pod_ready("client")
    ns.endpoints_ready("talk", 2)
    address = _address(ns, "talk")
    with _flow(ns, "client", address, 53) as read:
        chosen = _until(read, set(ips))
        (other,) = set(ips) - {chosen}
        with _proxy_stopped(cluster, node):
            ns.kctl("delete", "pod", chosen, "--force", "--grace-period=0")
            _until(read, {"TimeoutError", REFUSED, "OSError"})  # nobody tells this node
        _until(read, {other})
        assert {read() for _ in range(20)} == {other}
    assert _tracked(cluster, node, address, ips[chosen]) == []


def test_a_ready_pod_is_served_and_a_terminating_one_is_not(ns: Namespace, cluster: LocalCluster) -> None:
    """A pod that is told to end gets no new clients, though it could still serve them."""
    for name in ("leaving", "staying"):
        ns.create(pod(name, _talker(), labels={"app": "talk"}, terminationGracePeriodSeconds=120))
        ns.pod_ready(name)
    ns.create(_talk("talk"), "services")
    ns.endpoints_ready("talk", 2)
    to: Addressee = ("TCP", _address(ns, "talk"), 80)
    node = cluster.workers()[0]
    _served(lambda: _node_asks(cluster, node, to, count=12), {"leaving", "staying"})
    ns.kctl("delete", "pod", "leaving", "--wait=false")
    _served(lambda: _node_asks(cluster, node, to, count=12), {"staying"})
    assert "deletionTimestamp" in ns.get("pods", "leaving")["metadata"]
    # The last one serves on while it ends: better than refusing.
    ns.kctl("delete", "pod", "staying", "--wait=false")
    _served(lambda: _node_asks(cluster, node, to, count=12), {"leaving", "staying"})
    ns.kctl("delete", "pods", "leaving", "staying", "--force", "--grace-period=0")
