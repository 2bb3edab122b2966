"""What `kctl auth` asks and how the answers read: pure.

Source: the Kubernetes page "Authorization", section "Checking API access".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kctl.errors import KctlError

RESOURCE_VERBS = frozenset(
    (
        *("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"),
        *("use", "bind", "impersonate", "approve", "sign", "escalate", "attest", "*"),
    )
)
URL_VERBS = frozenset(("get", "put", "post", "head", "options", "delete", "patch", "*"))
Plain = Mapping[str, Any]


@dataclass(frozen=True)
class Question:
    """May I do `verb` to a resource (by its plural), or to a path?"""

    verb: str
    resource: str = ""
    group: str = ""
    name: str = ""
    subresource: str = ""
    namespace: str = ""
    url: str = ""

    def body(self) -> dict[str, Any]:
        """The SelfSubjectAccessReview."""
        if self.url:
            spec: dict[str, Any] = {"nonResourceAttributes": {"path": self.url, "verb": self.verb}}
        else:
            given = {
                "group": self.group,
                "name": self.name,
                "namespace": self.namespace,
                "resource": self.resource,
                "subresource": self.subresource,
                "verb": self.verb,
            }
            spec = {"resourceAttributes": {key: value for key, value in given.items() if value}}
        return {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}


def split(words: Sequence[str], subresource: str) -> tuple[str, str, str]:
    """Verb, resource (or path) and name of VERB RESOURCE[/NAME], VERB RESOURCE NAME or VERB /PATH; raises KctlError."""
    if len(words) not in (2, 3):
        raise KctlError(
            "you must specify two arguments: verb resource or verb resource/resourceName.\n"
            "See 'kctl auth can-i -h' for help and examples."
        )
    verb, thing = words[0], words[1]
    if thing.startswith("/"):
        if subresource:
            raise KctlError("--subresource can not be used with NonResourceURL")
        if len(words) == 3:
            raise KctlError("a NonResourceURL has no name")
        return verb, thing, ""
    if len(words) == 3:
        return verb, thing, words[2]
    resource, _, name = thing.partition("/")
    return verb, resource, name


def answer(status: Plain) -> str:
    """`yes`, or `no` with the reasons."""
    parts = ["yes" if status.get("allowed") else "no"]
    if not status.get("allowed"):
        parts += [str(status[key]) for key in ("reason", "evaluationError") if status.get(key)]
    return " - ".join(parts)


def rule_rows(status: Plain) -> list[list[str]]:
    """The rows of `auth can-i --list`."""
    rows = [
        [_qualified(resource, group), "[]", _list(rule.get("resourceNames")), _list(rule.get("verbs"))]
        for rule in status.get("resourceRules") or ()
        for group in rule.get("apiGroups") or ("",)
        for resource in rule.get("resources") or ()
    ]
    urls = [
        ["", _list([url]), "[]", _list(rule.get("verbs"))]
        for rule in status.get("nonResourceRules") or ()
        for url in rule.get("nonResourceURLs") or ()
    ]
    return rows + sorted(urls)


def identity_rows(user: Plain) -> list[list[str]]:
    """The rows of `auth whoami`."""
    rows = [["Username", str(user["username"])]] if user.get("username") else []
    if user.get("uid"):
        rows.append(["UID", str(user["uid"])])
    if user.get("groups"):
        rows.append(["Groups", _list(user["groups"])])
    return rows + [[f"Extra: {key}", _list(values)] for key, values in sorted((user.get("extra") or {}).items())]


def _qualified(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


def _list(values: Sequence[str] | None) -> str:
    return f"[{' '.join(values or ())}]"
