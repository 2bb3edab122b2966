"""What to do next for a pod."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from kubelet.core.backoff import Backoff
from kubelet.core.model import Observation
from kubelet.core.plan import Plan, Verdict, backoff_key, plan, stop_order
from tests.support.pods import START, make_pod, make_record, make_sandbox, make_seen

NOW = START + 5.0
INIT = {"name": "i", "image": "busybox:1"}
SIDECAR = {"name": "s", "image": "busybox:1", "restartPolicy": "Always"}
DEBUG = {"name": "e", "image": "busybox:1", "targetContainerName": "c"}
TWO = [{"name": "c", "image": "busybox:1"}, {"name": "d", "image": "busybox:1"}]


@dataclass(frozen=True)
class Case:
    id: str
    seen: Observation
    pod: dict[str, Any] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    crashes: int = 0
    start: tuple[tuple[str, int], ...] = ()
    kill: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    sandbox: int | None = None
    over: bool = False


CASES = (
    Case("a new pod gets a sandbox", Observation(), sandbox=0),
    Case("a new sandbox gets its containers", make_seen(), {"containers": TWO}, start=(("c", 0), ("d", 0))),
    Case("what runs is left alone", make_seen(make_record())),
    Case("a container that was made but not started is made anew", make_seen(make_record(state="created")), start=(("c", 1),)),
    Case("what ended starts again", make_seen(make_record(state="exited", code=1)), start=(("c", 1),)),
    Case("what ended well starts again too", make_seen(make_record(state="exited")), start=(("c", 1),)),
    Case(
        "a crashed container waits out its back-off", make_seen(make_record(state="exited", code=1)), crashes=1, waiting=("c",)
    ),
    Case(
        "a back-off ends",
        make_seen(make_record(state="exited", code=1, finished_s=START - 6)),
        crashes=1,
        start=(("c", 1),),
    ),
    Case("Never: the end is the end", make_seen(make_record(state="exited", code=1)), {"restartPolicy": "Never"}, over=True),
    Case(
        "OnFailure: success is the end",
        make_seen(make_record(state="exited")),
        {"restartPolicy": "OnFailure"},
        over=True,
    ),
    Case(
        "OnFailure: failure is not",
        make_seen(make_record(state="exited", code=1)),
        {"restartPolicy": "OnFailure"},
        start=(("c", 1),),
    ),
    Case(
        "a container's own policy goes before the pod's",
        make_seen(make_record(state="exited", code=1)),
        {"restartPolicy": "Always", "containers": [{"name": "c", "image": "busybox:1", "restartPolicy": "Never"}]},
        over=True,
    ),
    Case(
        "a rule on exit codes goes before all",
        make_seen(make_record(state="exited", code=42)),
        {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "c",
                    "image": "busybox:1",
                    "restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}],
                }
            ],
        },
        start=(("c", 1),),
    ),
    Case(
        "one of two still runs, so the pod is not over",
        make_seen(make_record(state="exited"), make_record("d")),
        {"restartPolicy": "Never", "containers": TWO},
    ),
    Case("init comes first", make_seen(), {"initContainers": [INIT]}, start=(("i", 0),)),
    Case("and is waited for", make_seen(make_record("i")), {"initContainers": [INIT]}),
    Case("then come the others", make_seen(make_record("i", "exited")), {"initContainers": [INIT]}, start=(("c", 0),)),
    Case(
        "init that fails is tried again",
        make_seen(make_record("i", "exited", code=1)),
        {"initContainers": [INIT]},
        start=(("i", 1),),
    ),
    Case(
        "init that fails ends a pod that never restarts",
        make_seen(make_record("i", "exited", code=1)),
        {"initContainers": [INIT], "restartPolicy": "Never"},
        over=True,
    ),
    Case(
        "a sidecar that runs lets the next one start",
        make_seen(make_record("s")),
        {"initContainers": [SIDECAR, INIT]},
        start=(("i", 0),),
    ),
    Case(
        "a sidecar that has not started yet does not",
        make_seen(make_record("s")),
        {"initContainers": [SIDECAR, INIT]},
        verdicts={"s-0": Verdict(started=False)},
    ),
    Case(
        "a sidecar that dies beside the others starts again",
        make_seen(make_record("s", "exited", code=1), make_record("c")),
        {"initContainers": [SIDECAR]},
        start=(("s", 1),),
    ),
    Case(
        "init is not run again when the others run",
        make_seen(make_record("c")),
        {"initContainers": [INIT]},
    ),
    Case(
        "sidecars do not keep a pod alive",
        make_seen(make_record("s"), make_record("c", "exited")),
        {"initContainers": [SIDECAR], "restartPolicy": "Never"},
        over=True,
    ),
    Case(
        "a failed liveness probe kills",
        make_seen(make_record()),
        verdicts={"c-0": Verdict(alive=False, message="failed liveness probe, will be restarted")},
        kill=("c",),
    ),
    Case(
        "a changed image kills",
        make_seen(make_record(image="busybox:0")),
        kill=("c",),
    ),
    Case("a dead sandbox is replaced", make_seen(make_record(), ready=False), kill=("c",), sandbox=1),
    Case(
        "a dead sandbox of a pod that never restarts is its end",
        make_seen(make_record(state="exited", code=137), ready=False),
        {"restartPolicy": "Never"},
        over=True,
    ),
    Case(
        "a dead sandbox with nothing left to do is not replaced",
        make_seen(make_record(state="exited"), ready=False),
        {"restartPolicy": "OnFailure"},
        over=True,
    ),
    Case(
        "containers of an older sandbox do not count",
        Observation((make_sandbox(1), make_sandbox(0, ready=False)), (make_record(state="exited", code=137),)),
        start=(("c", 1),),
    ),
    Case(
        "an ephemeral container is started beside the others",
        make_seen(make_record()),
        {"ephemeralContainers": [DEBUG]},
        start=(("e", 0),),
    ),
    Case(
        "and does not wait for the init containers",
        make_seen(make_record("i")),
        {"initContainers": [INIT], "ephemeralContainers": [DEBUG]},
        start=(("e", 0),),
    ),
    Case(
        "it runs once",
        make_seen(make_record(), make_record("e", "exited", code=1)),
        {"ephemeralContainers": [DEBUG]},
    ),
    Case(
        "even in another sandbox",
        Observation((make_sandbox(1), make_sandbox(0, ready=False)), (make_record("e", "exited", code=137),)),
        {"ephemeralContainers": [DEBUG]},
        start=(("c", 0),),
    ),
    Case(
        "and even when the runtime forgot",
        make_seen(make_record()),
        {
            "ephemeralContainers": [DEBUG],
            "status": {"ephemeralContainerStatuses": [{"name": "e", "containerID": "containerd://x"}]},
        },
    ),
    Case(
        "one that was made but not started is made anew",
        make_seen(make_record(), make_record("e", "created")),
        {"ephemeralContainers": [DEBUG]},
        start=(("e", 1),),
    ),
    Case(
        "it keeps no pod alive",
        make_seen(make_record(state="exited"), make_record("e")),
        {"restartPolicy": "Never", "ephemeralContainers": [DEBUG]},
        over=True,
    ),
    Case(
        "the count goes on though the runtime forgot",
        make_seen(),
        {"status": {"containerStatuses": [{"name": "c", "containerID": "containerd://x", "restartCount": 4}]}},
        start=(("c", 5),),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_plan(case: Case) -> None:
    pod = make_pod(**case.pod)
    backoff = Backoff()
    for _ in range(case.crashes):
        backoff.fail(backoff_key(pod, pod.spec.containers[0]), NOW)
    decided: Plan = plan(pod, case.seen, case.verdicts, backoff, NOW)
    assert tuple((each.container.name, each.restart_count) for each in decided.start) == case.start
    assert tuple(each.record.name for each in decided.kill) == case.kill
    assert tuple(decided.waiting) == case.waiting
    assert (decided.sandbox_attempt if decided.make_sandbox else None) == case.sandbox
    assert decided.over == case.over
    assert (decided.wake_after_s is not None) == bool(case.waiting)


def test_back_off_is_counted_from_the_end_of_the_container() -> None:
    pod, backoff = make_pod(), Backoff()
    key = backoff_key(pod, pod.spec.containers[0])
    backoff.fail(key, NOW)
    backoff.fail(key, NOW)
    decided = plan(pod, make_seen(make_record(state="exited", code=1)), {}, backoff, NOW)
    assert decided.waiting["c"].delay_s == 20
    assert decided.wake_after_s == pytest.approx(15)


def test_sidecars_end_last_and_in_reverse() -> None:
    first, second = SIDECAR, {**SIDECAR, "name": "t"}
    pod = make_pod(initContainers=[first, second], containers=TWO)
    groups = stop_order(pod, make_seen(*(make_record(name) for name in ("s", "c", "t", "d"))))
    assert [[each.name for each in group] for group in groups] == [["c", "d"], ["t"], ["s"]]


def test_an_ephemeral_container_knows_its_target() -> None:
    (start,) = plan(make_pod(ephemeralContainers=[DEBUG]), make_seen(make_record()), {}, Backoff(), NOW).start
    assert (start.kind, start.target) == ("ephemeral", "c")
