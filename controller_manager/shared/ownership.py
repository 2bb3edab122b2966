"""Owner references: who controls an object, and which free or lost objects an owner should take or leave. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from apimachinery.kinds import OwnerReference
from apimachinery.kinds.object import Object
from apimachinery.labels import Selector

ObjectT = TypeVar("ObjectT", bound=Object)


def controller_of(obj: Object) -> OwnerReference | None:
    """The one reference that says who manages the object."""
    return next((owner for owner in obj.metadata.owner_references if owner.controller), None)


def controller_reference(owner: Object) -> OwnerReference:
    """The reference by which `owner` manages what it creates; deleting the owner in the foreground waits for it."""
    return OwnerReference(
        api_version=owner.api_version,
        kind=owner.kind,
        name=owner.metadata.name,
        uid=owner.metadata.uid,
        controller=True,
        block_owner_deletion=True,
    )


@dataclass(frozen=True)
class Claim(Generic[ObjectT]):
    """How an owner and its candidates stand: `owned` are its own and match; `adopt` are free and match; `release` are
    its own and match no longer."""

    owned: list[ObjectT]
    adopt: list[ObjectT]
    release: list[ObjectT]


def claim(owner: Object, selector: Selector, candidates: Iterable[ObjectT]) -> Claim[ObjectT]:
    """Sort the candidates of the owner's namespace; objects of other controllers are left alone.

    What is being deleted is neither adopted nor released, and an owner that is being deleted takes nothing.
    """
    result: Claim[ObjectT] = Claim([], [], [])
    for obj in candidates:
        matches, controller = selector.matches(obj.metadata.labels), controller_of(obj)
        going = obj.metadata.deletion_timestamp is not None
        if controller is not None:
            if controller.uid == owner.metadata.uid:
                if matches:
                    result.owned.append(obj)
                elif not going and owner.metadata.deletion_timestamp is None:
                    result.release.append(obj)
        elif matches and not going and owner.metadata.deletion_timestamp is None:
            result.adopt.append(obj)
    return result
