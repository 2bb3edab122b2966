"""Custom resources as they come and go: what CustomResourceDefinitions define is served, and their status says so.

`run` follows the watch cache of the definitions. With every change, from the state as it is then:

    names are settled, conditions written (`core.definitions`)
    → established kinds get rows, strategies, a watch cache (`core.custom.Family`)
    → a definition that is being deleted has its objects deleted, and is let go once there are none

Nothing is remembered elsewhere, so a server that starts, or another one on the same storage, comes to the same. A definition
whose specification changes gets a new cache: the watches of the old one end, and clients begin new ones. What tables, caches
and strategies hold is changed between two awaits, so a request sees the kind before or after.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import msgspec

from apimachinery import codec, errors
from apimachinery.clock import Clock
from apimachinery.custom_rows import is_established, served_versions, version_rank
from apimachinery.errors import ApiError
from apimachinery.kinds import CustomResourceDefinition
from apimachinery.resources import CUSTOM_RESOURCE_DEFINITIONS, Resource, ResourceTable
from apiserver.bootstrap import SERVER
from apiserver.cache import CacheError, WatchCache
from apiserver.chain import Api
from apiserver.core import definitions
from apiserver.core.custom import Converter, CustomResource, Family
from apiserver.core.request import Listing, Request, Verb
from apiserver.registry.current import Current
from apiserver.registry.store import Drop, Leave, ObjectStore, Outcome, Put
from apiserver.storage.port import StorageError
from apiserver.strategy import Strategy
from apiserver.strategy.custom import CustomStrategy
from component_base.tasks import forever

log = logging.getLogger(__name__)

PAUSE_S = 1.0
"""Before something that failed, or a look at objects whose finalizers hold them, is tried again."""

Known = dict[str, CustomResourceDefinition]


@dataclass
class _Served:
    """One kind: `state` is what its rows follow from, the beginning of it what its cache does."""

    definition: CustomResourceDefinition
    state: tuple[Any, ...]
    family: Family
    cache: WatchCache
    task: asyncio.Task[NoReturn]


class Extensions:
    """Made once by the composition root; `caches` and `strategies` are those that the registry asks, by row."""

    def __init__(
        self,
        *,
        table: ResourceTable,
        caches: MutableMapping[Resource, WatchCache],
        strategies: MutableMapping[Resource, Strategy[Any]],
        store: ObjectStore,
        new_cache: Callable[[Family], WatchCache],
        converter: Callable[[CustomResourceDefinition], Converter],
        on_change: Callable[[], None],
        clock: Clock,
    ) -> None:
        self.ready = asyncio.Event()
        self._table = table
        self._caches = caches
        self._strategies = strategies
        self._store = store
        self._new_cache = new_cache
        self._converter = converter
        self._on_change = on_change
        self._clock = clock
        self._served: dict[str, _Served] = {}
        self._decoded: dict[str, tuple[int, CustomResourceDefinition]] = {}
        self._cleaning: dict[str, asyncio.Task[None]] = {}
        self._unsettled = False

    async def run(self, api: Api) -> NoReturn:
        """Follow the definitions until cancelled. Raises only what is a bug."""
        definitions_cache = self._caches[CUSTOM_RESOURCE_DEFINITIONS]
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    watcher = await definitions_cache.watch()
                    seen = 0
                    try:
                        async for batch in watcher:
                            if batch.events and batch.revision and batch.revision <= seen:
                                continue  # it was in the cache when we looked last
                            seen = definitions_cache.revision
                            await self._follow(group, api)
                            while self._unsettled:
                                await asyncio.sleep(PAUSE_S)
                                await self._follow(group, api)
                    finally:
                        await watcher.aclose()
                except (CacheError, StorageError) as error:
                    log.info("the watch of definitions ended, beginning again", extra={"error": str(error)})
                await asyncio.sleep(PAUSE_S)

    async def _follow(self, group: asyncio.TaskGroup, api: Api) -> None:
        known = self._known()
        self._unsettled = False
        self._serve(group, known)
        for name, definition in list(known.items()):
            wanted = definitions.settle(definition, _of_group(definition, known), self._clock.now())
            if wanted is None:
                continue
            self._serve(group, {**known, name: wanted})  # the kind is there before its status says so
            if (served := self._served.get(name)) is not None:
                await served.cache.synced.wait()
            known[name] = await self._settled(definition, known) or definition
        self._serve(group, known)
        for name, definition in known.items():
            if definition.metadata.deletion_timestamp and name not in self._cleaning:
                self._cleaning[name] = task = group.create_task(self._clean(api, name), name=f"crd/clean/{name}")
                task.add_done_callback(partial(self._cleaned, name))
        if not self.ready.is_set():
            for served in list(self._served.values()):
                await served.cache.synced.wait()
            self.ready.set()

    def _cleaned(self, name: str, _: asyncio.Task[None]) -> None:
        self._cleaning.pop(name, None)

    def _known(self) -> Known:
        """All definitions as the cache has them now."""
        found: dict[str, tuple[int, CustomResourceDefinition]] = {}
        for entry in self._caches[CUSTOM_RESOURCE_DEFINITIONS].view():
            before = self._decoded.get(entry.name)
            if before is not None and before[0] >= entry.revision:
                found[entry.name] = before
                continue
            try:
                found[entry.name] = entry.revision, codec.decode(CustomResourceDefinition, entry.data)
            except ApiError as error:
                log.warning("a definition cannot be read", extra={"definition": entry.name, "error": str(error)})
        self._decoded = found
        return {name: definition for name, (_, definition) in found.items()}

    def _serve(self, group: asyncio.TaskGroup, known: Known) -> None:
        """Bring rows, strategies and caches in line with the established definitions."""
        wanted = {name: each for name, each in known.items() if is_established(each)}
        ended = [name for name in self._served if name not in wanted]
        for name in ended:
            self._end(self._served.pop(name))
        changed = False
        for name, definition in wanted.items():
            before = self._served.get(name)
            if before is not None and before.definition is definition:
                continue
            state = _state_of(definition)
            if before is not None and before.state == state:
                before.definition = definition
            elif (begun := self._begin(group, definition, state, before)) is not None:
                self._served[name] = begun
                changed = True
        if not ended and not changed:
            return
        rows = [row for served in self._served.values() for row in _served_rows(served.family)]
        rows.sort(key=lambda row: (row.group, version_rank(row.version), row.plural))
        self._table.replace_custom(rows)
        self._on_change()

    def _begin(
        self, group: asyncio.TaskGroup, definition: CustomResourceDefinition, state: tuple[Any, ...], before: _Served | None
    ) -> _Served | None:
        """None for a definition that no API server should have taken; what was served before goes on."""
        try:
            family = Family(definition, self._converter(definition))
        except Exception:  # a poison definition must not stop the others, nor the server
            log.exception("a definition cannot be served", extra={"definition": definition.metadata.name})
            return None
        if before is not None and before.state[:2] == state[:2]:
            cache, task = before.cache, before.task
        else:
            cache = self._new_cache(family)
            task = group.create_task(forever(cache.run(), family.storage.plural), name=f"cache/{family.storage.qualified}")
        if before is not None:
            self._forget(before.family)
            if task is not before.task:
                before.task.cancel()
        for row in family.rows.values():
            self._caches[row] = cache
            self._strategies[row] = CustomStrategy(row)
        return _Served(definition, state, family, cache, task)

    def _end(self, served: _Served) -> None:
        self._forget(served.family)
        served.task.cancel()

    def _forget(self, family: Family) -> None:
        for row in family.rows.values():
            self._caches.pop(row, None)
            self._strategies.pop(row, None)

    async def _settled(self, definition: CustomResourceDefinition, known: Known) -> CustomResourceDefinition | None:
        """The definition with its status written, None when it could not be written now."""
        result: CustomResourceDefinition | None = None

        async def decide(current: Current) -> Outcome:
            nonlocal result
            newest = codec.decode(CustomResourceDefinition, current.data)
            result = definitions.settle(newest, _of_group(newest, known), self._clock.now())
            return Leave() if result is None else Put(result)

        try:
            written = await self._store.change(CUSTOM_RESOURCE_DEFINITIONS, "", definition.metadata.name, decide)
        except ApiError as error:
            if not errors.is_not_found(error):
                log.info("a definition's status could not be written", extra={"definition": definition.metadata.name})
                self._unsettled = True
            return None
        newest = codec.decode(CustomResourceDefinition, written.data)
        self._decoded[definition.metadata.name] = written.revision, newest
        return newest

    async def _clean(self, api: Api, name: str) -> None:
        """Delete the objects of a definition that is being deleted, then let it go. Tried until it is gone."""
        while (definition := await self._deleting(name)) is not None:
            try:
                left = await self._delete_objects(api, name)
            except (ApiError, StorageError, CacheError) as error:
                verdict = definitions.deletion_failed(str(error))
            else:
                verdict = definitions.deletion_in_progress(left) if left else definitions.DELETION_DONE
            try:
                await self._note(definition, verdict)
            except ApiError as error:
                log.info("a definition could not be let go yet", extra={"definition": name, "error": str(error)})
            if verdict != definitions.DELETION_DONE:
                await asyncio.sleep(PAUSE_S)

    async def _deleting(self, name: str) -> CustomResourceDefinition | None:
        """The definition as the storage has it, while its objects are to be deleted."""
        while True:
            try:
                current = await self._store.current(CUSTOM_RESOURCE_DEFINITIONS, "", name)
                break
            except ApiError as error:
                if errors.is_not_found(error):
                    return None
                await asyncio.sleep(PAUSE_S)
        try:
            definition = codec.decode(CustomResourceDefinition, current.data)
        except ApiError:
            return None  # nobody can tell any more what it wants; people can still delete it
        held = definitions.CLEANUP_FINALIZER in definition.metadata.finalizers
        return definition if definition.metadata.deletion_timestamp and held else None

    async def _delete_objects(self, api: Api, name: str) -> int:
        """How many are left."""
        served = self._served.get(name)
        if served is None:
            return 0  # never established, so there has never been one
        row = served.family.storage
        request = Request(verb=Verb.LIST, resource=row, user=SERVER, agent="apiserver")
        listing = await api.handle(request)
        assert isinstance(listing, Listing)
        if not listing.items:
            return 0
        await api.handle(msgspec.structs.replace(request, verb=Verb.DELETE_COLLECTION))
        listing = await api.handle(request)
        assert isinstance(listing, Listing)
        return len(listing.items)

    async def _note(self, definition: CustomResourceDefinition, verdict: definitions.Verdict) -> None:
        async def decide(current: Current) -> Outcome:
            newest = codec.decode(CustomResourceDefinition, current.data)
            if newest.metadata.uid != definition.metadata.uid:
                return Leave()
            newest = definitions.with_condition(newest, verdict, self._clock.now())
            if verdict == definitions.DELETION_DONE:
                kept = [each for each in newest.metadata.finalizers if each != definitions.CLEANUP_FINALIZER]
                newest.metadata.finalizers = kept
                if not kept:
                    return Drop(newest)
            return Put(newest)

        await self._store.change(CUSTOM_RESOURCE_DEFINITIONS, "", definition.metadata.name, decide)


def _of_group(definition: CustomResourceDefinition, known: Known) -> list[CustomResourceDefinition]:
    group = definition.spec.group
    return [each for each in known.values() if each.spec.group == group]


def _state_of(definition: CustomResourceDefinition) -> tuple[Any, ...]:
    """What the rows of a definition follow from; the cache follows from the first two."""
    meta, names = definition.metadata, definition.status.accepted_names
    stored = tuple(definition.status.stored_versions)
    return meta.uid, codec.encode(definition.spec), bool(meta.deletion_timestamp), names and codec.encode(names), stored


def _served_rows(family: Family) -> Iterable[CustomResource]:
    return (family.rows[each.name] for each in served_versions(family.definition))
