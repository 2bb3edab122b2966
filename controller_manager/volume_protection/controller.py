"""Informers, queues and the writes of finalizers around `core`.

A claim is let go only after a consistent list has shown that no pod uses it: the cache may not know yet of a pod that was just
placed. The write is a swap on the claim's revision.
"""

from abc import abstractmethod

from apiclient.client import EventType
from apiclient.informer import Store, key_of
from apimachinery import codec, protection
from apimachinery.errors import ApiError, is_conflict, is_not_found
from apimachinery.kinds import Object, PersistentVolume, PersistentVolumeClaim, Pod
from controller_manager.shared.context import Context
from controller_manager.shared.loop import Controller
from controller_manager.volume_protection import core
from controller_manager.volume_protection.core import Step


class _Protection(Controller):
    """Keys are objects of the store."""

    _store: Store[PersistentVolumeClaim] | Store[PersistentVolume]

    def resync(self) -> None:
        for key in self._store.keys():  # noqa: SIM118 - a store, not a dict
            self.queue.add(key)

    async def reconcile(self, key: str) -> None:
        found = self._store.get(key)
        wanted = core.step(found) if found is not None else Step.NOTHING
        if found is None or wanted is Step.NOTHING or (wanted is Step.RELEASE_IF_UNUSED and await self._is_used(found)):
            return
        changed = codec.deep_copy(found)
        if wanted is Step.PROTECT:
            protection.protect(changed)
        else:
            protection.release(changed)
        try:
            await self._client.update(changed)
        except ApiError as error:
            # gone, or changed meanwhile: its event brings the key back
            if not is_not_found(error) and not is_conflict(error):
                raise

    @abstractmethod
    async def _is_used(self, obj: Object) -> bool: ...

    def _on_object(self, event: EventType, old: Object | None, new: Object | None) -> None:
        if new is not None and core.step(new) is not Step.NOTHING:
            self.queue.add(key_of(new))


class ClaimProtectionController(_Protection):
    """Keeps claims until no pod uses them; keys are claims."""

    name = "pvc-protection"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._store = context.informers.persistent_volume_claims.store
        self._pods = context.informers.pods.store
        context.informers.persistent_volume_claims.on_event(self._on_object)
        context.informers.pods.on_event(self._on_pod)

    async def _is_used(self, obj: Object) -> bool:
        assert isinstance(obj, PersistentVolumeClaim)
        namespace = obj.metadata.namespace
        if core.is_claim_used(obj, self._pods.list(namespace)):
            return True
        return core.is_claim_used(obj, (await self._client.list(Pod, namespace)).items)

    def _on_pod(self, event: EventType, old: Pod | None, new: Pod | None) -> None:
        """A pod that is gone, or one that was replaced by another of its name, may have been the last that used a claim."""
        if old is None or (new is not None and new.metadata.uid == old.metadata.uid):
            return
        for name in protection.claims_of(old):
            self.queue.add(f"{old.metadata.namespace}/{name}")


class VolumeProtectionController(_Protection):
    """Keeps volumes until they are bound no more; keys are volumes."""

    name = "pv-protection"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._store = context.informers.persistent_volumes.store
        context.informers.persistent_volumes.on_event(self._on_object)

    async def _is_used(self, obj: Object) -> bool:
        assert isinstance(obj, PersistentVolume)
        return core.is_volume_used(obj)
