"""Descriptions of the workloads that keep pods running."""

from apimachinery.printing.shape import labels_text, selector_text
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
from kctl.describe.storage import describe_claim_template
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
    return _replicas(replica_set, selector_text((replica_set.get("spec") or {}).get("selector")), around)


def describe_replication_controller(controller: Plain, around: Surroundings) -> Page:
    """`around.of("pods")`: the pods that it selects."""
    return _replicas(controller, labels_text((controller.get("spec") or {}).get("selector")), around)


def describe_stateful_set(stateful_set: Plain, around: Surroundings) -> Page:
    """`around.of("pods")`: the pods that it selects."""
    page, spec, status, metadata = (
        Page(),
        stateful_set.get("spec") or {},
        stateful_set.get("status") or {},
        metadata_of(stateful_set),
    )
    heading(page, stateful_set)
    page.field("CreationTimestamp", long_time(metadata.get("creationTimestamp")))
    page.field("Selector", selector_text(spec.get("selector")))
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    page.field("Replicas", f"{_desired(spec)} desired | {status.get('replicas') or 0} total")
    strategy = spec.get("updateStrategy") or {}
    page.field("Update Strategy", strategy.get("type") or "RollingUpdate")
    if rolling := strategy.get("rollingUpdate"):
        page.field("Partition", rolling.get("partition") or 0, 1)
    page.field("Pods Status", _pods_status(stateful_set, around))
    page.line("Pod Template:")
    page.extend(describe_template(spec.get("template") or {}), 1)
    claims = spec.get("volumeClaimTemplates") or ()
    page.section("Volume Claims", not claims)
    for claim in claims:
        page.extend(describe_claim_template(claim), 1)
    events(page, around)
    return page


def describe_daemon_set(daemon_set: Plain, around: Surroundings) -> Page:
    """`around.of("pods")`: the pods that it selects."""
    page, spec, status, metadata = (
        Page(),
        daemon_set.get("spec") or {},
        daemon_set.get("status") or {},
        metadata_of(daemon_set),
    )
    heading(page, daemon_set)
    page.field("Selector", selector_text(spec.get("selector")))
    page.field("Node-Selector", labels_text(((spec.get("template") or {}).get("spec") or {}).get("nodeSelector")))
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    for title, count in (
        ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
        ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
        ("Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"),
        ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    ):
        page.field(title, status.get(count) or 0)
    page.field("Pods Status", _pods_status(daemon_set, around))
    page.line("Pod Template:")
    page.extend(describe_template(spec.get("template") or {}), 1)
    events(page, around)
    return page


def _replicas(replica_set: Plain, selector: str, around: Surroundings) -> Page:
    """What keeps so many equal pods running."""
    page, spec, status, metadata = (
        Page(),
        replica_set.get("spec") or {},
        replica_set.get("status") or {},
        metadata_of(replica_set),
    )
    heading(page, replica_set)
    page.field("Selector", selector)
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
