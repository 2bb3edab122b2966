"""One pod, from its appearance to its end, in one task: nothing else touches its sandbox, containers or volumes.

Everything that happens (the pod's object changes, a container ends, a probe changes its mind, an object that a volume shows
changes, a back-off runs out) only sets a flag and wakes the worker, which looks at all of it, plans, and acts until nothing is
left to do.

    running   --deleted in the API------------------> ending: stop containers, then the sandbox, report, delete, clean up
    running   --the pod is over, or past its deadline-> ending: the same without deleting; then waiting to be deleted

Order at the end: containers stop first (preStop, SIGTERM, SIGKILL after the grace period), then the sandbox gives its
address back, and the final status is written; only then is the object deleted from the API, so that whoever sees it gone (a
StatefulSet above all) knows that nothing of it runs any more. Dead containers, files and groups are cleaned up after that.
"""

import asyncio
import logging
from collections.abc import Awaitable, Coroutine, Iterable
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from apimachinery.errors import ApiError, is_conflict, is_not_found
from apimachinery.kinds import Container, Pod, PodCondition, PodStatus
from apimachinery.times import parse_time
from kubelet.core.cgroups import pod_group, pod_limits
from kubelet.core.model import ContainerRecord, Observation, RuntimeEvent, Sandbox
from kubelet.core.plan import HEALTHY, Kill, Plan, Verdict, Waiting, plan, stop_order
from kubelet.core.pods import find, grace_period_s, key, log_directory, terminating
from kubelet.core.resizing import wider
from kubelet.core.sandboxes import sandbox_config
from kubelet.core.status import StatusInputs, Trouble, pod_status
from kubelet.loops.container_starter import ContainerStarter, StartFailedError
from kubelet.loops.kit import Kit
from kubelet.loops.pod_volumes import PodVolumes
from kubelet.loops.prober import Probed
from kubelet.loops.resizing import Resizing
from kubelet.loops.sight import Sight
from kubelet.loops.status_writer import StatusSlot
from kubelet.ports import RuntimeFailureError, VolumeFailureError
from proto.gen import cri_pb2 as cri

log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")

_RETRY_FIRST_S = 0.5
_RETRY_LONGEST_S = 30.0
_MINIMUM_GRACE_S = 2
_RESIZE_MESSAGE = "Container {} resize requires restart"


class EndingError(Exception):
    """The pod is to end: whatever was being waited for is no longer wanted."""


class PodWorker:
    """Runs one pod (one uid). The methods that are not coroutines tell it what happened; `run` is the worker."""

    def __init__(self, kit: Kit, pod: Pod, seen: Observation) -> None:
        self.uid = pod.metadata.uid
        self.version = 0
        """Changes whenever the worker itself changes something at the runtime."""
        self._kit = kit
        self._api = pod
        self._sight = Sight(kit, self.uid, seen, self._found_running)
        self._adopted = {each.id for each in seen.containers if each.running}
        self._status: PodStatus = pod.status
        self._slot = StatusSlot(kit.client, kit.rng, pod)
        self._volumes = PodVolumes(kit, self.uid)
        self._starter = ContainerStarter(kit, self._volumes)
        self._wake = asyncio.Event()
        self._ending = asyncio.Event()
        self._contents_changed = False
        self._removed = False
        self._prepared = False
        self._provided = False
        self._verdict: tuple[str, str] | None = None
        self._troubles: dict[str, Trouble] = {}
        self._waiting: dict[str, Waiting] = {}
        self._config: cri.PodSandboxConfig | None = None
        self._resizing = Resizing(kit, pod, seen)
        self._retry_s = _RETRY_FIRST_S
        self._chores: set[asyncio.Task[None]] = set()
        self.busy = False
        if terminating(pod):
            self._ending.set()

    # what happened

    @property
    def pod(self) -> Pod:
        """The pod as this node runs it: with what it was granted, and the status that this kubelet has last made for it."""
        status = self._status
        foreign = {each.type for each in status.conditions}
        extra = [each for each in self._api.status.conditions if each.type not in foreign]
        fresh = {each.type: each for each in self._api.status.conditions}
        conditions = [_newer(each, fresh.get(each.type)) for each in status.conditions] + extra
        return msgspec.structs.replace(
            self._resizing.as_granted(self._api),
            status=msgspec.structs.replace(status, conditions=conditions, qos_class=self._api.status.qos_class),
        )

    @property
    def seen(self) -> Observation:
        return self._sight.seen

    def update(self, pod: Pod) -> None:
        """The object has changed."""
        only_status = pod.metadata.generation == self._api.metadata.generation and (
            pod.metadata.labels == self._api.metadata.labels
            and pod.metadata.annotations == self._api.metadata.annotations
            and pod.metadata.deletion_grace_period_seconds == self._api.metadata.deletion_grace_period_seconds
            and pod.spec == self._api.spec
            and terminating(pod) == terminating(self._api)
        )
        foreign = [each for each in pod.status.conditions if each != _condition(self._api, each.type)]
        self._resizing.update(self._api, pod)
        self._api = pod
        if terminating(pod):
            self._ending.set()
        if not only_status:
            self._volumes.hold(pod, self._objects_changed)
            self._contents_changed = True
            self._wake.set()
        elif pod.spec.readiness_gates and foreign:
            self._wake.set()
        if (status := self._slot.overruled(pod)) is not None:
            self._status = status
            self._wake.set()

    def removed(self) -> None:
        """The object is gone from the API: end the pod without telling anybody."""
        self._removed = True
        self._slot.gone = True
        self._ending.set()
        self._wake.set()

    def runtime_event(self, event: RuntimeEvent) -> None:
        """Something happened to the sandbox or to a container."""
        self._sight.happened(event)
        self._wake.set()

    def note_unknown(self, event: RuntimeEvent) -> None:
        """A container that nobody knows yet ended; it may be one that this worker is just starting."""
        self._sight.happened(event, known=False)
        self._wake.set()

    def relisted(self, sandboxes: Iterable[Sandbox], containers: Iterable[ContainerRecord]) -> None:
        """What the runtime lists of this pod; differences from what is known are looked into."""
        if self._sight.relisted(sandboxes, containers):
            self._wake.set()

    @property
    def over(self) -> bool:
        """The pod runs no more."""
        return self._status.phase in ("Succeeded", "Failed")

    def reconsider(self) -> None:
        """There may be room now for a resize that waits for it."""
        if self._resizing.reconsider():
            self._wake.set()

    def nudge(self) -> None:
        """Look again."""
        self._wake.set()

    def _objects_changed(self) -> None:
        self._contents_changed = True
        self._wake.set()

    # the worker

    async def run(self) -> None:
        """Work until the pod is gone from node and API."""
        writer = asyncio.create_task(self._slot.run(), name=f"status/{key(self._api)}")
        try:
            self._volumes.hold(self._api, self._objects_changed)
            if self._api.status.phase not in ("Succeeded", "Failed"):
                await self._live()
            await self._end()
        finally:
            self._kit.objects.release(self.uid)
            for task in (writer, *self._chores):
                task.cancel()
            await asyncio.gather(writer, *self._chores, return_exceptions=True)

    async def _live(self) -> None:
        """Keep the pod running until it is to end."""
        self._watch_probes()
        while not self._ending.is_set():
            self._wake.clear()
            wait_s = await self._attempt()
            if wait_s == 0:
                continue
            await self._sleep(wait_s)

    async def _attempt(self) -> float | None:
        """One round of looking and acting; how long to wait for the next (None: until woken)."""
        self.busy = True
        try:
            await self._sight.refresh()
            wait_s = await self._sync()
        except EndingError:
            return 0
        except (RuntimeFailureError, VolumeFailureError, ApiError) as error:
            log.warning("could not sync pod, will retry", extra={"pod": key(self._api), "error": str(error)})
            if isinstance(error, RuntimeFailureError):
                self._sight.doubt()
            wait_s = self._retry_s * self._kit.rng.uniform(0.8, 1.2)
            self._retry_s = min(self._retry_s * 2, _RETRY_LONGEST_S)
        else:
            self._retry_s = _RETRY_FIRST_S
        finally:
            self.busy = False
        self._report()
        return wait_s

    async def _sync(self) -> float | None:
        while True:
            left_s = self._deadline_left_s()
            if left_s is not None and left_s <= 0:
                self._verdict = (
                    "DeadlineExceeded",
                    "Pod was active on the node longer than the specified deadline",
                )
                self._kit.recorder.event(self.pod, "Normal", *self._verdict)
                self._ending.set()
                return 0
            self._resizing.consider(self._api)
            decided = self._plan()
            self._waiting = dict(decided.waiting)
            for name in self._waiting:
                self._troubles.pop(name, None)
            if decided.over:
                self._ending.set()
                return 0
            if decided.kill:
                await self._kill(decided.kill)
            elif decided.make_sandbox:
                await self._make_sandbox(decided.sandbox_attempt)
            elif self._resizing.is_due(self.pod, self.seen) and await self._resize():
                pass  # what was killed for it has to be started again
            elif decided.start:
                failed = await self._start(decided)
                if failed is not None:
                    return _soonest(failed, decided.wake_after_s, left_s, self._resizing.retry_in_s)
            else:
                await self._renew()
                return _soonest(decided.wake_after_s, left_s, self._volumes.due_s(), self._resizing.retry_in_s)
            if self._ending.is_set():
                return 0
            self._report()

    def _plan(self) -> Plan:
        decided = plan(self.pod, self.seen, self._verdicts(), self._kit.backoff, self._kit.clock.now().timestamp())
        if decided.waiting and not self._waiting:
            for name in decided.waiting:
                self._kit.recorder.event(
                    self.pod,
                    "Warning",
                    "BackOff",
                    f"Back-off restarting failed container {name} in pod "
                    f"{self._api.metadata.name}_{self._api.metadata.namespace}({self.uid})",
                )
        return decided

    def _verdicts(self) -> dict[str, Verdict]:
        prober = self._kit.prober
        return {each.id: prober.verdict(each.id) or HEALTHY for each in self.seen.containers if each.running}

    def _deadline_left_s(self) -> float | None:
        limit, start = self._api.spec.active_deadline_seconds, self._status.start_time
        if limit is None or not start:
            return None
        return limit - (self._kit.clock.now() - parse_time(start)).total_seconds()

    @property
    def _addresses(self) -> tuple[str, ...]:
        if self._api.spec.host_network:
            return (self._kit.settings.node_ip,)
        sandbox = self.seen.sandbox
        return sandbox.addresses if sandbox is not None else ()

    def _report(self, *, urgent: bool = False, ended: bool = False) -> None:
        """Make the status and have it written if it differs."""
        status = pod_status(
            self.pod,
            self.seen,
            StatusInputs(
                now=self._kit.clock.now(),
                host_ip=self._kit.settings.node_ip,
                verdicts=self._verdicts(),
                troubles=self._troubles,
                waiting=self._waiting,
                pod_ips=self._addresses,
                ended=ended,
                verdict=self._verdict,
                resize=self._resizing.told,
            ),
        )
        matters = status.phase != self._status.phase or any(
            _ready(status, each) != _ready(self._status, each) for each in ("Ready", "Initialized")
        )
        first = not self._status.start_time
        self._status = status
        self._slot.put(status, urgent=urgent or (matters and not first) or bool(self._troubles))

    # acting

    async def _make_sandbox(self, attempt: int) -> None:
        pod, kit = self.pod, self._kit
        problem = "" if pod.spec.host_network else kit.network_problem()
        if problem:
            message = f"network is not ready: {problem}"
            kit.recorder.event(pod, "Warning", "NetworkNotReady", message)
            raise RuntimeFailureError(message)
        if not self._prepared:
            await kit.filesystem.prepare_pod(self.uid)
        async with kit.start_slots:
            self._check_wanted()
            if not self._prepared:
                directory = log_directory(kit.settings.pod_logs_directory, pod)
                await asyncio.gather(
                    kit.cgroups.ensure(self._group(), pod_limits(pod)),
                    kit.filesystem.make_log_directory(directory),
                )
                self._prepared = True
            providing = asyncio.create_task(self._provide(), name=f"volumes/{key(pod)}")
            try:
                await self._run_sandbox(pod, attempt)
            finally:
                await asyncio.gather(providing, return_exceptions=True)
        self._report()
        await providing

    async def _run_sandbox(self, pod: Pod, attempt: int) -> None:
        for old in self.seen.sandboxes:
            await self._kit.runtime.stop_sandbox(old.id)
        config = self._sandbox_config(pod, attempt)
        self.version += 1
        try:
            identity = await self._kit.runtime.run_sandbox(config)
        except RuntimeFailureError as error:
            message = f"Failed to create pod sandbox: {error}"
            self._kit.recorder.event(pod, "Warning", "FailedCreatePodSandBox", message)
            raise
        self._config = config
        old_ones = self.seen.sandboxes
        self._sight.seen = self.seen.with_sandbox(await self._kit.runtime.sandbox_status(identity))
        for old in old_ones:
            self._chore(self._forget_sandbox(old.id), f"forget/{old.id[:12]}")

    def _sandbox_config(self, pod: Pod, attempt: int) -> cri.PodSandboxConfig:
        settings = self._kit.settings
        return sandbox_config(
            pod,
            attempt,
            settings.facts,
            log_directory=log_directory(settings.pod_logs_directory, pod),
            cgroup_parent=self._group(),
        )

    def _group(self) -> str:
        return pod_group(self._kit.settings.cgroup_root, self._api)

    async def _provide(self) -> None:
        """Make the volumes; a failure becomes an event and is tried again later or when an object appears."""
        self._contents_changed = False
        try:
            await self._volumes.provide(self.pod, self._addresses)
        except VolumeFailureError as error:
            self._kit.recorder.event(self.pod, "Warning", "FailedMount", str(error))
            raise
        self._provided = True

    async def _renew(self) -> None:
        """Bring the volumes up to date, those of a pod that ran before this kubelet did as well."""
        if not self._prepared:
            return
        if not self._provided:
            await self._provide()
        elif self._contents_changed or self._volumes.due_s() == 0:
            self._contents_changed = False
            await self._volumes.renew(self.pod, self._addresses)

    async def _start(self, decided: Plan) -> float | None:
        """Start what the plan says; None when all did start, else how long to wait before the next try."""
        if not self._provided or self._contents_changed:
            await self._provide()
        sandbox = self.seen.ready_sandbox
        assert sandbox is not None
        if self._config is None:
            self._config = self._sandbox_config(self.pod, sandbox.attempt)
        retry_s: list[float] = []
        for start in decided.start:
            self._check_wanted()
            name = start.container.name
            previous = self.seen.latest(name)
            try:
                self.version += 1
                target = self.seen.latest(start.target) if start.target else None
                starting = self._starter.start(self.pod, start, previous, sandbox, self._config, target)
                record = await self._unless_ending(starting)
            except StartFailedError as error:
                self._troubles[name] = error.trouble
                if isinstance(error.__cause__, RuntimeFailureError):
                    self._sight.doubt()
                if error.container_id:
                    await self._sight.look_at(error.container_id)
                retry_s.append(error.retry_s)
                continue
            self.version += 1
            self._troubles.pop(name, None)
            self._sight.seen = self.seen.with_container(record)
            self._look_after(record, start.container)
            self._report(urgent=True)
            await self._after_start(start.container, record)
            self._chore(self._prune(name), f"prune/{name}")
        return min(retry_s, default=None)

    async def _after_start(self, container: Container, record: ContainerRecord) -> None:
        hook = container.lifecycle.post_start if container.lifecycle is not None else None
        if hook is None:
            return
        address = next(iter(self._addresses), "")
        good, text = await self._unless_ending(self._kit.handlers.hook(hook, container, record.id, address))
        if not good:
            self._kit.recorder.event(self.pod, "Warning", "FailedPostStartHook", f"PostStartHook failed: {text}")
            await self._kill((Kill(record, "FailedPostStartHook"),))

    def _look_after(self, record: ContainerRecord, container: Container, adopted: Verdict | None = None) -> None:
        address = next(iter(self._addresses), "")
        self._kit.prober.watch(Probed(self.pod, container, record, address, self.nudge, adopted))

    def _found_running(self, record: ContainerRecord) -> None:
        """A container did start, though nobody told us."""
        if (found := find(self._api, record.name)) is not None:
            self._look_after(record, found[1])

    def _watch_probes(self) -> None:
        """Take up the probes of containers that ran before this kubelet did."""
        statuses = {each.container_id: each for each in self._status.container_statuses}
        statuses |= {each.container_id: each for each in self._status.init_container_statuses}
        for record in self.seen.containers:
            found = find(self._api, record.name)
            if record.id in self._adopted and record.running and found is not None:
                known = statuses.get(f"containerd://{record.id}")
                adopted = Verdict(started=bool(known.started), ready=known.ready) if known is not None else None
                self._look_after(record, found[1], adopted)
        self._prepared = self.seen.ready_sandbox is not None
        if self._prepared:
            self._contents_changed = True

    async def _kill(self, kills: Iterable[Kill]) -> None:
        self.version += 1
        await asyncio.gather(*(self._stop(each.record, self._grace_for(each), each.message) for each in kills))
        for each in kills:
            await self._sight.look_at(each.record.id)

    async def _resize(self) -> bool:
        """Give running containers what they were granted, the pod's group never narrower than they are; False to try later."""
        self.version += 1
        steps = self._resizing.steps(self.pod, self.seen)
        pod, group, cgroups = self.pod, self._group(), self._kit.cgroups
        before = pod_limits(self._resizing.as_applied(pod, self.seen))
        try:
            await cgroups.ensure(group, wider(before, pod_limits(pod)))
            for step in steps:
                if not step.restart:
                    await self._resizing.apply(pod, step)
            await self._kill([Kill(each.record, _RESIZE_MESSAGE.format(each.container.name)) for each in steps if each.restart])
            await cgroups.ensure(group, pod_limits(pod))
        except (RuntimeFailureError, OSError) as error:
            log.warning("could not resize pod, will retry", extra={"pod": key(pod), "error": str(error)})
            self._resizing.failed(str(error))
            return False
        self._resizing.done(self.seen)
        return True

    def _grace_for(self, kill: Kill) -> int:
        found = find(self._api, kill.record.name)
        if kill.by_probe and found is not None:
            for probe in (found[1].liveness_probe, found[1].startup_probe):
                if probe is not None and probe.termination_grace_period_seconds is not None:
                    return probe.termination_grace_period_seconds
        return grace_period_s(self._api)

    async def _stop(self, record: ContainerRecord, grace_s: int, message: str) -> None:
        """preStop, stop signal, kill; the whole within the grace period."""
        kit = self._kit
        kit.prober.forget(record.id)
        kit.recorder.event(self.pod, "Normal", "Killing", message or f"Stopping container {record.name}")
        started = kit.clock.monotonic()
        found = find(self._api, record.name)
        lifecycle = found[1].lifecycle if found is not None else None
        if lifecycle is not None and lifecycle.pre_stop is not None and record.running and grace_s > 0:
            await self._before_stop(record, found, grace_s)
        left_s = grace_s - (kit.clock.monotonic() - started)
        if grace_s > 0:
            left_s = max(left_s, _MINIMUM_GRACE_S if left_s < grace_s - 0.5 else 1)
        await kit.runtime.stop_container(record.id, round(left_s))

    async def _before_stop(self, record: ContainerRecord, found: tuple[object, Container] | None, grace_s: int) -> None:
        assert found is not None
        container = found[1]
        assert container.lifecycle is not None
        assert container.lifecycle.pre_stop is not None
        address = next(iter(self._addresses), "")
        hook = self._kit.handlers.hook(container.lifecycle.pre_stop, container, record.id, address, float(grace_s))
        try:
            async with asyncio.timeout(grace_s):
                good, text = await hook
        except TimeoutError:
            good, text = False, "not finished within the grace period"
        if not good:
            self._kit.recorder.event(self.pod, "Warning", "FailedPreStopHook", f"PreStopHook failed: {text}")

    async def _prune(self, name: str) -> None:
        """Keep the newest container of a name and the one before it."""
        for old in self.seen.history(name)[2:]:
            await self._kit.runtime.remove_container(old.id)
            self._sight.seen = self.seen.without_container(old.id)

    async def _forget_sandbox(self, identity: str) -> None:
        await self._kit.runtime.remove_sandbox(identity)
        self._sight.seen = self.seen.without_sandbox(identity)

    # ending

    async def _end(self) -> None:
        """End what runs, report, wait until the object is deleted, and clean up."""
        while True:
            try:
                await self._end_containers()
                break
            except RuntimeFailureError as error:
                log.warning("could not end pod, will retry", extra={"pod": key(self._api), "error": str(error)})
                await asyncio.sleep(1.0)
        self._waiting, self._troubles = {}, {}
        self._report(urgent=True, ended=True)
        self._kit.room_freed()
        await asyncio.gather(self._slot.flush(), self._stop_sandboxes())
        while not (self._removed or terminating(self._api)):
            self._wake.clear()
            await self._wake.wait()
        if not self._removed:
            await self._delete()
        while True:
            try:
                await self._clean_up()
                return
            except (RuntimeFailureError, VolumeFailureError) as error:
                log.warning("could not clean up, will retry", extra={"pod": key(self._api), "error": str(error)})
                await asyncio.sleep(1.0)

    async def _end_containers(self) -> None:
        self._sight.suspect(each.id for each in self.seen.running())
        await self._sight.refresh()
        grace_s = self._ending_grace_s()
        for group in stop_order(self.pod, self.seen):
            stops = [asyncio.create_task(self._stop(each, grace_s, ""), name=f"stop/{each.name}") for each in group]
            pending: set[asyncio.Task[Any]] = set(stops)
            while pending:
                self._wake.clear()
                waker = asyncio.create_task(self._wake.wait(), name="stop/wake")
                done, _ = await asyncio.wait({*pending, waker}, return_when=asyncio.FIRST_COMPLETED)
                waker.cancel()
                pending -= done
                shorter_s = self._ending_grace_s()
                if pending and shorter_s < grace_s:
                    grace_s = shorter_s
                    pending |= {
                        asyncio.create_task(self._kit.runtime.stop_container(each.id, grace_s), name=f"hurry/{each.name}")
                        for each in group
                    }
            failures = [failure for stop in stops if (failure := stop.exception()) is not None]
            if failures:
                raise failures[0]
            for each in group:
                await self._sight.look_at(each.id)
        self.version += 1

    def _ending_grace_s(self) -> int:
        """An object that is gone before its containers are was deleted by force: they get little time."""
        grace_s = grace_period_s(self._api)
        return min(grace_s, _MINIMUM_GRACE_S) if self._removed else grace_s

    async def _stop_sandboxes(self) -> None:
        """Give the network back; what cannot be stopped now is tried again."""
        for sandbox in self.seen.sandboxes:
            while sandbox.ready:
                try:
                    await self._kit.runtime.stop_sandbox(sandbox.id)
                    break
                except RuntimeFailureError as error:
                    log.warning("could not stop sandbox, will retry", extra={"pod": key(self._api), "error": str(error)})
                    await asyncio.sleep(1.0)
            self._sight.seen = self.seen.with_sandbox(replace(sandbox, ready=False))

    async def _delete(self) -> None:
        """Delete the object for good, that very one."""
        meta = self._api.metadata
        while not self._removed:
            try:
                await self._kit.client.delete(Pod, meta.name, meta.namespace, uid=self.uid, grace_period_seconds=0)
                return
            except ApiError as error:
                if is_not_found(error) or is_conflict(error):
                    return
                log.warning("could not delete pod, will retry", extra={"pod": key(self._api), "error": str(error)})
                await asyncio.sleep(1.0)

    async def _clean_up(self) -> None:
        """Remove what is left on the node."""
        kit = self._kit
        await asyncio.gather(*self._chores)
        for record in self.seen.containers:
            kit.prober.forget(record.id)
        kit.images.forget(self._api)
        kit.backoff.forget(f"{self.uid}/")
        for sandbox in self.seen.sandboxes:
            await kit.runtime.remove_sandbox(sandbox.id)
        await kit.filesystem.remove_pod(self.uid)
        await kit.filesystem.remove_logs(log_directory(kit.settings.pod_logs_directory, self._api))
        await kit.cgroups.remove(self._group())

    # waiting

    async def _sleep(self, wait_s: float | None) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _check_wanted(self) -> None:
        if self._ending.is_set():
            raise EndingError

    async def _unless_ending(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Wait for `work`, but no longer than the pod is wanted; the starter and hooks leave nothing half done then."""
        task = asyncio.ensure_future(work)
        waker = asyncio.create_task(self._ending.wait(), name="ending")
        try:
            await asyncio.wait({task, waker}, return_when=asyncio.FIRST_COMPLETED)
            if task.done() or not self._starter.interruptible:
                return await task
            raise EndingError
        finally:
            waker.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def _chore(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Do something on the side; a failure is logged and left to the next occasion."""
        task = asyncio.create_task(_logged(work, self._api), name=name)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)


async def _logged(work: Awaitable[None], pod: Pod) -> None:
    try:
        await work
    except RuntimeFailureError as error:
        log.info("could not tidy up", extra={"pod": key(pod), "error": str(error)})


def _newer(own: PodCondition, current: PodCondition | None) -> PodCondition:
    """Our own conditions are ours; those of other writers are as the API has them."""
    ours = own.type in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    return own if ours or current is None else current


def _condition(pod: Pod, kind: str) -> PodCondition | None:
    return next((each for each in pod.status.conditions if each.type == kind), None)


def _ready(status: PodStatus, kind: str) -> str:
    return next((each.status for each in status.conditions if each.type == kind), "")


def _soonest(*moments: float | None) -> float | None:
    return min((each for each in moments if each is not None), default=None)
