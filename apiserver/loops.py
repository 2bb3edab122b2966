"""What the API server does without being asked."""

import asyncio
import logging
from collections.abc import Mapping
from typing import NoReturn

from apimachinery.resources import Resource
from apiserver.cache import WatchCache
from apiserver.metrics import Metrics
from apiserver.registry.services import Allocator
from apiserver.storage.port import StorageError

log = logging.getLogger(__name__)


async def repair_forever(allocator: Allocator, *, period_s: float = 60.0) -> NoReturn:
    """Look after the reservations of addresses and ports, now and every period."""
    while True:
        try:
            await allocator.repair()
        except StorageError as error:
            log.warning("reservations could not be looked after, will try again", extra={"error": str(error)})
        await asyncio.sleep(period_s)


async def sample_forever(metrics: Metrics, caches: Mapping[Resource, WatchCache], *, period_s: float = 5.0) -> NoReturn:
    """Note how far the caches are."""
    while True:
        for row, cache in caches.items():
            metrics.cache_revision.labels(row.group, row.plural).set(cache.revision)
        await asyncio.sleep(period_s)
