"""The graph of owners and dependents, as the caches show it. Pure.

It only says what is worth looking at: an edit returns the uids of objects that may have to be deleted or finalized now.
What happens to them is decided from live objects (`core`), never from here, so that a graph that is behind costs a look
and no object.
"""

from collections.abc import Callable
from dataclasses import dataclass

from apimachinery.kinds import Object, OwnerReference
from apimachinery.resources import Resource, by_kind

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


RowOf = Callable[[str, str], Resource | None]


@dataclass(frozen=True)
class Item:
    """What the graph knows of an object."""

    uid: str
    resource: Resource
    namespace: str
    name: str
    owners: tuple[OwnerReference, ...]
    deleting: bool
    finalizers: tuple[str, ...]

    @property
    def waits_for_dependents(self) -> bool:
        return self.deleting and FOREGROUND in self.finalizers

    @property
    def lets_go_of_dependents(self) -> bool:
        return self.deleting and ORPHAN in self.finalizers

    def blocks(self, owner_uid: str) -> bool:
        """Whether the owner, deleted in the foreground, waits for this object."""
        return any(each.uid == owner_uid and bool(each.block_owner_deletion) for each in self.owners)


def item_of(resource: Resource, obj: Object) -> Item:
    meta = obj.metadata
    return Item(
        uid=meta.uid,
        resource=resource,
        namespace=meta.namespace,
        name=meta.name,
        owners=tuple(meta.owner_references),
        deleting=meta.deletion_timestamp is not None,
        finalizers=tuple(meta.finalizers),
    )


class Graph:
    """Items by uid, and for each owner's uid the uids of its dependents (also of owners that are not known).

    `row_of` finds the row of an owner's apiVersion and kind.
    """

    def __init__(self, row_of: RowOf = by_kind) -> None:
        self._row_of = row_of
        self._items: dict[str, Item] = {}
        self._dependents: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def get(self, uid: str) -> Item | None:
        return self._items.get(uid)

    def dependents(self, uid: str) -> list[Item]:
        return [self._items[each] for each in self._dependents.get(uid, ())]

    def put(self, item: Item) -> set[str]:
        """Note an object as it is now; the uids to look at."""
        old = self._items.get(item.uid)
        self._items[item.uid] = item
        before = {each.uid: each for each in old.owners} if old is not None else {}
        after = {each.uid: each for each in item.owners}
        for uid in before.keys() - after.keys():
            self._unlink(uid, item.uid)
        for uid in after.keys() - before.keys():
            self._dependents.setdefault(uid, set()).add(item.uid)
        look = set()
        if before != after:
            # an owner that waited for this object may wait no longer
            look |= {uid for uid in before if self._waits(uid)}
            if any(self._is_doubtful(item, each) for each in item.owners):
                look.add(item.uid)
        if self.needs_finalizing(item) and (old is None or not self.needs_finalizing(old)):
            look.add(item.uid)
            look |= self._dependents.get(item.uid, set())
        return look

    def forget(self, uid: str) -> set[str]:
        """The object is gone; the uids to look at: what it owned, and owners that waited for it."""
        item = self._items.pop(uid, None)
        look = set(self._dependents.get(uid, ()))
        if item is not None:
            for owner in item.owners:
                self._unlink(owner.uid, uid)
                if self._waits(owner.uid):
                    look.add(owner.uid)
        return look

    def suspects(self) -> set[str]:
        """All uids worth a look: the safety net for an event that was lost."""
        return {item.uid for item in self._items.values() if self.is_suspect(item)}

    def is_suspect(self, item: Item) -> bool:
        """Whether there may be something to do for the object: it is to be finalized, or an owner is not plainly there."""
        return self.needs_finalizing(item) or any(self._is_doubtful(item, each) for each in item.owners)

    def places(self, item: Item, owner: OwnerReference) -> Item | None:
        """The owner where the reference says it is; None when it is not there, or another object is."""
        known = self._items.get(owner.uid)
        return known if known is not None and self.is_at(known, item, owner) else None

    def is_at(self, known: Item, dependent: Item, owner: OwnerReference) -> bool:
        """Whether `known` is what the reference names: its kind and name, in the dependent's namespace or in none."""
        namespace = dependent.namespace if known.resource.namespaced else ""
        row = self._row_of(owner.api_version, owner.kind)
        return (
            row is not None
            and _collection(row) == _collection(known.resource)
            and (known.name, known.namespace)
            == (
                owner.name,
                namespace,
            )
        )

    @staticmethod
    def needs_finalizing(item: Item) -> bool:
        return item.waits_for_dependents or item.lets_go_of_dependents

    def _is_doubtful(self, item: Item, owner: OwnerReference) -> bool:
        """Whether the owner is missing, elsewhere than the reference says, or about to go."""
        known = self.places(item, owner)
        return known is None or known.waits_for_dependents

    def _waits(self, uid: str) -> bool:
        item = self._items.get(uid)
        return item is not None and item.waits_for_dependents

    def _unlink(self, owner_uid: str, uid: str) -> None:
        dependents = self._dependents.get(owner_uid)
        if dependents is not None:
            dependents.discard(uid)
            if not dependents:
                del self._dependents[owner_uid]


def _collection(row: Resource) -> tuple[str, str]:
    """What is stored together, whatever its version."""
    return row.stored_as.group, row.stored_as.plural
