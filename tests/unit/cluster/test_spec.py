"""Names, addresses and the sentences that refuse."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from cluster.errors import ClusterError
from cluster.spec import ClusterSpec, Publish, Role, node_labels, parse_publish, role_labels, validate


def test_nodes_are_named_and_addressed_in_order() -> None:
    nodes = ClusterSpec(name="demo", workers=3).nodes()
    assert [(node.name, node.ip, node.role) for node in nodes] == [
        ("demo-control-plane", "172.31.255.2", Role.CONTROL_PLANE),
        ("demo-worker", "172.31.255.3", Role.WORKER),
        ("demo-worker2", "172.31.255.4", Role.WORKER),
        ("demo-worker3", "172.31.255.5", Role.WORKER),
    ]


def test_a_control_plane_takes_pods_only_without_workers() -> None:
    alone, accompanied = ClusterSpec(name="a"), ClusterSpec(name="a", workers=1)
    assert alone.taints(alone.nodes()[0]) == ()
    (taint,) = accompanied.taints(accompanied.nodes()[0])
    assert (taint.key, taint.effect) == ("node-role.kubernetes.io/control-plane", "NoSchedule")
    assert accompanied.taints(accompanied.nodes()[1]) == ()


def test_labels() -> None:
    control_plane, worker = ClusterSpec(name="a", workers=1).nodes()
    assert role_labels(control_plane) == {"node-role.kubernetes.io/control-plane": ""}
    assert role_labels(worker) == {}
    assert node_labels(worker)["kubernetes.io/hostname"] == "a-worker"
    assert "node-role.kubernetes.io/control-plane" not in node_labels(control_plane), "the node itself may not set it"


@dataclass(frozen=True)
class Refusal:
    id: str
    spec: ClusterSpec
    sentence: str


REFUSALS = (
    Refusal("upper case", ClusterSpec(name="Demo"), "is not a cluster name"),
    Refusal("empty", ClusterSpec(name=""), "is not a cluster name"),
    Refusal("ends with a dash", ClusterSpec(name="a-"), "is not a cluster name"),
    Refusal("a path", ClusterSpec(name="../a"), "is not a cluster name"),
    Refusal("a newline at the end", ClusterSpec(name="a\n"), "is not a cluster name"),
    Refusal("too long", ClusterSpec(name="a" * 41), "41 characters long"),
    Refusal("several control planes", ClusterSpec(name="a", control_planes=3), "3 control planes were asked for"),
    Refusal("no control plane", ClusterSpec(name="a", control_planes=0), "exactly one"),
    Refusal("too many workers", ClusterSpec(name="a", workers=101), "0 to 100 workers, not 101"),
    Refusal("fewer than none", ClusterSpec(name="a", workers=-1), "not -1"),
    Refusal("a port twice", ClusterSpec(name="a", publish=(Publish(80, 30000), Publish(80, 30001))), "80 is published twice"),
)


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.id)
def test_refusals(case: Refusal) -> None:
    with pytest.raises(ClusterError, match=case.sentence):
        validate(case.spec)


@pytest.mark.parametrize("name", ["a", "quickstart", "a-b2", "1", "a" * 40])
def test_names_that_are_taken(name: str) -> None:
    validate(ClusterSpec(name=name, workers=100))


def test_publish() -> None:
    assert parse_publish(["8080:30080"]) == (Publish(8080, 30080),)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("8080", "is not HOSTPORT:NODEPORT"),
        ("8080:", "is not HOSTPORT:NODEPORT"),
        ("x:30080", "is not HOSTPORT:NODEPORT"),
        ("٣:30080", "is not HOSTPORT:NODEPORT"),
        ("0:30080", "is not a port"),
        ("70000:30080", "is not a port"),
        ("8080:80", "is not a node port"),
    ],
)
def test_publish_refusals(value: str, sentence: str) -> None:
    with pytest.raises(ClusterError, match=sentence):
        parse_publish([value])
