"""Resizes of running pods: what is granted, what is to be applied, what is told."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from apimachinery.codec import convert
from apimachinery.kinds import Pod, ResourceRequirements
from kubelet.core import model, resizing
from kubelet.core.cgroups import UNLIMITED, GroupLimits
from kubelet.core.model import ContainerRecord
from kubelet.core.resizing import DEFERRED, INFEASIBLE, Pending, Told
from kubelet.core.status import StatusInputs, pod_status, status_patch
from tests.support.pods import START, make_pod, make_record, make_seen

ALLOCATABLE = {"cpu": "4", "memory": "4Gi"}
GIB = 1 << 30


def amounts(**limits: str) -> dict[str, Any]:
    return {"limits": limits, "requests": limits}


def resources(**limits: str) -> ResourceRequirements:
    return convert(ResourceRequirements, amounts(**limits))


def pod(cpu: str = "1", memory: str = "1Gi", **more: Any) -> Pod:
    container = {"name": "c", "image": "busybox:1", "resources": amounts(cpu=cpu, memory=memory), **more.pop("container", {})}
    return make_pod(containers=[container], **more)


def made_with(name: str = "c", state: str = "running", **limits: str) -> ContainerRecord:
    record = make_record(name, state)
    text = resizing.resources_text(resources(**limits))
    return replace(record, annotations={**record.annotations, model.RESOURCES: text})


@dataclass(frozen=True)
class Room:
    id: str
    cpu: str
    memory: str
    others: tuple[int, int]
    want: str | None = None
    says: str = ""


ROOMS = (
    Room("there is room", "2", "2Gi", (2000, 2 * GIB)),
    Room("less needs none", "500m", "512Mi", (9000, 9 * GIB)),
    Room("more than there will ever be", "5", "1Gi", (0, 0), INFEASIBLE, "cpu, requested: 5000, capacity: 4000"),
    Room("memory that is taken", "1", "3Gi", (0, 2 * GIB), DEFERRED, f"memory, requested: {3 * GIB}, used: {2 * GIB}"),
    Room("what stays the same is not held against it", "2", "1Gi", (1000, 9 * GIB)),
)


@pytest.mark.parametrize("case", ROOMS, ids=lambda case: case.id)
def test_assess(case: Room) -> None:
    present = resizing.requests(pod())
    others = {"cpu": case.others[0], "memory": case.others[1]}
    found = resizing.assess(pod(case.cpu, case.memory), present, others, ALLOCATABLE)
    assert (found.reason if found is not None else None) == case.want
    assert found is None or case.says in found.message


def test_nothing_to_do_for_what_has_what_it_asks_for() -> None:
    assert resizing.steps(pod(), make_seen(made_with(cpu="1", memory="1Gi")), {}) == []
    assert resizing.steps(make_pod(), make_seen(make_record()), {}) == []


def test_what_does_not_run_is_left_alone() -> None:
    seen = make_seen(made_with(state="exited", cpu="1", memory="1Gi"))
    assert resizing.steps(pod("2"), seen, {}) == []


def test_in_place_and_by_restart() -> None:
    seen = make_seen(made_with(cpu="1", memory="1Gi"))
    (step,) = resizing.steps(pod("2"), seen, {})
    assert (step.restart, step.memory_falls_to) == (False, None)
    policy = [
        {"resourceName": "cpu", "restartPolicy": "NotRequired"},
        {"resourceName": "memory", "restartPolicy": "RestartContainer"},
    ]
    (step,) = resizing.steps(pod("2", container={"resizePolicy": policy}), seen, {})
    assert not step.restart
    (step,) = resizing.steps(pod("1", "2Gi", container={"resizePolicy": policy}), seen, {})
    assert step.restart
    (step,) = resizing.steps(pod("1", "512Mi"), seen, {})
    assert step.memory_falls_to == GIB // 2


def test_what_was_applied_counts_more_than_what_it_was_made_with() -> None:
    seen = make_seen(made_with(cpu="1", memory="1Gi"))
    assert resizing.steps(pod("2"), seen, {"c-0": resources(cpu="2", memory="1Gi")}) == []
    assert len(resizing.steps(pod(), seen, {"c-0": resources(cpu="2", memory="1Gi")})) == 1


def test_an_annotation_that_cannot_be_read_is_applied_again() -> None:
    record = make_record()
    broken = replace(record, annotations={**record.annotations, model.RESOURCES: "{"})
    assert len(resizing.steps(pod(), make_seen(broken), {})) == 1


def test_init_containers_are_not_resized_but_sidecars_are() -> None:
    inits = [
        {"name": "i", "image": "busybox:1", "resources": amounts(cpu="1")},
        {"name": "s", "image": "busybox:1", "restartPolicy": "Always", "resources": amounts(cpu="1")},
    ]
    assert [each.name for each in resizing.resizable(pod(initContainers=inits))] == ["s", "c"]


def test_what_had_been_granted_is_read_from_the_status() -> None:
    def told(requests: dict[str, str], actual: dict[str, str]) -> Pod:
        status = {"name": "c", "allocatedResources": requests, "resources": {"limits": actual, "requests": actual}}
        return pod("2", status={"containerStatuses": [status]})

    new, old = {"cpu": "2", "memory": "1Gi"}, {"cpu": "1", "memory": "1Gi"}
    assert resizing.granted_before(told(new, new)) is None
    assert resizing.granted_before(pod()) is None
    granted = resizing.granted_before(told(old, old))
    assert granted == {"c": resources(**old)}
    assert resizing.with_granted(told(old, old), granted).spec == pod("1").spec


def test_what_had_been_applied_is_read_from_the_status_unless_that_is_old() -> None:
    old = {"cpu": "1", "memory": "1Gi"}
    status = {"name": "c", "resources": {"limits": old, "requests": old}}
    seen = make_seen(made_with(cpu="2", memory="1Gi"))
    current = pod("2", status={"containerStatuses": [status], "observedGeneration": 1})
    assert resizing.applied_before(current, seen) == {"c-0": resources(**old)}
    stale = pod("2", status={"containerStatuses": [status], "observedGeneration": 0})
    applied = resizing.applied_before(stale, seen)
    assert applied == {"c-0": ResourceRequirements()}
    assert [each.restart for each in resizing.steps(stale, seen, applied)] == [False]
    policy = {"resizePolicy": [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]}
    careful = pod("2", status={"containerStatuses": [status], "observedGeneration": 0}, container=policy)
    assert resizing.applied_before(careful, seen) == {"c-0": resources(**old)}
    assert resizing.applied_before(current, make_seen()) == {}


def test_the_group_is_as_wide_as_both() -> None:
    before, after = GroupLimits(100, 1000, 5), GroupLimits(50, 2000, None)
    assert resizing.wider(before, after) == GroupLimits(100, 2000, UNLIMITED)
    assert resizing.wider(after, before) == GroupLimits(100, 2000, UNLIMITED)


def status_of(subject: Pod, record: ContainerRecord, told: Told) -> Any:
    inputs = StatusInputs(datetime.fromtimestamp(START, UTC), "172.31.255.3", pod_ips=("10.244.1.2",), resize=told)
    return pod_status(subject, make_seen(record), inputs)


def test_the_status_tells_what_is_granted_and_what_is_there() -> None:
    record = made_with(cpu="1", memory="1Gi")
    status = status_of(pod("2"), record, Told(error="no"))
    (container,) = status.container_statuses
    assert container.allocated_resources == {"cpu": "2", "memory": "1Gi"}
    assert container.resources == resources(cpu="1", memory="1Gi")
    (condition,) = [each for each in status.conditions if each.type.startswith("PodResize")]
    assert (condition.type, condition.status, condition.reason, condition.message) == (
        "PodResizeInProgress",
        "True",
        "Error",
        "no",
    )
    settled = status_of(pod("2"), record, Told(applied={record.id: resources(cpu="2", memory="1Gi")}))
    assert settled.container_statuses[0].resources == resources(cpu="2", memory="1Gi")
    assert not [each for each in settled.conditions if each.type.startswith("PodResize")]


def test_a_condition_that_no_longer_holds_is_deleted() -> None:
    record = made_with(cpu="1", memory="1Gi")
    before = status_of(pod(), record, Told(Pending(DEFERRED, "later")))
    assert [each.reason for each in before.conditions if each.type == "PodResizePending"] == [DEFERRED]
    known = pod()
    known.status = before
    after = status_of(known, record, Told())
    assert status_patch(before, after)["conditions"] == [{"$patch": "delete", "type": "PodResizePending"}]


def test_pods_without_resources_say_nothing_of_them() -> None:
    (container,) = status_of(make_pod(), make_record(), Told()).container_statuses
    assert (container.allocated_resources, container.resources) == ({}, None)
