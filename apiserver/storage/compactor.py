"""Keeps the store's history bounded: forgets what is older than a period or two.

Several API servers may do this at once; the compactions of the others are merely noticed.
"""

from __future__ import annotations

import asyncio
import logging

from apiserver.storage.port import Compacted, Storage, StorageError

log = logging.getLogger(__name__)


async def compact_forever(storage: Storage, *, period_s: float = 300.0) -> None:
    """Every period, compact to the revision of one period ago; runs until cancelled."""
    settled: int | None = None
    while True:
        try:
            current = await storage.current_revision()
            if settled is not None and settled < current:
                await storage.compact(settled)
                log.info("history compacted", extra={"revision": settled})
            settled = current
        except Compacted:
            settled = None
        except StorageError as error:
            log.warning("history could not be compacted, will try again", extra={"error": str(error)})
        await asyncio.sleep(period_s)
