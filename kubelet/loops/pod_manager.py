"""All pods of the node: gives each its worker, and carries events to the right one.

Workers go by uid, so that a pod that is deleted and made again under the same name has two, one ending and one beginning. What
the runtime holds and the API does not know (deleted while this kubelet was down) is ended as an orphan. Events of the runtime
name containers only; the manager knows whose they are. A relist finds what events missed.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from apiclient.client import EventType
from apiclient.informer import Informer
from apimachinery.kinds import Pod
from kubelet.core import model, resizing
from kubelet.core.model import ContainerRecord, Observation, RuntimeEvent, Sandbox
from kubelet.core.pods import DEFAULT_GRACE_S
from kubelet.core.resizing import Amounts
from kubelet.loops.kit import Kit
from kubelet.loops.pod_worker import PodWorker
from kubelet.ports import EventsUnsupportedError, RuntimeFailureError, VolumeFailureError

log = logging.getLogger(__name__)

_RELIST_S = 30.0
_RELIST_WITHOUT_EVENTS_S = 1.0
_RESUBSCRIBE_S = 0.2
_RETRY_ORPHAN_S = 1.0


@dataclass
class _Inventory:
    """What the runtime holds of one pod."""

    sandboxes: list[Sandbox] = field(default_factory=list)
    containers: list[ContainerRecord] = field(default_factory=list)


class PodManager:
    """Owns the workers. `run` begins once the pods are known."""

    def __init__(self, kit: Kit, pods: Informer[Pod], runtime_lost: Callable[[], None]) -> None:
        self._kit = kit
        self._pods = pods
        self._runtime_lost = runtime_lost
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._events_work = True

    def worker(self, namespace: str, name: str, uid: str = "") -> PodWorker | None:
        """The worker of a pod; of several under one name the one that is in the API."""
        found = [
            each
            for each in self._workers.values()
            if (each.pod.metadata.namespace, each.pod.metadata.name) == (namespace, name) and uid in ("", each.uid)
        ]
        current = self._pods.store.get_by(name, namespace)
        found.sort(key=lambda each: current is not None and each.uid == current.metadata.uid)
        return found[-1] if found else None

    def workers(self) -> list[PodWorker]:
        return list(self._workers.values())

    def nudge_all(self) -> None:
        """Have every pod looked at again."""
        for worker in self._workers.values():
            worker.nudge()

    def committed(self, uid: str) -> Amounts:
        """What the node has granted to its pods but the one of this uid; what a pod that is over had is free again."""
        others = (each for each in self._workers.values() if each.uid != uid and not each.over)
        return resizing.total(resizing.requests(each.pod) for each in others)

    def room_freed(self) -> None:
        """Have pods looked at that wait for room to grow."""
        for worker in self._workers.values():
            worker.reconsider()

    async def run(self) -> None:
        """Adopt what runs, then serve for ever."""
        await self._pods.synced.wait()
        inventory = await self._first_inventory()
        self._adopt(inventory)
        self._pods.on_event(self._on_pod)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow_runtime(), name="runtime-events")
                group.create_task(self._relist_for_ever(), name="relist")
                group.create_task(self._clean_orphans(inventory), name="orphans")
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    # pods

    def _adopt(self, inventory: dict[str, _Inventory]) -> None:
        for pod in self._pods.store.list():
            held = inventory.get(pod.metadata.uid, _Inventory())
            self._begin(pod, _observation(held))

    def _on_pod(self, kind: EventType, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        assert pod is not None
        worker = self._workers.get(pod.metadata.uid)
        if kind == EventType.DELETED:
            if worker is not None:
                worker.update(pod)
                worker.removed()
        elif worker is None:
            self._begin(pod, Observation())
        else:
            worker.update(pod)

    def _begin(self, pod: Pod, seen: Observation) -> None:
        uid = pod.metadata.uid
        worker = PodWorker(self._kit, pod, seen)
        task = asyncio.create_task(worker.run(), name=f"pod/{pod.metadata.namespace}/{pod.metadata.name}")
        self._workers[uid], self._tasks[uid] = worker, task
        task.add_done_callback(lambda done: self._ended(uid, done))

    def _ended(self, uid: str, task: asyncio.Task[None]) -> None:
        self._workers.pop(uid, None)
        self._tasks.pop(uid, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            log.error("pod worker failed", extra={"uid": uid}, exc_info=error)
            again = next((each for each in self._pods.store.list() if each.metadata.uid == uid), None)
            if again is not None:
                asyncio.get_running_loop().call_later(1.0, self._again, uid)

    def _again(self, uid: str) -> None:
        """Give a pod whose worker failed another one, which starts from what the runtime holds."""
        name = f"restart-worker/{uid}"
        if uid not in self._workers:
            self._tasks[name] = asyncio.create_task(self._begin_again(uid, name), name=name)

    async def _begin_again(self, uid: str, name: str) -> None:
        inventory = await self._first_inventory()
        self._tasks.pop(name, None)
        pod = next((each for each in self._pods.store.list() if each.metadata.uid == uid), None)
        if pod is not None and uid not in self._workers:
            self._begin(pod, _observation(inventory.get(uid, _Inventory())))

    # the runtime

    async def _first_inventory(self) -> dict[str, _Inventory]:
        """What the runtime holds, in full detail; waits until the runtime answers."""
        while True:
            try:
                inventory = await self._inventory()
                for held in inventory.values():
                    held.sandboxes = [await self._kit.runtime.sandbox_status(each.id) for each in held.sandboxes]
                    held.containers = [
                        replace(await self._kit.runtime.container_status(each.id), sandbox_id=each.sandbox_id)
                        for each in held.containers
                    ]
            except RuntimeFailureError as error:
                log.info("waiting for the runtime", extra={"error": str(error)})
                await asyncio.sleep(_RESUBSCRIBE_S)
            else:
                return inventory

    async def _inventory(self) -> dict[str, _Inventory]:
        sandboxes, containers = await asyncio.gather(self._kit.runtime.list_sandboxes(), self._kit.runtime.list_containers())
        found: dict[str, _Inventory] = {}
        for sandbox in sandboxes:
            found.setdefault(sandbox.pod_uid, _Inventory()).sandboxes.append(sandbox)
        for container in containers:
            found.setdefault(container.pod_uid, _Inventory()).containers.append(container)
        return found

    async def _follow_runtime(self) -> None:
        while True:
            try:
                async for event in self._kit.runtime.events():
                    self._on_runtime_event(event)
            except EventsUnsupportedError as error:
                if self._events_work:
                    log.warning("runtime has no events, listing often instead", extra={"error": str(error)})
                self._events_work = False
                await asyncio.sleep(_RELIST_S)
            except RuntimeFailureError as error:
                log.warning("runtime events interrupted", extra={"error": str(error)})
                self._runtime_lost()
                await asyncio.sleep(_RESUBSCRIBE_S)
                await self._relist()

    def _on_runtime_event(self, event: RuntimeEvent) -> None:
        for worker in self._workers.values():
            if event.container_id in worker.seen.ids():
                worker.runtime_event(event)
                return
        # it ended before its start was answered: its worker is still busy, and looks again by itself
        for worker in self._workers.values():
            if worker.busy:
                worker.note_unknown(event)

    async def _relist_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_RELIST_S if self._events_work else _RELIST_WITHOUT_EVENTS_S)
            await self._relist()

    async def _relist(self) -> None:
        """Compare what the runtime lists with what idle workers know."""
        before = {uid: worker.version for uid, worker in self._workers.items() if not worker.busy}
        try:
            inventory = await self._inventory()
        except RuntimeFailureError as error:
            log.info("cannot list the runtime", extra={"error": str(error)})
            self._runtime_lost()
            return
        for uid, version in before.items():
            worker = self._workers.get(uid)
            # one that acted meanwhile knows better than a list from before
            if worker is not None and not worker.busy and worker.version == version:
                held = inventory.get(uid, _Inventory())
                worker.relisted(held.sandboxes, held.containers)

    # orphans

    async def _clean_orphans(self, inventory: dict[str, _Inventory]) -> None:
        """End and remove what belongs to no pod; then keep doing nothing."""
        known = set(self._workers)
        await asyncio.gather(*(self._end_orphan(uid, held) for uid, held in inventory.items() if uid not in known))
        with contextlib.suppress(VolumeFailureError):
            for uid in await self._kit.filesystem.pods():
                if uid not in known and uid not in self._workers:
                    await self._kit.filesystem.remove_pod(uid)
            for path in await self._kit.filesystem.log_directories():
                if path.rpartition("_")[2] not in self._workers:
                    await self._kit.filesystem.remove_logs(path)
        await self._clean_groups()

    async def _end_orphan(self, uid: str, held: _Inventory) -> None:
        log.info("ending an orphaned pod", extra={"uid": uid})
        running = [each for each in held.containers if each.state == model.State.RUNNING]
        while True:
            try:
                await asyncio.gather(*(self._kit.runtime.stop_container(each.id, _grace_s(each)) for each in running))
                for sandbox in held.sandboxes:
                    await self._kit.runtime.stop_sandbox(sandbox.id)
                    await self._kit.runtime.remove_sandbox(sandbox.id)
                return
            except RuntimeFailureError as error:
                log.warning("could not end an orphaned pod, will retry", extra={"uid": uid, "error": str(error)})
                await asyncio.sleep(_RETRY_ORPHAN_S)

    async def _clean_groups(self) -> None:
        root = self._kit.settings.cgroup_root
        for parent in (root, f"{root}/burstable", f"{root}/besteffort"):
            for path in await self._kit.cgroups.children(parent):
                name = path.rpartition("/")[2]
                if name.startswith("pod") and name[3:] not in self._workers:
                    await self._kit.cgroups.remove(path)


def _observation(held: _Inventory) -> Observation:
    newest_first = sorted(held.sandboxes, key=lambda each: (each.attempt, each.created_at), reverse=True)
    return Observation(tuple(newest_first), tuple(held.containers))


def _grace_s(record: ContainerRecord) -> int:
    text = record.annotations.get(model.GRACE_PERIOD, "")
    return int(text) if text.isdigit() else DEFAULT_GRACE_S
