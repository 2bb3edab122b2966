"""Objects that `expose`, `run` and `autoscale` make of options; the rows of `top` and `auth`; the order of events."""

from __future__ import annotations

from typing import Any

import pytest

from kctl import access, exposing, running, usage
from kctl.access import Question
from kctl.commands.autoscale import autoscaler, metric
from kctl.commands.cluster_info import service_link
from kctl.commands.events import in_order, wanted_types
from kctl.discovery import ResourceType
from kctl.errors import KctlError
from kctl.running import Wishes
from kctl.selection import Chosen
from kctl.targets import Target


def deployment(*ports: dict[str, Any], **selector: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "c", "ports": list(ports)}]}
    spec = {"selector": selector or {"matchLabels": {"app": "web"}}, "template": {"spec": pod}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"a": "b"}}, "spec": spec}


def port(number: int, target: int | str = 0, protocol: str = "TCP", **more: str) -> dict[str, Any]:
    return {"port": number, "protocol": protocol, "targetPort": target or number, **more}


HTTP, DNS = {"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}

EXPOSED: tuple[tuple[str, dict[str, Any], exposing.Wishes, list[dict[str, Any]]], ...] = (
    ("the container's port", deployment(HTTP), exposing.Wishes(), [port(80)]),
    ("with its protocol", deployment(DNS), exposing.Wishes(), [port(53, protocol="UDP")]),
    (
        "several ports have names",
        deployment(HTTP, DNS),
        exposing.Wishes(),
        [port(80, name="port-1"), port(53, protocol="UDP", name="port-2")],
    ),
    (
        "one number with two protocols",
        deployment({"containerPort": 53}, DNS),
        exposing.Wishes(),
        [port(53, name="port-1"), port(53, protocol="UDP", name="port-2")],
    ),
    (
        "a port and a target of one's own",
        deployment(HTTP),
        exposing.Wishes(port="8080", target_port="http"),
        [port(8080, "http")],
    ),
    ("headless without ports", deployment(), exposing.Wishes(cluster_ip="None"), []),
)


@pytest.mark.parametrize(("obj", "wishes", "ports"), [row[1:] for row in EXPOSED], ids=[row[0] for row in EXPOSED])
def test_exposed(obj: dict[str, Any], wishes: exposing.Wishes, ports: list[dict[str, Any]]) -> None:
    made = exposing.service(obj, wishes)
    assert made["metadata"] == {"name": "web", "labels": {"a": "b"}}
    assert made["spec"]["selector"] == {"app": "web"}
    assert made["spec"].get("ports", []) == ports


NOT_EXPOSED: tuple[tuple[str, dict[str, Any], exposing.Wishes, str], ...] = (
    ("a ConfigMap", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}, exposing.Wishes(), "cannot expose a ConfigMap"),
    ("no port", deployment(), exposing.Wishes(), "couldn't find port via --port flag or introspection"),
    ("a port that is no number", deployment(), exposing.Wishes(port="x"), 'parsing "x": invalid syntax'),
    ("expressions", deployment(HTTP, matchExpressions=[{"key": "a"}]), exposing.Wishes(), "map-based selector"),
    ("a pod without labels", {"apiVersion": "v1", "kind": "Pod", "metadata": {}}, exposing.Wishes(), "the pod has no labels"),
    ("an unknown affinity", deployment(HTTP), exposing.Wishes(session_affinity="x"), "unknown session affinity: x"),
    ("bad labels", deployment(HTTP), exposing.Wishes(labels="x"), "unexpected label spec of --labels: x"),
)


@pytest.mark.parametrize(("obj", "wishes", "words"), [row[1:] for row in NOT_EXPOSED], ids=[row[0] for row in NOT_EXPOSED])
def test_not_exposed(obj: dict[str, Any], wishes: exposing.Wishes, words: str) -> None:
    with pytest.raises(KctlError, match=words):
        exposing.service(obj, wishes)


def test_a_pod_to_run() -> None:
    made = running.pod(Wishes("p", "busybox:1"))
    assert made["metadata"] == {"name": "p", "labels": {"run": "p"}}
    assert made["spec"] == {
        "containers": [{"name": "p", "image": "busybox:1", "resources": {}}],
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
    }
    wishes = Wishes("p", "r.local:5000/a/b@sha256:ab12", ("sh", "-c"), True, ("A=1=2",), "x=y", ("k=v",), "80", "Never")
    full = running.pod(wishes)
    (container,) = full["spec"]["containers"]
    assert container["command"] == ["sh", "-c"]
    assert container["env"] == [{"name": "A", "value": "1=2"}]
    assert container["ports"] == [{"containerPort": 80}]
    assert full["metadata"] == {"name": "p", "labels": {"x": "y"}, "annotations": {"k": "v"}}
    assert running.service(wishes)["spec"] == {"ports": [port(80)], "selector": {"x": "y"}}
    (interactive,) = running.pod(Wishes("p", "a", ("sh",), stdin=True, tty=True))["spec"]["containers"]
    assert (interactive["args"], interactive["stdin"], interactive["stdinOnce"], interactive["tty"]) == (
        ["sh"],
        True,
        True,
        True,
    )


@pytest.mark.parametrize(
    ("wishes", "flags", "words"),
    [
        pytest.param(Wishes("p", "a", tty=True), {}, "-i/--stdin is required", id="a terminal without input"),
        pytest.param(Wishes("p", "a"), {"expose": True}, "--port must be set", id="exposed without a port"),
        pytest.param(Wishes("p", "a", restart="Foo"), {}, "invalid restart policy: Foo", id="restart policy"),
        pytest.param(Wishes("p", "a"), {"remove": True}, "--rm should only be used", id="removed but not attached"),
        pytest.param(
            Wishes("p", "a"), {"attach": True, "dry_run": True}, "can't be used with attached", id="a dry run attached"
        ),
    ],
)
def test_options_that_do_not_go_together(wishes: Wishes, flags: dict[str, bool], words: str) -> None:
    given = {"attach": False, "remove": False, "dry_run": False, "expose": False, **flags}
    with pytest.raises(KctlError, match=words):
        running.check(wishes, **given)


def test_no_pod() -> None:
    for wishes, words in (
        (Wishes("p", "Bad Image"), "invalid reference format"),
        (Wishes("p", "a", env=("A",)), "invalid env: A"),
        (Wishes("p", "a", port="x"), "invalid syntax"),
    ):
        with pytest.raises(KctlError, match=words):
            running.pod(wishes)


def test_how_a_pod_ended() -> None:
    def pod(**state: Any) -> dict[str, Any]:
        return {"metadata": {"name": "p", "namespace": "n"}, "status": {"containerStatuses": [{"state": state}]}}

    assert running.exit_code(pod(terminated={"exitCode": 3, "reason": "Error"})) == (3, "pod n/p terminated (Error)")
    assert running.exit_code(pod()) == (None, "pod n/p failed with unknown exit code")


def test_an_autoscaler() -> None:
    scaled = ResourceType("apps", "v1", "deployments", "Deployment", subresources=frozenset({"scale"}))
    made = autoscaler(Chosen(Target(scaled, "web", "n"), {}), "", 2, 5, [metric("cpu", "80%")])
    assert made["spec"]["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    assert (made["spec"]["minReplicas"], made["spec"]["maxReplicas"]) == (2, 5)
    assert made["spec"]["metrics"][0]["resource"]["target"] == {"averageUtilization": 80, "type": "Utilization"}
    assert metric("memory", "1024Mi")["resource"]["target"] == {"averageValue": "1Gi", "type": "AverageValue"}
    with pytest.raises(KctlError, match="invalid --cpu value: much"):
        metric("cpu", "much")
    with pytest.raises(KctlError, match="cannot autoscale a ConfigMap: could not find scale subresource"):
        autoscaler(Chosen(Target(ResourceType("", "v1", "configmaps", "ConfigMap"), "a"), {}), "", 1, 2, [])


def pod_metrics(name: str, **containers: tuple[str, str]) -> dict[str, Any]:
    listed = [{"name": key, "usage": {"cpu": cpu, "memory": memory}} for key, (cpu, memory) in containers.items()]
    return {"metadata": {"name": name, "namespace": "n"}, "containers": listed}


def test_rows_of_pods() -> None:
    metrics = [pod_metrics("small", b=("1500u", "2000Ki"), a=("1m", "1Mi")), pod_metrics("big", c=("1", "1Gi"))]
    assert usage.pod_rows(metrics) == [["big", "1000m", "1024Mi"], ["small", "3m", "2Mi"]]
    assert [row[0] for row in usage.pod_rows(metrics, sort_by="memory")] == ["big", "small"]
    assert usage.pod_rows(metrics, containers=True, with_namespace=True) == [
        ["n", "big", "c", "1000m", "1024Mi"],
        ["n", "small", "a", "1m", "1Mi"],
        ["n", "small", "b", "2m", "1Mi"],
    ]
    assert usage.pod_rows(metrics, sum_up=True)[-2:] == [["", "________", "________"], ["", "1003m", "1026Mi"]]
    assert usage.pod_rows([], sum_up=True) == []


def test_rows_of_nodes() -> None:
    metrics = [{"metadata": {"name": "b"}, "usage": {"cpu": "250m", "memory": "1Gi"}}]
    nodes = [{"metadata": {"name": name}, "status": {"allocatable": {"cpu": "2", "memory": "2Gi"}}} for name in ("a", "b")]
    assert usage.node_rows(metrics, nodes) == [["b", "250m", "12%", "1024Mi", "50%"], ["a", *["<unknown>"] * 4]]
    assert usage.node_rows(metrics, []) == [["b", "250m", "<unknown>", "1024Mi", "<unknown>"]]


def test_questions_and_answers() -> None:
    assert access.split(["get", "pods/web"], "") == ("get", "pods", "web")
    assert access.split(["get", "pods", "web"], "log") == ("get", "pods", "web")
    assert access.split(["get", "/healthz"], "") == ("get", "/healthz", "")
    for words in (["get"], [], ["a", "b", "c", "d"]):
        with pytest.raises(KctlError, match="you must specify two arguments"):
            access.split(words, "")
    assert Question("get", url="/x").body()["spec"] == {"nonResourceAttributes": {"path": "/x", "verb": "get"}}
    asked = Question("get", "pods", name="web", namespace="n").body()["spec"]
    assert asked == {"resourceAttributes": {"name": "web", "namespace": "n", "resource": "pods", "verb": "get"}}
    assert access.answer({"allowed": True, "reason": "because"}) == "yes"
    assert access.answer({"allowed": False, "reason": "because", "evaluationError": "oops"}) == "no - because - oops"


def test_what_is_allowed_and_who_asks() -> None:
    rules = {
        "resourceRules": [{"verbs": ["get"], "apiGroups": ["", "apps"], "resources": ["pods"], "resourceNames": ["x"]}],
        "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/b", "/a"]}],
    }
    assert access.rule_rows(rules) == [
        ["pods", "[]", "[x]", "[get]"],
        ["pods.apps", "[]", "[x]", "[get]"],
        ["", "[/a]", "[]", "[get]"],
        ["", "[/b]", "[]", "[get]"],
    ]
    user = {"username": "jane", "groups": ["a", "b"], "extra": {"k": ["v"]}}
    assert access.identity_rows(user) == [["Username", "jane"], ["Groups", "[a b]"], ["Extra: k", "[v]"]]


def test_events_in_order() -> None:
    old = {"lastTimestamp": "2026-01-01T00:00:00Z"}
    new = {"eventTime": "2026-01-01T00:00:01.000000Z"}
    assert in_order([new, {}, old]) == [{}, old, new]
    assert wanted_types(["normal,Warning"]) == {"Normal", "Warning"}
    with pytest.raises(KctlError, match="valid --types are Normal or Warning"):
        wanted_types(["Bad"])


def test_links_of_cluster_services() -> None:
    metadata = {"name": "dns", "namespace": "kube-system", "labels": {"kubernetes.io/name": "CoreDNS"}}
    service = {"metadata": metadata, "spec": {"ports": [{"name": "dns", "port": 53}]}}
    link = "https://h/api/v1/namespaces/kube-system/services/dns:dns/proxy"
    assert service_link("https://h", service) == ("CoreDNS", link)
    balanced = {**service, "status": {"loadBalancer": {"ingress": [{"ip": "127.0.0.9"}]}}}
    assert service_link("https://h", balanced) == ("CoreDNS", "http://127.0.0.9:53")
