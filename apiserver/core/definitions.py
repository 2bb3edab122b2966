"""CustomResourceDefinitions: which names are accepted, when a kind is established, which versions are served. Pure.

Names belong to who was accepted with them first: a definition whose names are taken by another one of its group keeps those
that it had been accepted with. Once established it stays so. Source: the Kubernetes page on CustomResourceDefinitions; the API
reference of CustomResourceDefinitionStatus.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from apimachinery.custom_rows import is_established
from apimachinery.kinds import (
    CustomResourceDefinition,
    CustomResourceDefinitionCondition,
    CustomResourceDefinitionNames,
)
from apimachinery.times import format_time

CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
NAMES_ACCEPTED, ESTABLISHED, TERMINATING = "NamesAccepted", "Established", "Terminating"
CONFORMANT = "KubernetesAPIApprovalPolicyConformant"
APPROVED = "api-approved.kubernetes.io"
PROTECTED = ("k8s.io", "kubernetes.io")
"""Groups, and those below them, whose kinds need an approval, which an annotation names."""
UNAPPROVED = "unapproved"


class Verdict(NamedTuple):
    """What a condition says."""

    type: str
    status: bool
    reason: str
    message: str


DELETION_DONE = Verdict(TERMINATING, False, "InstanceDeletionCompleted", "removed all instances")


def deletion_in_progress(left: int) -> Verdict:
    """Its objects are being deleted."""
    return Verdict(TERMINATING, True, "InstanceDeletionInProgress", f"{left} objects are still there")


def deletion_failed(why: str) -> Verdict:
    """Its objects could not be deleted for now."""
    return Verdict(TERMINATING, True, "InstanceDeletionFailed", f"could not delete all instances: {why}")


def condition_of(definition: CustomResourceDefinition, kind: str) -> CustomResourceDefinitionCondition | None:
    """The condition of that type, if there is one."""
    return next((each for each in definition.status.conditions if each.type == kind), None)


def holds(definition: CustomResourceDefinition, kind: str) -> bool:
    """Whether a condition is there and true."""
    found = condition_of(definition, kind)
    return found is not None and found.status == "True"


def settle(
    definition: CustomResourceDefinition, all_definitions: Iterable[CustomResourceDefinition], now: datetime
) -> CustomResourceDefinition | None:
    """The definition with its names and conditions as they should be now; None when they are."""
    others = [
        each.status.accepted_names
        for each in all_definitions
        if each.spec.group == definition.spec.group
        and each.metadata.name != definition.metadata.name
        and each.status.accepted_names is not None
    ]
    names, accepted = _accept(definition, others)
    result = with_condition(definition, accepted, now)
    if not is_established(definition):
        result = with_condition(result, _established(accepted), now)
    if is_protected(definition.spec.group):
        result = with_condition(result, _approval(definition.metadata.annotations.get(APPROVED, "")), now)
    if names == definition.status.accepted_names and result.status == definition.status:
        return None
    return msgspec.structs.replace(result, status=msgspec.structs.replace(result.status, accepted_names=names))


def is_protected(group: str) -> bool:
    """Whether a group is one of the Kubernetes project's."""
    return any(group == each or group.endswith(f".{each}") for each in PROTECTED)


def is_approval(text: str) -> bool:
    """Whether an annotation names where a kind was approved, or that it was not."""
    parts = urlsplit(text)
    return text.startswith(UNAPPROVED) or bool(parts.scheme and parts.netloc)


def with_condition(definition: CustomResourceDefinition, verdict: Verdict, now: datetime) -> CustomResourceDefinition:
    """The definition with a condition, which changes its time with its status only; the rest is shared."""
    status = "True" if verdict.status else "False"
    before = condition_of(definition, verdict.type)
    same = before is not None and before.status == status
    made = CustomResourceDefinitionCondition(
        last_transition_time=before.last_transition_time if before is not None and same else format_time(now),
        message=verdict.message,
        reason=verdict.reason,
        status=status,
        type=verdict.type,
        observed_generation=definition.metadata.generation,
    )
    others = definition.status.conditions
    conditions = [*others, made] if before is None else [made if each is before else each for each in others]
    return msgspec.structs.replace(definition, status=msgspec.structs.replace(definition.status, conditions=conditions))


def _accept(
    definition: CustomResourceDefinition, others: Sequence[CustomResourceDefinitionNames]
) -> tuple[CustomResourceDefinitionNames, Verdict]:
    wanted = definition.spec.names
    names = {name for each in others for name in (each.plural, each.singular, *each.short_names) if name}
    kinds = {kind for each in others for kind in (each.kind, each.list_kind) if kind}
    before = definition.status.accepted_names
    accepted = msgspec.structs.replace(before) if before is not None else CustomResourceDefinitionNames()
    conflicts = []
    for attribute, taken, reason in (
        ("plural", names, "PluralConflict"),
        ("singular", names, "SingularConflict"),
        ("short_names", names, "ShortNamesConflict"),
        ("kind", kinds, "KindConflict"),
        ("list_kind", kinds, "ListKindConflict"),
    ):
        value: str | list[str] = getattr(wanted, attribute)
        found = [each for each in ([value] if isinstance(value, str) else value) if each in taken]
        if found:
            conflicts.append(Verdict(NAMES_ACCEPTED, False, reason, f'"{", ".join(found)}" is already in use'))
        else:
            setattr(accepted, attribute, value)
    accepted.categories = wanted.categories
    if not conflicts:
        return accepted, Verdict(NAMES_ACCEPTED, True, "NoConflicts", "no conflicts found")
    message = "; ".join(each.message for each in conflicts)
    return accepted, conflicts[0]._replace(message=message)


def _approval(text: str) -> Verdict:
    if text.startswith(UNAPPROVED):
        return Verdict(CONFORMANT, False, "UnapprovedAnnotation", f"not approved: {text!r}")
    if is_approval(text):
        return Verdict(CONFORMANT, True, "ApprovedAnnotation", f"approved in {text}")
    return Verdict(CONFORMANT, False, "InvalidAnnotation" if text else "MissingAnnotation", f"no valid approval: {text!r}")


def _established(accepted: Verdict) -> Verdict:
    if accepted.status:
        return Verdict(ESTABLISHED, True, "InitialNamesAccepted", "the initial names have been accepted")
    return Verdict(ESTABLISHED, False, "NotAccepted", "not all names are accepted")
