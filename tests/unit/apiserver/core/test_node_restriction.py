from __future__ import annotations

from collections.abc import Callable

import pytest

from apimachinery import codec, protection
from apimachinery.kinds import CSINode, Lease, Node, Pod
from apimachinery.kinds.object import Object
from apiserver.core import node_access, node_restriction
from apiserver.core.access import Question
from apiserver.core.request import User

USER = User("system:node:n1", ("system:nodes",))
OWNER = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "u"}


def pod(*, node: str = "n1", mirror: bool = False, spec: dict[str, object] | None = None, **meta: object) -> Pod:
    annotations = {"kubernetes.io/config.mirror": "x"} if mirror else {}
    spec = {"nodeName": node, "containers": [{"name": "c", "image": "i"}], **(spec or {})}
    return codec.convert(
        Pod, {"metadata": {"name": "p", "namespace": "default", "annotations": annotations, **meta}, "spec": spec}
    )


def node(name: str = "n1", *, taints: tuple[str, ...] = (), **meta: object) -> Node:
    spec = {"taints": [{"key": key, "effect": "NoSchedule"} for key in taints]}
    return codec.convert(Node, {"metadata": {"name": name, **meta}, "spec": spec})


def lease(name: str, namespace: str = "kube-node-lease") -> Lease:
    return codec.convert(Lease, {"metadata": {"name": name, "namespace": namespace}})


@pytest.mark.parametrize(
    ("obj", "wrong"),
    [
        pytest.param(pod(), "can only create mirror pods", id="no mirror pod"),
        pytest.param(pod(mirror=True), "", id="a mirror pod"),
        pytest.param(pod(mirror=True, node="n2"), "spec.nodeName set to itself", id="on another node"),
        pytest.param(pod(mirror=True, ownerReferences=[OWNER]), "", id="owned by the node"),
        pytest.param(pod(mirror=True, ownerReferences=[{**OWNER, "name": "n2"}]), "owner reference", id="owned by another"),
        pytest.param(pod(mirror=True, spec={"serviceAccountName": "a"}), "service accounts", id="with an account"),
        pytest.param(
            pod(mirror=True, spec={"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}), "secrets", id="with a secret"
        ),
        pytest.param(node(), "", id="itself"),
        pytest.param(node("n2"), "modify node", id="another node"),
        pytest.param(node(ownerReferences=[OWNER]), "owner references", id="an owned node"),
        pytest.param(node(labels={"kubernetes.io/hostname": "n1", "mine": "x"}), "", id="its own labels"),
        pytest.param(node(labels={"node-restriction.kubernetes.io/x": "1"}), "modify labels", id="a reserved label"),
        pytest.param(node(labels={"node-role.kubernetes.io/x": "1"}), "modify labels", id="a role"),
        pytest.param(lease("n1"), "", id="its lease"),
        pytest.param(lease("n2"), "can only create the lease", id="the lease of another"),
        pytest.param(lease("n1", "default"), "can only create the lease", id="a lease elsewhere"),
        pytest.param(codec.convert(CSINode, {"metadata": {"name": "n2"}}), "same name", id="drivers of another"),
    ],
)
def test_creation(obj: Object, wrong: str) -> None:
    found = node_restriction.creation("n1", obj)
    assert wrong in found
    assert bool(wrong) == bool(found)


@pytest.mark.parametrize(
    ("new", "old", "subresource", "wrong"),
    [
        pytest.param(pod(), pod(), "status", "", id="the status of its pod"),
        pytest.param(pod(), pod(), "", "only update the status", id="its pod itself"),
        pytest.param(pod(node="n2"), pod(node="n2"), "status", "set to itself", id="the pod of another"),
        pytest.param(pod(labels={"a": "b"}), pod(), "status", "labels", id="labels by way of the status"),
        pytest.param(pod(ownerReferences=[OWNER]), pod(), "status", "owner references", id="owners by way of the status"),
        pytest.param(node(labels={"mine": "x"}), node(), "", "", id="its node"),
        pytest.param(node(taints=("a",)), node(), "", "taints", id="its taints"),
        pytest.param(node(), node(taints=("a",)), "", "taints", id="without its taint"),
        pytest.param(node(ownerReferences=[OWNER]), node(), "", "owner references", id="its owners: CVE-2025-5187"),
        pytest.param(node(ownerReferences=[OWNER]), node(), "status", "owner references", id="its owners by way of the status"),
        pytest.param(node(), node(labels={"node-restriction.kubernetes.io/x": "1"}), "", "modify labels", id="a label removed"),
        pytest.param(node("n2"), node("n2"), "status", "modify node", id="another node"),
    ],
)
def test_change(new: Object, old: Object, subresource: str, wrong: str) -> None:
    found = node_restriction.change("n1", new, old, subresource)
    assert wrong in found
    assert bool(wrong) == bool(found)


def test_removal() -> None:
    assert node_restriction.removal("n1", pod()) == ""
    assert "set to itself" in node_restriction.removal("n1", pod(node="n2"))


@pytest.mark.parametrize(
    ("user", "name"),
    [
        (USER, "n1"),
        (User("system:node:n1"), ""),
        (User("n1", ("system:nodes",)), ""),
    ],
)
def test_a_node_is_known_by_name_and_group(user: User, name: str) -> None:
    assert node_access.node_of(user) == name


VOLUMES = [
    {"name": "a", "secret": {"secretName": "volume"}},
    {"name": "b", "projected": {"sources": [{"secret": {"name": "projected"}}, {"configMap": {"name": "projected-map"}}]}},
    {"name": "c", "configMap": {"name": "map"}},
    {"name": "d", "persistentVolumeClaim": {"claimName": "claim"}},
    {"name": "e", "ephemeral": {}},
    {"name": "f", "csi": {"driver": "d", "nodePublishSecretRef": {"name": "publish"}}},
]
CONTAINERS = [
    {
        "name": "c",
        "image": "i",
        "envFrom": [{"secretRef": {"name": "env"}}, {"configMapRef": {"name": "env-map"}}],
        "env": [
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}},
            {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "key-map", "key": "k"}}},
        ],
    }
]
FULL = pod(
    spec={"volumes": VOLUMES, "containers": CONTAINERS, "imagePullSecrets": [{"name": "pull"}], "serviceAccountName": "sa"}
)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (node_access.secrets_of, {"volume", "projected", "env", "key", "pull", "publish"}),
        (node_access.config_maps_of, {"map", "projected-map", "env-map", "key-map"}),
        (protection.claims_of, {"claim", "p-e"}),
    ],
)
def test_what_a_pod_refers_to(names: Callable[[Pod], list[str]], wanted: set[str]) -> None:
    assert set(names(FULL)) == wanted


@pytest.mark.parametrize(
    ("question", "refused"),
    [
        (Question(user=USER, verb="update", resource="nodes", name="n1"), False),
        (Question(user=USER, verb="update", resource="nodes", name="n2"), True),
        (Question(user=USER, verb="get", resource="nodes", name="n2"), False),
        (Question(user=USER, verb="get", group="coordination.k8s.io", resource="leases", name="n2"), True),
        (
            Question(
                user=USER, verb="get", group="coordination.k8s.io", resource="leases", name="n1", namespace="kube-node-lease"
            ),
            False,
        ),
        (Question(user=USER, verb="get", group="coordination.k8s.io", resource="leases", name="n1", namespace="x"), True),
    ],
)
def test_refusal(question: Question, refused: bool) -> None:
    assert bool(node_access.refusal("n1", question)) is refused
