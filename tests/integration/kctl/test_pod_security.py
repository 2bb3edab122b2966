"""What kctl says where a namespace asks its pods to meet a standard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Kctl = Callable[..., Any]
LEVEL = "pod-security.kubernetes.io/enforce"


def test_warnings_and_refusals(kctl: Kctl, namespace: str) -> None:
    ns = ("-n", namespace)
    assert kctl("run", "old", *ns, "--image=busybox:1").code == 0
    labelled = kctl("label", "namespace", namespace, f"{LEVEL}=baseline")
    assert (labelled.code, labelled.err) == (0, "")
    stricter = kctl("label", "namespace", namespace, f"{LEVEL}=restricted", "--overwrite")
    assert stricter.code == 0
    first, second = stricter.err.splitlines()
    standard = f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "restricted:latest"'
    assert first == f"Warning: {standard}"
    assert second.startswith("Warning: old: allowPrivilegeEscalation != false, unrestricted capabilities, ")
    warned = kctl("create", "deployment", "web", *ns, "--image=busybox:1")
    assert warned.code == 0
    assert warned.err.startswith('Warning: would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false (')
    refused = kctl("run", "new", *ns, "--image=busybox:1")
    assert refused.code == 1
    assert 'pods "new" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation' in refused.err


def test_labels_that_mean_nothing(kctl: Kctl, namespace: str) -> None:
    refused = kctl("label", "namespace", namespace, f"{LEVEL}=strict")
    assert refused.code == 1
    assert f'metadata.labels[{LEVEL}]: Invalid value: "strict": must be one of privileged, baseline, restricted' in refused.err
