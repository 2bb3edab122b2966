"""The shell: the zone follows Services and EndpointSlices, and the name server keeps itself registered.

The zone is changed where the informers tell of a change, in the same step: it is never behind the cache. The registration
is two keys in a queue, the shared Service and the own slice; whatever happens to either enqueues it.

A stop leaves the slice as it is. Only pods of this node are led here, so there is nobody to lead elsewhere; while the
process is away its port is closed, which the kernel tells each client at once, just as the proxy would if the endpoint
were not ready; and the next start serves again without waiting for any rule to change back.
"""

import asyncio
import logging

from apiclient.client import Client, EventType
from apiclient.informer import Informer, key_of
from apiclient.workqueue import WorkQueue
from apimachinery.errors import ApiError, is_already_exists, is_not_found
from apimachinery.kinds import EndpointSlice, Node, Service
from cluster_dns.core import registration
from cluster_dns.core.registration import Instance
from cluster_dns.core.services import is_headless, records_of
from cluster_dns.core.zone import Zone

log = logging.getLogger(__name__)

SERVICE_INDEX = "service"
NODE_RETRY_S = 10.0
_SERVICE_KEY = "service"
_SLICE_KEY = "slice"


def service_key(slice_: EndpointSlice) -> str:
    """The key of the Service that a slice belongs to."""
    return f"{slice_.metadata.namespace}/{slice_.metadata.labels.get(registration.SERVICE_LABEL, '')}"


class ZoneKeeper:
    """Writes the zone. `slices` must have the index SERVICE_INDEX by `service_key`."""

    def __init__(self, zone: Zone, services: Informer[Service], slices: Informer[EndpointSlice]) -> None:
        self._zone = zone
        self._services = services.store
        self._slices = slices.store
        services.on_event(self._on_service)
        slices.on_event(self._on_slice)

    def _on_service(self, kind: EventType, old: Service | None, new: Service | None) -> None:
        each = new or old
        if each is not None:
            self._put(key_of(each))

    def _on_slice(self, kind: EventType, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        for key in {service_key(each) for each in (old, new) if each is not None}:
            service = self._services.get(key)
            if service is not None and is_headless(service):
                self._put(key)

    def _put(self, key: str) -> None:
        service = self._services.get(key)
        if service is None:
            self._zone.put(key, {})
            return
        slices = self._slices.by_index(SERVICE_INDEX, key) if is_headless(service) else ()
        self._zone.put(key, records_of(service, slices, self._zone.domain))


class Registration:
    """Keeps the Service and this instance's slice in existence; `complete` is set once both have been seen to."""

    def __init__(
        self,
        client: Client,
        instance: Instance,
        services: Informer[Service],
        slices: Informer[EndpointSlice],
        queue: WorkQueue,
    ) -> None:
        self._client = client
        self._instance = instance
        self._services = services.store
        self._slices = slices.store
        self._queue = queue
        self._settled: set[str] = set()
        self.complete = asyncio.Event()
        services.on_event(self._on_service)
        slices.on_event(self._on_slice)

    def begin(self) -> None:
        """Look at both for the first time; the informers must have synced and the sockets listen."""
        self._queue.add(_SERVICE_KEY)
        self._queue.add(_SLICE_KEY)

    def problem(self) -> str | None:
        """What keeps pods from finding this server, in a sentence."""
        if not self.complete.is_set():
            return "not registered with the API server yet"
        service = self._services.get_by(registration.SERVICE, registration.NAMESPACE)
        if service is not None and service.spec.cluster_ip != self._instance.cluster_ip:
            return f"Service kube-dns has address {service.spec.cluster_ip}, pods ask {self._instance.cluster_ip}"
        return None

    async def reconcile(self, key: str) -> None:
        """See to the object that a key stands for; raises ApiError, to be tried again."""
        await (self._see_to_service() if key == _SERVICE_KEY else self._see_to_slice())
        self._settled.add(key)
        if self._settled == {_SERVICE_KEY, _SLICE_KEY}:
            self.complete.set()

    async def _see_to_service(self) -> None:
        observed = self._services.get_by(registration.SERVICE, registration.NAMESPACE)
        if observed is None:
            try:
                await self._client.create(registration.wanted_service(self._instance))
                log.info("created the Service", extra={"cluster_ip": self._instance.cluster_ip})
            except ApiError as error:
                if not is_already_exists(error):
                    raise  # another node's instance was first when it exists; the watch will show it
        elif observed.spec.cluster_ip != self._instance.cluster_ip:
            # it may be an operator's will, and an address cannot be changed: say it and leave it
            log.error(
                "Service kube-dns has another address than pods are told to ask",
                extra={"found": observed.spec.cluster_ip, "wanted": self._instance.cluster_ip},
            )

    async def _see_to_slice(self) -> None:
        wanted = registration.wanted_slice(self._instance, await self._node())
        observed = self._slices.get_by(self._instance.slice_name, registration.NAMESPACE)
        if observed is None:
            await self._client.create(wanted)
            log.info("registered", extra={"slice": self._instance.slice_name})
        elif observed.address_type != wanted.address_type:
            # immutable: away with it; its end comes back as an event, and then it is made anew
            await self._client.delete(EndpointSlice, wanted.metadata.name, wanted.metadata.namespace, uid=observed.metadata.uid)
        elif (changed := registration.repaired(observed, wanted)) is not None:
            await self._client.update(changed)
            log.info("registration repaired", extra={"slice": self._instance.slice_name})

    async def _node(self) -> Node | None:
        """The node, whose end takes the slice with it; it may register later than its name server."""
        try:
            return await self._client.get(Node, self._instance.node_name)
        except ApiError as error:
            if not is_not_found(error):
                raise
            self._queue.add_after(_SLICE_KEY, NODE_RETRY_S)
            return None

    def _on_service(self, kind: EventType, old: Service | None, new: Service | None) -> None:
        if _is(new or old, registration.SERVICE):
            self._queue.add(_SERVICE_KEY)

    def _on_slice(self, kind: EventType, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        if _is(new or old, self._instance.slice_name):
            self._queue.add(_SLICE_KEY)


def _is(obj: Service | EndpointSlice | None, name: str) -> bool:
    return obj is not None and (obj.metadata.namespace, obj.metadata.name) == (registration.NAMESPACE, name)
