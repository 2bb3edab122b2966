"""Probes as state machines."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from apimachinery import codec
from apimachinery.kinds import ContainerPort, Probe
from kubelet.core.probes import ProbeKind, advance, first, resolve_port


@dataclass(frozen=True)
class Case:
    """Looks at the probe's own period, one after the other; `want` holds the result after each."""

    id: str
    kind: ProbeKind
    looks: str
    want: tuple[bool | None, ...]
    probe: dict[str, Any] = field(default_factory=dict)


CASES = (
    Case("ready at once", ProbeKind.READINESS, "+", (True,)),
    Case("not ready until the first success", ProbeKind.READINESS, "-+", (False, True)),
    Case("one failure is not enough", ProbeKind.READINESS, "+--", (True, True, True)),
    Case("three are", ProbeKind.READINESS, "+---", (True, True, True, False)),
    Case("a success between starts the count anew", ProbeKind.READINESS, "+--+--", (True,) * 6),
    Case(
        "successThreshold",
        ProbeKind.READINESS,
        "+-+++",
        (None, False, False, False, True),
        {"successThreshold": 3, "failureThreshold": 1},
    ),
    Case("liveness fails after its threshold", ProbeKind.LIVENESS, "--", (None, False), {"failureThreshold": 2}),
    Case("startup gives up after its threshold", ProbeKind.STARTUP, "---", (None, None, False)),
    Case("startup succeeds once", ProbeKind.STARTUP, "--+", (None, None, True)),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_results_at_the_period(case: Case) -> None:
    probe = codec.convert(Probe, {"periodSeconds": 10, **case.probe})
    state, _ = first(case.kind, probe, 0.0)
    results = []
    for look in case.looks:
        step = advance(case.kind, probe, state, look == "+", state.next_due_s)
        state = step.state
        results.append(state.result)
        assert step.counted
    assert tuple(results) == case.want


def test_extra_looks_before_the_first_success_count_for_nothing() -> None:
    probe = codec.convert(Probe, {"periodSeconds": 10, "failureThreshold": 2})
    state, wait_s = first(ProbeKind.STARTUP, probe, 0.0)
    age_s, looks, counted = wait_s, 0, 0
    while state.result is None:
        step = advance(ProbeKind.STARTUP, probe, state, False, age_s)
        state, age_s, looks, counted = step.state, age_s + step.wait_s, looks + 1, counted + step.counted
    assert counted == 2
    assert looks > 8
    assert state.failures == 2
    assert age_s >= 10


def test_a_container_that_is_up_after_300_ms_is_ready_then() -> None:
    probe = codec.convert(Probe, {"periodSeconds": 10})
    state, age_s = first(ProbeKind.READINESS, probe, 0.0)
    while not state.result:
        step = advance(ProbeKind.READINESS, probe, state, age_s > 0.3, age_s)
        state, now_s, age_s = step.state, age_s, age_s + step.wait_s
    assert 0.3 < now_s < 0.6
    assert age_s == pytest.approx(10, abs=0.1)


def test_initial_delay_is_kept() -> None:
    probe = codec.convert(Probe, {"initialDelaySeconds": 5})
    assert first(ProbeKind.READINESS, probe, 0.0)[1] == 5
    assert first(ProbeKind.READINESS, probe, 3.0)[1] == 2
    assert first(ProbeKind.READINESS, probe, 60.0)[1] == 0


def test_after_a_first_success_only_the_period_counts() -> None:
    probe = codec.convert(Probe, {"periodSeconds": 10})
    state, _ = first(ProbeKind.READINESS, probe, 0.0)
    step = advance(ProbeKind.READINESS, probe, state, True, 0.0)
    step = advance(ProbeKind.READINESS, probe, step.state, False, 10.0)
    assert step.wait_s == 10


PORTS = (("a number", 80, 80), ("a name", "http", 8080), ("a number as text", "81", 81))


@pytest.mark.parametrize(("name", "port", "want"), PORTS, ids=[each[0] for each in PORTS])
def test_port(name: str, port: int | str, want: int) -> None:
    assert resolve_port(port, [ContainerPort(name="http", container_port=8080)]) == want


def test_port_that_has_no_name() -> None:
    with pytest.raises(ValueError, match='couldn\'t find port: "x"'):
        resolve_port("x", [])
