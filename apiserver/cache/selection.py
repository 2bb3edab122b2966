"""What a reader selects, as a value: readers that select the same share the work of selecting."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import msgspec

from apimachinery.fields import FieldSelector
from apimachinery.labels import Selector as LabelSelector
from apiserver.cache.events import Entry, Transition, WatchEvent

Predicate = Callable[[Mapping[str, str], Mapping[str, str]], bool]
"""(labels, selectable fields) -> selected. Pure and hashable; equal predicates are evaluated once for all their watchers."""


class Selection(msgspec.Struct, frozen=True):
    """Objects of `namespace` ("" for all) that have `exact` (field, value) and satisfy `predicate`, as far as these are given.

    `exact` is redundant to the predicate and there for speed: watchers of one value of a field (the pods of one node) are found
    by it, so that an event costs nothing to the watchers of other values.
    """

    namespace: str = ""
    predicate: Predicate | None = None
    exact: tuple[str, str] | None = None

    def selects(self, entry: Entry | None) -> bool:
        """Whether an object is selected; what is broken never is."""
        if entry is None or entry.broken or (self.namespace and entry.namespace != self.namespace):
            return False
        if self.exact is not None and entry.fields.get(self.exact[0], "") != self.exact[1]:
            return False
        return self.predicate is None or self.predicate(entry.labels, entry.fields)

    def see(self, transition: Transition) -> WatchEvent | None:
        """The event this selection makes of a change, if any."""
        return transition.seen(self.selects(transition.old), self.selects(transition.new))

    @property
    def total(self) -> bool:
        """Whether nothing but the namespace restricts it."""
        return self.predicate is None and self.exact is None


class SelectorPredicate(msgspec.Struct, frozen=True):
    """A label selector and a field selector as a predicate; equal selectors are equal predicates."""

    labels: LabelSelector
    fields: FieldSelector

    def __call__(self, labels: Mapping[str, str], fields: Mapping[str, str]) -> bool:
        return self.labels.matches(labels) and self.fields.matches(fields)


def selection(namespace: str, labels: LabelSelector, fields: FieldSelector, indexed: Collection[str] = ()) -> Selection:
    """The selection of a request; `indexed` are the fields whose values watchers are found by (`spec.nodeName`)."""
    predicate = None if labels.empty and fields.empty else SelectorPredicate(labels, fields)
    exact = next(((path, value) for path in indexed if (value := fields.exact(path)) is not None), None)
    return Selection(namespace, predicate, exact)
