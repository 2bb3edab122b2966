"""What to do next for a pod: from its spec and what is observed to actions.

The plan is level-driven: it looks at the newest container of each name in the present sandbox, never at what was done before.
Init containers run one after the other, each sidecar among them from its turn on; when the first ordinary container exists the
others have had their turn. A container that ended is started again if its policy says so, once its back-off has passed.
Ephemeral containers wait for no turn, run once, and do not keep a pod from being over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from apimachinery.kinds import Container, Pod
from kubelet.core.backoff import Backoff
from kubelet.core.model import SPEC_HASH, ContainerKind, ContainerRecord, Observation, State
from kubelet.core.pods import as_container, containers, is_sidecar, restart_policy, spec_hash

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What probes say of a running container; without probes it is started, ready and alive."""

    started: bool = True
    ready: bool = True
    alive: bool = True
    message: str = ""


HEALTHY = Verdict()


@dataclass(frozen=True, slots=True)
class Start:
    """Start a container as the nth of its name, counted from 0."""

    kind: ContainerKind
    container: Container
    restart_count: int
    target: str = ""
    """Of an ephemeral container: the one whose processes it sees."""


@dataclass(frozen=True, slots=True)
class Kill:
    """End a running container; the message is for the event."""

    record: ContainerRecord
    message: str
    by_probe: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """A container that waits out its back-off: until when (monotonic-free: seconds from now) and the delay it stands at."""

    remaining_s: float
    delay_s: float


@dataclass(frozen=True)
class Plan:
    """Actions in their order: end what must end, then make the sandbox, then start containers."""

    kill: tuple[Kill, ...] = ()
    make_sandbox: bool = False
    sandbox_attempt: int = 0
    start: tuple[Start, ...] = ()
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    over: bool = False
    """Nothing will ever start again: the pod has succeeded or failed."""

    @property
    def wake_after_s(self) -> float | None:
        """When to plan again though nothing happens."""
        return min((each.remaining_s for each in self.waiting.values()), default=None)


def plan(pod: Pod, seen: Observation, verdicts: Mapping[str, Verdict], backoff: Backoff, now_s: float) -> Plan:
    """Decide; `now_s` is seconds since the epoch, `verdicts` go by container id."""
    if seen.ready_sandbox is None:
        return _without_sandbox(pod, seen)
    current = Observation(seen.sandboxes[:1], [each for each in seen.containers if _belongs(each, seen)])
    kills = _kills(pod, current, verdicts)
    doomed = {each.record.id for each in kills}
    starts, waiting, over = _starts(pod, current, seen, verdicts, backoff, now_s)
    # what is being killed is started again only once it is seen to have ended
    starts = [each for each in starts if (last := current.latest(each.container.name)) is None or last.id not in doomed]
    return Plan(kill=tuple(kills), start=tuple(starts), waiting=waiting, over=over and not kills)


def should_restart(pod: Pod, container: Container, record: ContainerRecord) -> bool:
    """Whether a container that ended is wanted again."""
    for rule in container.restart_policy_rules:
        codes = rule.exit_codes
        if codes is not None and (record.exit_code in codes.values) == (codes.operator == "In"):
            return rule.action == "Restart"
    policy = container.restart_policy or restart_policy(pod)
    if policy == "OnFailure":
        return record.state == State.UNKNOWN or record.exit_code != 0
    return policy == "Always"


def should_retry_init(pod: Pod, container: Container, record: ContainerRecord) -> bool:
    """Whether an init container that failed is tried again."""
    return is_sidecar(container) or (record.exit_code != 0 and restart_policy(pod) != "Never")


def backoff_key(pod: Pod, container: Container) -> str:
    """A changed image starts without a back-off."""
    return f"{pod.metadata.uid}/{container.name}/{spec_hash(container)}"


def initialized(pod: Pod, seen: Observation, verdicts: Mapping[str, Verdict]) -> bool:
    """Whether the init containers have done their part."""
    if _apps_created(pod, seen):
        return True
    return all(_init_done(each, seen.latest(each.name), verdicts) for each in pod.spec.init_containers)


def _without_sandbox(pod: Pod, seen: Observation) -> Plan:
    """The first sandbox, or one in the place of one that died."""
    attempt = seen.sandbox.attempt + 1 if seen.sandbox is not None else 0
    if seen.containers:
        if restart_policy(pod) == "Never":
            return Plan(over=not seen.running())
        wanted = [
            each
            for each in pod.spec.containers
            if (last := seen.latest(each.name)) is None or not last.over or should_restart(pod, each, last)
        ]
        if not wanted:
            return Plan(over=True)
    kills = tuple(Kill(each, "Pod sandbox changed, it will be killed and re-created.") for each in seen.running())
    return Plan(kill=kills, make_sandbox=True, sandbox_attempt=attempt)


def _belongs(record: ContainerRecord, seen: Observation) -> bool:
    sandbox = seen.sandbox
    return sandbox is None or record.sandbox_id in ("", sandbox.id)


def _kills(pod: Pod, current: Observation, verdicts: Mapping[str, Verdict]) -> list[Kill]:
    kills = []
    for kind, container in containers(pod):
        last = current.latest(container.name)
        if last is None or not last.running:
            continue
        verdict = verdicts.get(last.id, HEALTHY)
        made_from = last.annotations.get(SPEC_HASH)
        if not verdict.alive:
            kills.append(Kill(last, f"Container {container.name} {verdict.message}", by_probe=True))
        elif kind != ContainerKind.EPHEMERAL and made_from is not None and made_from != spec_hash(container):
            kills.append(Kill(last, f"Container {container.name} definition changed, will be restarted"))
    return kills


def _starts(
    pod: Pod,
    current: Observation,
    seen: Observation,
    verdicts: Mapping[str, Verdict],
    backoff: Backoff,
    now_s: float,
) -> tuple[list[Start], dict[str, Waiting], bool]:
    """Containers to start now, those in back-off, and whether the pod is over."""
    turn = _Turn(pod, seen, backoff, now_s)
    if not _advance(turn, current, verdicts):
        return [], {}, True
    for ephemeral in pod.spec.ephemeral_containers:
        last = seen.latest(ephemeral.name)
        if (last is None and not _has_run(pod, ephemeral.name)) or (last is not None and last.state == State.CREATED):
            turn.begin(ContainerKind.EPHEMERAL, as_container(ephemeral), last, ephemeral.target_container_name)
    return turn.starts, turn.waiting, False


def _advance(turn: "_Turn", current: Observation, verdicts: Mapping[str, Verdict]) -> bool:
    """Begin what has its turn; False when the pod is over."""
    if not _initialize(turn, current, verdicts):
        return not turn.over
    alive = False
    for container in turn.pod.spec.containers:
        last = current.latest(container.name)
        if last is None or last.state == State.CREATED:
            # one that was made but not started (the kubelet died in between) is made anew
            alive |= turn.begin(ContainerKind.APP, container, last)
        elif last.running:
            alive = True
        elif should_restart(turn.pod, container, last):
            alive |= turn.begin(ContainerKind.APP, container, last)
    return alive


@dataclass
class _Turn:
    """What one planning has decided so far."""

    pod: Pod
    seen: Observation
    backoff: Backoff
    now_s: float
    starts: list[Start] = field(default_factory=list)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    over: bool = False

    def begin(self, kind: ContainerKind, container: Container, last: ContainerRecord | None, target: str = "") -> bool:
        """Start it, or have it wait; always True: it is wanted."""
        if last is not None and last.over:
            key = backoff_key(self.pod, container)
            remaining_s = self.backoff.remaining_s(key, last.finished_at / NANOSECONDS, self.now_s)
            if remaining_s > 0:
                self.waiting[container.name] = Waiting(remaining_s, self.backoff.delay_s(key, self.now_s))
                return True
        newest = self.seen.latest(container.name)
        before = _previous_restarts(self.pod, container.name)
        count = newest.restart_count + 1 if newest is not None else before
        self.starts.append(Start(kind, container, count, target))
        return True


def _has_run(pod: Pod, name: str) -> bool:
    """Whether an ephemeral container that the runtime does not know, or knows no more, ran."""
    return any(each.name == name and each.container_id for each in pod.status.ephemeral_container_statuses)


def _previous_restarts(pod: Pod, name: str) -> int:
    """The count after the one in the status, when the runtime has forgotten the container it speaks of."""
    statuses = (*pod.status.container_statuses, *pod.status.init_container_statuses)
    known = next((each for each in statuses if each.name == name and each.container_id), None)
    return known.restart_count + 1 if known is not None else 0


def _initialize(turn: _Turn, current: Observation, verdicts: Mapping[str, Verdict]) -> bool:
    """Move the init containers on by one; True when ordinary containers may run."""
    created = _apps_created(turn.pod, current)
    for container in turn.pod.spec.init_containers:
        last = current.latest(container.name)
        if created and not is_sidecar(container):
            continue
        if _init_done(container, last, verdicts):
            continue
        if last is None or last.state == State.CREATED or (last.over and should_retry_init(turn.pod, container, last)):
            turn.begin(ContainerKind.INIT, container, last)
        elif last.over:
            turn.over = True
            return False
        if not created:
            return False
    return True


def _init_done(container: Container, last: ContainerRecord | None, verdicts: Mapping[str, Verdict]) -> bool:
    if last is None:
        return False
    if is_sidecar(container):
        return last.running and verdicts.get(last.id, HEALTHY).started
    return last.state == State.EXITED and last.exit_code == 0


def _apps_created(pod: Pod, current: Observation) -> bool:
    return any(current.latest(each.name) is not None for each in pod.spec.containers)


def stop_order(pod: Pod, seen: Observation) -> list[Sequence[ContainerRecord]]:
    """Running containers in the groups in which they end: ordinary ones together, then sidecars from last to first."""
    running = seen.running()
    sidecars = [each.name for each in pod.spec.init_containers if is_sidecar(each)]
    first = [each for each in running if each.name not in sidecars]
    later = [[each for each in running if each.name == name] for name in reversed(sidecars)]
    return [group for group in (first, *later) if group]
