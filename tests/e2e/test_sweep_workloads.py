"""The sweep of kubectl 1.20 and kctl: rollout, scale, wait, delete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.cluster import Namespace, documents
from tests.support.manifests import config_map, deployment, pod, shell, sleeper
from tests.support.sweeping import Tool, same
from tests.support.terminals import background
from tests.support.waiting import eventually

NOWHERE = {"nodeSelector": {"no": "where"}}
STUBBORN = shell("trap '' TERM; while :; do sleep 0.2; done")


# rollout


def test_rollouts(tool: Tool, ns: Namespace) -> None:
    ns.create(deployment("web", 1, sleeper(env=[{"name": "N", "value": "1"}])), "deployments")
    followed = tool("rollout", "status", "deployment/web", "--timeout=30s")
    assert followed.lines()[-1] == 'deployment "web" successfully rolled out'
    tool("set", "env", "deployment/web", "N=2")
    tool("annotate", "deployment/web", "kubernetes.io/change-cause=second")
    tool("rollout", "status", "deployment", "web")
    eventually(lambda: _has_cause(ns, "second"))
    history = tool("rollout", "history", "deployment/web")
    assert history.rows() == [["deployment.apps/web"], ["REVISION", "CHANGE-CAUSE"], ["1", "<none>"], ["2", "second"]]
    assert re.search(r"N:\s+1\n", tool("rollout", "history", "deployment/web", "--revision=1").out)
    assert tool("rollout", "undo", "deployment/web").out == "deployment.apps/web rolled back\n"
    tool("rollout", "status", "deployment/web")
    assert _value(ns) == "1"
    assert tool("rollout", "undo", "deployment/web", "--to-revision=2").out == "deployment.apps/web rolled back\n"
    assert _value(ns) == "2"
    assert "unable to find specified revision 99" in tool("rollout", "undo", "deploy/web", "--to-revision=99", code=1).err
    assert tool("rollout", "pause", "deployment/web").out == "deployment.apps/web paused\n"
    assert "already paused" in tool("rollout", "pause", "deployment/web", code=1).err
    assert "paused" in tool("rollout", "undo", "deployment/web", code=1).err
    assert tool("rollout", "resume", "deployment/web").out == "deployment.apps/web resumed\n"
    assert "is not paused" in tool("rollout", "resume", "deployment/web", code=1).err
    assert tool("rollout", "restart", "deployment", "web").out == "deployment.apps/web restarted\n"
    template = ns.get("deployments", "web")["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
    tool("rollout", "status", "deployment/web", "--timeout=30s")
    ns.create(deployment("stuck", 1, sleeper(), template=NOWHERE), "deployments")
    ns.deployment_settled("stuck")  # a follower that comes earlier is told of what comes before, too
    waited = tool("rollout", "status", "deployment/stuck", "--timeout=2s", code=1)
    assert waited.lines() == ['Waiting for deployment "stuck" rollout to finish: 0 of 1 updated replicas are available...']
    assert "timed out waiting for the condition" in waited.err
    assert "rollout to finish" in tool("rollout", "status", "deployment/stuck", "--watch=false").out
    assert "not found" in tool("rollout", "status", "deployment/nobody", code=1).err


def _has_cause(ns: Namespace, cause: str) -> None:
    """The controller has passed the cause on to a ReplicaSet; it does so whether or not the rollout has ended already."""
    causes = [each["metadata"]["annotations"].get("kubernetes.io/change-cause") for each in ns.list("replicasets", "app=web")]
    assert cause in causes, causes


def _value(ns: Namespace) -> str:
    value: str = ns.get("deployments", "web")["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"]
    return value


def test_history_is_the_same(tools: tuple[Tool, ...], ns: Namespace) -> None:
    ns.create(deployment("web", 0, sleeper(env=[{"name": "N", "value": "1"}])), "deployments")
    tools[0]("rollout", "status", "deployment/web")
    same(tools, "rollout", "history", "deployment/web")
    same(tools, "rollout", "status", "deployment/web")


# scale


def test_scale(tool: Tool, ns: Namespace, tmp_path: Path) -> None:
    ns.create(deployment("web", 1, sleeper(), template=NOWHERE), "deployments")
    ns.create(deployment("api", 1, sleeper(), template=NOWHERE), "deployments")
    assert tool("scale", "deployment", "web", "--replicas=2").out == "deployment.apps/web scaled\n"
    refused = tool("scale", "deploy/web", "--current-replicas=1", "--replicas=3", code=1)
    assert "xpected replicas to be 1, was 2" in refused.err
    tool("scale", "deploy/web", "--current-replicas=2", "--resource-version=", "--replicas=3")
    assert ns.get("deployments", "web")["spec"]["replicas"] == 3
    several = tool("scale", "deployment", "web", "api", "--replicas=0").lines()
    assert sorted(several) == ["deployment.apps/api scaled", "deployment.apps/web scaled"]
    assert tool("scale", "--replicas=1", "-l", "app=api", "deployment").out == "deployment.apps/api scaled\n"
    file = tmp_path / "api.yaml"
    file.write_text(documents(deployment("api", 1, sleeper())))
    assert tool("scale", "--replicas=0", "-f", str(file)).out == "deployment.apps/api scaled\n"
    everything = tool("scale", "deployment", "--all", "--replicas=1").lines()
    assert sorted(everything) == ["deployment.apps/api scaled", "deployment.apps/web scaled"]
    sets = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}}
    spec = {"replicas": 0, **{key: deployment("db", 0, sleeper())["spec"][key] for key in ("selector", "template")}}
    ns.rest.create(f"/apis/apps/v1/namespaces/{ns.name}/statefulsets", {**sets, "spec": {**spec, "serviceName": "db"}})
    assert tool("scale", "sts", "db", "--replicas=2", "--dry-run=client").out.startswith("statefulset.apps/db scaled")
    assert ns.rest.get(f"/apis/apps/v1/namespaces/{ns.name}/statefulsets/db")["spec"]["replicas"] == 0
    assert tool("scale", "sts", "db", "--replicas=2").out == "statefulset.apps/db scaled\n"
    tool("scale", "cm", "kube-root-ca.crt", "--replicas=1", code=1)


# wait


def test_wait(tool: Tool, ns: Namespace) -> None:
    ns.create(pod("box", sleeper(), labels={"app": "box"}))
    assert tool("wait", "pod/box", "--for=condition=Ready", "--timeout=30s").out == "pod/box condition met\n"
    assert tool("wait", "pods", "-l", "app=box", "--for=condition=ready").out == "pod/box condition met\n"
    late = tool("wait", "pod", "box", "--for=condition=ready=false", "--timeout=1s", code=1)
    assert late.err == "error: timed out waiting for the condition on pods/box\n"
    assert "not found" in tool("wait", "pod/nobody", "--for=condition=Ready", "--timeout=1s", code=1).err
    assert "no matching resources found" in tool("wait", "pods", "-l", "app=nobody", "--for=condition=Ready", code=1).err
    if tool.is_kctl:
        assert tool("wait", "pod/box", "--for=jsonpath={.status.phase}=Running").out == "pod/box condition met\n"
    ns.create(pod("goes", STUBBORN))
    ns.pod_ready("goes")
    command = tool.command("wait", "--for=delete", "pod/goes", "--timeout=30s")
    before = ns.cluster.watchers("pods")
    with background(command, tool.environment()) as process:
        eventually(lambda: _more_watchers(ns, before))  # what is gone before it looks is an error to kubectl 1.20
        ns.delete("pods", "goes", gracePeriodSeconds=1)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out in ("pod/goes condition met\n", "")) == (0, True), err


def _more_watchers(ns: Namespace, before: int) -> None:
    assert ns.cluster.watchers("pods") > before


# delete


def _owned(ns: Namespace) -> list[str]:
    return [each["metadata"]["name"] for each in ns.list("replicasets", "app=web")]


@pytest.mark.parametrize("cascade", ["background", "foreground", "orphan"])
def test_delete_cascades(tool: Tool, ns: Namespace, cascade: str) -> None:
    ns.create(deployment("web", 1, sleeper(), template=NOWHERE), "deployments")
    eventually(lambda: _some(ns))
    assert tool("delete", "deployment", "web", f"--cascade={cascade}").out == 'deployment.apps "web" deleted\n'
    assert ns.find("deployments", "web") is None
    if cascade == "orphan":
        (left,) = ns.list("replicasets", "app=web")
        eventually(lambda: _orphaned(ns, left["metadata"]["name"]))
        assert len(ns.pods("app=web")) == 1
        return
    if cascade == "foreground":
        assert _owned(ns) == []
    eventually(lambda: _gone(ns))


def _some(ns: Namespace) -> None:
    assert len(ns.pods("app=web")) == 1


def _gone(ns: Namespace) -> None:
    assert (_owned(ns), ns.list("pods", "app=web")) == ([], [])


def _orphaned(ns: Namespace, name: str) -> None:
    assert not ns.get("replicasets", name)["metadata"].get("ownerReferences")


def test_delete(tool: Tool, ns: Namespace) -> None:
    for name in ("one", "two", "three", "four", "five"):
        labels = {"kind": "odd" if name in ("one", "three") else "even"}
        ns.create({**config_map(name, k="v"), "metadata": {"name": name, "labels": labels}}, "configmaps")
    assert tool("delete", "cm", "one", "--dry-run=client").out == 'configmap "one" deleted (dry run)\n'
    assert tool("delete", "cm", "one", "--dry-run=server").out == 'configmap "one" deleted (server dry run)\n'
    assert tool("delete", "configmap/one", "cm/two", "-o", "name").lines() == ["configmap/one", "configmap/two"]
    assert tool("delete", "cm", "-l", "kind=odd").out == 'configmap "three" deleted\n'
    assert tool("delete", "-f", "-", stdin=documents(config_map("four"))).out == 'configmap "four" deleted\n'
    assert tool("delete", "cm", "four", code=1).err == 'Error from server (NotFound): configmaps "four" not found\n'
    assert tool("delete", "cm", "four", "--ignore-not-found").out == ""
    chosen = tool("delete", "cm", "--field-selector=metadata.name=five")
    assert chosen.out == 'configmap "five" deleted\n'
    assert tool("delete", "pods", "--all").out == "No resources found\n"
    assert tool("delete", "cm", code=1).err != ""
    raw = tool("delete", "--raw", ns.path("configmaps", "kube-root-ca.crt"), code=None)
    assert raw.code in (0, 1)


def test_delete_of_pods(tool: Tool, ns: Namespace) -> None:
    for name in ("now", "forced", "waits", "graceful", "all"):
        ns.create(pod(name, STUBBORN, terminationGracePeriodSeconds=120))
    for name in ("now", "forced", "waits", "graceful", "all"):
        ns.pod_ready(name)
    assert tool("delete", "pod", "now", "--now").out == 'pod "now" deleted\n'
    assert ns.find("pods", "now") is None
    forced = tool("delete", "pod", "forced", "--force", "--grace-period=0")
    assert forced.out == 'pod "forced" force deleted\n'
    assert "Immediate deletion does not wait" in forced.err
    assert tool("delete", "pod", "waits", "--wait=false").out == 'pod "waits" deleted\n'
    assert "deletionTimestamp" in ns.get("pods", "waits")["metadata"]
    late = tool("delete", "pod", "waits", "--timeout=1s", code=1)
    assert "timed out waiting for the condition on pods/waits" in late.err
    assert tool("delete", "pod", "graceful", "--grace-period=1").out == 'pod "graceful" deleted\n'
    assert ns.find("pods", "graceful") is None
    everything = tool("delete", "pods", "--all", "--grace-period=1")
    assert sorted(everything.lines()) == ['pod "all" deleted', 'pod "waits" deleted']
    assert ns.list("pods") == []
