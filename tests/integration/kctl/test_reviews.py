"""auth, top and events against servers that are small or real; config on files; completion as shells ask for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

Kctl = Callable[..., Any]
Answers = dict[str, Any]

RESOURCES = [
    {"name": "pods", "singularName": "pod", "kind": "Pod", "namespaced": True},
    {"name": "nodes", "singularName": "node", "kind": "Node", "namespaced": False},
]
BASE: Answers = {
    "/api/v1": {"groupVersion": "v1", "resources": RESOURCES},
    "/apis": {
        "groups": [{"name": "metrics.k8s.io", "versions": [{"groupVersion": "metrics.k8s.io/v1beta1", "version": "v1beta1"}]}]
    },
}


@pytest.fixture
def server(misbehaving: Callable[..., str]) -> Callable[[Answers], tuple[str, list[dict[str, Any]]]]:
    """Starts a server with these answers by path, or functions of the request's body; gives its address and what was posted."""

    def start(answers: Answers) -> tuple[str, list[dict[str, Any]]]:
        posted: list[dict[str, Any]] = []

        def answer(request: BaseHTTPRequestHandler) -> None:
            length = int(request.headers.get("Content-Length") or 0)
            body = json.loads(request.rfile.read(length)) if length else None
            if body is not None:
                posted.append(body)
            found = {**BASE, **answers}.get(request.path.partition("?")[0])
            value = found(body) if callable(found) else found
            missing = {"kind": "Status", "code": 404, "reason": "NotFound", "message": "not here"}
            data = json.dumps(missing if value is None else value).encode()
            request.send_response(404 if value is None else 200)
            request.send_header("Content-Length", str(len(data)))
            request.end_headers()
            request.wfile.write(data)

        return misbehaving(answer), posted

    return start


def test_can_i(kctl: Kctl, server: Any) -> None:
    def review(body: dict[str, Any]) -> dict[str, Any]:
        attributes = body["spec"].get("resourceAttributes") or body["spec"]["nonResourceAttributes"]
        refused = {"allowed": False, "reason": "not yours"}
        return {**body, "status": refused if attributes["verb"] == "delete" else {"allowed": True}}

    url, posted = server({"/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": review})
    ask = ("-s", url, "auth", "can-i")
    assert (kctl(*ask, "get", "pod/web").out, posted[-1]["spec"]["resourceAttributes"]) == (
        "yes\n",
        {"name": "web", "namespace": "default", "resource": "pods", "verb": "get"},
    )
    refused = kctl(*ask, "delete", "pods", "-A")
    assert (refused.code, refused.out, refused.err) == (1, "no - not yours\n", "")
    assert "namespace" not in posted[-1]["spec"]["resourceAttributes"]
    quiet = kctl(*ask, "delete", "pods", "-q")
    assert (quiet.code, quiet.out, quiet.err) == (1, "", "")
    assert kctl(*ask, "get", "/healthz").code == 0
    assert posted[-1]["spec"] == {"nonResourceAttributes": {"path": "/healthz", "verb": "get"}}
    for arguments, warning in (
        (("get", "boats.example.com"), "the server doesn't have a resource type 'boats' in group 'example.com'"),
        (("get", "nodes"), "resource 'nodes' is not namespace scoped"),
        (("paint", "pods"), "verb 'paint' is not a known verb"),
    ):
        result = kctl(*ask, *arguments)
        assert (result.code, result.out, result.err) == (0, "yes\n", f"Warning: {warning}\n\n")
    assert "you must specify two arguments" in kctl(*ask, "get").err


def test_what_is_allowed_and_who_we_are(kctl: Kctl, server: Any) -> None:
    rules = {"resourceRules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}], "nonResourceRules": []}
    user = {"username": "jane", "groups": ["a", "b"]}
    url, _ = server(
        {
            "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews": {"status": rules},
            "/apis/authentication.k8s.io/v1/selfsubjectreviews": {"kind": "SelfSubjectReview", "status": {"userInfo": user}},
        }
    )
    listed = kctl("-s", url, "auth", "can-i", "--list").out.splitlines()
    assert [line.split() for line in listed][1] == ["pods", "[]", "[]", "[get]"]
    assert kctl("-s", url, "auth", "whoami").out == "ATTRIBUTE   VALUE\nUsername    jane\nGroups      [a b]\n"
    assert kctl("-s", url, "auth", "whoami", "-o=jsonpath={.status.userInfo.username}").out == "jane"
    empty, _ = server({})
    missing = kctl("-s", empty, "auth", "whoami")
    assert (missing.code, missing.err) == (1, "error: the selfsubjectreviews API is not enabled in the cluster\n")


def test_top(kctl: Kctl, server: Any) -> None:
    metrics = "/apis/metrics.k8s.io/v1beta1"
    use = {"cpu": "250m", "memory": "1Gi"}
    pod = {"metadata": {"name": "p", "namespace": "default"}, "containers": [{"name": "c", "usage": use}]}
    node = {"metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "2", "memory": "4Gi"}}}
    url, _ = server(
        {
            f"{metrics}/nodes": {"items": [{"metadata": {"name": "n"}, "usage": use}]},
            "/api/v1/nodes": {"items": [node]},
            f"{metrics}/namespaces/default/pods": {"items": [pod]},
            f"{metrics}/namespaces/empty/pods": {"items": []},
            "/api/v1/namespaces/empty/pods": {"items": []},
            f"{metrics}/namespaces/fresh/pods": {"items": []},
            "/api/v1/namespaces/fresh/pods": {"items": [pod]},
        }
    )
    assert kctl("-s", url, "top", "node").out.split() == [
        *("NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"),
        *("n", "250m", "12%", "1024Mi", "25%"),
    ]
    assert kctl("-s", url, "top", "pod").out == "NAME   CPU(cores)   MEMORY(bytes)\np      250m         1024Mi\n"
    assert kctl("-s", url, "top", "pods", "--containers", "--no-headers").out.split() == ["p", "c", "250m", "1024Mi"]
    assert kctl("-s", url, "top", "pod", "-n", "empty").err == "No resources found in empty namespace.\n"
    assert kctl("-s", url, "top", "pod", "-n", "fresh").err == "error: metrics not available yet\n"
    assert kctl("-s", url, "top", "pod", "--sort-by=x").err == "error: --sort-by accepts only cpu or memory\n"
    assert kctl("-s", url, "top", "pod", "p", "-l", "a=b").err == "error: only one of NAME or selector can be provided\n"


def test_top_without_metrics(kctl: Kctl, server: Any) -> None:
    url, _ = server({"/apis": {"groups": []}})
    for kind in ("node", "pod"):
        result = kctl("-s", url, "top", kind)
        assert (result.code, result.out, result.err) == (1, "", "error: Metrics API not available\n")


def post_event(api: Any, namespace: str, name: str, kind: str, about: str, second: int) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name},
        "involvedObject": {"kind": "Pod", "name": about, "namespace": namespace, "apiVersion": "v1"},
        "type": kind,
        "reason": "Tested",
        "message": f"about {about}",
        "firstTimestamp": f"2026-01-01T00:00:{second:02}Z",
        "lastTimestamp": f"2026-01-01T00:00:{second:02}Z",
        "count": 1,
    }
    api.client.create(f"/api/v1/namespaces/{namespace}/events", body)


def rows(text: str) -> list[list[str]]:
    return [line.split(maxsplit=4)[1:] for line in text.splitlines()]


def test_events(kctl: Kctl, api: Any, namespace: str) -> None:
    ns = ("-n", namespace)
    assert kctl("events", *ns).err == f"No events found in {namespace} namespace.\n"
    post_event(api, namespace, "late", "Normal", "a", 5)
    post_event(api, namespace, "early", "Warning", "b", 1)
    early, late = ["Warning", "Tested", "Pod/b", "about b"], ["Normal", "Tested", "Pod/a", "about a"]
    assert rows(kctl("events", *ns, "--no-headers").out) == [early, late]
    assert rows(kctl("events", *ns, "--no-headers", "--for", "pod/a").out) == [late]
    assert rows(kctl("events", *ns, "--no-headers", "--types=Warning").out) == [early]
    assert kctl("events", *ns, "-o", "name").out == "event/early\nevent/late\n"
    assert kctl("events", *ns).out.split()[:5] == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT"]
    for arguments, words in (
        (("--for", "a"), "--for must be in resource/name form"),
        (("--types=Bad",), "valid --types are Normal or Warning"),
    ):
        assert kctl("events", *ns, *arguments).err == f"error: {words}\n"


def test_events_as_they_come(kctl: Kctl, api: Any, namespace: str) -> None:
    post_event(api, namespace, "first", "Normal", "a", 1)

    def later() -> None:
        time.sleep(0.5)  # the watch has begun, or the list has it: either way it is shown once
        post_event(api, namespace, "unwanted", "Warning", "a", 2)
        post_event(api, namespace, "second", "Normal", "b", 3)

    thread = threading.Thread(target=later)
    thread.start()
    result = kctl("events", "-n", namespace, "-w", "--types=Normal", "--no-headers", "--request-timeout=2s")
    thread.join()
    assert [row[2] for row in rows(result.out)] == ["Pod/a", "Pod/b"], result.err


def test_cluster_info_names_its_services(kctl: Kctl, api: Any, namespace: str) -> None:
    labels = {"kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"dns-{namespace}", "labels": labels}}
    body = {**service, "spec": {"ports": [{"name": "dns", "port": 53}]}}
    api.client.create("/api/v1/namespaces/kube-system/services", body)
    try:
        url = api.client.settings.server
        assert kctl("cluster-info").out == (
            f"Kubernetes control plane is running at {url}\n"
            f"CoreDNS is running at {url}/api/v1/namespaces/kube-system/services/dns-{namespace}:dns/proxy\n"
            "\nTo further debug and diagnose cluster problems, use 'kctl cluster-info dump'.\n"
        )
    finally:
        api.client.delete(f"/api/v1/namespaces/kube-system/services/dns-{namespace}")


def test_cluster_info_dump(kctl: Kctl, api: Any, namespace: str, tmp_path: Path) -> None:
    containers = [{"name": "c", "image": "busybox:1"}]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}}
    api.client.create(f"/api/v1/namespaces/{namespace}/pods", pod)
    folder = tmp_path / "dump"
    result = kctl("cluster-info", "dump", f"--namespaces={namespace}", f"--output-directory={folder}")
    assert (result.code, result.out) == (0, f"Cluster info dumped to {folder}\n"), result.err
    assert json.loads((folder / "nodes.json").read_text())["kind"] == "NodeList"
    listed = json.loads((folder / namespace / "pods.json").read_text())
    assert (listed["kind"], [each["metadata"]["name"] for each in listed["items"]]) == ("PodList", ["p"])
    logs = (folder / namespace / "p" / "logs.txt").read_text().splitlines()
    assert logs[0] == f"==== START logs for container c of pod {namespace}/p ===="
    assert logs[-1] == f"==== END logs for container c of pod {namespace}/p ===="
    assert '"kind": "DeploymentList"' in kctl("cluster-info", "dump", "-n", namespace).out


def test_config(kctl: Kctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config"
    monkeypatch.setenv("KUBECONFIG", str(path))
    (tmp_path / "ca.pem").write_text("authority")

    def config(*arguments: str) -> str:
        result = kctl("config", *arguments)
        assert result.code == 0, result.err
        return str(result.out)

    assert config("set-cluster", "c", "--server=https://127.0.0.1:1/") == 'Cluster "c" set.\n'
    assert config("set-cluster", "c", f"--certificate-authority={tmp_path}/ca.pem") == 'Cluster "c" set.\n'
    assert config("set-credentials", "u", "--token=secret") == 'User "u" set.\n'
    assert config("set-context", "one", "--cluster=c", "--user=u", "--namespace=team") == 'Context "one" created.\n'
    assert config("set-context", "two", "--cluster=c", "--user=u") == 'Context "two" created.\n'
    assert config("use-context", "one") == 'Switched to context "one".\n'
    assert config("set-context", "--current", "--namespace=other") == 'Context "one" modified.\n'
    assert config("current-context") == "one\n"
    assert config("get-contexts") == (
        "CURRENT   NAME   CLUSTER   AUTHINFO   NAMESPACE\n*         one    c         u          other\n"
        "          two    c         u          \n"
    )
    assert config("get-contexts", "-o", "name") == "one\ntwo\n"
    assert (
        config("view", "--minify", "-o", "jsonpath={.clusters[0].cluster.certificate-authority} {..token}") == "ca.pem REDACTED"
    )
    assert config("view", "--raw", "--flatten", "-o", "jsonpath={..certificate-authority-data}") == "YXV0aG9yaXR5"
    assert config("rename-context", "two", "deux") == 'Context "two" renamed to "deux".\n'
    assert config("get-clusters") + config("get-users") == "NAME\nc\nNAME\nu\n"
    assert config("set", "contexts.deux.namespace", "x") == 'Property "contexts.deux.namespace" set.\n'
    assert config("unset", "contexts.deux") == 'Property "contexts.deux" unset.\n'
    assert config("delete-user", "u") == f"deleted user u from {path}\n"
    assert config("delete-cluster", "c") == f"deleted cluster c from {path}\n"
    gone = kctl("config", "delete-context", "one")
    assert gone.err.startswith("warning: this removed your active context")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("current-context",), "current-context is not set", id="none set"),
        pytest.param(("use-context", "x"), 'no context exists with the name: "x"', id="use what is not there"),
        pytest.param(("set-context",), "you must specify a non-empty context name or --current", id="no name"),
        pytest.param(("set-context", "--current"), "no current context is set", id="no current one"),
        pytest.param(("get-contexts", "x"), "context x not found", id="list what is not there"),
        pytest.param(("delete-context", "x"), "cannot delete context x, not in", id="delete what is not there"),
        pytest.param(("rename-context", "x", "y"), 'cannot rename the context "x", it\'s not in', id="rename"),
        pytest.param(
            ("set-credentials", "u", "--token=a", "--username=b"), "more than one authentication method", id="two methods"
        ),
        pytest.param(
            ("set-cluster", "c", "--insecure-skip-tls-verify", "--certificate-authority=x"), "insecure mode", id="contradiction"
        ),
        pytest.param(("set-cluster", "c", "--certificate-authority=/no/file"), "could not stat", id="no such file"),
        pytest.param(("unset", "foo"), "unable to parse foo after [] at api.Config", id="no such property"),
        pytest.param(("bogus",), 'unknown command "bogus"', id="no such command"),
    ],
)
def test_config_refused(
    kctl: Kctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    result = kctl("config", *arguments)
    assert result.code == 1
    assert words in result.err
    assert not (tmp_path / "config").exists()


COMPLETIONS = (
    ("commands", "kctl ro", ["rollout"]),
    ("types", "kctl get dep", ["deployments"]),
    ("several types", "kctl get cm,dep", ["cm,deployments"]),
    ("names", "kctl -n {ns} delete cm ", ["words"]),
    ("names behind a slash", "kctl edit -n {ns} cm/", ["cm/words"]),
    ("pods", "kctl logs -n {ns} ", ["p"]),
    ("containers", "kctl logs -n {ns} p -c ", ["main", "side"]),
    ("namespaces", "kctl get pods -n {ns}", ["{ns}"]),
    ("contexts", "kctl config use-context ", ["test"]),
    ("options", "kctl events --typ", ["--types"]),
    ("an unknown type", "kctl get boats ", []),
    ("no server", "kctl -s http://127.0.0.1:1 get pods ", []),
)


@pytest.mark.parametrize(("line", "want"), [row[1:] for row in COMPLETIONS], ids=[row[0] for row in COMPLETIONS])
def test_completion(kctl: Kctl, api: Any, namespace: str, line: str, want: list[str]) -> None:
    words = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "words"}}
    containers = [{"name": name, "image": "busybox:1"} for name in ("main", "side")]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}}
    api.client.create(f"/api/v1/namespaces/{namespace}/configmaps", words)
    api.client.create(f"/api/v1/namespaces/{namespace}/pods", pod)
    text = line.format(ns=namespace)
    environment = {
        **os.environ,
        "KUBECONFIG": str(api.kubeconfig),
        "COMP_WORDS": text,
        "COMP_CWORD": str(len(text.split(" ")) - 1),
        "_KCTL_COMPLETE": "bash_complete",
    }
    done = subprocess.run(
        [sys.executable, "-m", "kctl"], env=environment, capture_output=True, text=True, check=False, timeout=20
    )
    assert done.stdout.split() == [f"plain,{word.format(ns=namespace)}" for word in want], done.stderr
    assert done.stderr == ""


def test_completion_scripts(kctl: Kctl) -> None:
    for shell, sign in (
        ("bash", "complete -o nosort -F _kctl_completion kctl"),
        ("zsh", "#compdef kctl"),
        ("fish", "function"),
    ):
        result = kctl("completion", shell)
        assert (result.code, sign in result.out) == (0, True), result.err
    assert kctl("completion").err.startswith("error: Shell not specified.\n")
    assert kctl("completion", "tcsh").err.startswith('error: Unsupported shell type "tcsh".\n')


def test_starting_imports_no_command() -> None:
    """The root knows the names of its commands without loading any of them."""
    program = "import sys, kctl.cli; print([name for name in sys.modules if name.startswith('kctl.commands.')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout == "[]\n"
