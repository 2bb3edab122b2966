"""Containers of pods: the rules of each field, and of what they share."""

from typing import Any

import pytest

from apimachinery.resources import PODS
from tests.support.strategies import (
    ABSENT,
    DUPLICATE,
    FORBIDDEN,
    INVALID,
    NOT_FOUND,
    REQUIRED,
    TOO_MANY,
    UNSUPPORTED,
    Row,
    changed,
    check,
    check_defaults_are_stable,
    errors_on_create,
    wrong,
)

Plain = dict[str, Any]
C = "spec.containers[0]"
INIT_CONTAINER = "spec.initContainers[0]"
SECOND = "spec.containers[1]"
PLAIN: Plain = {
    "metadata": {"name": "a", "namespace": "default"},
    "spec": {
        "containers": [{"name": "c", "image": "busybox:1"}],
        "volumes": [{"name": "v", "emptyDir": {}}, {"name": "claim", "persistentVolumeClaim": {"claimName": "x"}}],
    },
}
OTHER = {"name": "d", "image": "busybox:1"}
HTTP = {"httpGet": {"port": 80}}

GENERAL = (
    Row("right", {}),
    Row("no name", {f"{C}.name": ""}, [wrong(f"{C}.name", REQUIRED)]),
    Row("a name with a dot", {f"{C}.name": "a.b"}, [wrong(f"{C}.name", INVALID, "RFC 1123 label")]),
    Row("a name twice", {SECOND: PLAIN["spec"]["containers"][0]}, [wrong(f"{SECOND}.name", DUPLICATE)]),
    Row(
        "a name of an init container too",
        {INIT_CONTAINER: PLAIN["spec"]["containers"][0]},
        [wrong(f"{INIT_CONTAINER}.name", DUPLICATE)],
    ),
    Row("no image", {f"{C}.image": ABSENT}, [wrong(f"{C}.image", REQUIRED, "Required value")]),
    Row("an image with blanks", {f"{C}.image": " a"}, [wrong(f"{C}.image", INVALID, "whitespace")]),
    Row("pull policy", {f"{C}.imagePullPolicy": "Often"}, [wrong(f"{C}.imagePullPolicy", UNSUPPORTED)]),
    Row("message policy", {f"{C}.terminationMessagePolicy": "Mail"}, [wrong(f"{C}.terminationMessagePolicy", UNSUPPORTED)]),
    Row("restart policy", {f"{C}.restartPolicy": "Now"}, [wrong(f"{C}.restartPolicy", UNSUPPORTED)]),
    Row(
        "restart rules",
        {
            f"{C}.restartPolicy": "Never",
            f"{C}.restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [3]}}],
        },
    ),
    Row(
        "restart rules without a policy",
        {f"{C}.restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": []}}]},
        [wrong(f"{C}.restartPolicy", REQUIRED), wrong(f"{C}.restartPolicyRules[0].exitCodes.values", REQUIRED)],
    ),
    Row(
        "restart rules too many",
        {
            f"{C}.restartPolicy": "Never",
            f"{C}.restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}}] * 21,
        },
        [wrong(f"{C}.restartPolicyRules", TOO_MANY)],
    ),
    Row("resize policy", {f"{C}.resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}]}),
    Row(
        "resize policy twice",
        {
            f"{C}.resizePolicy": [
                {"resourceName": "cpu", "restartPolicy": "NotRequired"},
                {"resourceName": "cpu", "restartPolicy": "x"},
            ]
        },
        [wrong(f"{C}.resizePolicy[1]", DUPLICATE), wrong(f"{C}.resizePolicy[1].restartPolicy", UNSUPPORTED)],
    ),
)

PORTS = (
    Row(
        "ports",
        {f"{C}.ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "name": "dns", "hostPort": 53}]},
    ),
    Row("no port", {f"{C}.ports": [{"name": "x"}]}, [wrong(f"{C}.ports[0].containerPort", REQUIRED)]),
    Row(
        "port too large",
        {f"{C}.ports": [{"containerPort": 65536}]},
        [wrong(f"{C}.ports[0].containerPort", INVALID, "between 1 and 65535")],
    ),
    Row("host port", {f"{C}.ports": [{"containerPort": 1, "hostPort": -1}]}, [wrong(f"{C}.ports[0].hostPort", INVALID)]),
    Row(
        "host address", {f"{C}.ports": [{"containerPort": 1, "hostIP": "010.0.0.1"}]}, [wrong(f"{C}.ports[0].hostIP", INVALID)]
    ),
    Row("protocol", {f"{C}.ports": [{"containerPort": 1, "protocol": "tcp"}]}, [wrong(f"{C}.ports[0].protocol", UNSUPPORTED)]),
    Row("port's name", {f"{C}.ports": [{"containerPort": 1, "name": "a_b"}]}, [wrong(f"{C}.ports[0].name", INVALID)]),
    Row(
        "port's name twice",
        {f"{C}.ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]},
        [wrong(f"{C}.ports[1].name", DUPLICATE)],
    ),
    Row(
        "one host port for two containers",
        {
            f"{C}.ports": [{"containerPort": 1, "hostPort": 80}],
            SECOND: {**OTHER, "ports": [{"containerPort": 2, "hostPort": 80}]},
        },
        [wrong(f"{SECOND}.ports[0].hostPort", DUPLICATE)],
    ),
    Row(
        "on another address",
        {
            f"{C}.ports": [{"containerPort": 1, "hostPort": 80}],
            SECOND: {**OTHER, "ports": [{"containerPort": 2, "hostPort": 80, "hostIP": "10.0.0.1"}]},
        },
    ),
    Row(
        "another port on the host's network",
        {"spec.hostNetwork": True, f"{C}.ports": [{"containerPort": 1, "hostPort": 2}]},
        [wrong(f"{C}.ports[0].hostPort", INVALID, "must match")],
    ),
)

KEY = {"name": "x", "key": "k"}
ENVIRONMENT = (
    Row("environment", {f"{C}.env": [{"name": "A", "value": "1"}, {"name": "a.b-c", "valueFrom": {"secretKeyRef": KEY}}]}),
    Row("a variable without name", {f"{C}.env": [{"value": "1"}]}, [wrong(f"{C}.env[0].name", REQUIRED)]),
    Row("a variable's name", {f"{C}.env": [{"name": "A=B"}]}, [wrong(f"{C}.env[0].name", INVALID)]),
    Row(
        "no source",
        {f"{C}.env": [{"name": "A", "valueFrom": {}}]},
        [wrong(f"{C}.env[0].valueFrom", INVALID, "must specify one of")],
    ),
    Row(
        "two sources",
        {f"{C}.env": [{"name": "A", "valueFrom": {"secretKeyRef": KEY, "configMapKeyRef": KEY}}]},
        [wrong(f"{C}.env[0].valueFrom", INVALID, "more than one field")],
    ),
    Row(
        "a value and a source",
        {f"{C}.env": [{"name": "A", "value": "1", "valueFrom": {"secretKeyRef": KEY}}]},
        [wrong(f"{C}.env[0].valueFrom", INVALID, "may not be specified when `value` is not empty")],
    ),
    Row(
        "a key that is none",
        {f"{C}.env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "", "key": "a/b"}}}]},
        [
            wrong(f"{C}.env[0].valueFrom.configMapKeyRef.name", REQUIRED),
            wrong(f"{C}.env[0].valueFrom.configMapKeyRef.key", INVALID),
        ],
    ),
    Row(
        "no key",
        {f"{C}.env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "x"}}}]},
        [wrong(f"{C}.env[0].valueFrom.secretKeyRef.key", REQUIRED)],
    ),
    Row("a field", {f"{C}.env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a/b']"}}}]}),
    Row(
        "a field that is not offered",
        {f"{C}.env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.hostname"}}}]},
        [wrong(f"{C}.env[0].valueFrom.fieldRef.fieldPath", UNSUPPORTED)],
    ),
    Row(
        "no field",
        {f"{C}.env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": ""}}}]},
        [wrong(f"{C}.env[0].valueFrom.fieldRef.fieldPath", REQUIRED)],
    ),
    Row(
        "a resource",
        {f"{C}.env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}}]},
    ),
    Row(
        "a resource that is not offered",
        {f"{C}.env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.gpu"}}}]},
        [wrong(f"{C}.env[0].valueFrom.resourceFieldRef.resource", UNSUPPORTED)],
    ),
    Row(
        "a divisor that is not offered",
        {f"{C}.env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1m"}}}]},
        [wrong(f"{C}.env[0].valueFrom.resourceFieldRef.divisor", INVALID)],
    ),
    Row("a file", {f"{C}.env": [{"name": "A", "valueFrom": {"fileKeyRef": {"key": "K", "path": "f", "volumeName": "v"}}}]}),
    Row(
        "a file nowhere",
        {f"{C}.env": [{"name": "A", "valueFrom": {"fileKeyRef": {"key": "K", "path": "../f", "volumeName": "w"}}}]},
        [
            wrong(f"{C}.env[0].valueFrom.fileKeyRef.path", INVALID),
            wrong(f"{C}.env[0].valueFrom.fileKeyRef.volumeName", NOT_FOUND),
        ],
    ),
    Row("whole maps", {f"{C}.envFrom": [{"prefix": "P_", "configMapRef": {"name": "x"}}, {"secretRef": {"name": "x"}}]}),
    Row("no map", {f"{C}.envFrom": [{"prefix": "P_"}]}, [wrong(f"{C}.envFrom[0]", INVALID, "must specify one of")]),
    Row(
        "two maps",
        {f"{C}.envFrom": [{"configMapRef": {"name": "x"}, "secretRef": {"name": ""}}]},
        [wrong(f"{C}.envFrom[0]", INVALID, "more than one field"), wrong(f"{C}.envFrom[0].secretRef.name", REQUIRED)],
    ),
)

MOUNTS = (
    Row(
        "mounts",
        {
            f"{C}.volumeMounts": [
                {"name": "v", "mountPath": "/a"},
                {"name": "v", "mountPath": "/b", "subPath": "x/y", "readOnly": True},
            ]
        },
    ),
    Row(
        "a volume that is not there",
        {f"{C}.volumeMounts": [{"name": "w", "mountPath": "/a"}]},
        [wrong(f"{C}.volumeMounts[0].name", NOT_FOUND, '"w"')],
    ),
    Row(
        "neither name nor path",
        {f"{C}.volumeMounts": [{}]},
        [wrong(f"{C}.volumeMounts[0].name", REQUIRED), wrong(f"{C}.volumeMounts[0].mountPath", REQUIRED)],
    ),
    Row(
        "one path twice",
        {f"{C}.volumeMounts": [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/a"}]},
        [wrong(f"{C}.volumeMounts[1].mountPath", INVALID, "must be unique")],
    ),
    Row(
        "a way out",
        {f"{C}.volumeMounts": [{"name": "v", "mountPath": "/a", "subPath": "../x"}]},
        [wrong(f"{C}.volumeMounts[0].subPath", INVALID)],
    ),
    Row(
        "an absolute part",
        {f"{C}.volumeMounts": [{"name": "v", "mountPath": "/a", "subPath": "/x"}]},
        [wrong(f"{C}.volumeMounts[0].subPath", INVALID)],
    ),
    Row(
        "part and expression",
        {f"{C}.volumeMounts": [{"name": "v", "mountPath": "/a", "subPath": "x", "subPathExpr": "$(A)"}]},
        [wrong(f"{C}.volumeMounts[0].subPathExpr", INVALID, "mutually exclusive")],
    ),
    Row(
        "propagation",
        {f"{C}.volumeMounts": [{"name": "v", "mountPath": "/a", "mountPropagation": "Up"}]},
        [wrong(f"{C}.volumeMounts[0].mountPropagation", UNSUPPORTED)],
    ),
    Row(
        "propagation to the host",
        {f"{C}.volumeMounts": [{"name": "v", "mountPath": "/a", "mountPropagation": "Bidirectional"}]},
        [wrong(f"{C}.volumeMounts[0].mountPropagation", FORBIDDEN, "privileged")],
    ),
    Row(
        "propagation of the privileged",
        {
            f"{C}.volumeMounts": [{"name": "v", "mountPath": "/a", "mountPropagation": "Bidirectional"}],
            f"{C}.securityContext": {"privileged": True},
        },
    ),
    Row(
        "read-only all the way, but not read-only",
        {f"{C}.volumeMounts": [{"name": "v", "mountPath": "/a", "recursiveReadOnly": "Enabled"}]},
        [wrong(f"{C}.volumeMounts[0].recursiveReadOnly", FORBIDDEN)],
    ),
    Row("a device", {f"{C}.volumeDevices": [{"name": "claim", "devicePath": "/dev/x"}]}),
    Row(
        "a device of files",
        {f"{C}.volumeDevices": [{"name": "v", "devicePath": "/dev/x"}]},
        [wrong(f"{C}.volumeDevices[0].name", INVALID, "block mode")],
    ),
    Row(
        "a device's path",
        {
            f"{C}.volumeDevices": [{"name": "claim", "devicePath": "/dev/../x"}],
            f"{C}.volumeMounts": [{"name": "v", "mountPath": "/dev/../x"}],
        },
        [wrong(f"{C}.volumeDevices[0].devicePath", INVALID), wrong(f"{C}.volumeMounts[0].mountPath", INVALID, "volumeDevices")],
    ),
)

PROBES = (
    Row(
        "probes",
        {
            f"{C}.livenessProbe": HTTP,
            f"{C}.readinessProbe": {"exec": {"command": ["x"]}},
            f"{C}.startupProbe": {"grpc": {"port": 1}},
        },
    ),
    Row(
        "no handler",
        {f"{C}.livenessProbe": {"periodSeconds": 1}},
        [wrong(f"{C}.livenessProbe", REQUIRED, "must specify a handler type")],
    ),
    Row(
        "two handlers",
        {f"{C}.livenessProbe": {**HTTP, "tcpSocket": {"port": 80}}},
        [wrong(f"{C}.livenessProbe.tcpSocket", FORBIDDEN, "more than 1 handler type")],
    ),
    Row("a port by name", {f"{C}.livenessProbe": {"tcpSocket": {"port": "http"}}}),
    Row(
        "a port by a wrong name",
        {f"{C}.livenessProbe": {"tcpSocket": {"port": "a_b"}}},
        [wrong(f"{C}.livenessProbe.tcpSocket.port", INVALID)],
    ),
    Row("no port", {f"{C}.livenessProbe": {"grpc": {}}}, [wrong(f"{C}.livenessProbe.grpc.port", INVALID)]),
    Row("no command", {f"{C}.livenessProbe": {"exec": {}}}, [wrong(f"{C}.livenessProbe.exec.command", REQUIRED)]),
    Row(
        "scheme and header",
        {f"{C}.livenessProbe": {"httpGet": {"port": 80, "scheme": "FTP", "httpHeaders": [{"name": "a b", "value": ""}]}}},
        [
            wrong(f"{C}.livenessProbe.httpGet.scheme", UNSUPPORTED),
            wrong(f"{C}.livenessProbe.httpGet.httpHeaders[0].name", INVALID),
        ],
    ),
    Row(
        "negative times",
        {
            f"{C}.readinessProbe": {
                **HTTP,
                "initialDelaySeconds": -1,
                "timeoutSeconds": -1,
                "periodSeconds": -1,
                "failureThreshold": -1,
            }
        },
        [
            wrong(f"{C}.readinessProbe.initialDelaySeconds", INVALID, "greater than or equal to 0"),
            wrong(f"{C}.readinessProbe.timeoutSeconds", INVALID),
            wrong(f"{C}.readinessProbe.periodSeconds", INVALID),
            wrong(f"{C}.readinessProbe.failureThreshold", INVALID),
        ],
    ),
    Row(
        "two successes to live",
        {f"{C}.livenessProbe": {**HTTP, "successThreshold": 2}},
        [wrong(f"{C}.livenessProbe.successThreshold", INVALID, "must be 1")],
    ),
    Row("two successes to be ready", {f"{C}.readinessProbe": {**HTTP, "successThreshold": 2}}),
    Row("grace of a probe", {f"{C}.livenessProbe": {**HTTP, "terminationGracePeriodSeconds": 5}}),
    Row(
        "no grace",
        {f"{C}.livenessProbe": {**HTTP, "terminationGracePeriodSeconds": 0}},
        [wrong(f"{C}.livenessProbe.terminationGracePeriodSeconds", INVALID, "greater than 0")],
    ),
    Row(
        "grace of readiness",
        {f"{C}.readinessProbe": {**HTTP, "terminationGracePeriodSeconds": 5}},
        [wrong(f"{C}.readinessProbe.terminationGracePeriodSeconds", INVALID, "must not be set for readinessProbes")],
    ),
    Row("hooks", {f"{C}.lifecycle": {"postStart": {"exec": {"command": ["x"]}}, "preStop": {"sleep": {"seconds": 3}}}}),
    Row(
        "a hook without handler",
        {f"{C}.lifecycle": {"preStop": {}}},
        [wrong(f"{C}.lifecycle.preStop", REQUIRED, "handler type")],
    ),
    Row(
        "sleep beyond the grace",
        {f"{C}.lifecycle": {"preStop": {"sleep": {"seconds": 31}}}},
        [wrong(f"{C}.lifecycle.preStop.sleep.seconds", INVALID, "between 0 and 30")],
    ),
    Row("a stop signal", {"spec.os": {"name": "linux"}, f"{C}.lifecycle": {"stopSignal": "SIGTERM"}}),
    Row(
        "a stop signal of no known system",
        {f"{C}.lifecycle": {"stopSignal": "TERM"}},
        [wrong(f"{C}.lifecycle.stopSignal", FORBIDDEN), wrong(f"{C}.lifecycle.stopSignal", INVALID)],
    ),
)

RESOURCES = (
    Row(
        "resources",
        {
            f"{C}.resources": {
                "limits": {"cpu": "1", "example.com/gpu": 1},
                "requests": {"memory": "64Mi", "example.com/gpu": 1},
            }
        },
    ),
    Row(
        "no quantity",
        {f"{C}.resources.limits": {"memory": "much"}},
        [wrong(f"{C}.resources.{kind}[memory]", INVALID, "must be a number") for kind in ("limits", "requests")],
    ),
    Row(
        "a negative quantity",
        {f"{C}.resources.requests": {"cpu": "-1"}},
        [wrong(f"{C}.resources.requests[cpu]", INVALID, "greater than or equal to 0")],
    ),
    Row(
        "more than the limit",
        {f"{C}.resources": {"limits": {"cpu": "500m"}, "requests": {"cpu": "1"}}},
        [wrong(f"{C}.resources.requests", INVALID, "must be less than or equal to cpu limit of 500m")],
    ),
    Row(
        "an unknown resource",
        {f"{C}.resources.requests": {"disk": "1"}},
        [wrong(f"{C}.resources.requests[disk]", INVALID, "standard resource for containers")],
    ),
    Row(
        "a resource under the cluster's own domain",
        {f"{C}.resources.limits": {"kubernetes.io/x": "1"}},
        [wrong(f"{C}.resources.{kind}[kubernetes.io/x]", INVALID, "extended resource name") for kind in ("limits", "requests")],
    ),
    Row(
        "half a device",
        {f"{C}.resources.limits": {"example.com/gpu": "500m"}},
        [
            wrong(f"{C}.resources.limits[example.com/gpu]", INVALID, "integer"),
            wrong(f"{C}.resources.requests[example.com/gpu]", INVALID),
        ],
    ),
    Row(
        "a device asked for without limit",
        {f"{C}.resources.requests": {"example.com/gpu": 1}},
        [wrong(f"{C}.resources.limits", REQUIRED, "non overcommitable")],
    ),
    Row(
        "huge pages alone",
        {f"{C}.resources.limits": {"hugepages-2Mi": "2Mi"}},
        [wrong(f"{C}.resources", FORBIDDEN, "HugePages require")],
    ),
    Row(
        "a claim", {"spec.resourceClaims": [{"name": "g", "resourceClaimName": "x"}], f"{C}.resources.claims": [{"name": "g"}]}
    ),
    Row(
        "a claim that is not there", {f"{C}.resources.claims": [{"name": "g"}]}, [wrong(f"{C}.resources.claims[0]", NOT_FOUND)]
    ),
)

SECURITY = (
    Row(
        "security",
        {f"{C}.securityContext": {"runAsUser": 1000, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}},
    ),
    Row(
        "user",
        {f"{C}.securityContext.runAsUser": -1},
        [wrong(f"{C}.securityContext.runAsUser", INVALID, "between 0 and 2147483647")],
    ),
    Row("proc", {f"{C}.securityContext.procMount": "x"}, [wrong(f"{C}.securityContext.procMount", UNSUPPORTED)]),
    Row(
        "privileged without escalation",
        {f"{C}.securityContext": {"privileged": True, "allowPrivilegeEscalation": False}},
        [wrong(f"{C}.securityContext.allowPrivilegeEscalation", INVALID, "cannot set")],
    ),
    Row(
        "CAP_SYS_ADMIN without escalation",
        {f"{C}.securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}, "allowPrivilegeEscalation": False}},
        [wrong(f"{C}.securityContext.allowPrivilegeEscalation", INVALID, "CAP_SYS_ADMIN")],
    ),
    Row(
        "AppArmor", {f"{C}.securityContext.appArmorProfile": {}}, [wrong(f"{C}.securityContext.appArmorProfile.type", REQUIRED)]
    ),
)

INIT = (
    Row("an init container", {INIT_CONTAINER: OTHER}),
    Row("one without image", {INIT_CONTAINER: {"name": "d"}}, [wrong(f"{INIT_CONTAINER}.image", REQUIRED)]),
    Row(
        "one that ends, with probes and hooks",
        {INIT_CONTAINER: {**OTHER, "livenessProbe": HTTP, "readinessProbe": HTTP, "startupProbe": HTTP, "lifecycle": {}}},
        [
            wrong(f"{INIT_CONTAINER}.{name}", FORBIDDEN, "restartPolicy=Always")
            for name in ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle")
        ],
    ),
    Row(
        "a sidecar",
        {
            INIT_CONTAINER: {
                **OTHER,
                "restartPolicy": "Always",
                "livenessProbe": HTTP,
                "lifecycle": {"preStop": {"exec": {"command": ["x"]}}},
            }
        },
    ),
    Row(
        "a sidecar's probe",
        {INIT_CONTAINER: {**OTHER, "restartPolicy": "Always", "livenessProbe": {}}},
        [wrong(f"{INIT_CONTAINER}.livenessProbe", REQUIRED)],
    ),
    Row(
        "a sidecar's host port",
        {
            f"{C}.ports": [{"containerPort": 1, "hostPort": 80}],
            INIT_CONTAINER: {**OTHER, "restartPolicy": "Always", "ports": [{"containerPort": 2, "hostPort": 80}]},
        },
        [wrong(f"{INIT_CONTAINER}.ports[0].hostPort", DUPLICATE)],
    ),
)

ALL = [*GENERAL, *PORTS, *ENVIRONMENT, *MOUNTS, *PROBES, *RESOURCES, *SECURITY, *INIT]


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.id)
def test_create(row: Row) -> None:
    plain = changed(PLAIN, row.changes)
    check(errors_on_create(PODS, plain), row.wrong)
    check_defaults_are_stable(PODS, plain)
