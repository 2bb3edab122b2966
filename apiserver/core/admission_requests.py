"""A request as the expressions of policies see it: the variables object, oldObject, request, namespaceObject, authorizer.

Objects are turned into plain data when a policy is about the request, once for each form in which it is looked at.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from apimachinery import codec
from apimachinery.kinds.meta import ObjectMeta
from apimachinery.resources import NAMESPACES, SUBRESOURCES, Resource
from apiserver.cel.library.authorization import Subject
from apiserver.core import forms
from apiserver.core.access import Decision, Question
from apiserver.core.admission_review import Attributes, request_values, review_request
from apiserver.core.admission_rules import Labels
from apiserver.core.match_conditions import authorizer_value
from apiserver.core.request import Request

Plain = dict[str, Any]


class Situation:
    """One request from `old` to `new` (None where there is none); `row` is the form in which it speaks of them.

    options: those of the request as JSON, empty for none; namespace: the object's Namespace as plain data, None for an
    object in none.
    """

    def __init__(
        self,
        request: Request,
        operation: str,
        options: bytes,
        new: Any,
        old: Any,
        decide: Callable[[Question], Decision],
    ) -> None:
        self.request = request
        self.operation = operation
        self.row = request.row
        self.namespace: Plain | None = None
        self._options = options
        self._objects = (new, old)
        self._decide = decide
        self._plain: dict[str, tuple[Plain | None, Plain | None]] = {}

    @property
    def has_forms(self) -> bool:
        """Whether the objects are those of the row, and not of a subresource that has a kind of its own."""
        below = SUBRESOURCES.get(self.request.subresource)
        return below is None or not below.kind

    @property
    def new(self) -> Any:
        return self._objects[0]

    def replace(self, new: Any) -> None:
        """From now on this is the object."""
        self._objects = (new, self._objects[1])
        self._plain.clear()

    @property
    def name(self) -> str:
        """The object's name, "" before one has been made for it."""
        new, old = (getattr(each, "metadata", None) for each in self._objects)
        return self.request.name or (new or old or ObjectMeta()).name

    @property
    def labels(self) -> tuple[Labels, Labels]:
        """Of the object and its state before."""
        new, old = (getattr(each, "metadata", None) for each in self._objects)
        return None if new is None else new.labels, None if old is None else old.labels

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
            "authorizer": authorizer_value(self.request.user, self._decide, subject),
        }
        if with_params:
            values["params"] = params
        return values

    def _shown(self, row: Resource) -> tuple[Plain | None, Plain | None]:
        found = self._plain.get(row.api_version)
        if found is None:
            new, old = self._objects
            found = self._plain[row.api_version] = (self._as_plain(row, new), self._as_plain(row, old))
        return found

    def _as_plain(self, row: Resource, obj: Any) -> Plain | None:
        if obj is None:
            return None
        if getattr(obj, "metadata", None) is not None and obj.metadata.managed_fields:
            obj = msgspec.structs.replace(obj, metadata=msgspec.structs.replace(obj.metadata, managed_fields=[]))
        plain: Plain
        if self.has_forms and row.conversion is not None:
            plain = msgspec.json.decode(forms.shown(row, codec.encode(obj)))
        else:
            plain = codec.to_plain(obj)
        return plain

    def _request(self, row: Resource) -> Plain:
        request = self.request
        about = Attributes(
            self.operation,
            self.row,
            request.subresource,
            request.namespace,
            self.name,
            request.user,
            request.options.dry_run,
            self._options,
        )
        _, _, told = request_values(review_request(about, row, "", b"", b""))
        del told["uid"]  # that of a call of a webhook
        return told
