"""The Pod's table, and what its one-word STATUS says.

STATUS begins as the phase (or the status' own reason) and is then overruled by the most telling container: the first init
container that has not finished, else the last container that waits or has ended; a deletion overrules all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from apimachinery.printing.shape import AGE, NAME, Cell, Column, Plain, TableShape, age, condition, name_of, since, wide

COLUMNS = (
    NAME,
    Column("Ready", description="Containers that are ready, of all that run together."),
    Column("Status", description="What the pod is doing, or what keeps it from running."),
    Column("Restarts", description="How often its containers were started again, and how long ago the last of them ended."),
    AGE,
    wide("IP", "The pod's address."),
    wide("Node", "The node it runs on."),
    wide("Nominated Node", "The node that others are being moved from to make room for it."),
    wide("Readiness Gates", "Conditions from elsewhere that are met, of those it waits for."),
)


@dataclass(frozen=True)
class PodSummary:
    """What the first columns show; `last_restart`: when a restarted container last ended (RFC 3339), "" when none did."""

    ready: int
    total: int
    status: str
    restarts: int
    last_restart: str


def summarize(pod: Plain) -> PodSummary:
    """Count and judge the containers of a pod."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    sidecars = {each.get("name") for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"}
    init = _Initialization(spec, status, sidecars)
    reason = init.reason or _initial_reason(pod)
    total = len(spec.get("containers") or ()) + len(sidecars)
    ready, restarts, last = init.ready, init.restarts, init.last_restart
    initialized = condition(pod, "Initialized")
    if not init.reason or (initialized is not None and initialized.get("status") == "True"):
        main = _MainContainers(status, reason)
        ready += main.ready
        restarts, last = init.sidecar_restarts + main.restarts, max(init.sidecar_last_restart, main.last_restart)
        reason = main.reason
        if reason == "Completed" and main.running:
            pod_ready = condition(pod, "Ready")
            reason = "Running" if pod_ready is not None and pod_ready.get("status") == "True" else "NotReady"
    if (pod.get("metadata") or {}).get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            reason = "Unknown"
        elif status.get("phase") not in ("Succeeded", "Failed"):
            reason = "Terminating"
    return PodSummary(ready, total, reason, restarts, last)


def cells(pod: Plain, now: datetime) -> list[Cell]:
    summary = summarize(pod)
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    restarts = str(summary.restarts)
    if summary.restarts and summary.last_restart:
        restarts = f"{summary.restarts} ({since(summary.last_restart, now)} ago)"
    return [
        name_of(pod),
        f"{summary.ready}/{summary.total}",
        summary.status,
        restarts,
        age(pod, now),
        status.get("podIP") or next((each.get("ip", "") for each in status.get("podIPs") or ()), "") or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        _readiness_gates(pod),
    ]


POD = TableShape(COLUMNS, cells)


class _Initialization:
    """Walks the init containers up to the first that has not finished; `reason` stays empty when all have."""

    def __init__(self, spec: Plain, status: Plain, sidecars: set[str]) -> None:
        self.reason, self.ready = "", 0
        self.restarts, self.last_restart = 0, ""
        self.sidecar_restarts, self.sidecar_last_restart = 0, ""
        count = len(spec.get("initContainers") or ())
        for index, container in enumerate(status.get("initContainerStatuses") or ()):
            sidecar = container.get("name") in sidecars
            self._count(container, sidecar)
            self.reason = self._judge(container, sidecar, f"Init:{index}/{count}")
            if self.reason:
                break

    def _count(self, container: Plain, sidecar: bool) -> None:
        restarts, ended = int(container.get("restartCount") or 0), _last_ended(container)
        self.restarts, self.last_restart = self.restarts + restarts, max(self.last_restart, ended)
        if sidecar:
            self.sidecar_restarts += restarts
            self.sidecar_last_restart = max(self.sidecar_last_restart, ended)

    def _judge(self, container: Plain, sidecar: bool, progress: str) -> str:
        state = container.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting") or {}
        if terminated is not None and not terminated.get("exitCode"):
            return ""
        if sidecar and container.get("started"):
            self.ready += bool(container.get("ready"))
            return ""
        if terminated is not None:
            return f"Init:{terminated.get('reason') or _exit_text(terminated)}"
        if waiting.get("reason") and waiting["reason"] != "PodInitializing":
            return f"Init:{waiting['reason']}"
        return progress


class _MainContainers:
    """Walks the containers from the last to the first: the first one listed has the last word."""

    def __init__(self, status: Plain, reason: str) -> None:
        self.reason, self.ready, self.restarts, self.last_restart, self.running = reason, 0, 0, "", False
        for container in reversed(status.get("containerStatuses") or ()):
            self.restarts += int(container.get("restartCount") or 0)
            self.last_restart = max(self.last_restart, _last_ended(container))
            state = container.get("state") or {}
            waiting, terminated = state.get("waiting") or {}, state.get("terminated")
            if waiting.get("reason"):
                self.reason = waiting["reason"]
            elif terminated is not None:
                self.reason = terminated.get("reason") or _exit_text(terminated)
            elif container.get("ready") and state.get("running") is not None:
                self.running = True
                self.ready += 1


def _initial_reason(pod: Plain) -> str:
    status = pod.get("status") or {}
    scheduled = condition(pod, "PodScheduled")
    if scheduled is not None and scheduled.get("reason") == "SchedulingGated":
        return "SchedulingGated"
    return str(status.get("reason") or status.get("phase") or "")


def _last_ended(container: Plain) -> str:
    terminated = (container.get("lastState") or {}).get("terminated") or {}
    return str(terminated.get("finishedAt") or "")


def _exit_text(terminated: Plain) -> str:
    signal = terminated.get("signal")
    return f"Signal:{signal}" if signal else f"ExitCode:{terminated.get('exitCode', 0)}"


def _readiness_gates(pod: Plain) -> str:
    gates = list(_gate_states(pod))
    return f"{sum(gates)}/{len(gates)}" if gates else "<none>"


def _gate_states(pod: Plain) -> Iterator[bool]:
    for gate in (pod.get("spec") or {}).get("readinessGates") or ():
        found = condition(pod, gate.get("conditionType", ""))
        yield found is not None and found.get("status") == "True"
