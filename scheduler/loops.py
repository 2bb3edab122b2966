"""The shell around the decisions: caches feed columns and queue, attempts become bindings.

Order of one pod: popped -> attempt on the columns -> assumed (it occupies its node from now on) -> bound together with its
neighbours in the batch, behind the back of the next batch -> confirmed when the informer shows it on its node. A binding that
fails is undone in one place (`_forget`), unless the informer has confirmed it meanwhile. Informer handlers and attempts are
synchronous, so the columns never change during an attempt.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from apiclient.client import Client, EventType, PatchType, PodBinding
from apiclient.events import EventRecorder
from apiclient.informer import Informer, controller_of
from apimachinery import verdict as verdicts
from apimachinery.clock import Clock
from apimachinery.errors import ApiError, is_conflict, is_not_found
from apimachinery.kinds import Namespace, Node, Pod, PodCondition
from apimachinery.times import format_time
from apimachinery.verdict import Verdict
from scheduler.core.columns import Columns, Usage
from scheduler.core.evaluate import Attempt, Evaluator, rejectors, verdict
from scheduler.core.queue import ClusterEvent, SchedulingQueue, Waiting
from scheduler.core.requirements import is_resized, of_pod

log = logging.getLogger(__name__)

BATCH_LIMIT = 128
BINDS_IN_FLIGHT = 4
DRAIN_TIMEOUT_S = 3.0
FINAL_PHASES = ("Succeeded", "Failed")
POD_FIELD_SELECTOR = ",".join(f"status.phase!={phase}" for phase in FINAL_PHASES)


class Metrics:
    """What the scheduler counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.attempts = Counter("scheduler_schedule_attempts", "Attempts by result.", ["result"], registry=registry)
        self.pending = Gauge("scheduler_pending_pods", "Pods that wait, by queue.", ["queue"], registry=registry)
        self.latency_s = Histogram(
            "scheduler_pod_scheduling_duration_seconds",
            "From a pod's first sight until it is bound.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
            registry=registry,
        )


@dataclass(frozen=True)
class _Decision:
    """A pod that has been assumed on a node, until its binding is known."""

    waiting: Waiting
    binding: PodBinding


class Scheduler:
    """Owns the columns and the queue; `run` schedules while this process leads."""

    def __init__(
        self,
        client: Client,
        *,
        pods: Informer[Pod],
        nodes: Informer[Node],
        namespaces: Informer[Namespace],
        evaluator: Evaluator,
        recorder: EventRecorder,
        clock: Clock,
        metrics: Metrics,
        scheduler_name: str = "default-scheduler",
    ) -> None:
        self._client = client
        self._evaluator = evaluator
        self._recorder = recorder
        self._clock = clock
        self._metrics = metrics
        self._name = scheduler_name
        self._columns = Columns()
        self._queue = SchedulingQueue()
        self._assumed: set[str] = set()
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(BINDS_IN_FLIGHT)
        self._tasks: set[asyncio.Task[None]] = set()
        pods.on_event(self._on_pod)
        nodes.on_event(self._on_node)
        namespaces.on_event(self._on_namespace)

    async def run(self) -> None:
        """Schedule until cancelled; then let the bindings under way finish."""
        try:
            while True:
                decisions = self._decide()
                if decisions:
                    await self._slots.acquire()
                    self._spawn(self._bind(decisions), "bind")
                    await asyncio.sleep(0)
                else:
                    await self._wait_for_work()
        finally:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=DRAIN_TIMEOUT_S)

    # what the informers say

    def _on_pod(self, kind: EventType, old: Pod | None, new: Pod | None) -> None:
        if new is None:
            assert old is not None
            self._pod_gone(old)
        elif new.spec.node_name:
            self._pod_placed(new, old)
        elif self._is_ours(new):
            self._queue.add(new, self._clock.monotonic())
            self._wake.set()

    def _is_ours(self, pod: Pod) -> bool:
        spec = pod.spec
        mine = (spec.scheduler_name or "default-scheduler") == self._name
        return mine and pod.metadata.deletion_timestamp is None and not spec.scheduling_gates

    def _pod_placed(self, pod: Pod, old: Pod | None) -> None:
        uid = pod.metadata.uid
        self._assumed.discard(uid)
        self._queue.remove(uid)
        if self._columns.place_of(uid) != pod.spec.node_name:
            self._columns.place(_usage(pod), pod.spec.node_name)
            self._happened(ClusterEvent.POD_PLACED)
        elif old is not None and is_resized(pod, old) and (usage := _usage(pod)).requirements != of_pod(old):
            self._columns.displace(uid)
            self._columns.place(usage, pod.spec.node_name)
            self._happened(ClusterEvent.POD_GONE)  # there may be room now that there was not

    def _pod_gone(self, pod: Pod) -> None:
        uid = pod.metadata.uid
        self._assumed.discard(uid)
        self._queue.remove(uid)
        if self._columns.displace(uid):
            self._happened(ClusterEvent.POD_GONE)

    def _on_node(self, kind: EventType, old: Node | None, new: Node | None) -> None:
        if new is None:
            assert old is not None
            self._columns.remove_node(old.metadata.name)
            return
        self._columns.put_node(new)
        for event in _node_events(old, new):
            self._happened(event)

    def _on_namespace(self, kind: EventType, old: Namespace | None, new: Namespace | None) -> None:
        if new is not None:
            self._columns.namespace_labels[new.metadata.name] = new.metadata.labels
        elif old is not None:
            self._columns.namespace_labels.pop(old.metadata.name, None)

    def _happened(self, event: ClusterEvent) -> None:
        if self._queue.happened(event, self._clock.monotonic()):
            self._wake.set()

    # deciding

    def _decide(self) -> list[_Decision]:
        """Try pods until a batch is full or none is left; each that fits is assumed."""
        decisions: list[_Decision] = []
        now = self._clock.monotonic()
        while len(decisions) < BATCH_LIMIT and (waiting := self._queue.pop(now)) is not None:
            attempt = self._evaluator.attempt(self._columns, _usage(waiting.pod))
            explained = verdict(self._columns, attempt, format_time(self._clock.now()))
            if attempt.chosen is None:
                self._unfit(waiting, attempt, explained)
                continue
            self._columns.place(attempt.pod, explained.node)
            self._assumed.add(waiting.uid)
            decisions.append(_Decision(waiting, _binding(waiting.pod, explained)))
        return decisions

    def _unfit(self, waiting: Waiting, attempt: Attempt, explained: Verdict) -> None:
        self._metrics.attempts.labels("unschedulable").inc()
        self._queue.unfit(waiting.uid, rejectors(attempt), self._clock.monotonic())
        self._recorder.event(waiting.pod, "Warning", "FailedScheduling", explained.message)
        if not _already_said(waiting.pod, explained.message):
            self._spawn(self._report(waiting.pod, explained), "report")

    async def _wait_for_work(self) -> None:
        for queue, count in self._queue.counts().items():
            self._metrics.pending.labels(queue).set(count)
        due = self._queue.next_due()
        timeout_s = None if due is None else max(0.0, due - self._clock.monotonic())
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            pass  # a pod's back-off is over
        self._wake.clear()

    # acting

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=f"scheduler/{name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _bind(self, decisions: Sequence[_Decision]) -> None:
        try:
            answers = await self._client.bind([decision.binding for decision in decisions])
        except ApiError as error:
            log.warning("could not bind, will retry", extra={"pods": len(decisions), "error": str(error)})
            answers = [error] * len(decisions)
        finally:
            self._slots.release()
        for decision, answer in zip(decisions, answers, strict=True):
            self._settle(decision, answer)

    def _settle(self, decision: _Decision, error: ApiError | None) -> None:
        waiting, node = decision.waiting, decision.binding.node
        if error is None:
            self._metrics.attempts.labels("scheduled").inc()
            self._metrics.latency_s.observe(self._clock.monotonic() - waiting.since)
            self._queue.placed(waiting.uid)
            meta = waiting.pod.metadata
            self._recorder.event(
                waiting.pod, "Normal", "Scheduled", f"Successfully assigned {meta.namespace}/{meta.name} to {node}"
            )
            return
        self._metrics.attempts.labels("error").inc()
        self._forget(waiting.uid)
        if is_not_found(error) or (is_conflict(error) and _speaks_of_the_pod(error)):
            self._queue.remove(waiting.uid)  # it is gone, or has its node: the informer tells
        else:
            self._queue.failed(waiting.uid, self._clock.monotonic())
            self._wake.set()

    def _forget(self, uid: str) -> None:
        """Undo an assumption that came to nothing; one that the informer has confirmed stands."""
        if uid in self._assumed:
            self._assumed.discard(uid)
            self._columns.displace(uid)

    async def _report(self, pod: Pod, explained: Verdict) -> None:
        """Store why the pod fits nowhere, as its PodScheduled condition and its verdict."""
        condition = PodCondition(
            type="PodScheduled",
            status="False",
            reason="Unschedulable",
            message=explained.message,
            last_transition_time=format_time(self._clock.now()),
            observed_generation=pod.metadata.generation,
        )
        change = {
            "metadata": {"uid": pod.metadata.uid, "annotations": {verdicts.ANNOTATION: verdicts.encode(explained)}},
            "status": {"conditions": [condition]},
        }
        meta = pod.metadata
        try:
            await self._client.patch(
                Pod, meta.name, meta.namespace, patch=change, patch_type=PatchType.STRATEGIC, subresource="status"
            )
        except ApiError as error:
            if not is_not_found(error):
                log.warning("could not report an unschedulable pod", extra={"pod": meta.name, "error": str(error)})


def _usage(pod: Pod) -> Usage:
    owner = controller_of(pod)
    meta = pod.metadata
    return Usage(meta.uid, of_pod(pod), meta.namespace, meta.labels, "" if owner is None else owner.uid)


def _binding(pod: Pod, explained: Verdict) -> PodBinding:
    meta = pod.metadata
    return PodBinding(meta.namespace, meta.name, meta.uid, explained.node, {verdicts.ANNOTATION: verdicts.encode(explained)})


def _already_said(pod: Pod, message: str) -> bool:
    return any(each.type == "PodScheduled" and each.message == message for each in pod.status.conditions)


def _speaks_of_the_pod(error: ApiError) -> bool:
    """Whether a conflict is about the pod, not about this scheduler's leadership."""
    return error.status.details is None or error.status.details.kind != "leases"


def _node_events(old: Node | None, new: Node) -> Sequence[ClusterEvent]:
    if old is None:
        return (ClusterEvent.NODE_ADDED,)
    events = []
    if (old.spec.taints, old.spec.unschedulable) != (new.spec.taints, new.spec.unschedulable):
        events.append(ClusterEvent.NODE_TAINTS)
    if old.metadata.labels != new.metadata.labels:
        events.append(ClusterEvent.NODE_LABELS)
    if old.status.allocatable != new.status.allocatable:
        events.append(ClusterEvent.NODE_RESOURCES)
    return events
