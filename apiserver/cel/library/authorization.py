"""Questions to the API server's authorizer: `authorizer.group("apps").resource("deployments").check("create").allowed()`.

The authorizer itself is behind `Ask`; what is asked is built up step by step. Each check is paid for dearly, since it may look
into many roles.

Source: the Kubernetes page "Common Expression Language in Kubernetes", "Kubernetes authorizer library".
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from apiserver.cel.budget import Meter
from apiserver.cel.calls import Library
from apiserver.cel.values import Opaque

CHECK_COST = 35_000
_AUTHORIZER, _PATH, _GROUP = (
    "kubernetes.authorization.Authorizer",
    "kubernetes.authorization.PathCheck",
    "kubernetes.authorization.GroupCheck",
)
_RESOURCE, _DECISION = "kubernetes.authorization.ResourceCheck", "kubernetes.authorization.Decision"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the authorizer says; `error` is what it could not find out."""

    allowed: bool
    reason: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What somebody would do, and who: the requester, or a service account (namespace and name) in their place."""

    verb: str = ""
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    service_account: tuple[str, str] | None = None


Ask = Callable[[Subject], Verdict]


@dataclass(frozen=True, slots=True)
class AuthorizerValue(Opaque):
    ask: Ask
    subject: Subject = Subject()
    type_name = _AUTHORIZER


@dataclass(frozen=True, slots=True)
class PathValue(Opaque):
    ask: Ask
    subject: Subject
    type_name = _PATH


@dataclass(frozen=True, slots=True)
class GroupValue(Opaque):
    ask: Ask
    subject: Subject
    type_name = _GROUP


@dataclass(frozen=True, slots=True)
class ResourceValue(Opaque):
    ask: Ask
    subject: Subject
    type_name = _RESOURCE


@dataclass(frozen=True, slots=True)
class DecisionValue(Opaque):
    verdict: Verdict
    type_name = _DECISION


def resource_check(ask: Ask, subject: Subject) -> ResourceValue:
    """The value of `authorizer.requestResource`."""
    return ResourceValue(ask, subject)


def _checked(meter: Meter, value: Any, verb: str) -> DecisionValue:
    meter.spend(CHECK_COST)
    return DecisionValue(value.ask(replace(value.subject, verb=verb)))


def _with(made: type[Any], field: str) -> Callable[[Any, str], Any]:
    return lambda value, text: made(value.ask, replace(value.subject, **{field: text}))


def _as_service_account(value: AuthorizerValue, namespace: str, name: str) -> AuthorizerValue:
    return AuthorizerValue(value.ask, replace(value.subject, service_account=(namespace, name)))


def declare(library: Library) -> None:
    library.method("path", _AUTHORIZER, "string", result=_PATH)(_with(PathValue, "path"))
    library.method("group", _AUTHORIZER, "string", result=_GROUP)(_with(GroupValue, "group"))
    library.method("serviceAccount", _AUTHORIZER, "string", "string", result=_AUTHORIZER)(_as_service_account)
    library.method("resource", _GROUP, "string", result=_RESOURCE)(_with(ResourceValue, "resource"))
    for field in ("subresource", "namespace", "name"):
        library.method(field, _RESOURCE, "string", result=_RESOURCE)(_with(ResourceValue, field))
    for checked in (_RESOURCE, _PATH):
        library.method("check", checked, "string", result=_DECISION, metered=True)(_checked)
    library.method("allowed", _DECISION, result="bool")(lambda value: value.verdict.allowed)
    library.method("reason", _DECISION, result="string")(lambda value: value.verdict.reason)
    library.method("errored", _DECISION, result="bool")(lambda value: bool(value.verdict.error))
    library.method("error", _DECISION, result="string")(lambda value: value.verdict.error)
