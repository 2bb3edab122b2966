"""A pod's status, from its spec, what is observed, and what stands in the way.

The status is made anew each time; what must persist is taken from the previous one: times of transitions, the start time,
conditions of other writers, the last state of containers that the runtime has forgotten, and a final phase, which never
changes. Source: the Kubernetes page "Pod Lifecycle".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from apimachinery import codec
from apimachinery.kinds import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    HostIP,
    Pod,
    PodCondition,
    PodIP,
    PodStatus,
)
from apimachinery.times import format_time
from kubelet.core.backoff import go_duration
from kubelet.core.model import ContainerKind, ContainerRecord, Observation, State
from kubelet.core.plan import HEALTHY, Verdict, Waiting, initialized, should_restart, should_retry_init
from kubelet.core.pods import as_container, full_name, is_sidecar, restart_policy
from kubelet.core.resizing import CONDITIONS, IN_PROGRESS, PENDING, Told, given_to, steps

OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
_EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a container is not being started: reason and message of its waiting state."""

    reason: str
    message: str = ""


@dataclass(frozen=True)
class StatusInputs:
    """What the status depends on beside pod and observation. `verdicts` go by container id, the other maps by name."""

    now: datetime
    host_ip: str
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    troubles: Mapping[str, Trouble] = field(default_factory=dict)
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    pod_ips: Sequence[str] = ()
    ended: bool = False
    """All containers have ended for good."""
    verdict: tuple[str, str] | None = None
    """Reason and message when the pod as a whole was ended: DeadlineExceeded, Evicted."""
    resize: Told = field(default_factory=Told)


def pod_status(pod: Pod, seen: Observation, inputs: StatusInputs) -> PodStatus:
    """The status to report; `pod.status` is the previous one."""
    previous = pod.status
    ready = initialized(pod, seen, inputs.verdicts)
    builder = _Builder(pod, seen, inputs, ready)
    status = PodStatus(
        init_container_statuses=[builder.container(ContainerKind.INIT, each) for each in pod.spec.init_containers],
        container_statuses=[builder.container(ContainerKind.APP, each) for each in pod.spec.containers],
        ephemeral_container_statuses=[
            builder.container(ContainerKind.EPHEMERAL, as_container(each)) for each in pod.spec.ephemeral_containers
        ],
        qos_class=previous.qos_class,
        nominated_node_name="",
        resize=previous.resize,
        start_time=previous.start_time or format_time(inputs.now),
        host_ip=inputs.host_ip,
        host_ips=[HostIP(ip=inputs.host_ip)] if inputs.host_ip else [],
        observed_generation=pod.metadata.generation,
        resource_claim_statuses=previous.resource_claim_statuses,
    )
    _set_phase(pod, status, inputs, ready)
    _set_addresses(pod, status, inputs)
    status.conditions = _conditions(pod, seen, status, inputs, ready)
    return status


def status_patch(old: PodStatus, new: PodStatus) -> dict[str, Any]:
    """The strategic merge patch (of `status`) that turns one status into the other; empty when they are the same."""
    before, after = codec.to_plain(old), codec.to_plain(new)
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        if before.get(name) == value:
            continue
        if name == "conditions":
            known = {each["type"]: each for each in before.get(name, [])}
            changed = [each for each in value if known.get(each["type"]) != each]
            # a merged condition keeps what is not said of it anew, such as the reason that it no longer has
            patch[name] = [{**dict.fromkeys(known.get(each["type"], {})), **each} for each in changed]
            gone = known.keys() & set(CONDITIONS) - {each["type"] for each in value}
            patch[name] += [{"$patch": "delete", "type": each} for each in sorted(gone)]
        elif name in ("podIPs", "hostIPs") and before.get(name):
            patch[name] = [{"$patch": "replace"}, *value]
        else:
            patch[name] = value
    if not patch.get("conditions", True):
        del patch["conditions"]
    return patch


def format_nanoseconds(moment: int) -> str | None:
    """An API time of a runtime's time; None for zero."""
    return format_time(datetime.fromtimestamp(moment // 1_000_000_000, UTC)) if moment else None


@dataclass(frozen=True)
class _Builder:
    pod: Pod
    seen: Observation
    inputs: StatusInputs
    initialized: bool

    def container(self, kind: ContainerKind, container: Container) -> ContainerStatus:
        """The status of one container."""
        history = self.seen.history(container.name)
        before = self._previous(container.name)
        status = ContainerStatus(name=container.name, image=container.image, ready=False, started=False)
        if container.resources.limits or container.resources.requests:
            running = next((each for each in history if each.running), None)
            status.allocated_resources = container.resources.requests
            status.resources = container.resources if running is None else given_to(running, self.inputs.resize.applied)
        if before is not None:
            status.restart_count = before.restart_count
            status.last_state = before.last_state
        if not history:
            self._never_seen(status, container, before)
            return status
        latest = history[0]
        status.container_id = self._container_id(latest.id)
        status.image = latest.image or container.image
        status.image_id = latest.image_ref
        status.restart_count = latest.restart_count
        if len(history) > 1 and history[1].over:
            status.last_state = ContainerState(terminated=self._terminated(history[1]))
        self._set_state(status, kind, container, latest)
        return status

    def _previous(self, name: str) -> ContainerStatus | None:
        old = self.pod.status
        every = (*old.container_statuses, *old.init_container_statuses, *old.ephemeral_container_statuses)
        return next((each for each in every if each.name == name), None)

    def _never_seen(self, status: ContainerStatus, container: Container, before: ContainerStatus | None) -> None:
        """No container at the runtime: it waits, unless the previous status knows how it ended."""
        if before is not None and before.state.terminated is not None and not self._wanted_again(container):
            status.state, status.container_id = before.state, before.container_id
            status.image_id = before.image_id
            return
        if before is not None and (before.state.terminated is not None or before.state.running is not None):
            status.last_state = _lost(before)
        if self.inputs.ended and self._may_have_run(container):
            status.state = ContainerState(
                terminated=ContainerStateTerminated(
                    exit_code=137,
                    reason="ContainerStatusUnknown",
                    message="The container could not be located when the pod was terminated",
                )
            )
            return
        status.state = ContainerState(waiting=self._waiting(container))

    def _may_have_run(self, container: Container) -> bool:
        """Whether a container without a trace can be one that ran: not if the init containers never got as far as it."""
        inits = [each.name for each in self.pod.spec.init_containers]
        if self.initialized:
            return True
        if container.name not in inits:
            return False
        return any(self._has_run(name) for name in inits[inits.index(container.name) + 1 :])

    def _has_run(self, name: str) -> bool:
        before = self._previous(name)
        known = before is not None and (before.state.terminated is not None or before.last_state.terminated is not None)
        return known or bool(self.seen.history(name))

    def _wanted_again(self, container: Container) -> bool:
        return not self.inputs.ended and self.inputs.verdict is None and restart_policy(self.pod) == "Always"

    def _set_state(self, status: ContainerStatus, kind: ContainerKind, container: Container, latest: ContainerRecord) -> None:
        if latest.running:
            verdict = self.inputs.verdicts.get(latest.id, HEALTHY)
            status.state = ContainerState(running=ContainerStateRunning(started_at=format_nanoseconds(latest.started_at)))
            if kind == ContainerKind.EPHEMERAL:
                return  # nobody waits for it
            status.started = verdict.started
            status.ready = verdict.started and verdict.ready and (kind != ContainerKind.INIT or is_sidecar(container))
        elif latest.over:
            self._set_ended(status, kind, container, latest)
        else:
            status.state = ContainerState(waiting=self._waiting(container))

    def _set_ended(self, status: ContainerStatus, kind: ContainerKind, container: Container, latest: ContainerRecord) -> None:
        ended = ContainerState(terminated=self._terminated(latest))
        status.ready = kind == ContainerKind.INIT and not is_sidecar(container) and latest.exit_code == 0
        if self._restarts(kind, container, latest):
            wait = self._obstacle(container)
            if wait is not None:
                status.state = ContainerState(waiting=wait)
                status.last_state = ended
                return
        status.state = ended

    def _restarts(self, kind: ContainerKind, container: Container, latest: ContainerRecord) -> bool:
        if self.inputs.ended or self.inputs.verdict is not None or kind == ContainerKind.EPHEMERAL:
            return False
        if kind == ContainerKind.INIT:
            return should_retry_init(self.pod, container, latest)
        return should_restart(self.pod, container, latest)

    def _waiting(self, container: Container) -> ContainerStateWaiting:
        found = self._obstacle(container)
        if found is not None:
            return found
        return ContainerStateWaiting(reason="PodInitializing" if self.pod.spec.init_containers else "ContainerCreating")

    def _obstacle(self, container: Container) -> ContainerStateWaiting | None:
        trouble = self.inputs.troubles.get(container.name)
        if trouble is not None:
            return ContainerStateWaiting(reason=trouble.reason, message=trouble.message)
        wait = self.inputs.waiting.get(container.name)
        if wait is not None:
            return ContainerStateWaiting(
                reason="CrashLoopBackOff",
                message=(
                    f"back-off {go_duration(wait.delay_s)} restarting failed container={container.name} "
                    f"pod={full_name(self.pod)}"
                ),
            )
        return None

    def _terminated(self, record: ContainerRecord) -> ContainerStateTerminated:
        if record.state == State.UNKNOWN:
            reason = "ContainerStatusUnknown"
        else:
            reason = record.reason or ("Completed" if record.exit_code == 0 else "Error")
        return ContainerStateTerminated(
            exit_code=record.exit_code if record.state != State.UNKNOWN else 137,
            reason=reason,
            message=record.message,
            started_at=format_nanoseconds(record.started_at) or _EPOCH,
            finished_at=format_nanoseconds(record.finished_at) or _EPOCH,
            container_id=self._container_id(record.id),
        )

    @staticmethod
    def _container_id(name: str) -> str:
        return f"containerd://{name}"


def _lost(before: ContainerStatus) -> ContainerState:
    """The last state of a container that was known and is gone from the runtime."""
    if before.state.terminated is not None:
        return before.state
    return ContainerState(
        terminated=ContainerStateTerminated(
            exit_code=137,
            reason="ContainerStatusUnknown",
            message="The container could not be located when the pod was deleted.  The container used to be Running",
            container_id=before.container_id,
        )
    )


def _set_phase(pod: Pod, status: PodStatus, inputs: StatusInputs, ready: bool) -> None:
    if pod.status.phase in ("Succeeded", "Failed"):
        status.phase, status.reason, status.message = pod.status.phase, pod.status.reason, pod.status.message
        return
    if inputs.verdict is not None:
        status.phase = "Failed"
        status.reason, status.message = inputs.verdict
        return
    status.phase = _phase(pod, status, inputs, ready)


def _phase(pod: Pod, status: PodStatus, inputs: StatusInputs, ready: bool) -> str:
    states = [each.state for each in status.container_statuses]
    if not ready:
        return "Failed" if inputs.ended else "Pending"
    ended = [each.terminated for each in states if each.terminated is not None]
    if inputs.ended and len(ended) == len(states):
        return "Succeeded" if all(each.exit_code == 0 for each in ended) else "Failed"
    if inputs.ended:
        return "Failed"
    if any(each.state.waiting is not None and each.last_state.terminated is None for each in status.container_statuses):
        return "Pending"
    return "Running"


def _set_addresses(pod: Pod, status: PodStatus, inputs: StatusInputs) -> None:
    if pod.spec.host_network:
        addresses: Sequence[str] = [inputs.host_ip] if inputs.host_ip else []
    else:
        addresses = inputs.pod_ips or [each.ip for each in pod.status.pod_ips]
    status.pod_ips = [PodIP(ip=each) for each in addresses]
    status.pod_ip = addresses[0] if addresses else ""


def _conditions(pod: Pod, seen: Observation, status: PodStatus, inputs: StatusInputs, ready: bool) -> list[PodCondition]:
    over = status.phase in ("Succeeded", "Failed")
    containers_ready = _containers_ready(pod, status)
    sandbox_up = not over and seen.ready_sandbox is not None and bool(pod.spec.host_network or inputs.pod_ips)
    wanted = [
        PodCondition(type="PodReadyToStartContainers", status=_truth(sandbox_up)),
        _initialized_condition(pod, status, ready),
        _pod_ready(pod, containers_ready),
        containers_ready,
        PodCondition(type="PodScheduled", status="True"),
    ]
    if not over:
        wanted += _resize_conditions(pod, seen, inputs.resize)
    known = {each.type: each for each in pod.status.conditions}
    for condition in wanted:
        condition.observed_generation = pod.metadata.generation
        _keep_transition(condition, known.get(condition.type), inputs.now)
    foreign = [each for each in pod.status.conditions if each.type not in OWN_CONDITIONS and each.type not in CONDITIONS]
    return [*wanted, *foreign]


def _resize_conditions(pod: Pod, seen: Observation, resize: Told) -> list[PodCondition]:
    """That a resize is waited for, or is under way; there are none for nearly every pod."""
    found = []
    if resize.pending is not None:
        found.append(PodCondition(type=PENDING, status="True", reason=resize.pending.reason, message=resize.pending.message))
    if steps(pod, seen, resize.applied):
        found.append(
            PodCondition(type=IN_PROGRESS, status="True", reason="Error" if resize.error else "", message=resize.error)
        )
    return found


def _keep_transition(condition: PodCondition, known: PodCondition | None, now: datetime) -> None:
    if known is not None and known.status == condition.status and known.last_transition_time:
        condition.last_transition_time = known.last_transition_time
    else:
        condition.last_transition_time = format_time(now)


def _initialized_condition(pod: Pod, status: PodStatus, ready: bool) -> PodCondition:
    if status.phase == "Succeeded":
        return PodCondition(type="Initialized", status="True", reason="PodCompleted")
    if ready:
        return PodCondition(type="Initialized", status="True")
    waiting = [each.name for each in status.init_container_statuses if not each.ready]
    return PodCondition(
        type="Initialized",
        status="False",
        reason="ContainersNotInitialized",
        message=f"containers with incomplete status: [{' '.join(waiting)}]",
    )


def _containers_ready(pod: Pod, status: PodStatus) -> PodCondition:
    if status.phase in ("Succeeded", "Failed"):
        reason = "PodCompleted" if status.phase == "Succeeded" else "PodFailed"
        return PodCondition(type="ContainersReady", status="False", reason=reason)
    sidecars = {each.name for each in pod.spec.init_containers if is_sidecar(each)}
    relevant = [each for each in status.init_container_statuses if each.name in sidecars]
    unready = [each.name for each in (*relevant, *status.container_statuses) if not each.ready]
    if not unready:
        return PodCondition(type="ContainersReady", status="True")
    return PodCondition(
        type="ContainersReady",
        status="False",
        reason="ContainersNotReady",
        message=f"containers with unready status: [{' '.join(unready)}]",
    )


def _pod_ready(pod: Pod, containers_ready: PodCondition) -> PodCondition:
    if containers_ready.status != "True":
        return PodCondition(type="Ready", status="False", reason=containers_ready.reason, message=containers_ready.message)
    known = {each.type: each for each in pod.status.conditions}
    problems = []
    for gate in pod.spec.readiness_gates:
        condition = known.get(gate.condition_type)
        if condition is None:
            problems.append(f'corresponding condition of pod readiness gate "{gate.condition_type}" does not exist.')
        elif condition.status != "True":
            problems.append(f'the status of pod readiness gate "{gate.condition_type}" is not "True", but {condition.status}')
    if problems:
        return PodCondition(type="Ready", status="False", reason="ReadinessGatesNotReady", message=", ".join(problems))
    return PodCondition(type="Ready", status="True")


def _truth(value: bool) -> str:
    return "True" if value else "False"
