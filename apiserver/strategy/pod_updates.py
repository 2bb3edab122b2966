"""What may change in a pod that exists: little, since its containers run already.

Source: the Kubernetes page "Pods", section "Pod update and replacement".
"""

from collections.abc import Sequence
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from apimachinery.errors import FieldError
from apimachinery.kinds import Container, ContainerStatus, Pod, PodSpec, Toleration
from apiserver.strategy.checks import INT32_MAX, Errors, in_range, unchanged

T = TypeVar("T", bound=msgspec.Struct)

IMMUTABLE_SPEC = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def validate_spec_update(new: PodSpec, old: PodSpec, path: str) -> Errors:
    """What may differ: images, the deadline, added tolerations, removed gates; more while gates hold the pod back."""
    if new == old:
        return
    for name, ours, theirs in (
        ("containers", new.containers, old.containers),
        ("initContainers", new.init_containers, old.init_containers),
    ):
        if len(ours) != len(theirs):
            yield FieldError.forbidden(f"{path}.{name}", "pod updates may not add or remove containers")
            return
    yield from _validate_deadline(new.active_deadline_seconds, old.active_deadline_seconds, f"{path}.activeDeadlineSeconds")
    yield from _validate_gates(new, old, f"{path}.schedulingGates")
    yield from _validate_tolerations(new.tolerations, old.tolerations, f"{path}.tolerations")
    changed = _changed_fields(_as_before(new, old), old)
    if changed:
        yield FieldError.forbidden(path, f"{IMMUTABLE_SPEC}; changed: {', '.join(changed)}")


def validate_binding(new: Pod, old: Pod) -> Errors:
    """Placing a pod sets its node, once."""
    if old.spec.node_name and new.spec.node_name != old.spec.node_name:
        detail = f"the pod is already assigned to node {old.spec.node_name}"
        yield FieldError.forbidden("spec.nodeName", detail)
    yield from validate_spec_update(replace(new.spec, node_name=old.spec.node_name), old.spec, "spec")


def validate_status_update(new: Pod, old: Pod) -> Errors:
    """A finished container stays finished where the pod's restart policy says so; the class of service never changes."""
    if old.status.qos_class:
        yield from unchanged("status.qosClass", new.status.qos_class, old.status.qos_class)
    if old.spec.restart_policy == "Always":
        return
    ours = (new.status.container_statuses, new.status.init_container_statuses)
    theirs = (old.status.container_statuses, old.status.init_container_statuses)
    for name, after, before in zip(("containerStatuses", "initContainerStatuses"), ours, theirs, strict=True):
        yield from _validate_transitions(old.spec, after, before, f"status.{name}")


def _validate_transitions(
    spec: PodSpec, after: Sequence[ContainerStatus], before: Sequence[ContainerStatus], path: str
) -> Errors:
    own_policy = {container.name for container in (*spec.containers, *spec.init_containers) if container.restart_policy}
    states = {status.name: status.state for status in after}
    for index, status in enumerate(before):
        ended = status.state.terminated
        if ended is None or status.name in own_policy or status.name not in states:
            continue
        if ended.exit_code and spec.restart_policy == "OnFailure":
            continue
        if states[status.name].terminated is None:
            yield FieldError.forbidden(f"{path}[{index}].state", "may not be transitioned to non-terminated state")


def _validate_deadline(new: int | None, old: int | None, path: str) -> Errors:
    if new is None:
        if old is not None:
            yield FieldError.invalid(path, new, "must not update from a positive integer to nil value")
        return
    yield from in_range(path, new, 0, INT32_MAX)
    if old is not None and old < new:
        yield FieldError.invalid(path, new, "must be less than or equal to previous value")


def _validate_gates(new: PodSpec, old: PodSpec, path: str) -> Errors:
    before = {gate.name for gate in old.scheduling_gates}
    for index, gate in enumerate(new.scheduling_gates):
        if gate.name not in before:
            detail = f"only deletion is allowed, but found new scheduling gate '{gate.name}'"
            yield FieldError.forbidden(f"{path}[{index}].name", detail)


def _validate_tolerations(new: Sequence[Toleration], old: Sequence[Toleration], path: str) -> Errors:
    kept = [_without_seconds(toleration) for toleration in new]
    for toleration in old:
        if _without_seconds(toleration) not in kept:
            yield FieldError.forbidden(path, "existing toleration can not be modified except its tolerationSeconds")
            return


def _without_seconds(toleration: Toleration) -> Toleration:
    return replace(toleration, toleration_seconds=None)


def _as_before(new: PodSpec, old: PodSpec) -> PodSpec:
    """`new` with everything that may change put back."""
    spec = replace(
        new,
        containers=_with_images_of(new.containers, old.containers),
        init_containers=_with_images_of(new.init_containers, old.init_containers),
        active_deadline_seconds=old.active_deadline_seconds,
        tolerations=old.tolerations,
        scheduling_gates=old.scheduling_gates,
    )
    if (old.termination_grace_period_seconds or 0) < 0 and new.termination_grace_period_seconds == 1:
        spec.termination_grace_period_seconds = old.termination_grace_period_seconds
    if old.scheduling_gates:
        _allow_narrowing(spec, new, old)
    return spec


def _allow_narrowing(spec: PodSpec, new: PodSpec, old: PodSpec) -> None:
    """A pod that gates hold back may ask more of its node, never less."""
    if old.node_selector.items() <= new.node_selector.items():
        spec.node_selector = old.node_selector
    before = old.affinity.node_affinity if old.affinity else None
    required = before.required_during_scheduling_ignored_during_execution if before else None
    after = new.affinity.node_affinity if new.affinity else None
    wanted = after.required_during_scheduling_ignored_during_execution if after else None
    others_kept = (
        (new.affinity.pod_affinity, new.affinity.pod_anti_affinity)
        == (old.affinity.pod_affinity, old.affinity.pod_anti_affinity)
        if new.affinity and old.affinity
        else new.affinity is not None and not (new.affinity.pod_affinity or new.affinity.pod_anti_affinity)
    )
    narrower = required is None or (
        wanted is not None
        and len(wanted.node_selector_terms) == len(required.node_selector_terms)
        and all(
            all(each in mine.match_expressions for each in theirs.match_expressions)
            and all(each in mine.match_fields for each in theirs.match_fields)
            for mine, theirs in zip(wanted.node_selector_terms, required.node_selector_terms, strict=True)
        )
    )
    if others_kept and narrower:
        spec.affinity = old.affinity


def _with_images_of(new: Sequence[Container], old: Sequence[Container]) -> list[Container]:
    return [replace(container, image=before.image) for container, before in zip(new, old, strict=True)]


def _changed_fields(new: PodSpec, old: PodSpec) -> list[str]:
    return [
        f"spec.{wire_name}"
        for attribute, wire_name in zip(new.__struct_fields__, new.__struct_encode_fields__, strict=True)
        if getattr(new, attribute) != getattr(old, attribute)
    ]
