"""What the API server asks of a kind: one Strategy for each resource.

A create runs `default`, `prepare_create`, `sign`, `validate`; an update runs `default`, `prepare_update`, `sign`,
`validate_update`: in this order, and each once. `validate_update` includes all of `validate` that the update can have broken,
so callers do not call both.
The functions are pure: they change only the object given as new, and `old` is read-only. After `prepare_update` the new object
may share parts with the old one.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds.object import Object
from apimachinery.resources import Resource
from apiserver.core.request import User
from apiserver.strategy import meta

T = TypeVar("T", bound=Object)


class Strategy(Generic[T]):
    """The rules of one kind; what a kind does not say follows from the class attributes.

    has_status: main updates keep the stored status, status updates everything else; has_generation: metadata.generation counts
    changes of the specification;
    allow_unconditional_update: an update without resourceVersion overwrites.
    """

    has_status: ClassVar[bool] = False
    has_generation: ClassVar[bool] = False
    allow_unconditional_update: ClassVar[bool] = True

    def __init__(self, resource: Resource) -> None:
        self.resource = resource

    def prepare_create(self, obj: T) -> None:
        """Clear what clients may not set on a new object."""
        meta.clear_for_create(obj.metadata)
        if self.has_generation:
            obj.metadata.generation = 1
        if self.has_status:
            _set(obj, "status", type(_get(obj, "status"))())

    def prepare_update(self, new: T, old: T, subresource: str) -> None:
        """Take from the stored object what this update does not touch, and count a changed specification."""
        meta.carry_over(new.metadata, old.metadata)
        if subresource == "status":
            self.keep_all_but_status(new, old)
        elif self.has_status:
            _set(new, "status", _get(old, "status"))
        if self.has_generation and self.specification(new) != self.specification(old):
            new.metadata.generation = (old.metadata.generation or 0) + 1

    def sign(self, new: T, old: T | None, user: User, now: datetime) -> None:
        """Note in the object who writes it, and when, where its kind has a place for that; `old` is None for a new one."""

    def default(self, obj: T) -> None:
        """Fill in what was not given, and spell quantities canonically. Idempotent."""

    def validate(self, obj: T) -> list[FieldError]:
        """Everything wrong with a new object."""
        return [*self.check_meta(obj), *self.check(obj)]

    def validate_update(self, new: T, old: T, subresource: str) -> list[FieldError]:
        """Everything wrong with an object that is to take the place of `old`."""
        found = [*meta.validate_meta_update(new.metadata, old.metadata)]
        if new.metadata != old.metadata:
            found += self.check_meta(new)
        if subresource == "status":
            return [*found, *self.check_status_update(new, old)]
        return [*found, *self.check(new), *self.check_update(new, old, subresource)]

    def warnings(self, obj: T) -> list[str]:
        """Sentences for the Warning headers of an answer: what works, but should be done otherwise."""
        return []

    def deletion_grace_seconds(self, obj: T, requested: int | None) -> int:
        """How long a deleted object has until it is removed; 0 removes it at once."""
        return 0

    def name_problems(self, name: str) -> Sequence[str]:
        """What is wrong with a name of this kind."""
        return names.dns_1123_subdomain(name)

    def prepare_delete(self, obj: T) -> None:
        """Add what must hold the object back while it is being deleted; called when its deletion begins."""

    def check_meta(self, obj: T) -> Iterator[FieldError]:
        """Rules for the metadata."""
        return meta.validate_meta(obj.metadata, namespaced=self.resource.namespaced, name_rule=self.name_problems)

    def check(self, obj: T) -> Iterator[FieldError]:
        """Rules for everything but metadata and status."""
        return iter(())

    def check_update(self, new: T, old: T, subresource: str) -> Iterator[FieldError]:
        """What must not change."""
        return iter(())

    def check_status_update(self, new: T, old: T) -> Iterator[FieldError]:
        """Rules for a new status."""
        return iter(())

    def keep_all_but_status(self, new: T, old: T) -> None:
        """Undo what a status update says beyond the status; labels and annotations may come with it."""
        new.metadata.owner_references = old.metadata.owner_references
        if hasattr(old, "spec"):
            _set(new, "spec", _get(old, "spec"))

    def specification(self, obj: T) -> Any:
        """What metadata.generation counts changes of."""
        return _get(obj, "spec")


def _get(obj: Object, attribute: str) -> Any:
    return getattr(obj, attribute)


def _set(obj: Object, attribute: str, value: Any) -> None:
    setattr(obj, attribute, value)
