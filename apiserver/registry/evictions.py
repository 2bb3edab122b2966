"""Evictions: deletes of pods that their disruption budgets have to allow.

An eviction starts as a plain delete which looks, at each state of the pod that it would delete, whether a budget stands in
front of it. Where one does and has not been charged yet, the delete stops; the budget is charged, and the delete starts over.
So a pod without a budget costs a look into the watch cache, and what was concluded from a pod's state (that it is not ready,
or has ended) holds for the very state that is deleted: the delete is a swap on it.

The order "charge, then delete" means that a crash in between loses a disruption, which the controller gives back after a
while, and never grants one twice. Charges are swaps too, so that no number of API servers overdraws a budget; those of one
server to one budget take turns, because a crowd of swaps on one key would lose to each other.
"""

import asyncio
from collections.abc import Collection
from weakref import WeakValueDictionary

import msgspec

from apimachinery import codec, errors
from apimachinery.clock import Clock
from apimachinery.errors import ApiError
from apimachinery.kinds import Eviction, Object, Pod, PodDisruptionBudget
from apimachinery.kinds.meta import DeleteOptions, Status
from apimachinery.resources import POD_DISRUPTION_BUDGETS
from apiserver.core import eviction as core
from apiserver.core import naming, parameters
from apiserver.core.admission_review import CREATE
from apiserver.core.bodies import decode_object
from apiserver.core.request import Document, Request, Verb
from apiserver.registry.current import Current
from apiserver.registry.objects import Objects
from apiserver.registry.store import ObjectStore, Outcome, Put
from apiserver.registry.webhooks import Webhooks

VERSIONS = ("policy/v1", "policy/v1beta1")
"""What an Eviction may call itself. Kubernetes takes the older name too: kubectl before 1.22 knows no other."""
CHARGES_MAX = 3
"""Budgets that one eviction charges: more than one only when the pod's labels or its budgets change meanwhile."""


class Evictions:
    """POST pods/NAME/eviction."""

    def __init__(self, store: ObjectStore, objects: Objects, webhooks: Webhooks, clock: Clock) -> None:
        self._store = store
        self._webhooks = webhooks
        self._objects = objects
        self._clock = clock
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def evict(self, request: Request) -> Document:
        """Delete the pod; raises ApiError 404, 409, and 429 when its budget allows no disruption now."""
        wanted, warnings = decode_object(
            Eviction, request.body, request.content_type, request.options.field_validation, kind="Eviction"
        )
        if wanted.api_version not in VERSIONS:
            raise errors.bad_request(
                f"the API version in the data ({wanted.api_version}) does not match the expected API version (policy/v1)"
            )
        if wanted.metadata.name and wanted.metadata.name != request.name:
            raise errors.bad_request(f"name in URL does not match name in Eviction object: {wanted.metadata.name}")
        review = self._webhooks.begin(request, CREATE)
        if review.mutates or review.validates:
            naming.settle_name(wanted.metadata, request.name)
            naming.settle_namespace(request.resource, wanted.metadata, request.namespace)
            wanted = await review.mutate(wanted, None)
            await review.validate(wanted, None)
        body = codec.encode(wanted.delete_options or DeleteOptions())
        deletion = msgspec.structs.replace(
            request, verb=Verb.DELETE, subresource="", body=body, content_type="application/json"
        )
        options, _, _ = parameters.delete_options(request.options, body)
        charged: set[str] = set()
        while True:
            try:
                await self._objects.delete(deletion, lambda pod: self._admit(pod, charged))
            except _GuardedError as guarded:
                if len(charged) == CHARGES_MAX:
                    raise
                await self._charge(request, guarded.budget, dry_run=options.dry_run)
                charged.add(guarded.budget.metadata.uid)
            else:
                return Document(codec.encode(Status(status="Success", code=201)), 0, 201, (*warnings, *review.warnings))

    def _admit(self, pod: Object, charged: Collection[str]) -> None:
        """Mark a pod that may go; raises `_GuardedError` when a budget has to be charged first."""
        assert isinstance(pod, Pod)
        budget = core.to_charge(pod, self._budgets(pod.metadata.namespace))
        if budget is not None and budget.metadata.uid not in charged:
            raise _GuardedError(budget)
        core.mark(pod, self._clock.now())

    def _budgets(self, namespace: str) -> list[PodDisruptionBudget]:
        view = self._store.reader.view(POD_DISRUPTION_BUDGETS, namespace)
        return [codec.decode(PodDisruptionBudget, each.data) for each in view]

    async def _charge(self, request: Request, budget: PodDisruptionBudget, *, dry_run: bool) -> None:
        namespace, name = budget.metadata.namespace, budget.metadata.name

        async def decide(current: Current) -> Outcome:
            newest = codec.decode(PodDisruptionBudget, current.data)
            core.charge(newest, request.name, self._clock.now())
            return Put(newest)

        async with self._turns.setdefault((namespace, name), asyncio.Lock()):
            try:
                await self._store.change(POD_DISRUPTION_BUDGETS, namespace, name, decide, fence=request.fence, dry_run=dry_run)
            except ApiError as error:
                if errors.is_conflict(error):
                    raise core.contended(name) from error
                if not errors.is_not_found(error):
                    raise
                # the cache has not heard of its end yet: nothing is left that could object


class _GuardedError(ApiError):
    """The pod's budget has to be charged first. As an answer, once too many have been: try again."""

    def __init__(self, budget: PodDisruptionBudget) -> None:
        super().__init__(core.still_processed(budget.metadata.name).status)
        self.budget = budget
