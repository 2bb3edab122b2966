"""What becomes of an object, given how its owners stand. Pure.

An object is deleted only when every owner it names is absent or waits to be deleted after it; one owner that stays keeps it.
Source: the Kubernetes page "Garbage Collection" and "Owners and Dependents".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from apimachinery.kinds import ObjectMeta, OwnerReference
from controller_manager.garbage_collector.graph import FOREGROUND, ORPHAN


class Standing(Enum):
    """How an owner stands."""

    SOLID = auto()
    ABSENT = auto()
    WAITING = auto()
    """Being deleted in the foreground: it waits for its dependents to go first."""


@dataclass(frozen=True)
class Keep:
    """Leave the object alone."""


@dataclass(frozen=True)
class Strip:
    """Take the references to these owners (uids) away; another owner keeps the object."""

    owners: frozenset[str]


@dataclass(frozen=True)
class Unblock:
    """Owners and dependents wait for each other in a circle: let no owner wait for this object, then delete it."""


@dataclass(frozen=True)
class Delete:
    """Delete the object with this propagation policy."""

    policy: str


Verdict = Keep | Strip | Unblock | Delete


def judge(
    meta: ObjectMeta,
    owners: Sequence[tuple[OwnerReference, Standing]],
    *,
    has_dependents: bool,
    dependent_waits: bool,
) -> Verdict:
    """Decide from the live object's metadata and the standing of each owner.

    has_dependents: others name the object as owner; dependent_waits: one of them is itself being deleted in the foreground.
    """
    if not owners:
        return Keep()
    if any(standing == Standing.SOLID for _, standing in owners):
        leaving = frozenset(owner.uid for owner, standing in owners if standing != Standing.SOLID)
        return Strip(leaving) if leaving else Keep()
    if has_dependents and any(standing == Standing.WAITING for _, standing in owners):
        blocking = any(owner.block_owner_deletion for owner, _ in owners)
        return Unblock() if dependent_waits and blocking else Delete("Foreground")
    if ORPHAN in meta.finalizers:
        return Delete("Orphan")
    return Delete("Foreground" if FOREGROUND in meta.finalizers else "Background")
