"""What a delete does to an object: the deletion state machine as one pure function.

    live ──delete──► terminating (deletionTimestamp set) ──last hold gone──► removed
      └────────────────── nothing holds it ───────────────────────────────────► removed

Three things hold an object back: finalizers, a grace period (a pod on a node has one: its kubelet ends it and then deletes
with grace 0), and, for a namespace, the entries of spec.finalizers. A deletion is never
taken back; a grace period can only become shorter. A delete that names a propagation policy writes it down as a finalizer,
which the garbage collector acts on and removes.

Source: the Kubernetes pages "Garbage Collection", "Finalizers" and "Pod Lifecycle".
"""

from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec

from apimachinery import codec
from apimachinery.kinds import Namespace
from apimachinery.kinds.object import Object
from apimachinery.times import format_time, parse_time

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


class Remove(msgspec.Struct, frozen=True):
    """Nothing holds the object: delete it from storage."""


class Store(msgspec.Struct, frozen=True):
    """The object stays and is terminating: write this."""

    obj: Object


class Keep(msgspec.Struct, frozen=True):
    """The object is terminating already, and this delete adds nothing."""


Decision: TypeAlias = Remove | Store | Keep


def propagation(policy: str, orphan_dependents: bool | None) -> str:
    """The policy that a delete asks for, "" when it leaves it to the object."""
    if orphan_dependents is not None:
        return "Orphan" if orphan_dependents else "Background"
    return policy


def decide_delete(obj: Object, *, policy: str, grace_s: int, now: datetime) -> Decision:
    """What a delete does to `obj`, which is not changed; `grace_s` is what the kind's rules grant it."""
    finalizers = _finalizers(obj, policy)
    meta = obj.metadata
    if meta.deletion_timestamp and grace_s >= (meta.deletion_grace_period_seconds or 0):
        grace_s = meta.deletion_grace_period_seconds or 0
    if not grace_s and not finalizers and not _held_by_spec(obj):
        return Remove()
    marked = _mark(obj, finalizers, grace_s, now)
    return Keep() if codec.encode(marked) == codec.encode(obj) else Store(marked)


def is_released(obj: Object) -> bool:
    """Whether a terminating object that an update leaves like this is held by nothing any more."""
    meta = obj.metadata
    return (
        bool(meta.deletion_timestamp)
        and not meta.finalizers
        and not meta.deletion_grace_period_seconds
        and not _held_by_spec(obj)
    )


def _mark(obj: Object, finalizers: list[str], grace_s: int, now: datetime) -> Object:
    marked = codec.deep_copy(obj)
    meta = marked.metadata
    meta.finalizers = finalizers
    if not meta.deletion_timestamp:
        meta.deletion_timestamp = format_time(now + timedelta(seconds=grace_s))
        meta.generation = meta.generation + 1 if meta.generation else meta.generation
    elif grace_s < (meta.deletion_grace_period_seconds or 0):
        begun = parse_time(meta.deletion_timestamp) - timedelta(seconds=meta.deletion_grace_period_seconds or 0)
        meta.deletion_timestamp = format_time(max(begun, now - timedelta(seconds=grace_s)) + timedelta(seconds=grace_s))
    meta.deletion_grace_period_seconds = grace_s
    if isinstance(marked, Namespace):
        marked.status.phase = "Terminating"
        meta.deletion_grace_period_seconds = None
    return marked


def _finalizers(obj: Object, policy: str) -> list[str]:
    present = obj.metadata.finalizers
    if not policy:
        return list(present)
    wanted = {"Foreground": FOREGROUND, "Orphan": ORPHAN}.get(policy, "")
    kept = [each for each in present if each not in (FOREGROUND, ORPHAN) or each == wanted]
    return kept if not wanted or wanted in kept else [*kept, wanted]


def _held_by_spec(obj: Object) -> bool:
    return isinstance(obj, Namespace) and bool(obj.spec.finalizers)
