"""Pods that talk to the API: what they find in their volume, whom the server takes them for, and for how long."""

from __future__ import annotations

import base64
import json
import ssl
import time
from typing import Any

import yaml

from tests.support.cluster import LocalCluster, Namespace
from tests.support.manifests import BUSYBOX, pod, shell, sleeper
from tests.support.rest import Answer, Rest, path_of
from tests.support.waiting import eventually

PLACE = "/var/run/secrets/kubernetes.io/serviceaccount"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
# The images of the tests have no TLS: this is the machine's own Python, whose library is all that a client in a pod needs.
PROGRAM = f"""
import json, os, ssl, urllib.request
place, path = "{PLACE}", "{SELF}"
token = open(place + "/token").read()
context = ssl.create_default_context(cafile=place + "/ca.crt")
openers = urllib.request.build_opener(urllib.request.ProxyHandler({{}}), urllib.request.HTTPSHandler(context=context))
for host in ("kubernetes.default.svc", "kubernetes.default.svc.cluster.local", os.environ["KUBERNETES_SERVICE_HOST"]):
    headers = {{"Authorization": "Bearer " + token, "Content-Type": "application/json"}}
    request = urllib.request.Request("https://" + host + path, b"{{}}", headers, method="POST")
    with openers.open(request, timeout=10) as answer:
        print(json.dumps(json.load(answer)["status"]["userInfo"]))
"""


def machines_python(program: str) -> dict[str, Any]:
    """A container with this machine's Python."""
    mounts = [
        {"name": "usr", "mountPath": path, "subPath": sub, "readOnly": True}
        for path, sub in (("/usr", ""), ("/lib", "lib"), ("/lib64", "lib64"))
    ]
    return {"name": "main", "image": BUSYBOX, "command": ["/usr/bin/python3", "-IBc", program], "volumeMounts": mounts}


USR = {"name": "usr", "hostPath": {"path": "/usr", "type": "Directory"}}


class Bearer(Rest):
    """A client that has nothing but a token."""

    def __init__(self, cluster: LocalCluster, token: str) -> None:
        document = yaml.safe_load(cluster.kubeconfig.read_text())
        server = document["clusters"][0]["cluster"]
        authority = base64.b64decode(server["certificate-authority-data"]).decode()
        super().__init__(server["server"], ssl.create_default_context(cadata=authority))
        self.headers = {"Authorization": f"Bearer {token}"}

    def me(self) -> Answer:
        return self.request("POST", SELF, {})


def _refused(client: Bearer) -> None:
    assert client.me().status == 401


def token_in(ns: Namespace, name: str) -> str:
    return ns.exec(name, "cat", f"{PLACE}/token").stdout


def test_a_pod_calls_the_api_with_its_token(ns: Namespace) -> None:
    text = ns.run(pod("caller", machines_python(PROGRAM), volumes=[USR]))
    answers = [json.loads(line) for line in text.splitlines()]
    made = ns.get("pods", "caller")
    node = ns.rest.get(f"/api/v1/nodes/{made['spec']['nodeName']}")
    assert len(answers) == 3
    for user in answers:
        assert user["username"] == f"system:serviceaccount:{ns.name}:default"
        assert user["groups"] == ["system:serviceaccounts", f"system:serviceaccounts:{ns.name}", "system:authenticated"]
        extra = user["extra"]
        assert extra["authentication.kubernetes.io/pod-name"] == ["caller"]
        assert extra["authentication.kubernetes.io/pod-uid"] == [made["metadata"]["uid"]]
        assert extra["authentication.kubernetes.io/node-name"] == [node["metadata"]["name"]]
        assert extra["authentication.kubernetes.io/node-uid"] == [node["metadata"]["uid"]]


def test_a_token_ends_with_its_pod(ns: Namespace, cluster: LocalCluster) -> None:
    ns.create(pod("short", sleeper()))
    ns.pod_ready("short")
    token = token_in(ns, "short")
    client = Bearer(cluster, token)
    assert client.me().status == 201
    assert ns.rest.create(REVIEWS, {"spec": {"token": token}})["status"]["authenticated"] is True
    ns.delete("pods", "short")
    ns.gone("pods", "short")
    eventually(lambda: _refused(client))  # once the server's cache of pods has heard of it
    status = ns.rest.create(REVIEWS, {"spec": {"token": token}})["status"]
    assert ("authenticated" in status, token in json.dumps(status)) == (False, False)
    client.close()


def test_what_a_pod_finds(ns: Namespace) -> None:
    listing = f"cd {PLACE} && cat namespace && echo && stat -Lc '%n %a %u %g' ca.crt namespace token && ls -A && touch x"
    container = shell(f"{listing} 2>&1; true")
    out = ns.run(pod("plain", container)).splitlines()
    assert out[0] == ns.name
    assert out[1:4] == ["ca.crt 644 0 0", "namespace 644 0 0", "token 644 0 0"]
    assert {"..data", "ca.crt", "namespace", "token"} <= set(out[4:-1])
    assert "Read-only file system" in out[-1]
    authority = ns.get("configmaps", "kube-root-ca.crt")["data"]["ca.crt"]
    assert ns.run(pod("ca", f"cat {PLACE}/ca.crt")) == authority


def test_whose_the_token_is(ns: Namespace) -> None:
    look = shell(f"stat -Lc '%a %u %g' {PLACE}/token; wc -c < {PLACE}/token")
    for name, context, wanted in (
        ("user", {"runAsUser": 1234}, "600 1234 0"),
        ("group", {"runAsUser": 1234, "fsGroup": 77}, "640 1234 77"),
        ("fsgroup", {"fsGroup": 77}, "640 0 77"),
    ):
        out = ns.run(pod(name, look, securityContext=context)).splitlines()
        assert (name, out[0], int(out[1]) > 300) == (name, wanted, True)


def test_a_projected_volume_of_ones_own(ns: Namespace) -> None:
    sources = [
        {"serviceAccountToken": {"path": "vault/token", "audience": "vault", "expirationSeconds": 600}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.pem", "mode": 0o400}]}},
        {"configMap": {"name": "nothing", "optional": True}},
        {"secret": {"name": "nothing", "optional": True}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
    ]
    volume = {"name": "own", "projected": {"defaultMode": 0o440, "sources": sources}}
    container = sleeper(volumeMounts=[{"name": "own", "mountPath": "/own"}])
    ns.create(pod("own", container, volumes=[volume], labels={"a": "b"}, automountServiceAccountToken=False))
    ns.pod_ready("own")
    found = ns.exec(
        "own",
        "sh",
        "-c",
        "cd /own && stat -Lc '%n %a' vault/token ca.pem labels; cat labels; echo; ls /var/run/secrets 2>&1; true",
    )
    assert found.stdout.splitlines()[:4] == ["vault/token 440", "ca.pem 400", "labels 440", 'a="b"']
    assert "No such file" in found.stdout
    token = ns.exec("own", "cat", "/own/vault/token").stdout
    for audiences, good in ((["vault"], True), ([], None)):
        status = ns.rest.create(REVIEWS, {"spec": {"token": token, "audiences": audiences}})["status"]
        assert (audiences, status.get("authenticated")) == (audiences, good)


def test_a_pod_right_after_its_namespace_finds_its_account(cluster: LocalCluster) -> None:
    for number in range(5):
        with cluster.namespace(f"fresh-{number}") as fresh:
            started = time.monotonic()
            fresh.create(pod("first", sleeper()))
            assert time.monotonic() - started < 2
            assert fresh.get("pods", "first")["spec"]["serviceAccountName"] == "default"
            if number == 0:
                fresh.pod_ready("first")


def test_the_account_must_exist(ns: Namespace) -> None:
    answer = ns.rest.request("POST", path_of("pods", ns.name), pod("p", "true", serviceAccountName="nobody"))
    assert answer.status == 403
    assert f'error looking up service account {ns.name}/nobody: serviceaccount "nobody" not found' in answer.json()["message"]


def test_the_ca_is_published_again(ns: Namespace) -> None:
    def published() -> dict[str, Any]:
        found = ns.find("configmaps", "kube-root-ca.crt")
        assert found is not None
        return found

    before = eventually(published)
    ns.patch("configmaps", "kube-root-ca.crt", {"data": {"ca.crt": "x"}})

    def restored() -> None:
        assert (ns.find("configmaps", "kube-root-ca.crt") or {}).get("data") == before["data"]

    eventually(restored)
    ns.delete("configmaps", "kube-root-ca.crt")
    eventually(restored)


def test_tokens_on_request_and_in_secrets(ns: Namespace, cluster: LocalCluster) -> None:
    ns.kctl("create", "serviceaccount", "robot")
    token = ns.kctl("create", "token", "robot", "--duration=10m").stdout.strip()
    who = ns.kctl("auth", "whoami", "-o", "json").stdout
    assert json.loads(who)["status"]["userInfo"]["username"] == "kubernetes-admin"
    secret = {
        "metadata": {"name": "robot", "annotations": {"kubernetes.io/service-account.name": "robot"}},
        "type": "kubernetes.io/service-account-token",
    }
    ns.create(secret, "secrets")

    def filled() -> str:
        data = ns.get("secrets", "robot").get("data", {})
        assert set(data) == {"token", "ca.crt", "namespace"}
        return base64.b64decode(data["token"]).decode()

    lasting = eventually(filled)
    clients = [Bearer(cluster, each) for each in (token, lasting)]
    for client in clients:
        me = client.me()
        assert (me.status, me.json()["status"]["userInfo"]["username"]) == (201, f"system:serviceaccount:{ns.name}:robot")
    ns.delete("serviceaccounts", "robot")
    for client in clients:
        eventually(lambda client=client: _refused(client))  # type: ignore[misc]
        client.close()
    ns.gone("secrets", "robot")


def test_no_token_stands_in_a_log(ns: Namespace, cluster: LocalCluster) -> None:
    token = ns.run(pod("show", f"cat {PLACE}/token"))
    Bearer(cluster, token[:-4] + "AAAA").me()
    payload = token.split(".")[1]
    for (node, name), file in cluster.logs().items():
        assert (node, name, payload in file.read_text(errors="replace")) == (node, name, False)
