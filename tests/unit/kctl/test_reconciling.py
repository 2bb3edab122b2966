"""What `kctl auth reconcile` and `kctl create` of roles make."""

from __future__ import annotations

from typing import Any

import pytest

from kctl import generators_access, generators_workloads, pruning, reconciling
from kctl.discovery import ResourceType
from kctl.errors import KctlError


def rule(verbs: str, resources: str = "pods", groups: str = "", names: str = "", urls: str = "") -> dict[str, Any]:
    if urls:
        return {"verbs": verbs.split(), "nonResourceURLs": urls.split()}
    made: dict[str, Any] = {"verbs": verbs.split(), "apiGroups": groups.split(",") if groups else [""]}
    return {**made, "resources": resources.split(), **({"resourceNames": names.split()} if names else {})}


COVERED = (
    ("the same", rule("get"), [rule("get")], True),
    ("one verb more", rule("get list"), [rule("get")], False),
    ("of several rules together", rule("get list"), [rule("get"), rule("list")], True),
    ("all verbs", rule("get list"), [rule("*")], True),
    ("all resources", rule("get", "pods pods/log"), [rule("get", "*")], True),
    ("a subresource of all", rule("get", "pods/log"), [rule("get", "*/log")], True),
    ("a subresource is not its object", rule("get", "pods/log"), [rule("get", "pods")], False),
    ("another group", rule("get", groups="apps"), [rule("get")], False),
    ("all groups", rule("get", groups="apps"), [rule("get", groups="*")], True),
    ("of a name by all names", rule("get", names="a"), [rule("get")], True),
    ("of all names by one", rule("get"), [rule("get", names="a")], False),
    ("of two names by two", rule("get", names="a b"), [rule("get", names="a"), rule("get", names="b")], True),
    ("a path", rule("get", urls="/logs/x"), [rule("get", urls="/logs/*")], True),
    ("another path", rule("get", urls="/metrics"), [rule("get", urls="/logs/*")], False),
    ("a path is no resource", rule("get", urls="/pods"), [rule("*", "*", "*")], False),
)


@pytest.mark.parametrize(("wanted", "present", "want"), [row[1:] for row in COVERED], ids=[row[0] for row in COVERED])
def test_covered(wanted: dict[str, Any], present: list[dict[str, Any]], want: bool) -> None:
    assert reconciling.covered(wanted, present) is want


@pytest.mark.parametrize("remove", [False, True])
def test_rules_are_reconciled(remove: bool) -> None:
    current = {"kind": "Role", "metadata": {"name": "r", "labels": {"a": "1"}}, "rules": [rule("get"), rule("delete")]}
    wanted = {"kind": "Role", "metadata": {"labels": {"b": "2"}}, "rules": [rule("get"), rule("list")]}
    result = reconciling.reconciled(wanted, current, remove_extra=remove)
    assert result["rules"] == [rule("get"), *([] if remove else [rule("delete")]), rule("list")]
    assert result["metadata"] == {"name": "r", "labels": {"a": "1", "b": "2"}}
    assert reconciling.reconciled(wanted, result, remove_extra=remove) == result  # once is enough


@pytest.mark.parametrize("remove", [False, True])
def test_subjects_are_reconciled(remove: bool) -> None:
    jane, joe, robot = generators_access.subjects(["jane", "joe"], [], ["n:robot"])
    current = {"kind": "RoleBinding", "metadata": {"name": "b"}, "subjects": [jane, robot]}
    result = reconciling.reconciled(
        {"kind": "RoleBinding", "metadata": {}, "subjects": [joe, robot]}, current, remove_extra=remove
    )
    assert result["subjects"] == [*([] if remove else [jane]), robot, joe]


PODS, NODES = ResourceType("", "v1", "pods", "Pod"), ResourceType("", "v1", "nodes", "Node")
WEB = ResourceType("apps", "v1", "deployments", "Deployment")


def test_rules_are_grouped() -> None:
    made = generators_access.rules(["get"], [(PODS, ""), (WEB, ""), (PODS, "log"), (PODS, "")], urls=["/metrics"])
    assert made == [
        {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]},
        {"nonResourceURLs": ["/metrics"], "verbs": ["get"]},
    ]


REFUSED = (
    ("no verb", lambda: generators_access.rules([], [(PODS, "")]), "at least one verb"),
    ("no resource", lambda: generators_access.rules(["get"], []), "at least one resource"),
    ("names of two", lambda: generators_access.rules(["get"], [(PODS, ""), (NODES, "")], ["a"]), "single resource"),
    ("an account without a namespace", lambda: generators_access.subjects([], [], ["me"]), "<namespace>:<name>"),
    ("no certificate", lambda: generators_access.tls_secret("a", b"x", b"PRIVATE KEY-----"), "any PEM data in certificate"),
    ("no key", lambda: generators_access.tls_secret("a", b"-----BEGIN CERTIFICATE-----", b"x"), "any PEM data in key"),
    ("a strange rule", lambda: generators_workloads.ingress("a", ["a.local/x"], "", "", {}), "should be in format"),
    ("no rule at all", lambda: generators_workloads.ingress("a", [], "", "", {}), "default-backend or rules"),
    ("a strange backend", lambda: generators_workloads.ingress("a", [], "web", "", {}), "servicename:serviceport"),
    ("a budget of both", lambda: generators_workloads.budget("a", {"a": "b"}, "1", "1"), "exactly one"),
    ("prune whatever there is", lambda: pruning.kinds([], "", everything=False), "--all"),
    ("prune a strange kind", lambda: pruning.kinds(["v1/ConfigMap"], "a=b", everything=False), "invalid GroupVersionKind"),
)


@pytest.mark.parametrize(("make", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(make: Any, message: str) -> None:
    with pytest.raises(KctlError, match=message):
        make()


def test_ingress_rules() -> None:
    spec = generators_workloads.ingress(
        "a", ["b.x/p*=web:80,tls=s", "b.x/=api:http", "=all:1", "c.x/q=web:80,tls"], "", "", {}
    )["spec"]
    assert [rule.get("host") for rule in spec["rules"]] == ["b.x", None, "c.x"]
    assert [(each["path"], each["pathType"]) for each in spec["rules"][0]["http"]["paths"]] == [
        ("/p", "Prefix"),
        ("/", "Exact"),
    ]
    assert spec["tls"] == [{"hosts": ["b.x"], "secretName": "s"}, {"hosts": ["c.x"]}]
    assert spec["rules"][0]["http"]["paths"][1]["backend"] == {"service": {"name": "api", "port": {"name": "http"}}}


def test_kinds_to_prune() -> None:
    assert pruning.kinds(["core/v1/Pod", "apps/v1/Deployment"], "a=b", everything=False) == [
        ("v1", "Pod"),
        ("apps/v1", "Deployment"),
    ]
    assert ("v1", "ConfigMap") in pruning.kinds([], "", everything=True)
