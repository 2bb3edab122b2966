"""What belongs to apply: pruning, the configuration applied last, diffs as the server applies; raw requests; certificates."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.certificate_requests import encoded, request_pem

Kctl = Callable[..., Any]
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def words(name: str, **data: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"a": "b"}}, "data": data})


def names(kctl: Kctl, namespace: str) -> list[str]:
    found: list[str] = kctl("get", "-n", namespace, "cm", "-l", "a=b", "-o", "jsonpath={.items[*].metadata.name}").out.split()
    return found


def test_pruning(kctl: Kctl, namespace: str) -> None:
    assert kctl("apply", "-n", namespace, "-f", "-", stdin=words("one", k="v") + words("two", k="v")).code == 0
    assert kctl("create", "-n", namespace, "-f", "-", stdin=words("never-applied", k="v")).code == 0
    prune = ("apply", "-n", namespace, "--prune", "-l", "a=b", "-f", "-")
    pretended = kctl(*prune, "--dry-run=client", stdin=words("one", k="v"))
    assert "configmap/two pruned (dry run)" in pretended.out
    assert names(kctl, namespace) == ["never-applied", "one", "two"]
    pruned = kctl(*prune, stdin=words("one", k="v"))
    assert pruned.out == "configmap/one unchanged\nconfigmap/two pruned\n", pruned
    assert names(kctl, namespace) == ["never-applied", "one"]
    kept = kctl(*prune, "--prune-allowlist=apps/v1/Deployment", stdin=words("three", k="v"))
    assert (kept.code, names(kctl, namespace)) == (0, ["never-applied", "one", "three"])
    broken = kctl(*prune, stdin=words("one", k="v").replace('{"k": "v"}', "[]"))
    assert broken.code == 1
    assert names(kctl, namespace) == ["never-applied", "one", "three"]  # nothing goes when something could not be applied


def test_what_was_applied_last(kctl: Kctl, namespace: str) -> None:
    kctl("apply", "-n", namespace, "-f", "-", stdin=words("one", text="<&> é"))
    stored = json.loads(kctl("get", "-n", namespace, "cm", "one", "-o", "json").out)
    # byte for byte what kubectl writes
    assert r"\u003c\u0026\u003e é" in stored["metadata"]["annotations"][LAST_APPLIED]
    assert "text: <&> é" in kctl("apply", "view-last-applied", "-n", namespace, "cm/one").out
    changed = kctl("apply", "set-last-applied", "-n", namespace, "-f", "-", stdin=words("one", other="x"))
    assert changed.out == "configmap/one configured\n"
    assert json.loads(kctl("apply", "view-last-applied", "-n", namespace, "cm/one", "-o", "json").out)["data"] == {"other": "x"}
    kctl("create", "-n", namespace, "-f", "-", stdin=words("bare"))
    for command in (("view-last-applied", "cm/bare"), ("edit-last-applied", "cm/bare")):
        refused = kctl("apply", command[0], "-n", namespace, command[1])
        assert "no last-applied-configuration annotation found" in refused.err


def test_saved_configurations_know_their_namespace(kctl: Kctl, namespace: str) -> None:
    kctl("create", "-n", namespace, "--save-config", "-f", "-", stdin=words("one", k="v"))
    assert kctl("apply", "-n", namespace, "-f", "-", stdin=words("one", k="v")).out == "configmap/one unchanged\n"


def test_raw_requests(kctl: Kctl, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    assert json.loads(kctl("create", "--raw", path, "-f", "-", stdin=words("one")).out)["metadata"]["name"] == "one"
    changed = kctl("replace", "--raw", f"{path}/one", "-f", "-", stdin=words("one", k="v"))
    assert json.loads(changed.out)["data"] == {"k": "v"}
    listed = json.loads(kctl("get", "--raw", f"{path}?fieldSelector=metadata.name%3Done").out)
    assert [each["metadata"]["name"] for each in listed["items"]] == ["one"]
    assert kctl("delete", "--raw", f"{path}/one").code == 0
    assert "(NotFound)" in kctl("get", "--raw", f"{path}/one").err
    assert kctl("get", "--raw", "no-path").code == 1


@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_certificates(kctl: Kctl, verdict: str) -> None:
    spec = {"request": encoded(request_pem()), "signerName": "example.com/none", "usages": ["client auth"]}
    body = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest"}
    manifest = json.dumps({**body, "metadata": {"name": f"csr-{verdict}"}, "spec": spec})
    assert kctl("create", "-f", "-", stdin=manifest).code == 0
    done = "approved" if verdict == "approve" else "denied"
    said = kctl("certificate", verdict, f"csr-{verdict}")
    assert said.out == f"certificatesigningrequest.certificates.k8s.io/csr-{verdict} {done}\n", said
    shown = kctl("get", "csr", f"csr-{verdict}", "-o", "jsonpath={.status.conditions[*].type}")
    assert shown.out == done.capitalize()
    assert kctl("certificate", verdict).code == 1


def test_as_somebody_else(kctl: Kctl) -> None:
    shown = kctl("--as=jané", "--as-group=a", "auth", "whoami", "--as-group=b", "-o", "json")
    info = json.loads(shown.out)["status"]["userInfo"]
    assert (info["username"], info["groups"]) == ("jané", ["b", "system:authenticated"])
    assert "without impersonating a user" in kctl("--as-group=a", "get", "nodes").err
