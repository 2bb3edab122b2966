"""The Pod Security Standards: what a namespace's labels ask of its pods, and whether a pod meets it. Pure.

A namespace names a level (privileged, baseline, restricted) for each of three modes: pods that break the enforced one are
refused, those that break the others are warned about or noted. Each mode may be pinned to the standards of a version; `latest`
follows the server. Labels that cannot be read are taken at their strictest where they enforce, and otherwise as if they were
not there. Who enforces a level and says nothing of warnings is warned of workloads whose pods would be refused.

Source: the Kubernetes pages "Pod Security Admission" and "Pod Security Standards"; the sentences are Kubernetes' own.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from apimachinery.errors import FieldError
from apimachinery.kinds import (
    CronJob,
    DaemonSet,
    Deployment,
    Job,
    Pod,
    PodTemplate,
    PodTemplateSpec,
    ReplicaSet,
    ReplicationController,
    StatefulSet,
)
from apimachinery.kinds.object import Object
from apiserver.core import pod_security_baseline, pod_security_restricted
from apiserver.core.pod_security_subject import Check, Finding, Subject

PREFIX = "pod-security.kubernetes.io/"
PRIVILEGED, BASELINE, RESTRICTED = LEVELS = ("privileged", "baseline", "restricted")
LATEST = "latest"
MODES = ("enforce", "audit", "warn")
_NEWEST = 10_000
_VERSION = re.compile(r"v1\.(0|[1-9][0-9]{0,3})")


_TEMPLATES: Mapping[type[Object], Callable[[Any], PodTemplateSpec | None]] = {
    PodTemplate: lambda obj: obj.template,
    CronJob: lambda obj: obj.spec.job_template.spec.template,
    **dict.fromkeys(
        (ReplicationController, Deployment, ReplicaSet, StatefulSet, DaemonSet, Job), lambda obj: obj.spec.template
    ),
}
"""Where the kinds that make pods keep the template of them."""


class Standard(msgspec.Struct, frozen=True):
    """A level as of a version."""

    level: str = PRIVILEGED
    version: str = LATEST

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"

    @property
    def minor(self) -> int:
        return _NEWEST if self.version == LATEST else int(self.version.removeprefix("v1."))


class Policy(msgspec.Struct, frozen=True):
    """What a namespace asks for in each mode."""

    enforce: Standard = Standard()
    audit: Standard = Standard()
    warn: Standard = Standard()


def read_policy(labels: Mapping[str, str]) -> tuple[Policy, list[FieldError]]:
    """The policy in a namespace's labels, and which of them cannot be read."""
    wrong: list[FieldError] = []
    found: dict[str, Standard] = {}
    for mode in MODES:
        level = labels.get(f"{PREFIX}{mode}", PRIVILEGED)
        if level not in LEVELS:
            wrong.append(_invalid(mode, level, "must be one of privileged, baseline, restricted"))
            level = RESTRICTED if mode == "enforce" else PRIVILEGED
        version = labels.get(f"{PREFIX}{mode}-version", LATEST)
        if version != LATEST and not _VERSION.fullmatch(version):
            wrong.append(_invalid(f"{mode}-version", version, 'must be "latest" or "v1.x"'))
            version = LATEST
        found[mode] = Standard(level, version)
    return Policy(found["enforce"], found["audit"], _warned(labels, found)), wrong


def is_policed(labels: Mapping[str, str]) -> bool:
    return any(key.startswith(PREFIX) for key in labels)


def evaluate(standard: Standard, subject: Subject) -> list[Finding]:
    """What of a pod breaks a standard."""
    return [found for check in _checks(standard.level, standard.minor) if (found := check(subject)) is not None]


def refusal(standard: Standard, found: Sequence[Finding]) -> str:
    return f'violates PodSecurity "{standard}": {_listed(found)}'


def warning(standard: Standard, found: Sequence[Finding]) -> str:
    return f'would violate PodSecurity "{standard}": {_listed(found)}'


def subject_of(obj: Object) -> Subject | None:
    """The pod that an object is or would make; None for objects that make none."""
    if isinstance(obj, Pod):
        return Subject(obj.spec, obj.metadata.annotations)
    find = _TEMPLATES.get(type(obj))
    template = find(obj) if find is not None else None
    return Subject(template.spec, template.metadata.annotations) if template is not None else None


def is_relevant(new: Pod, old: Pod) -> bool:
    """Whether a change of a pod can make it break what it met before: other images, or other containers."""
    return _images(new) != _images(old)


def tightens(new: Policy, old: Policy) -> bool:
    """Whether pods that were let in may break what is enforced now."""
    after, before = new.enforce, old.enforce
    if after == before or after.level == PRIVILEGED:
        return False
    return after.version != before.version or LEVELS.index(after.level) > LEVELS.index(before.level)


def tell_existing(namespace: str, standard: Standard, pods: Iterable[tuple[str, Sequence[Finding]]]) -> list[str]:
    """Sentences about the pods (name, findings) of a namespace that break its new standard, alike ones together."""
    alike: dict[str, list[str]] = {}
    for name, found in pods:
        if found:
            alike.setdefault(", ".join(each.reason for each in found), []).append(name)
    if not alike:
        return []
    told = [f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{standard}"']
    for reasons, names in sorted(alike.items(), key=lambda each: min(each[1])):
        others = len(names) - 1
        more = "" if not others else f" (and {others} other pod{'' if others == 1 else 's'})"
        told.append(f"{min(names)}{more}: {reasons}")
    return told


def _warned(labels: Mapping[str, str], found: Mapping[str, Standard]) -> Standard:
    """What to warn of: what the labels say, else what is enforced."""
    enforce, warn = found["enforce"], found["warn"]
    if f"{PREFIX}warn" in labels or labels.get(f"{PREFIX}enforce") not in LEVELS:
        return warn
    version = warn.version if f"{PREFIX}warn-version" in labels else enforce.version
    return Standard(enforce.level, version)


@lru_cache(maxsize=128)
def _checks(level: str, minor: int) -> tuple[Check, ...]:
    """The checks of a level as of v1.minor, in the order in which their findings are told."""
    if level == PRIVILEGED:
        return ()
    baseline = {name: check for name, forms in pod_security_baseline.HISTORY if (check := _as_of(forms, minor)) is not None}
    if level == BASELINE:
        return tuple(baseline.values())
    restricted = [
        (check, included)
        for _, forms, included in pod_security_restricted.HISTORY
        if (check := _as_of(forms, minor)) is not None
    ]
    replaced = {included for _, included in restricted}
    return (*(check for name, check in baseline.items() if name not in replaced), *(check for check, _ in restricted))


def _as_of(forms: Sequence[tuple[int, Check]], minor: int) -> Check | None:
    return next((check for since, check in reversed(forms) if since <= minor), None)


def _images(pod: Pod) -> tuple[list[tuple[str, str]], ...]:
    spec = pod.spec
    lists = (spec.containers, spec.init_containers, spec.ephemeral_containers)
    return tuple([(each.name, each.image) for each in containers] for containers in lists)


def _listed(found: Sequence[Finding]) -> str:
    return ", ".join(map(str, found))


def _invalid(label: str, value: str, detail: str) -> FieldError:
    return FieldError.invalid(f"metadata.labels[{PREFIX}{label}]", value, detail)
