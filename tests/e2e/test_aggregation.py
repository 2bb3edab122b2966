"""API aggregation in a real cluster: an extension API server in a pod, behind a Service, used by kctl and a stock kubectl 1.20.

It serves one kind, Counter, over TLS; it lets in whoever the front proxy's CA has signed for, as the cluster publishes it, and
says in its objects who the API server said was asking.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import python_image
from tests.support.cluster import LocalCluster, Namespace, Object, condition
from tests.support.manifests import pod
from tests.support.rest import path_of
from tests.support.throwaway_ca import ThrowawayCa
from tests.support.waiting import eventually

KUBECTL = Path("/var/cache/coxswain/kubectl-1.20/usr/bin/kubectl")
GROUP, VERSION = "e2e.example.com", "v1"
NAME = f"{VERSION}.{GROUP}"
API_SERVICE = f"/apis/apiregistration.k8s.io/v1/apiservices/{NAME}"
NOTICED_S = 15.0
PORT = 8443

_SERVER = """
import json, ssl, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GROUP_VERSION, ALLOWED = "GROUP/VERSION", json.load(open("/front-proxy/allowed"))
counters = {}
changed = threading.Condition()

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(b"")

    def do_DELETE(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body):
        names = [value for part in self.connection.getpeercert()["subject"] for key, value in part if key == "commonName"]
        if not set(names) & set(ALLOWED):
            return self.say(401, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 401})
        path, _, query = self.path.partition("?")
        parts = path.strip("/").split("/")[3:]
        match parts:
            case []:
                self.say(200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP_VERSION, "resources": [{
                    "name": "counters", "singularName": "counter", "namespaced": True, "kind": "Counter", "shortNames": ["cnt"],
                    "verbs": ["create", "delete", "get", "list", "watch"]}]})
            case ["namespaces", namespace, "counters"] if self.command == "POST":
                made = json.loads(body)
                made["metadata"].update(namespace=namespace, uid="u", resourceVersion=str(len(counters) + 1))
                made["by"] = {"user": self.headers["X-Remote-User"], "groups": self.headers.get_all("X-Remote-Group")}
                with changed:
                    counters[namespace, made["metadata"]["name"]] = made
                    changed.notify_all()
                self.say(201, made)
            case ["namespaces", namespace, "counters"] if "watch=" in query:
                self.watch(namespace)
            case ["namespaces", namespace, "counters"]:
                items = [each for (where, _), each in counters.items() if where == namespace]
                self.say(200, {"kind": "CounterList", "apiVersion": GROUP_VERSION, "metadata": {"resourceVersion": "1"},
                    "items": items})
            case ["namespaces", namespace, "counters", name] if (namespace, name) in counters and self.command == "DELETE":
                self.say(200, counters.pop((namespace, name)))
            case ["namespaces", namespace, "counters", name] if (namespace, name) in counters:
                self.say(200, counters[namespace, name])
            case _:
                self.say(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404,
                    "message": "there is no " + path})

    def watch(self, namespace):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        seen = 0
        while True:
            with changed:
                changed.wait_for(lambda: len(counters) > seen)
                fresh, seen = list(counters.items())[seen:], len(counters)
            for (where, _), counter in fresh:
                if where == namespace:
                    line = json.dumps({"type": "ADDED", "object": counter}).encode() + b"\\n"
                    self.wfile.write(b"%x\\r\\n%b\\r\\n" % (len(line), line))

    def say(self, status, document):
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        pass

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
context.load_verify_locations("/front-proxy/ca")
context.verify_mode = ssl.CERT_REQUIRED
server = ThreadingHTTPServer(("", PORT), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
"""


def _server(name: str) -> Object:
    program = _SERVER.replace("GROUP/VERSION", f"{GROUP}/{VERSION}").replace("PORT", str(PORT))
    container = {
        "name": "server",
        "image": python_image.REFERENCE,
        "args": ["-c", program],
        "ports": [{"name": "https", "containerPort": PORT}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1, "failureThreshold": 1},
        "volumeMounts": [{"name": "tls", "mountPath": "/tls"}, {"name": "front-proxy", "mountPath": "/front-proxy"}],
    }
    volumes = [
        {"name": "tls", "secret": {"secretName": "serving"}},
        {"name": "front-proxy", "configMap": {"name": "front-proxy"}},
    ]
    return pod(name, container, labels={"app": "counters"}, volumes=volumes)


@pytest.fixture
def registered(ns: Namespace, tmp_path: Path) -> Iterator[Namespace]:
    """The server runs as pod `first` and is available; its kind is gone with the test."""
    cluster = ns.cluster
    cluster.kctl("cluster", "load-image", cluster.name, str(python_image.archive()))
    ca = ThrowawayCa(tmp_path / "ca")
    serving = ca.server("counters", names=(f"counters.{ns.name}.svc",))
    published = ns.rest.get(path_of("configmaps", "kube-system", "extension-apiserver-authentication"))["data"]
    keys = {"tls.crt": serving.cert, "tls.key": serving.key}
    data = {name: base64.b64encode(file.read_bytes()).decode() for name, file in keys.items()}
    ns.create({"metadata": {"name": "serving"}, "type": "kubernetes.io/tls", "data": data}, "secrets")
    front_proxy = {
        "ca": published["requestheader-client-ca-file"],
        "allowed": published["requestheader-allowed-names"],
    }
    ns.create({"metadata": {"name": "front-proxy"}, "data": front_proxy}, "configmaps")
    ns.create(_server("first"))
    ports = [{"port": 443, "targetPort": "https"}]
    ns.create({"metadata": {"name": "counters"}, "spec": {"selector": {"app": "counters"}, "ports": ports}}, "services")
    spec = {
        "group": GROUP,
        "version": VERSION,
        "service": {"namespace": ns.name, "name": "counters"},
        "caBundle": base64.b64encode(ca.ca.read_bytes()).decode(),
        "groupPriorityMinimum": 100,
        "versionPriority": 10,
    }
    made = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": NAME}, "spec": spec}
    try:
        ns.apply(json.dumps(made))
        _available(ns, "True", "Passed", timeout_s=40)
        yield ns
    finally:
        ns.kctl("delete", "apiservice", NAME, "--ignore-not-found")


def _available(ns: Namespace, status: str, *reasons: str, timeout_s: float = NOTICED_S) -> None:
    def check() -> None:
        found = condition(ns.rest.get(API_SERVICE), "Available")
        assert (found.get("status"), found.get("reason") in reasons) == (status, True), found

    eventually(check, timeout_s)


def _counter(name: str) -> Object:
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Counter", "metadata": {"name": name}, "count": 3}


def _kubectl(cluster: LocalCluster, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "HOME": str(home), "NO_PROXY": "*"}
    return subprocess.run([str(KUBECTL), *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_an_extension_server_lives_and_dies(registered: Namespace, tmp_path: Path) -> None:
    ns, cluster = registered, registered.cluster
    _is_used(ns, tmp_path)

    ns.kctl("delete", "pod", "first")
    _available(ns, "False", "MissingEndpoints", "EndpointsNotFound", "FailedDiscoveryCheck")
    refused = ns.kctl("get", f"counters.{GROUP}", check=False)
    assert (refused.returncode, "service unavailable" in refused.stderr) == (1, True), refused
    refused = _kubectl(cluster, "get", "counters", "-n", ns.name, home=tmp_path)
    assert (refused.returncode, "service unavailable" in refused.stderr) == (1, True), refused
    answer = ns.rest.request("GET", f"/apis/{GROUP}/{VERSION}/namespaces/{ns.name}/counters")
    assert (answer.status, answer.json()["reason"]) == (503, "ServiceUnavailable")
    assert "False" in ns.kctl("get", "apiservice", NAME, "--no-headers").stdout
    _everything_else_goes_on(ns)

    ns.create(_server("second"))
    _available(ns, "True", "Passed", timeout_s=40)
    ns.kctl("create", "-f", "-", stdin=json.dumps(_counter("again")))
    assert "again" in _kubectl(cluster, "get", "counters", "-n", ns.name, home=tmp_path).stdout
    _counters_go_with_their_namespace(ns)


def _counters_go_with_their_namespace(ns: Namespace) -> None:
    name = f"{ns.name}-left"
    counters = f"/apis/{GROUP}/{VERSION}/namespaces/{name}/counters"
    with ns.cluster.namespace(name) as other:
        for counter in ("one", "two"):
            other.kctl("create", "-f", "-", stdin=json.dumps(_counter(counter)))
        assert len(ns.rest.list(counters)) == 2
    eventually(lambda: _is_gone(ns, name))
    assert ns.rest.list(counters) == []
    assert [each["metadata"]["name"] for each in ns.rest.list(counters.replace(name, ns.name))] == ["again"]


def _is_used(ns: Namespace, home: Path) -> None:
    watching = ns.rest.watch(f"/apis/{GROUP}/{VERSION}/namespaces/{ns.name}/counters", timeout_s=30)
    ns.kctl("create", "-f", "-", stdin=json.dumps(_counter("a")))
    event = next(watching)
    watching.close()
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "a")
    found: dict[str, Any] = json.loads(ns.kctl("get", "cnt", "a", "-o", "json").stdout)
    assert found["count"] == 3
    assert found["by"] == {"user": "kubernetes-admin", "groups": ["system:masters", "system:authenticated"]}
    assert ns.kctl("get", "counters").stdout.splitlines()[1].split()[0] == "a"
    listed = _kubectl(ns.cluster, "get", "counters", "-n", ns.name, "-o", "name", home=home)
    assert listed.stdout == f"counter.{GROUP}/a\n", listed
    assert f"{GROUP}/{VERSION}" in ns.kctl("api-versions").stdout.splitlines()
    rows = [row.split() for row in _kubectl(ns.cluster, "api-resources", home=home).stdout.splitlines()]
    assert ["counters", "cnt", f"{GROUP}/{VERSION}", "true", "Counter"] in rows


def _everything_else_goes_on(ns: Namespace) -> None:
    """Namespaces come and go, and what is in them."""
    name = f"{ns.name}-other"
    with ns.cluster.namespace(name) as other:
        other.create({"metadata": {"name": "c"}, "data": {"k": "v"}}, "configmaps")
        assert other.kctl("get", "configmaps", "c").returncode == 0
    begun = time.monotonic()
    eventually(lambda: _is_gone(ns, name))
    assert time.monotonic() - begun < NOTICED_S


def _is_gone(ns: Namespace, name: str) -> None:
    found = ns.rest.find(f"/api/v1/namespaces/{name}")
    assert found is None, found
