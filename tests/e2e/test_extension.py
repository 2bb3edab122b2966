"""A cluster extended at run time: kinds that it has not been built with, on real processes."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.cluster import LocalCluster, Namespace, Object
from tests.support.custom import GROUP, crontab, definition
from tests.support.manifests import config_map
from tests.support.waiting import eventually

NAME = f"crontabs.{GROUP}"


@pytest.fixture
def crontabs(cluster: LocalCluster) -> Iterator[None]:
    """CronTabs are defined while a test lasts."""
    cluster.kctl("apply", "-f", "-", stdin=json.dumps(definition()))
    cluster.kctl("wait", "--for=condition=Established", f"crd/{NAME}", "--timeout=20s")
    yield
    cluster.kctl("delete", "crd", NAME)


def owned_by(owner: Object, manifest: Object) -> Object:
    reference = {key: owner[key] for key in ("apiVersion", "kind")} | {key: owner["metadata"][key] for key in ("name", "uid")}
    manifest["metadata"]["ownerReferences"] = [reference]
    return manifest


def test_custom_resources_are_a_kind_like_any_other(ns: Namespace, crontabs: None) -> None:
    assert ns.kctl("apply", "-f", "-", stdin=json.dumps(crontab("mine"))).stdout == f"crontab.{GROUP}/mine created\n"
    refused = ns.kctl("apply", "-f", "-", stdin=json.dumps(crontab("bad", replicas="many")), check=False)
    assert 'spec.replicas in body must be of type integer: "string"' in refused.stderr, refused
    lines = ns.kctl("get", "ct", "-o", "wide").stdout.splitlines()
    assert (lines[0].split(), lines[1].split()[0]) == (["NAME", "SPEC", "REPLICAS", "AGE"], "mine")
    assert ns.kctl("scale", "crontab/mine", "--replicas=5").stdout == f"crontab.{GROUP}/mine scaled\n"
    assert ns.kctl("get", "ct", "mine", "-o", "jsonpath={.spec.replicas}").stdout == "5"
    assert "When it runs." in ns.kctl("explain", "crontab.spec.cronSpec").stdout


def test_custom_resources_own_objects_and_go_with_their_namespace(cluster: LocalCluster, crontabs: None) -> None:
    with cluster.namespace("extension-owner") as ns:
        ns.apply(crontab("owner"))
        tab = json.loads(ns.kctl("get", "ct", "owner", "-o", "json").stdout)
        ns.create(owned_by(tab, config_map("owned")), "configmaps")
        ns.kctl("delete", "ct", "owner")
        ns.gone("configmaps", "owned")
        ns.apply(crontab("left"))
        name = ns.name

    def nothing_left() -> None:
        assert name not in cluster.kctl("get", "ct", "-A", "--no-headers", check=False).stdout

    eventually(nothing_left)


def test_custom_resources_are_limited_by_quotas(ns: Namespace, crontabs: None) -> None:
    name = f"count/{NAME}"
    ns.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {name: "1"}}})

    def counted(used: str) -> None:
        status = ns.get("resourcequotas", "few").get("status", {})
        assert status.get("used", {}).get(name) == used, status

    eventually(lambda: counted("0"))
    ns.apply(crontab("one"))
    refused = ns.kctl("apply", "-f", "-", stdin=json.dumps(crontab("two")), check=False)
    assert "exceeded quota: few" in refused.stderr, refused
    ns.kctl("delete", "ct", "one")
    eventually(lambda: counted("0"))
