"""Pods: defaults, what is decided at creation, the rules of the specification."""

from typing import Any

import pytest

from apimachinery import codec
from apimachinery.resources import PODS
from apiserver.strategy import STRATEGIES
from tests.support.strategies import (
    ABSENT,
    DUPLICATE,
    FORBIDDEN,
    INVALID,
    REQUIRED,
    UNSUPPORTED,
    Row,
    changed,
    check,
    check_defaults_are_stable,
    created,
    errors_on_create,
    wrong,
)

Plain = dict[str, Any]
PLAIN: Plain = {
    "metadata": {"name": "a", "namespace": "default"},
    "spec": {"containers": [{"name": "c", "image": "busybox:1"}]},
}
TERM = {"labelSelector": {"matchLabels": {"a": "b"}}, "topologyKey": "kubernetes.io/hostname"}
NODE_TERMS = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
PREFERRED_NODES = "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution"
REQUIRED_PODS = "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED_PODS = "spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution"
SPREAD = {
    "maxSkew": 1,
    "topologyKey": "zone",
    "whenUnsatisfiable": "DoNotSchedule",
    "labelSelector": {"matchLabels": {"a": "b"}},
}


def expression(operator: str, *values: str, key: str = "k") -> Plain:
    return {"key": key, "operator": operator, "values": list(values)}


GENERAL = (
    Row("right", {}),
    Row("no containers", {"spec.containers": []}, [wrong("spec.containers", REQUIRED)]),
    Row("no specification", {"spec": ABSENT}, [wrong("spec.containers", REQUIRED)]),
    Row(
        "restart policy",
        {"spec.restartPolicy": "Sometimes"},
        [wrong("spec.restartPolicy", UNSUPPORTED, '"Always", "Never", "OnFailure"')],
    ),
    Row("DNS policy", {"spec.dnsPolicy": "Mine"}, [wrong("spec.dnsPolicy", UNSUPPORTED)]),
    Row("no DNS at all", {"spec.dnsPolicy": "None"}, [wrong("spec.dnsConfig", REQUIRED, "at least one DNS nameserver")]),
    Row(
        "DNS of one's own",
        {"spec.dnsPolicy": "None", "spec.dnsConfig": {"nameservers": ["10.0.0.1"], "searches": ["a.b.", "_c.d", "."]}},
    ),
    Row(
        "a nameserver that is none",
        {"spec.dnsConfig": {"nameservers": ["x"]}},
        [wrong("spec.dnsConfig.nameservers[0]", INVALID)],
    ),
    Row(
        "too many nameservers",
        {"spec.dnsConfig": {"nameservers": ["1.1.1.1"] * 4}},
        [wrong("spec.dnsConfig.nameservers", INVALID, "more than 3")],
    ),
    Row(
        "too many searches",
        {"spec.dnsConfig": {"searches": ["a"] * 33}},
        [wrong("spec.dnsConfig.searches", INVALID, "more than 32 search paths")],
    ),
    Row(
        "searches that are too long",
        {"spec.dnsConfig": {"searches": [".".join(["a" * 50] * 4)] * 12}},
        [wrong("spec.dnsConfig.searches", INVALID, "2048")],
    ),
    Row("a search that is no name", {"spec.dnsConfig": {"searches": ["a b"]}}, [wrong("spec.dnsConfig.searches[0]", INVALID)]),
    Row(
        "an option without name",
        {"spec.dnsConfig": {"options": [{"value": "1"}]}},
        [wrong("spec.dnsConfig.options[0]", REQUIRED)],
    ),
    Row(
        "deadline",
        {"spec.activeDeadlineSeconds": 0},
        [wrong("spec.activeDeadlineSeconds", INVALID, "between 1 and 2147483647")],
    ),
    Row("hostname", {"spec.hostname": "a.b"}, [wrong("spec.hostname", INVALID)]),
    Row("subdomain", {"spec.subdomain": "a.b"}, [wrong("spec.subdomain", INVALID)]),
    Row("service account", {"spec.serviceAccountName": "A"}, [wrong("spec.serviceAccountName", INVALID)]),
    Row("node name", {"spec.nodeName": "A"}, [wrong("spec.nodeName", INVALID)]),
    Row(
        "class names",
        {"spec.priorityClassName": "A", "spec.runtimeClassName": "B"},
        [wrong("spec.priorityClassName", INVALID), wrong("spec.runtimeClassName", INVALID)],
    ),
    Row("node selector", {"spec.nodeSelector": {"a": "b c"}}, [wrong("spec.nodeSelector", INVALID)]),
    Row("preemption", {"spec.preemptionPolicy": "Maybe"}, [wrong("spec.preemptionPolicy", UNSUPPORTED)]),
    Row("operating system", {"spec.os": {"name": "plan9"}}, [wrong("spec.os.name", UNSUPPORTED)]),
    Row("overhead", {"spec.overhead": {"cpu": "-1"}}, [wrong("spec.overhead[cpu]", INVALID)]),
    Row("host aliases", {"spec.hostAliases": [{"ip": "127.0.0.1", "hostnames": ["a.b"]}]}),
    Row(
        "wrong host aliases",
        {"spec.hostAliases": [{"ip": "x", "hostnames": ["a b"]}]},
        [wrong("spec.hostAliases[0].ip", INVALID), wrong("spec.hostAliases[0].hostnames[0]", INVALID)],
    ),
    Row(
        "readiness gate",
        {"spec.readinessGates": [{"conditionType": "a b"}]},
        [wrong("spec.readinessGates[0].conditionType", INVALID)],
    ),
    Row(
        "processes shared with the host and among containers",
        {"spec.shareProcessNamespace": True, "spec.hostPID": True},
        [wrong("spec.shareProcessNamespace", INVALID, "cannot both be enabled")],
    ),
    Row(
        "users of its own on the host's network",
        {"spec.hostUsers": False, "spec.hostNetwork": True},
        [wrong("spec.hostNetwork", FORBIDDEN, "hostUsers")],
    ),
    Row(
        "ephemeral containers at creation",
        {"spec.ephemeralContainers": [{"name": "e", "image": "busybox:1"}]},
        [wrong("spec.ephemeralContainers", FORBIDDEN, "cannot be set on create")],
    ),
    Row(
        "resource claims",
        {"spec.resourceClaims": [{"name": "a", "resourceClaimName": "x"}, {"name": "a"}]},
        [wrong("spec.resourceClaims[1]", REQUIRED), wrong("spec.resourceClaims[1].name", DUPLICATE)],
    ),
    Row(
        "pod resources",
        {"spec.resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}},
        [wrong("spec.resources.requests", INVALID)],
    ),
)

SECURITY = (
    Row("users and groups", {"spec.securityContext": {"runAsUser": 0, "fsGroup": 1, "supplementalGroups": [1]}}),
    Row(
        "negative ones",
        {"spec.securityContext": {"runAsUser": -1, "runAsGroup": -1, "fsGroup": -1, "supplementalGroups": [-1]}},
        [
            wrong("spec.securityContext.runAsUser", INVALID),
            wrong("spec.securityContext.runAsGroup", INVALID),
            wrong("spec.securityContext.fsGroup", INVALID),
            wrong("spec.securityContext.supplementalGroups[0]", INVALID),
        ],
    ),
    Row("sysctl", {"spec.securityContext.sysctls": [{"name": "kernel.shm_rmid_forced", "value": "1"}]}),
    Row(
        "sysctl's name",
        {"spec.securityContext.sysctls": [{"name": "A B", "value": "1"}]},
        [wrong("spec.securityContext.sysctls[0].name", INVALID)],
    ),
    Row(
        "sysctl twice",
        {"spec.securityContext.sysctls": [{"name": "net.a", "value": "1"}, {"name": "net/a", "value": "1"}]},
        [wrong("spec.securityContext.sysctls[1].name", DUPLICATE)],
    ),
    Row(
        "sysctl of the host",
        {"spec.hostNetwork": True, "spec.securityContext.sysctls": [{"name": "net.a", "value": "1"}]},
        [wrong("spec.securityContext.sysctls[0].name", INVALID, "host's namespace")],
    ),
    Row(
        "file ownership",
        {"spec.securityContext.fsGroupChangePolicy": "Never"},
        [wrong("spec.securityContext.fsGroupChangePolicy", UNSUPPORTED)],
    ),
    Row("seccomp", {"spec.securityContext.seccompProfile": {"type": "Localhost", "localhostProfile": "a.json"}}),
    Row(
        "seccomp without profile",
        {"spec.securityContext.seccompProfile": {"type": "Localhost"}},
        [wrong("spec.securityContext.seccompProfile.localhostProfile", REQUIRED)],
    ),
    Row(
        "seccomp with a profile too many",
        {"spec.securityContext.seccompProfile": {"type": "Unconfined", "localhostProfile": "x"}},
        [wrong("spec.securityContext.seccompProfile.localhostProfile", INVALID)],
    ),
    Row(
        "seccomp's profile elsewhere",
        {"spec.securityContext.seccompProfile": {"type": "Localhost", "localhostProfile": "../x"}},
        [wrong("spec.securityContext.seccompProfile.localhostProfile", INVALID)],
    ),
    Row(
        "seccomp's type",
        {"spec.securityContext.seccompProfile": {"type": "No"}},
        [wrong("spec.securityContext.seccompProfile.type", UNSUPPORTED)],
    ),
)

SCHEDULING = (
    Row("node affinity", {NODE_TERMS: [{"matchExpressions": [expression("In", "v"), expression("Gt", "1")]}]}),
    Row("no terms", {NODE_TERMS: []}, [wrong(NODE_TERMS, REQUIRED, "at least one node selector term")]),
    Row(
        "no values",
        {NODE_TERMS: [{"matchExpressions": [expression("In")]}]},
        [wrong(f"{NODE_TERMS}[0].matchExpressions[0].values", REQUIRED)],
    ),
    Row(
        "values too many",
        {NODE_TERMS: [{"matchExpressions": [expression("Exists", "v"), expression("Lt", "1", "2")]}]},
        [
            wrong(f"{NODE_TERMS}[0].matchExpressions[0].values", FORBIDDEN),
            wrong(f"{NODE_TERMS}[0].matchExpressions[1].values", REQUIRED),
        ],
    ),
    Row(
        "an operator",
        {NODE_TERMS: [{"matchExpressions": [expression("Is", "v")]}]},
        [wrong(f"{NODE_TERMS}[0].matchExpressions[0].operator", INVALID, "not a valid selector operator")],
    ),
    Row("by name", {NODE_TERMS: [{"matchFields": [expression("In", "n", key="metadata.name")]}]}),
    Row(
        "by another field",
        {NODE_TERMS: [{"matchFields": [expression("In", "n", key="metadata.uid")]}]},
        [wrong(f"{NODE_TERMS}[0].matchFields[0].key", INVALID)],
    ),
    Row(
        "weight",
        {PREFERRED_NODES: [{"weight": 0, "preference": {}}]},
        [wrong(f"{PREFERRED_NODES}[0].weight", INVALID, "1-100")],
    ),
    Row("pod affinity", {REQUIRED_PODS: [TERM], PREFERRED_PODS: [{"weight": 5, "podAffinityTerm": TERM}]}),
    Row("no topology", {REQUIRED_PODS: [{**TERM, "topologyKey": ""}]}, [wrong(f"{REQUIRED_PODS}[0].topologyKey", REQUIRED)]),
    Row(
        "pod affinity's weight",
        {PREFERRED_PODS: [{"weight": 101, "podAffinityTerm": TERM}]},
        [wrong(f"{PREFERRED_PODS}[0].weight", INVALID)],
    ),
    Row(
        "pod affinity's selector",
        {REQUIRED_PODS: [{**TERM, "labelSelector": {"matchExpressions": [expression("NotIn")]}}]},
        [wrong(f"{REQUIRED_PODS}[0].labelSelector.matchExpressions[0].values", REQUIRED)],
    ),
    Row(
        "pod affinity's namespaces",
        {REQUIRED_PODS: [{**TERM, "namespaces": ["A"]}]},
        [wrong(f"{REQUIRED_PODS}[0].namespaces[0]", INVALID)],
    ),
    Row(
        "keys to match and not",
        {REQUIRED_PODS: [{**TERM, "matchLabelKeys": ["x"], "mismatchLabelKeys": ["x"]}]},
        [wrong(f"{REQUIRED_PODS}[0].matchLabelKeys[0]", INVALID)],
    ),
    Row("tolerations", {"spec.tolerations": [{"operator": "Exists"}, {"key": "k", "value": "v", "effect": "NoSchedule"}]}),
    Row(
        "toleration of nothing",
        {"spec.tolerations": [{"operator": "Equal"}]},
        [wrong("spec.tolerations[0].operator", INVALID, "must be Exists when `key` is empty")],
    ),
    Row(
        "toleration for a time without eviction",
        {"spec.tolerations": [{"key": "k", "operator": "Exists", "effect": "NoSchedule", "tolerationSeconds": 5}]},
        [wrong("spec.tolerations[0].effect", INVALID, "NoExecute")],
    ),
    Row(
        "toleration of any value, and one",
        {"spec.tolerations": [{"key": "k", "operator": "Exists", "value": "v"}]},
        [wrong("spec.tolerations[0].operator", INVALID, "must be empty")],
    ),
    Row(
        "toleration's operator",
        {"spec.tolerations": [{"key": "k", "operator": "Is"}]},
        [wrong("spec.tolerations[0].operator", UNSUPPORTED)],
    ),
    Row(
        "toleration's effect",
        {"spec.tolerations": [{"key": "k", "effect": "No"}]},
        [wrong("spec.tolerations[0].effect", UNSUPPORTED)],
    ),
    Row("spreading", {"spec.topologySpreadConstraints": [SPREAD, {**SPREAD, "whenUnsatisfiable": "ScheduleAnyway"}]}),
    Row(
        "spreading twice",
        {"spec.topologySpreadConstraints": [SPREAD, SPREAD]},
        [wrong("spec.topologySpreadConstraints[1].{topologyKey, whenUnsatisfiable}", DUPLICATE)],
    ),
    Row(
        "no skew",
        {"spec.topologySpreadConstraints": [{**SPREAD, "maxSkew": 0}]},
        [wrong("spec.topologySpreadConstraints[0].maxSkew", INVALID)],
    ),
    Row(
        "no topology to spread over",
        {"spec.topologySpreadConstraints": [{**SPREAD, "topologyKey": ""}]},
        [wrong("spec.topologySpreadConstraints[0].topologyKey", REQUIRED)],
    ),
    Row(
        "what else",
        {"spec.topologySpreadConstraints": [{**SPREAD, "whenUnsatisfiable": "Cry"}]},
        [wrong("spec.topologySpreadConstraints[0].whenUnsatisfiable", UNSUPPORTED)],
    ),
    Row(
        "domains when any will do",
        {"spec.topologySpreadConstraints": [{**SPREAD, "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2}]},
        [wrong("spec.topologySpreadConstraints[0].minDomains", INVALID)],
    ),
    Row(
        "gates",
        {"spec.schedulingGates": [{"name": "a/b"}, {"name": "a/b"}, {"name": ""}]},
        [wrong("spec.schedulingGates[1].name", DUPLICATE), wrong("spec.schedulingGates[2].name", INVALID)],
    ),
    Row(
        "a node and gates",
        {"spec.schedulingGates": [{"name": "a"}], "spec.nodeName": "n"},
        [wrong("spec.nodeName", FORBIDDEN, "schedulingGates")],
    ),
)


@pytest.mark.parametrize("row", [*GENERAL, *SECURITY, *SCHEDULING], ids=lambda row: row.id)
def test_create(row: Row) -> None:
    plain = changed(PLAIN, row.changes)
    check(errors_on_create(PODS, plain), row.wrong)
    check_defaults_are_stable(PODS, plain)


def test_defaults() -> None:
    plain = changed(
        PLAIN,
        {
            "spec.containers[0]": {
                "name": "c",
                "image": "busybox",
                "ports": [{"containerPort": 80}],
                "resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}},
                "livenessProbe": {"httpGet": {"port": 80}},
                "env": [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                "lifecycle": {"preStop": {"httpGet": {"port": 80}}},
            },
            "spec.volumes": [
                {"name": "e"},
                {"name": "c", "configMap": {"name": "x"}},
                {"name": "p", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            ],
            "spec.serviceAccountName": "me",
        },
    )
    pod = codec.to_plain(created(PODS, plain))
    assert pod["metadata"]["generation"] == 1
    assert pod["status"] == {"phase": "Pending", "qosClass": "Guaranteed"}
    assert pod["spec"] == {
        "containers": [
            {
                "name": "c",
                "image": "busybox",
                "imagePullPolicy": "Always",
                "ports": [{"containerPort": 80, "protocol": "TCP"}],
                "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}},
                "livenessProbe": {
                    "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
                    "failureThreshold": 3,
                    "periodSeconds": 10,
                    "successThreshold": 1,
                    "timeoutSeconds": 1,
                },
                "env": [{"name": "N", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}],
                "lifecycle": {"preStop": {"httpGet": {"path": "/", "port": 80, "scheme": "HTTP"}}},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
        ],
        "dnsPolicy": "ClusterFirst",
        "enableServiceLinks": True,
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "serviceAccount": "me",
        "serviceAccountName": "me",
        "terminationGracePeriodSeconds": 30,
        "volumes": [
            {"name": "e", "emptyDir": {}},
            {"name": "c", "configMap": {"name": "x", "defaultMode": 420}},
            {
                "name": "p",
                "projected": {
                    "defaultMode": 420,
                    "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}],
                },
            },
        ],
    }


IMAGES = (
    ("busybox", "Always"),
    ("busybox:latest", "Always"),
    ("busybox:1", "IfNotPresent"),
    ("registry.local:5000/busybox", "Always"),
    ("registry.local:5000/a/busybox:1", "IfNotPresent"),
    ("busybox@sha256:" + "0" * 64, "IfNotPresent"),
    ("busybox:latest@sha256:" + "0" * 64, "IfNotPresent"),
)


@pytest.mark.parametrize(("image", "policy"), IMAGES, ids=[image[:40] for image, _ in IMAGES])
def test_pull_policy_by_tag(image: str, policy: str) -> None:
    pod = created(PODS, changed(PLAIN, {"spec.containers[0].image": image}))
    assert pod.spec.containers[0].image_pull_policy == policy


BOTH = {"cpu": "1", "memory": "1Gi"}
CLASSES = (
    ("nothing said", {}, {}, "BestEffort"),
    ("zero is nothing", {"limits": {"cpu": "0"}}, {}, "BestEffort"),
    ("limits", {"limits": BOTH}, {"limits": BOTH}, "Guaranteed"),
    (
        "requests equal to limits, spelled otherwise",
        {"limits": BOTH, "requests": {"cpu": "1000m"}},
        {"limits": BOTH},
        "Guaranteed",
    ),
    ("one container without", {"limits": BOTH}, {}, "Burstable"),
    ("requests below limits", {"limits": BOTH, "requests": {"cpu": "500m"}}, {"limits": BOTH}, "Burstable"),
    ("requests only", {"requests": {"cpu": "1"}}, {}, "Burstable"),
    ("no limit of memory", {"limits": {"cpu": "1"}}, {"limits": BOTH}, "Burstable"),
    ("only what does not count", {"limits": {"ephemeral-storage": "1Gi"}}, {}, "BestEffort"),
)


@pytest.mark.parametrize(("name", "first", "second", "want"), CLASSES, ids=[row[0] for row in CLASSES])
def test_quality_of_service(name: str, first: Plain, second: Plain, want: str) -> None:
    containers = [{"name": "a", "image": "i", "resources": first}, {"name": "b", "image": "i", "resources": second}]
    assert created(PODS, changed(PLAIN, {"spec.containers": containers})).status.qos_class == want


def test_ports_on_the_host_network() -> None:
    pod = created(PODS, changed(PLAIN, {"spec.hostNetwork": True, "spec.containers[0].ports": [{"containerPort": 80}]}))
    assert pod.spec.containers[0].ports[0].host_port == 80


GRACE = (
    ("not scheduled", {}, None, 0),
    ("not scheduled, time asked", {}, 60, 0),
    ("running", {"spec.nodeName": "n"}, None, 30),
    ("its own time", {"spec.nodeName": "n", "spec.terminationGracePeriodSeconds": 5}, None, 5),
    ("another time", {"spec.nodeName": "n"}, 7, 7),
    ("at once", {"spec.nodeName": "n"}, 0, 0),
    ("a negative time is one second", {"spec.nodeName": "n", "spec.terminationGracePeriodSeconds": -3}, None, 1),
)


@pytest.mark.parametrize(("name", "changes", "requested", "want"), GRACE, ids=[row[0] for row in GRACE])
def test_grace(name: str, changes: Plain, requested: int | None, want: int) -> None:
    assert STRATEGIES[PODS].deletion_grace_seconds(created(PODS, changed(PLAIN, changes)), requested) == want


def test_a_finished_pod_needs_no_grace() -> None:
    pod = created(PODS, changed(PLAIN, {"spec.nodeName": "n"}))
    pod.status.phase = "Failed"
    assert STRATEGIES[PODS].deletion_grace_seconds(pod, None) == 0


def test_warnings() -> None:
    changes = {
        "spec.nodeSelector": {"beta.kubernetes.io/os": "linux"},
        "spec.terminationGracePeriodSeconds": -1,
        "spec.containers[0].env": [{"name": "A"}, {"name": "A"}],
        "spec.containers[0].resources": {"requests": {"memory": "100m"}},
    }
    found = STRATEGIES[PODS].warnings(created(PODS, changed(PLAIN, changes)))
    assert [sentence.partition(": ")[0] for sentence in found] == [
        "spec.nodeSelector[beta.kubernetes.io/os]",
        "spec.terminationGracePeriodSeconds",
        "spec.containers[0].env[1]",
        "spec.containers[0].resources.requests[memory]",
    ]
    assert STRATEGIES[PODS].warnings(created(PODS, PLAIN)) == []
