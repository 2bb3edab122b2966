"""What a local cluster is: frozen values, no I/O.

A ClusterSpec is what the user asked for; `nodes()` derives each node's name (as kind names them), address and role from
it, so that the same spec always means the same machines. Constants here are the addresses and ports of every local
cluster; clusters do not collide, because each has a network of its own.
"""

from __future__ import annotations

import ipaddress
import platform
import re
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from cluster.errors import ClusterError

SWITCH_IP = "172.31.255.1"
NODE_NETWORK = ipaddress.IPv4Network("172.31.255.0/24")
FIRST_NODE_HOST = 2
POD_CIDR = "10.244.0.0/16"
NODE_CIDR_MASK_SIZE = 24
SERVICE_CIDR = "10.96.0.0/16"
KUBERNETES_SERVICE_IP = "10.96.0.1"
CLUSTER_DNS_IP = "10.96.0.10"
CLUSTER_DOMAIN = "cluster.local"
NODE_PORT_MIN, NODE_PORT_MAX = 30000, 32767

REST_PORT = 6443
GRPC_PORT = 6444
KUBELET_PORT = 10250
ETCD_CLIENT_PORT = 2379
ETCD_PEER_PORT = 2380
DNS_PORT = 10053
HEALTH_PORTS = {
    "kubelet": 10248,
    "kube_proxy": 10256,
    "controller_manager": 10257,
    "scheduler": 10259,
    "cluster_dns": 10058,
}

PAUSE_IMAGE = "registry.local/coxswain/pause:1"
CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"

WORKERS_MAX = 100
NAME_LENGTH_MAX = 40
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x"}


class Role(StrEnum):
    CONTROL_PLANE = "control-plane"
    WORKER = "worker"


class Publish(msgspec.Struct, frozen=True, rename="camel"):
    """127.0.0.1:host_port on this machine leads to node_port of the cluster (TCP)."""

    host_port: int
    node_port: int


class Taint(msgspec.Struct, frozen=True):
    key: str
    value: str
    effect: str


class NodeSpec(msgspec.Struct, frozen=True):
    name: str
    ip: str
    role: Role


class ClusterSpec(msgspec.Struct, frozen=True, rename="camel"):
    """One cluster as asked for; `image_archives` are paths of OCI or docker archives loaded into every node."""

    name: str
    control_planes: int = 1
    workers: int = 0
    publish: tuple[Publish, ...] = ()
    image_archives: tuple[str, ...] = ()

    def nodes(self) -> tuple[NodeSpec, ...]:
        """Every node, control planes first, in the order of their addresses."""
        names = [(_numbered(self.name, Role.CONTROL_PLANE, n), Role.CONTROL_PLANE) for n in range(self.control_planes)]
        names += [(_numbered(self.name, Role.WORKER, n), Role.WORKER) for n in range(self.workers)]
        return tuple(
            NodeSpec(name=name, ip=str(NODE_NETWORK[FIRST_NODE_HOST + index]), role=role)
            for index, (name, role) in enumerate(names)
        )

    def node(self, name: str) -> NodeSpec:
        """The node called `name`; ClusterError that lists the others if there is none."""
        for node in self.nodes():
            if node.name == name:
                return node
        known = ", ".join(node.name for node in self.nodes())
        raise ClusterError(f"cluster {self.name!r} has no node {name!r}; it has {known}")

    @property
    def control_plane_ips(self) -> tuple[str, ...]:
        return tuple(node.ip for node in self.nodes() if node.role is Role.CONTROL_PLANE)

    def taints(self, node: NodeSpec) -> tuple[Taint, ...]:
        """Taints `node` registers with: a control plane is kept free of pods as long as there are workers."""
        if node.role is Role.WORKER or not self.workers:
            return ()
        return (Taint(key=CONTROL_PLANE_LABEL, value="", effect="NoSchedule"),)


def node_labels(node: NodeSpec) -> dict[str, str]:
    """Labels `node` registers with (Kubernetes' well-known labels)."""
    return {
        "kubernetes.io/hostname": node.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine_architecture(),
    }


def role_labels(node: NodeSpec) -> dict[str, str]:
    """Labels that `node` is given by whoever sets up the cluster: it may not call itself a control plane."""
    return {CONTROL_PLANE_LABEL: ""} if node.role is Role.CONTROL_PLANE else {}


def machine_architecture() -> str:
    """This machine's architecture in Go's spelling, which Kubernetes' labels use."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def validate(spec: ClusterSpec) -> None:
    """Refuse what cannot be built, in one sentence that says what would be accepted (ClusterError)."""
    validate_name(spec.name)
    if spec.control_planes != 1:
        raise ClusterError(
            f"{spec.control_planes} control planes were asked for, but a local cluster has exactly one in this version"
        )
    if not 0 <= spec.workers <= WORKERS_MAX:
        raise ClusterError(f"a local cluster has 0 to {WORKERS_MAX} workers, not {spec.workers}")
    host_ports = [publish.host_port for publish in spec.publish]
    for port in host_ports:
        if host_ports.count(port) > 1:
            raise ClusterError(f"host port {port} is published twice; each host port leads to one node port")


def validate_name(name: str) -> None:
    """Refuse a name that node names, cgroups and kubeconfig contexts could not carry (ClusterError)."""
    if not _NAME.fullmatch(name):
        raise ClusterError(
            f"{name!r} is not a cluster name: use lower-case letters, digits and '-', "
            "beginning and ending with a letter or digit"
        )
    if len(name) > NAME_LENGTH_MAX:
        raise ClusterError(f"the cluster name {name!r} is {len(name)} characters long; at most {NAME_LENGTH_MAX} fit")


def parse_publish(values: Sequence[str]) -> tuple[Publish, ...]:
    """Publish rows of "HOSTPORT:NODEPORT" strings; ClusterError that names the bad one."""
    return tuple(_parse_publish(value) for value in values)


def _parse_publish(value: str) -> Publish:
    host, separator, node = value.partition(":")
    if not (separator and host.isascii() and host.isdigit() and node.isascii() and node.isdigit()):
        raise ClusterError(f"{value!r} is not HOSTPORT:NODEPORT, e.g. 8080:30080")
    publish = Publish(host_port=int(host), node_port=int(node))
    if not 1 <= publish.host_port <= 65535:
        raise ClusterError(f"{host} in {value!r} is not a port: ports are 1 to 65535")
    if not NODE_PORT_MIN <= publish.node_port <= NODE_PORT_MAX:
        raise ClusterError(f"{node} in {value!r} is not a node port: those are {NODE_PORT_MIN} to {NODE_PORT_MAX}")
    return publish


def _numbered(cluster: str, role: Role, index: int) -> str:
    return f"{cluster}-{role.value}" + (str(index + 1) if index else "")
