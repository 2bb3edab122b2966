"""Kinds that are defined at run time, for controllers that care about objects of every kind.

`CustomKinds` follows the definitions and keeps one informer for each kind that is served, of its preferred version, with
nothing but metadata in its store. Whoever wants to know of their objects subscribes once (`on_kind`) and gets every informer
there is and will be. When a kind is gone, so are its objects: handlers are told of each.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from apiclient.client import Client, EventType
from apiclient.informer import Informer
from apimachinery import resources
from apimachinery.custom_rows import rows_of
from apimachinery.kinds import CustomResourceDefinition, Object
from apimachinery.kinds.custom import Custom
from apimachinery.resources import Resource
from component_base.tasks import forever

log = logging.getLogger(__name__)

KindHandler = Callable[[Resource, Informer[Any]], None]


@dataclass
class _Followed:
    rows: Sequence[Resource]
    informer: Informer[Any]
    task: asyncio.Task[NoReturn]


class CustomKinds:
    """One for each process; `run` it beside the informers."""

    def __init__(self, client: Client, definitions: Informer[CustomResourceDefinition], *, rng: random.Random) -> None:
        self._client = client
        self._definitions = definitions
        self._rng = rng
        self._followed: dict[str, _Followed] = {}
        self._handlers: list[KindHandler] = []
        self._changed = asyncio.Event()
        definitions.on_event(self._on_definition)

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        """The row of a kind, built in or not, as an owner reference names it."""
        built_in = resources.by_kind(api_version, kind)
        if built_in is not None:
            return built_in
        return next((row for row in self._rows() if (row.api_version, row.kind) == (api_version, kind)), None)

    @property
    def rows(self) -> tuple[Resource, ...]:
        """The rows that are followed: one for each custom kind."""
        return tuple(each.rows[0] for each in self._followed.values())

    def informer_of(self, row: Resource) -> Informer[Any] | None:
        """The informer of a custom kind that is followed."""
        return next((each.informer for each in self._followed.values() if each.rows[0] is row), None)

    async def listed(self) -> list[Resource]:
        """The rows of all custom kinds that there are now, by a consistent list."""
        found = await self._client.list(CustomResourceDefinition)
        return [rows[0] for each in found.items if (rows := rows_of(each))]

    def on_kind(self, handler: KindHandler) -> None:
        """Have `handler(row, informer)` called for every custom kind, those that come later too."""
        self._handlers.append(handler)
        for each in self._followed.values():
            handler(each.rows[0], each.informer)

    async def run(self) -> NoReturn:
        """Follow the definitions for ever."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._changed.wait()
                self._changed.clear()
                self._follow(group)

    def _rows(self) -> Iterator[Resource]:
        for each in self._followed.values():
            yield from each.rows

    def _on_definition(
        self, event: EventType, old: CustomResourceDefinition | None, new: CustomResourceDefinition | None
    ) -> None:
        self._changed.set()

    def _follow(self, group: asyncio.TaskGroup) -> None:
        wanted = {each.metadata.uid: rows for each in self._definitions.store.list() if (rows := rows_of(each))}
        ended = {uid: each for uid, each in self._followed.items() if not _alike(each.rows, wanted.get(uid, ()))}
        for uid, each in ended.items():
            del self._followed[uid]
            each.task.cancel()
            if uid not in wanted:
                each.informer.forget_all()
        for uid, rows in wanted.items():
            if uid in self._followed:
                continue
            informer = Informer(self._client, _metadata_only(rows[0]), rng=self._rng)
            if uid in ended:  # its first list tells what has gone meanwhile
                informer.take_over(ended[uid].informer)
            task = group.create_task(forever(informer.run(), informer.kind), name=f"informer/{rows[0].qualified}")
            self._followed[uid] = _Followed(rows, informer, task)
            log.info("following a custom kind", extra={"resource": rows[0].qualified})
            for handler in self._handlers:
                handler(rows[0], informer)


def _alike(ones: Sequence[Resource], others: Sequence[Resource]) -> bool:
    """Whether two definitions lead to the same paths and names."""
    return list(map(_place, ones)) == list(map(_place, others))


def _place(row: Resource) -> tuple[str, str, str, str, bool]:
    return row.group, row.version, row.plural, row.kind, row.namespaced


def _metadata_only(row: Resource) -> type[Object]:
    def pruned(cls: type[Custom], content: dict[str, Any]) -> Sequence[str]:
        content.clear()
        return ()

    return type(row.kind, (row.cls,), {"pruned": classmethod(pruned)})
