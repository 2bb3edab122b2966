"""Pod statuses on their way to the API server: one writer for each pod, only what changed, never two writes of a pod at once.

A status replaces one that has not been written yet, so a burst of changes costs one write. A status that nobody waits for (a
container is being created) is held back for a moment, because the one that matters usually follows at once.
"""

import asyncio
import logging
import random

from apiclient.client import Client, PatchType
from apimachinery.errors import ApiError, is_conflict, is_not_found
from apimachinery.kinds import Pod, PodStatus
from kubelet.core.status import status_patch

log = logging.getLogger(__name__)

_HOLD_BACK_S = 0.3
_RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class StatusSlot:
    """The status of one pod (one uid). `run` writes until cancelled."""

    def __init__(self, client: Client, rng: random.Random, pod: Pod) -> None:
        self._client = client
        self._rng = rng
        self._namespace, self._name, self._uid = pod.metadata.namespace, pod.metadata.name, pod.metadata.uid
        self._written = pod.status
        self._wanted = pod.status
        self._changed = asyncio.Event()
        self._urgent = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.gone = False
        """The API server has no such pod any more."""

    def put(self, status: PodStatus, *, urgent: bool) -> None:
        """Have the status written, soon or at once."""
        if self.gone or status == self._wanted:
            return
        self._wanted = status
        self._idle.clear()
        self._changed.set()
        if urgent:
            self._urgent.set()

    async def flush(self) -> None:
        """Wait until the last status put is written, or cannot be because the pod is gone."""
        self._urgent.set()
        await self._idle.wait()

    async def run(self) -> None:
        """Write for ever."""
        attempt = 0
        while True:
            await self._changed.wait()
            if not self._urgent.is_set():
                try:
                    async with asyncio.timeout(_HOLD_BACK_S):
                        await self._urgent.wait()
                except TimeoutError:
                    pass
            self._changed.clear()
            self._urgent.clear()
            attempt = 0 if await self._write() else attempt + 1
            if attempt:
                self._changed.set()
                delay_s = _RETRY_S[min(attempt, len(_RETRY_S)) - 1]
                await asyncio.sleep(delay_s * self._rng.uniform(0.8, 1.2))
            elif not self._changed.is_set():
                self._urgent.clear()
                self._idle.set()

    async def _write(self) -> bool:
        """Try once; True when there is nothing left to do."""
        wanted = self._wanted
        patch = status_patch(self._written, wanted)
        if not patch or self.gone:
            return True
        body = {"metadata": {"uid": self._uid}, "status": patch}
        try:
            await self._client.patch(
                Pod, self._name, self._namespace, patch=body, patch_type=PatchType.STRATEGIC, subresource="status"
            )
        except ApiError as error:
            if is_not_found(error) or is_conflict(error):
                self.gone = True
                return True
            log.warning("cannot write pod status, will retry", extra={"pod": self._name, "error": str(error)})
            return False
        self._written = wanted
        return True
