"""The objects of a request as webhooks see them, and what the patch of a webhook makes of them."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from apimachinery import codec, errors, patch
from apimachinery.errors import ApiError
from apimachinery.resources import SUBRESOURCES, Resource
from apiserver.cel.library.authorization import Subject
from apiserver.core import forms
from apiserver.core.access import Decision, Question
from apiserver.core.admission_review import Attributes, ReviewRequest, Verdict, request_values
from apiserver.core.match_conditions import authorizer_value
from apiserver.core.webhooks import Hook


class ReviewedObjects:
    """The object and its state before, in the forms that webhooks ask for; each is made once."""

    def __init__(self, about: Attributes, new: Any, old: Any) -> None:
        below = SUBRESOURCES.get(about.subresource)
        self.new = new
        self.has_forms = below is None or not below.kind
        self.new_labels = _labels(new)
        self.old_labels = _labels(old)
        self._old = old
        self._made: dict[tuple[bool, str], bytes] = {}

    def new_as(self, row: Resource) -> bytes:
        """As JSON; empty when there is none."""
        return self._shown(row, self.new, is_new=True)

    def old_as(self, row: Resource) -> bytes:
        return self._shown(row, self._old, is_new=False)

    def _shown(self, row: Resource, value: Any, *, is_new: bool) -> bytes:
        if value is None:
            return b""
        key = (is_new, row.api_version)
        if key not in self._made:
            data = codec.encode(value)
            self._made[key] = forms.shown(row, data) if self.has_forms else data
        return self._made[key]


def patched(hook: Hook, row: Resource, objects: ReviewedObjects, verdict: Verdict) -> Any:
    """The object with a webhook's patch; None when that changes nothing. Raises ApiError (500)."""
    if objects.new is None:
        raise errors.internal(
            f'admission webhook "{hook.name}" attempted to modify the object, which is not supported for this operation'
        )
    before = msgspec.json.decode(objects.new_as(row))
    try:
        after = patch.json_patch(before, list(verdict.patch))
        if patch.equal(before, after):
            return None
        if not objects.has_forms:
            return codec.convert(type(objects.new), after)
        return forms.from_plain(row, after, "a webhook")
    except patch.PatchError as error:
        raise errors.internal(f'admission webhook "{hook.name}": the patch cannot be applied: {error}') from error
    except ApiError as error:
        raise errors.internal(f'admission webhook "{hook.name}": the patched object is none: {error}') from error


def condition_values(request: ReviewRequest, decide: Callable[[Question], Decision], about: Attributes) -> dict[str, object]:
    """What match conditions see."""
    new, old, plain = request_values(request)
    subject = Subject(
        group=about.row.group,
        resource=about.row.plural,
        subresource=about.subresource,
        namespace=about.namespace,
        name=about.name,
    )
    checks = authorizer_value(about.user, decide, subject)
    return {"object": new, "oldObject": old, "request": plain, "authorizer": checks}


def _labels(value: Any) -> Mapping[str, str] | None:
    """The labels of an object; None for what is none, or can have none."""
    meta = getattr(value, "metadata", None)
    found: Mapping[str, str] | None = getattr(meta, "labels", None)
    return found
