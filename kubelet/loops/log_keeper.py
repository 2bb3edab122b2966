"""Keeps container logs from growing without bound: looks at sizes now and then, puts large logs aside, drops the oldest.

Only logs of running containers grow. After a file was put aside the runtime is asked to write to a new one; if it will not, the
file goes back to its name, so that nothing is written where nobody reads.
"""

import asyncio
import logging
from typing import NoReturn

from apimachinery.clock import Clock
from kubelet.loops.pod_manager import PodManager
from kubelet.ports import LogStore, Runtime, RuntimeFailureError

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 10.0


class LogKeeper:
    """`limit_bytes` for one file, `keep` files for one container."""

    def __init__(
        self,
        manager: PodManager,
        runtime: Runtime,
        store: LogStore,
        clock: Clock,
        *,
        limit_bytes: int = 10 * 1024 * 1024,
        keep: int = 5,
    ) -> None:
        self._manager = manager
        self._runtime = runtime
        self._store = store
        self._clock = clock
        self._limit_bytes = limit_bytes
        self._keep = keep

    async def run(self) -> NoReturn:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Rotate what is too large now."""
        for worker in self._manager.workers():
            for record in worker.seen.running():
                if record.log_path and await self._store.size_bytes(record.log_path) > self._limit_bytes:
                    await self._rotate(record.id, record.log_path)

    async def _rotate(self, container_id: str, path: str) -> None:
        stamp = f"{self._clock.now():%Y%m%d-%H%M%S}"
        try:
            await self._store.put_aside(path, stamp, self._keep)
        except OSError as error:
            log.warning("could not rotate a log", extra={"path": path, "error": str(error)})
            return
        try:
            await self._runtime.reopen_log(container_id)
        except RuntimeFailureError as error:
            log.warning("runtime keeps its log open", extra={"path": path, "error": str(error)})
            await self._store.put_back(path, stamp)
