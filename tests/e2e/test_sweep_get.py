"""The sweep of kubectl 1.20 and kctl: get in every form, explain, and what a server says about itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.cluster import LocalCluster, Namespace
from tests.support.manifests import config_map, deployment, pod, service, sleeper
from tests.support.sweeping import TOOLS, Tool, ageless, of_each, same
from tests.support.terminals import background
from tests.support.waiting import eventually

NOWHERE = {"nodeSelector": {"no": "where"}}


@pytest.fixture(scope="module")
def shared(request: pytest.FixtureRequest, cluster: LocalCluster, show_in_reports: Callable[..., None]) -> Iterator[Namespace]:
    """A running pod, a pod that is nowhere, a Deployment and its Service: to look at."""
    with cluster.namespace("sweep-get") as namespace:
        show_in_reports(request.node, namespace)
        namespace.create(pod("runs", sleeper(), labels={"app": "box", "tier": "front"}))
        namespace.create(pod("waits", sleeper(), labels={"app": "box", "tier": "back"}, **NOWHERE))
        namespace.apply(deployment("web", 1, sleeper(), template=NOWHERE), service("web"), config_map("settings", k="v", l="w"))
        namespace.pod_ready("runs")
        namespace.deployment_settled("web")
        for each in namespace.pods():
            if each["metadata"]["name"] != "runs":
                namespace.pod_unschedulable(each["metadata"]["name"])
        yield namespace


@pytest.fixture
def both(shared: Namespace) -> tuple[Tool, ...]:
    return tuple(Tool(name, shared.cluster, shared.name) for name in TOOLS)


@pytest.fixture(params=TOOLS)
def one(request: pytest.FixtureRequest, shared: Namespace) -> Tool:
    return Tool(request.param, shared.cluster, shared.name)


TEMPLATE = '{{range .items}}{{.metadata.name}}={{.kind}}{{"\\n"}}{{end}}'
SAME = (
    ("pods",),
    ("po", "-o", "wide"),
    ("pods", "--no-headers"),
    ("pods", "--show-labels"),
    ("pods", "-L", "tier,none"),
    ("pods", "-l", "tier=front"),
    ("pods", "-l", "tier in (back),app", "-o", "name"),
    ("pods", "--field-selector", "status.phase=Running", "-o", "name"),
    ("pods", "--field-selector", "status.phase!=Running,metadata.name=waits"),
    ("pods", "--sort-by", ".metadata.name", "-o", "name"),
    ("pods", "--sort-by=.spec.nodeSelector.no"),
    ("pod", "runs", "waits"),
    ("pod/runs", "svc/web"),
    ("po,svc",),
    ("deployments,replicasets,services,cm", "--chunk-size=1"),
    ("all",),
    ("all", "-o", "name"),
    ("cm", "-A", "--field-selector", "metadata.name=settings"),
    ("pods", "-o", "name"),
    ("pod", "runs", "-o", "jsonpath={.metadata.name}/{.status.phase}"),
    ("pods", "-o", 'jsonpath={range .items[*]}{.metadata.name}{"\\t"}{.status.phase}{"\\n"}{end}'),
    ("pods", "-o", 'jsonpath={.items[?(@.metadata.labels.tier=="back")].metadata.name}'),
    ("pods", "-o", f"go-template={TEMPLATE}"),
    ("pod", "runs", "-o", "go-template={{.metadata.name}} {{len .spec.containers}}"),
    ("pods", "-o", "custom-columns=NAME:.metadata.name,IMAGES:.spec.containers[*].image,NO:.spec.none"),
    ("pods", "-o", "custom-columns=NAME:.metadata.name", "--no-headers"),
    ("pods,services", "-o", "custom-columns=KIND:.kind,NAME:metadata.name"),
    ("nodes",),
    ("nodes", "-o", "wide"),
    ("namespaces", "default"),
    ("svc", "web", "-o", "wide"),
    ("pod", "nobody", "--ignore-not-found"),
    ("pods", "-l", "app=nobody", "--ignore-not-found"),
    ("componentstatuses", "--ignore-not-found"),
)


@pytest.mark.parametrize("arguments", SAME, ids=" ".join)
def test_get_prints_the_same(both: tuple[Tool, ...], arguments: tuple[str, ...]) -> None:
    if arguments[0] == "componentstatuses":
        same(both, "get", *arguments, code=1)
        return
    same(both, "get", *arguments)


def test_get_prints_what_there_is(one: Tool, shared: Namespace) -> None:
    header, *rows = one("get", "pods", "-o", "wide", "-l", "app=box").rows()
    assert header == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE", "NOMINATED NODE", "READINESS GATES"]
    found = shared.get("pods", "runs")
    assert (rows[0][:4], rows[0][5:7]) == (
        ["runs", "1/1", "Running", "0"],
        [found["status"]["podIP"], found["spec"]["nodeName"]],
    )
    assert rows[1][:4] == ["waits", "0/1", "Pending", "0"]
    assert [row[0] for row in one("get", "pods,svc", "--no-headers").rows()][-1] == "service/web"
    assert one("get", "pods", "-l", "app=nobody").err == f"No resources found in {shared.name} namespace.\n"
    assert one("get", "pod", "nobody", code=1).err == 'Error from server (NotFound): pods "nobody" not found\n'
    assert "the server doesn't have a resource type" in one("get", "nothings", code=1).err
    assert one("get", "pods", "-l", "a in (", code=1).out == ""
    assert "field label not supported" in one("get", "pods", "--field-selector=spec.no=1", code=1).err


def test_get_as_documents(both: tuple[Tool, ...], tmp_path: Path) -> None:
    for arguments in (("pod", "runs"), ("pods,services", "-l", "app!=web"), ("deployment", "web"), ("nodes",)):
        read = [
            json.loads(tool("get", *arguments, "-o", "json", *(["--show-managed-fields"] if tool.is_kctl else [])).out)
            for tool in both
        ]
        assert _steady(read[0]) == _steady(read[1])
        written = [yaml.safe_load(ran.out) for ran in of_each(both, "get", *arguments, "-o", "yaml")]
        assert _steady(written[0]) == _steady(written[1])
    template, path, columns = tmp_path / "template", tmp_path / "path", tmp_path / "columns"
    template.write_text(TEMPLATE)
    path.write_text("{.items[*].metadata.name}")
    columns.write_text("NAME          PHASE\nmetadata.name status.phase\n")
    assert same(both, "get", "pods", "-o", f"go-template-file={template}").out.splitlines()[0] == "runs=Pod"
    assert same(both, "get", "pods", "-l", "app=box", "-o", f"jsonpath-file={path}").out == "runs waits"
    assert same(both, "get", "pods", "-o", f"custom-columns-file={columns}").rows()[:2] == [
        ["NAME", "PHASE"],
        ["runs", "Running"],
    ]
    assert same(both, "get", "pods", "--template", TEMPLATE, "-o", "go-template").out.splitlines()[0] == "runs=Pod"


def _steady(found: object) -> object:
    """Without what changes while one looks: heartbeats, versions; and without managedFields."""
    if isinstance(found, dict):
        gone = ("managedFields", "resourceVersion", "lastHeartbeatTime", "images", "selfLink")
        return {key: _steady(value) for key, value in found.items() if key not in gone}
    return [_steady(each) for each in found] if isinstance(found, list) else found


def test_get_watches(one: Tool, ns: Namespace) -> None:
    tool = Tool(one.name, ns.cluster, ns.name)
    ns.create(config_map("first", k="v"), "configmaps")
    command = tool.command("get", "configmaps", "-w", "--output-watch-events", "-l", "", "-o", "name", "--request-timeout=20s")
    with background(command, tool.environment()) as process:
        assert process.stdout is not None
        seen: set[str] = set()
        while "configmap/first" not in seen:
            seen.add(process.stdout.readline().split()[-1])
        ns.create(config_map("second", k="v"), "configmaps")
        while "configmap/second" not in seen:
            line = process.stdout.readline()
            assert line, process.stderr
            seen.add(line.split()[-1])
    with background(tool.command("get", "configmaps", "-w"), tool.environment()) as process:
        assert process.stdout is not None
        assert process.stdout.readline().split() == ["NAME", "DATA", "AGE"]
        while (row := process.stdout.readline().split()[:2]) != ["first", "1"]:
            assert row, "it ended before it had told of all"
    eventually(lambda: _has_root_ca(ns))  # from here on nothing comes
    only = tool("get", "configmaps", "--watch-only", "--request-timeout=1s", code=None)
    assert only.out == ""


def _has_root_ca(ns: Namespace) -> None:
    assert ns.find("configmaps", "kube-root-ca.crt"), "every namespace gets one"


def test_get_raw(both: tuple[Tool, ...], shared: Namespace) -> None:
    assert same(both, "get", "--raw", "/healthz").out == "ok"
    for tool in both:
        listed = json.loads(tool("get", "--raw", f"/api/v1/namespaces/{shared.name}/services?labelSelector=a%3Db").out)
        assert (listed["kind"], listed["items"]) == ("ServiceList", [])
        assert "(NotFound)" in tool("get", "--raw", "/no/such/path", code=1).err


# explain


@pytest.mark.parametrize(
    "arguments",
    [
        ("pods",),
        ("pod.spec.containers",),
        ("pods.spec.containers.resources.limits",),
        ("deployment.spec.strategy.rollingUpdate",),
        ("deployments", "--recursive"),
        ("svc.spec", "--recursive"),
        ("cj.spec.jobTemplate.spec",),
        ("networkpolicies", "--recursive"),
        ("hpa", "--api-version=autoscaling/v2", "--recursive"),
        ("nodes.status.conditions",),
    ],
    ids=" ".join,
)
def test_explain(both: tuple[Tool, ...], arguments: tuple[str, ...]) -> None:
    """The layouts of the two are years apart; the kind and the names of the fields are the same."""
    texts = [ran.out for ran in of_each(both, "explain", *arguments)]
    facts = [
        (
            re.search(r"^KIND: +(\S+)$", text, re.MULTILINE).group(1),  # type: ignore[union-attr]
            _fields(text),
        )
        for text in texts
    ]
    assert facts[0] == facts[1]
    assert "DESCRIPTION:" in texts[0]


def _fields(text: str) -> list[tuple[str, bool]]:
    """The fields' names, and whether each is a list."""
    found = re.findall(r"^ +(\S+)\s+<(\S+)>", text.partition("FIELDS:")[2], re.MULTILINE)
    return [(name, kind.startswith("[]")) for name, kind in found]


def test_explain_of_nothing(one: Tool) -> None:
    assert 'field "nothing" does not exist' in one("explain", "pods.spec.nothing", code=1).err
    assert one("explain", "nothings", code=1).err != ""


# What the server says about itself


def test_resources_and_versions(both: tuple[Tool, ...]) -> None:
    listed = [ran.lines() for ran in of_each(both, "api-resources", "--no-headers")]
    assert [line.split() for line in listed[0]] == [line.split() for line in listed[1]]
    assert ["pods", "po", "v1", "true", "Pod"] in [line.split() for line in listed[0]]
    for flags in (
        ("--verbs=list,watch", "-o", "name"),
        ("--namespaced=false", "-o", "name"),
        ("--api-group=apps",),
        ("--sort-by=kind", "-o", "name"),
    ):
        answers = [ran.out for ran in of_each(both, "api-resources", *flags)]
        assert [line.split() for line in answers[0].splitlines()] == [line.split() for line in answers[1].splitlines()], flags
    for tool in both:
        wide = tool("api-resources", "--api-group=batch", "-o", "wide").rows()
        assert wide[0][:6] == ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND", "VERBS"]
        assert {"create", "watch", "deletecollection"} <= set(re.split(r"\W+", " ".join(wide[1])))
    versions = same(both, "api-versions").lines()
    assert {"v1", "apps/v1", "autoscaling/v1", "autoscaling/v2", "batch/v1"} <= set(versions)


def test_version(both: tuple[Tool, ...]) -> None:
    server = [json.loads(tool("version", "-o", "json").out)["serverVersion"] for tool in both]
    assert server[0] == server[1]
    assert server[0]["gitVersion"].startswith("v1.36")
    for tool in both:
        assert tool("version", "--client", "-o", "yaml").out.startswith("clientVersion:")
    assert "v1.36" in both[0]("version", "--short").out


def test_cluster_info(both: tuple[Tool, ...], shared: Namespace, tmp_path: Path) -> None:
    for tool in both:
        shown = re.sub(r"\x1b\[[0-9;]*m", "", tool("cluster-info").out)
        assert re.search(r"is running at https://127\.0\.0\.1:\d+", shown), shown
        where = tmp_path / tool.name
        tool("cluster-info", "dump", "--namespaces", shared.name, "--output-directory", str(where))
        files = {str(each.relative_to(where)) for each in where.rglob("*") if each.is_file()}
        assert {"nodes.json", f"{shared.name}/pods.json", f"{shared.name}/runs/logs.txt"} <= files
        pods = json.loads((where / shared.name / "pods.json").read_text())
        assert {each["metadata"]["name"] for each in pods["items"]} >= {"runs", "waits"}


def test_ages_are_evened_out() -> None:
    assert ageless("web  1/1  5m3s  x\n") == ageless("web  1/1  7m  x\n")
    assert ageless("web 1/1") != ageless("web 1/2")
