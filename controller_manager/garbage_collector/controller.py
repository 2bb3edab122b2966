"""Caches, live reads and writes around `graph` and `core`.

The graph says which uids to look at. Each is then read from the API, and so is each owner that the graph does not show alive:
an object is deleted only when the API itself has said that the owner with that uid is not where the reference puts it. Deletes
carry uid and resourceVersion, so that an object that was adopted meanwhile stays.
Events are left out: they name no owners and run out by themselves.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from apiclient.client import EventType
from apiclient.informer import Informer
from apimachinery import codec
from apimachinery.errors import ApiError, is_conflict, is_not_found
from apimachinery.kinds import Event, Object, OwnerReference
from apimachinery.resources import RESOURCES, Resource, resource_for
from controller_manager.garbage_collector import core
from controller_manager.garbage_collector.core import Standing
from controller_manager.garbage_collector.graph import FOREGROUND, ORPHAN, Graph, Item, item_of
from controller_manager.shared.context import Context
from controller_manager.shared.loop import Controller

ABSENT_LIMIT = 1000
GONE_LIMIT = 10_000

_Coordinates = tuple[str, str, str, str, str]
"""apiVersion, kind, namespace, name and uid of an owner, as a reference gives them."""


class GarbageCollector(Controller):
    """Looks at objects that may have to go; keys are uids."""

    name = "garbage-collector"
    workers = 16

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._custom = context.custom
        self._graph = Graph(context.custom.by_kind)
        self._recorder = context.recorder("garbage-collector-controller")
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._absent: OrderedDict[_Coordinates, None] = OrderedDict()
        for informer in context.informers.all():
            self._follow(informer)
        context.custom.on_kind(self._follow_custom)

    def resync(self) -> None:
        self._enqueue(self._graph.suspects())

    async def reconcile(self, key: str) -> None:
        item = self._graph.get(key)
        if item is None or not self._graph.is_suspect(item):
            return  # an owner that came into the cache after its dependent
        live = await self._read(item)
        if live is None:
            self._enqueue(self._graph.forget(key))
            return
        item = item_of(item.resource, live)
        if item.lets_go_of_dependents:
            await self._orphan(item, live)
        elif item.waits_for_dependents:
            await self._finish_foreground(item, live)
        elif not item.deleting:
            await self._judge(item, live)

    async def _judge(self, item: Item, live: Object) -> None:
        standings = [(owner, await self._standing(item, owner)) for owner in item.owners]
        dependents = self._graph.dependents(item.uid)
        waits = any(each.waits_for_dependents for each in dependents)
        verdict = core.judge(live.metadata, standings, has_dependents=bool(dependents), dependent_waits=waits)
        match verdict:
            case core.Keep():
                pass
            case core.Strip(owners):
                await self._strip(live, owners)
            case core.Unblock():
                await self._unblock(live)
                self.queue.add(item.uid)
            case core.Delete(policy):
                self._log.info("deleting what has no owner left", extra={"object": _name(item), "policy": policy})
                await self._delete(item, live, policy)

    async def _standing(self, item: Item, owner: OwnerReference) -> Standing:
        known = self._graph.places(item, owner)
        if known is not None and not known.deleting:
            return Standing.SOLID
        if owner.uid in self._gone:
            return Standing.ABSENT
        resource = self._custom.by_kind(owner.api_version, owner.kind)
        if resource is None:
            return Standing.SOLID  # of a kind that we do not serve: nobody can say that it is gone
        if resource.namespaced and not item.namespace:
            self._complain(item, owner)
            return Standing.SOLID  # a reference that cannot be followed deletes nothing
        return await self._standing_of(item, owner, resource)

    async def _standing_of(self, item: Item, owner: OwnerReference, resource: Resource) -> Standing:
        namespace = item.namespace if resource.namespaced else ""
        coordinates = (owner.api_version, owner.kind, namespace, owner.name, owner.uid)
        if coordinates in self._absent:
            self._absent.move_to_end(coordinates)
            return Standing.ABSENT
        try:
            live = await self._client.get(resource.cls, owner.name, namespace)
        except ApiError as error:
            if not is_not_found(error) or error.status.details is None:
                raise  # that the kind is not served does not say that the object is gone
            live = None
        if live is not None and live.metadata.uid == owner.uid:
            return Standing.WAITING if item_of(resource, live).waits_for_dependents else Standing.SOLID
        elsewhere = self._graph.get(owner.uid)
        if elsewhere is not None and not self._graph.is_at(elsewhere, item, owner):
            self._complain(item, owner)
        self._absent[coordinates] = None
        if len(self._absent) > ABSENT_LIMIT:
            self._absent.popitem(last=False)
        return Standing.ABSENT

    async def _finish_foreground(self, item: Item, live: Object) -> None:
        """Let the object go once nothing that it must wait for is left; else see to that first."""
        blocking = [each for each in self._graph.dependents(item.uid) if each.blocks(item.uid)]
        if not blocking:
            await self._drop_finalizer(live, FOREGROUND)
            return
        for dependent in blocking:
            if not dependent.waits_for_dependents:
                self.queue.add(dependent.uid)

    async def _orphan(self, item: Item, live: Object) -> None:
        """Free all dependents, found by live lists: one that is overlooked here would be deleted later."""
        for resource in (*RESOURCES, *await self._custom.listed()):
            if resource.cls is Event or (item.namespace and not resource.namespaced):
                continue
            listed = await self._client.list(resource.cls, item.namespace)
            mine = [each for each in listed.items if any(ref.uid == item.uid for ref in each.metadata.owner_references)]
            await asyncio.gather(*(self._strip(each, frozenset((item.uid,))) for each in mine))
        await self._drop_finalizer(live, ORPHAN)

    async def _strip(self, live: Object, owners: frozenset[str]) -> None:
        changed = codec.deep_copy(live)
        references = changed.metadata.owner_references
        changed.metadata.owner_references = [each for each in references if each.uid not in owners]
        await self._replace(changed)

    async def _unblock(self, live: Object) -> None:
        changed = codec.deep_copy(live)
        for owner in changed.metadata.owner_references:
            owner.block_owner_deletion = False
        await self._replace(changed)

    async def _drop_finalizer(self, live: Object, finalizer: str) -> None:
        changed = codec.deep_copy(live)
        changed.metadata.finalizers = [each for each in changed.metadata.finalizers if each != finalizer]
        await self._replace(changed)

    async def _replace(self, changed: Object) -> None:
        try:
            await self._client.update(changed)
        except ApiError as error:
            if not is_not_found(error):
                raise

    async def _delete(self, item: Item, live: Object, policy: str) -> None:
        try:
            await self._client.delete(
                item.resource.cls,
                item.name,
                item.namespace,
                uid=item.uid,
                resource_version=live.metadata.resource_version,
                propagation_policy=policy,
            )
        except ApiError as error:
            if is_conflict(error):
                self.queue.add_after(item.uid, 0.01)  # changed since it was read: look again
            elif not is_not_found(error):
                raise

    async def _read(self, item: Item) -> Object | None:
        """The object as it is now; None when it is gone, or another has its name."""
        try:
            live: Object = await self._client.get(item.resource.cls, item.name, item.namespace)
        except ApiError as error:
            if is_not_found(error):
                return None
            raise
        return live if live.metadata.uid == item.uid else None

    def _complain(self, item: Item, owner: OwnerReference) -> None:
        known = self._informed(item)
        if known is not None:
            where = f'namespace "{item.namespace}"' if item.namespace else "no namespace"
            message = (
                f"ownerRef [{owner.api_version}/{owner.kind}, name: {owner.name}, uid: {owner.uid}] does not exist in {where}"
            )
            self._recorder.event(known, "Warning", "OwnerRefInvalidNamespace", message)

    def _informed(self, item: Item) -> Object | None:
        for informer in self._informers.all():
            if informer.kind == item.resource.kind:
                return informer.store.get_by(item.name, item.namespace)
        custom = self._custom.informer_of(item.resource)
        return custom.store.get_by(item.name, item.namespace) if custom is not None else None

    def _follow(self, informer: Informer[Object]) -> None:
        def on_event(event: EventType, old: Object | None, new: Object | None) -> None:
            look: set[str] = set()
            if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
                look |= self._graph.forget(old.metadata.uid)
            if new is not None and (old is None or _edges(old) != _edges(new)):
                look |= self._graph.put(item_of(resource_for(type(new)), new))
            self._enqueue(look)

        informer.on_event(on_event)

    def _follow_custom(self, row: Resource, informer: Informer[Object]) -> None:
        """A custom object's end is remembered: soon its kind may be gone too, and nobody could be asked any more."""

        def on_event(event: EventType, old: Object | None, new: Object | None) -> None:
            if new is None and old is not None:
                self._gone[old.metadata.uid] = None
                if len(self._gone) > GONE_LIMIT:
                    self._gone.popitem(last=False)

        informer.on_event(on_event)
        self._follow(informer)

    def _enqueue(self, uids: set[str]) -> None:
        for uid in uids:
            self.queue.add(uid)


def _edges(obj: Object) -> tuple[str, Sequence[OwnerReference], str | None, Sequence[str]]:
    meta = obj.metadata
    return meta.uid, meta.owner_references, meta.deletion_timestamp, meta.finalizers


def _name(item: Item) -> str:
    return f"{item.resource.qualified}/{item.namespace}/{item.name}"
