"""Carry out claims: take free objects in, let lost ones go. Writes are guarded by resourceVersion, so that a stale
cache does nothing."""

from typing import TypeVar

from apiclient.client import Client
from apimachinery import codec
from apimachinery.errors import ApiError, is_conflict, is_not_found
from apimachinery.kinds import Object
from controller_manager.shared.ownership import Claim, controller_reference

OwnerT = TypeVar("OwnerT", bound=Object)
ObjectT = TypeVar("ObjectT", bound=Object)


async def settle(client: Client, owner: OwnerT, claim: Claim[ObjectT]) -> list[ObjectT]:
    """Adopt and release what the claim says; everything that is the owner's afterwards.

    Before the first adoption the owner is read from the API: one that was deleted (or recreated under its name) must
    not take in objects that the garbage collector has just been told to orphan.
    """
    owned = list(claim.owned)
    if claim.adopt and await _still_there(client, owner):
        for obj in claim.adopt:
            adopted = codec.deep_copy(obj)
            adopted.metadata.owner_references.append(controller_reference(owner))
            owned.append(await client.update(adopted))
    for obj in claim.release:
        released = codec.deep_copy(obj)
        references = released.metadata.owner_references
        released.metadata.owner_references = [each for each in references if each.uid != owner.metadata.uid]
        try:
            await client.update(released)
        except ApiError as error:
            # gone or changed meanwhile: the next event decides anew
            if not is_not_found(error) and not is_conflict(error):
                raise
    return owned


async def _still_there(client: Client, owner: Object) -> bool:
    meta = owner.metadata
    try:
        live = await client.get(type(owner), meta.name, meta.namespace)
    except ApiError as error:
        if is_not_found(error):
            return False
        raise
    return live.metadata.uid == meta.uid and live.metadata.deletion_timestamp is None
