"""Being told that objects have changed: a watch that never ends."""

import asyncio
import logging
from collections.abc import Callable
from typing import NoReturn

from apimachinery.errors import ApiError
from apimachinery.resources import Resource
from apiserver.bootstrap import SERVER
from apiserver.chain import Api
from apiserver.core.request import Request, Verb, Watching

log = logging.getLogger(__name__)

RETRY_S = 0.5


async def follow(api: Api, resource: Resource, changed: Callable[[], None], *, namespace: str = "", name: str = "") -> NoReturn:
    """Call `changed` for what there is, and whenever it changes; while a watch cannot be had, try again."""
    request = Request(verb=Verb.WATCH, resource=resource, user=SERVER, namespace=namespace, name=name)
    while True:
        try:
            watching = await api.handle(request)
            assert isinstance(watching, Watching)
            try:
                async for _ in watching.batches:
                    changed()
            finally:
                await watching.batches.aclose()
        except ApiError as error:
            log.info("a watch ended, will begin another", extra={"resource": resource.plural, "error": error.status.message})
        await asyncio.sleep(RETRY_S)
        changed()  # what went meanwhile is in no watch that begins anew
