"""The current revision of the storage, for many askers at little cost.

Model. An asker must hear of a revision that was read after it asked, since only then everything acknowledged before is in it.
Reads follow each other: whoever asks while one is under way waits for the next, and all that wait share it. A lone asker's read
begins at once. When several share one there is a pause before the next, until they and those that came meanwhile wait again,
or `ENOUGH` do: a read costs as much as answering several requests from the cache, and a crowd of readers that comes back one by
one would make nearly one each. The pause is at most a multiple of what the read took.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

CROWD = 2
ENOUGH = 48
PAUSE_FACTOR = 4.0
PAUSE_MAX_S = 0.004


class Revisions:
    """Shares the reads that `read` makes; it may raise StorageError, which all that waited for it get."""

    def __init__(self, read: Callable[[], Awaitable[int]]) -> None:
        self._read = read
        self._waiting: list[asyncio.Future[int]] = []
        self._serving: asyncio.Task[None] | None = None
        self._enough = 0
        self._gathered = asyncio.Event()

    async def current(self) -> int:
        """A revision as of now or later."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        if len(self._waiting) >= self._enough:
            self._gathered.set()
        if self._serving is None:
            self._serving = asyncio.get_running_loop().create_task(self._serve(), name="storage/revision")
        return await future

    async def close(self) -> None:
        """Wait for what is under way; no more may be asked."""
        if self._serving is not None:
            await asyncio.gather(self._serving, return_exceptions=True)

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                began = loop.time()
                askers = await self._serve_once()
                if askers >= CROWD:
                    await self._gather(
                        min(askers + len(self._waiting), ENOUGH), min(PAUSE_FACTOR * (loop.time() - began), PAUSE_MAX_S)
                    )
        finally:
            self._serving = None
            for future in self._waiting:
                future.cancel()

    async def _gather(self, enough: int, pause_s: float) -> None:
        """Wait until `enough` wait, but no longer than the pause."""
        self._enough = enough
        self._gathered.clear()
        if len(self._waiting) < enough:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._gathered.wait()

    async def _serve_once(self) -> int:
        """One read for those that wait now; how many they were."""
        askers, self._waiting = self._waiting, []
        try:
            revision = await self._read()
        except asyncio.CancelledError:
            for future in askers:
                future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the askers' matter, and none must wait for ever
            for future in askers:
                if not future.done():
                    future.set_exception(error)
        else:
            for future in askers:
                if not future.done():
                    future.set_result(revision)
        return len(askers)
