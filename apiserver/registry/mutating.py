"""What mutating webhooks make of an object, brought in order as if its client had sent it so.

Names, identity and revision stay what they are; defaults are filled in again; the parts that an update cannot touch are the
stored ones again. The fields that a webhook sets are nobody's: ownership was settled before. Entries of metadata.managedFields
that a webhook writes are kept if they are sound.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from apimachinery import apply
from apimachinery.kinds.meta import ManagedFieldsEntry
from apimachinery.kinds.object import Object
from apiserver.core import naming
from apiserver.core.request import Request
from apiserver.registry.webhooks import Review
from apiserver.strategy import Strategy


async def mutated_new(
    request: Request,
    obj: Object,
    review: Review,
    default: Callable[[Any], None],
    again: Callable[[Any], Awaitable[None]],
    *,
    generated: bool,
) -> tuple[Object, bool]:
    """A new object as the webhooks have made it, and whether its name is still one that was made up.

    They see no name that was made up, and may give one. `again` is built-in admission.
    """
    before = obj.metadata
    name = before.name
    if generated:
        before.name = ""

    def settle(changed: Object) -> None:
        wanted = changed.metadata
        wanted.uid, wanted.creation_timestamp = before.uid, before.creation_timestamp
        wanted.managed_fields = apply.starting_managers(before.managed_fields, wanted.managed_fields or None)
        naming.settle_name(wanted, "" if generated else name)
        naming.settle_namespace(request.resource, wanted, request.namespace)
        default(changed)

    obj = await review.mutate(obj, None, settle=settle, again=again)
    if obj.metadata.name:
        return obj, False
    obj.metadata.name = name
    return obj, generated


async def mutated(
    request: Request,
    new: Object,
    old: Object,
    owners: list[ManagedFieldsEntry],
    review: Review,
    strategy: Strategy[Any],
    now: datetime,
) -> tuple[Object, list[ManagedFieldsEntry]]:
    """A changed object as the webhooks have made it, and its managers, which they see in it.

    The managers in the object itself are what they were.
    """
    before = new.metadata.managed_fields
    new.metadata.managed_fields = owners

    def settle(changed: Object) -> None:
        wanted = changed.metadata
        naming.settle_name(wanted, request.name)
        naming.settle_namespace(request.resource, wanted, request.namespace)
        wanted.resource_version = old.metadata.resource_version
        wanted.managed_fields = apply.starting_managers(owners, wanted.managed_fields or None)
        strategy.default(changed)
        strategy.prepare_update(changed, old, request.subresource)
        strategy.sign(changed, old, request.user, now)

    changed: Object = await review.mutate(new, old, settle=settle)
    if changed is not new and changed.metadata.managed_fields != owners:
        owners = changed.metadata.managed_fields
    changed.metadata.managed_fields = before
    return changed, owners


async def validated(new: Object, old: Object, owners: list[ManagedFieldsEntry], review: Review) -> None:
    """Have policies and validating webhooks judge an object as it would be stored; raises ApiError."""
    before, new.metadata.managed_fields = new.metadata.managed_fields, owners
    await review.validate(new, old)
    new.metadata.managed_fields = before
