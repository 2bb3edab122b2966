"""Admission webhooks served by a pod: HTTPS behind a Service, reached by way of its node's kubelet, used by kctl and kubectl.

The server is a Python program; its interpreter is that of the tests, which a hostPath shows to the pod: the images of a local
cluster have none that speaks TLS.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.cluster import PROJECT, LocalCluster, Namespace
from tests.support.manifests import BUSYBOX, config_map, service
from tests.support.throwaway_ca import ThrowawayCa
from tests.support.waiting import eventually
from tests.support.webhook_server import MUTATING, VALIDATING, Plain, configuration, rule

KUBECTL = Path("/var/cache/coxswain/kubectl-1.20/usr/bin/kubectl")
TIMEOUT_S = 30.0
MERGE_PATCH = "application/merge-patch+json"
SERVER = """
import base64, http.server, json, ssl

class Webhooks(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        path = self.path.partition("?")[0]
        response = {"uid": request["uid"], "allowed": True}
        if path == "/label":
            metadata = request["object"]["metadata"]
            labels = {**metadata.get("labels", {}), "hooked": "yes"}
            patch = [{"op": "add", "path": "/metadata/labels", "value": labels}]
            response.update(patchType="JSONPatch", patch=base64.b64encode(json.dumps(patch).encode()).decode())
        elif path == "/refuse" and "forbidden" in (request["object"].get("data") or {}):
            response.update(allowed=False, status={"code": 403, "reason": "Forbidden", "message": "this is not wanted here"})
        elif path == "/refuse":
            response["warnings"] = ["looked at"]
        # Before it answers: so the lines come in the order of the calls.
        print(path, request["operation"], request["name"], request["userInfo"]["username"], flush=True)
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
        body = json.dumps(review).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

server = http.server.ThreadingHTTPServer(("0.0.0.0", 8443), Webhooks)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def server_deployment() -> Plain:
    """One pod that runs SERVER on the tests' own Python."""
    folders = {sys.base_prefix, "/lib", "/lib64", "/usr/lib"}
    folders = {each for each in folders if not any(each.startswith(f"{other}/") for other in folders)}
    mounts, volumes = [], []
    for index, folder in enumerate(sorted(folders)):
        mounts.append({"name": f"host-{index}", "mountPath": folder, "readOnly": True})
        volumes.append({"name": f"host-{index}", "hostPath": {"path": os.path.realpath(folder)}})
    container = {
        "name": "server",
        "image": BUSYBOX,
        "command": [os.path.realpath(sys.executable), "-Isu", "/program/server.py"],
        "readinessProbe": {"tcpSocket": {"port": 8443}, "periodSeconds": 1},
        "volumeMounts": [
            *mounts,
            {"name": "program", "mountPath": "/program"},
            {"name": "tls", "mountPath": "/tls", "readOnly": True},
        ],
    }
    spec = {
        "containers": [container],
        "terminationGracePeriodSeconds": 1,
        "volumes": [
            *volumes,
            {"name": "program", "configMap": {"name": "program"}},
            {"name": "tls", "secret": {"secretName": "tls"}},
        ],
    }
    template = {"metadata": {"labels": {"app": "hook"}}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "hook"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "hook"}}, "template": template},
    }


class Hooked:
    """A namespace whose ConfigMaps are labelled and judged by webhooks of a pod in it."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace

    def set_failure_policy(self, policy: str) -> None:
        for path, name in ((MUTATING, "label.example.com"), (VALIDATING, "refuse.example.com")):
            patch = [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": policy}]
            self.namespace.rest.patch(f"{path}/{name}", patch, "application/json-patch+json")

    def scale(self, replicas: int) -> None:
        self.namespace.kctl("scale", "deployment/hook", f"--replicas={replicas}")
        self.namespace.endpoints_ready("hook", replicas)
        if not replicas:
            eventually(lambda: _none(self.namespace.list("pods", "app=hook")))


def _assert_in(part: str, whole: str) -> None:
    assert part in whole


def _none(pods: list[Plain]) -> None:
    assert pods == []


@pytest.fixture(scope="module")
def hooked(
    request: pytest.FixtureRequest,
    cluster: LocalCluster,
    show_in_reports: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Hooked]:
    with cluster.namespace("webhooks") as namespace:
        show_in_reports(request.node, namespace)
        ca = ThrowawayCa(tmp_path_factory.mktemp("webhooks"))
        files = ca.server("hook", names=(f"hook.{namespace.name}.svc",))
        pair = {"tls.crt": files.cert.read_bytes(), "tls.key": files.key.read_bytes()}
        data = {key: base64.b64encode(value).decode() for key, value in pair.items()}
        namespace.apply(
            config_map("program", **{"server.py": SERVER}),
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls"}, "type": "kubernetes.io/tls", "data": data},
            service("hook", port=443, target=8443),
            server_deployment(),
        )
        namespace.deployment_done("hook")
        namespace.endpoints_ready("hook", 1)
        bundle = base64.b64encode(ca.ca.read_bytes()).decode()
        selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace.name}}
        try:
            for path, name in ((MUTATING, "label"), (VALIDATING, "refuse")):
                reference = {"namespace": namespace.name, "name": "hook", "path": f"/{name}"}
                webhook = {
                    "name": f"{name}.example.com",
                    "clientConfig": {"service": reference, "caBundle": bundle},
                    "rules": [rule("configmaps", operations=["CREATE", "UPDATE"], groups=[""], versions=["v1"])],
                    "namespaceSelector": selector,
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                    "timeoutSeconds": 5,
                }
                namespace.rest.create(path, configuration(f"{name}.example.com", webhook))
            yield Hooked(namespace)
        finally:
            for path, name in ((MUTATING, "label.example.com"), (VALIDATING, "refuse.example.com")):
                if namespace.rest.find(f"{path}/{name}") is not None:
                    namespace.rest.delete(f"{path}/{name}")


@pytest.fixture(params=["kubectl", "kctl"])
def program(request: pytest.FixtureRequest, hooked: Hooked, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The start of a command line, in the namespace; afterwards the webhooks are as they were."""
    shared = hooked.namespace
    monkeypatch.setenv("HOME", str(shared.cluster.kubeconfig.parent))
    which = [str(KUBECTL)] if request.param == "kubectl" else [sys.executable, "-m", "kctl"]
    yield [*which, f"--kubeconfig={shared.cluster.kubeconfig}", f"--namespace={shared.name}"]
    hooked.set_failure_policy("Fail")
    if not shared.endpoints("hook"):
        hooked.scale(1)


def run(command: list[str], *, code: int = 0) -> str:
    """What it prints, on both ways out."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, env=environment, check=False)
    assert result.returncode == code, f"{command} ended with {result.returncode}: {result.stdout} {result.stderr}"
    return result.stdout + result.stderr


def test_a_webhook_adds_a_label_and_the_log_tells_who_asked(hooked: Hooked, program: list[str]) -> None:
    name = f"labelled-{'kubectl' if 'kubectl' in program[0] else 'kctl'}"
    said = run([*program, "create", "configmap", name, "--from-literal=k=v"])
    assert f"configmap/{name} created" in said
    assert "Warning: looked at" in said
    assert hooked.namespace.get("configmaps", name)["metadata"]["labels"] == {"hooked": "yes"}
    server = hooked.namespace.pods("app=hook")[0]["metadata"]["name"]
    lines = f"/label CREATE {name} kubernetes-admin\n/refuse CREATE {name} kubernetes-admin\n"
    eventually(lambda: _assert_in(lines, hooked.namespace.log(server)))


def test_a_webhook_refuses(hooked: Hooked, program: list[str]) -> None:
    said = run([*program, "create", "configmap", "refused", "--from-literal=forbidden=yes"], code=1)
    assert 'admission webhook "refuse.example.com" denied the request: this is not wanted here' in said
    assert hooked.namespace.find("configmaps", "refused") is None


def test_a_webhook_without_a_pod_fails_requests_or_is_passed_over(hooked: Hooked, program: list[str]) -> None:
    hooked.scale(0)
    name = f"unheard-{'kubectl' if 'kubectl' in program[0] else 'kctl'}"
    said = run([*program, "create", "configmap", name], code=1)
    url = f"https://hook.{hooked.namespace.name}.svc:443/label?timeout=5s"
    assert (
        'Internal error occurred: failed calling webhook "label.example.com": failed to call webhook: '
        f'Post "{url}": no endpoints available for service "hook"'
    ) in said
    assert hooked.namespace.find("configmaps", name) is None
    hooked.set_failure_policy("Ignore")
    assert f"configmap/{name} created" in run([*program, "create", "configmap", name])
    assert "labels" not in hooked.namespace.get("configmaps", name)["metadata"]
    hooked.set_failure_policy("Fail")
    hooked.scale(1)
    assert "labeled" in run([*program, "label", "configmap", name, "own=1"])
    assert hooked.namespace.get("configmaps", name)["metadata"]["labels"] == {"hooked": "yes", "own": "1"}


def test_what_people_see_of_the_configurations(hooked: Hooked, program: list[str]) -> None:
    table = run([*program, "get", "validatingwebhookconfigurations"]).splitlines()
    assert table[0].split() == ["NAME", "WEBHOOKS", "AGE"]
    assert table[1].split()[:2] == ["refuse.example.com", "1"]
    described = run([*program, "describe", "mutatingwebhookconfiguration", "label.example.com"])
    lines = {" ".join(line.split()) for line in described.splitlines()}
    assert lines >= {"Failure Policy: Fail", "Path: /label", "Port: 443", "Reinvocation Policy: Never", "Side Effects: None"}
