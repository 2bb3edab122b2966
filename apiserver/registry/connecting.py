"""log, exec, attach, portforward and proxy: from a pod, a service or a node to the kubelet that is nearest to it."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator

from apimachinery import codec, errors
from apimachinery.clock import Clock
from apimachinery.errors import ApiError
from apimachinery.kinds import Endpoints, Node, Pod, Service
from apimachinery.resources import ENDPOINTS, NODES, PODS, SERVICES
from apiserver.core import proxying
from apiserver.core.containers import connection, kubelet_endpoint, logs_request, require_node
from apiserver.core.request import Connecting, Proxying, Request, Streaming
from apiserver.ports import Nodes
from apiserver.registry.store import ObjectStore

FIRST_CHUNK_TIMEOUT_S = 1.0


class Connections:
    """Finds the kubelet and states what is wanted of it; the bytes are the door's business."""

    def __init__(self, store: ObjectStore, nodes: Nodes, clock: Clock, rng: random.Random) -> None:
        self._store = store
        self._nodes = nodes
        self._clock = clock
        self._rng = rng

    async def open(self, request: Request) -> Streaming | Connecting | Proxying:
        """Raises ApiError 400, 404 or 503."""
        if request.subresource == "proxy":
            return await self._proxy(request)
        found = await self._store.current(PODS, request.namespace, request.name)
        pod = codec.decode(Pod, found.data)
        query = request.options.parameters
        wanted = None
        if request.subresource == "log":
            wanted = logs_request(pod, dict(reversed(query)), self._clock.now())
        endpoint = await self._endpoint(require_node(pod))
        if wanted is None:
            return connection(request.subresource, pod, endpoint, query)
        chunks = self._nodes.logs(endpoint, wanted)
        return Streaming(await _begun(chunks))

    async def serving(self, namespace: str, service: str, port: int) -> Proxying:
        """Where one of the pods behind a port of a service is reached; raises ApiError 400, 404 or 503."""
        pod, number = await self._behind(namespace, proxying.Subject(True, service, str(port)))
        meta = pod.metadata
        return Proxying(await self._endpoint(require_node(pod)), meta.namespace, meta.name, meta.uid, number, secure=True)

    async def _proxy(self, request: Request) -> Proxying:
        subject = proxying.parse_subject(request.resource.singular, request.name)
        if request.resource is NODES:
            endpoint = await self._endpoint(subject.name, missing=errors.not_found("nodes", subject.name))
            port = proxying.number_of_port("node", subject) if subject.port else 0
            return Proxying(endpoint, "", "", "", port, subject.secure)
        if request.resource is PODS:
            pod = codec.decode(Pod, (await self._store.current(PODS, request.namespace, subject.name)).data)
            port = proxying.pod_port(pod, subject)
        else:
            pod, port = await self._behind(request.namespace, subject)
        meta, endpoint = pod.metadata, await self._endpoint(require_node(pod))
        return Proxying(endpoint, meta.namespace, meta.name, meta.uid, port, subject.secure)

    async def _behind(self, namespace: str, subject: proxying.Subject) -> tuple[Pod, int]:
        """A pod that serves a service, chosen by chance, and the port there."""
        service = codec.decode(Service, (await self._store.current(SERVICES, namespace, subject.name)).data)
        found = self._store.reader.glimpse(ENDPOINTS, namespace, subject.name)
        endpoints = codec.decode(Endpoints, found.data) if found is not None else None
        backend = self._rng.choice(proxying.backends(service, endpoints, subject))
        pod = codec.decode(Pod, (await self._store.current(PODS, namespace, backend.pod)).data)
        return pod, backend.port

    async def _endpoint(self, name: str, missing: ApiError | None = None) -> str:
        node = self._store.reader.glimpse(NODES, "", name) or await self._store.reader.read(NODES, "", name)
        if node is None:
            raise missing or errors.unavailable(f"node {name} is not there")
        return kubelet_endpoint(codec.decode(Node, node.data))


async def _begun(chunks: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """The stream once its first chunk is there, so that a refusal still becomes a Status and not a broken stream.

    A silent stream is begun all the same after a while: a container that says nothing is no reason to wait.
    """
    first = asyncio.ensure_future(anext(chunks, b""))
    try:
        await asyncio.wait((first,), timeout=FIRST_CHUNK_TIMEOUT_S)
    except asyncio.CancelledError:
        first.cancel()
        raise
    if first.done():
        first.result()
    return _rest(first, chunks)


async def _rest(first: "asyncio.Future[bytes]", chunks: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    try:
        if chunk := await first:
            yield chunk
        async for chunk in chunks:
            yield chunk
    finally:
        first.cancel()
        await asyncio.wait((first,))
        await chunks.aclose()
