"""log, exec, attach, portforward: from a pod to the kubelet that has its containers."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from apimachinery import codec, errors
from apimachinery.clock import Clock
from apimachinery.kinds import Node, Pod
from apimachinery.resources import NODES, PODS
from apiserver.core.containers import connection, kubelet_endpoint, logs_request, require_node
from apiserver.core.request import Connecting, Request, Streaming
from apiserver.ports import Nodes
from apiserver.registry.store import ObjectStore

FIRST_CHUNK_TIMEOUT_S = 1.0


class Connections:
    """Finds the kubelet and states what is wanted of it; the bytes are the door's business."""

    def __init__(self, store: ObjectStore, nodes: Nodes, clock: Clock) -> None:
        self._store = store
        self._nodes = nodes
        self._clock = clock

    async def open(self, request: Request) -> Streaming | Connecting:
        """Raises ApiError 400, 404 or 503."""
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

    async def _endpoint(self, name: str) -> str:
        node = self._store.reader.glimpse(NODES, "", name) or await self._store.reader.read(NODES, "", name)
        if node is None:
            raise errors.unavailable(f"node {name} is not there")
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
