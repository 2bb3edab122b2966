"""The shell of a controller: a queue of keys and the workers that reconcile them.

A controller subscribes to informers in its constructor, so that nothing is missed; `run` first puts every known key
into the queue (the controller may have come to lead long after the caches filled), then works until `drain`. `resync`
does the same now and then: the safety net for an event that was lost or mishandled.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine

from apiclient.workqueue import WorkQueue, work
from apimachinery.errors import is_namespace_terminating
from controller_manager.shared.context import Context

EARLY_S = 0.002
"""A queue may hand a key out a hair early; what is due within this time is due."""


class Controller(ABC):
    """One queue, `workers` workers, and what a subclass adds with `loops`."""

    name: str
    workers = 4

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = context.client
        self._informers = context.informers
        self._clock = context.clock
        self._rng = context.rng
        self._log = logging.getLogger(type(self).__module__)
        self.queue = WorkQueue(clock=context.clock, rng=context.rng)
        context.metrics.watch_queue(self.name, self.queue.__len__)

    @abstractmethod
    async def reconcile(self, key: str) -> None:
        """Bring what `key` names closer to what is wanted; raises what prevents it, to be tried again."""

    @abstractmethod
    def resync(self) -> None:
        """Put every key that may need work into the queue."""

    def loops(self) -> list[Callable[[], Coroutine[None, None, None]]]:
        """Further loops to run beside the workers, for ever."""
        return []

    def drain(self) -> None:
        """Take no new keys; `run` returns once those in hand are done."""
        self.queue.shut_down()

    async def _measured(self, key: str) -> None:
        started, metrics = self._clock.monotonic(), self._context.metrics
        try:
            await self.reconcile(key)
        except Exception as error:
            if is_namespace_terminating(error):
                return  # what is wanted there is about to go as well
            metrics.failures.labels(self.name).inc()
            raise
        finally:
            metrics.reconcile_s.labels(self.name).observe(self._clock.monotonic() - started)

    async def run(self) -> None:
        """Work until drained; cancelled, leave no task behind."""
        self.resync()
        async with asyncio.TaskGroup() as group:
            others = [group.create_task(loop(), name=f"{self.name}/{loop.__name__}") for loop in self.loops()]
            workers = [
                group.create_task(work(self.queue, self._measured, log=self._log), name=f"{self.name}/worker/{number}")
                for number in range(self.workers)
            ]
            await asyncio.wait(workers)
            for task in others:
                task.cancel()
