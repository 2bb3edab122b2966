"""Which pods of a node a drain evicts, which it leaves, and which forbid it: a pure decision.

Pods of DaemonSets would come back at once, mirror pods belong to the node's own files, pods without a controller would be
gone for good, and what an emptyDir holds goes with its pod: each needs its option.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MIRROR = "kubernetes.io/config.mirror"
_REASONS = {
    "unmanaged": "cannot delete Pods that declare no controller (use --force to override)",
    "daemonset": "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)",
    "local": "cannot delete Pods with local storage (use --delete-emptydir-data to override)",
}


@dataclass
class DrainPlan:
    """The pods to evict; warnings about what is left or lost; refusals that forbid the drain."""

    evict: list[Mapping[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


def plan(pods: Sequence[Mapping[str, Any]], *, force: bool, ignore_daemon_sets: bool, delete_empty_dir_data: bool) -> DrainPlan:
    """Judge each pod of a node."""
    found = DrainPlan()
    ignored: list[str] = []
    unmanaged: list[str] = []
    refused: dict[str, list[str]] = {}
    for pod in pods:
        metadata, name = pod["metadata"], f"{pod['metadata'].get('namespace')}/{pod['metadata']['name']}"
        if MIRROR in (metadata.get("annotations") or {}):
            continue
        owner = next((each for each in metadata.get("ownerReferences") or () if each.get("controller")), None)
        finished = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if owner is not None and owner.get("kind") == "DaemonSet" and not finished:
            if ignore_daemon_sets:
                ignored.append(name)
            else:
                refused.setdefault("daemonset", []).append(name)
            continue
        problem = "" if finished else _problem(pod, owner, force, delete_empty_dir_data)
        if problem:
            refused.setdefault(problem, []).append(name)
            continue
        if owner is None and not finished:
            unmanaged.append(name)
        found.evict.append(pod)
    if ignored:
        found.warnings.append(f"ignoring DaemonSet-managed Pods: {', '.join(ignored)}")
    if unmanaged:
        found.warnings.append(f"deleting Pods that declare no controller: {', '.join(unmanaged)}")
    found.refusals = [f"{_REASONS[problem]}: {', '.join(names)}" for problem, names in refused.items()]
    return found


def _problem(pod: Mapping[str, Any], owner: Mapping[str, Any] | None, force: bool, delete_empty_dir_data: bool) -> str:
    """The first reason that forbids to evict a pod; its data come before the pod itself."""
    volumes = (pod.get("spec") or {}).get("volumes") or ()
    if any("emptyDir" in volume for volume in volumes) and not delete_empty_dir_data:
        return "local"
    return "unmanaged" if owner is None and not force else ""
