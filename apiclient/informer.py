"""Informers: a local, indexed copy of a collection, kept up by a watch.

One informer owns one Store and is the only writer of it. It lists, marks itself synced, then watches from the list's
revision and resumes from the last revision it saw when a stream breaks; only a 410 makes it list anew, and then the
difference reaches the handlers as events. A change is in the store before its handlers run; handlers are synchronous and
only enqueue keys. Objects in the store are shared: read-only for everyone (`codec.deep_copy` before a change).
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, NoReturn, TypeVar

from apiclient.backoff import Backoff
from apiclient.client import Client, EventType, WatchEvent
from apimachinery import labels
from apimachinery.errors import ApiError, is_expired
from apimachinery.kinds import Object, OwnerReference

log = logging.getLogger(__name__)

ObjectT = TypeVar("ObjectT", bound=Object)
Index = Callable[[ObjectT], Iterable[str]]
Handler = Callable[[EventType, ObjectT | None, ObjectT | None], None]


def key_of(obj: Object) -> str:
    """`namespace/name`, or `name` for what has no namespace."""
    meta = obj.metadata
    return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name


def controller_of(obj: Object) -> OwnerReference | None:
    """The reference to the one owner that controls the object."""
    return next((owner for owner in obj.metadata.owner_references if owner.controller), None)


def index_by_owner(obj: Object) -> Iterable[str]:
    """An index by the controlling owner's uid."""
    owner = controller_of(obj)
    return (owner.uid,) if owner is not None else ()


class Store(Generic[ObjectT]):
    """Objects by key, namespace and index. Read-only for all but its informer."""

    def __init__(self, indexers: Mapping[str, Index[ObjectT]] | None = None) -> None:
        self._objects: dict[str, ObjectT] = {}
        self._indexers: Mapping[str, Index[ObjectT]] = {
            "namespace": lambda obj: (obj.metadata.namespace,),
            **(indexers or {}),
        }
        self._indices: dict[str, dict[str, dict[str, ObjectT]]] = {name: {} for name in self._indexers}

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, key: str) -> ObjectT | None:
        return self._objects.get(key)

    def get_by(self, name: str, namespace: str = "") -> ObjectT | None:
        return self._objects.get(f"{namespace}/{name}" if namespace else name)

    def keys(self) -> Sequence[str]:
        return list(self._objects)

    def list(self, namespace: str | None = None, selector: labels.Selector = labels.EVERYTHING) -> Sequence[ObjectT]:
        """Objects of a namespace (None: of all) whose labels match."""
        found = self._objects.values() if namespace is None else self._indices["namespace"].get(namespace, {}).values()
        return [obj for obj in found if selector.empty or selector.matches(obj.metadata.labels)]

    def by_index(self, index: str, value: str) -> Sequence[ObjectT]:
        """Objects that the named index files under `value`."""
        return list(self._indices[index].get(value, {}).values())

    def put(self, obj: ObjectT) -> ObjectT | None:
        """File an object; the one it replaces. For the informer, and for tests of readers."""
        key = key_of(obj)
        previous = self._objects.get(key)
        if previous is not None:
            self._unfile(key, previous)
        self._objects[key] = obj
        for name, indexer in self._indexers.items():
            for value in indexer(obj):
                self._indices[name].setdefault(value, {})[key] = obj
        return previous

    def remove(self, key: str) -> ObjectT | None:
        """Take an object out; the one that was there."""
        previous = self._objects.pop(key, None)
        if previous is not None:
            self._unfile(key, previous)
        return previous

    def _unfile(self, key: str, obj: ObjectT) -> None:
        for name, indexer in self._indexers.items():
            for value in indexer(obj):
                filed = self._indices[name].get(value)
                if filed is not None:
                    filed.pop(key, None)
                    if not filed:
                        del self._indices[name][value]


class Informer(Generic[ObjectT]):
    """Keeps `store` up to date while `run` runs; `synced` is set once the first list is in it."""

    def __init__(
        self,
        client: Client,
        cls: type[ObjectT],
        *,
        rng: random.Random,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        indexers: Mapping[str, Index[ObjectT]] | None = None,
    ) -> None:
        self.kind = cls.__name__
        self.store: Store[ObjectT] = Store(indexers)
        self.synced = asyncio.Event()
        self.last_revision = 0
        self._client = client
        self.cls = cls
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._handlers: list[Handler[ObjectT]] = []
        self._backoff = Backoff(rng)

    def on_event(self, handler: Handler[ObjectT]) -> None:
        """Have `handler(type, old, new)` called for each change, and with ADDED for what is already there."""
        self._handlers.append(handler)
        for obj in self.store.list():
            handler(EventType.ADDED, None, obj)

    def forget_all(self) -> None:
        """Empty the store, and tell of each object that it is gone; for a kind that is not served any more."""
        for key in self.store.keys():  # noqa: SIM118 - a store, not a dict
            self._removed(key, None)

    def take_over(self, before: "Informer[ObjectT]") -> None:
        """Begin with what another informer of the same objects knew, whose handlers have been told of it."""
        for obj in before.store.list():
            self.store.put(obj)

    async def run(self) -> NoReturn:
        """Follow the collection for ever."""
        while True:
            try:
                if not self.last_revision:
                    await self._relist()
                await self._follow()
            except ApiError as error:
                if is_expired(error):
                    log.info("watch too old, listing again", extra={"kind": self.kind, "revision": self.last_revision})
                    self.last_revision = 0
                    continue
                delay_s = self._backoff.next_s()
                log.info(
                    "watch interrupted, will resume",
                    extra={
                        "kind": self.kind,
                        "error": str(error),
                        "revision": self.last_revision,
                        "after_s": round(delay_s, 2),
                    },
                )
                await asyncio.sleep(delay_s)

    async def _relist(self) -> None:
        listed = await self._client.list(
            self.cls, self._namespace, label_selector=self._label_selector, field_selector=self._field_selector
        )
        present = {key_of(obj) for obj in listed.items}
        for key in set(self.store.keys()) - present:
            self._removed(key, None)
        for obj in listed.items:
            self._stored(obj)
        self.last_revision = listed.revision
        self.synced.set()
        self._backoff.reset()

    async def _follow(self) -> None:
        started = False
        async for batch in self._client.watch(
            self.cls,
            self._namespace,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
            resource_version=str(self.last_revision),
        ):
            if not started:
                started = True
                self._backoff.reset()
            for event in batch:
                self._apply(event)
        if not started:
            # a server that ends every stream at once must not be asked in a tight loop
            await asyncio.sleep(self._backoff.next_s())

    def _apply(self, event: WatchEvent[ObjectT]) -> None:
        if event.object is not None:
            if event.type == EventType.DELETED:
                self._removed(key_of(event.object), event.object)
            else:
                self._stored(event.object)
        self.last_revision = max(self.last_revision, event.revision)

    def _stored(self, obj: ObjectT) -> None:
        obj.metadata.managed_fields = []  # no component asks who owns what, and it is half of a pod
        previous = self.store.put(obj)
        if previous is None:
            self._tell(EventType.ADDED, None, obj)
        elif previous.metadata.uid != obj.metadata.uid:
            # deleted and created again between two looks: both have happened, so both are told
            self._tell(EventType.DELETED, previous, None)
            self._tell(EventType.ADDED, None, obj)
        elif previous.metadata.resource_version != obj.metadata.resource_version:
            self._tell(EventType.MODIFIED, previous, obj)

    def _removed(self, key: str, final: ObjectT | None) -> None:
        previous = self.store.remove(key)
        if previous is not None:
            self._tell(EventType.DELETED, final or previous, None)

    def _tell(self, kind: EventType, old: ObjectT | None, new: ObjectT | None) -> None:
        for handler in self._handlers:
            handler(kind, old, new)
