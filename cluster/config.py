"""Configuration files and services of each node, rendered from the spec. Pure: text and data in, text and data out.

Who reads what: each component its `NODE/etc/COMPONENT.yaml` (apiVersion coxswain.dev/v1), containerd its containerd.toml, the
node's PID 1 the list of services (services.json), and every Kubernetes client the kubeconfig.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cluster import cgroups, paths, pki
from cluster import spec as constants
from cluster.lifecycle import Service
from cluster.spec import ClusterSpec, NodeSpec, Role, node_labels

API_VERSION = "coxswain.dev/v1"
API_CONDITION = "api"
IMAGE_SERVICE_PREFIX = "image-"
IMAGE_IMPORT_TIMEOUT_S = 600.0
CNI_PLUGINS = "/usr/lib/cni"
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# A single etcd member elects itself after one election timeout, so a short one makes start and restart quick; with no peer
# there is no network whose delays it would have to outlast.
ETCD_HEARTBEAT_MS = 20
ETCD_ELECTION_MS = 200
EVENT_TTL_S = 3600
DEFAULT_TOLERATION_S = 5
NODE_GRACE_S = 4

CONTROL_PLANE_COMPONENTS = ("apiserver", "scheduler", "controller_manager")
NODE_COMPONENTS = ("kubelet", "kube_proxy", "cluster_dns")
# containerd plugins nothing here uses; each costs time at start, and `opt` would create /opt/containerd.
UNUSED_PLUGINS = (
    "io.containerd.internal.v1.opt",
    "io.containerd.internal.v1.tracing",
    "io.containerd.tracing.processor.v1.otlp",
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.zfs",
)


@dataclass(frozen=True, slots=True)
class Layout:
    """What a node's files depend on beside the spec: its paths, the API's inherited socket, the snapshotter.

    `modules` names the module each component is forked from.
    """

    cluster: paths.ClusterPaths
    api_listen_fd: int
    snapshotter: str = "overlayfs"
    modules: Mapping[str, str] = field(default_factory=lambda: default_modules())

    def certificate(self, stem: str) -> str:
        return str(self.cluster.pki / pki.certificate_file(stem))

    def key(self, stem: str) -> str:
        return str(self.cluster.pki / pki.key_file(stem))


def default_modules() -> dict[str, str]:
    """The entry point of each component: `app.main(["--config", FILE])`."""
    return {component: f"{component}.app" for component in (*CONTROL_PLANE_COMPONENTS, *NODE_COMPONENTS)}


def node_files(spec: ClusterSpec, node: NodeSpec, layout: Layout) -> dict[Path, str]:
    """Path and text of each configuration file of `node`."""
    own = layout.cluster.node(node.name)
    documents = {
        "kubelet": _kubelet(spec, node, layout),
        "kube_proxy": _kube_proxy(spec, node, layout),
        "cluster_dns": _cluster_dns(spec, node, layout),
    }
    if node.role is Role.CONTROL_PLANE:
        documents["apiserver"] = _apiserver(node, layout)
        documents["scheduler"] = _scheduler(spec, node, layout)
        documents["controller_manager"] = _controller_manager(spec, node, layout)
    files = {own.configuration(name): render_yaml(document) for name, document in documents.items()}
    files[own.etc / "containerd.toml"] = containerd_toml(own, layout.snapshotter)
    return files


def node_services(spec: ClusterSpec, node: NodeSpec, layout: Layout) -> tuple[Service, ...]:
    """What PID 1 of `node` keeps running, each after what it depends on."""
    own = layout.cluster.node(node.name)
    services: list[Service] = []
    if node.role is Role.CONTROL_PLANE:
        services.append(_etcd_service(node, layout))
    services.append(_containerd_service(own))
    if node.role is Role.CONTROL_PLANE:
        listen = (layout.api_listen_fd,)
        services.append(_component("apiserver", own, layout, after=("etcd",), listen_fds=listen))
        services.append(_component("scheduler", own, layout, conditions=(API_CONDITION,)))
        services.append(_component("controller_manager", own, layout, conditions=(API_CONDITION,)))
    services.append(_component("kubelet", own, layout, after=("containerd",), conditions=(API_CONDITION,), stop_s=20.0))
    services.append(_component("kube_proxy", own, layout, conditions=(API_CONDITION,)))
    services.append(_component("cluster_dns", own, layout, conditions=(API_CONDITION,)))
    for index, archive in enumerate(spec.image_archives):
        services.append(image_import(f"{IMAGE_SERVICE_PREFIX}{index}", archive, own, layout.snapshotter))
    return tuple(services)


def image_import(name: str, archive: str, own: paths.NodePaths, snapshotter: str, attempts: int = 3) -> Service:
    """A one-shot service that loads `archive` into the node's containerd, where the kubelet finds it."""
    socket = str(paths.NODE_CONTAINERD_SOCKET)
    command = ("ctr", "-a", socket, "-n", "k8s.io", "images", "import", "--snapshotter", snapshotter, archive)
    return Service(
        name=name,
        argv=command,
        environment=_environment(own),
        log_file=str(own.log_file("images")),
        after=("containerd",),
        oneshot=True,
        attempts=attempts,
        start_timeout_s=IMAGE_IMPORT_TIMEOUT_S,
    )


def _component(
    name: str,
    own: paths.NodePaths,
    layout: Layout,
    *,
    after: tuple[str, ...] = (),
    conditions: tuple[str, ...] = (),
    listen_fds: tuple[int, ...] = (),
    stop_s: float = 10.0,
) -> Service:
    return Service(
        name=name,
        module=layout.modules[name],
        arguments=("--config", str(own.configuration(name))),
        environment=_environment(own),
        log_file=str(own.log_file(name)),
        after=after,
        conditions=conditions,
        notify=True,
        listen_fds=listen_fds,
        stop_timeout_s=stop_s,
    )


def _environment(own: paths.NodePaths) -> dict[str, str]:
    return {"PATH": SEARCH_PATH, "TMPDIR": str(own.temporary), "HOME": "/root", "LANG": "C.UTF-8"}


def _etcd_service(node: NodeSpec, layout: Layout) -> Service:
    own = layout.cluster.node(node.name)
    client = f"https://127.0.0.1:{constants.ETCD_CLIENT_PORT}"
    peer = f"https://{node.ip}:{constants.ETCD_PEER_PORT}"
    flags = {
        "name": node.name,
        "data-dir": str(own.etcd / "data"),
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"{node.name}={peer}",
        "initial-cluster-token": layout.cluster.name,
        "heartbeat-interval": str(ETCD_HEARTBEAT_MS),
        "election-timeout": str(ETCD_ELECTION_MS),
        "client-cert-auth": "true",
        "trusted-ca-file": layout.certificate(pki.ETCD_CA),
        "cert-file": layout.certificate(f"etcd-server-{node.name}"),
        "key-file": layout.key(f"etcd-server-{node.name}"),
        "peer-client-cert-auth": "true",
        "peer-trusted-ca-file": layout.certificate(pki.ETCD_CA),
        "peer-cert-file": layout.certificate(f"etcd-peer-{node.name}"),
        "peer-key-file": layout.key(f"etcd-peer-{node.name}"),
        "logger": "zap",
        "log-outputs": "stderr",
        "log-level": "warn",
    }
    return Service(
        name="etcd",
        argv=("etcd", *(f"--{flag}={value}" for flag, value in flags.items())),
        environment=_environment(own),
        log_file=str(own.log_file("etcd")),
        notify=True,
    )


def _containerd_service(own: paths.NodePaths) -> Service:
    return Service(
        name="containerd",
        argv=("containerd", "--config", str(own.etc / "containerd.toml")),
        environment=_environment(own),
        log_file=str(own.log_file("containerd")),
        notify=True,
    )


def containerd_toml(own: paths.NodePaths, snapshotter: str) -> str:
    """containerd's configuration (version 2, for 1.6), with every path the node's own."""
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    tables: dict[str, dict[str, Any]] = {
        "": {
            "version": 2,
            "root": str(own.containerd),
            "state": str(paths.NODE_CONTAINERD_STATE),
            "temp": str(own.temporary),
            "disabled_plugins": list(UNUSED_PLUGINS),
        },
        "grpc": {"address": str(paths.NODE_CONTAINERD_SOCKET)},
        "debug": {"level": "warn"},
        cri: {
            "sandbox_image": constants.PAUSE_IMAGE,
            # Without CAP_SYS_RESOURCE a negative score cannot be set, and runc would die trying.
            "restrict_oom_score_adj": True,
            "disable_hugetlb_controller": True,
            "tolerate_missing_hugetlb_controller": True,
            "stream_server_address": "127.0.0.1",
            "stream_server_port": "0",
        },
        f"{cri}.containerd": {"snapshotter": snapshotter, "default_runtime_name": "runc"},
        f"{cri}.containerd.runtimes.runc": {"runtime_type": "io.containerd.runc.v2"},
        f"{cri}.containerd.runtimes.runc.options": {"SystemdCgroup": False, "BinaryName": "runc"},
        f"{cri}.cni": {"bin_dir": CNI_PLUGINS, "conf_dir": str(own.cni_configuration), "max_conf_num": 1},
    }
    return "\n".join(_toml_table(name, values) for name, values in tables.items())


def _toml_table(name: str, values: Mapping[str, Any]) -> str:
    lines = [f"[{name}]"] if name else []
    lines += [f"{key} = {_toml_value(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    # TOML's basic strings, integers, booleans and arrays of them are written as JSON writes them.
    return json.dumps(value)


def _client(spec: ClusterSpec, layout: Layout, identity: str) -> dict[str, Any]:
    return {
        "endpoints": [f"{ip}:{constants.GRPC_PORT}" for ip in spec.control_plane_ips],
        "caFile": layout.certificate(pki.CLUSTER_CA),
        "certFile": layout.certificate(identity),
        "keyFile": layout.key(identity),
    }


def _document(kind: str, **values: Any) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": kind, **values}


def _health(component: str) -> dict[str, Any]:
    return {"address": "127.0.0.1", "port": constants.HEALTH_PORTS[component]}


def _leader_election(node: NodeSpec) -> dict[str, Any]:
    return {"identity": node.name, "leaseDurationSeconds": 6, "renewDeadlineSeconds": 4, "retryPeriodSeconds": 1}


def _apiserver(node: NodeSpec, layout: Layout) -> dict[str, Any]:
    return _document(
        "ApiServerConfiguration",
        rest={"address": node.ip, "port": constants.REST_PORT, "listenFds": [layout.api_listen_fd]},
        grpc={"address": node.ip, "port": constants.GRPC_PORT},
        tls={
            "certFile": layout.certificate("apiserver"),
            "keyFile": layout.key("apiserver"),
            "clientCaFile": layout.certificate(pki.CLUSTER_CA),
        },
        storage={
            "backend": "etcd",
            "endpoints": [f"127.0.0.1:{constants.ETCD_CLIENT_PORT}"],
            "caFile": layout.certificate(pki.ETCD_CA),
            "certFile": layout.certificate("apiserver-etcd-client"),
            "keyFile": layout.key("apiserver-etcd-client"),
            "prefix": "/registry",
        },
        serviceCidr=constants.SERVICE_CIDR,
        nodePortRange=f"{constants.NODE_PORT_MIN}-{constants.NODE_PORT_MAX}",
        kubeletClient={
            "caFile": layout.certificate(pki.CLUSTER_CA),
            "certFile": layout.certificate("apiserver-kubelet-client"),
            "keyFile": layout.key("apiserver-kubelet-client"),
        },
        serviceAccount={
            "issuer": f"https://kubernetes.default.svc.{constants.CLUSTER_DOMAIN}",
            "signingKeyFile": layout.key(pki.SERVICE_ACCOUNT),
        },
        requestHeader={
            "caFile": layout.certificate(pki.FRONT_PROXY_CA),
            "certFile": layout.certificate(pki.FRONT_PROXY),
            "keyFile": layout.key(pki.FRONT_PROXY),
            "allowedNames": [pki.FRONT_PROXY],
        },
        advertiseAddress=node.ip,
        eventTtlSeconds=EVENT_TTL_S,
        defaultTolerationSeconds=DEFAULT_TOLERATION_S,
    )


def _scheduler(spec: ClusterSpec, node: NodeSpec, layout: Layout) -> dict[str, Any]:
    return _document(
        "SchedulerConfiguration",
        client=_client(spec, layout, "scheduler"),
        leaderElection=_leader_election(node),
        health=_health("scheduler"),
    )


def _controller_manager(spec: ClusterSpec, node: NodeSpec, layout: Layout) -> dict[str, Any]:
    return _document(
        "ControllerManagerConfiguration",
        client=_client(spec, layout, "controller_manager"),
        leaderElection=_leader_election(node),
        health=_health("controller_manager"),
        clusterCidr=constants.POD_CIDR,
        nodeCidrMaskSize=constants.NODE_CIDR_MASK_SIZE,
        nodeMonitorGracePeriodSeconds=NODE_GRACE_S,
        unhealthyFraction=0.55,
        rootCaFile=layout.certificate(pki.CLUSTER_CA),
        serviceAccountKeyFile=layout.key(pki.SERVICE_ACCOUNT),
    )


def _kubelet(spec: ClusterSpec, node: NodeSpec, layout: Layout) -> dict[str, Any]:
    own = layout.cluster.node(node.name)
    return _document(
        "KubeletConfiguration",
        client=_client(spec, layout, f"kubelet-client-{node.name}"),
        nodeName=node.name,
        nodeIp=node.ip,
        nodeLabels=node_labels(node),
        registerWithTaints=[{"key": taint.key, "value": taint.value, "effect": taint.effect} for taint in spec.taints(node)],
        rootDirectory=str(own.kubelet),
        podLogsDirectory=str(own.pod_logs),
        runtimeEndpoint=f"unix://{paths.NODE_CONTAINERD_SOCKET}",
        cgroupRoot=f"{cgroups.node_group(spec.name, node.name)}/{cgroups.PODS}",
        cniConfigDirectory=str(own.cni_configuration),
        clusterDns=[constants.CLUSTER_DNS_IP],
        clusterDomain=constants.CLUSTER_DOMAIN,
        serving={
            "address": node.ip,
            "port": constants.KUBELET_PORT,
            "certFile": layout.certificate(f"kubelet-serving-{node.name}"),
            "keyFile": layout.key(f"kubelet-serving-{node.name}"),
            "clientCaFile": layout.certificate(pki.CLUSTER_CA),
        },
        health=_health("kubelet"),
        leaseDurationSeconds=NODE_GRACE_S,
        leaseRenewSeconds=1,
        maxPods=110,
        nodeRoutes=True,
        pauseImage=constants.PAUSE_IMAGE,
    )


def _kube_proxy(spec: ClusterSpec, node: NodeSpec, layout: Layout) -> dict[str, Any]:
    return _document(
        "KubeProxyConfiguration",
        client=_client(spec, layout, "kube_proxy"),
        nodeName=node.name,
        nodeIp=node.ip,
        clusterCidr=constants.POD_CIDR,
        serviceCidr=constants.SERVICE_CIDR,
        health=_health("kube_proxy"),
        backend="iptables",
        minSyncPeriodSeconds=0,
    )


def _cluster_dns(spec: ClusterSpec, node: NodeSpec, layout: Layout) -> dict[str, Any]:
    return _document(
        "ClusterDnsConfiguration",
        client=_client(spec, layout, "cluster_dns"),
        nodeName=node.name,
        nodeIp=node.ip,
        clusterIp=constants.CLUSTER_DNS_IP,
        port=constants.DNS_PORT,
        clusterDomain=constants.CLUSTER_DOMAIN,
        serviceCidr=constants.SERVICE_CIDR,
        health=_health("cluster_dns"),
    )


def kubeconfig(context: str, server: str, authority: bytes, certificate: bytes, key: bytes) -> dict[str, Any]:
    """A complete kubeconfig document whose only cluster, user and context are called `context`; PEM data embedded."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": {"server": server, "certificate-authority-data": _base64(authority)}}],
        "users": [
            {
                "name": context,
                "user": {"client-certificate-data": _base64(certificate), "client-key-data": _base64(key)},
            }
        ],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "current-context": context,
    }


def render_yaml(document: Mapping[str, Any]) -> str:
    """`document` as YAML, keys in their order."""
    return yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
