"""What a pod worker keeps of its pod's resizes: what was granted and what was applied; the decisions are in `core.resizing`.

Nothing is kept for a pod that has what it asks for. A kubelet that comes back takes from the pod's status what had been
granted and applied.
"""

from apimachinery.kinds import Pod
from kubelet.core import resizing
from kubelet.core.cgroups import container_resources
from kubelet.core.model import Observation
from kubelet.core.resizing import Granted, Step, Told
from kubelet.loops.kit import Kit
from kubelet.ports import RuntimeFailureError

_RETRY_S = 5.0


class Resizing:
    """The resizes of one pod."""

    def __init__(self, kit: Kit, pod: Pod, seen: Observation) -> None:
        self._kit = kit
        self._granted: Granted | None = resizing.granted_before(pod)
        """None: what the specification asks for."""
        self._undecided = self._granted is not None
        self._applied = resizing.applied_before(pod, seen)
        self._failed_at_s: float | None = None
        self.told = Told(applied=self._applied)

    def as_granted(self, pod: Pod) -> Pod:
        return resizing.with_granted(pod, self._granted)

    def as_applied(self, pod: Pod, seen: Observation) -> Pod:
        """The pod with what its running containers have."""
        given = {
            each.name: resizing.given_to(record, self._applied)
            for each in resizing.resizable(pod)
            if (record := seen.latest(each.name)) is not None and record.running
        }
        return resizing.with_granted(pod, given)

    def update(self, old: Pod, new: Pod) -> None:
        """The object has changed."""
        if new.spec is old.spec or resizing.wanted(new) == resizing.wanted(old):
            return
        if self._granted is None:
            self._granted = resizing.wanted(old)
        self._undecided = True

    def reconsider(self) -> bool:
        """Decide again on what waits for room; whether there is anything to decide."""
        waiting = self.told.pending is not None
        self._undecided |= waiting
        return waiting

    def consider(self, pod: Pod) -> None:
        """Grant what the specification asks for, if there is room."""
        if not self._undecided:
            return
        self._undecided = False
        self._failed_at_s = None
        present = resizing.requests(self.as_granted(pod))
        pending = None
        if resizing.wanted(pod) != self._granted:
            others = self._kit.committed(pod.metadata.uid)
            pending = resizing.assess(pod, present, others, self._kit.settings.allocatable)
        if pending is None:
            self._granted = None
            wanted = resizing.requests(pod)
            if any(wanted[name] < present[name] for name in wanted):
                self._kit.room_freed()
        elif pending != self.told.pending:
            self._kit.recorder.event(pod, "Warning", f"Resize{pending.reason}", pending.message)
        self.told = Told(pending, self.told.error, self._applied)

    def steps(self, pod: Pod, seen: Observation) -> list[Step]:
        """What is to be applied to the pod as granted."""
        return resizing.steps(pod, seen, self._applied)

    def is_due(self, pod: Pod, seen: Observation) -> bool:
        """Whether there is something to apply, and it did not fail a moment ago."""
        return bool(self.steps(pod, seen)) and self.retry_in_s in (None, 0.0)

    @property
    def retry_in_s(self) -> float | None:
        """When to try again what failed; None when nothing did."""
        if self._failed_at_s is None:
            return None
        return max(self._failed_at_s + _RETRY_S - self._kit.clock.monotonic(), 0.0)

    async def apply(self, pod: Pod, step: Step) -> None:
        """Change a running container in place; raises RuntimeFailureError."""
        if step.memory_falls_to is not None:
            await self._check_memory(step.record.id, step.memory_falls_to)
        resources = container_resources(pod, step.container, self._kit.settings.memory_bytes)
        await self._kit.runtime.update_resources(step.record.id, resources)
        self._applied[step.record.id] = step.container.resources

    def failed(self, error: str) -> None:
        """What was granted could not be applied yet."""
        self._failed_at_s = self._kit.clock.monotonic()
        self.told = Told(self.told.pending, error, self._applied)

    def done(self, seen: Observation) -> None:
        """All that was granted is applied."""
        self._failed_at_s = None
        for gone in self._applied.keys() - seen.ids():
            del self._applied[gone]
        self.told = Told(self.told.pending, "", self._applied)

    async def _check_memory(self, container_id: str, limit_bytes: int) -> None:
        """A limit below what is in use would have the kernel kill the container, or be refused by it."""
        used = {each.container_id: each.memory_working_set_bytes for each in await self._kit.runtime.usage()}
        if used.get(container_id, 0) > limit_bytes:
            detail = f"attempting to set memory limit ({limit_bytes}) below current usage ({used[container_id]})"
            raise RuntimeFailureError(detail)
