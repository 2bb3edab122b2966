"""Cells of each kind's table: named objects against what kubectl shows for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from apimachinery import printing

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
CREATED = "2026-01-01T11:55:00Z"


@dataclass(frozen=True)
class Case:
    id: str
    group: str
    kind: str
    obj: dict[str, Any]
    want: dict[str, Any]


def meta(**more: Any) -> dict[str, Any]:
    return {"name": "x", "namespace": "default", "creationTimestamp": CREATED, **more}


def container(name: str = "a", *, ready: bool = True, restarts: int = 0, last: str = "", **state: Any) -> dict[str, Any]:
    ended = {"terminated": {"finishedAt": last, "exitCode": 1}} if last else {}
    return {"name": name, "ready": ready, "restartCount": restarts, "state": state, "lastState": ended}


def pod(
    phase: str = "Running",
    statuses: list[dict[str, Any]] | None = None,
    *,
    init: list[dict[str, Any]] | None = None,
    init_statuses: list[dict[str, Any]] | None = None,
    names: tuple[str, ...] = ("a",),
    metadata: dict[str, Any] | None = None,
    spec: dict[str, Any] | None = None,
    **status: Any,
) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta(**(metadata or {})),
        "spec": {"containers": [{"name": name} for name in names], "initContainers": init or [], **(spec or {})},
        "status": {"phase": phase, "containerStatuses": statuses or [], "initContainerStatuses": init_statuses or [], **status},
    }


RUNNING = {"running": {"startedAt": CREATED}}
DONE = {"terminated": {"exitCode": 0, "reason": "Completed"}}
READY = [{"type": "Ready", "status": "True"}]
INITIALIZED = [{"type": "Initialized", "status": "True"}]


def pod_case(name: str, obj: dict[str, Any], ready: str, status: str, restarts: str = "0", **more: str) -> Case:
    return Case(name, "", "Pod", obj, {"Ready": ready, "Status": status, "Restarts": restarts, "Age": "5m", **more})


PODS = (
    pod_case("running", pod(statuses=[container(**RUNNING)]), "1/1", "Running"),
    pod_case("nothing known yet", pod("Pending"), "0/1", "Pending"),
    pod_case(
        "starting",
        pod("Pending", [container(ready=False, waiting={"reason": "ContainerCreating"})]),
        "0/1",
        "ContainerCreating",
    ),
    pod_case(
        "crash loop, with the time of the last end",
        pod(statuses=[container(ready=False, restarts=3, last="2026-01-01T11:58:00Z", waiting={"reason": "CrashLoopBackOff"})]),
        "0/1",
        "CrashLoopBackOff",
        "3 (2m ago)",
    ),
    pod_case("restarted long ago without a trace", pod(statuses=[container(restarts=2, **RUNNING)]), "1/1", "Running", "2"),
    pod_case("completed", pod("Succeeded", [container(ready=False, **DONE)]), "0/1", "Completed"),
    pod_case(
        "one has ended, one goes on, the pod is ready",
        pod(statuses=[container("a", **RUNNING), container("b", ready=False, **DONE)], names=("a", "b"), conditions=READY),
        "1/2",
        "Running",
    ),
    pod_case(
        "one has ended, one goes on, the pod is not ready",
        pod(statuses=[container("a", ready=False, **DONE), container("b", **RUNNING)], names=("a", "b")),
        "1/2",
        "NotReady",
    ),
    pod_case(
        "exit code without a reason", pod("Failed", [container(ready=False, terminated={"exitCode": 2})]), "0/1", "ExitCode:2"
    ),
    pod_case("killed by a signal", pod("Failed", [container(ready=False, terminated={"signal": 9})]), "0/1", "Signal:9"),
    pod_case("evicted", pod("Failed", reason="Evicted"), "0/1", "Evicted"),
    pod_case(
        "held back by a gate",
        pod("Pending", conditions=[{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]),
        "0/1",
        "SchedulingGated",
    ),
    pod_case(
        "first of two init containers",
        pod("Pending", init=[{"name": "i"}, {"name": "j"}], init_statuses=[container("i", **RUNNING)]),
        "0/1",
        "Init:0/2",
    ),
    pod_case(
        "second of two init containers",
        pod("Pending", init=[{"name": "i"}, {"name": "j"}], init_statuses=[container("i", **DONE), container("j", waiting={})]),
        "0/1",
        "Init:1/2",
    ),
    pod_case(
        "init container fails",
        pod(
            "Pending",
            init=[{"name": "i"}],
            init_statuses=[container("i", restarts=1, terminated={"exitCode": 3, "reason": "Error"})],
        ),
        "0/1",
        "Init:Error",
        "1",
    ),
    pod_case(
        "init container cannot be pulled",
        pod("Pending", init=[{"name": "i"}], init_statuses=[container("i", waiting={"reason": "ImagePullBackOff"})]),
        "0/1",
        "Init:ImagePullBackOff",
    ),
    pod_case(
        "init containers are done",
        pod(
            "Pending",
            [container(ready=False, waiting={"reason": "PodInitializing"})],
            init=[{"name": "i"}],
            init_statuses=[container("i", **DONE)],
            conditions=INITIALIZED,
        ),
        "0/1",
        "PodInitializing",
    ),
    pod_case(
        "a sidecar counts as a container",
        pod(
            statuses=[container(**RUNNING)],
            init=[{"name": "s", "restartPolicy": "Always"}],
            init_statuses=[{**container("s", restarts=1, **RUNNING), "started": True}],
            conditions=INITIALIZED,
        ),
        "2/2",
        "Running",
        "1",
    ),
    pod_case("going away", pod(statuses=[container(**RUNNING)], metadata={"deletionTimestamp": CREATED}), "1/1", "Terminating"),
    pod_case(
        "going away, but ended already",
        pod("Succeeded", [container(ready=False, **DONE)], metadata={"deletionTimestamp": CREATED}),
        "0/1",
        "Completed",
    ),
    pod_case("going away with a lost node", pod(reason="NodeLost", metadata={"deletionTimestamp": CREATED}), "0/1", "Unknown"),
    pod_case(
        "wide columns",
        pod(
            statuses=[container(**RUNNING)],
            spec={"nodeName": "n1", "readinessGates": [{"conditionType": "g"}, {"conditionType": "h"}]},
            podIP="10.244.1.2",
            conditions=[{"type": "g", "status": "True"}],
        ),
        "1/1",
        "Running",
        IP="10.244.1.2",
        Node="n1",
        **{"Nominated Node": "<none>", "Readiness Gates": "1/2"},
    ),
)

NODE_INFO = {
    "kubeletVersion": "v1.36.0",
    "osImage": "Debian",
    "kernelVersion": "6.1",
    "containerRuntimeVersion": "containerd://1",
}


def node(ready: str = "True", **more: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready}] if ready else []
    return {
        "metadata": meta(labels=more.pop("labels", {})),
        "spec": more,
        "status": {"conditions": conditions, "nodeInfo": NODE_INFO},
    }


def service(kind: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": meta(), "spec": {"type": kind, **spec}, "status": spec.pop("status", {})}


OTHERS = (
    Case(
        "ready node", "", "Node", node(), {"Status": "Ready", "Roles": "<none>", "Version": "v1.36.0", "Internal-IP": "<none>"}
    ),
    Case("cordoned node", "", "Node", node("Unknown", unschedulable=True), {"Status": "NotReady,SchedulingDisabled"}),
    Case("silent node", "", "Node", node(""), {"Status": "Unknown"}),
    Case(
        "roles are sorted",
        "",
        "Node",
        node(
            labels={
                "node-role.kubernetes.io/worker": "",
                "node-role.kubernetes.io/control-plane": "",
                "kubernetes.io/role": "z",
            }
        ),
        {"Roles": "control-plane,worker,z"},
    ),
    Case(
        "cluster address with a node port",
        "",
        "Service",
        service(
            "NodePort",
            clusterIPs=["10.96.0.9"],
            ports=[{"port": 80, "nodePort": 30080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}],
        ),
        {
            "Type": "NodePort",
            "Cluster-IP": "10.96.0.9",
            "External-IP": "<none>",
            "Port(s)": "80:30080/TCP,53/UDP",
            "Selector": "<none>",
        },
    ),
    Case("headless", "", "Service", service("ClusterIP", clusterIP="None"), {"Cluster-IP": "None", "Port(s)": "<none>"}),
    Case(
        "waiting for a balancer", "", "Service", service("LoadBalancer", clusterIPs=["1.2.3.4"]), {"External-IP": "<pending>"}
    ),
    Case(
        "a name elsewhere",
        "",
        "Service",
        service("ExternalName", externalName="a.b"),
        {"External-IP": "a.b", "Cluster-IP": "<none>"},
    ),
    Case(
        "more endpoints than fit",
        "",
        "Endpoints",
        {"metadata": meta(), "subsets": [{"addresses": [{"ip": f"10.0.0.{n}"} for n in range(1, 6)], "ports": [{"port": 80}]}]},
        {"Endpoints": "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more..."},
    ),
    Case("no endpoints", "", "Endpoints", {"metadata": meta()}, {"Endpoints": "<none>"}),
    Case(
        "slice",
        "discovery.k8s.io",
        "EndpointSlice",
        {"metadata": meta(), "addressType": "IPv4", "ports": [{"port": 80}, {}], "endpoints": [{"addresses": ["10.0.0.1"]}]},
        {"AddressType": "IPv4", "Ports": "80,*", "Endpoints": "10.0.0.1"},
    ),
    Case(
        "empty slice", "discovery.k8s.io", "EndpointSlice", {"metadata": meta()}, {"Ports": "<unset>", "Endpoints": "<unset>"}
    ),
    Case(
        "deployment",
        "apps",
        "Deployment",
        {
            "metadata": meta(),
            "spec": {
                "replicas": 3,
                "selector": {
                    "matchLabels": {"app": "w"},
                    "matchExpressions": [{"key": "t", "operator": "In", "values": ["b", "a"]}],
                },
                "template": {"spec": {"containers": [{"name": "a", "image": "i:1"}, {"name": "b", "image": "j:2"}]}},
            },
            "status": {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1},
        },
        {
            "Ready": "2/3",
            "Up-to-date": 3,
            "Available": 1,
            "Containers": "a,b",
            "Images": "i:1,j:2",
            "Selector": "app=w,t in (a,b)",
        },
    ),
    Case(
        "scaled to zero",
        "apps",
        "ReplicaSet",
        {"metadata": meta(), "spec": {"replicas": 0}},
        {"Desired": 0, "Current": 0, "Ready": 0, "Age": "5m"},
    ),
    Case("config map", "", "ConfigMap", {"metadata": meta(), "data": {"a": ""}, "binaryData": {"b": ""}}, {"Data": 2}),
    Case("secret", "", "Secret", {"metadata": meta(), "type": "Opaque", "data": {"a": ""}}, {"Type": "Opaque", "Data": 1}),
    Case("service account", "", "ServiceAccount", {"metadata": meta()}, {"Secrets": 0}),
    Case("namespace", "", "Namespace", {"metadata": meta(), "status": {"phase": "Active"}}, {"Status": "Active"}),
    Case("lease", "coordination.k8s.io", "Lease", {"metadata": meta(), "spec": {"holderIdentity": "n1"}}, {"Holder": "n1"}),
    Case(
        "event seen often",
        "",
        "Event",
        {
            "metadata": meta(),
            "type": "Warning",
            "reason": "BackOff",
            "message": "one\n",
            "count": 4,
            "firstTimestamp": "2026-01-01T11:00:00Z",
            "lastTimestamp": "2026-01-01T11:59:30Z",
            "involvedObject": {"kind": "Pod", "name": "p"},
            "source": {"component": "kubelet", "host": "n1"},
        },
        {"Last Seen": "30s", "Object": "pod/p", "Source": "kubelet, n1", "First Seen": "60m", "Count": 4, "Message": "one"},
    ),
    Case(
        "event with a series",
        "",
        "Event",
        {
            "metadata": meta(),
            "eventTime": "2026-01-01T11:00:00.000000Z",
            "series": {"count": 9, "lastObservedTime": "2026-01-01T11:59:00.000000Z"},
        },
        {"Last Seen": "60s", "First Seen": "60m", "Count": 9},
    ),
    Case(
        "event in its newer form",
        "events.k8s.io",
        "Event",
        {
            "metadata": meta(),
            "regarding": {"kind": "Pod", "name": "p"},
            "note": "well",
            "eventTime": "2026-01-01T11:59:00.000000Z",
            "reportingController": "kubelet",
            "deprecatedCount": 2,
        },
        {"Last Seen": "60s", "Object": "pod/p", "Message": "well", "Source": "kubelet", "Count": 2},
    ),
    Case(
        "budget",
        "policy",
        "PodDisruptionBudget",
        {"metadata": meta(), "spec": {"minAvailable": "50%"}, "status": {"disruptionsAllowed": 1}},
        {"Min Available": "50%", "Max Unavailable": "N/A", "Allowed Disruptions": 1, "Age": "5m"},
    ),
    Case(
        "ingress",
        "networking.k8s.io",
        "Ingress",
        {
            "metadata": meta(),
            "spec": {"ingressClassName": "nginx", "rules": [{"host": f"{n}.example.com"} for n in "abcde"], "tls": [{}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}, {"hostname": "lb"}]}},
        },
        {
            "Class": "nginx",
            "Hosts": "a.example.com,b.example.com,c.example.com + 2 more...",
            "Address": "10.0.0.1,lb",
            "Ports": "80, 443",
        },
    ),
    Case(
        "ingress of any host",
        "networking.k8s.io",
        "Ingress",
        {"metadata": meta(), "spec": {"rules": [{"http": {}}]}},
        {"Class": "<none>", "Hosts": "*", "Address": "", "Ports": "80"},
    ),
    Case(
        "ingress class",
        "networking.k8s.io",
        "IngressClass",
        {
            "metadata": meta(),
            "spec": {"controller": "x.io/c", "parameters": {"apiGroup": "x.io", "kind": "P", "name": "p"}},
        },
        {"Controller": "x.io/c", "Parameters": "P.x.io/p"},
    ),
    Case(
        "network policy",
        "networking.k8s.io",
        "NetworkPolicy",
        {"metadata": meta(), "spec": {"podSelector": {"matchLabels": {"a": "b"}}}},
        {"Pod-Selector": "a=b"},
    ),
    Case("policy of all pods", "networking.k8s.io", "NetworkPolicy", {"metadata": meta()}, {"Pod-Selector": "<none>"}),
    Case(
        "address",
        "networking.k8s.io",
        "IPAddress",
        {"metadata": meta(), "spec": {"parentRef": {"resource": "services", "namespace": "default", "name": "kubernetes"}}},
        {"ParentRef": "services/default/kubernetes"},
    ),
    Case("network", "networking.k8s.io", "ServiceCIDR", {"metadata": meta(), "spec": {"cidrs": ["a", "b"]}}, {"CIDRs": "a,b"}),
    Case("role", "rbac.authorization.k8s.io", "Role", {"metadata": meta()}, {"Created At": CREATED}),
    Case(
        "binding",
        "rbac.authorization.k8s.io",
        "RoleBinding",
        {
            "metadata": meta(),
            "roleRef": {"kind": "ClusterRole", "name": "view"},
            "subjects": [
                {"kind": "User", "name": "a"},
                {"kind": "User", "name": "b"},
                {"kind": "Group", "name": "g"},
                {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
            ],
        },
        {"Role": "ClusterRole/view", "Users": "a, b", "Groups": "g", "ServiceAccounts": "n/s"},
    ),
    Case(
        "priority",
        "scheduling.k8s.io",
        "PriorityClass",
        {"metadata": meta(), "value": 7},
        {"Value": 7, "Global-Default": False, "PreemptionPolicy": "PreemptLowerPriority"},
    ),
    Case("runtime", "node.k8s.io", "RuntimeClass", {"metadata": meta(), "handler": "runsc"}, {"Handler": "runsc"}),
    Case(
        "autoscaler",
        "autoscaling",
        "HorizontalPodAutoscaler",
        {
            "metadata": meta(),
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": "web"},
                "minReplicas": 1,
                "maxReplicas": 5,
                "metrics": [
                    {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}},
                    {"type": "Object", "object": {"target": {"averageValue": "10"}}},
                    {"type": "Pods", "pods": {"target": {"averageValue": "10"}}},
                ],
            },
            "status": {
                "currentReplicas": 2,
                "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 7}}}],
            },
        },
        {
            "Reference": "Deployment/web",
            "Targets": "cpu: 7%/80%, <unknown>/10 (avg) + 1 more...",
            "MinPods": "1",
            "MaxPods": 5,
            "Replicas": 2,
        },
    ),
    Case(
        "autoscaler in its older form",
        "autoscaling",
        "HorizontalPodAutoscaler",
        {"metadata": meta(), "spec": {"targetCPUUtilizationPercentage": 50}},
        {"Targets": "cpu: <unknown>/50%", "MinPods": "<unset>"},
    ),
    Case(
        "scale",
        "autoscaling",
        "Scale",
        {"metadata": meta(), "spec": {"replicas": 3}, "status": {"replicas": 2}},
        {"Name": "x", "Desired": 3, "Available": 2, "Age": "5m"},
    ),
    Case(
        "certificate request",
        "certificates.k8s.io",
        "CertificateSigningRequest",
        {
            "metadata": meta(),
            "spec": {"signerName": "x.io/s", "username": "jane", "expirationSeconds": 86400},
            "status": {"conditions": [{"type": "Approved"}], "certificate": "eA=="},
        },
        {"SignerName": "x.io/s", "Requestor": "jane", "RequestedDuration": "24h", "Condition": "Approved,Issued"},
    ),
    Case(
        "certificate request that waits",
        "certificates.k8s.io",
        "CertificateSigningRequest",
        {"metadata": meta(), "spec": {"signerName": "x.io/s"}},
        {"RequestedDuration": "<none>", "Condition": "Pending"},
    ),
    Case("a kind nobody knows", "example.com", "Boat", {"metadata": meta()}, {"Name": "x", "Age": "5m"}),
    Case("an object without a time", "", "ConfigMap", {"metadata": {"name": "x"}}, {"Age": "<unknown>"}),
)


@pytest.mark.parametrize("case", PODS + OTHERS, ids=lambda case: f"{case.kind}: {case.id}")
def test_cells(case: Case) -> None:
    shape = printing.shape_for(case.group, case.kind)
    cells = shape.cells(case.obj, NOW)
    assert len(cells) == len(shape.columns)
    shown = {column.name: cell for column, cell in zip(shape.columns, cells, strict=True)}
    assert {name: shown[name] for name in case.want} == case.want


@pytest.mark.parametrize(("group", "kind"), list(printing.SHAPES), ids=str)
def test_every_shape_takes_an_empty_object(group: str, kind: str) -> None:
    shape = printing.shape_for(group, kind)
    assert len(shape.cells({"metadata": {}}, NOW)) == len(shape.columns)


def test_table_of_the_api() -> None:
    table = printing.table("", "ConfigMap", [{"metadata": meta(), "data": {"a": "b"}}], NOW)
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert table["rows"][0]["cells"] == ["x", 1, "5m"]
    assert table["rows"][0]["object"]["metadata"]["name"] == "x"
