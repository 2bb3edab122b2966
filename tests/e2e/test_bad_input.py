"""What is wrong with an object is refused in Kubernetes' words, with the path of the field; kctl then ends with 1.

What only shows once a pod is to run, or to be placed, stands in the pod's status, its events, and `kctl why pod`; and what
`why` advises makes the pod fit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.cluster import LocalCluster, Namespace, condition, container_status, waiting_reason
from tests.support.manifests import config_map, deployment, pod, service, shell, sleeper
from tests.support.rest import Answer

Object = dict[str, Any]

LONG_NAME = "a" * 254
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"


@dataclass(frozen=True)
class Case:
    """A manifest that is refused: what kctl says after `Error from server (...)`, and the Status behind it."""

    id: str
    manifest: Object
    resource: str
    code: int
    reason: str
    says: str
    path: str = ""


def _changed(manifest: Object, path: str, value: Any) -> Object:
    """A copy in which the field at the dotted path has another value."""
    copy: Object = json.loads(json.dumps(manifest))
    *parents, last = path.split(".")
    place: Any = copy
    for part in parents:
        place = place[int(part) if part.isdigit() else part]
    place[last] = value
    return copy


WEB = deployment("web", 1, sleeper())
PLAIN = pod("plain", sleeper())
CASES = (
    Case(
        "unknown field",
        _changed(WEB, "spec.replicaz", 3),
        "deployments",
        400,
        "BadRequest",
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.replicaz"',
    ),
    Case(
        "unknown field deep inside",
        _changed(WEB, "spec.template.spec.containers.0.imagePolicy", "Always"),
        "deployments",
        400,
        "BadRequest",
        'strict decoding error: unknown field "spec.template.spec.containers[0].imagePolicy"',
    ),
    Case(
        "several unknown fields",
        _changed(_changed(PLAIN, "spec.nodename", "a"), "spec.containers.0.comand", []),
        "pods",
        400,
        "BadRequest",
        'strict decoding error: unknown field "spec.containers[0].comand", unknown field "spec.nodename"',
    ),
    Case(
        "text for a number",
        _changed(WEB, "spec.replicas", "three"),
        "deployments",
        400,
        "BadRequest",
        'Deployment in version "v1" cannot be handled as a Deployment: spec.replicas: expected `int',
    ),
    Case(
        "number for a text",
        _changed(PLAIN, "spec.containers.0.env", [{"name": "PORT", "value": 8080}]),
        "pods",
        400,
        "BadRequest",
        "spec.containers[0].env[0].value",
    ),
    Case(
        "number in a ConfigMap",
        _changed(config_map("numbers"), "data.port", 8080),
        "configmaps",
        400,
        "BadRequest",
        "data[port]: expected `str`, got `int`",
    ),
    Case(
        "name too long",
        _changed(config_map("long"), "metadata.name", LONG_NAME),
        "configmaps",
        422,
        "Invalid",
        f'metadata.name: Invalid value: "{LONG_NAME}": must be no more than 253 bytes',
        "metadata.name",
    ),
    Case(
        "name of a Service too long",
        service("s" * 64, app="web"),
        "services",
        422,
        "Invalid",
        f'metadata.name: Invalid value: "{"s" * 64}": must be no more than 63 bytes',
        "metadata.name",
    ),
    Case(
        "capitals in a name",
        _changed(PLAIN, "metadata.name", "Plain"),
        "pods",
        422,
        "Invalid",
        'metadata.name: Invalid value: "Plain": a lowercase RFC 1123 subdomain must consist of lower case',
        "metadata.name",
    ),
    Case(
        "not a quantity",
        _changed(PLAIN, "spec.containers.0.resources", {"requests": {"cpu": "much"}}),
        "pods",
        422,
        "Invalid",
        'spec.containers[0].resources.requests[cpu]: Invalid value: "much": ',
        "spec.containers[0].resources.requests[cpu]",
    ),
    Case(
        "more requested than allowed",
        _changed(PLAIN, "spec.containers.0.resources", {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
        "pods",
        422,
        "Invalid",
        'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
        "spec.containers[0].resources.requests",
    ),
    Case(
        "negative replicas",
        _changed(WEB, "spec.replicas", -1),
        "deployments",
        422,
        "Invalid",
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        "spec.replicas",
    ),
    Case(
        "selector that does not choose the template",
        _changed(WEB, "spec.selector.matchLabels.app", "other"),
        "deployments",
        422,
        "Invalid",
        'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
        "spec.template.metadata.labels",
    ),
    Case(
        "no image",
        _changed(PLAIN, "spec.containers", [{"name": "main"}]),
        "pods",
        422,
        "Invalid",
        "spec.containers[0].image: Required value",
        "spec.containers[0].image",
    ),
    Case(
        "a mount of no volume",
        _changed(PLAIN, "spec.containers.0.volumeMounts", [{"name": "data", "mountPath": "/data"}]),
        "pods",
        422,
        "Invalid",
        'spec.containers[0].volumeMounts[0].name: Not found: "data"',
        "spec.containers[0].volumeMounts[0].name",
    ),
    Case(
        "a port out of range",
        service("web", node_port=99),
        "services",
        422,
        "Invalid",
        "spec.ports[0].nodePort: Invalid value: 99: provided port is not in the valid range. "
        "The range of valid ports is 30000-32767",
        "spec.ports[0].nodePort",
    ),
)


@pytest.fixture(scope="module")
def space(cluster: LocalCluster) -> Iterator[Namespace]:
    """A namespace for input that is refused: nothing of it stays."""
    with cluster.namespace("bad-input") as namespace:
        yield namespace


def _status(answer: Answer) -> Object:
    """The Status of a refusal, which repeats the HTTP code."""
    status: Object = answer.json()
    assert (status["kind"], status["apiVersion"], status["status"]) == ("Status", "v1", "Failure")
    assert status["code"] == answer.status
    return status


def _refused(ns: Namespace, *arguments: str, stdin: str | None = None) -> str:
    """What kctl says on standard error when it ends with 1 and says nothing else."""
    result = ns.kctl(*arguments, stdin=stdin, check=False)
    assert (result.returncode, result.stdout) == (1, ""), result
    assert "Traceback" not in result.stderr
    return result.stderr


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


# Manifests


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id.replace(" ", "-"))
def test_a_refused_manifest(space: Namespace, case: Case) -> None:
    answer = space.rest.request("POST", space.path(case.resource), case.manifest, query={"fieldValidation": "Strict"})
    status = _status(answer)
    assert (answer.status, status["reason"]) == (case.code, case.reason), status
    assert case.says in status["message"]
    if case.path:
        assert case.path in [cause["field"] for cause in status["details"]["causes"]]
    said = _refused(space, "apply", "-f", "-", stdin=json.dumps(case.manifest))
    kind, name = case.manifest["kind"], case.manifest["metadata"]["name"]
    if case.reason == "Invalid":
        assert f'The {kind} "{name}" is invalid: ' in said
    else:
        assert said.startswith(f'Error from server ({case.reason}): error when creating "STDIN": ')
    assert case.says in said
    assert space.find(case.resource, name) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("kind: Pod\nmetadata: [", r"error parsing STDIN: .*yaml: .*line \d+: ", id="a-list-without-end"),
        pytest.param("a: b: c", r"error parsing STDIN: .*line 1: mapping values are not allowed", id="two-colons"),
        pytest.param(
            "a: 1\n\tb: 2", r"error parsing STDIN: .*line 2: found .*tab|found character that cannot start any token", id="tab"
        ),
        pytest.param("a: 1\na: 2", r'error parsing STDIN: .*line 2: key "a" already set in map', id="a-key-twice"),
        pytest.param("just words", r"error parsing", id="no-object"),
        pytest.param("metadata: {name: a}", r"error validating .*: (apiVersion|kind) not set", id="no-kind"),
        pytest.param("", r"^error: no objects passed to apply", id="nothing"),
    ],
)
def test_malformed_yaml(space: Namespace, text: str, says: str) -> None:
    assert re.search(says, _refused(space, "apply", "-f", "-", stdin=text))


def test_malformed_bodies_are_refused_by_the_server_too(space: Namespace) -> None:
    for body, content_type in ((b"kind: ConfigMap\nmetadata: [", "application/yaml"), (b'{"kind": "Conf', "application/json")):
        status = _status(space.rest.request("POST", space.path("configmaps"), body, content_type=content_type))
        assert (status["code"], status["reason"]) == (400, "BadRequest")


def test_an_unknown_kind(space: Namespace) -> None:
    manifest = {"apiVersion": "v1", "kind": "Konfig", "metadata": {"name": "odd"}}
    assert _refused(space, "apply", "-f", "-", stdin=json.dumps(manifest)) == (
        'error: resource mapping not found for name: "odd" namespace: "" from "STDIN": no matches for kind "Konfig" in version '
        '"v1"\nensure CRDs are installed first\n'
    )
    assert _refused(space, "get", "konfigs") == 'error: the server doesn\'t have a resource type "konfigs"\n'
    unknown = _status(space.rest.request("GET", f"/api/v1/namespaces/{space.name}/konfigs"))
    assert (unknown["code"], unknown["reason"]) == (404, "NotFound")
    assert unknown["message"] == "the server could not find the requested resource"
    wrong = _status(space.rest.request("POST", space.path("configmaps"), manifest))
    assert (wrong["code"], wrong["reason"]) == (400, "BadRequest")
    assert '"Konfig"' in wrong["message"]


def test_one_bad_object_does_not_stop_the_others(ns: Namespace) -> None:
    bad = _changed(config_map("bad"), "dada", {})
    result = ns.kctl(
        "apply", "-f", "-", stdin="\n---\n".join(map(json.dumps, (config_map("one"), bad, config_map("two")))), check=False
    )
    assert (result.returncode, result.stdout) == (1, "configmap/one created\nconfigmap/two created\n")
    assert 'unknown field "dada"' in result.stderr
    assert '"STDIN" (document 2)' in result.stderr


def test_unknown_fields_may_be_warned_of_or_ignored(ns: Namespace) -> None:
    odd = json.dumps(_changed(config_map("odd", key="value"), "dada", {}))
    warned = ns.kctl("apply", "--validate=warn", "-f", "-", stdin=odd)
    assert (warned.stdout, 'Warning: unknown field "dada"' in warned.stderr) == ("configmap/odd created\n", True)
    assert "dada" not in ns.get("configmaps", "odd")
    other = json.dumps(_changed(config_map("quiet"), "dada", {}))
    assert ns.kctl("apply", "--validate=ignore", "-f", "-", stdin=other).stderr == ""


def test_what_does_not_exist(space: Namespace) -> None:
    assert _refused(space, "get", "pod", "nobody") == 'Error from server (NotFound): pods "nobody" not found\n'
    assert _refused(space, "delete", "deployment", "nobody") == (
        'Error from server (NotFound): deployments.apps "nobody" not found\n'
    )
    assert _refused(space, "logs", "nobody") == 'Error from server (NotFound): pods "nobody" not found\n'
    orphan = {**config_map("orphan"), "metadata": {"name": "orphan", "namespace": "no-such-namespace"}}
    said = space.kctl("apply", "-n", "no-such-namespace", "-f", "-", stdin=json.dumps(orphan), check=False)
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.endswith(': namespaces "no-such-namespace" not found\n')


# Updates


def test_an_update_of_an_old_version_is_a_conflict(ns: Namespace) -> None:
    old = ns.create(config_map("shared", key="first"), "configmaps")
    ns.patch("configmaps", "shared", {"data": {"key": "second"}})
    sentence = (
        'Operation cannot be fulfilled on configmaps "shared": the object has been modified; please apply your changes to the '
        "latest version and try again"
    )
    status = _status(ns.rest.request("PUT", ns.path("configmaps", "shared"), {**old, "data": {"key": "third"}}))
    assert (status["code"], status["reason"], status["message"]) == (409, "Conflict", sentence)
    assert (status["details"]["name"], status["details"]["kind"]) == ("shared", "configmaps")

    stale = config_map("shared", key="third")
    stale["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
    result = ns.kctl("apply", "-f", "-", stdin=json.dumps(stale), check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1].startswith("Error from server (Conflict): error when applying patch")
    assert result.stderr.endswith(f"{sentence}\n")
    assert ns.get("configmaps", "shared")["data"] == {"key": "second"}

    ns.apply(deployment("web", 1, sleeper()))
    version = ns.get("deployments", "web")["metadata"]["resourceVersion"]
    ns.kctl("annotate", "deployment", "web", "note=changed")
    said = _refused(ns, "scale", "deployment/web", "--replicas=2", f"--resource-version={version}")
    assert said.startswith('Error from server (Conflict): Operation cannot be fulfilled on deployments.apps "web": ')
    assert ns.get("deployments", "web")["spec"]["replicas"] == 1


def test_creating_what_exists(ns: Namespace) -> None:
    ns.create(config_map("twice"), "configmaps")
    assert _refused(ns, "create", "configmap", "twice").endswith('configmaps "twice" already exists\n')
    status = _status(ns.rest.request("POST", ns.path("configmaps"), config_map("twice")))
    assert (status["code"], status["reason"]) == (409, "AlreadyExists")


@dataclass(frozen=True)
class Fixed:
    """A change to a field that cannot be changed."""

    id: str
    manifest: Object
    resource: str
    change: tuple[str, Any]
    path: str
    says: str


FIXED = (
    Fixed(
        "a Deployment's selector",
        WEB,
        "deployments",
        ("spec.selector.matchLabels.tier", "front"),
        "spec.selector",
        'spec.selector: Invalid value: {"matchLabels":{"app":"web","tier":"front"}}: field is immutable',
    ),
    Fixed(
        "a pod's command",
        pod("fixed", sleeper()),
        "pods",
        ("spec.containers.0.command", ["true"]),
        "spec",
        "spec: Forbidden: pod updates may not change fields other than",
    ),
    Fixed(
        "a Service's address",
        service("fixed"),
        "services",
        ("spec.clusterIP", "10.96.77.77"),
        "spec.clusterIPs[0]",
        'spec.clusterIPs[0]: Invalid value: ["10.96.77.77"]: may not change once set',
    ),
    Fixed(
        "data of a ConfigMap that says so",
        {**config_map("fixed", key="value"), "immutable": True},
        "configmaps",
        ("data.key", "other"),
        "data",
        "data: Forbidden: field is immutable when `immutable` is set",
    ),
    Fixed(
        "a Secret's type",
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "fixed"}, "type": "Opaque"},
        "secrets",
        ("type", "example.com/other"),
        "type",
        'type: Invalid value: "example.com/other": field is immutable',
    ),
)


@pytest.mark.parametrize("fixed", FIXED, ids=lambda fixed: re.sub(r"[^a-z]+", "-", fixed.id.lower()))
def test_an_immutable_field(ns: Namespace, fixed: Fixed) -> None:
    changed = _changed(fixed.manifest, *fixed.change)
    if "selector" in fixed.id:  # so that the selector's change is all that is wrong
        changed["spec"]["template"]["metadata"]["labels"]["tier"] = "front"
    ns.apply(fixed.manifest)
    name = fixed.manifest["metadata"]["name"]
    if fixed.resource == "pods":
        ns.pod_ready(name)  # that it is placed changes its spec, too
    before = ns.get(fixed.resource, name)
    said = _refused(ns, "apply", "-f", "-", stdin=json.dumps(changed))
    assert said.count(f'The {fixed.manifest["kind"]} "{name}" is invalid: ') == 1
    assert fixed.says in said
    patch = {key: value for key, value in changed.items() if key not in ("apiVersion", "kind", "metadata")}
    answer = ns.rest.request(
        "PATCH", ns.path(fixed.resource, name), patch, content_type="application/strategic-merge-patch+json"
    )
    status = _status(answer)
    assert (answer.status, status["reason"]) == (422, "Invalid")
    assert fixed.path in [cause["field"] for cause in status["details"]["causes"]]
    assert fixed.says in status["message"]
    after = ns.get(fixed.resource, name)
    assert after.get("spec") == before.get("spec")
    assert after.get("data") == before.get("data")


# Pods that cannot be started


@pytest.mark.parametrize(
    ("env", "existing", "says"),
    [
        pytest.param(
            {"envFrom": [{"configMapRef": {"name": "settings"}}]}, None, 'configmap "settings" not found', id="no-configmap"
        ),
        pytest.param(
            {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}}]},
            config_map("settings", b="c"),
            "couldn't find key a in ConfigMap {ns}/settings",
            id="no-key",
        ),
        pytest.param(
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "settings", "key": "a"}}}]},
            None,
            'secret "settings" not found',
            id="no-secret",
        ),
    ],
)
def test_not_to_be_configured(ns: Namespace, env: Object, existing: Object | None, says: str) -> None:
    wanted = says.format(ns=ns.name)
    if existing is not None:
        ns.create(existing, "configmaps")
    assert ns.apply(pod("held", shell("echo never", **env))).stdout == "pod/held created\n"
    held = ns.pod_where("held", lambda each: waiting_reason(each) == "CreateContainerConfigError", "held")
    assert container_status(held)["state"]["waiting"]["message"] == wanted
    assert condition(held, "ContainersReady")["reason"] == "ContainersNotReady"
    assert ns.event("Failed", "held")["message"] == f"Error: {wanted}"
    assert ns.kctl("get", "pod", "held").stdout.splitlines()[1].split()[1:3] == ["0/1", "CreateContainerConfigError"]
    assert wanted in ns.kctl("describe", "pod", "held").stdout
    assert _refused(ns, "logs", "held") == (
        'Error from server (BadRequest): container "main" in pod "held" is waiting to start: CreateContainerConfigError\n'
    )
    late = _refused(ns, "wait", "--for=condition=Ready", "pod/held", "--timeout=1s")
    assert late == "error: timed out waiting for the condition on pods/held\n"


# Pods that fit nowhere


def _unschedulable(ns: Namespace, name: str, message: str) -> Object:
    """The pod once it says, in its condition and its event, that no node takes it."""

    def told(pod: Object) -> bool:
        found = condition(pod, "PodScheduled")
        return (found.get("status"), found.get("reason"), found.get("message")) == ("False", "Unschedulable", message)

    waiting = ns.pod_where(name, told, f"unschedulable because of {message!r}")
    assert waiting["status"]["phase"] == "Pending"
    assert "nodeName" not in waiting["spec"]
    event = ns.event("FailedScheduling", name, says=message)  # the first may tell of what an earlier test has left
    assert (event["type"], event["message"], event["involvedObject"]["kind"]) == ("Warning", message, "Pod")
    assert (event.get("reportingComponent") or event["source"]["component"]) == "default-scheduler"
    assert ns.kctl("get", "pod", name).stdout.splitlines()[1].split()[1:3] == ["0/1", "Pending"]
    assert message in _one_line(ns.kctl("describe", "pod", name).stdout)
    return waiting


def _advice(ns: Namespace, name: str) -> dict[str, Object]:
    """The verdict on each node."""
    verdict = json.loads(ns.kctl("why", "pod", name, "-o", "json").stdout)
    assert "node" not in verdict or not verdict["node"]
    return {each["node"]: each for each in verdict["nodes"]}


def _control_plane(cluster: LocalCluster) -> str:
    return next(node.name for node in cluster.nodes() if node.role == "control-plane")


def test_a_pod_larger_than_every_node(ns: Namespace, cluster: LocalCluster) -> None:
    large = pod("large", sleeper(resources={"requests": {"cpu": "640"}}))
    ns.apply(large)
    _unschedulable(ns, "large", "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu.")
    advice = _advice(ns, "large")
    assert set(advice) == {node.name for node in cluster.nodes()}
    shown = ns.kctl("why", "pod", "large").stdout
    for worker in cluster.workers():
        verdict = advice[worker]
        assert (verdict["refusedBy"], verdict["reasons"]) == ("NodeResourcesFit", ["Insufficient cpu"])
        assert verdict["suggestions"][0] in shown
    head = advice[_control_plane(cluster)]
    assert head["reasons"] == ["node(s) had untolerated taint(s)"]
    assert head["suggestions"][-1].startswith("and also: request at most ")  # a toleration alone would not do

    offered = re.match(r"request at most (\S+) of cpu instead of 640: ", advice[cluster.workers()[0]]["suggestions"][0])
    assert offered is not None, advice
    smaller = _changed(large, "spec.containers.0.resources.requests.cpu", offered[1])
    ns.kctl("delete", "pod", "large")
    ns.apply(smaller)
    placed = ns.pod_where("large", lambda each: each["spec"].get("nodeName"), "placed")
    assert placed["spec"]["nodeName"] in cluster.workers()
    assert "was placed on node" in ns.kctl("why", "pod", "large").stdout


def test_a_pod_that_asks_for_a_label_that_no_node_has(ns: Namespace, cluster: LocalCluster) -> None:
    ns.apply(pod("picky", sleeper(), nodeSelector={"disk": "tape"}))
    _unschedulable(
        ns,
        "picky",
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 node(s) didn't match Pod's node affinity/selector.",
    )
    worker = cluster.workers()[1]
    verdict = _advice(ns, "picky")[worker]
    assert (verdict["refusedBy"], verdict["reasons"]) == ("NodeAffinity", ["node(s) didn't match Pod's node affinity/selector"])
    command = _command(verdict["suggestions"], "kctl label node ")
    try:
        ns.kctl(*command)
        assert ns.pod_ready("picky")["spec"]["nodeName"] == worker
    finally:
        ns.kctl("label", "node", worker, "disk-")


def test_a_pod_kept_away_by_taints(ns: Namespace, cluster: LocalCluster) -> None:
    """Both ways that are advised lead to the node: a toleration, and the taint's removal."""
    head, worker = _control_plane(cluster), cluster.workers()[0]
    only = {"nodeSelector": {"kubernetes.io/hostname": worker}}
    ns.kctl("taint", "node", worker, "team=blue:NoSchedule")
    try:
        ns.apply(pod("kept-away", sleeper(), **only))
        _unschedulable(
            ns,
            "kept-away",
            "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 2 node(s) had untolerated taint(s).",
        )
        advice = _advice(ns, "kept-away")
        assert advice[head]["suggestions"][0] == f"add a toleration for {CONTROL_PLANE}:NoSchedule to the pod"
        assert advice[worker]["refusedBy"] == "TaintToleration"
        assert advice[worker]["suggestions"][0] == "add a toleration for team=blue:NoSchedule to the pod"
        toleration = {"key": "team", "value": "blue", "effect": "NoSchedule"}
        ns.apply(pod("tolerant", sleeper(), tolerations=[toleration], **only))
        assert ns.pod_ready("tolerant")["spec"]["nodeName"] == worker
        ns.kctl(*_command(advice[worker]["suggestions"], "kctl taint node "))
        assert ns.pod_ready("kept-away")["spec"]["nodeName"] == worker
    finally:
        ns.kctl("taint", "node", worker, "team-", check=False)


def test_a_pod_for_a_cordoned_node(ns: Namespace, cluster: LocalCluster) -> None:
    worker = cluster.workers()[1]
    ns.kctl("cordon", worker)
    try:
        ns.apply(pod("bound", sleeper(), nodeSelector={"kubernetes.io/hostname": worker}))
        _unschedulable(
            ns,
            "bound",
            "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint(s), "
            "1 node(s) were unschedulable.",
        )
        ns.kctl(*_command(_advice(ns, "bound")[worker]["suggestions"], "kctl uncordon "))
        assert ns.pod_ready("bound")["spec"]["nodeName"] == worker
    finally:
        ns.kctl("uncordon", worker)


def _command(suggestions: list[str], start: str) -> list[str]:
    """The arguments of the kctl command that is advised."""
    found = next((text[text.index(start) :] for text in suggestions if start in text), None)
    assert found is not None, suggestions
    return found.split()[1:]


def test_why_of_pods_that_have_no_verdict(ns: Namespace) -> None:
    assert _refused(ns, "why", "pod", "nobody") == 'Error from server (NotFound): pods "nobody" not found\n'
    ns.create(pod("elsewhere", sleeper(), schedulerName="somebody-else"))
    said = _refused(ns, "why", "pod", "elsewhere")
    assert "waits for scheduler somebody-else" in said
    assert "nodeName" not in ns.get("pods", "elsewhere")["spec"]
