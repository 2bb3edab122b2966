"""The sweep of kubectl 1.20 and kctl: auth, impersonation, certificate, config, completion, and kctl's own events."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.certificate_requests import encoded, request_pem
from tests.support.cluster import LocalCluster, Namespace, documents
from tests.support.manifests import config_map, pod, sleeper
from tests.support.sweeping import TOOLS, Tool, same

RBAC = "rbac.authorization.k8s.io"
REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


# auth


def test_can_i(tools: tuple[Tool, ...]) -> None:
    for question in (
        ("create", "pods"),
        ("get", "pods/web"),
        ("list", "deployments.apps", "-A"),
        ("get", "pods", "--subresource=log"),
        ("get", "/healthz"),
        ("*", "*"),
    ):
        assert same(tools, "auth", "can-i", *question).out == "yes\n"
    assert same(tools, "auth", "can-i", "create", "pods", "-q").out == ""
    listed = [tool("auth", "can-i", "--list").rows() for tool in tools]
    assert listed[0][0] == ["Resources", "Non-Resource URLs", "Resource Names", "Verbs"]
    assert ["*.*", "[]", "[]", "[*]"] in listed[0]
    assert sorted(listed[0]) == sorted(listed[1])
    for tool in tools:
        assert "doesn't have a resource type 'nothings'" in tool("auth", "can-i", "get", "nothings", code=None).err


def _role(*verbs: str) -> dict[str, object]:
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": list(verbs)}]
    return {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": "reader"}, "rules": rules}


def _binding(role: str, *users: str) -> dict[str, object]:
    subjects = [{"apiGroup": RBAC, "kind": "User", "name": user} for user in users]
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "readers"},
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": role},
        "subjects": subjects,
    }


def test_reconcile(tool: Tool, ns: Namespace) -> None:
    base = f"/apis/{RBAC}/v1/namespaces/{ns.name}"

    def reconciled(*manifests: object, flags: tuple[str, ...] = ()) -> str:
        return tool("auth", "reconcile", "-f", "-", *flags, stdin=documents(*manifests)).out  # type: ignore[arg-type]

    def verbs() -> set[str]:
        return {verb for rule in ns.rest.get(f"{base}/roles/reader")["rules"] for verb in rule["verbs"]}

    def users() -> list[str]:
        return [each["name"] for each in ns.rest.get(f"{base}/rolebindings/readers")["subjects"]]

    said = reconciled(_role("get"), _binding("reader", "jane"))
    assert f"role.{RBAC}/reader reconciled" in said
    assert f"rolebinding.{RBAC}/readers reconciled" in said
    reconciled(_role("list"), _binding("reader", "joe"))
    assert (verbs(), sorted(users())) == ({"get", "list"}, ["jane", "joe"])
    reconciled(_role("get"), flags=("--remove-extra-permissions",))
    reconciled(_binding("reader", "joe"), flags=("--remove-extra-subjects",))
    assert (verbs(), users()) == ({"get"}, ["joe"])
    reconciled(_binding("writer", "joe"))
    assert ns.rest.get(f"{base}/rolebindings/readers")["roleRef"]["name"] == "writer"
    assert reconciled(_role("watch"), flags=("--dry-run=client",)) != ""
    assert verbs() == {"get"}


def test_impersonation(tool: Tool, ns: Namespace) -> None:
    """Whom the server took the caller for stands in managedFields' neighbours: a signing request's spec keeps its author."""
    name = f"{ns.name}-as"
    spec = {"request": encoded(request_pem()), "signerName": "example.com/none", "usages": ["client auth"]}
    body = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name}}
    try:
        flags = ("--as=jane", "--as-group=system:masters", "--as-group=other team")
        tool(*flags, "create", "-f", "-", stdin=documents({**body, "spec": spec}))
        stored = ns.rest.get(f"{REQUESTS}/{name}")["spec"]
        assert (stored["username"], stored["groups"]) == ("jane", ["system:masters", "other team", "system:authenticated"])
    finally:
        ns.rest.request("DELETE", f"{REQUESTS}/{name}")
    assert tool("--as=jane", "auth", "can-i", "get", "pods", code=None).out in ("yes\n", "no\n")
    alone = tool("--as-group=team", "get", "cm", code=1)
    assert "without impersonating a user" in alone.err


def test_whoami_as_somebody(ns: Namespace) -> None:
    kctl = Tool("kctl", ns.cluster, ns.name)
    account = f"system:serviceaccount:{ns.name}:default"
    shown = json.loads(kctl("auth", "whoami", f"--as={account}", "-o", "json").out)["status"]["userInfo"]
    assert shown["username"] == account
    assert shown["groups"] == ["system:serviceaccounts", f"system:serviceaccounts:{ns.name}", "system:authenticated"]


# certificate


def test_certificates(tool: Tool, ns: Namespace) -> None:
    names = [f"{ns.name}-{number}" for number in range(2)]
    for name in names:
        spec = {"request": encoded(request_pem()), "signerName": "example.com/none", "usages": ["client auth"]}
        ns.rest.create(REQUESTS, {"metadata": {"name": name}, "spec": spec})

    def condition(name: str) -> list[str]:
        return [each["type"] for each in ns.rest.get(f"{REQUESTS}/{name}").get("status", {}).get("conditions", [])]

    kind = "certificatesigningrequest.certificates.k8s.io"
    try:
        assert tool("certificate", "approve", names[0]).out == f"{kind}/{names[0]} approved\n"
        assert tool("certificate", "deny", names[1]).out == f"{kind}/{names[1]} denied\n"
        assert (condition(names[0]), condition(names[1])) == (["Approved"], ["Denied"])
        assert tool("get", "csr", *names, "--no-headers").out.count("Approved") == 1
        assert tool("certificate", "approve", names[0]).code == 0  # it is so already
        assert "not found" in tool("certificate", "approve", "nobody", code=1).err
    finally:
        for name in names:
            ns.rest.request("DELETE", f"{REQUESTS}/{name}")


# config


def test_config(tools: tuple[Tool, ...], cluster: LocalCluster, tmp_path: Path) -> None:
    current = same(tools, "config", "current-context").out.strip()
    same(tools, "config", "get-contexts", "-o", "name")
    same(tools, "config", "get-clusters")
    # newer programs have another word for what is left out
    views = [yaml.safe_load(tool("config", "view", "--minify").out.replace("REDACTED", "DATA+OMITTED")) for tool in tools]
    assert views[0] == views[1]
    assert views[0]["current-context"] == current
    assert "DATA+OMITTED" in str(views[0])
    assert "PRIVATE" not in str(views[0])
    for tool in tools:
        copy = tmp_path / tool.name
        copy.write_text(cluster.kubeconfig.read_text())
        flag = f"--kubeconfig={copy}"
        tool(flag, "config", "set-context", "other", f"--cluster={views[0]['clusters'][0]['name']}", "--namespace=kube-system")
        tool(flag, "config", "use-context", "other")
        tool(flag, "config", "rename-context", "other", "renamed")
        tool(flag, "config", "set", "contexts.renamed.user", "me")
        tool(flag, "config", "delete-context", current)
    written = [yaml.safe_load((tmp_path / tool.name).read_text()) for tool in tools]
    assert [each["current-context"] for each in written] == ["renamed", "renamed"]
    assert written[0]["contexts"] == written[1]["contexts"]
    assert [each["name"] for each in written[0]["users"]] == [each["name"] for each in written[1]["users"]]
    # Debian's kubectl of this version, built with a newer Go than it is made for, crashes here
    tools[1](f"--kubeconfig={tmp_path / 'kctl'}", "config", "set-credentials", "me", "--token=t")
    assert {"name": "me", "user": {"token": "t"}} in yaml.safe_load((tmp_path / "kctl").read_text())["users"]


# completion


@pytest.mark.parametrize("program", TOOLS)
def test_completion(cluster: LocalCluster, program: str, tmp_path: Path) -> None:
    tool = Tool(program, cluster, "default")
    for name in ("bash", "zsh"):
        script = tool("completion", name).out
        assert program in script
        if name == "bash":
            (tmp_path / "script").write_text(script)
            subprocess.run(["bash", "-n", str(tmp_path / "script")], check=True)


# events: kctl has a command of its own, kubectl 1.20 gets them like any kind


def test_events(tools: tuple[Tool, ...], ns: Namespace) -> None:
    kubectl, kctl = tools
    ns.create(pod("box", sleeper()))
    ns.create(config_map("settings"), "configmaps")
    ns.pod_ready("box")
    ns.pod_events("box")
    listed = kubectl(
        "get", "events", "--field-selector=involvedObject.name=box", "-o", "jsonpath={.items[*].reason}"
    ).out.split()
    assert {"Scheduled", "Pulled", "Created", "Started"} <= set(listed)
    shown = kctl("events", "--for=pod/box", "--types=Normal").rows()
    assert shown[0] == ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert {"Scheduled", "Pulled", "Created", "Started"} <= {row[2] for row in shown[1:]}
    assert kctl("events", "--for=configmap/settings").rows() == []
