"""A person's day with kctl: looking, changing, following and tidying up, on a cluster whose pods are real.

What needs no pods (dry runs, malformed manifests, refusals of the server) is tested in tests/integration/kctl.
"""

from __future__ import annotations

import contextlib
import json
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cluster import LocalCluster, Namespace, Object, container_status, documents, is_ready
from tests.support.manifests import config_map, deployment, held, pod, secret, service, shell, sleeper, web_container
from tests.support.waiting import eventually

AGE = r"\d+[smh](\d+s)?"
POD = r"web-[a-z0-9]+-[a-z0-9]{5}"


@pytest.fixture(scope="module")
def web(request: pytest.FixtureRequest, cluster: LocalCluster, show_in_reports: Callable[..., None]) -> Iterator[Namespace]:
    """A Deployment of two pods, its Service, a ConfigMap: to look at, not to change."""
    with cluster.namespace("kctl-web") as namespace:
        show_in_reports(request.node, namespace)
        # On workers, so that both nodes have something to show.
        spread = {"topologySpreadConstraints": [_one_a_node("web")]}
        namespace.apply(
            deployment("web", 2, web_container(), template=spread), service("web"), config_map("settings", colour="blue")
        )
        namespace.deployment_done("web")
        namespace.endpoints_ready("web", 2)
        yield namespace


def _one_a_node(app: str) -> Object:
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": app}},
    }


def _lines(text: str) -> list[list[str]]:
    """The cells of a table's lines; cells are two or more spaces apart."""
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines() if line.strip()]


def _names(ns: Namespace, selector: str = "app=web") -> list[str]:
    return sorted(each["metadata"]["name"] for each in ns.pods(selector))


class _Output:
    """The lines that a kctl in the background prints, as they come."""

    def __init__(self, ns: Namespace, *arguments: str) -> None:
        self._process = ns.start_kctl(*arguments)
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True, name="output")
        self._thread.start()

    def __enter__(self) -> _Output:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._thread.join()
        with self._process:  # which closes its pipes
            pass

    def until(self, pattern: str, timeout_s: float = 20.0) -> str:
        """Read on to the first line that matches."""
        deadline, seen = time.monotonic() + timeout_s, []
        while (remaining := deadline - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                line = self._lines.get(timeout=remaining)
                assert line is not None, f"ended before {pattern}: {seen}, {self._process.stderr.read()}"  # type: ignore[union-attr]
                seen.append(line)
                if re.search(pattern, line):
                    return line
        raise AssertionError(f"no line matches {pattern} after {timeout_s:g} s: {seen}")

    def write(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def close_input(self) -> int:
        """End the standard input; the exit code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._process.wait(20)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)


# Looking


def test_get_as_a_table(web: Namespace, cluster: LocalCluster) -> None:
    header, *rows = _lines(web.kctl("get", "pods").stdout)
    assert header == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [row[0] for row in rows] == _names(web)
    for row in rows:
        assert re.fullmatch(POD, row[0])
        assert row[1:4] == ["1/1", "Running", "0"]
        assert re.fullmatch(AGE, row[4]), row
    header, *rows = _lines(web.kctl("get", "deploy,svc,cm", "--no-headers").stdout)
    assert [row[0] for row in (header, *rows)][:2] == ["deployment.apps/web", "service/web"]
    assert ["configmap/settings", "1"] in [row[:2] for row in rows]
    everything = web.kctl("get", "all").stdout
    for title in ("pod/web-", "service/web", "deployment.apps/web", "replicaset.apps/web-"):
        assert title in everything
    header, *rows = _lines(web.kctl("get", "nodes").stdout)
    assert header == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    assert [row[:2] for row in rows] == [[name, "Ready"] for name in sorted(each.name for each in cluster.nodes())]
    assert [row[2] for row in rows] == ["control-plane", "<none>", "<none>"]
    header, row = _lines(web.kctl("get", "deployment", "web").stdout)
    assert (header[:4], row[:4]) == (["NAME", "READY", "UP-TO-DATE", "AVAILABLE"], ["web", "2/2", "2", "2"])


def test_get_wide(web: Namespace, cluster: LocalCluster) -> None:
    header, *rows = _lines(web.kctl("get", "pods", "-o", "wide").stdout)
    assert header == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE", "NOMINATED NODE", "READINESS GATES"]
    pods = {each["metadata"]["name"]: each for each in web.pods("app=web")}
    for row in rows:
        found = pods[row[0]]
        assert row[5:] == [found["status"]["podIP"], found["spec"]["nodeName"], "<none>", "<none>"]
    header, *rows = _lines(web.kctl("get", "nodes", "-owide").stdout)
    assert header[5:] == ["INTERNAL-IP", "EXTERNAL-IP", "OS-IMAGE", "KERNEL-VERSION", "CONTAINER-RUNTIME"]
    ips = {each.name: each.ip for each in cluster.nodes()}
    assert {row[0]: row[5] for row in rows} == ips
    assert all(row[-1].startswith("containerd://") for row in rows)
    header, row = _lines(web.kctl("get", "svc", "web", "-o=wide").stdout)
    address = web.get("services", "web")["spec"]["clusterIP"]
    assert row[:5] == ["web", "ClusterIP", address, "<none>", "80/TCP"]
    assert (header[-1], row[-1]) == ("SELECTOR", "app=web")
    header, row = _lines(web.kctl("get", "deploy", "-o", "wide").stdout)
    assert (header[5:], row[5:]) == (["CONTAINERS", "IMAGES", "SELECTOR"], ["web", "busybox:1", "app=web"])


def test_get_as_documents(web: Namespace) -> None:
    name = _names(web)[0]
    one = json.loads(web.kctl("get", "pod", name, "-o", "json").stdout)
    assert (one["kind"], one["apiVersion"], one["metadata"]["name"]) == ("Pod", "v1", name)
    assert one["status"]["phase"] == "Running"
    assert "managedFields" not in one["metadata"]
    listed = json.loads(web.kctl("get", "pods", "-ojson").stdout)
    assert (listed["kind"], [each["metadata"]["name"] for each in listed["items"]]) == ("List", _names(web))
    assert {each["kind"] for each in listed["items"]} == {"Pod"}
    read = yaml.safe_load(web.kctl("get", "pod", name, "-o", "yaml").stdout)
    assert read == one
    # What get shows can be applied again.
    shown = web.kctl("get", "configmap", "settings", "-o", "yaml").stdout
    assert yaml.safe_load(shown)["data"] == {"colour": "blue"}


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        pytest.param("name", "{pods}", id="name"),
        pytest.param("jsonpath={.items[*].metadata.name}", "{names}", id="jsonpath"),
        pytest.param('jsonpath={range .items[*]}pod/{.metadata.name}{"\\n"}{end}', "{pods}", id="jsonpath-range"),
        pytest.param("jsonpath={.items[?(@.status.phase=='Failed')].metadata.name}", "", id="jsonpath-filter"),
        pytest.param("jsonpath={.items[0].spec.containers[0].image}", "busybox:1", id="jsonpath-index"),
        pytest.param(
            "custom-columns=POD:.metadata.name,IMAGE:.spec.containers[*].image,NONE:.spec.no", "{columns}", id="custom-columns"
        ),
    ],
)
def test_get_as_text(web: Namespace, output: str, wanted: str) -> None:
    names = _names(web)
    width = len(names[0])
    texts = {
        "names": " ".join(names),
        "pods": "".join(f"pod/{name}\n" for name in names),
        "columns": f"{'POD':{width}}   IMAGE       NONE\n" + "".join(f"{name}   busybox:1   <none>\n" for name in names),
    }
    assert web.kctl("get", "pods", "-l", "app=web", "-o", output).stdout == wanted.format(**texts)


def test_get_chooses_sorts_and_labels(web: Namespace, ns: Namespace, cluster: LocalCluster) -> None:
    for name, tier, delay in (("first", "front", 0), ("second", "back", 0), ("third", "back", 1)):
        ns.create(pod(name, f"exit {delay}", labels={"tier": tier, "app": "chosen"}))
        ns.pod_ended(name)

    def shown(*arguments: str) -> list[str]:
        return ns.kctl("get", "pods", *arguments, "-o", "name").stdout.replace("pod/", "").split()

    assert shown("-l", "tier=back") == ["second", "third"]
    assert shown("-l", "tier!=back,app") == ["first"]
    assert shown("-l", "tier in (front, middle)") == ["first"]
    assert shown("-l", "!tier") == []
    assert shown("--field-selector", "status.phase=Failed") == ["third"]
    assert shown("--field-selector=status.phase!=Failed,metadata.name!=first") == ["second"]
    assert shown("--field-selector", f"metadata.namespace={ns.name}", "-l", "tier=front") == ["first"]
    assert shown("--sort-by=.status.containerStatuses[0].state.terminated.exitCode")[-1] == "third"
    assert ns.kctl("get", "pods", "first", "third", "-o", "name").stdout == "pod/first\npod/third\n"
    node = web.pods("app=web")[0]["spec"]["nodeName"]
    on_node = web.kctl("get", "pods", "--field-selector", f"spec.nodeName={node}", "-o", "name").stdout.split()
    assert on_node == [f"pod/{each['metadata']['name']}" for each in web.pods() if each["spec"]["nodeName"] == node]
    header, *rows = _lines(ns.kctl("get", "pods", "--show-labels", "-L", "tier,none").stdout)
    assert header[5:] == ["TIER", "NONE", "LABELS"]
    assert [row[-1] for row in rows] == ["app=chosen,tier=front", "app=chosen,tier=back", "app=chosen,tier=back"]
    assert [row[2] for row in rows] == ["Completed", "Completed", "Error"]
    refused = ns.kctl("get", "pods", "--field-selector", "spec.colour=red", check=False)
    assert (refused.returncode, "field label not supported" in refused.stderr) == (1, True), refused
    malformed = ns.kctl("get", "pods", "-l", "a in (", check=False)
    assert malformed.returncode == 1


def test_get_in_every_namespace(web: Namespace, ns: Namespace) -> None:
    ns.apply(config_map("settings", colour="red"))
    header, *rows = _lines(ns.kctl("get", "configmaps", "-A", "--field-selector", "metadata.name=settings").stdout)
    assert header == ["NAMESPACE", "NAME", "DATA", "AGE"]
    assert [row[:3] for row in rows if row[0] in (web.name, ns.name)] == sorted(
        [[web.name, "settings", "1"], [ns.name, "settings", "1"]]
    )
    pods = _lines(ns.kctl("get", "pods", "--all-namespaces", "-l", "app=web", "-o", "wide").stdout)
    assert {(row[0], row[1]) for row in pods[1:] if row[0] == web.name} == {(web.name, name) for name in _names(web)}
    none = ns.kctl("get", "pods")
    assert (none.stdout, none.stderr) == ("", f"No resources found in {ns.name} namespace.\n")


def test_get_follows_a_pods_life(ns: Namespace) -> None:
    mount = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    script = "while ! test -e /shared/go; do sleep 0.1; done; exit 3"
    ns.create(pod("listed", sleeper(), nodeSelector={"no": "where"}))
    with _Output(ns, "get", "pods", "-w") as table, _Output(ns, "get", "pods", "-w", "-o", "name") as names:
        table.until("^NAME +READY +STATUS")
        table.until("^listed +0/1 +Pending")  # from here on nothing is missed
        names.until("^pod/listed$")
        ns.create(pod("walker", shell(script, **mount), volumes=[{"name": "shared", "emptyDir": {}}]))
        for status in ("0/1 +Pending", "1/1 +Running"):
            table.until(f"^walker +{status} ")
        ns.exec("walker", "touch", "/shared/go")
        table.until("^walker +0/1 +Error ")
        names.until("^pod/walker$")
        ns.kctl("delete", "pod", "walker")
    for name in ("listed", "seen"):
        ns.create(config_map(name), "configmaps")
    ns.kctl("label", "configmap", "listed", "kept=yes")
    with _Output(ns, "get", "configmaps", "-w", "--output-watch-events", "--no-headers", "-l", "kept=yes") as events:
        events.until("^ADDED +listed +0 ")
        ns.kctl("label", "configmap", "seen", "kept=yes")
        events.until("^ADDED +seen +0 ")  # it is chosen from now on
        ns.kctl("label", "configmap", "seen", "kept-")
        events.until("^DELETED +seen +0 ")  # it is no longer chosen


def test_describe_a_pod(web: Namespace) -> None:
    found = web.pods("app=web")[0]
    name, node = found["metadata"]["name"], found["spec"]["nodeName"]
    web.pod_events(name)
    text = web.kctl("describe", "pod", name).stdout
    facts = dict(re.findall(r"^([A-Z][\w ]+): +(\S.*)$", text, re.MULTILINE))
    assert facts["Name"] == name
    assert facts["Namespace"] == web.name
    assert facts["Node"] == f"{node}/{found['status']['hostIP']}"
    assert facts["Status"] == "Running"
    assert facts["IP"] == found["status"]["podIP"]
    assert facts["Controlled By"].startswith("ReplicaSet/web-")
    assert re.search(r"^    State: +Running$", text, re.MULTILINE)
    assert re.search(rf"^    Container ID: +{container_status(found)['containerID']}$", text, re.MULTILINE)
    assert re.search(r"^    Readiness: +http-get http://:http/ delay=0s timeout=1s period=1s", text, re.MULTILINE)
    for condition in ("PodScheduled", "Initialized", "ContainersReady", "Ready"):
        assert re.search(rf"^  {condition} +True", text, re.MULTILINE)
    events = text.partition("Events:")[2]
    for reason, source in (("Scheduled", "scheduler"), ("Pulled", "kubelet"), ("Created", "kubelet"), ("Started", "kubelet")):
        assert re.search(rf"Normal +{reason} +{AGE}.* +\S*{source}", events), events
    by_prefix = web.kctl("describe", "pod", "web-").stdout
    assert re.findall(r"^Name: +(\S+)$", by_prefix, re.MULTILINE) == _names(web)


def test_describe_a_node(web: Namespace) -> None:
    found = web.pods("app=web")[0]
    node = found["spec"]["nodeName"]
    text = web.kctl("describe", "node", node).stdout
    assert re.search(rf"^Name: +{node}$", text, re.MULTILINE)
    assert re.search(r"^Taints: +<none>$", text, re.MULTILINE)
    assert re.search(r"^Unschedulable: +false$", text, re.MULTILINE)
    assert re.search(r"^  Ready +True .*KubeletReady", text, re.MULTILINE)
    assert re.search(rf"^  InternalIP: +{re.escape(found['status']['hostIP'])}$", text, re.MULTILINE)
    assert re.search(rf"^  HolderIdentity: +{node}$", text, re.MULTILINE)
    assert re.search(r"^PodCIDR: +10\.244\.\d+\.0/24$", text, re.MULTILINE)
    assert re.search(rf"^  {web.name} +{found['metadata']['name']} +0 \(0%\)", text, re.MULTILINE)
    assert "Allocated resources:" in text
    assert re.search(r"^Events:", text, re.MULTILINE)


def test_describe_a_service_and_a_deployment(web: Namespace) -> None:
    text = web.kctl("describe", "service/web").stdout
    facts = dict(re.findall(r"^([A-Z][\w ]+): +(\S.*)$", text, re.MULTILINE))
    assert facts["Selector"] == "app=web"
    assert facts["Type"] == "ClusterIP"
    assert facts["IP"] == web.get("services", "web")["spec"]["clusterIP"]
    assert (facts["Port"], facts["TargetPort"]) == ("http  80/TCP", "http/TCP")
    assert set(facts["Endpoints"].split(",")) == {f"{each['status']['podIP']}:8080" for each in web.pods("app=web")}
    web.event("ScalingReplicaSet", "web")
    text = web.kctl("describe", "deployment", "web").stdout
    facts = dict(re.findall(r"^([A-Z][\w ]+): +(\S.*)$", text, re.MULTILINE))
    assert facts["Replicas"] == "2 desired | 2 updated | 2 total | 2 available | 0 unavailable"
    assert facts["Selector"] == "app=web"
    assert facts["StrategyType"] == "RollingUpdate"
    assert facts["RollingUpdateStrategy"] == "25% max unavailable, 25% max surge"
    assert re.fullmatch(r"web-\w+ \(2/2 replicas created\)", facts["NewReplicaSet"])
    assert re.search(r"^  Available +True +MinimumReplicasAvailable$", text, re.MULTILINE)
    assert "Scaled up replica set web-" in text.partition("Events:")[2]
    assert web.kctl("describe", "deploy", "web", "--show-events=false").stdout.count("Scaled up") == 0


# Logs, exec


def test_logs_followed_before_and_of_workloads(ns: Namespace) -> None:
    mount = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    script = (
        f"if test -e /shared/again; then echo second run; else touch /shared/again; {held('echo first run')}; exit 1; fi;"
        # A second later than the line before: --since-time knows whole seconds.
        " while ! test -e /shared/go; do sleep 0.1; done; sleep 1.1; echo on it goes; sleep 3600"
    )
    template = {"volumes": [{"name": "shared", "emptyDir": {}}]}
    ns.create(deployment("talker", 1, shell(script, **mount), template=template), "deployments")
    name = eventually(lambda: _only(_names(ns, "app=talker")))
    ns.logged(name, "first run\n")
    ns.let_go(name)
    ns.pod_where(name, lambda each: container_status(each).get("restartCount") == 1 and is_ready(each), "restarted", 30)
    assert ns.kctl("logs", name, "-p").stdout == "first run\n"
    assert ns.kctl("logs", "-p", "deployment/talker").stdout == "first run\n"
    with _Output(ns, "logs", "-f", name) as one, _Output(ns, "logs", "-f", "-l", "app=talker", "--prefix") as chosen:
        one.until("^second run$")
        chosen.until(rf"^\[pod/{name}/main\] second run$")
        ns.exec("deploy/talker", "touch", "/shared/go")
        one.until("^on it goes$")
        chosen.until(rf"^\[pod/{name}/main\] on it goes$")
    assert ns.kctl("logs", "deploy/talker", "--tail=1").stdout == "on it goes\n"
    stamped = ns.kctl("logs", name, "--timestamps").stdout.splitlines()
    assert [line.partition(" ")[2] for line in stamped] == ["second run", "on it goes"]
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00) ", line) for line in stamped), stamped
    assert ns.kctl("logs", name, "--since-time", stamped[1].split()[0]).stdout == "on it goes\n"
    assert ns.kctl("logs", name, "--limit-bytes=6").stdout == "second"


def _only(found: list[str]) -> str:
    assert len(found) == 1, found
    return found[0]


def test_logs_of_several_containers(ns: Namespace) -> None:
    ns.ended_whole(
        pod("pair", [shell("echo one", "one"), shell("echo two >&2", "two")], initContainers=[shell("echo zero", "zero")])
    )
    assert ns.kctl("logs", "pair", "--all-containers").stdout == "zero\none\ntwo\n"
    assert ns.kctl("logs", "pair", "two").stdout == "two\n"
    both = ns.kctl("logs", "-f", "pair", "--all-containers", "--prefix").stdout.splitlines()
    assert sorted(both) == ["[pod/pair/one] one", "[pod/pair/two] two", "[pod/pair/zero] zero"]


def test_exec_talks_both_ways(ns: Namespace) -> None:
    ns.create(deployment("target", 1, sleeper()), "deployments")
    ns.deployment_done("target")
    name = _only(_names(ns, "app=target"))
    assert ns.kctl("exec", "-i", name, "--", "tr", "a-z", "A-Z", stdin="hello\n").stdout == "HELLO\n"
    with _Output(ns, "exec", "-i", "deploy/target", "--", "sh") as shell_output:
        shell_output.write("echo $((6 * 7))\n")
        shell_output.until("^42$")
        shell_output.write("hostname; exit 5\n")
        shell_output.until(f"^{name}$")
        assert shell_output.close_input() == 5
    assert ns.kctl("exec", name, "--", "sh", "-c", "exit 9", check=False).returncode == 9
    no_dashes = ns.kctl("exec", name, "true", check=False)
    assert (no_dashes.returncode, "Use exec [POD] -- [COMMAND] instead" in no_dashes.stderr) == (1, True)
    # Without -i the command reads nothing, whatever is there to be read.
    assert ns.kctl("exec", name, "--", "cat", stdin="lost").stdout == ""


# Changing


def test_scale(ns: Namespace) -> None:
    ns.create(deployment("web", 1, web_container()), "deployments")
    assert ns.kctl("scale", "deployment", "web", "--replicas=3").stdout == "deployment.apps/web scaled\n"
    ns.deployment_done("web")
    refused = ns.kctl("scale", "deploy/web", "--current-replicas=1", "--replicas=2", check=False)
    assert (refused.returncode, "Expected replicas to be 1, was 3" in refused.stderr) == (1, True)
    ns.kctl("scale", "deploy/web", "--current-replicas=3", "--replicas=0", "--timeout=20s")
    eventually(lambda: _assert_equal(ns.pods("app=web"), []))
    replica_set = ns.list("replicasets")[0]["metadata"]["name"]
    assert ns.kctl("scale", "rs", replica_set, "--replicas=0", "--dry-run=server").stdout.endswith("scaled (server dry run)\n")
    unscalable = ns.kctl("scale", "cm", "kube-root-ca.crt", "--replicas=1", check=False)
    assert unscalable.returncode == 1


def test_label_and_annotate(ns: Namespace, cluster: LocalCluster) -> None:
    for name in ("one", "two"):
        ns.create(pod(name, sleeper(), labels={"app": "labelled"}))
        ns.pod_ready(name)
    assert ns.kctl("label", "pods", "one", "two", "tier=front").stdout == "pod/one labeled\npod/two labeled\n"
    assert ns.kctl("label", "pod/one", "tier=front").stdout == "pod/one not labeled\n"
    taken = ns.kctl("label", "pod", "one", "tier=back", check=False)
    assert taken.returncode == 1
    assert "'tier' already has a value (front), and --overwrite is false" in taken.stderr
    ns.kctl("label", "pod", "one", "tier=back", "--overwrite")
    assert ns.kctl("get", "pods", "-l", "tier=back", "-o", "name").stdout == "pod/one\n"
    assert ns.kctl("label", "pods", "-l", "app=labelled", "tier-").stdout == "pod/one unlabeled\npod/two unlabeled\n"
    assert ns.kctl("label", "--list", "pod", "one").stdout.splitlines()[1:] == [" app=labelled"]
    invalid = ns.kctl("label", "pod", "one", "a=not valid", check=False)
    assert (invalid.returncode, "is invalid" in invalid.stderr) == (1, True), invalid
    assert ns.kctl("annotate", "pods", "--all", "note=about: all, of them").stdout.count("annotated") == 2
    assert ns.get("pods", "two")["metadata"]["annotations"]["note"] == "about: all, of them"
    ns.kctl("annotate", "pod", "two", "note-")
    assert "note" not in ns.get("pods", "two")["metadata"].get("annotations", {})
    node = cluster.workers()[0]
    ns.kctl("label", "node", node, "disk=fast")
    try:
        ns.create(pod("placed", sleeper(), nodeSelector={"disk": "fast"}))
        assert ns.pod_ready("placed")["spec"]["nodeName"] == node
    finally:
        ns.kctl("label", "node", node, "disk-")


def test_wait_for_what_is_coming(ns: Namespace) -> None:
    with _Output(ns, "wait", "--for=create", "pod/coming", "--timeout=20s") as created:
        ns.create(pod("coming", shell("trap '' TERM; while :; do sleep 0.1; done")))
        created.until("^pod/coming condition met$")
    assert ns.kctl("wait", "--for=condition=Ready", "pod/coming", "--timeout=20s").stdout == "pod/coming condition met\n"
    assert ns.kctl("wait", "--for=jsonpath={.status.phase}=Running", "pod/coming").stdout == "pod/coming condition met\n"
    late = ns.kctl("wait", "--for=condition=Ready=false", "pod/coming", "--timeout=1s", check=False)
    assert (late.returncode, late.stderr) == (1, "error: timed out waiting for the condition on pods/coming\n")
    before = ns.cluster.watchers("pods")
    with _Output(ns, "wait", "--for=delete", "pods", "--all", "--timeout=20s") as deleted:
        eventually(lambda: _assert_more(ns.cluster.watchers("pods"), before))  # it has seen the pod
        ns.kctl("delete", "pod", "coming", "--wait=false", "--grace-period=1")
        deleted.until("^pod/coming condition met$")
    assert ns.kctl("wait", "--for=delete", "pod/coming").returncode == 0
    nobody = ns.kctl("wait", "--for=condition=Ready", "pod/nobody", "--timeout=1s", check=False)
    assert (nobody.returncode, 'pods "nobody" not found' in nobody.stderr) == (1, True)
    ns.create(deployment("web", 2, web_container()), "deployments")
    ns.kctl("wait", "--for=condition=Available", "deployment/web", "--timeout=30s")
    ns.kctl("wait", "pods", "-l", "app=web", "--for=condition=Ready", "--timeout=20s")


@pytest.fixture
def emptied(cluster: LocalCluster) -> Iterator[str]:
    """A worker that may be cordoned and drained; it takes pods again afterwards."""
    node = cluster.workers()[0]
    yield node
    cluster.kctl("uncordon", node)


def test_cordon_drain_and_uncordon(ns: Namespace, cluster: LocalCluster, emptied: str) -> None:
    here = {"nodeSelector": {"kubernetes.io/hostname": emptied}}
    ns.create(deployment("web", 2, web_container(drain_s=1), grace_s=5), "deployments")
    ns.create(pod("single", sleeper(), labels={"app": "single"}, **here))
    scratch = {"volumes": [{"name": "scratch", "emptyDir": {}}]}
    ns.create(deployment("scratch", 1, sleeper(), template={**here, **scratch}), "deployments")
    ns.deployment_done("web")
    ns.deployment_done("scratch")
    ns.pod_ready("single")
    assert ns.kctl("cordon", emptied).stdout == f"node/{emptied} cordoned\n"
    assert ns.kctl("cordon", emptied).stdout == f"node/{emptied} already cordoned\n"
    assert re.search(rf"^{emptied} +Ready,SchedulingDisabled ", ns.kctl("get", "nodes").stdout, re.MULTILINE)
    ns.kctl("scale", "deploy/web", "--replicas=4")
    ns.deployment_done("web")  # the new ones went elsewhere
    placed = [each["spec"]["nodeName"] for each in ns.pods("app=web")]
    assert placed.count(emptied) <= 2
    waiting = pod("waiting", sleeper(), **here)
    ns.create(waiting)
    ns.event("FailedScheduling", "waiting")
    # What would be lost is named, and nothing is evicted.
    refused = ns.kctl("drain", emptied, check=False)
    assert refused.returncode == 1
    assert f"Pods that declare no controller (use --force to override): {ns.name}/single" in refused.stderr
    assert "Pods with local storage (use --delete-emptydir-data to override)" in refused.stderr
    assert is_ready(ns.get("pods", "single"))
    drained = ns.kctl("drain", emptied, "--force", "--delete-emptydir-data", "--ignore-daemonsets", "--timeout=50s")
    assert f"evicting pod {ns.name}/single\n" in drained.stdout
    assert "pod/single evicted\n" in drained.stdout
    assert drained.stdout.endswith(f"node/{emptied} drained\n")
    left = cluster.rest.list("/api/v1/pods", fieldSelector=f"spec.nodeName={emptied}")
    assert [each["metadata"]["name"] for each in left] == []
    assert ns.find("pods", "single") is None
    ns.deployment_done("web")
    assert {each["spec"]["nodeName"] for each in ns.pods("app=web")}.isdisjoint({emptied})
    assert ns.kctl("uncordon", f"node/{emptied}").stdout == f"node/{emptied} uncordoned\n"
    assert ns.pod_ready("waiting")["spec"]["nodeName"] == emptied
    ns.deployment_done("scratch")


def test_drain_of_chosen_pods_and_of_nobody(ns: Namespace, emptied: str) -> None:
    here = {"nodeSelector": {"kubernetes.io/hostname": emptied}}
    for name in ("leaves", "stays"):
        ns.create(pod(name, sleeper(), labels={"which": name}, **here))
        ns.pod_ready(name)
    chosen = ("--force", "--pod-selector=which=leaves")
    pretended = ns.kctl("drain", emptied, *chosen, "--dry-run=client").stdout
    assert pretended == (
        f"node/{emptied} cordoned (dry run)\nevicting pod {ns.name}/leaves (dry run)\nnode/{emptied} drained (dry run)\n"
    )
    assert "unschedulable" not in ns.cluster.rest.get(f"/api/v1/nodes/{emptied}")["spec"]
    ns.kctl("drain", emptied, *chosen, "--grace-period=1", "--timeout=20s")
    assert ns.find("pods", "leaves") is None
    assert is_ready(ns.get("pods", "stays"))
    nobody = ns.kctl("drain", "nobody", check=False)
    assert (nobody.returncode, nobody.stderr) == (1, 'Error from server (NotFound): nodes "nobody" not found\n')


# Deleting


def test_delete_in_every_way(ns: Namespace, tmp_path: Path) -> None:
    for number in range(8):
        ns.create(pod(f"pod-{number}", sleeper(), labels={"even": str(number % 2 == 0).lower()}))
    for number in range(8):
        ns.pod_ready(f"pod-{number}")

    def left() -> list[int]:
        return sorted(int(each["metadata"]["name"][-1]) for each in ns.pods() if each["metadata"]["name"].startswith("pod-"))

    assert ns.kctl("delete", "pod", "pod-0", "--dry-run=client").stdout == 'pod "pod-0" deleted (dry run)\n'
    assert ns.kctl("delete", "pod", "pod-0", "--dry-run=server").stdout == 'pod "pod-0" deleted (server dry run)\n'
    assert left() == list(range(8))
    assert ns.kctl("delete", "pod/pod-0").stdout == 'pod "pod-0" deleted\n'
    assert ns.find("pods", "pod-0") is None  # it has waited
    assert ns.kctl("delete", "po", "pod-1", "--now", "-o", "name").stdout == "pod/pod-1\n"
    forced = ns.kctl("delete", "pod", "pod-2", "--force")
    assert forced.stdout == 'pod "pod-2" force deleted\n'
    assert forced.stderr.startswith("Warning: Immediate deletion does not wait")
    assert ns.find("pods", "pod-2") is None
    assert ns.kctl("delete", "pods", "-l", "even=true").stdout == 'pod "pod-4" deleted\npod "pod-6" deleted\n'
    assert left() == [3, 5, 7]
    file = tmp_path / "three.yaml"
    file.write_text(documents(pod("pod-3", "true"), config_map("never-was")))
    partly = ns.kctl("delete", "-f", str(file), check=False)
    assert (partly.returncode, partly.stdout) == (1, 'pod "pod-3" deleted\n')
    assert 'configmaps "never-was" not found' in partly.stderr
    assert ns.kctl("delete", "-f", str(file), "--ignore-not-found").stdout == ""
    ns.create(config_map("kept"), "configmaps")
    assert ns.kctl("delete", "pods", "--field-selector", "metadata.name=pod-5").stdout == 'pod "pod-5" deleted\n'
    assert ns.kctl("delete", "pods", "--all").stdout == 'pod "pod-7" deleted\n'
    assert ns.kctl("delete", "pods", "--all").stdout == "No resources found\n"
    assert left() == []
    assert ns.kctl("delete", "pod", "pod-0", "--ignore-not-found").returncode == 0
    missing = ns.kctl("delete", "pod", "pod-0", check=False)
    assert (missing.returncode, missing.stderr) == (1, 'Error from server (NotFound): pods "pod-0" not found\n')
    several = ns.kctl("delete", "configmap/kept", "pod/pod-0", check=False)
    assert (several.returncode, several.stdout) == (1, 'configmap "kept" deleted\n')
    nameless = ns.kctl("delete", "pods", check=False)
    assert (nameless.returncode, nameless.stderr) == (1, "error: resource(s) were provided, but no name was specified\n")


def test_delete_of_what_takes_its_time(ns: Namespace) -> None:
    ns.create(pod("deaf", "trap '' TERM; while :; do sleep 0.1; done", terminationGracePeriodSeconds=120))
    ns.pod_ready("deaf")
    began = time.monotonic()
    late = ns.kctl("delete", "pod", "deaf", "--timeout=1s", check=False)
    assert (late.returncode, late.stderr) == (1, "error: timed out waiting for the condition on pods/deaf\n")
    assert 1 <= time.monotonic() - began < 3.5
    assert "deletionTimestamp" in ns.get("pods", "deaf")["metadata"]
    assert ns.kctl("delete", "pod", "deaf", "--grace-period=1").returncode == 0
    assert ns.find("pods", "deaf") is None


@pytest.mark.parametrize("cascade", ["background", "foreground", "orphan"])
def test_delete_and_dependents(ns: Namespace, cascade: str) -> None:
    ns.create(deployment("web", 2, web_container()), "deployments")
    ns.deployment_done("web")
    before = _names(ns)
    ns.kctl("delete", "deployment", "web", f"--cascade={cascade}")
    assert ns.find("deployments", "web") is None
    if cascade == "orphan":
        (replica_set,) = ns.list("replicasets")
        assert not replica_set["metadata"].get("ownerReferences")
        assert _names(ns) == before
        ns.kctl("delete", "rs", replica_set["metadata"]["name"], "--cascade=foreground")
    if cascade != "background":
        assert ns.list("replicasets") == []
        assert ns.list("pods") == []
    eventually(lambda: _assert_equal(ns.list("replicasets") + ns.list("pods"), []))


def test_delete_of_a_namespace_takes_all_that_is_in_it(ns: Namespace, cluster: LocalCluster) -> None:
    name = f"{ns.name}-inner"
    assert ns.kctl("create", "namespace", name).stdout == f"namespace/{name} created\n"
    inner = Namespace(cluster, name)
    inner.apply(deployment("web", 1, web_container()), service("web"), config_map("settings"), secret("hidden", key="value"))
    inner.deployment_done("web")
    assert ns.kctl("delete", "namespace", name, "--timeout=40s").stdout == f'namespace "{name}" deleted\n'
    assert cluster.rest.find(f"/api/v1/namespaces/{name}") is None
    for resource in ("pods", "services", "configmaps", "secrets", "deployments", "replicasets", "endpointslices"):
        assert inner.list(resource) == []


# Applying


def test_apply_of_a_directory(ns: Namespace, tmp_path: Path) -> None:
    (tmp_path / "10-settings.yaml").write_text(documents(config_map("settings", colour="blue"), secret("hidden", key="value")))
    (tmp_path / "20-web.json").write_text(json.dumps(deployment("web", 1, web_container())))
    (tmp_path / "30-service.yml").write_text(yaml.safe_dump(service("web")))
    (tmp_path / "notes.txt").write_text("no manifest")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "pod.yaml").write_text(yaml.safe_dump(pod("inner", sleeper())))
    first = ns.kctl("apply", "-f", str(tmp_path)).stdout.splitlines()
    assert first == [
        "configmap/settings created",
        "secret/hidden created",
        "deployment.apps/web created",
        "service/web created",
    ]
    again = ns.kctl("apply", "-f", str(tmp_path), "-R").stdout.splitlines()
    assert "pod/inner created" in again
    assert "deployment.apps/web unchanged" in again
    assert "configmap/settings unchanged" in again
    ns.deployment_done("web")
    ns.endpoints_ready("web", 1)
    shown = ns.kctl("get", "-f", str(tmp_path), "-o", "name").stdout.split()
    assert shown == ["configmap/settings", "secret/hidden", "deployment.apps/web", "service/web"]
    deleted = ns.kctl("delete", "-R", "-f", str(tmp_path)).stdout
    assert deleted.count(" deleted\n") == 5
    empty = tmp_path / "empty"
    empty.mkdir()
    nothing = ns.kctl("apply", "-f", str(empty), check=False)
    assert (nothing.returncode, "recognized file extensions" in nothing.stderr) == (1, True)


def test_apply_of_several_documents_from_standard_input(ns: Namespace) -> None:
    text = f"""
# A comment before everything.
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: first}}
data: {{text: "a: b"}}
---
---
{json.dumps(service("second"))}
---
apiVersion: v1
kind: List
items:
- {json.dumps(config_map("third"))}
- {json.dumps(pod("fourth", held("echo applied")))}
...
"""
    created = ns.kctl("apply", "-f", "-", stdin=text).stdout.splitlines()
    assert created == ["configmap/first created", "service/second created", "configmap/third created", "pod/fourth created"]
    ns.logged("fourth", "applied\n")
    broken = ns.kctl("apply", "-f", "-", stdin=documents(config_map("good"), {"kind": "Nobody"}), check=False)
    assert broken.returncode == 1
    nothing = ns.kctl("apply", "-f", "-", stdin="# nothing\n", check=False)
    assert (nothing.returncode, "no objects passed to apply" in nothing.stderr) == (1, True)


def test_apply_removes_what_the_manifest_no_longer_says_and_keeps_what_others_have_set(ns: Namespace) -> None:
    manifest = deployment("web", 1, web_container(env=[{"name": "COLOUR", "value": "blue"}, {"name": "SIZE", "value": "big"}]))
    manifest["metadata"]["annotations"] = {"note": "first", "gone": "soon"}
    ns.apply(manifest)
    ns.deployment_done("web")
    first = _only(_names(ns))
    # Others set a label and the number of replicas; the manifest says nothing of the label, and no longer of replicas.
    ns.kctl("label", "deployment", "web", "team=harbour")
    manifest["metadata"]["annotations"] = {"note": "second"}
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "COLOUR", "value": "green"}]
    del container["readinessProbe"]
    assert ns.apply(manifest).stdout == "deployment.apps/web configured\n"
    found = ns.deployment_done("web")
    assert {key: value for key, value in found["metadata"]["annotations"].items() if "/" not in key} == {"note": "second"}
    assert found["metadata"]["labels"]["team"] == "harbour"
    running = found["spec"]["template"]["spec"]["containers"][0]
    assert running["env"] == [{"name": "COLOUR", "value": "green"}]
    assert "readinessProbe" not in running
    eventually(lambda: _assert_equal(len(_names(ns)), 1))
    second = _only(_names(ns))
    assert second != first
    assert ns.exec(second, "sh", "-c", "echo $COLOUR $SIZE").stdout == "green\n"
    ns.kctl("scale", "deployment", "web", "--replicas=2")
    del manifest["spec"]["replicas"]
    ns.apply(manifest)  # a field that is given up goes back to its default
    assert ns.deployment_done("web")["spec"]["replicas"] == 1
    ns.kctl("scale", "deployment", "web", "--replicas=2")
    assert ns.apply(manifest).stdout == "deployment.apps/web unchanged\n"
    assert ns.deployment_done("web")["spec"]["replicas"] == 2


def test_apply_of_what_cannot_be_changed(ns: Namespace) -> None:
    ns.apply(pod("fixed", sleeper(), restartPolicy="Always"))
    before = ns.pod_ready("fixed")
    changed: Object = pod("fixed", sleeper(), restartPolicy="Always", nodeSelector={"kubernetes.io/os": "linux"})
    refused = ns.kctl("apply", "-f", "-", stdin=documents(changed), check=False)
    assert refused.returncode == 1
    assert "pod updates may not change fields other than" in refused.stderr
    forced = ns.kctl("apply", "--force", "-f", "-", stdin=documents(changed))
    assert forced.stdout == "pod/fixed created\n"
    assert ns.pod_ready("fixed")["metadata"]["uid"] != before["metadata"]["uid"]


# About client and server; how calls end


def test_version(cluster: LocalCluster) -> None:
    lines = cluster.kctl("version").stdout.splitlines()
    assert [line.split(": ")[0] for line in lines] == ["Client Version", "Server Version"]
    assert all(re.fullmatch(r"v\d+\.\d+\.\d+.*", line.split(": ")[1]) for line in lines), lines
    both = json.loads(cluster.kctl("version", "-o", "json").stdout)
    assert set(both) == {"clientVersion", "serverVersion"}
    assert both["serverVersion"] == cluster.rest.get("/version")
    assert set(yaml.safe_load(cluster.kctl("version", "--client", "-o", "yaml").stdout)) == {"clientVersion"}
    info = cluster.kctl("cluster-info").stdout
    assert re.match(r"Kubernetes control plane is running at https://127\.0\.0\.1:\d+\n", info)
    resources = _lines(cluster.kctl("api-resources").stdout)
    assert ["pods", "po", "v1", "true", "Pod"] in resources
    assert ["nodes", "no", "v1", "false", "Node"] in resources


USAGE: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("no-such-pod", ("get", "pod", "nobody"), 'Error from server (NotFound): pods "nobody" not found'),
    ("no-such-deployment", ("describe", "deploy/nobody"), 'Error from server (NotFound): deployments.apps "nobody" not found'),
    ("no-such-pod-to-delete", ("delete", "pod", "nobody"), 'Error from server (NotFound): pods "nobody" not found'),
    ("no-such-pod-to-ask", ("logs", "nobody"), 'Error from server (NotFound): pods "nobody" not found'),
    ("no-such-pod-to-enter", ("exec", "nobody", "--", "true"), 'Error from server (NotFound): pods "nobody" not found'),
    ("no-such-node", ("cordon", "nobody"), 'Error from server (NotFound): nodes "nobody" not found'),
    ("no-such-type", ("get", "boats"), 'error: the server doesn\'t have a resource type "boats"'),
    ("no-such-command", ("sail",), 'error: unknown command "sail" for "kctl"'),
    ("no-such-option", ("get", "pods", "--sails"), "--sails"),
    ("no-such-output", ("get", "pods", "-o", "picture"), "picture"),
    ("no-such-file", ("apply", "-f", "/nowhere/at/all.yaml"), 'error: the path "/nowhere/at/all.yaml" does not exist'),
    ("no-such-context", ("get", "pods", "--context=nowhere"), "nowhere"),
    ("nothing-to-get", ("get",), "error: you must specify the type of resource to get"),
    ("nothing-to-apply", ("apply",), "error: must specify one of -f and -k"),
    ("bad-number", ("scale", "deploy/web", "--replicas=many"), "many"),
    ("bad-path", ("get", "pods", "-o", "jsonpath={.items[}"), "jsonpath"),
    ("bad-duration", ("delete", "pod", "x", "--timeout=soon"), 'invalid argument "soon" for "--timeout" flag'),
    ("nobody-listens", ("get", "pods", "--server=https://127.0.0.1:1"), "127.0.0.1:1"),
)


@pytest.mark.parametrize(("arguments", "words"), [row[1:] for row in USAGE], ids=[row[0] for row in USAGE])
def test_a_call_that_fails_says_why_and_ends_with_1(web: Namespace, arguments: tuple[str, ...], words: str) -> None:
    result = web.kctl(*arguments, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert words in result.stderr, result.stderr
    assert "Traceback" not in result.stderr


def _assert_equal(found: Any, wanted: Any) -> None:
    assert found == wanted


def _assert_more(found: int, before: int) -> None:
    assert found > before
