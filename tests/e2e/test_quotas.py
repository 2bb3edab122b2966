"""ResourceQuotas and LimitRanges on real processes, with kubectl 1.20 and kctl: what does not fit waits or is refused."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

from tests.support.cluster import Namespace, Object, condition, documents
from tests.support.manifests import deployment, pod, secret, sleeper
from tests.support.sweeping import Tool
from tests.support.waiting import eventually

NOWHERE = {"nodeSelector": {"no": "where"}}


def in_force(ns: Namespace, name: str, **used: str) -> Object:
    """The quota once the controller has counted for all its limits, and `used` (underscores for dots and slashes) is used."""
    wanted = {key.replace("__", "/").replace("_", "."): value for key, value in used.items()}

    def check() -> Object:
        quota = ns.get("resourcequotas", name)
        counted, hard = quota.get("status", {}).get("used", {}), quota["spec"]["hard"]
        assert (counted.keys(), quota.get("status", {}).get("hard")) == (hard.keys(), hard)
        assert {key: counted[key] for key in wanted} == wanted, counted
        return quota

    return eventually(check)


def described(tool: Tool, name: str) -> dict[str, tuple[str, str]]:
    """What `describe quota` says is used, and is there, of each resource."""
    lines = tool("describe", "quota", name).lines()
    start = next(number for number, line in enumerate(lines) if re.match(r"-+ +-+ +-+", line))
    rows = [line.split() for line in lines[start + 1 :] if line.strip()]
    return {resource: (used, hard) for resource, used, hard in rows}


def refusal(tool: Tool, manifest: Object) -> str:
    """What is said about a manifest that is not taken."""
    return tool("apply", "-f", "-", stdin=documents(manifest), code=1).err


def replica_set(ns: Namespace) -> Object:
    found = ns.list("replicasets")
    assert len(found) == 1, f"there are {len(found)} ReplicaSets"
    return found[0]


def failure(ns: Namespace) -> Object:
    def check() -> Object:
        found = condition(replica_set(ns), "ReplicaFailure")
        assert found.get("status") == "True", found
        return found

    return eventually(check)


def test_a_deployment_gets_what_fits_and_the_rest_when_there_is_room(tool: Tool, ns: Namespace) -> None:
    tool("create", "quota", "room", "--hard=pods=2,requests.cpu=1")
    in_force(ns, "room", pods="0", requests_cpu="0")
    wanted = deployment("web", 3, sleeper(resources={"requests": {"cpu": "10m"}}))
    tool.apply(wanted)
    found = failure(ns)
    assert found["reason"] == "FailedCreate"
    sentence = "is forbidden: exceeded quota: room, requested: pods=1, used: pods=2, limited: pods=2"
    assert sentence in found["message"]
    told = ns.event("FailedCreate", replica_set(ns)["metadata"]["name"], says=sentence)
    assert (told["type"], sentence in told["message"]) == ("Warning", True)
    assert sentence in tool("describe", "rs").out
    assert described(tool, "room") == {"pods": ("2", "2"), "requests.cpu": ("20m", "1")}
    assert len(ns.pods()) == 2

    tool("patch", "quota", "room", "--type=merge", "-p", '{"spec":{"hard":{"pods":"5"}}}')
    ns.deployment_done("web")
    eventually(lambda: _no_failure(ns))
    in_force(ns, "room", pods="3", requests_cpu="30m")
    tool("scale", "deployment/web", "--replicas=1")
    in_force(ns, "room", pods="1", requests_cpu="10m")
    assert described(tool, "room") == {"pods": ("1", "5"), "requests.cpu": ("10m", "1")}
    tool("delete", "deployment", "web")
    in_force(ns, "room", pods="0", requests_cpu="0")


def _no_failure(ns: Namespace) -> None:
    found = condition(replica_set(ns), "ReplicaFailure")
    assert not found, found


def test_objects_are_counted(tool: Tool, ns: Namespace) -> None:
    eventually(lambda: _has_root_ca(ns))
    tool("create", "quota", "few", "--hard=count/configmaps=2,services.nodeports=1,count/deployments.apps=0")
    in_force(ns, "few", count__configmaps="1", services_nodeports="0")
    tool("create", "configmap", "one")
    refused = tool("create", "configmap", "two", code=1).err
    assert (
        'configmaps "two" is forbidden: exceeded quota: few, requested: count/configmaps=1, used: count/configmaps=2' in refused
    )
    tool("create", "service", "nodeport", "open", "--tcp=80:80")
    refused = tool("create", "service", "nodeport", "closed", "--tcp=80:80", code=1).err
    assert "exceeded quota: few, requested: services.nodeports=1, used: services.nodeports=1" in refused
    tool("create", "service", "clusterip", "within", "--tcp=80:80")
    refused = refusal(tool, deployment("web", 1, sleeper(), template=NOWHERE))
    assert 'deployments.apps "web" is forbidden: exceeded quota: few' in refused
    tool("patch", "service", "open", "--type=merge", "-p", '{"spec":{"type":"ClusterIP"}}')
    tool("delete", "configmap", "one")
    in_force(ns, "few", count__configmaps="1", services_nodeports="0")
    tool("create", "service", "nodeport", "closed", "--tcp=80:80")
    in_force(ns, "few", services_nodeports="1")


def _has_root_ca(ns: Namespace) -> None:
    assert ns.find("configmaps", "kube-root-ca.crt"), "every namespace gets one"


def test_scopes(tool: Tool, ns: Namespace) -> None:
    tool("create", "quota", "modest", "--hard=pods=1", "--scopes=BestEffort")
    in_force(ns, "modest", pods="0")
    tool.apply(pod("first", "true", **NOWHERE))
    assert "exceeded quota: modest" in refusal(tool, pod("second", "true", **NOWHERE))
    asking = sleeper(resources={"requests": {"cpu": "1m"}})
    tool.apply(pod("asking", asking, **NOWHERE))
    in_force(ns, "modest", pods="1")
    shown = tool("describe", "quota", "modest").out
    assert re.search(r"^Scopes:\s+BestEffort$", shown, re.MULTILINE)
    assert described(tool, "modest") == {"pods": ("1", "1")}


def test_writes_at_once_never_get_more_than_there_is(ns: Namespace) -> None:
    ns.create(_quota("tight", {"pods": "5", "secrets": "3"}), "resourcequotas")
    in_force(ns, "tight", pods="0", secrets="0")
    with ns.recorded("resourcequotas") as recorder, ThreadPoolExecutor(12) as pool:
        pods = [pool.submit(_posted, ns, "pods", pod(f"p{index}", "true", **NOWHERE)) for index in range(30)]
        secrets = [pool.submit(_posted, ns, "secrets", secret(f"s{index}")) for index in range(15)]
        assert sorted(each.result() for each in pods) == [201] * 5 + [403] * 25
        assert sorted(each.result() for each in secrets) == [201] * 3 + [403] * 12
        in_force(ns, "tight", pods="5", secrets="3")
        recorder.wait(lambda _, each: each["status"]["used"] == {"pods": "5", "secrets": "3"}, "all that is used")
        seen = [each["status"]["used"] for each in recorder.objects()]
    assert seen
    assert max(int(used["pods"]) for used in seen) == 5
    assert max(int(used["secrets"]) for used in seen) == 3
    assert all((int(used["pods"]) <= 5, int(used["secrets"]) <= 3) == (True, True) for used in seen)


def _posted(ns: Namespace, resource: str, manifest: Object) -> int:
    return ns.rest.request("POST", ns.path(resource), manifest).status


def _quota(name: str, hard: dict[str, str]) -> Object:
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": {"hard": hard}}


def test_a_dry_run_is_judged_and_costs_nothing(tool: Tool, ns: Namespace) -> None:
    tool("create", "quota", "one", "--hard=count/secrets=1")
    in_force(ns, "one", count__secrets="0")
    tool("create", "secret", "generic", "tried", "--dry-run=server")
    tool("create", "secret", "generic", "tried", "--dry-run=server")
    in_force(ns, "one", count__secrets="0")
    tool("create", "secret", "generic", "made")
    assert "exceeded quota: one" in tool("create", "secret", "generic", "other", "--dry-run=server", code=1).err
    in_force(ns, "one", count__secrets="1")


def test_limit_ranges(tool: Tool, ns: Namespace) -> None:
    limits = {
        "type": "Container",
        "defaultRequest": {"cpu": "20m"},
        "default": {"cpu": "100m", "memory": "64Mi"},
        "max": {"cpu": "200m"},
    }
    tool.apply({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "bounds"}, "spec": {"limits": [limits]}})
    shown = tool("describe", "limitrange", "bounds").out
    assert re.search(r"^Container\s+cpu\s+-\s+200m\s+20m\s+100m\s+-$", shown, re.MULTILINE), shown
    tool("create", "quota", "room", "--hard=requests.cpu=30m,limits.memory=1Gi")
    in_force(ns, "room", requests_cpu="0", limits_memory="0")

    tool.apply(pod("plain", "true", **NOWHERE))
    resources = ns.get("pods", "plain")["spec"]["containers"][0]["resources"]
    assert resources == {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"cpu": "100m", "memory": "64Mi"}}
    in_force(ns, "room", requests_cpu="20m", limits_memory="64Mi")
    assert "exceeded quota: room, requested: requests.cpu=20m, used: requests.cpu=20m, limited: requests.cpu=30m" in refusal(
        tool, pod("second", "true", **NOWHERE)
    )
    greedy = sleeper(resources={"requests": {"cpu": "1m"}, "limits": {"cpu": "300m"}})
    assert "maximum cpu usage per Container is 200m, but limit is 300m" in refusal(tool, pod("greedy", greedy, **NOWHERE))
