"""Pod statuses on their way to the API server: one writer for each pod, only what changed, never two writes of a pod at once.

A status replaces one that has not been written yet, so a burst of changes costs one write. A status that nobody waits for (a
container is being created) is held back for a moment, because the one that matters usually follows at once.
"""

import asyncio
import logging
import random

import msgspec

from apiclient.client import Client, PatchType
from apimachinery.errors import ApiError, is_conflict, is_not_found
from apimachinery.kinds import Pod, PodStatus
from kubelet.core.status import OWN_CONDITIONS, status_patch

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
        self._revision = _revision(pod)
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

    def overruled(self, pod: Pod) -> PodStatus | None:
        """The status as the API has it now, if somebody changed our conditions since we last wrote; else None.

        The node lifecycle controller does that to pods of a node that it hears nothing from. What we say is to be made anew
        from it, so that the transition shows. While a write is under way its answer tells instead.
        """
        if self.gone or not self._idle.is_set() or _revision(pod) <= self._revision:
            return None
        theirs = _overruled(self._written, pod.status)
        if theirs is not None:
            self._written = self._wanted = theirs
        return theirs

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
            changed = await self._client.patch(
                Pod, self._name, self._namespace, patch=body, patch_type=PatchType.STRATEGIC, subresource="status"
            )
        except ApiError as error:
            if is_not_found(error) or is_conflict(error):
                self.gone = True
                return True
            log.warning("cannot write pod status, will retry", extra={"pod": self._name, "error": str(error)})
            return False
        self._revision = max(self._revision, _revision(changed))
        theirs = _overruled(wanted, changed.status)
        self._written = wanted if theirs is None else theirs
        return theirs is None


def _overruled(ours: PodStatus, present: PodStatus) -> PodStatus | None:
    """`ours` with those of our conditions that say something else in `present`; None if none does."""
    theirs = {each.type: each for each in present.conditions if each.type in OWN_CONDITIONS}
    conditions = [
        theirs[each.type] if each.type in theirs and theirs[each.type].status != each.status else each
        for each in ours.conditions
    ]
    return None if conditions == ours.conditions else msgspec.structs.replace(ours, conditions=conditions)


def _revision(pod: Pod) -> int:
    """Which of two versions of an object is the later one."""
    return int(pod.metadata.resource_version or 0)
