"""Reviews by webhooks of what is not stored as it is sent: Scales, bindings, and what connections are asked with."""

import asyncio
from collections.abc import Sequence

import msgspec

from apimachinery import errors
from apimachinery.errors import ApiError
from apimachinery.kinds import Binding, ObjectMeta, ObjectReference
from apimachinery.kinds.object import Object
from apiserver.core.admission_review import CONNECT, CREATE
from apiserver.core.binding import from_binding
from apiserver.core.connect_options import ProxyOptions, options_of, parameters_of
from apiserver.core.paths import PROXY
from apiserver.core.request import Bind, Request
from apiserver.core.scaling import rescaled, scale_of
from apiserver.registry.webhooks import NOBODY, Review, Webhooks

BINDINGS_AT_ONCE = 16


async def review_scale(review: Review, new: Object, old: Object) -> Object:
    """The workload `new` with the replicas that webhooks have made of its Scale; raises ApiError when they refuse it."""
    if review is NOBODY:
        return new
    before, wanted = scale_of(old), scale_of(new)
    changed = await review.mutate(wanted, before)
    if changed is not wanted:
        new = rescaled(new, changed)
    await review.validate(scale_of(new), before)
    return new


async def review_binding(review: Review, binding: Binding, request: Request) -> Binding:
    """A Binding as webhooks have made it; raises ApiError when they refuse it."""
    if review is NOBODY:
        return binding
    binding.metadata.name, binding.metadata.namespace = request.name, request.namespace
    changed: Binding = await review.mutate(binding, None)
    await review.validate(changed, None)
    return changed


async def review_binds(webhooks: Webhooks, request: Request, binds: Sequence[Bind]) -> Sequence[Bind | ApiError]:
    """For each of many bindings what webhooks have made of it, or why they refuse it."""
    if webhooks.begin(request, CREATE) is NOBODY:
        return binds
    places = asyncio.Semaphore(BINDINGS_AT_ONCE)

    async def one(bind: Bind) -> Bind | ApiError:
        meta = ObjectMeta(name=bind.name, namespace=bind.namespace, uid=bind.uid, annotations=dict(bind.annotations))
        binding = Binding(metadata=meta, target=ObjectReference(kind="Node", name=bind.node))
        about = msgspec.structs.replace(request, namespace=bind.namespace, name=bind.name)
        async with places:
            try:
                reviewed = await review_binding(webhooks.begin(about, CREATE), binding, about)
                return from_binding(bind.namespace, bind.name, reviewed)
            except ApiError as error:
                return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(bind), name="bind/review") for bind in binds]
    return [task.result() for task in tasks]


async def review_connection(webhooks: Webhooks, request: Request) -> Request:
    """A request for a connection as webhooks have made it; raises ApiError when they refuse it."""
    review = NOBODY if request.subresource == "log" else webhooks.begin(request, CONNECT, bytes)
    if review is NOBODY:
        return request
    options = options_of(request)
    changed = await review.mutate(options, None)
    await review.validate(changed, None)
    if changed is options:
        return request
    if isinstance(changed, ProxyOptions):
        raise errors.internal(f"a webhook attempted to modify {PROXY} options, which is not supported for this operation")
    parameters = parameters_of(changed, request.options.parameters)
    return msgspec.structs.replace(request, options=msgspec.structs.replace(request.options, parameters=parameters))
