"""Field selectors: `metadata.name=web,status.phase!=Running`, and which fields each kind can be selected by.

Source: the Kubernetes page "Field Selectors"; the fields of each kind are those that Kubernetes indexes.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apimachinery.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    EVENTS,
    JOBS,
    NAMESPACES,
    NODES,
    PODS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    SECRETS,
    SERVICES,
    Resource,
)


class FieldSelectorError(ValueError):
    """The text is no field selector, or names a field that cannot be selected by."""


@dataclass(frozen=True)
class FieldRequirement:
    path: str
    value: str
    negated: bool = False

    def __str__(self) -> str:
        return f"{self.path}{'!=' if self.negated else '='}{self.value}"


@dataclass(frozen=True)
class FieldSelector:
    """Requirements that must all hold; none means everything matches."""

    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, fields: Mapping[str, str]) -> bool:
        for each in self.requirements:  # noqa: SIM110 - twice as fast as all(), and lists ask it of every object
            if (fields.get(each.path, "") == each.value) == each.negated:
                return False
        return True

    @property
    def empty(self) -> bool:
        return not self.requirements

    def exact(self, path: str) -> str | None:
        """The one value that `path` must have, if the selector says so."""
        return next((each.value for each in self.requirements if each.path == path and not each.negated), None)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


EVERYTHING = FieldSelector()

_TERM = re.compile(r"(?:[^\\,]|\\.)+")
_OPERATOR = re.compile(r"(?P<path>[^!=]*)(?P<operator>!=|==|=)(?P<value>.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

_COMMON = ("metadata.name", "metadata.namespace")
_SELECTABLE: dict[Resource, tuple[str, ...]] = {
    PODS: (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    ),
    NODES: ("spec.unschedulable",),
    NAMESPACES: ("status.phase",),
    SECRETS: ("type",),
    SERVICES: ("spec.clusterIP", "spec.type"),
    REPLICA_SETS: ("status.replicas",),
    CERTIFICATE_SIGNING_REQUESTS: ("spec.signerName",),
    REPLICATION_CONTROLLERS: ("status.replicas",),
    JOBS: ("status.successful",),
    EVENTS: (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
}


def selectable(resource: Resource) -> tuple[str, ...]:
    """The paths that objects of this resource can be selected by."""
    return _COMMON + (_SELECTABLE.get(resource) or resource.selectable_fields)


def read_paths(resource: Resource) -> tuple[str, ...]:
    """Where in an object `extract` looks."""
    return tuple(_ELSEWHERE.get((resource, path), path) for path in selectable(resource))


def parse(text: str, resource: Resource | None = None) -> FieldSelector:
    """The selector of `a=b,c==d,e!=f`; with a resource, its fields are checked; raises FieldSelectorError."""
    requirements = []
    for term in filter(None, _terms(text)):
        requirement = _requirement(term)
        if resource is not None and requirement.path not in selectable(resource):
            raise FieldSelectorError(f'field label not supported: "{requirement.path}"')
        requirements.append(requirement)
    return FieldSelector(tuple(requirements))


def extract(resource: Resource, plain: Mapping[str, Any]) -> dict[str, str]:
    """The selectable fields of one object, given as plain data."""
    return extractor(resource)(plain)


def extractor(resource: Resource) -> Callable[[Mapping[str, Any]], dict[str, str]]:
    """`extract` for many objects of one resource."""
    readers = [(path, path.split("."), _READERS.get((resource, path))) for path in selectable(resource)]

    def found(plain: Mapping[str, Any]) -> dict[str, str]:
        return {path: reader(plain, path) if reader else _read_at(plain, parts) for path, parts, reader in readers}

    return found


def _terms(text: str) -> list[str]:
    """Split at commas that no backslash escapes."""
    return _TERM.findall(text)


def _requirement(term: str) -> FieldRequirement:
    found = _OPERATOR.match(term)
    if found is not None:
        value = _ESCAPED.sub(r"\1", found.group("value").strip())
        return FieldRequirement(found.group("path").strip(), value, negated=found.group("operator") == "!=")
    raise FieldSelectorError(f"invalid field selector {term!r}: expected a path, = or !=, and a value")


def _read(plain: Mapping[str, Any], path: str) -> str:
    return _read_at(plain, path.split("."))


def _read_at(plain: Mapping[str, Any], parts: Sequence[str]) -> str:
    value: Any = plain
    for part in parts:
        if not isinstance(value, dict):
            return ""
        value = value.get(part)
    if value is None or isinstance(value, str):
        return value or ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read_boolean(plain: Mapping[str, Any], path: str) -> str:
    return _read(plain, path) or "false"


def _read_source(plain: Mapping[str, Any], path: str) -> str:
    return _read(plain, "source.component") or _read(plain, "reportingComponent")


def _read_ips(plain: Mapping[str, Any], path: str) -> str:
    status = plain.get("status") or {}
    return ",".join(entry.get("ip", "") for entry in status.get("podIPs") or ())


def _read_succeeded(plain: Mapping[str, Any], path: str) -> str:
    return _read(plain, _ELSEWHERE[JOBS, path]) or "0"


_ELSEWHERE: dict[tuple[Resource, str], str] = {(JOBS, "status.successful"): "status.succeeded"}
"""Selectors that have a name of their own for a field of the object."""

_READERS: dict[tuple[Resource, str], Callable[[Mapping[str, Any], str], str]] = {
    (NODES, "spec.unschedulable"): _read_boolean,
    (PODS, "spec.hostNetwork"): _read_boolean,
    (PODS, "status.podIPs"): _read_ips,
    (EVENTS, "source"): _read_source,
    (JOBS, "status.successful"): _read_succeeded,
}
