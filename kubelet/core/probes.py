"""Probes as state machines: one for each probe of each running container, advanced by outcomes.

Before the first success of a readiness or startup probe the period would make a container wait that is up long since, so the
probe is run more often until then (0.1 s after the container's start, then ever more slowly up to its period). The failures of
those extra looks count for nothing: only what is seen at the probe's own period moves towards failureThreshold, as in
Kubernetes. Source: the Kubernetes page "Configure Liveness, Readiness and Startup Probes".
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from apimachinery.kinds import Container, ContainerPort, Probe

_FIRST_RETRY_S = 0.1
_FIRST_EXEC_RETRY_S = 0.25
_GROWTH = 1.5


class ProbeKind(StrEnum):
    """What a probe decides."""

    STARTUP = "Startup"
    READINESS = "Readiness"
    LIVENESS = "Liveness"


@dataclass(frozen=True, slots=True)
class ProbeState:
    """`result` is None until the probe has decided; runs count outcomes of one kind in a row."""

    result: bool | None = None
    successes: int = 0
    failures: int = 0
    ever: bool = False
    """Whether the probe has succeeded at all."""
    retry_s: float = 0.0
    next_due_s: float = 0.0
    """When the probe's own period comes round, in seconds since the container's start."""


@dataclass(frozen=True, slots=True)
class ProbeStep:
    """What follows from an outcome: the new state, when to look again, and whether the failure is worth an event."""

    state: ProbeState
    wait_s: float
    counted: bool


def probes_of(container: Container) -> dict[ProbeKind, Probe]:
    """The probes that a container has."""
    found = {
        ProbeKind.STARTUP: container.startup_probe,
        ProbeKind.READINESS: container.readiness_probe,
        ProbeKind.LIVENESS: container.liveness_probe,
    }
    return {kind: probe for kind, probe in found.items() if probe is not None}


def period_s(probe: Probe) -> float:
    return float(probe.period_seconds or 10)


def timeout_s(probe: Probe) -> float:
    return float(probe.timeout_seconds or 1)


def first(kind: ProbeKind, probe: Probe, age_s: float) -> tuple[ProbeState, float]:
    """The state before any outcome, and how long to wait for the first look at a container of that age."""
    delay_s = float(probe.initial_delay_seconds or 0)
    if kind == ProbeKind.LIVENESS and not delay_s:
        delay_s = min(period_s(probe), 1.0)
    return ProbeState(retry_s=_first_retry_s(probe), next_due_s=max(delay_s, age_s)), max(delay_s - age_s, 0.0)


def advance(kind: ProbeKind, probe: Probe, state: ProbeState, success: bool, age_s: float) -> ProbeStep:
    """Take in one outcome, of a container of that age (seconds since it runs)."""
    period = period_s(probe)
    counted = success or age_s >= state.next_due_s
    if counted:
        state = _counted(kind, probe, state, success)
    if age_s >= state.next_due_s:
        missed = int((age_s - state.next_due_s) // period)
        state = replace(state, next_due_s=state.next_due_s + (missed + 1) * period)
    wait_s = max(state.next_due_s - age_s, 0.0)
    if kind != ProbeKind.LIVENESS and not state.ever:
        wait_s = min(wait_s, state.retry_s)
        state = replace(state, retry_s=min(state.retry_s * _GROWTH, period))
    return ProbeStep(state, wait_s, counted)


def _counted(kind: ProbeKind, probe: Probe, state: ProbeState, success: bool) -> ProbeState:
    successes = state.successes + 1 if success else 0
    failures = 0 if success else state.failures + 1
    result = state.result
    if success and successes >= (probe.success_threshold or 1):
        result = True
    elif (not success and failures >= (probe.failure_threshold or 3)) or (
        not success and kind == ProbeKind.READINESS and result is None
    ):
        result = False
    return replace(state, result=result, successes=successes, failures=failures, ever=state.ever or success)


def _first_retry_s(probe: Probe) -> float:
    return _FIRST_EXEC_RETRY_S if probe.exec is not None else _FIRST_RETRY_S


def resolve_port(port: int | str, ports: list[ContainerPort]) -> int:
    """The number of a port that a probe or hook names; raises ValueError."""
    if isinstance(port, int):
        return port
    named = next((each.container_port for each in ports if each.name == port), None)
    if named is not None:
        return named
    if port.isdigit():
        return int(port)
    raise ValueError(f'couldn\'t find port: "{port}"')
