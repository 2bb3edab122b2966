"""Commands against the real API server: what they print, what they change, how they exit."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kctl.rest import RestClient

WEB = """
apiVersion: v1
kind: ConfigMap
metadata: {name: words}
data: {title: hello}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "busybox:1"}]}
"""
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "labels": {"app": "p"}},
    "spec": {"nodeName": "nowhere", "containers": [{"name": "c", "image": "busybox:1"}]},
}

Kctl = Callable[..., Any]


def make_pod(api: Any, namespace: str, name: str = "p", **status: Any) -> str:
    body = {**POD, "metadata": {**POD["metadata"], "name": name}}  # type: ignore[dict-item]
    api.client.create(f"/api/v1/namespaces/{namespace}/pods", body)
    path = f"/api/v1/namespaces/{namespace}/pods/{name}"
    if status:
        api.set_status(path, status)
    return path


def test_apply_creates_configures_and_leaves_alone(kctl: Kctl, namespace: str, tmp_path: Path) -> None:
    manifest = tmp_path / "web.yaml"
    manifest.write_text(WEB)
    first = kctl("apply", "-n", namespace, "-f", str(manifest))
    assert (first.code, first.out) == (0, "configmap/words created\ndeployment.apps/web created\n"), first.err
    assert (
        kctl("apply", "-n", namespace, "-f", str(tmp_path)).out == "configmap/words unchanged\ndeployment.apps/web unchanged\n"
    )
    changed = WEB.replace("replicas: 2", "replicas: 3").replace("{title: hello}", "{greeting: hi}")
    assert (
        kctl("apply", "-n", namespace, "-f", "-", stdin=changed).out
        == "configmap/words configured\ndeployment.apps/web configured\n"
    )
    shown = json.loads(kctl("get", "-n", namespace, "cm", "words", "-o", "json").out)
    assert shown["data"] == {"greeting": "hi"}, "what the manifest no longer says is gone"


def test_apply_keeps_what_others_have_set(kctl: Kctl, namespace: str) -> None:
    manifest = WEB.replace("  replicas: 2\n", "")
    kctl("apply", "-n", namespace, "-f", "-", stdin=manifest)
    assert kctl("scale", "-n", namespace, "deploy/web", "--replicas=5").out == "deployment.apps/web scaled\n"
    kctl("apply", "-n", namespace, "-f", "-", stdin=manifest.replace("busybox:1", "busybox:2"))
    result = kctl("get", "-n", namespace, "deploy", "web", "-o=jsonpath={.spec.replicas} {..image}")
    assert result.out == "5 busybox:2"


def test_scale_on_a_condition_looks_again_when_somebody_writes_in_between(
    kctl: Kctl, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kctl("apply", "-n", namespace, "-f", "-", stdin=WEB)
    patch, notes = RestClient.patch, iter(range(20))

    def beaten(client: RestClient, path: str, body: Any, *rest: Any) -> Any:
        patch(client, path.removesuffix("/scale"), {"metadata": {"annotations": {"note": str(next(notes))}}})
        return patch(client, path, body, *rest)

    def beaten_once(client: RestClient, *rest: Any) -> Any:
        monkeypatch.setattr(RestClient, "patch", patch)
        return beaten(client, *rest)

    scale = ("scale", "-n", namespace, "deploy/web", "--current-replicas=2", "--replicas=3")
    version = kctl("get", "-n", namespace, "deploy", "web", "-o=jsonpath={.metadata.resourceVersion}").out
    monkeypatch.setattr(RestClient, "patch", beaten)
    assert "(Conflict)" in kctl(*scale).err, "not for ever"
    monkeypatch.setattr(RestClient, "patch", beaten_once)
    assert "(Conflict)" in kctl(*scale, f"--resource-version={version}").err, "a version is meant as it is given"
    monkeypatch.setattr(RestClient, "patch", beaten_once)
    assert kctl(*scale).out == "deployment.apps/web scaled\n"
    assert kctl(*scale).err == "error: Expected replicas to be 2, was 3\n"


def test_dry_runs_change_nothing(kctl: Kctl, namespace: str) -> None:
    assert "created (dry run)" in kctl("apply", "-n", namespace, "-f", "-", "--dry-run=client", stdin=WEB).out
    assert "created (server dry run)" in kctl("apply", "-n", namespace, "-f", "-", "--dry-run=server", stdin=WEB).out
    assert kctl("get", "-n", namespace, "deploy").err == f"No resources found in {namespace} namespace.\n"


BAD_DOCUMENTS = (
    ("unknown kind", "apiVersion: v1\nkind: Boat\nmetadata: {name: b}", 'no matches for kind "Boat" in version "v1"'),
    ("unknown field", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndatta: {}", 'unknown field "datta"'),
    ("wrong type", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {a: 5}", "data"),
    ("bad name", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: B_}", "metadata.name"),
    ("long name", f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {'b' * 300}}}", "metadata.name"),
)


@pytest.mark.parametrize(("document", "words"), [row[1:] for row in BAD_DOCUMENTS], ids=[row[0] for row in BAD_DOCUMENTS])
def test_a_bad_document_does_not_stop_the_others(kctl: Kctl, namespace: str, tmp_path: Path, document: str, words: str) -> None:
    manifest = tmp_path / "all.yaml"
    good = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n"
    manifest.write_text(f"{document}\n---\n{good}")
    result = kctl("apply", "-n", namespace, "-f", str(manifest))
    assert result.code == 1
    assert result.out == "configmap/good created\n"
    assert words in result.err
    assert 'all.yaml" (document 1)' in result.err


def test_malformed_yaml_names_file_document_and_line(kctl: Kctl, namespace: str, tmp_path: Path) -> None:
    manifest = tmp_path / "bad.yaml"
    manifest.write_text("a: 1\n---\nb:\n  c: 1\n d: 2\n")
    result = kctl("apply", "-n", namespace, "-f", str(manifest))
    assert result.code == 1
    assert result.err.startswith(f"error: error parsing {manifest}: error converting YAML to JSON: yaml: document 2: line 5: ")


def test_an_immutable_field(kctl: Kctl, namespace: str) -> None:
    kctl("apply", "-n", namespace, "-f", "-", stdin=WEB)
    result = kctl(
        "apply",
        "-n",
        namespace,
        "-f",
        "-",
        stdin=WEB.replace("matchLabels: {app: web}", "matchLabels: {app: web, x: y}").replace(
            "metadata: {labels: {app: web}}", "metadata: {labels: {app: web, x: y}}"
        ),
    )
    assert result.code == 1
    assert 'The Deployment "web" is invalid: spec.selector: Invalid value' in result.err
    assert "field is immutable" in result.err


def test_namespace_of_a_manifest_must_not_contradict(kctl: Kctl, namespace: str) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: elsewhere}"
    result = kctl("apply", "-n", namespace, "-f", "-", stdin=text)
    assert result.code == 1
    assert 'the namespace from the provided object "elsewhere" does not match' in result.err


def test_get_in_every_shape(kctl: Kctl, api: Any, namespace: str) -> None:
    make_pod(
        api,
        namespace,
        phase="Running",
        containerStatuses=[
            {"name": "c", "image": "", "imageID": "", "ready": True, "restartCount": 0, "state": {"running": {}}}
        ],
    )
    ns = ("-n", namespace)
    table = kctl("get", "po", *ns).out.splitlines()
    assert table[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert table[1].split()[:4] == ["p", "1/1", "Running", "0"]
    assert kctl("get", "pods,cm", *ns).out.splitlines()[1].startswith("pod/p ")
    assert kctl("get", "pod/p", *ns, "-o", "name").out == "pod/p\n"
    assert kctl("get", "po", *ns, "--no-headers", "-o", "custom-columns=N:.metadata.name").out == "p\n"
    assert json.loads(kctl("get", "po", "p", *ns, "-ojson").out)["kind"] == "Pod"
    assert json.loads(kctl("get", "po", *ns, "-o", "json").out)["kind"] == "List"
    assert kctl("get", "po", *ns, "-l", "app=p", "-o", "name").out == "pod/p\n"
    assert kctl("get", "po", *ns, "-l", "app!=p", "-o", "name").out == ""
    assert kctl("get", "po", *ns, "--field-selector", "status.phase=Running", "-o", "name").out == "pod/p\n"
    assert kctl("get", "po", "-A", "--no-headers").out.split()[0] != ""
    assert "NODE" in kctl("get", "po", *ns, "-o", "wide").out
    assert kctl("get", "po", *ns, "--show-labels").out.splitlines()[1].endswith("app=p")


def test_get_tells_what_is_missing_and_shows_the_rest(kctl: Kctl, api: Any, namespace: str) -> None:
    make_pod(api, namespace)
    result = kctl("get", "pod", "p", "nope", "-n", namespace)
    assert result.code == 1
    assert result.out.splitlines()[1].startswith("p ")
    assert result.err == 'Error from server (NotFound): pods "nope" not found\n'
    assert kctl("get", "pod", "nope", "-n", namespace, "--ignore-not-found").code == 0


def test_wrong_calls(kctl: Kctl, namespace: str) -> None:
    for arguments, words in (
        (("get", "boats"), 'the server doesn\'t have a resource type "boats"'),
        (("get", "pods", "--nope"), "--nope"),
        (("boat",), 'unknown command "boat" for "kctl"'),
        (("get", "pod/a", "b"), "there is no need to specify a resource type"),
        (("delete", "pod"), "no name was specified"),
        (("get", "pods", "-o", "xml"), "unable to match a printer"),
        (("exec", "p", "ls"), "Use exec [POD] -- [COMMAND] instead"),
        (("get", "pods", "-l", "a in"), ""),
    ):
        result = kctl(*arguments)
        assert result.code == 1, arguments
        assert words in result.err


def test_watch_prints_changes(kctl: Kctl, api: Any, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_pod(api, namespace, phase="Pending")
    watches, stream = threading.Event(), RestClient.stream

    def opened(client: RestClient, *arguments: Any, **options: Any) -> Any:
        found = stream(client, *arguments, **options)
        watches.set()
        return found

    monkeypatch.setattr(RestClient, "stream", opened)

    def change() -> None:
        watches.wait(10)
        api_client(api).patch(f"{path}/status", {"status": {"phase": "Running"}})

    thread = threading.Thread(target=change)
    thread.start()
    result = kctl("get", "po", "p", "-n", namespace, "-w", "--output-watch-events", "--request-timeout=1s")
    thread.join()
    rows = [line.split()[:4] for line in result.out.splitlines()]
    assert rows == [["EVENT", "NAME", "READY", "STATUS"], ["ADDED", "p", "0/1", "Pending"], ["MODIFIED", "p", "0/1", "Running"]]
    named = kctl("get", "po", "-n", namespace, "-w", "--output-watch-events", "-o", "name", "--request-timeout=1s")
    assert named.out == "pod/p\n"  # as kubectl has it: a name has no room for what has happened


def api_client(api: Any) -> Any:
    """A client of the calling thread's own."""
    from kctl.rest import RestClient

    return RestClient(api.client.settings)


def test_delete_waits_until_the_object_is_gone(kctl: Kctl, api: Any, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
    api.client.create(path, body)

    def release() -> None:
        time.sleep(0.4)
        api_client(api).patch(f"{path}/held", {"metadata": {"finalizers": None}})

    thread = threading.Thread(target=release)
    begin = time.monotonic()
    thread.start()
    result = kctl("delete", "cm", "held", "-n", namespace)
    thread.join()
    assert (result.code, result.out) == (0, 'configmap "held" deleted\n'), result.err
    assert time.monotonic() - begin >= 0.4
    assert kctl("get", "cm", "held", "-n", namespace).code == 1


def test_delete_gives_up_in_time(kctl: Kctl, api: Any, namespace: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
    api.client.create(f"/api/v1/namespaces/{namespace}/configmaps", body)
    result = kctl("delete", "cm", "held", "-n", namespace, "--timeout=300ms")
    assert (result.code, result.err) == (1, "error: timed out waiting for the condition on configmaps/held\n")
    assert kctl("delete", "cm", "held", "-n", namespace, "--wait=false").code == 0


def test_labels_and_annotations(kctl: Kctl, api: Any, namespace: str) -> None:
    make_pod(api, namespace)
    ns = ("-n", namespace)
    assert kctl("label", "pod", "p", "a=b", *ns).out == "pod/p labeled\n"
    refused = kctl("label", "pod", "p", "a=c", *ns)
    assert (refused.code, refused.err) == (1, "error: 'a' already has a value (b), and --overwrite is false\n")
    assert kctl("label", "pod", "p", "a=c", "--overwrite", *ns).code == 0
    assert kctl("label", "pod", "p", "a-", *ns).out == "pod/p unlabeled\n"
    assert kctl("annotate", "pod", "--all", "note=x", *ns).out == "pod/p annotated\n"
    assert kctl("get", "pod", "p", *ns, "-o", "jsonpath={.metadata.labels} {.metadata.annotations.note}").out == '{"app":"p"} x'


def test_wait_sees_a_condition_come(kctl: Kctl, api: Any, namespace: str) -> None:
    path = make_pod(api, namespace, phase="Pending")

    def become_ready() -> None:
        time.sleep(0.3)
        api_client(api).patch(f"{path}/status", {"status": {"conditions": [{"type": "Ready", "status": "True"}]}})

    thread = threading.Thread(target=become_ready)
    thread.start()
    result = kctl("wait", "--for=condition=Ready", "pod/p", "-n", namespace, "--timeout=10s")
    thread.join()
    assert (result.code, result.out) == (0, "pod/p condition met\n"), result.err
    late = kctl("wait", "--for=jsonpath={.status.phase}=Failed", "pod/p", "-n", namespace, "--timeout=200ms")
    assert (late.code, late.err) == (1, "error: timed out waiting for the condition on pods/p\n")


def test_cordon_and_drain(kctl: Kctl, api: Any, namespace: str) -> None:
    node = f"node-{namespace}"
    api.client.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}})
    body = json.loads(json.dumps(POD))
    body["spec"]["nodeName"] = node
    api.client.create(f"/api/v1/namespaces/{namespace}/pods", body)
    refused = kctl("drain", node)
    assert refused.code == 1
    assert f"declare no controller (use --force to override): {namespace}/p" in refused.err
    thread = threading.Thread(target=lambda: finish_deletion(api, namespace))
    thread.start()
    result = kctl("drain", node, "--force", "--timeout=10s")
    thread.join()
    assert result.code == 0, result.err
    assert result.out == (f"node/{node} already cordoned\nevicting pod {namespace}/p\npod/p evicted\nnode/{node} drained\n")
    assert kctl("get", "node", node).out.splitlines()[1].split()[1] == "Unknown,SchedulingDisabled"
    assert kctl("uncordon", node).out == f"node/{node} uncordoned\n"


def test_taints(kctl: Kctl, api: Any, namespace: str) -> None:
    node = f"node-{namespace}"
    api.client.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}})
    assert kctl("taint", "node", node, "team=blue:NoSchedule", "a:NoExecute").out == f"node/{node} tainted\n"
    again = kctl("taint", "nodes", node, "team=red:NoSchedule")
    assert (again.code, "already has team taint(s)" in again.err) == (1, True)
    assert kctl("taint", "nodes", node, "team=red:NoSchedule", "--overwrite", "--dry-run").out.endswith(" tainted (dry run)\n")
    assert kctl("taint", "node", node, "a-").out == f"node/{node} untainted\n"
    taints = [each for each in api.client.get(f"/api/v1/nodes/{node}")["spec"]["taints"] if "kubernetes.io" not in each["key"]]
    assert taints == [{"key": "team", "value": "blue", "effect": "NoSchedule"}]
    assert kctl("taint", "node", node, "team:NoSchedule-").code == 0
    assert kctl("taint", "node", "team:NoSchedule-").err == "error: at least one node, or a selector, is needed\n"


def finish_deletion(api: Any, namespace: str) -> None:
    """The kubelet's part: once a pod is going, its containers end and it is removed."""
    client, path = api_client(api), f"/api/v1/namespaces/{namespace}/pods/p"
    for _ in range(100):
        if client.get(path)["metadata"].get("deletionTimestamp"):
            client.delete(path, {"gracePeriodSeconds": 0})
            return
        time.sleep(0.05)


def test_rollout_and_undo(kctl: Kctl, api: Any, namespace: str) -> None:
    ns = ("-n", namespace)
    kctl("apply", *ns, "-f", "-", stdin=WEB)
    deployment = api.client.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/web")
    owner = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "web",
        "uid": deployment["metadata"]["uid"],
        "controller": True,
    }
    for number, image in ((1, "busybox:0"), (2, "busybox:1")):
        labels = {"app": "web", "pod-template-hash": f"h{number}"}
        api.client.create(
            f"/apis/apps/v1/namespaces/{namespace}/replicasets",
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": {
                    "name": f"web-h{number}",
                    "labels": labels,
                    "ownerReferences": [owner],
                    "annotations": {"deployment.kubernetes.io/revision": str(number)},
                },
                "spec": {
                    "replicas": 0,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": image}]}},
                },
            },
        )
    assert kctl("rollout", "history", "deploy/web", *ns).out.split()[:5] == [
        "deployment.apps/web",
        "REVISION",
        "CHANGE-CAUSE",
        "1",
        "<none>",
    ]
    assert "busybox:0" in kctl("rollout", "history", "deploy/web", "--revision=1", *ns).out
    assert kctl("rollout", "undo", "deploy/web", *ns).out == "deployment.apps/web rolled back\n"
    assert kctl("get", "deploy", "web", *ns, "-o", "jsonpath={..image}").out == "busybox:0"
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    generation = api.client.get(path)["metadata"]["generation"]
    api.set_status(
        path,
        {"observedGeneration": generation, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 1},
    )
    waiting = kctl("rollout", "status", "deploy/web", *ns, "--timeout=1s")
    assert waiting.code == 1
    assert "1 of 2 updated replicas are available..." in waiting.out
    api.set_status(path, {"availableReplicas": 2})
    assert kctl("rollout", "status", "deploy/web", *ns).out == 'deployment "web" successfully rolled out\n'
    assert kctl("rollout", "restart", "deploy/web", *ns).out == "deployment.apps/web restarted\n"


def test_create_generators(kctl: Kctl, namespace: str) -> None:
    ns = ("-n", namespace)
    assert kctl("create", "cm", "a", "--from-literal=x=y", *ns).out == "configmap/a created\n"
    assert kctl("create", "secret", "generic", "s", "--from-literal=x=y", *ns).out == "secret/s created\n"
    assert kctl("create", "deployment", "d", "--image=busybox:1", *ns, "--", "sleep", "1").out == "deployment.apps/d created\n"
    assert kctl("create", "service", "clusterip", "d", "--tcp=80", *ns).out == "service/d created\n"
    assert kctl("create", "sa", "bob", *ns).out == "serviceaccount/bob created\n"
    twice = kctl("create", "cm", "a", *ns)
    assert (twice.code, twice.err) == (1, 'Error from server (AlreadyExists): configmaps "a" already exists\n')
    assert kctl("get", "deploy", "d", *ns, "-o", "jsonpath={..command}").out == '["sleep","1"]'


def test_describe(kctl: Kctl, api: Any, namespace: str) -> None:
    kctl("apply", "-n", namespace, "-f", "-", stdin=WEB)
    make_pod(api, namespace, phase="Pending")
    reference = {"kind": "Pod", "name": "p", "namespace": namespace}
    reference["uid"] = api.client.get(f"/api/v1/namespaces/{namespace}/pods/p")["metadata"]["uid"]
    event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "involvedObject": reference, "type": "Warning"}
    event |= {
        "reason": "FailedScheduling",
        "message": "0/3 nodes are available",
        "count": 1,
        "source": {"component": "scheduler"},
    }
    event |= {"firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z"}
    api.client.create(f"/api/v1/namespaces/{namespace}/events", event)
    text = kctl("describe", "pod", "p", "-n", namespace).out
    assert text.startswith("Name:")
    assert "FailedScheduling" in text
    assert "0/3 nodes are available" in text
    assert "2 desired | 0 updated" in kctl("describe", "deploy", "we", "-n", namespace).out, "a prefix of the name is enough"
    missing = kctl("describe", "pod", "zzz", "-n", namespace)
    assert (missing.code, missing.err) == (1, 'Error from server (NotFound): pods "zzz" not found\n')


def test_why(kctl: Kctl, api: Any, namespace: str) -> None:
    from apimachinery import verdict

    path = make_pod(api, namespace)
    none = kctl("why", "pod", "p", "-n", namespace)
    assert none.code == 1
    assert "carries no verdict" in none.err
    nodes = [
        verdict.NodeVerdict(node="n1", refused_by="Resources", reasons=["Insufficient cpu"], suggestions=["free 500m of cpu"]),
        verdict.NodeVerdict(node="n2", scores={"Balance": 40}, total=40),
    ]
    stored = verdict.encode(verdict.Verdict(message="0/1 nodes are available", nodes=nodes, time="2026-01-01T00:00:00Z"))
    api.client.patch(path, {"metadata": {"annotations": {verdict.ANNOTATION: stored}}})
    result = kctl("why", "pod", "p", "-n", namespace)
    assert result.code == 0, result.err
    rows = [line.split(maxsplit=3) for line in result.out.splitlines()]
    assert "fits on no node" in result.out
    assert rows[3][:3] == ["n1", "refused", "-"]
    assert "free 500m of cpu" in result.out
    assert json.loads(kctl("why", "pod", "p", "-n", namespace, "-o", "json").out)["nodes"][0]["refusedBy"] == "Resources"


def test_about_the_server(kctl: Kctl) -> None:
    assert "Server Version: v1." in kctl("version").out
    assert set(json.loads(kctl("version", "--client", "-o", "json").out)) == {"clientVersion"}
    rows = [line.split() for line in kctl("api-resources").out.splitlines()]
    assert ["deployments", "deploy", "apps/v1", "true", "Deployment"] in rows
    groups = [row[-3] for row in rows[1:]]
    assert groups == sorted(groups, key=lambda version: version if "/" in version else ""), "by group, the core group first"
    names = kctl("api-resources", "-o", "name", "--namespaced=false", "--sort-by=name").out.splitlines()
    assert names == sorted(names)
    assert {"namespaces", "nodes"} <= set(names)
    assert "pods" not in names
    assert kctl("api-resources", "-o", "name", "--categories=all", "--api-group=apps", "--verbs=list,get").out.splitlines() == [
        "daemonsets.apps",
        "deployments.apps",
        "replicasets.apps",
        "statefulsets.apps",
    ]
    assert [row[2] for row in rows if row[0] == "horizontalpodautoscalers"] == ["autoscaling/v2"]
    assert {"v1", "apps/v1"} <= set(kctl("api-versions").out.splitlines())
    assert "is running at https://127.0.0.1" in kctl("cluster-info").out


def test_an_api_that_others_serve_may_not_answer(kctl: Kctl) -> None:
    """What is elsewhere is found all the same, and what is missing is said."""
    spec = {
        "group": "metrics.k8s.io",
        "version": "v1beta1",
        "service": {"namespace": "kube-system", "name": "metrics-server"},
        "insecureSkipTLSVerify": True,
        "groupPriorityMinimum": 20000,
        "versionPriority": 1,
    }
    name = "v1beta1.metrics.k8s.io"
    made = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": name}, "spec": spec}
    try:
        assert kctl("apply", "-f", "-", stdin=json.dumps(made)).code == 0
        deadline = time.monotonic() + 10
        while "metrics.k8s.io/v1beta1" not in kctl("api-versions").out.splitlines():
            assert time.monotonic() < deadline
        assert kctl("get", "deployments").code == 0
        unknown = kctl("get", "nosuch")
        problem = "unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1: service unavailable"
        assert (unknown.code, unknown.err) == (1, f'error: the server doesn\'t have a resource type "nosuch"; {problem}\n')
        listed = kctl("api-resources", "-o", "name")
        assert (listed.code, listed.err) == (1, f"error: {problem}\n")
        assert "deployments.apps" in listed.out.splitlines()
        top = kctl("top", "node")
        assert (top.code, "service unavailable" in top.err) == (1, True)
        row = kctl("get", "apiservice", name, "--no-headers").out.split()
        assert row[:4] == [name, "kube-system/metrics-server", "False", "(ServiceNotFound)"]
    finally:
        assert kctl("delete", "apiservice", name).code == 0


def test_explain(kctl: Kctl) -> None:
    shown = kctl("explain", "deploy.spec").out
    assert shown.startswith("GROUP:      apps\nKIND:       Deployment\nVERSION:    v1\n\nFIELD: spec <DeploymentSpec>\n")
    assert "  template\t<PodTemplateSpec> -required-\n" in shown
    below = kctl("explain", "pods.spec.containers", "--recursive", "--api-version=v1").out
    assert "  ports\t<[]ContainerPort>\n    containerPort\t<integer> -required-\n" in below
    assert kctl("explain", "pods.spec.nope").err == 'error: field "nope" does not exist\n'
    assert kctl("explain", "pods.spec.nope").out == ""
    assert kctl("explain", "bogus").code == 1
    assert kctl("explain", "pods", "--api-version=v7").code == 1
    assert kctl("explain", ".spec").code == 1


def test_drain_says_what_a_budget_says(kctl: Kctl, api: Any, namespace: str) -> None:
    node = f"node-{namespace}"
    api.client.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}})
    body = json.loads(json.dumps(POD))
    body["spec"]["nodeName"] = node
    made = api.client.create(f"/api/v1/namespaces/{namespace}/pods", body)
    made["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    api.client.update(f"/api/v1/namespaces/{namespace}/pods/p/status", made)
    budget = {"metadata": {"name": "all"}, "spec": {"minAvailable": 1, "selector": {}}}
    api.client.create(
        f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets",
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", **budget},
    )
    assert kctl("get", "pdb", "-n", namespace).code == 0  # a list: the server's cache has the budget now
    late = kctl("drain", node, "--force", "--timeout=100ms")
    assert late.code == 1
    assert late.err.splitlines()[1:2] == [
        f'error when evicting pods/"p" -n "{namespace}" (will retry after 5s): '
        "Cannot evict pod as it would violate the pod's disruption budget."
    ]
    assert kctl("get", "pod", "p", "-n", namespace).code == 0


def test_drain_asks_again_when_a_budget_forbids_it(
    kctl: Kctl, api: Any, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kctl.commands import drain
    from kctl.errors import StatusError
    from kctl.rest import RestClient

    node = f"node-{namespace}"
    api.client.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}})
    body = json.loads(json.dumps(POD))
    body["spec"]["nodeName"] = node
    api.client.create(f"/api/v1/namespaces/{namespace}/pods", body)
    refusals = [StatusError({"code": 429, "reason": "TooManyRequests", "message": "it would violate the budget"})] * 2
    create = RestClient.create

    def sometimes(self: RestClient, path: str, *arguments: Any) -> Any:
        if path.endswith("/eviction") and refusals:
            raise refusals.pop()
        return create(self, path, *arguments)

    monkeypatch.setattr(RestClient, "create", sometimes)
    monkeypatch.setattr(drain, "RETRY_S", 0.05)
    thread = threading.Thread(target=lambda: finish_deletion(api, namespace))
    thread.start()
    result = kctl("drain", node, "--force")
    thread.join()
    assert (result.code, result.out.splitlines()[-1]) == (0, f"node/{node} drained"), result.err
    assert result.err.count("will retry") == 2
    refusals += [StatusError({"code": 429, "message": "never"})] * 1000
    api.client.create(f"/api/v1/namespaces/{namespace}/pods", body | {"metadata": {"name": "q"}})
    late = kctl("drain", node, "--force", "--timeout=300ms")
    assert late.code == 1
    assert "global timeout reached" in late.err


def test_apply_on_the_servers_side(kctl: Kctl, api: Any, namespace: str, tmp_path: Path) -> None:
    manifest = tmp_path / "web.yaml"
    manifest.write_text(WEB)
    first = kctl("apply", "--server-side", "-n", namespace, "-f", str(manifest))
    assert (first.code, first.out) == (0, "configmap/words serverside-applied\ndeployment.apps/web serverside-applied\n"), first
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
    entries = api.client.get(path)["metadata"]["managedFields"]
    assert [(entry["manager"], entry["operation"]) for entry in entries] == [("kubectl", "Apply")]

    changed = WEB.replace("replicas: 2", "replicas: 3")
    refused = kctl("apply", "--server-side", "--field-manager=boat", "-n", namespace, "-f", "-", stdin=changed)
    assert refused.code == 1
    assert 'Apply failed with 1 conflict: conflict with "kubectl": .spec.replicas' in refused.err
    assert "--force-conflicts" in refused.err
    options = ("--server-side", "--force-conflicts", "--field-manager=boat", "-n", namespace)
    tried = kctl("apply", *options, "--dry-run=server", "-f", "-", stdin=changed)
    assert tried.out.endswith("deployment.apps/web serverside-applied (server dry run)\n")
    assert api.client.get(path)["spec"]["replicas"] == 2
    assert kctl("apply", *options, "-f", "-", stdin=changed).code == 0
    found = api.client.get(path)
    assert (found["spec"]["replicas"], {entry["manager"] for entry in found["metadata"]["managedFields"]}) == (
        3,
        {"kubectl", "boat"},
    )


def test_from_apply_on_this_side_to_the_servers(kctl: Kctl, api: Any, namespace: str) -> None:
    kctl("apply", "-n", namespace, "-f", "-", stdin=WEB)
    path = f"/api/v1/namespaces/{namespace}/configmaps/words"
    (entry,) = api.client.get(path)["metadata"]["managedFields"]
    assert entry["manager"] == "kubectl-client-side-apply"
    kctl("apply", "--server-side", "-n", namespace, "-f", "-", stdin=WEB.replace("{title: hello}", "{greeting: hi}"))
    found = api.client.get(path)
    assert (found["data"], [entry["operation"] for entry in found["metadata"]["managedFields"]]) == (
        {"greeting": "hi"},
        ["Apply"],
    )
    assert kctl("apply", "-n", namespace, "-f", "-", stdin=WEB).out.startswith("configmap/words configured\n")
    assert api.client.get(path)["data"] == {"title": "hello"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--force-conflicts",), "--force-conflicts only works with --server-side"),
        (("--server-side", "--force"), "--force cannot be used with --server-side"),
        (("--server-side", "--dry-run=client"), "did you mean --dry-run=server instead?"),
        (("--server-side", "--field-manager="), None),
    ],
)
def test_options_of_apply(kctl: Kctl, namespace: str, options: tuple[str, ...], message: str | None) -> None:
    result = kctl("apply", *options, "-n", namespace, "-f", "-", stdin=WEB)
    assert (result.code, (message or "") in result.err) == (0 if message is None else 1, True)


def test_managed_fields_are_shown_when_asked_for(kctl: Kctl, api: Any, namespace: str) -> None:
    kctl("create", "configmap", "words", "--from-literal=a=b", "-n", namespace)
    kctl("create", "configmap", "more", "--from-literal=a=b", "--field-manager=boat", "-n", namespace)
    path = f"/api/v1/namespaces/{namespace}/configmaps/"
    made_by = [api.client.get(path + name)["metadata"]["managedFields"][0]["manager"] for name in ("words", "more")]
    assert made_by == ["kctl-create", "boat"]
    for output in ("json", "yaml"):
        assert "managedFields" not in kctl("get", "configmap", "words", "-n", namespace, "-o", output).out
        shown = kctl("get", "configmap", "words", "-n", namespace, "-o", output, "--show-managed-fields").out
        assert "managedFields" in shown
