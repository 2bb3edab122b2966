"""Descriptions of Deployments and ReplicaSets."""

from apimachinery.printing.shape import selector_text
from kctl import rollouts
from kctl.describe.common import (
    Plain,
    Surroundings,
    annotations,
    conditions,
    controlled_by,
    events,
    heading,
    labels,
    long_time,
    metadata_of,
)
from kctl.describe.pods import describe_template
from kctl.describe.text import Page

_CONDITION_COLUMNS = (("Type", "type"), ("Status", "status"), ("Reason", "reason"))


def describe_deployment(deployment: Plain, around: Surroundings) -> Page:
    """`around.of("replicasets")`: the ReplicaSets in its namespace."""
    page, spec, status, metadata = Page(), deployment.get("spec") or {}, deployment.get("status") or {}, metadata_of(deployment)
    heading(page, deployment)
    page.field("CreationTimestamp", long_time(metadata.get("creationTimestamp")))
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    page.field("Selector", selector_text(spec.get("selector")))
    counts = [f"{_desired(spec)} desired"]
    for key, word in (
        ("updated", "updatedReplicas"),
        ("total", "replicas"),
        ("available", "availableReplicas"),
        ("unavailable", "unavailableReplicas"),
    ):
        counts.append(f"{status.get(word) or 0} {key}")
    page.field("Replicas", " | ".join(counts))
    strategy = spec.get("strategy") or {}
    page.field("StrategyType", strategy.get("type") or "RollingUpdate")
    page.field("MinReadySeconds", spec.get("minReadySeconds") or 0)
    if rolling := strategy.get("rollingUpdate"):
        page.field(
            "RollingUpdateStrategy",
            f"{rolling.get('maxUnavailable', 0)} max unavailable, {rolling.get('maxSurge', 0)} max surge",
        )
    page.line("Pod Template:")
    page.extend(describe_template(spec.get("template") or {}), 1)
    conditions(page, status.get("conditions") or (), _CONDITION_COLUMNS)
    _replica_sets(page, deployment, around)
    events(page, around)
    return page


def describe_replica_set(replica_set: Plain, around: Surroundings) -> Page:
    """`around.of("pods")`: the pods that it selects."""
    page, spec, status, metadata = (
        Page(),
        replica_set.get("spec") or {},
        replica_set.get("status") or {},
        metadata_of(replica_set),
    )
    heading(page, replica_set)
    page.field("Selector", selector_text(spec.get("selector")))
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    controlled_by(page, replica_set)
    page.field("Replicas", f"{status.get('replicas') or 0} current / {_desired(spec)} desired")
    page.field("Pods Status", _pods_status(replica_set, around))
    page.line("Pod Template:")
    page.extend(describe_template(spec.get("template") or {}), 1)
    conditions(page, status.get("conditions") or (), _CONDITION_COLUMNS)
    events(page, around)
    return page


def _desired(spec: Plain) -> int:
    replicas = spec.get("replicas")
    return 1 if replicas is None else int(replicas)


def _replica_sets(page: Page, deployment: Plain, around: Surroundings) -> None:
    known = rollouts.revisions(deployment, list(around.of("replicasets")))
    newest = max(known, default=0)
    old = [_created(each) for number, each in known.items() if number != newest and (each.get("status") or {}).get("replicas")]
    page.field("OldReplicaSets", ", ".join(old) or "<none>")
    page.field("NewReplicaSet", _created(known[newest]) if newest else "<none>")


def _created(replica_set: Plain) -> str:
    status, spec = replica_set.get("status") or {}, replica_set.get("spec") or {}
    return f"{metadata_of(replica_set).get('name')} ({status.get('replicas') or 0}/{_desired(spec)} replicas created)"


def _pods_status(owner: Plain, around: Surroundings) -> str:
    uid, counts = metadata_of(owner).get("uid"), {"Running": 0, "Pending": 0, "Succeeded": 0, "Failed": 0}
    for pod in around.of("pods"):
        owners = metadata_of(pod).get("ownerReferences") or ()
        phase = (pod.get("status") or {}).get("phase")
        if phase in counts and any(each.get("uid") == uid and each.get("controller") for each in owners):
            counts[phase] += 1
    words = {"Running": "Running", "Pending": "Waiting", "Succeeded": "Succeeded", "Failed": "Failed"}
    return " / ".join(f"{counts[phase]} {word}" for phase, word in words.items())
