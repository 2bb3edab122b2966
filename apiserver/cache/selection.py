"""What a reader selects, as a value: readers that select the same share the work of selecting."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from apiserver.cache.events import Entry, Transition, WatchEvent

Predicate = Callable[[Mapping[str, str], Mapping[str, str]], bool]
"""(labels, selectable fields) -> selected. Pure and hashable; equal predicates are evaluated once for all their watchers."""


class Selection(msgspec.Struct, frozen=True):
    """Objects of `namespace` ("" for all) that have `exact` (field, value) and satisfy `predicate`, as far as these are given.

    `exact` is redundant to the predicate and there for speed: watchers of one value of a field (the pods of one node) are found
    by it, so that an event costs nothing to the watchers of other values. `label` (key, value) is redundant too: it narrows
    lists down before the predicate is asked.
    """

    namespace: str = ""
    predicate: Predicate | None = None
    exact: tuple[str, str] | None = None
    label: tuple[str, str] | None = None

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
