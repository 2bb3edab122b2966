"""Informers, sweeps and writes around `core`.

A key names a node, a pod that is bound to none, or, as the safety net and to count what has finished, a sweep over all pods; so
an event costs what it concerns and not what there is. A node counts as absent when it has been missing for QUARANTINE_S and the
API, asked then, does not have it either: a pod that lives must not be removed because a cache is behind.
"""

import asyncio
from collections.abc import Sequence

from apiclient.client import EventType
from apiclient.informer import key_of
from apimachinery import codec
from apimachinery.errors import ApiError, is_conflict, is_not_found
from apimachinery.kinds import Node, Pod
from controller_manager.pod_gc import core
from controller_manager.shared import pods as podinfo
from controller_manager.shared.context import NODE, Context
from controller_manager.shared.loop import EARLY_S, Controller

QUARANTINE_S = 10.0
SWEEP_PERIOD_S = 20.0
FINISHED_LIMIT = 12500
BATCH = 50
SWEEP, NODE_KEY, POD_KEY = "sweep", "node:", "pod:"


class PodGcController(Controller):
    """Removes pods that nobody else will."""

    name = "pod-gc"
    workers = 1

    def __init__(self, context: Context, *, finished_limit: int = FINISHED_LIMIT) -> None:
        super().__init__(context)
        self._pods = context.informers.pods.store
        self._nodes = context.informers.nodes.store
        self._finished_limit = finished_limit
        self._missing_since: dict[str, float] = {}
        context.informers.nodes.on_event(self._on_node)
        context.informers.pods.on_event(self._on_pod)

    def resync(self) -> None:
        self.queue.add(SWEEP)

    async def reconcile(self, key: str) -> None:
        if key == SWEEP:
            await self._remove_all(self._sweep())
            self.queue.add_after(SWEEP, SWEEP_PERIOD_S)
        elif key.startswith(NODE_KEY):
            await self._remove_all(await self._of_node(key.removeprefix(NODE_KEY)))
        else:
            pod = self._pods.get(key.removeprefix(POD_KEY))
            if pod is not None and core.never_placed(pod):
                await self._remove_all([core.Removal(pod, core.Cause.NEVER_PLACED)])

    def _sweep(self) -> Sequence[core.Removal]:
        """Ask for everything that may need work, whether an event told of it or not; what there is too much of."""
        pods = self._pods.list()
        homeless = {name for name in {pod.spec.node_name for pod in pods} if name and self._nodes.get(name) is None}
        self._missing_since = {name: since for name, since in self._missing_since.items() if name in homeless}
        for name in homeless | {node.metadata.name for node in self._nodes.list() if core.is_out_of_service(node)}:
            self.queue.add(NODE_KEY + name)
        for pod in filter(core.never_placed, pods):
            self.queue.add(POD_KEY + key_of(pod))
        return core.surplus(pods, self._finished_limit)

    async def _of_node(self, name: str) -> Sequence[core.Removal]:
        """What to remove of the pods that are bound to a node; asks for another look at one in quarantine."""
        if self._nodes.get(name) is None:
            now = self._clock.monotonic()
            wait_s = self._missing_since.setdefault(name, now) + QUARANTINE_S - now
            if wait_s > EARLY_S:
                self.queue.add_after(NODE_KEY + name, wait_s)
                return ()
            if await self._exists(name):
                return ()  # only the cache does not have it
        node = self._nodes.get(name)  # which may have come meanwhile
        if node is not None:
            self._missing_since.pop(name, None)
        return core.plan(self._pods.by_index(NODE, name), node)

    async def _exists(self, name: str) -> bool:
        try:
            await self._client.get(Node, name)
        except ApiError as error:
            if is_not_found(error):
                return False
            raise
        return True

    async def _remove_all(self, removals: Sequence[core.Removal]) -> None:
        """Remove pods; one that cannot be removed does not keep the others, but is told at the end."""
        errors: list[ApiError | None] = []
        for start in range(0, len(removals), BATCH):
            errors += await asyncio.gather(*(self._remove(each) for each in removals[start : start + BATCH]))
        if first := next((error for error in errors if error is not None), None):
            raise first

    async def _remove(self, removal: core.Removal) -> ApiError | None:
        """Remove one pod; the error, so that one pod does not keep the others."""
        pod, meta = removal.pod, removal.pod.metadata
        try:
            status = core.final_status(pod, removal.cause, self._clock.now())
            if status is not None:
                told = codec.deep_copy(pod)
                told.status = status
                await self._client.update_status(told)
            await self._client.delete(Pod, meta.name, meta.namespace, uid=meta.uid, grace_period_seconds=0)
        except ApiError as error:
            # gone is what we want; changed meanwhile brings an event, and that another look
            return None if is_not_found(error) or is_conflict(error) else error
        self._log.info("removed pod", extra={"pod": f"{meta.namespace}/{meta.name}", "cause": str(removal.cause)})
        return None

    def _on_node(self, event: EventType, old: Node | None, new: Node | None) -> None:
        if new is None and old is not None:
            self.queue.add(NODE_KEY + old.metadata.name)
        elif new is not None and core.is_out_of_service(new):
            self.queue.add(NODE_KEY + new.metadata.name)

    def _on_pod(self, event: EventType, old: Pod | None, new: Pod | None) -> None:
        if new is None:
            return
        if not new.spec.node_name:
            if core.never_placed(new):
                self.queue.add(POD_KEY + key_of(new))
            return
        node = self._nodes.get(new.spec.node_name)
        if node is None or (podinfo.is_terminating(new) and core.is_out_of_service(node)):
            self.queue.add(NODE_KEY + new.spec.node_name)
