"""What a terminating namespace still holds, what its status says about it, and when it may go. Pure.

Pods go first and everything else only once they are gone: while a pod runs, what protects and configures it stays.

A group that others serve and that does not answer is told of, and holds nothing up: what such servers keep for a namespace is
not in this cluster's storage, and a namespace that waits for servers that are gone for good would never go.
Source: the Kubernetes page "Namespaces"; condition types, reasons and messages are Kubernetes'.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from apimachinery.kinds import APIService, NamespaceCondition
from apimachinery.times import format_time

FINALIZER = "kubernetes"


@dataclass
class Remains:
    """What was found after deleting: objects by resource (`pods`), their finalizers, and what went wrong.

    unanswered: the group versions (`metrics.k8s.io/v1beta1`) whose servers could not be asked what they hold.
    """

    objects: Counter[str] = field(default_factory=Counter)
    finalizers: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)

    @property
    def gone(self) -> bool:
        return not self.objects and not self.errors


def conditions(remains: Remains, known: Sequence[NamespaceCondition], now: datetime) -> list[NamespaceCondition]:
    """The conditions of the namespace's status; an unchanged one keeps its transition time."""
    described = [
        _discovery(remains),
        _described(
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        _content(remains),
        _remaining(remains),
        _finalizers(remains),
    ]
    before, moment = {each.type: each for each in known}, format_time(now)
    for condition in described:
        old = before.get(condition.type)
        same = old is not None and old.status == condition.status
        condition.last_transition_time = old.last_transition_time if old is not None and same else moment
    ours = {each.type for each in described}
    return [*(each for each in known if each.type not in ours), *described]


def _discovery(remains: Remains) -> NamespaceCondition:
    kind, failing = "NamespaceDeletionDiscoveryFailure", remains.unanswered
    if not failing:
        return _described(kind, "False", "ResourcesDiscovered", "All resources successfully discovered")
    listed = ", ".join(sorted(failing))
    message = f"Discovery failed for some groups, {len(failing)} failing: unable to retrieve the complete list of server APIs"
    return _described(kind, "True", "DiscoveryFailed", f"{message}: {listed}")


def available_groups(api_services: Iterable[APIService]) -> list[str]:
    """The group versions that others serve and that are available."""
    return [_group_version(each) for each in api_services if each.spec.service is not None and _is_available(each)]


def unavailable_groups(api_services: Iterable[APIService]) -> list[str]:
    """The group versions that others serve and that are not available."""
    return [_group_version(each) for each in api_services if each.spec.service is not None and not _is_available(each)]


def _group_version(api_service: APIService) -> str:
    return f"{api_service.spec.group}/{api_service.spec.version}"


def _is_available(api_service: APIService) -> bool:
    return any(each.type == "Available" and each.status == "True" for each in api_service.status.conditions)


def _content(remains: Remains) -> NamespaceCondition:
    ok = "All content successfully deleted, may be waiting on finalization"
    problem = f"Failed to delete all resource types, {len(remains.errors)} remaining: " + ", ".join(sorted(remains.errors))
    kind = "NamespaceDeletionContentFailure"
    if remains.errors:
        return _described(kind, "True", "ContentDeletionFailed", problem)
    return _described(kind, "False", "ContentDeleted", ok)


def _remaining(remains: Remains) -> NamespaceCondition:
    kind = "NamespaceContentRemaining"
    if not remains.objects:
        return _described(kind, "False", "ContentRemoved", "All content successfully removed")
    listed = ", ".join(f"{name} has {count} resource instances" for name, count in sorted(remains.objects.items()))
    return _described(kind, "True", "SomeResourcesRemain", f"Some resources are remaining: {listed}")


def _finalizers(remains: Remains) -> NamespaceCondition:
    kind = "NamespaceFinalizersRemaining"
    if not remains.finalizers:
        return _described(kind, "False", "ContentHasNoFinalizers", "All content-preserving finalizers finished")
    listed = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(remains.finalizers.items()))
    message = f"Some content in the namespace has finalizers remaining: {listed}"
    return _described(kind, "True", "SomeFinalizersRemain", message)


def _described(kind: str, status: str, reason: str, message: str) -> NamespaceCondition:
    return NamespaceCondition(type=kind, status=status, reason=reason, message=message)
