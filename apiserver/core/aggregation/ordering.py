"""The order in which groups and versions are listed, and the APIServices that exist by themselves.

Groups with a higher priority come first, the highest of a group's APIServices counts, and names decide between equals; versions
of a group likewise, and then v2 before v1, v1 before v1beta1. Priorities of what is built in are Kubernetes' own.
Source: the API reference of APIServiceSpec.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from apimachinery.kinds import APIService, APIServiceSpec, ObjectMeta

GroupVersion: TypeAlias = tuple[str, str]

OWN_GROUP = "apiregistration.k8s.io"
"""The group of APIServices has none itself, and is listed before all others."""
AUTOMANAGED = "kube-aggregator.kubernetes.io/automanaged"
ON_START, ALWAYS = "onstart", "true"

_GROUPS = {
    "": 18_000,
    "apps": 17_800,
    "events.k8s.io": 17_750,
    "authentication.k8s.io": 17_700,
    "authorization.k8s.io": 17_600,
    "autoscaling": 17_500,
    "batch": 17_400,
    "certificates.k8s.io": 17_300,
    "networking.k8s.io": 17_200,
    "policy": 17_100,
    "rbac.authorization.k8s.io": 17_000,
    "storage.k8s.io": 16_800,
    "apiextensions.k8s.io": 16_700,
    "admissionregistration.k8s.io": 16_700,
    "scheduling.k8s.io": 16_600,
    "coordination.k8s.io": 16_500,
    "node.k8s.io": 16_300,
    "discovery.k8s.io": 16_200,
    "flowcontrol.apiserver.k8s.io": 16_100,
    "internal.apiserver.k8s.io": 16_000,
    "resource.k8s.io": 15_900,
    "storagemigration.k8s.io": 15_800,
}
_VERSIONS = {("", "v1"): 1, ("autoscaling", "v2"): 30, ("autoscaling", "v1"): 15}
_BUILT_IN_VERSION = 15
_CUSTOM = (1_000, 100)
_VERSION = re.compile(r"v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?")
_STABILITY = {None: 2, "beta": 1, "alpha": 0}


class Priority(msgspec.Struct, frozen=True):
    """Where an APIService stands."""

    group: int
    version: int


def default_priority(group: str, version: str) -> Priority:
    """That of what this server serves: built in, or defined by users."""
    if group not in _GROUPS:
        return Priority(*_CUSTOM)
    return Priority(_GROUPS[group], _VERSIONS.get((group, version), _BUILT_IN_VERSION))


def ordered(priorities: Mapping[GroupVersion, Priority]) -> dict[str, list[str]]:
    """Groups in their order, and the versions of each in theirs."""
    groups: dict[str, list[str]] = {}
    for group, version in priorities:
        groups.setdefault(group, []).append(version)
    highest = {group: max(priorities[group, each].group for each in versions) for group, versions in groups.items()}
    names = sorted(groups, key=lambda group: (group != OWN_GROUP, -highest[group], group))
    return {
        group: sorted(groups[group], key=lambda version: (-priorities[group, version].version, *_by_name(version)))
        for group in names
    }


def _by_name(version: str) -> tuple[int, int, int, int, str]:
    """Stable before beta before alpha, higher before lower; what is no version in this sense last, by the alphabet."""
    found = _VERSION.fullmatch(version)
    if found is None:
        return (1, 0, 0, 0, version)
    major, stability, minor = found.groups()
    return (0, -_STABILITY[stability], -int(major), -int(minor or 0), version)


def local_api_service(group: str, version: str) -> APIService:
    """The APIService of what this server serves; users' own kinds may come and go while it runs."""
    priority = default_priority(group, version)
    managed = ON_START if group in _GROUPS else ALWAYS
    return APIService(
        metadata=ObjectMeta(name=f"{version}.{group}", labels={AUTOMANAGED: managed}),
        spec=APIServiceSpec(
            group=group, version=version, group_priority_minimum=priority.group, version_priority=priority.version
        ),
    )


class Upkeep(msgspec.Struct, frozen=True):
    """What brings the APIServices in line with what is served."""

    create: tuple[APIService, ...] = ()
    update: tuple[APIService, ...] = ()
    delete: tuple[APIService, ...] = ()


def upkeep(served: Iterable[GroupVersion], known: Sequence[APIService], *, starting: bool) -> Upkeep:
    """Every group and version has an APIService; those that are kept in line always are corrected, the others at the start.

    One without the label belongs to whoever made it, and stays as it is.
    """
    wanted = {f"{version}.{group}": local_api_service(group, version) for group, version in served if group != OWN_GROUP}
    names = {each.metadata.name for each in known}
    update, delete = [], []
    for each in known:
        label = each.metadata.labels.get(AUTOMANAGED, "")
        if label not in (ON_START, ALWAYS) or (label == ON_START and not starting):
            continue
        target = wanted.get(each.metadata.name)
        if target is None:
            delete.append(each)
        elif target.spec != each.spec:
            update.append(msgspec.structs.replace(each, spec=target.spec))
    create = [each for name, each in wanted.items() if name not in names]
    return Upkeep(tuple(create), tuple(update), tuple(delete))
