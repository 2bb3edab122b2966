"""Probes of running containers: one task for each probe, from the container's start to its end.

The verdicts are what everybody else reads; whoever owns the pod is told when one changes. A container that was running before
this kubelet started keeps the readiness that its status shows until its probe says otherwise.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from apiclient.events import EventRecorder
from apimachinery.clock import Clock
from apimachinery.kinds import Container, Pod, Probe
from kubelet.core import probes
from kubelet.core.model import ContainerRecord
from kubelet.core.plan import Verdict
from kubelet.core.probes import ProbeKind
from kubelet.loops.handlers import Handlers


@dataclass(frozen=True)
class Probed:
    """A running container, where it answers, and who wants to know. `adopted` holds the verdict of before a restart."""

    pod: Pod
    container: Container
    record: ContainerRecord
    pod_ip: str
    changed: Callable[[], None]
    adopted: Verdict | None = None


@dataclass
class _Watch:
    subject: Probed
    verdict: Verdict
    started: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class Prober:
    """Verdicts by container id."""

    def __init__(self, handlers: Handlers, recorder: EventRecorder, clock: Clock, rng: random.Random) -> None:
        self._handlers = handlers
        self._recorder = recorder
        self._clock = clock
        self._rng = rng
        self._watches: dict[str, _Watch] = {}

    def verdict(self, container_id: str) -> Verdict | None:
        """What is known of a container; None when nobody looks at it."""
        watch = self._watches.get(container_id)
        return watch.verdict if watch is not None else None

    def watch(self, subject: Probed) -> None:
        """Begin to look at a container that runs."""
        if subject.record.id in self._watches:
            return
        wanted = probes.probes_of(subject.container)
        if not wanted:
            return
        fresh = Verdict(started=ProbeKind.STARTUP not in wanted, ready=ProbeKind.READINESS not in wanted)
        verdict = subject.adopted or fresh
        watch = _Watch(subject, replace(verdict, alive=True, message=""))
        if watch.verdict.started:
            watch.started.set()
        self._watches[subject.record.id] = watch
        for kind, probe in wanted.items():
            if kind == ProbeKind.STARTUP and watch.verdict.started:
                continue
            name = f"probe/{subject.pod.metadata.name}/{subject.container.name}/{kind}"
            watch.tasks.append(asyncio.create_task(self._run(watch, kind, probe), name=name))

    def forget(self, container_id: str) -> None:
        """Stop looking at a container."""
        watch = self._watches.pop(container_id, None)
        for task in watch.tasks if watch is not None else ():
            task.cancel()

    async def close(self) -> None:
        """Stop looking at anything."""
        tasks = [task for watch in self._watches.values() for task in watch.tasks]
        for container_id in list(self._watches):
            self.forget(container_id)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, watch: _Watch, kind: ProbeKind, probe: Probe) -> None:
        if kind != ProbeKind.STARTUP:
            await watch.started.wait()
        subject = watch.subject
        state, wait_s = probes.first(kind, probe, self._age_s(subject))
        if subject.adopted is not None:
            wait_s += self._rng.uniform(0, probes.period_s(probe))
            state = replace(state, ever=True)
        while True:
            await asyncio.sleep(wait_s)
            success, text = await self._look(subject, probe)
            step = probes.advance(kind, probe, state, success, self._age_s(subject))
            state, wait_s = step.state, step.wait_s
            if not success and step.counted:
                self._recorder.event(subject.pod, "Warning", "Unhealthy", f"{kind} probe failed: {text}")
            self._conclude(watch, kind, state.result)
            if kind == ProbeKind.STARTUP and state.result is True:
                return
            if kind != ProbeKind.READINESS and state.result is False:
                return  # it is being restarted, and then it is another container

    async def _look(self, subject: Probed, probe: Probe) -> tuple[bool, str]:
        return await self._handlers.probe(probe, subject.container, subject.record.id, subject.pod_ip, probes.timeout_s(probe))

    def _conclude(self, watch: _Watch, kind: ProbeKind, result: bool | None) -> None:
        if result is None:
            return
        verdict = watch.verdict
        if kind == ProbeKind.READINESS:
            verdict = replace(verdict, ready=result)
        elif not result:
            verdict = replace(verdict, alive=False, message=f"failed {kind.lower()} probe, will be restarted")
        elif kind == ProbeKind.STARTUP:
            verdict = replace(verdict, started=True)
            watch.started.set()
        if verdict != watch.verdict:
            watch.verdict = verdict
            watch.subject.changed()

    def _age_s(self, subject: Probed) -> float:
        return max(self._clock.now().timestamp() - subject.record.started_at / 1e9, 0.0)
