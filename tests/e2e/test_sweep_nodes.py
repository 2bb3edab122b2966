"""The sweep of kubectl 1.20 and kctl: cordon, drain, taint, top. The worker is left as it was."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.cluster import LocalCluster, Namespace, is_ready
from tests.support.manifests import deployment, pod, sleeper
from tests.support.sweeping import Ran, Tool
from tests.support.waiting import eventually


@pytest.fixture
def worker(cluster: LocalCluster) -> Iterator[str]:
    name = cluster.workers()[0]
    yield name
    cluster.kctl("uncordon", name)
    cluster.kctl("taint", "nodes", name, "sweep-", check=False)


def test_cordon(tool: Tool, ns: Namespace, worker: str) -> None:
    assert tool("cordon", worker, "--dry-run=client").out == f"node/{worker} cordoned (dry run)\n"
    assert tool("cordon", worker).out == f"node/{worker} cordoned\n"
    assert tool("cordon", worker).out == f"node/{worker} already cordoned\n"
    assert re.search(rf"^{worker} +Ready,SchedulingDisabled", tool("get", "nodes").out, re.MULTILINE)
    assert tool("uncordon", worker).out == f"node/{worker} uncordoned\n"
    assert tool("uncordon", worker).out == f"node/{worker} already uncordoned\n"
    assert tool("cordon", "nobody", code=1).err.endswith('nodes "nobody" not found\n')


def _labels(ns: Namespace) -> dict[str, str]:
    """Those of the pods to drain. Pods of every namespace are drained, and those of the test before may not be gone yet."""
    return {"sweep": ns.name}


def _drain(tool: Tool, ns: Namespace, worker: str, *flags: str, code: int = 0) -> Ran:
    return tool("drain", worker, f"--pod-selector=sweep={ns.name}", *flags, code=code)


def test_drain_names_what_would_be_lost(tool: Tool, ns: Namespace, worker: str) -> None:
    here = {"nodeName": worker}
    ns.create(pod("single", sleeper(), labels=_labels(ns), **here))
    ns.create(pod("scratch", sleeper(), labels=_labels(ns), volumes=[{"name": "s", "emptyDir": {}}], **here))
    spec = {key: deployment("set", 0, sleeper())["spec"][key] for key in ("selector", "template")}
    daemons = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "set"}, "spec": spec}
    made = ns.rest.create(f"/apis/apps/v1/namespaces/{ns.name}/daemonsets", daemons)
    owned = pod("daemon", sleeper(), labels=_labels(ns), **here)
    owned["metadata"]["ownerReferences"] = [
        {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "set", "uid": made["metadata"]["uid"], "controller": True}
    ]
    ns.create(owned)
    for name in ("single", "scratch", "daemon"):
        ns.pod_ready(name)
    refused = _drain(tool, ns, worker, code=1)
    assert "use --force to override" in refused.err
    assert f"{ns.name}/single" in refused.err
    assert re.search(r"use --delete-(emptydir-data|local-data) to override", refused.err)
    assert "use --ignore-daemonsets to ignore" in refused.err
    assert is_ready(ns.get("pods", "single"))
    flags = ("--force", "--delete-emptydir-data", "--ignore-daemonsets", "--grace-period=1", "--timeout=30s")
    drained = _drain(tool, ns, worker, *flags)
    assert "pod/single evicted" in drained.out
    assert "gnoring DaemonSet-managed" in drained.err
    assert [each["metadata"]["name"] for each in ns.pods()] == ["daemon"]


def test_drain_respects_budgets(tool: Tool, ns: Namespace, worker: str) -> None:
    ns.create(pod("kept", sleeper(), labels=_labels(ns), nodeName=worker))
    ns.pod_ready("kept")
    budget = {"minAvailable": 1, "selector": {"matchLabels": _labels(ns)}}
    path = f"/apis/policy/v1/namespaces/{ns.name}/poddisruptionbudgets"
    ns.rest.create(path, {"metadata": {"name": "one"}, "spec": budget})
    eventually(lambda: _in_force(ns, f"{path}/one"))  # before it is, another sentence refuses
    blocked = _drain(tool, ns, worker, "--force", "--timeout=2s", code=1)
    assert "violate the pod's disruption budget" in blocked.err
    assert is_ready(ns.get("pods", "kept"))
    ns.rest.delete(f"{path}/one")
    drained = _drain(tool, ns, worker, "--force", "--grace-period=1", "--timeout=30s")
    assert drained.out.endswith(f"node/{worker} drained\n") or drained.out.endswith(f"node/{worker} evicted\n")
    assert ns.find("pods", "kept") is None
    # --disable-eviction deletes
    tool("uncordon", worker)
    ns.create(pod("deleted", sleeper(), labels=_labels(ns), nodeName=worker))
    ns.pod_ready("deleted")
    _drain(tool, ns, worker, "--force", "--disable-eviction", "--grace-period=1", "--timeout=30s")
    assert ns.find("pods", "deleted") is None


def _in_force(ns: Namespace, path: str) -> None:
    budget = ns.rest.get(path)
    status = budget.get("status", {})
    seen = (status.get("observedGeneration"), status.get("currentHealthy"), status.get("disruptionsAllowed"))
    assert seen == (budget["metadata"]["generation"], 1, 0), status


def test_taint(tool: Tool, ns: Namespace, worker: str) -> None:
    def taints() -> list[tuple[str, str, str]]:
        found = ns.rest.get(f"/api/v1/nodes/{worker}")["spec"].get("taints") or []
        return [(each["key"], each.get("value", ""), each["effect"]) for each in found if each["key"] == "sweep"]

    assert tool("taint", "nodes", worker, "sweep=a:PreferNoSchedule").out == f"node/{worker} tainted\n"
    assert taints() == [("sweep", "a", "PreferNoSchedule")]
    assert "already has" in tool("taint", "nodes", worker, "sweep=b:PreferNoSchedule", code=1).err
    tool("taint", "node", worker, "sweep=b:PreferNoSchedule", "--overwrite")
    assert taints() == [("sweep", "b", "PreferNoSchedule")]
    assert tool("taint", "nodes", worker, "sweep:PreferNoSchedule-").out == f"node/{worker} untainted\n"
    assert taints() == []
    tool("taint", "nodes", worker, "sweep=:PreferNoSchedule")
    assert tool("taint", "nodes", worker, "sweep-").out == f"node/{worker} untainted\n"
    assert "invalid taint" in tool("taint", "nodes", worker, "sweep=a:Never", code=1).err


def test_top_without_metrics(tool: Tool) -> None:
    """Nobody serves metrics.k8s.io yet: what is said then is what a cluster without a metrics server says."""
    for subject in ("nodes", "pods"):
        assert tool("top", subject, code=1).err == "error: Metrics API not available\n"
