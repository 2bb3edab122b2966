"""Informers, queue and writes around `core`.

A part is a node's from the moment it is chosen, between two awaits, so nodes are served side by side and none waits for the
writes of the others. It begins with a consistent list of all nodes, read from the API and not from the cache: an earlier
leader's last assignment must not be given away again.
"""

import asyncio

from apiclient.client import EventType
from apimachinery import codec
from apimachinery.errors import ApiError, is_conflict
from apimachinery.kinds import Node
from controller_manager.node_ipam import core
from controller_manager.shared.context import Context
from controller_manager.shared.loop import Controller

RETRY_S = 0.5


class NodeIpamController(Controller):
    """Assigns pod CIDRs; keys are nodes."""

    name = "node-ipam"
    workers = 32

    def __init__(self, context: Context, *, cluster_cidr: str, mask_size: int) -> None:
        super().__init__(context)
        self._nodes = context.informers.nodes.store
        self._recorder = context.recorder("cidrAllocator")
        self._allocator = core.Allocator(cluster_cidr, mask_size)
        context.informers.nodes.on_event(self._on_node)

    def resync(self) -> None:
        for key in self._nodes.keys():  # noqa: SIM118 - a store, not a dict
            self.queue.add(key)

    async def run(self) -> None:
        while True:
            try:
                listed = await self._client.list(Node)
                break
            except ApiError as error:
                self._log.info("could not list nodes, will retry", extra={"error": str(error)})
                await asyncio.sleep(RETRY_S)
        for node in listed.items:
            self._note(node)
        await super().run()

    async def reconcile(self, key: str) -> None:
        node = self._nodes.get(key)
        if node is None:
            self._allocator.release(key)
            return
        if node.spec.pod_cidr:
            self._note(node)
            return
        try:
            cidr = self._allocator.allocate(key)
        except core.ExhaustedError as error:
            message = f"Node {key} status is now: CIDRNotAvailable"
            self._recorder.event(node, "Normal", "CIDRNotAvailable", message)
            self._log.warning("no pod CIDR left", extra={"node": key, "error": str(error)})
            raise
        await self._assign(node, cidr)

    async def _assign(self, node: Node, cidr: str) -> None:
        """Write the range; a node that changed meanwhile (it posts its status) is read again, for nodes wait for this
        to start."""
        current = node
        for _ in range(5):
            if current.metadata.uid != node.metadata.uid or current.spec.pod_cidr:
                self._note(current)
                return
            changed = codec.deep_copy(current)
            changed.spec.pod_cidr, changed.spec.pod_cidrs = cidr, [cidr]
            try:
                await self._client.update(changed)
                return
            except ApiError as error:
                if not is_conflict(error):
                    raise
            current = await self._client.get(Node, node.metadata.name)
        raise RuntimeError(f"node {node.metadata.name} changes faster than its pod CIDR can be written")

    def _note(self, node: Node) -> None:
        for cidr in {node.spec.pod_cidr, *node.spec.pod_cidrs} - {""}:
            try:
                self._allocator.occupy(node.metadata.name, cidr)
            except ValueError:
                self._log.warning("node has no valid pod CIDR", extra={"node": node.metadata.name, "cidr": cidr})

    def _on_node(self, event: EventType, old: Node | None, new: Node | None) -> None:
        node = new or old
        if node is not None and (new is None or old is None or not new.spec.pod_cidr):
            self.queue.add(node.metadata.name)
