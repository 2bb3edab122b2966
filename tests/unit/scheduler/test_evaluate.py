"""Filters, scores and verdicts over small clusters, as tables."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery.kinds import Node, Pod
from scheduler.core.columns import Columns, Usage
from scheduler.core.evaluate import Evaluator, rejectors, verdict
from scheduler.core.requirements import of_pod, pod_requests

CONTROL_PLANE = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
NodeMaker = Callable[..., Node]
PodMaker = Callable[..., Pod]


def usage(pod: Pod) -> Usage:
    owner = next((each.uid for each in pod.metadata.owner_references if each.controller), "")
    return Usage(pod.metadata.uid, of_pod(pod), pod.metadata.namespace, pod.metadata.labels, owner)


def cluster(nodes: Sequence[Node], placed: Sequence[tuple[Pod, str]] = ()) -> Columns:
    columns = Columns(capacity=2)
    for each in nodes:
        columns.put_node(each)
    for pod, name in placed:
        columns.place(usage(pod), name)
    return columns


def fitting(columns: Columns, pod: Pod) -> list[str]:
    attempt = Evaluator(random.Random(0)).attempt(columns, usage(pod))
    return sorted(columns.row(index).name for index in range(len(columns.rows)) if attempt.feasible[index])


def required(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def apart(label: str, key: str = "kubernetes.io/hostname") -> dict[str, Any]:
    term = {"labelSelector": {"matchLabels": {"app": label}}, "topologyKey": key}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def near(label: str, key: str = "zone") -> dict[str, Any]:
    term = {"labelSelector": {"matchLabels": {"app": label}}, "topologyKey": key}
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


@dataclass(frozen=True)
class Case:
    id: str
    want: list[str]
    pod: dict[str, Any] = field(default_factory=dict)
    nodes: dict[str, dict[str, Any]] = field(default_factory=lambda: {"a": {}, "b": {}})
    placed: tuple[tuple[dict[str, Any], str], ...] = ()
    message: str = ""
    rejected_by: frozenset[str] = frozenset()


CASES = (
    Case("a pod without wishes fits everywhere", want=["a", "b"]),
    Case(
        "no node at all",
        want=[],
        nodes={},
        message="no nodes available to schedule pods",
    ),
    Case("too much processor", want=["b"], pod={"cpu": "3"}, nodes={"a": {"cpu": "2"}, "b": {"cpu": "3"}}),
    Case(
        "what is used counts",
        want=["b"],
        pod={"cpu": "3"},
        placed=(({"cpu": "2"}, "a"),),
    ),
    Case(
        "shortages are counted by resource",
        want=[],
        pod={"cpu": "5", "memory": "1Gi"},
        nodes={"a": {}, "b": {"memory": "500Mi"}},
        message="0/2 nodes are available: 1 Insufficient memory, 2 Insufficient cpu.",
        rejected_by=frozenset({"NodeResourcesFit"}),
    ),
    Case(
        "a node takes only so many pods",
        want=["b"],
        nodes={"a": {"pods": "1"}, "b": {"pods": "2"}},
        placed=(({}, "a"), ({}, "b")),
    ),
    Case(
        "an extended resource that no node has",
        want=[],
        pod={"extra": {"example.com/gpu": "1"}},
        message="0/2 nodes are available: 2 Insufficient example.com/gpu.",
    ),
    Case(
        "an extended resource that one node has",
        want=["b"],
        pod={"extra": {"example.com/gpu": "1"}},
        nodes={"a": {}, "b": {"extra": {"example.com/gpu": "2"}}},
    ),
    Case(
        "cordoned and tainted nodes are named apart",
        want=[],
        nodes={"a": {"unschedulable": True}, "b": {"taints": [CONTROL_PLANE]}},
        message="0/2 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable.",
        rejected_by=frozenset({"NodeUnschedulable", "TaintToleration"}),
    ),
    Case(
        "a tolerated taint does not keep away",
        want=["a", "b"],
        pod={"tolerations": [{"key": CONTROL_PLANE["key"], "operator": "Exists", "effect": "NoSchedule"}]},
        nodes={"a": {"taints": [CONTROL_PLANE]}, "b": {}},
    ),
    Case(
        "a toleration of another value does",
        want=["b"],
        pod={"tolerations": [{"key": "k", "operator": "Equal", "value": "x"}]},
        nodes={"a": {"taints": [{"key": "k", "value": "y", "effect": "NoExecute"}]}, "b": {}},
    ),
    Case(
        "a wish against a taint is no refusal",
        want=["a", "b"],
        nodes={"a": {"taints": [{"key": "k", "effect": "PreferNoSchedule"}]}, "b": {}},
    ),
    Case(
        "node selector",
        want=["b"],
        pod={"nodeSelector": {"disk": "ssd"}},
        nodes={"a": {"labels": {"disk": "hdd"}}, "b": {"labels": {"disk": "ssd"}}},
    ),
    Case(
        "node selector that nothing has",
        want=[],
        pod={"nodeSelector": {"disk": "ssd"}},
        message="0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
        rejected_by=frozenset({"NodeAffinity"}),
    ),
    Case(
        "affinity terms are alternatives",
        want=["a", "b"],
        pod={"affinity": required(expression("cores", "Gt", "8"), expression("disk", "In", "ssd", "nvme"))},
        nodes={"a": {"labels": {"cores": "16"}}, "b": {"labels": {"disk": "nvme"}}, "c": {"labels": {"cores": "8"}}},
    ),
    Case(
        "affinity by the node's name",
        want=["b"],
        pod={
            "affinity": required({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]}),
        },
    ),
    Case("an empty term matches nothing", want=[], pod={"affinity": required({})}),
    Case(
        "a host port is taken once",
        want=["b"],
        pod={"ports": [{"containerPort": 80, "hostPort": 8080}]},
        placed=(({"ports": [{"containerPort": 80, "hostPort": 8080}]}, "a"),),
    ),
    Case(
        "the same host port on other addresses or protocols",
        want=["a", "b"],
        pod={"ports": [{"containerPort": 80, "hostPort": 8080, "hostIP": "127.0.0.2"}]},
        placed=(
            ({"ports": [{"containerPort": 80, "hostPort": 8080, "hostIP": "127.0.0.1"}]}, "a"),
            ({"ports": [{"containerPort": 80, "hostPort": 8080, "protocol": "UDP"}]}, "b"),
        ),
    ),
    Case(
        "anti-affinity keeps away from its like",
        want=["b"],
        pod={"labels": {"app": "db"}, "affinity": apart("db")},
        placed=(({"labels": {"app": "db"}}, "a"),),
    ),
    Case(
        "those already there may keep it away",
        want=["b"],
        pod={"labels": {"app": "noisy"}},
        placed=(({"affinity": apart("noisy")}, "a"),),
    ),
    Case(
        "affinity is over a domain",
        want=["a", "b"],
        pod={"affinity": near("cache")},
        nodes={"a": {"labels": {"zone": "1"}}, "b": {"labels": {"zone": "1"}}, "c": {"labels": {"zone": "2"}}},
        placed=(({"labels": {"app": "cache"}}, "a"),),
    ),
    Case(
        "the first of a group that wants to be together",
        want=["a"],
        pod={"labels": {"app": "cache"}, "affinity": near("cache")},
        nodes={"a": {"labels": {"zone": "1"}}, "b": {}},
    ),
    Case(
        "affinity does not cross namespaces",
        want=[],
        pod={"affinity": near("cache")},
        nodes={"a": {"labels": {"zone": "1"}}},
        placed=(({"labels": {"app": "cache"}, "namespace": "other"}, "a"),),
        message="0/1 nodes are available: 1 node(s) didn't match pod affinity rules.",
    ),
    Case(
        "spread within the skew",
        want=["b"],
        pod={
            "labels": {"app": "web"},
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "DoNotSchedule",
                    "labelSelector": {"matchLabels": {"app": "web"}},
                }
            ],
        },
        placed=(({"labels": {"app": "web"}}, "a"),),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_which_nodes_fit(case: Case, node: NodeMaker, pod: PodMaker) -> None:
    columns = cluster(
        [node(name, **more) for name, more in case.nodes.items()], [(pod(**more), name) for more, name in case.placed]
    )
    asked = pod(**case.pod)
    assert fitting(columns, asked) == case.want
    attempt = Evaluator(random.Random(0)).attempt(columns, usage(asked))
    explained = verdict(columns, attempt, "2026-01-01T00:00:00Z")
    assert (explained.node in case.want) if case.want else explained.node == ""
    if case.message:
        assert explained.message == case.message
    if case.rejected_by:
        assert rejectors(attempt) == case.rejected_by
    refused = {each.node for each in explained.nodes if each.refused_by}
    assert refused == set(case.nodes) - set(case.want), "each node that does not fit is explained"
    assert all(each.reasons for each in explained.nodes if each.refused_by)


@dataclass(frozen=True)
class Preference:
    id: str
    want: str
    pod: dict[str, Any] = field(default_factory=dict)
    nodes: dict[str, dict[str, Any]] = field(default_factory=lambda: {"a": {}, "b": {}})
    placed: tuple[tuple[dict[str, Any], str], ...] = ()


PREFERENCES = (
    Preference("the emptier node", want="b", placed=(({"cpu": "2", "memory": "4Gi"}, "a"),)),
    Preference(
        "the larger node", want="b", pod={"cpu": "1", "memory": "1Gi"}, nodes={"a": {}, "b": {"cpu": "16", "memory": "32Gi"}}
    ),
    Preference(
        "the node without a soft taint",
        want="b",
        nodes={"a": {"taints": [{"key": "k", "effect": "PreferNoSchedule"}], "cpu": "8"}, "b": {}},
    ),
    Preference(
        "the node it would like",
        want="b",
        nodes={"a": {}, "b": {"labels": {"disk": "ssd"}}},
        pod={
            "affinity": {
                "nodeAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {"weight": 10, "preference": expression("disk", "In", "ssd")}
                    ]
                }
            }
        },
    ),
    Preference(
        "the node that has its image", want="b", pod={"image": "big:1"}, nodes={"a": {}, "b": {"images": {"big:1": 900 << 20}}}
    ),
    Preference(
        "the node with fewer pods of its group",
        want="b",
        pod={"owner": "rs"},
        placed=(({"owner": "rs"}, "a"), ({"cpu": "1"}, "b")),
    ),
)


@pytest.mark.parametrize("case", PREFERENCES, ids=lambda case: case.id)
def test_which_node_is_chosen(case: Preference, node: NodeMaker, pod: PodMaker) -> None:
    columns = cluster(
        [node(name, **more) for name, more in case.nodes.items()], [(pod(**more), name) for more, name in case.placed]
    )
    for seed in range(5):  # not by chance
        attempt = Evaluator(random.Random(seed)).attempt(columns, usage(pod(**case.pod)))
        assert verdict(columns, attempt, "").node == case.want


def test_chance_decides_between_equals(node: NodeMaker, pod: PodMaker) -> None:
    columns = cluster([node(f"n{number}") for number in range(4)])
    evaluator = Evaluator(random.Random(7))
    chosen = {evaluator.attempt(columns, usage(pod())).chosen for _ in range(60)}
    assert len(chosen) == 4


def test_suggestions_say_what_would_make_it_fit(node: NodeMaker, pod: PodMaker) -> None:
    columns = cluster([node("small", cpu="1"), node("full"), node("plain", cpu="8")], [(pod(cpu="3"), "full")])
    asked = pod(cpu="2", nodeSelector={"disk": "ssd"})
    columns.put_node(node("small", cpu="1", labels={"disk": "ssd"}))
    columns.put_node(node("full", labels={"disk": "ssd"}))
    explained = verdict(columns, Evaluator(random.Random(0)).attempt(columns, usage(asked)), "")
    said = {each.node: " ".join(each.suggestions) for each in explained.nodes}
    assert "request at most 1 of cpu instead of 2: the node has 1 in all" in said["small"]
    assert "free 1 of cpu on the node, or request at most 1 instead of 2" in said["full"]
    assert "kctl label node plain disk=ssd" in said["plain"]


def test_a_taint_is_named_by_the_suggestions_only(node: NodeMaker, pod: PodMaker) -> None:
    columns = cluster([node("a", taints=[{"key": "team", "value": "blue", "effect": "NoExecute"}])])
    (refused,) = verdict(columns, Evaluator(random.Random(0)).attempt(columns, usage(pod())), "").nodes
    assert refused.reasons == ["node(s) had untolerated taint(s)"]
    assert refused.suggestions == [
        "add a toleration for team=blue:NoExecute to the pod",
        "remove the taint: kctl taint node a team:NoExecute-",
    ]


def test_all_that_must_change_is_suggested(node: NodeMaker, pod: PodMaker) -> None:
    columns = cluster([node("a", taints=[CONTROL_PLANE], cpu="4"), node("b", cpu="4")])
    explained = verdict(columns, Evaluator(random.Random(0)).attempt(columns, usage(pod(cpu="9"))), "")
    tainted, plain = explained.nodes
    assert (tainted.refused_by, tainted.reasons) == ("TaintToleration", ["node(s) had untolerated taint(s)"])
    too_large = "request at most 4 of cpu instead of 9: the node has 4 in all"
    assert tainted.suggestions[-1] == f"and also: {too_large}"
    assert plain.suggestions == [too_large]
    assert explained.message == "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s)."


def test_a_large_clusters_verdict_stays_small(node: NodeMaker, pod: PodMaker) -> None:
    columns = cluster([node(f"n{number}", cpu="1") for number in range(300)])
    explained = verdict(columns, Evaluator(random.Random(0)).attempt(columns, usage(pod(cpu="2"))), "")
    assert len(explained.nodes) == 10
    assert explained.omitted_nodes == 290
    assert explained.reasons == {"Insufficient cpu": 300}


REQUESTS = (
    ("containers add up", [("1", "")], [], {"cpu": 1000}),
    ("an init container that needs more decides", [("1", "")], [("3", "")], {"cpu": 3000}),
    ("a sidecar runs beside the containers", [("1", "")], [("500m", "Always")], {"cpu": 1500}),
    ("a sidecar runs beside later init containers", [("1", "")], [("500m", "Always"), ("2", "")], {"cpu": 2500}),
)


@pytest.mark.parametrize(("name", "containers", "init", "want"), REQUESTS, ids=[row[0] for row in REQUESTS])
def test_what_a_pod_requests(
    name: str, containers: list[tuple[str, str]], init: list[tuple[str, str]], want: dict[str, int], pod: PodMaker
) -> None:
    def made(cpu: str, policy: str) -> dict[str, Any]:
        return {"name": "x", "image": "i", "restartPolicy": policy, "resources": {"requests": {"cpu": cpu}}}

    built = pod(initContainers=[made(*each) for each in init])
    built.spec.containers = pod(containers=[made(*each) for each in containers]).spec.containers
    assert pod_requests(built) == want


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("place"), st.integers(0, 7), st.integers(0, 3)),
            st.tuples(st.just("displace"), st.integers(0, 7), st.just(0)),
            st.tuples(st.just("remove"), st.integers(0, 3), st.just(0)),
            st.tuples(st.just("put"), st.integers(0, 3), st.just(0)),
        ),
        max_size=40,
    )
)
def test_columns_account_for_exactly_the_pods_that_are_placed(steps: list[tuple[str, int, int]]) -> None:
    from tests.unit.scheduler.conftest import make_node, make_pod

    nodes = [make_node(f"n{number}") for number in range(4)]
    pods = [usage(make_pod(cpu=f"{100 * (number + 1)}m", owner=f"g{number % 2}")) for number in range(8)]
    columns = cluster(nodes)
    placed: dict[int, int] = {}
    present = set(range(4))
    for what, first, second in steps:
        if what == "place":
            columns.place(pods[first], f"n{second}")
            placed[first] = second
        elif what == "displace":
            columns.displace(pods[first].uid)
            placed.pop(first, None)
        elif what == "remove":
            columns.remove_node(f"n{first}")
            present.discard(first)
        else:
            columns.put_node(nodes[first])
            present.add(first)
    for number in present:
        index = columns.index_of(f"n{number}")
        assert index is not None
        here = [pod for pod, where in placed.items() if where == number]
        assert columns.used[0, index] == sum(100 * (pod + 1) for pod in here)
        assert columns.used[2, index] == len(here)
        for group in ("g0", "g1"):
            assert columns.group_counts(group).get(index, 0) == sum(f"g{pod % 2}" == group for pod in here)
    assert len(columns) == len(present)
