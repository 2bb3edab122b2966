"""A request as the expressions of policies see it: the variables object, oldObject, request, namespaceObject, authorizer.

Objects are turned into plain data when a policy is about the request, once for each form in which it is looked at.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from apimachinery import codec
from apimachinery.kinds.object import Object
from apimachinery.resources import NAMESPACES, SUBRESOURCES, Resource
from apiserver.cel.library.authorization import AuthorizerValue, Subject, Verdict
from apiserver.core import forms
from apiserver.core.access import Decision, Question
from apiserver.core.admission_rules import CREATE, DELETE, UPDATE, Labels
from apiserver.core.request import Request, User
from apiserver.core.scaling import scale_of

Plain = dict[str, Any]
_OPTIONS = {CREATE: "CreateOptions", UPDATE: "UpdateOptions", DELETE: "DeleteOptions"}


class Situation:
    """One request from `old` to `new` (None where there is none); `row` is the form in which it speaks of them.

    namespace: the object's Namespace as plain data, None for an object in none.
    """

    def __init__(
        self,
        request: Request,
        operation: str,
        row: Resource,
        new: Object | None,
        old: Object | None,
        decide: Callable[[Question], Decision],
    ) -> None:
        self.request = request
        self.operation = operation
        self.row = row
        self.namespace: Plain | None = None
        self._objects = (new, old)
        self._decide = decide
        self._plain: dict[Resource, tuple[Plain | None, Plain | None]] = {}

    @property
    def name(self) -> str:
        """The object's name, "" before one has been made for it."""
        new, old = self._objects
        return self.request.name or (new or old or Object()).metadata.name

    @property
    def labels(self) -> tuple[Labels, Labels]:
        """Of the object and its state before."""
        new, old = (None if each is None else each.metadata.labels for each in self._objects)
        return new, old

    @property
    def namespace_labels(self) -> Labels:
        """Of the object's namespace, or of the namespace that is the object."""
        if self.row.stored_as == NAMESPACES:
            new, old = self.labels
            return old if new is None else new
        return None if self.namespace is None else (self.namespace.get("metadata") or {}).get("labels") or {}

    def values(self, row: Resource, params: object, *, with_params: bool) -> dict[str, object]:
        """The variables, with the objects in the form of `row`."""
        new, old = self._shown(row)
        subject = Subject(
            group=self.row.group,
            resource=self.row.plural,
            subresource=self.request.subresource,
            namespace=self.request.namespace,
            name=self.name,
        )
        values: dict[str, object] = {
            "object": new,
            "oldObject": old,
            "request": self._request(row),
            "namespaceObject": self.namespace,
            "authorizer": AuthorizerValue(self._ask, request=subject),
        }
        if with_params:
            values["params"] = params
        return values

    def _shown(self, row: Resource) -> tuple[Plain | None, Plain | None]:
        found = self._plain.get(row)
        if found is None:
            new, old = self._objects
            found = self._plain[row] = (self._as_plain(row, new), self._as_plain(row, old))
        return found

    def _as_plain(self, row: Resource, obj: Object | None) -> Plain | None:
        if obj is None:
            return None
        is_scale = self.request.subresource == "scale"
        data = codec.encode(scale_of(obj)) if is_scale else forms.shown(row, codec.encode(obj))
        plain: Plain = msgspec.json.decode(data)
        (plain.get("metadata") or {}).pop("managedFields", None)
        return plain

    def _request(self, row: Resource) -> Plain:
        request, below = self.request, self.request.subresource
        told: Plain = {
            "kind": _kind(row, below),
            "resource": {"group": row.group, "version": row.version, "resource": row.plural},
            "requestKind": _kind(self.row, below),
            "requestResource": {"group": self.row.group, "version": self.row.version, "resource": self.row.plural},
            "operation": self.operation,
            "userInfo": {"username": request.user.name, "groups": list(request.user.groups)},
            "dryRun": request.options.dry_run,
            "options": self._options(),
        }
        optional = {"subResource": below, "requestSubResource": below, "name": self.name, "namespace": request.namespace}
        return told | {name: value for name, value in optional.items() if value}

    def _options(self) -> Plain:
        options = self.request.options
        told: Plain = {"kind": _OPTIONS[self.operation], "apiVersion": "meta.k8s.io/v1"}
        if options.dry_run:
            told["dryRun"] = ["All"]
        if options.field_manager and self.operation != DELETE:
            told["fieldManager"] = options.field_manager
        return told

    def _ask(self, subject: Subject) -> Verdict:
        decision = self._decide(question(self.request.user, subject))
        return Verdict(decision.allowed, decision.reason, decision.error)


def question(user: User, subject: Subject) -> Question:
    """What an expression asks the authorizer, on behalf of the requester or of a service account."""
    if subject.service_account is not None:
        namespace, name = subject.service_account
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        user = User(f"system:serviceaccount:{namespace}:{name}", groups)
    if subject.path:
        return Question(user=user, verb=subject.verb, path=subject.path)
    return Question(
        user=user,
        verb=subject.verb,
        group=subject.group,
        version="*",
        resource=subject.resource,
        subresource=subject.subresource,
        namespace=subject.namespace,
        name=subject.name,
    )


def _kind(row: Resource, subresource: str) -> Mapping[str, str]:
    known = SUBRESOURCES.get(subresource) if subresource else None
    group, version, kind = known.gvk(row) if known is not None else (row.group, row.version, row.kind)
    return {"group": group, "version": version, "kind": kind}
