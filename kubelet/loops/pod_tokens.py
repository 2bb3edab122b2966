"""The tokens of one pod: asked for when a volume first shows them, and again before they end.

A token that cannot be renewed yet stays in use as long as it counts. Tokens are kept in memory alone: a kubelet that comes back
asks for new ones.
"""

import logging
import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from apiclient.client import Client
from apimachinery.clock import Clock
from apimachinery.errors import ApiError
from apimachinery.kinds import Pod
from kubelet.core import tokens as core
from kubelet.core.pods import key
from kubelet.core.tokens import HeldToken, TokenNeed
from kubelet.ports import VolumeFailureError

log = logging.getLogger(__name__)


class PodTokens:
    """Owned by the pod's volumes."""

    def __init__(self, client: Client, clock: Clock, rng: random.Random) -> None:
        self._client = client
        self._clock = clock
        self._rng = rng
        self._held: dict[TokenNeed, HeldToken] = {}

    async def get(self, pod: Pod, wanted: Iterable[TokenNeed]) -> Mapping[TokenNeed, str]:
        """The tokens, renewed where it is time; raises VolumeFailureError when one cannot be had."""
        return {need: await self._one(pod, need) for need in wanted}

    def due_s(self) -> float | None:
        """Seconds until a token has to be renewed, 0 when it is time; None when there are none."""
        renewals = [each.renew for each in self._held.values()]
        return max((min(renewals) - self._clock.now()).total_seconds(), 0.0) if renewals else None

    async def _one(self, pod: Pod, need: TokenNeed) -> str:
        held, now = self._held.get(need), self._clock.now()
        if held is None or held.renew <= now:
            try:
                held = self._held[need] = await self._ask(pod, need, now)
            except ApiError as error:
                if held is None or held.ends <= now:
                    raise VolumeFailureError(f"failed to fetch token: {error}") from error
                log.warning("could not renew token, will retry", extra={"pod": key(pod), "error": str(error)})
                self._held[need] = replace(held, renew=now + timedelta(seconds=core.RETRY_S))
        return held.value

    async def _ask(self, pod: Pod, need: TokenNeed, now: datetime) -> HeldToken:
        account = pod.spec.service_account_name
        answer = await self._client.request_token(pod.metadata.namespace, account, core.request(pod, need))
        return core.held(answer, now, self._rng.uniform(0, core.SPREAD_S))
