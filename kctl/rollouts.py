"""What a Deployment's objects say about its rollouts: pure functions over plain data.

A revision is a ReplicaSet that the Deployment owns; its number stands in an annotation. The texts are kubectl's.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

REVISION = "deployment.kubernetes.io/revision"
CHANGE_CAUSE = "kubernetes.io/change-cause"
POD_TEMPLATE_HASH = "pod-template-hash"


@dataclass(frozen=True)
class RolloutState:
    """How far a rollout is: a sentence, whether it has ended, and why it failed if it did."""

    message: str
    done: bool = False
    failure: str = ""


def status(deployment: Mapping[str, Any]) -> RolloutState:
    """Where the rollout of a Deployment stands."""
    name, metadata = deployment["metadata"]["name"], deployment["metadata"]
    spec, current = deployment.get("spec") or {}, deployment.get("status") or {}
    if (metadata.get("generation") or 0) > (current.get("observedGeneration") or 0):
        return RolloutState("Waiting for deployment spec update to be observed...")
    for condition in current.get("conditions") or ():
        if condition.get("type") == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return RolloutState("", failure=f'deployment "{name}" exceeded its progress deadline')
    wanted = 1 if spec.get("replicas") is None else spec["replicas"]
    total, updated = current.get("replicas") or 0, current.get("updatedReplicas") or 0
    available = current.get("availableReplicas") or 0
    waiting = f'Waiting for deployment "{name}" rollout to finish: '
    if updated < wanted:
        return RolloutState(f"{waiting}{updated} out of {wanted} new replicas have been updated...")
    if total > updated:
        return RolloutState(f"{waiting}{total - updated} old replicas are pending termination...")
    if available < updated:
        return RolloutState(f"{waiting}{available} of {updated} updated replicas are available...")
    return RolloutState(f'deployment "{name}" successfully rolled out', done=True)


def revision_of(obj: Mapping[str, Any]) -> int:
    """The number of a ReplicaSet's revision; 0 when it has none."""
    text = ((obj.get("metadata") or {}).get("annotations") or {}).get(REVISION, "0")
    return int(text) if str(text).isdigit() else 0


def revisions(deployment: Mapping[str, Any], replica_sets: Sequence[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    """The ReplicaSets that the Deployment owns, by revision, oldest first."""
    uid = deployment["metadata"].get("uid")
    owned = [
        each
        for each in replica_sets
        if any(owner.get("controller") and owner.get("uid") == uid for owner in each["metadata"].get("ownerReferences") or ())
    ]
    return {revision_of(each): each for each in sorted(owned, key=revision_of) if revision_of(each)}


def change_cause(obj: Mapping[str, Any]) -> str:
    return str((obj["metadata"].get("annotations") or {}).get(CHANGE_CAUSE) or "<none>")


def template_of(replica_set: Mapping[str, Any]) -> dict[str, Any]:
    """The pod template of a revision as the Deployment had it: without the label that tells revisions apart."""
    template: dict[str, Any] = json.loads(json.dumps((replica_set.get("spec") or {}).get("template") or {}))
    labels = (template.get("metadata") or {}).get("labels") or {}
    labels.pop(POD_TEMPLATE_HASH, None)
    return template


def undo_target(known: Mapping[int, Mapping[str, Any]], to_revision: int) -> int:
    """The revision to go back to: the one asked for, or the one before the newest. Raises LookupError with a sentence."""
    if to_revision:
        if to_revision not in known:
            raise LookupError(f"unable to find specified revision {to_revision} in history")
        return to_revision
    numbers = sorted(known)
    if len(numbers) < 2:
        raise LookupError("no rollout history found")
    return numbers[-2]
