"""Lists, deletes and the queue around `core`.

Contents are listed from the API, never from a cache: a namespace goes only when quorum reads have found nothing of any
kind in it. New contents cannot come, for the API server refuses them in a terminating namespace. What aggregated API servers
hold is asked of them (`aggregated`).
"""

import asyncio
from collections.abc import Sequence

from apiclient.client import EventType
from apimachinery import codec
from apimachinery.errors import ApiError, is_conflict, is_not_found, unavailable
from apimachinery.kinds import APIService, Namespace, Object, Pod
from apimachinery.resources import PODS, RESOURCES, Resource
from controller_manager.namespace import aggregated, core
from controller_manager.shared.context import Context
from controller_manager.shared.loop import Controller

RECHECK_S = 1.0
BATCH = 100


class NamespaceController(Controller):
    """Deletes what namespaces hold; keys are namespaces."""

    name = "namespace"
    workers = 8

    def __init__(self, context: Context, resources: Sequence[Resource] = RESOURCES) -> None:
        super().__init__(context)
        self._namespaces = context.informers.namespaces.store
        self._custom = context.custom
        self._contents = [each for each in resources if each.namespaced and "delete" in each.verbs]
        context.informers.namespaces.on_event(self._on_namespace)
        context.informers.pods.on_event(self._on_pod)

    def resync(self) -> None:
        for key in self._namespaces.keys():  # noqa: SIM118 - a store, not a dict
            self.queue.add(key)

    async def reconcile(self, key: str) -> None:
        namespace = self._namespaces.get(key)
        if namespace is None or not _is_terminating(namespace):
            return
        remains = await self._empty(key)
        namespace = await self._report(namespace, remains)
        if remains.gone:
            await self._finalize(namespace)
        elif remains.errors:
            raise unavailable("; ".join(remains.errors))
        else:
            self.queue.add_after(key, RECHECK_S)

    async def _empty(self, namespace: str) -> core.Remains:
        """Delete what is there; what remains. Pods first: the rest is touched only when none is left."""
        api_services = (await self._client.list(APIService)).items
        remains = core.Remains(unanswered=core.unavailable_groups(api_services))
        await self._empty_of(PODS, namespace, remains)
        if remains.gone:
            custom = [each for each in await self._custom.listed() if each.namespaced]
            others = (each for each in (*self._contents, *custom) if each is not PODS)
            await asyncio.gather(
                *(self._empty_of(each, namespace, remains) for each in others),
                *(aggregated.empty(self._client, each, namespace, remains) for each in core.available_groups(api_services)),
            )
        return remains

    async def _empty_of(self, resource: Resource, namespace: str, remains: core.Remains) -> None:
        try:
            found = (await self._client.list(resource.cls, namespace)).items
            if not found:
                return
            for start in range(0, len(found), BATCH):
                batch = found[start : start + BATCH]
                await asyncio.gather(*(self._delete(resource, each) for each in batch if not _is_going(each)))
            left = (await self._client.list(resource.cls, namespace)).items
        except ApiError as error:
            remains.errors.append(f"{resource.qualified}: {error}")
            return
        if left:
            remains.objects[f"{resource.plural}.{resource.group}"] += len(left)
            remains.finalizers.update(name for each in left for name in each.metadata.finalizers)

    async def _delete(self, resource: Resource, obj: Object) -> None:
        meta = obj.metadata
        try:
            await self._client.delete(resource.cls, meta.name, meta.namespace, uid=meta.uid, propagation_policy="Background")
        except ApiError as error:
            if not is_not_found(error) and not is_conflict(error):
                raise

    async def _report(self, namespace: Namespace, remains: core.Remains) -> Namespace:
        """Write the conditions; the namespace as it stands then."""
        conditions = core.conditions(remains, namespace.status.conditions, self._clock.now())
        if conditions == namespace.status.conditions or (remains.gone and not namespace.status.conditions):
            return namespace
        changed = codec.deep_copy(namespace)
        changed.status.conditions = conditions
        return await self._client.update_status(changed)

    async def _finalize(self, namespace: Namespace) -> None:
        changed = codec.deep_copy(namespace)
        changed.spec.finalizers = [each for each in changed.spec.finalizers if each != core.FINALIZER]
        try:
            await self._client.update(changed, subresource="finalize")
        except ApiError as error:
            if not is_not_found(error):
                raise
        self._log.info("namespace emptied", extra={"namespace": namespace.metadata.name})

    def _on_namespace(self, event: EventType, old: Namespace | None, new: Namespace | None) -> None:
        if new is not None and _is_terminating(new):
            self.queue.add(new.metadata.name)

    def _on_pod(self, event: EventType, old: Pod | None, new: Pod | None) -> None:
        """The end of a pod may be what a namespace waits for."""
        if new is None and old is not None:
            namespace = self._namespaces.get(old.metadata.namespace)
            if namespace is not None and _is_terminating(namespace):
                self.queue.add(namespace.metadata.name)


def _is_terminating(namespace: Namespace) -> bool:
    return namespace.metadata.deletion_timestamp is not None and core.FINALIZER in namespace.spec.finalizers


def _is_going(obj: Object) -> bool:
    return obj.metadata.deletion_timestamp is not None
