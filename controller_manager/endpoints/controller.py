"""Informers, queue and writes around `core`."""

from apiclient.client import EventType
from apiclient.informer import key_of
from apimachinery.errors import ApiError, is_not_found
from apimachinery.kinds import Endpoints, Pod, Service
from controller_manager.endpoints import core
from controller_manager.shared import services
from controller_manager.shared.context import Context
from controller_manager.shared.loop import Controller


class EndpointsController(Controller):
    """Keeps one Endpoints object for each Service that selects pods; keys are Services."""

    name = "endpoints"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._services = context.informers.services.store
        self._pods = context.informers.pods.store
        self._endpoints = context.informers.endpoints.store
        context.informers.services.on_event(self._on_service)
        context.informers.pods.on_event(self._on_pod)
        context.informers.endpoints.on_event(self._on_endpoints)

    def resync(self) -> None:
        for service in self._services.list():
            self.queue.add(key_of(service))
        for endpoints in self._endpoints.list():
            if _is_managed(endpoints):
                self.queue.add(key_of(endpoints))

    async def reconcile(self, key: str) -> None:
        current = self._endpoints.get(key)
        service = self._services.get(key)
        if service is None or service.metadata.deletion_timestamp is not None:
            if current is not None and _is_managed(current):
                await self._delete(current)
            return
        selector = services.selects(service)
        if selector is None:
            return
        wanted = core.wanted(service, self._pods.list(service.metadata.namespace, selector), current)
        if current is None:
            await self._client.create(wanted)
        elif wanted != current:
            await self._client.update(wanted)

    async def _delete(self, endpoints: Endpoints) -> None:
        meta = endpoints.metadata
        try:
            await self._client.delete(Endpoints, meta.name, meta.namespace, uid=meta.uid)
        except ApiError as error:
            if not is_not_found(error):
                raise

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

    def _on_endpoints(self, event: EventType, old: Endpoints | None, new: Endpoints | None) -> None:
        endpoints = new or old
        if endpoints is not None and _is_managed(endpoints):
            self.queue.add(key_of(endpoints))


def _is_managed(endpoints: Endpoints) -> bool:
    return endpoints.metadata.labels.get(core.MANAGED_BY_LABEL) == core.MANAGER
