"""Configuration files: complete, parseable, and the same facts on both ends of each connection."""

from __future__ import annotations

import datetime
import tomllib
from typing import Any

import pytest
import yaml

from cluster import config, pki
from cluster.lifecycle import Board
from cluster.paths import ClusterPaths
from cluster.spec import ClusterSpec, NodeSpec

SPEC = ClusterSpec(name="demo", workers=1, image_archives=("/images/a.tar",))
LAYOUT = config.Layout(ClusterPaths("demo"), api_listen_fd=7)
CONTROL_PLANE, WORKER = SPEC.nodes()


def documents(node: NodeSpec) -> dict[str, Any]:
    files = config.node_files(SPEC, node, LAYOUT)
    return {path.stem: yaml.safe_load(text) for path, text in files.items() if path.suffix == ".yaml"}


def test_each_node_gets_the_files_of_its_components() -> None:
    everywhere = {"kubelet", "kube_proxy", "cluster_dns"}
    assert set(documents(WORKER)) == everywhere
    assert set(documents(CONTROL_PLANE)) == everywhere | {"apiserver", "scheduler", "controller_manager"}
    for document in documents(CONTROL_PLANE).values():
        assert document["apiVersion"] == "coxswain.dev/v1"
        assert document["kind"].endswith("Configuration")


def test_every_certificate_named_is_one_that_is_made() -> None:
    made = {file.name for file in pki.generate(SPEC, datetime.datetime.now(datetime.UTC))}
    texts = [text for node in SPEC.nodes() for text in config.node_files(SPEC, node, LAYOUT).values()]
    texts += [" ".join(service.argv) for service in config.node_services(SPEC, CONTROL_PLANE, LAYOUT)]
    prefix = f"{LAYOUT.cluster.pki}/"
    named = {word.rpartition(prefix)[2] for text in texts for word in text.split() if prefix in word}
    assert named
    assert named <= made


def test_clients_dial_where_the_server_listens() -> None:
    grpc = documents(CONTROL_PLANE)["apiserver"]["grpc"]
    for document in documents(WORKER).values():
        assert document["client"]["endpoints"] == [f"{grpc['address']}:{grpc['port']}"]


def test_the_api_server_inherits_the_socket_of_127_0_0_1() -> None:
    (apiserver,) = [row for row in config.node_services(SPEC, CONTROL_PLANE, LAYOUT) if row.name == "apiserver"]
    assert apiserver.listen_fds == (7,)
    assert documents(CONTROL_PLANE)["apiserver"]["rest"]["listenFds"] == [7]


def test_kubelet() -> None:
    kubelet = documents(WORKER)["kubelet"]
    assert kubelet["cgroupRoot"] == "/coxswain/demo/demo-worker/pods"
    assert kubelet["registerWithTaints"] == []
    assert documents(CONTROL_PLANE)["kubelet"]["registerWithTaints"][0]["effect"] == "NoSchedule"
    assert kubelet["runtimeEndpoint"] == "unix:///run/containerd/containerd.sock"


@pytest.mark.parametrize("snapshotter", ["overlayfs", "native"])
def test_containerd(snapshotter: str) -> None:
    own = LAYOUT.cluster.node("demo-worker")
    document = tomllib.loads(config.containerd_toml(own, snapshotter))
    assert document["version"] == 2
    assert document["root"] == str(own.containerd)
    cri = document["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["restrict_oom_score_adj"] is True
    assert cri["sandbox_image"] == "registry.local/coxswain/pause:1"
    assert cri["cni"]["conf_dir"] == str(own.cni_configuration)
    assert cri["containerd"]["snapshotter"] == snapshotter
    assert cri["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is False


def test_etcd_is_safe_and_private() -> None:
    etcd = next(row for row in config.node_services(SPEC, CONTROL_PLANE, LAYOUT) if row.name == "etcd")
    assert "--client-cert-auth=true" in etcd.argv
    assert "--peer-client-cert-auth=true" in etcd.argv
    assert not any("unsafe" in argument or "http://" in argument for argument in etcd.argv)


@pytest.mark.parametrize("node", SPEC.nodes(), ids=lambda node: node.role)
def test_services_form_an_order(node: NodeSpec) -> None:
    services = config.node_services(SPEC, node, LAYOUT)
    board = Board(services)
    order: list[str] = []
    board.meet(config.API_CONDITION)
    while due := board.due(0.0):
        for action in due:
            order.append(action.service)
            if board.lives[action.service].service.oneshot:
                board.on_exit(action.service, 0, 0.0)
            else:
                board.on_ready(action.service)
    assert sorted(order) == sorted(row.name for row in services), "everything starts in the end"
    assert order.index("containerd") < order.index("kubelet")
    assert order.index("containerd") < order.index("image-0")


def test_kubeconfig_embeds_its_certificates() -> None:
    document = config.kubeconfig("coxswain-demo", "https://127.0.0.1:1", b"a", b"b", b"c")
    assert document["clusters"][0]["cluster"]["certificate-authority-data"] == "YQ=="
    assert document["current-context"] == document["contexts"][0]["name"] == "coxswain-demo"


def test_tokens_count_whoever_signs_them_and_every_namespace_learns_the_ca() -> None:
    found = documents(CONTROL_PLANE)
    tokens, manager = found["apiserver"]["serviceAccount"], found["controller_manager"]
    assert tokens["issuer"] == "https://kubernetes.default.svc.cluster.local"
    assert tokens["signingKeyFile"] == manager["serviceAccountKeyFile"] == LAYOUT.key(pki.SERVICE_ACCOUNT)
    assert manager["rootCaFile"] == found["apiserver"]["tls"]["clientCaFile"]
    assert "serviceAccountKeyFile" not in str(documents(WORKER))
