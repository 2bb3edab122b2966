"""A pod's status."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from apimachinery import codec
from apimachinery.kinds import PodStatus
from apimachinery.patches.strategic_apply import strategic_merge_patch
from kubelet.core.model import Observation
from kubelet.core.plan import Verdict, Waiting
from kubelet.core.status import StatusInputs, Trouble, pod_status, status_patch
from tests.support.pods import START, make_pod, make_record, make_seen

NOW = datetime.fromtimestamp(START, UTC)
INIT = {"name": "i", "image": "busybox:1"}


@dataclass(frozen=True)
class Case:
    """`state` is the container's state in words: `waiting REASON`, `running` or `terminated REASON CODE`."""

    id: str
    seen: Observation
    phase: str
    state: str
    ready: bool = False
    pod: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)
    last: str = ""


UP = {"pod_ips": ("10.244.1.2",)}
CASES = (
    Case(
        "nothing yet",
        Observation(),
        "Pending",
        "waiting ContainerCreating",
        conditions={"Ready": "False", "Initialized": "True"},
    ),
    Case(
        "a sandbox",
        make_seen(),
        "Pending",
        "waiting ContainerCreating",
        inputs=UP,
        conditions={"PodReadyToStartContainers": "True"},
    ),
    Case(
        "running",
        make_seen(make_record()),
        "Running",
        "running",
        True,
        inputs=UP,
        conditions={"Ready": "True", "ContainersReady": "True"},
    ),
    Case(
        "running but not ready",
        make_seen(make_record()),
        "Running",
        "running",
        inputs=UP | {"verdicts": {"c-0": Verdict(ready=False)}},
        conditions={"Ready": "False", "ContainersReady": "False"},
    ),
    Case(
        "running but its startup probe has not succeeded",
        make_seen(make_record()),
        "Running",
        "running",
        inputs=UP | {"verdicts": {"c-0": Verdict(started=False)}},
    ),
    Case(
        "an image that cannot be had",
        make_seen(),
        "Pending",
        "waiting ErrImagePull",
        inputs=UP | {"troubles": {"c": Trouble("ErrImagePull", "no")}},
    ),
    Case(
        "crashed and waiting",
        make_seen(make_record(state="exited", code=1, count=3)),
        "Running",
        "waiting CrashLoopBackOff",
        inputs=UP | {"waiting": {"c": Waiting(10, 40)}},
        last="terminated Error 1",
    ),
    Case(
        "crashed, about to restart", make_seen(make_record(state="exited", code=1)), "Running", "terminated Error 1", inputs=UP
    ),
    Case(
        "killed for want of memory",
        make_seen(make_record(state="exited", code=137, reason="OOMKilled")),
        "Running",
        "terminated OOMKilled 137",
        inputs=UP,
    ),
    Case(
        "succeeded",
        make_seen(make_record(state="exited")),
        "Succeeded",
        "terminated Completed 0",
        pod={"restartPolicy": "Never"},
        inputs={"ended": True},
        conditions={"Ready": "False", "Initialized": "True", "PodReadyToStartContainers": "False"},
    ),
    Case(
        "failed",
        make_seen(make_record(state="exited", code=2)),
        "Failed",
        "terminated Error 2",
        pod={"restartPolicy": "Never"},
        inputs={"ended": True},
    ),
    Case(
        "ended by its deadline",
        make_seen(make_record(state="exited", code=137)),
        "Failed",
        "terminated Error 137",
        inputs={"ended": True, "verdict": ("DeadlineExceeded", "too long")},
    ),
    Case(
        "behind its init container",
        make_seen(make_record("i")),
        "Pending",
        "waiting PodInitializing",
        pod={"initContainers": [INIT]},
        inputs=UP,
        conditions={"Initialized": "False"},
    ),
    Case(
        "never begun, because its init container failed",
        make_seen(make_record("i", state="exited", code=3)),
        "Failed",
        "waiting PodInitializing",
        pod={"initContainers": [INIT], "restartPolicy": "Never"},
        inputs={"ended": True},
        conditions={"Initialized": "False", "Ready": "False"},
    ),
    Case(
        "a final phase stays",
        make_seen(make_record()),
        "Failed",
        "running",
        True,
        pod={"status": {"phase": "Failed", "reason": "Evicted"}},
    ),
    Case(
        "the runtime lost a container that was to run",
        make_seen(),
        "Running",
        "waiting ContainerCreating",
        pod={"status": {"containerStatuses": [{"name": "c", "containerID": "x", "state": {"running": {}}, "restartCount": 2}]}},
        inputs=UP,
        last="terminated ContainerStatusUnknown 137",
    ),
)


def words(state: Any) -> str:
    if state.waiting is not None:
        return f"waiting {state.waiting.reason}"
    if state.terminated is not None:
        return f"terminated {state.terminated.reason} {state.terminated.exit_code}"
    return "running" if state.running is not None else ""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_status(case: Case) -> None:
    pod = make_pod(**case.pod)
    status = pod_status(pod, case.seen, StatusInputs(now=NOW, host_ip="172.31.255.2", **case.inputs))
    container = status.container_statuses[0]
    assert (status.phase, words(container.state), container.ready) == (case.phase, case.state, case.ready)
    assert words(container.last_state) == case.last
    conditions = {each.type: each.status for each in status.conditions}
    assert {name: conditions[name] for name in case.conditions} == case.conditions
    assert set(conditions) == {"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"}
    # made again from itself nothing changes: a status is a fixed point
    pod.status = status
    again = pod_status(
        pod, case.seen, StatusInputs(now=datetime.fromtimestamp(START + 60, UTC), host_ip="172.31.255.2", **case.inputs)
    )
    assert status_patch(status, again) == {}


def test_init_containers_behind_the_one_that_failed_wait() -> None:
    inits = [INIT, {"name": "j", "image": "busybox:1"}]
    seen = make_seen(make_record("i", state="exited", code=3))
    status = pod_status(
        make_pod(initContainers=inits, restartPolicy="Never"), seen, StatusInputs(now=NOW, host_ip="", ended=True)
    )
    assert [words(each.state) for each in status.init_container_statuses] == ["terminated Error 3", "waiting PodInitializing"]
    lost = pod_status(
        make_pod(initContainers=inits[::-1], restartPolicy="Never"), seen, StatusInputs(now=NOW, host_ip="", ended=True)
    )
    assert [words(each.state) for each in lost.init_container_statuses] == [
        "terminated ContainerStatusUnknown 137",
        "terminated Error 3",
    ]


def test_messages() -> None:
    seen = make_seen(make_record(state="exited", code=1))
    inputs = StatusInputs(now=NOW, host_ip="h", waiting={"c": Waiting(5, 80)}, pod_ips=("10.0.0.1",))
    status = pod_status(make_pod(), seen, inputs)
    waiting = status.container_statuses[0].state.waiting
    assert waiting is not None
    assert waiting.message == "back-off 1m20s restarting failed container=c pod=web_default(u1)"
    ready = next(each for each in status.conditions if each.type == "Ready")
    assert (ready.reason, ready.message) == ("ContainersNotReady", "containers with unready status: [c]")


def test_readiness_gates() -> None:
    gates = {"readinessGates": [{"conditionType": "www.example.com/a"}]}
    inputs = StatusInputs(now=NOW, host_ip="h", pod_ips=("10.0.0.1",))
    status = pod_status(make_pod(**gates), make_seen(make_record()), inputs)
    ready = next(each for each in status.conditions if each.type == "Ready")
    assert (ready.status, ready.reason) == ("False", "ReadinessGatesNotReady")
    foreign = {"status": {"conditions": [{"type": "www.example.com/a", "status": "True"}]}}
    status = pod_status(make_pod(**gates, **foreign), make_seen(make_record()), inputs)
    conditions = {each.type: each.status for each in status.conditions}
    assert (conditions["Ready"], conditions["www.example.com/a"]) == ("True", "True")


def test_transition_times_change_only_with_the_status() -> None:
    pod, later = make_pod(), datetime.fromtimestamp(START + 60, UTC)
    pod.status = pod_status(pod, make_seen(), StatusInputs(now=NOW, host_ip="h"))
    status = pod_status(pod, make_seen(make_record()), StatusInputs(now=later, host_ip="h", pod_ips=("10.0.0.1",)))
    times = {each.type: each.last_transition_time for each in status.conditions}
    assert times["Ready"] == "2026-01-01T00:01:00Z"
    assert times["PodScheduled"] == "2026-01-01T00:00:00Z"
    assert status.start_time == "2026-01-01T00:00:00Z"


PATCHES = (
    ("nothing", {}, {}),
    ("a new status", {"phase": "Pending"}, {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}]}),
    (
        "another address",
        {"podIPs": [{"ip": "10.0.0.1"}], "podIP": "10.0.0.1"},
        {"podIPs": [{"ip": "10.0.0.2"}], "podIP": "10.0.0.2"},
    ),
    ("a field that goes", {"reason": "Evicted", "phase": "Failed"}, {"phase": "Failed"}),
    (
        "one condition of two",
        {"conditions": [{"type": "Ready", "status": "False"}, {"type": "Other", "status": "True"}]},
        {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "True"}]},
    ),
)


@pytest.mark.parametrize(("name", "old", "new"), PATCHES, ids=[each[0] for each in PATCHES])
def test_patch_leads_from_old_to_new(name: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    before, after = codec.convert(PodStatus, old), codec.convert(PodStatus, new)
    patched = strategic_merge_patch(PodStatus, codec.to_plain(before), status_patch(before, after))
    assert codec.convert(PodStatus, patched) == after
