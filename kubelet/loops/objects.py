"""ConfigMaps and Secrets that pods of this node use: watched one by one, for as long as somebody holds them.

A node may see only what its pods refer to, so there is no watch over all of them. The first holder of a name starts an informer
for that one object, the last one stops it; holders are told of each change.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from apiclient.client import Client
from apiclient.informer import Informer
from apimachinery.kinds import ConfigMap, Object, Secret
from kubelet.core.volumes import Needs

ObjectT = TypeVar("ObjectT", bound=Object)
_SYNC_TIMEOUT_S = 10.0


class NotSyncedError(Exception):
    """The API server has not told yet whether the object exists."""


@dataclass
class _Watched:
    informer: Informer[Object]
    task: asyncio.Task[None]
    listeners: dict[str, Callable[[], None]] = field(default_factory=dict)


class ObjectCache:
    """Holders are named by a pod's uid."""

    def __init__(self, client: Client, rng: random.Random) -> None:
        self._client = client
        self._rng = rng
        self._watched: dict[tuple[type[Object], str, str], _Watched] = {}

    def hold(self, holder: str, namespace: str, needs: Needs, changed: Callable[[], None]) -> None:
        """Have `changed` called whenever one of the objects changes, until `release`."""
        for cls, names in ((ConfigMap, needs.config_maps), (Secret, needs.secrets)):
            for name in names:
                self._watch(cls, namespace, name).listeners[holder] = changed

    def release(self, holder: str) -> None:
        """The holder needs nothing any more."""
        for key, watched in list(self._watched.items()):
            watched.listeners.pop(holder, None)
            if not watched.listeners:
                watched.task.cancel()
                del self._watched[key]

    async def config_maps(self, namespace: str, names: frozenset[str]) -> dict[str, ConfigMap]:
        """Those of the names that exist; each must be held. Raises NotSyncedError."""
        return await self._get(ConfigMap, namespace, names)

    async def secrets(self, namespace: str, names: frozenset[str]) -> dict[str, Secret]:
        """Those of the names that exist; each must be held. Raises NotSyncedError."""
        return await self._get(Secret, namespace, names)

    async def close(self) -> None:
        """Stop all watches."""
        tasks = [watched.task for watched in self._watched.values()]
        self._watched.clear()
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _get(self, cls: type[ObjectT], namespace: str, names: frozenset[str]) -> dict[str, ObjectT]:
        found: dict[str, ObjectT] = {}
        for name in names:
            informer = self._watch(cls, namespace, name).informer
            try:
                async with asyncio.timeout(_SYNC_TIMEOUT_S):
                    await informer.synced.wait()
            except TimeoutError as error:
                raise NotSyncedError(f'failed to sync {cls.__name__.lower()} cache: timed out waiting for "{name}"') from error
            obj = informer.store.get_by(name, namespace)
            if isinstance(obj, cls):
                found[name] = obj
        return found

    def _watch(self, cls: type[ObjectT], namespace: str, name: str) -> _Watched:
        key = (cls, namespace, name)
        watched = self._watched.get(key)
        if watched is None:
            informer: Informer[ObjectT] = Informer(
                self._client, cls, rng=self._rng, namespace=namespace, field_selector=f"metadata.name={name}"
            )
            task = asyncio.create_task(informer.run(), name=f"informer/{cls.__name__}/{namespace}/{name}")
            watched = _Watched(informer, task)  # type: ignore[arg-type]
            self._watched[key] = watched
            informer.on_event(lambda *_: self._changed(key))
        return watched

    def _changed(self, key: tuple[type[Object], str, str]) -> None:
        watched = self._watched.get(key)
        for listener in list(watched.listeners.values()) if watched is not None else ():
            listener()
