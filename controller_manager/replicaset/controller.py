"""Informers, queue and writes around `core`.

A ReplicaSet is acted on only once the pod cache has shown the last creates and deletes (expectations). A create whose
answer was lost may have taken effect, so before the next one the live pods are compared with the cache: the set waits
until both agree.
"""

import asyncio
from collections.abc import Sequence

from apiclient.client import EventType
from apiclient.expectations import Expectations
from apiclient.informer import key_of
from apimachinery import codec, labels
from apimachinery.errors import ApiError, is_not_found
from apimachinery.kinds import OwnerReference, Pod, ReplicaSet
from controller_manager.replicaset import core
from controller_manager.shared import pods as podinfo
from controller_manager.shared.adoption import settle
from controller_manager.shared.context import FREE, OWNER, Context
from controller_manager.shared.loop import EARLY_S, Controller
from controller_manager.shared.ownership import claim, controller_of

RECHECK_S = 0.05
NAMESPACE_TERMINATING = "NamespaceTerminating"


class ReplicaSetController(Controller):
    """Keeps ReplicaSets at their size."""

    name = "replicaset"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._sets = context.informers.replica_sets.store
        self._pods = context.informers.pods.store
        self._recorder = context.recorder("replicaset-controller")
        self._expectations = Expectations(context.clock)
        self._doubtful: set[str] = set()  # sets with a create of unknown outcome
        context.informers.replica_sets.on_event(self._on_set)
        context.informers.pods.on_event(self._on_pod)

    def resync(self) -> None:
        for key in self._sets.keys():  # noqa: SIM118 - a store, not a dict
            self.queue.add(key)

    async def reconcile(self, key: str) -> None:
        rs = self._sets.get(key)
        if rs is None:
            self._expectations.forget(key)
            self._doubtful.discard(key)
            return
        selector = labels.from_struct(rs.spec.selector)
        if selector.empty:
            return  # would take every pod of the namespace; validation refuses such sets
        pods = await settle(self._client, rs, claim(rs, selector, self._candidates(rs)))
        if not self._expectations.satisfied(key):
            await self._report(key, rs, pods, _standing_failure(rs))
            return
        if not await self._certain(key, rs):
            self.queue.add_after(key, RECHECK_S)
            return
        plan = core.plan(rs, pods, self._related(rs), self._clock.now())
        error = await self._act(key, rs, plan)
        reason = "FailedCreate" if plan.creates else "FailedDelete"
        await self._report(key, rs, pods, None if error is None else core.Failure(reason, str(error)))
        if error is not None:
            raise error

    def _candidates(self, rs: ReplicaSet) -> Sequence[Pod]:
        """The set's own pods, and those of its namespace that nobody controls."""
        return [*self._pods.by_index(OWNER, rs.metadata.uid), *self._pods.by_index(FREE, rs.metadata.namespace)]

    def _related(self, rs: ReplicaSet) -> Sequence[Pod]:
        owner = controller_of(rs)
        siblings = [rs] if owner is None else self._sets.by_index(OWNER, owner.uid)
        return [pod for each in siblings for pod in self._pods.by_index(OWNER, each.metadata.uid)]

    async def _certain(self, key: str, rs: ReplicaSet) -> bool:
        """Whether the cache shows the set's pods as they are; asked of the API only after a write of unknown outcome."""
        if key not in self._doubtful:
            return True
        selector = str(labels.from_struct(rs.spec.selector))
        listed = await self._client.list(Pod, rs.metadata.namespace, label_selector=selector)
        live = {pod.metadata.uid for pod in listed.items if _controlled_by(pod, rs)}
        cached = {pod.metadata.uid for pod in self._pods.by_index(OWNER, rs.metadata.uid)}
        if not live <= cached:
            return False
        self._doubtful.discard(key)
        return True

    async def _act(self, key: str, rs: ReplicaSet, plan: core.Plan) -> ApiError | None:
        """Write what is planned; the first error that the API gave."""
        if plan.creates:
            return await self._create(key, rs, plan.creates)
        if plan.deletes:
            return await self._delete(key, rs, plan.deletes)
        return None

    async def _create(self, key: str, rs: ReplicaSet, count: int) -> ApiError | None:
        for batch in core.slow_start(count):
            self._expectations.expect_creations(key, batch)
            errors = await asyncio.gather(*(self._create_one(key, rs) for _ in range(batch)))
            failed = [error for error in errors if error is not None]
            if failed:
                # a namespace that is going away takes nothing in, and the set goes with it
                return next((error for error in failed if not _namespace_is_going(error)), None)
        return None

    async def _create_one(self, key: str, rs: ReplicaSet) -> ApiError | None:
        try:
            pod = await self._client.create(core.new_pod(rs))
        except BaseException as error:
            self._expectations.creation_observed(key)
            if not isinstance(error, ApiError):
                raise
            if error.code >= 500:
                self._doubtful.add(key)
            if not _namespace_is_going(error):
                self._recorder.event(rs, "Warning", "FailedCreate", f"Error creating: {error}")
            return error
        self._recorder.event(rs, "Normal", "SuccessfulCreate", f"Created pod: {pod.metadata.name}")
        return None

    async def _delete(self, key: str, rs: ReplicaSet, victims: Sequence[Pod]) -> ApiError | None:
        self._expectations.expect_deletions(key, [pod.metadata.uid for pod in victims])
        errors = await asyncio.gather(*(self._delete_one(key, rs, pod) for pod in victims))
        return next((error for error in errors if error is not None), None)

    async def _delete_one(self, key: str, rs: ReplicaSet, pod: Pod) -> ApiError | None:
        meta = pod.metadata
        try:
            await self._client.delete(Pod, meta.name, meta.namespace, uid=meta.uid)
        except BaseException as error:
            self._expectations.deletion_observed(key, meta.uid)
            if not isinstance(error, ApiError):
                raise
            if is_not_found(error):
                return None
            self._recorder.event(rs, "Warning", "FailedDelete", f"Error deleting: {error}")
            return error
        self._recorder.event(rs, "Normal", "SuccessfulDelete", f"Deleted pod: {meta.name}")
        return None

    async def _report(self, key: str, rs: ReplicaSet, pods: Sequence[Pod], failure: core.Failure | None) -> None:
        now = self._clock.now()
        status = core.status(rs, pods, failure, now)
        if status != rs.status:
            changed = codec.deep_copy(rs)
            changed.status = status
            await self._client.update_status(changed)
        wait_s = core.next_look_s(rs, pods, now)
        if wait_s is not None:
            self.queue.add_after(key, wait_s + EARLY_S)

    def _on_set(self, event: EventType, old: ReplicaSet | None, new: ReplicaSet | None) -> None:
        rs = new or old
        if rs is None:
            return
        key = key_of(rs)
        if new is None or (old is not None and old.metadata.uid != new.metadata.uid):
            self._expectations.forget(key)
        self.queue.add(key)

    def _on_pod(self, event: EventType, old: Pod | None, new: Pod | None) -> None:
        before = controller_of(old) if old is not None else None
        after = controller_of(new) if new is not None else None
        if old is not None and before is not None and (after is None or after.uid != before.uid):
            self._lost(old, before)
        if new is None:
            return
        if after is None:
            self._enqueue_takers(new)
            return
        key = self._set_key(new.metadata.namespace, after)
        if key is None:
            return
        if podinfo.is_terminating(new):
            self._expectations.deletion_observed(key, new.metadata.uid)
        if old is None or before is None or old.metadata.uid != new.metadata.uid:
            self._expectations.creation_observed(key)
        self.queue.add(key)

    def _lost(self, pod: Pod, owner: OwnerReference) -> None:
        """The pod is gone, or is another's now."""
        key = self._set_key(pod.metadata.namespace, owner)
        if key is not None:
            self._expectations.deletion_observed(key, pod.metadata.uid)
            self.queue.add(key)

    def _enqueue_takers(self, pod: Pod) -> None:
        """A pod that nobody controls may be one that a set wants."""
        if podinfo.is_terminating(pod):
            return
        for rs in self._sets.list(pod.metadata.namespace):
            selector = labels.from_struct(rs.spec.selector)
            if not selector.empty and selector.matches(pod.metadata.labels):
                self.queue.add(key_of(rs))

    def _set_key(self, namespace: str, owner: OwnerReference) -> str | None:
        """The key of the ReplicaSet that the reference means; None for another kind, or a namesake."""
        rs = self._sets.get_by(owner.name, namespace) if owner.kind == "ReplicaSet" else None
        return key_of(rs) if rs is not None and rs.metadata.uid == owner.uid else None


def _controlled_by(pod: Pod, rs: ReplicaSet) -> bool:
    owner = controller_of(pod)
    return owner is not None and owner.uid == rs.metadata.uid


def _namespace_is_going(error: ApiError) -> bool:
    details = error.status.details
    return details is not None and any(cause.reason == NAMESPACE_TERMINATING for cause in details.causes)


def _standing_failure(rs: ReplicaSet) -> core.Failure | None:
    """The failure that the status tells of, while nothing new has been tried."""
    known = next((each for each in rs.status.conditions if each.type == "ReplicaFailure"), None)
    return None if known is None else core.Failure(known.reason, known.message)
