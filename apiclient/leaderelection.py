"""Leader election on a Lease, with an epoch that fences the deposed.

Of several candidates one holds the Lease and renews it. Each new term, also one's own after a restart, raises leaseTransitions:
that number is the epoch, it travels with each write (`fence`), and the API server refuses a write whose epoch is over. So a
leader that was stopped for longer than its lease cannot write once another leads, whatever its clock says. A lease counts as
expired when it has not *changed*, by the local monotonic clock, for its duration; the times written in it are for people.
Source: the lease lock of Kubernetes' leader election; the epoch check is ours.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from apiclient.client import Client
from apiclient.transport import Fence
from apimachinery import codec
from apimachinery.clock import Clock
from apimachinery.errors import ApiError, is_already_exists, is_conflict, is_not_found
from apimachinery.kinds import Lease, LeaseSpec, ObjectMeta
from apimachinery.times import format_micro_time

log = logging.getLogger(__name__)

RELEASE_TIMEOUT_S = 2.0


class LeadershipLostError(RuntimeError):
    """Another leads, or the lease could not be renewed in time; the process must stop acting."""


@dataclass(frozen=True)
class LeaseTimes:
    """duration > renew deadline > retry period, in seconds."""

    duration_s: float = 6.0
    renew_deadline_s: float = 4.0
    retry_period_s: float = 1.0


class LeaderElector:
    """One candidate for one Lease."""

    def __init__(
        self,
        client: Client,
        *,
        name: str,
        identity: str,
        clock: Clock,
        rng: random.Random,
        namespace: str = "kube-system",
        times: LeaseTimes | None = None,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._times = times or LeaseTimes()
        self._clock = clock
        self._rng = rng
        self._lease: Lease | None = None
        self._seen: tuple[str, float] | None = None  # the last state of the Lease, and since when it stands
        self._epoch: int | None = None

    @property
    def leading(self) -> bool:
        return self._epoch is not None

    def fence(self) -> Fence | None:
        """The claim that goes with each write; None while another leads."""
        if self._epoch is None:
            return None
        return Fence(self._namespace, self._name, self._identity, self._epoch)

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, then `lead()` while renewing it.

        Returns when `lead` does, having released the lease; raises LeadershipLostError when the lease is lost before.
        """
        await self._acquire()
        log.info("became leader", extra={"lease": self._name, "identity": self._identity, "epoch": self._epoch})
        try:
            await self._lead_while_renewing(lead)
        finally:
            await self._release()

    async def _lead_while_renewing(self, lead: Callable[[], Awaitable[None]]) -> None:
        leading = asyncio.ensure_future(lead())
        renewing = asyncio.create_task(self._renew(), name=f"lease/{self._name}")
        try:
            await asyncio.wait((leading, renewing), return_when=asyncio.FIRST_COMPLETED)
            for task in (renewing, leading):
                if task.done():
                    task.result()
        finally:
            for task in (leading, renewing):
                task.cancel()
            await asyncio.gather(leading, renewing, return_exceptions=True)

    async def _acquire(self) -> None:
        while True:
            try:
                if await self._try_acquire():
                    return
            except ApiError as error:
                log.info("could not try for the lease", extra={"lease": self._name, "error": str(error)})
            await asyncio.sleep(self._times.retry_period_s * (1 + self._rng.random() / 5))

    async def _try_acquire(self) -> bool:
        try:
            lease = await self._client.get(Lease, self._name, self._namespace)
        except ApiError as error:
            if not is_not_found(error):
                raise
            return await self._write(self._first_lease(), create=True)
        if not self._is_free(lease):
            return False
        taken = codec.deep_copy(lease)
        taken.spec.lease_transitions = (lease.spec.lease_transitions or 0) + 1
        taken.spec.acquire_time = format_micro_time(self._clock.now())
        return await self._write(taken)

    def _is_free(self, lease: Lease) -> bool:
        """Whether the lease is nobody's, our own from before, or has not changed for its duration."""
        if lease.spec.holder_identity in ("", self._identity):
            return True
        now = self._clock.monotonic()
        version = lease.metadata.resource_version
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, now)
        duration_s = lease.spec.lease_duration_seconds or self._times.duration_s
        return now - self._seen[1] >= duration_s

    def _first_lease(self) -> Lease:
        spec = LeaseSpec(lease_transitions=1, acquire_time=format_micro_time(self._clock.now()))
        return Lease(metadata=ObjectMeta(name=self._name, namespace=self._namespace), spec=spec)

    async def _write(self, lease: Lease, *, create: bool = False) -> bool:
        """Write the lease as ours; False when another was faster."""
        lease.spec.holder_identity = self._identity
        lease.spec.lease_duration_seconds = round(self._times.duration_s)
        lease.spec.renew_time = format_micro_time(self._clock.now())
        try:
            self._lease = await (self._client.create(lease) if create else self._client.update(lease))
        except ApiError as error:
            if is_conflict(error) or is_already_exists(error):
                return False
            raise
        self._epoch = self._lease.spec.lease_transitions
        return True

    async def _renew(self) -> None:
        renewed_at = self._clock.monotonic()
        while True:
            await asyncio.sleep(self._times.retry_period_s)
            started_at = self._clock.monotonic()
            try:
                async with asyncio.timeout(self._times.renew_deadline_s):
                    if await self._renew_once():
                        # the lease runs from before the write: when the answer came says nothing
                        renewed_at = started_at
                        continue
            except (ApiError, TimeoutError) as error:
                log.warning("could not renew the lease", extra={"lease": self._name, "error": str(error)})
            if self._clock.monotonic() - renewed_at > self._times.renew_deadline_s:
                self._epoch = None
                raise LeadershipLostError(f"lease {self._name} was not renewed for {self._times.renew_deadline_s:g} s")

    async def _renew_once(self) -> bool:
        assert self._lease is not None
        if await self._write(codec.deep_copy(self._lease)):
            return True
        current = await self._client.get(Lease, self._name, self._namespace)
        if current.spec.holder_identity != self._identity or current.spec.lease_transitions != self._epoch:
            self._epoch = None
            raise LeadershipLostError(f"lease {self._name} is now held by {current.spec.holder_identity or 'nobody'}")
        self._lease = current
        return await self._write(codec.deep_copy(current))

    async def _release(self) -> None:
        """Let the next leader start at once; if that fails the lease runs out by itself."""
        if self._epoch is None or self._lease is None:
            return
        lease = codec.deep_copy(self._lease)
        self._epoch = None
        lease.spec.holder_identity = ""
        lease.spec.lease_duration_seconds = 1
        try:
            async with asyncio.timeout(RELEASE_TIMEOUT_S):
                await self._client.update(lease)
        except (ApiError, TimeoutError) as error:
            log.info("could not release the lease", extra={"lease": self._name, "error": str(error)})
