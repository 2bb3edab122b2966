"""What the API server does without being asked."""

import asyncio
import logging
from typing import NoReturn

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
