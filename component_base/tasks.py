"""Guards for tasks that must not end."""

from collections.abc import Awaitable
from typing import NoReturn


class EternalTaskEndedError(RuntimeError):
    """A task that must run for ever has returned."""


async def forever(awaitable: Awaitable[object], name: str) -> NoReturn:
    """Await what must never return; a TaskGroup would not notice that it did."""
    await awaitable
    raise EternalTaskEndedError(f"task {name} ended")
