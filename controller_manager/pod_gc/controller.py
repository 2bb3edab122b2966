"""Sweeps and writes around `core`.

The only key is a sweep over all pods; events that may matter ask for one. A node counts as absent when it has been missing for
QUARANTINE_S and the API, asked then, does not have it either: a pod that lives must not be removed because a cache is behind.
"""

import asyncio

from apiclient.client import EventType
from apimachinery import codec
from apimachinery.errors import ApiError, is_conflict, is_not_found
from apimachinery.kinds import Node, Pod
from controller_manager.pod_gc import core
from controller_manager.shared import pods as podinfo
from controller_manager.shared.context import Context
from controller_manager.shared.loop import EARLY_S, Controller

QUARANTINE_S = 10.0
SWEEP_PERIOD_S = 20.0
FINISHED_LIMIT = 12500
BATCH = 50
SWEEP = "sweep"


class PodGcController(Controller):
    """Sweeps pods; its one key stands for all of them."""

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
        pods = self._pods.list()
        removals = core.plan(pods, self._nodes.get, await self._absent(), self._finished_limit)
        errors: list[ApiError | None] = []
        for start in range(0, len(removals), BATCH):
            errors += await asyncio.gather(*(self._remove(each) for each in removals[start : start + BATCH]))
        self.queue.add_after(SWEEP, SWEEP_PERIOD_S)
        if first := next((error for error in errors if error is not None), None):
            raise first

    async def _absent(self) -> set[str]:
        """Nodes that pods are bound to and that certainly do not exist; asks for another sweep when some are in quarantine."""
        now = self._clock.monotonic()
        missing = core.homeless(self._pods.list(), self._nodes.get)
        self._missing_since = {name: self._missing_since.get(name, now) for name in missing}
        absent = set()
        for name, since in list(self._missing_since.items()):
            wait_s = since + QUARANTINE_S - now
            if wait_s > EARLY_S:
                self.queue.add_after(SWEEP, wait_s)
            elif not await self._exists(name):
                absent.add(name)
        return absent

    async def _exists(self, name: str) -> bool:
        try:
            await self._client.get(Node, name)
        except ApiError as error:
            if is_not_found(error):
                return False
            raise
        return True

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
            # gone is what we want; changed meanwhile brings an event and another sweep
            return None if is_not_found(error) or is_conflict(error) else error
        self._log.info("removed pod", extra={"pod": f"{meta.namespace}/{meta.name}", "cause": str(removal.cause)})
        return None

    def _on_node(self, event: EventType, old: Node | None, new: Node | None) -> None:
        if new is None or (old is not None and old.spec.taints != new.spec.taints):
            self.queue.add(SWEEP)

    def _on_pod(self, event: EventType, old: Pod | None, new: Pod | None) -> None:
        if new is None:
            return
        if new.spec.node_name:
            if self._nodes.get(new.spec.node_name) is None:
                self.queue.add(SWEEP)
        elif podinfo.is_terminating(new):
            self.queue.add(SWEEP)
