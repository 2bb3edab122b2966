"""The Pod Security Standards: every control by a pod that breaks it, versions, and what labels ask for."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apimachinery import codec
from apimachinery.kinds import Pod
from apiserver.core import pod_security
from apiserver.core.pod_security import BASELINE, LATEST, PRIVILEGED, RESTRICTED, Policy, Standard
from apiserver.core.pod_security_subject import Finding, Subject
from tests.support.any_objects import plain_objects
from tests.support.strategies import changed

APP_ARMOR = "container.apparmor.security.beta.kubernetes.io"
HARDENED: dict[str, Any] = {
    "metadata": {"name": "p"},
    "spec": {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": name,
                "image": "i",
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
            for name in ("a", "b")
        ],
    },
}
A, B = "spec.containers[0]", "spec.containers[1]"
PLAIN = {
    "spec.securityContext": {},
    f"{A}.securityContext": {},
    "spec.containers": [{"name": "a", "image": "i"}],
}


def subject(changes: dict[str, Any]) -> Subject:
    pod = codec.convert(Pod, changed(HARDENED, changes))
    return Subject(pod.spec, pod.metadata.annotations)


def findings(standard: Standard, changes: dict[str, Any]) -> list[str]:
    return [str(each) for each in pod_security.evaluate(standard, subject(changes))]


@dataclass(frozen=True)
class Case:
    id: str
    changes: dict[str, Any]
    baseline: list[str] = field(default_factory=list)
    restricted: list[str] | None = None
    """As the baseline's, unless it says more."""


def own(attribute: str, value: Any, where: str = A) -> dict[str, Any]:
    return {f"{where}.securityContext.{attribute}": value}


CASES = (
    Case("hardened", {}),
    Case("privileged", own("privileged", True), ['privileged (container "a" must not set securityContext.privileged=true)']),
    Case(
        "an ephemeral container is one too",
        {
            "spec.ephemeralContainers": [
                {
                    "name": "debug",
                    "securityContext": {
                        "privileged": True,
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ]
        },
        ['privileged (container "debug" must not set securityContext.privileged=true)'],
    ),
    Case(
        "host namespaces",
        {"spec.hostNetwork": True, "spec.hostPID": True, "spec.hostIPC": True},
        ["host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)"],
    ),
    Case(
        "host processes",
        {"spec.securityContext.windowsOptions.hostProcess": True, **own("windowsOptions.hostProcess", True)},
        ['hostProcess (pod and container "a" must not set securityContext.windowsOptions.hostProcess=true)'],
    ),
    Case(
        "capabilities beyond the default ones",
        {**own("capabilities.add", ["SYS_ADMIN", "KILL"]), **own("capabilities.add", ["NET_ADMIN"], B)},
        [
            'non-default capabilities (containers "a", "b" must not include "NET_ADMIN", "SYS_ADMIN" in '
            "securityContext.capabilities.add)"
        ],
        [
            'unrestricted capabilities (containers "a", "b" must not include "KILL", "NET_ADMIN", "SYS_ADMIN" in '
            "securityContext.capabilities.add)"
        ],
    ),
    Case("the one capability that may be added", own("capabilities.add", ["NET_BIND_SERVICE"])),
    Case(
        "a default capability",
        own("capabilities.add", ["KILL"]),
        [],
        ['unrestricted capabilities (container "a" must not include "KILL" in securityContext.capabilities.add)'],
    ),
    Case(
        "capabilities that are kept",
        own("capabilities", {"drop": ["KILL"]}),
        [],
        ['unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"])'],
    ),
    Case(
        "hostPath volumes",
        {"spec.volumes": [{"name": "v", "hostPath": {"path": "/"}}, {"name": "w", "hostPath": {"path": "/"}}]},
        ['hostPath volumes (volumes "v", "w")'],
        ['restricted volume types (volumes "v", "w" use restricted volume type "hostPath")'],
    ),
    Case(
        "other volumes of nodes and networks",
        {"spec.volumes": [{"name": "v", "nfs": {"server": "s", "path": "/"}}, {"name": "w", "emptyDir": {}}]},
        [],
        ['restricted volume types (volume "v" uses restricted volume type "nfs")'],
    ),
    Case(
        "volumes that are allowed",
        {
            "spec.volumes": [
                {"name": "1", "configMap": {"name": "c"}},
                {"name": "2", "csi": {"driver": "d"}},
                {"name": "3", "downwardAPI": {}},
                {"name": "4", "emptyDir": {}},
                {"name": "5", "ephemeral": {}},
                {"name": "6", "persistentVolumeClaim": {"claimName": "c"}},
                {"name": "7", "projected": {}},
                {"name": "8", "secret": {"secretName": "s"}},
                {"name": "9", "image": {"reference": "i"}},
            ]
        },
    ),
    Case(
        "host ports",
        {f"{A}.ports": [{"containerPort": 80, "hostPort": 80}], f"{B}.ports": [{"containerPort": 1, "hostPort": 443}]},
        ['hostPort (containers "a", "b" use hostPorts 443, 80)'],
    ),
    Case(
        "hosts of probes and hooks",
        {
            f"{A}.livenessProbe.httpGet": {"port": 80, "host": "169.254.169.254"},
            f"{B}.lifecycle.preStop.tcpSocket": {"port": 80, "host": "other"},
            f"{B}.readinessProbe.tcpSocket": {"port": 80},
        },
        ['probe or lifecycle host (containers "a", "b" use probe or lifecycle hosts "169.254.169.254", "other")'],
    ),
    Case(
        "AppArmor switched off",
        {
            "spec.securityContext.appArmorProfile.type": "Unconfined",
            **own("appArmorProfile.type", "Unconfined", B),
        },
        ['forbidden AppArmor profile (pod and container "b" must not set AppArmor profile type to "Unconfined")'],
    ),
    Case(
        "AppArmor switched off by annotation",
        {"metadata.annotations": {f"{APP_ARMOR}/a": "unconfined", f"{APP_ARMOR}/b": "localhost/x"}},
        [f'forbidden AppArmor profile (annotation must not set AppArmor profile type to "{APP_ARMOR}/a="unconfined"")'],
    ),
    Case(
        "SELinux options",
        {
            "spec.securityContext.seLinuxOptions": {"type": "spc_t", "level": "s0"},
            **own("seLinuxOptions", {"user": "u", "role": "r"}),
        },
        [
            'seLinuxOptions (pod and container "a" set forbidden securityContext.seLinuxOptions: type "spc_t"; '
            "user may not be set; role may not be set)"
        ],
    ),
    Case("SELinux types that are allowed", own("seLinuxOptions", {"type": "container_engine_t", "level": "s0"})),
    Case(
        "/proc unmasked",
        own("procMount", "Unmasked"),
        ['procMount (container "a" must not set securityContext.procMount to "Unmasked")'],
    ),
    Case(
        "/proc unmasked in a user namespace",
        {**own("procMount", "Unmasked"), "spec.hostUsers": False},
        [],
        ['procMount (container "a" must not set securityContext.procMount to "Unmasked")'],
    ),
    Case(
        "seccomp switched off",
        {"spec.securityContext.seccompProfile.type": "Unconfined", **own("seccompProfile.type", "Unconfined")},
        ['seccompProfile (pod and container "a" must not set securityContext.seccompProfile.type to "Unconfined")'],
    ),
    Case(
        "sysctls",
        {
            "spec.securityContext.sysctls": [
                {"name": "net.ipv4.tcp_rmem", "value": "1"},
                {"name": "kernel.msgmax", "value": "1"},
            ]
        },
        ["forbidden sysctls (kernel.msgmax)"],
    ),
    Case(
        "nothing said",
        PLAIN,
        [],
        [
            'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false)',
            'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"])',
            'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true)',
            'seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or '
            '"Localhost")',
        ],
    ),
    Case(
        "a container takes back what the pod promises",
        {**own("runAsNonRoot", False), **own("runAsUser", 0, B)},
        [],
        [
            'runAsNonRoot != true (container "a" must not set securityContext.runAsNonRoot=false)',
            'runAsUser=0 (container "b" must not set runAsUser=0)',
        ],
    ),
    Case(
        "root in a user namespace",
        {"spec.securityContext.runAsNonRoot": False, "spec.securityContext.runAsUser": 0, "spec.hostUsers": False},
    ),
    Case(
        "Windows has none of it",
        {
            "spec.os.name": "windows",
            f"{A}.securityContext": {},
            f"{B}.securityContext": {},
            "spec.securityContext": {"runAsNonRoot": True},
        },
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_controls(case: Case) -> None:
    assert findings(Standard(PRIVILEGED), case.changes) == []
    assert findings(Standard(BASELINE), case.changes) == case.baseline
    wanted = case.baseline if case.restricted is None else case.restricted
    assert findings(Standard(RESTRICTED), case.changes) == wanted


VERSIONS: tuple[tuple[str, dict[str, Any], str, int], ...] = (
    ("hosts of probes", {f"{A}.livenessProbe.httpGet": {"port": 80, "host": "h"}}, BASELINE, 34),
    ("root", own("runAsUser", 0), RESTRICTED, 23),
    ("privilege escalation", own("allowPrivilegeEscalation", True), RESTRICTED, 8),
    ("capabilities that are kept", own("capabilities", {}), RESTRICTED, 22),
    ("seccomp left open", {"spec.securityContext.seccompProfile": None}, RESTRICTED, 19),
)


@pytest.mark.parametrize(("name", "changes", "level", "since"), VERSIONS, ids=lambda value: str(value)[:24])
def test_a_control_stands_from_its_version_on(name: str, changes: dict[str, Any], level: str, since: int) -> None:
    assert findings(Standard(level, f"v1.{since - 1}"), changes) == []
    assert len(findings(Standard(level, f"v1.{since}"), changes)) == 1
    assert findings(Standard(level, "v1.999"), changes) == findings(Standard(level, LATEST), changes)


RELAXED: tuple[tuple[str, dict[str, Any], str, int], ...] = (
    ("sysctl", {"spec.securityContext.sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]}, BASELINE, 32),
    ("SELinux type", own("seLinuxOptions", {"type": "container_engine_t"}), BASELINE, 31),
    ("user namespace", {**own("procMount", "Unmasked"), "spec.hostUsers": False}, BASELINE, 35),
    ("Windows", {"spec.os.name": "windows", **own("allowPrivilegeEscalation", True)}, RESTRICTED, 25),
)


@pytest.mark.parametrize(("name", "changes", "level", "since"), RELAXED, ids=lambda value: str(value)[:24])
def test_what_is_allowed_from_a_version_on(name: str, changes: dict[str, Any], level: str, since: int) -> None:
    assert len(findings(Standard(level, f"v1.{since - 1}"), changes)) == 1
    assert findings(Standard(level, f"v1.{since}"), changes) == []


def test_seccomp_by_annotation_before_it_had_fields() -> None:
    key = "seccomp.security.alpha.kubernetes.io/pod"
    changes = {"metadata.annotations": {key: "unconfined"}}
    assert findings(Standard(BASELINE, "v1.18"), changes) == [
        f'seccompProfile (forbidden annotation "{key}" set to "unconfined")'
    ]
    assert findings(Standard(BASELINE, "v1.19"), changes) == []


@dataclass(frozen=True)
class Labels:
    id: str
    labels: dict[str, str]
    want: Policy
    wrong: tuple[str, ...] = ()


def labels(**modes: str) -> dict[str, str]:
    return {f"pod-security.kubernetes.io/{mode.replace('_', '-')}": value for mode, value in modes.items()}


POLICIES = (
    Labels("none", {"a": "b"}, Policy()),
    Labels(
        "what is enforced is warned about",
        labels(enforce=RESTRICTED, enforce_version="v1.20"),
        Policy(Standard(RESTRICTED, "v1.20"), Standard(), Standard(RESTRICTED, "v1.20")),
    ),
    Labels(
        "unless the labels say otherwise",
        labels(enforce=BASELINE, warn=PRIVILEGED, audit=RESTRICTED, audit_version="v1.0"),
        Policy(Standard(BASELINE), Standard(RESTRICTED, "v1.0")),
    ),
    Labels(
        "a wrong level enforces all and warns of nothing",
        labels(enforce="strict", audit="x", warn="x"),
        Policy(Standard(RESTRICTED)),
        ("enforce", "audit", "warn"),
    ),
    Labels(
        "a wrong version is the newest",
        labels(enforce=BASELINE, enforce_version="1.20", warn=PRIVILEGED),
        Policy(Standard(BASELINE)),
        ("enforce-version",),
    ),
    Labels(
        "versions have no zeros in front",
        labels(warn=BASELINE, warn_version="v1.01"),
        Policy(warn=Standard(BASELINE)),
        ("warn-version",),
    ),
)


@pytest.mark.parametrize("case", POLICIES, ids=lambda case: case.id)
def test_labels(case: Labels) -> None:
    policy, wrong = pod_security.read_policy(case.labels)
    assert policy == case.want
    assert [each.path for each in wrong] == [f"metadata.labels[pod-security.kubernetes.io/{name}]" for name in case.wrong]


def test_what_tightens() -> None:
    open_, low, high = (Policy(Standard(level)) for level in pod_security.LEVELS)
    pinned = Policy(Standard(BASELINE, "v1.30"))
    assert [pod_security.tightens(new, low) for new in (open_, low, high, pinned)] == [False, False, True, True]
    assert not pod_security.tightens(low, high)


def test_existing_pods_are_told_of_together() -> None:
    root, net = Finding("runAsUser=0", "x"), Finding("host namespaces", "y")
    judged = (("c", [net]), ("b", [root]), ("ok", []), ("a", [root]), ("d", [root]))
    assert pod_security.tell_existing("ns", Standard(RESTRICTED), judged) == [
        'existing pods in namespace "ns" violate the new PodSecurity enforce level "restricted:latest"',
        "a (and 2 other pods): runAsUser=0",
        "c: host namespaces",
    ]
    assert pod_security.tell_existing("ns", Standard(RESTRICTED), (("ok", []),)) == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(plain=plain_objects(Pod), minor=st.integers(0, 40))
def test_any_pod_is_judged_and_what_restricted_allows_baseline_allows(plain: dict[str, Any], minor: int) -> None:
    pod = codec.convert(Pod, plain)
    found = {
        level: pod_security.evaluate(Standard(level, f"v1.{minor}"), Subject(pod.spec, pod.metadata.annotations))
        for level in pod_security.LEVELS
    }
    assert found[PRIVILEGED] == []
    on_windows = pod.spec.os is not None and pod.spec.os.name == "windows"
    assert found[RESTRICTED] or not found[BASELINE] or on_windows
    assert all(each.reason and each.detail for level in found.values() for each in level)
