"""Informers, queue and writes around `core`. Nothing is batched: a pod that stops serving is out of its slice at once."""

import asyncio

from apiclient.client import EventType
from apiclient.informer import key_of
from apimachinery.errors import ApiError, is_not_found
from apimachinery.kinds import EndpointSlice, Node, Pod, Service
from controller_manager.endpointslice import core
from controller_manager.shared import services
from controller_manager.shared.context import SERVICE, Context
from controller_manager.shared.loop import Controller
from controller_manager.shared.own_writes import OwnWrites

ZONE_LABEL = "topology.kubernetes.io/zone"


class EndpointSliceController(Controller):
    """Keeps the slices of Services; keys are Services."""

    name = "endpointslice"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._services = context.informers.services.store
        self._pods = context.informers.pods.store
        self._nodes = context.informers.nodes.store
        self._slices = context.informers.endpoint_slices.store
        self._own: OwnWrites[EndpointSlice] = OwnWrites(context.clock)
        context.informers.services.on_event(self._on_service)
        context.informers.pods.on_event(self._on_pod)
        context.informers.endpoint_slices.on_event(self._on_slice)
        context.informers.nodes.on_event(self._on_node)

    def resync(self) -> None:
        for service in self._services.list():
            self.queue.add(key_of(service))
        for slice_ in self._slices.list():
            if _is_managed(slice_):
                self.queue.add(_service_key(slice_))

    async def reconcile(self, key: str) -> None:
        cached = [each for each in self._slices.by_index(SERVICE, key) if _is_managed(each)]
        slices = self._own.over(key, cached)
        service = self._services.get(key)
        if service is None or service.metadata.deletion_timestamp is not None:
            await asyncio.gather(*(self._delete(key, each) for each in slices))
            return
        selector = services.selects(service)
        if selector is None:
            return
        pods = self._pods.list(service.metadata.namespace, selector)
        await self._write(key, core.plan(service, pods, slices, self._zone_of))

    async def _write(self, key: str, plan: core.Plan) -> None:
        """Additions first, so that no endpoint is missing for a moment while it moves."""
        writes = [self._client.create(each) for each in plan.creates]
        writes += [self._client.update(each) for each in plan.updates]
        results = await asyncio.gather(*writes, return_exceptions=True)
        for result in results:
            if isinstance(result, EndpointSlice):
                self._own.wrote(key, result)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        await asyncio.gather(*(self._delete(key, each) for each in plan.deletes))

    async def _delete(self, key: str, slice_: EndpointSlice) -> None:
        meta = slice_.metadata
        try:
            await self._client.delete(EndpointSlice, meta.name, meta.namespace, uid=meta.uid)
        except ApiError as error:
            if not is_not_found(error):
                raise
        self._own.deleted(key, slice_)

    def _zone_of(self, node_name: str) -> str:
        node = self._nodes.get(node_name)
        return node.metadata.labels.get(ZONE_LABEL, "") if node is not None else ""

    def _on_service(self, event: EventType, old: Service | None, new: Service | None) -> None:
        service = new or old
        if service is not None:
            self.queue.add(key_of(service))

    def _on_pod(self, event: EventType, old: Pod | None, new: Pod | None) -> None:
        if not services.changes_endpoints(old, new):
            return
        for pod in (old, new):
            if pod is not None:
                for service in services.services_of(pod, self._services.list(pod.metadata.namespace)):
                    self.queue.add(key_of(service))

    def _on_slice(self, event: EventType, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        """Another's change, or our own coming back, which costs one comparison."""
        for slice_ in (old, new):
            if slice_ is not None and _is_managed(slice_):
                if new is None:
                    self._own.gone(_service_key(slice_), slice_.metadata.uid)
                self.queue.add(_service_key(slice_))

    def _on_node(self, event: EventType, old: Node | None, new: Node | None) -> None:
        """Only the zone matters here."""
        if new is None or _zone(old) == _zone(new):
            return
        if old is None and not _zone(new):
            return
        for service in self._services.list():
            self.queue.add(key_of(service))


def _is_managed(slice_: EndpointSlice) -> bool:
    return slice_.metadata.labels.get(core.MANAGED_BY_LABEL) == core.MANAGER


def _service_key(slice_: EndpointSlice) -> str:
    return f"{slice_.metadata.namespace}/{slice_.metadata.labels.get(services.SERVICE_NAME_LABEL, '')}"


def _zone(node: Node | None) -> str:
    return node.metadata.labels.get(ZONE_LABEL, "") if node is not None else ""
