"""The node's own object and lease.

Three tasks that do not wait for each other: the lease is renewed by one that does nothing else, so that nothing slow can make
the node look dead; the runtime's health is looked at by another; the third writes the node's status when it changes, and now
and then when it does not.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from typing import NoReturn

from apiclient.client import Client, PatchType
from apimachinery import codec
from apimachinery.clock import Clock
from apimachinery.errors import ApiError, is_already_exists, is_conflict, is_not_found
from apimachinery.kinds import Lease, LeaseSpec, Node, NodeStatus, ObjectMeta, OwnerReference
from apimachinery.times import format_micro_time
from kubelet.core import node as core
from kubelet.core.model import ImageRecord, RuntimeHealth
from kubelet.core.node import Machine, NodeIdentity, Pressure
from kubelet.ports import Runtime, RuntimeFailureError

log = logging.getLogger(__name__)

_NAMESPACE = "kube-node-lease"
_HEARTBEAT_S = 60.0
_CHECK_S = 5.0
_CHECK_UNREADY_S = 0.1
_DOWN_AFTER_S = 3.0


class LeaseKeeper:
    """Renews the node's lease every `renew_s`; `run` never returns."""

    def __init__(self, client: Client, name: str, *, duration_s: int, renew_s: float, clock: Clock, rng: random.Random) -> None:
        self._client = client
        self._name = name
        self._duration_s = duration_s
        self._renew_s = renew_s
        self._clock = clock
        self._rng = rng
        self._lease: Lease | None = None
        self.owner: Callable[[], Node | None] = lambda: None
        """The node's object, once it is there."""

    async def run(self) -> NoReturn:
        while True:
            started = self._clock.monotonic()
            try:
                async with asyncio.timeout(self._duration_s):
                    await self._renew()
            except (ApiError, TimeoutError) as error:
                log.warning("could not renew the node's lease", extra={"error": str(error) or "timed out"})
            spent_s = self._clock.monotonic() - started
            await asyncio.sleep(max(self._renew_s * self._rng.uniform(0.95, 1.0) - spent_s, 0.05))

    async def _renew(self) -> None:
        try:
            if self._lease is None:
                self._lease = await self._client.get(Lease, self._name, _NAMESPACE)
            fresh = codec.deep_copy(self._lease)
            fresh.spec = self._spec()
            fresh.metadata.owner_references = fresh.metadata.owner_references or self._owners()
            self._lease = await self._client.update(fresh)
        except ApiError as error:
            self._lease = None
            if is_not_found(error):
                await self._create()
            elif is_conflict(error):
                log.info("the node's lease was changed by somebody else")
            else:
                raise

    async def _create(self) -> None:
        meta = ObjectMeta(name=self._name, namespace=_NAMESPACE, owner_references=self._owners())
        try:
            self._lease = await self._client.create(Lease(metadata=meta, spec=self._spec()))
        except ApiError as error:
            if not is_already_exists(error):
                raise

    def _spec(self) -> LeaseSpec:
        return LeaseSpec(
            holder_identity=self._name,
            lease_duration_seconds=self._duration_s,
            renew_time=format_micro_time(self._clock.now()),
        )

    def _owners(self) -> list[OwnerReference]:
        node = self.owner()
        if node is None:
            return []
        return [OwnerReference(api_version="v1", kind="Node", name=self._name, uid=node.metadata.uid)]


class HealthWatch:
    """Whether the runtime is up; `changed` is called when that changes."""

    def __init__(self, runtime: Runtime, clock: Clock) -> None:
        self._runtime = runtime
        self._clock = clock
        self._doubt = asyncio.Event()
        self._bad_since: float | None = None
        self._listeners: list[Callable[[RuntimeHealth], None]] = []
        self.health = RuntimeHealth(False, False, "not yet asked", "not yet asked")
        self.version = ""

    def on_change(self, listener: Callable[[RuntimeHealth], None]) -> None:
        self._listeners.append(listener)

    def doubt(self) -> None:
        """Something failed: look at once."""
        self._doubt.set()

    def network_problem(self) -> str:
        """Why pods cannot be wired; empty when they can."""
        if self.health.network_ready:
            return ""
        return f"container runtime network not ready: {self.health.network_message}"

    async def run(self) -> NoReturn:
        while True:
            await self._look()
            self._doubt.clear()
            try:
                async with asyncio.timeout(_CHECK_S if self._bad_since is None else _CHECK_UNREADY_S):
                    await self._doubt.wait()
                await asyncio.sleep(_CHECK_UNREADY_S)
            except TimeoutError:
                pass

    async def _look(self) -> None:
        health = await self._ask()
        now, recovered = self._clock.monotonic(), False
        if _is_good(health):
            recovered, self._bad_since = self._bad_since is not None, None
        else:
            self._bad_since = now if self._bad_since is None else self._bad_since
            # a runtime that is being restarted, and then looks for its network, is back in a moment: no node is unready
            if _is_good(self.health) and now - self._bad_since < _DOWN_AFTER_S:
                return
        if health != self.health or recovered:
            self.health = health
            log.info(
                "runtime health",
                extra={"runtime_ready": health.runtime_ready, "network_ready": health.network_ready},
            )
            for listener in self._listeners:
                listener(health)

    async def _ask(self) -> RuntimeHealth:
        try:
            if self._bad_since is not None or not self.version:
                self.version = await self._runtime.version()  # another one may have taken its place
            return await self._runtime.health()
        except RuntimeFailureError as error:
            return RuntimeHealth(False, False, str(error), str(error))


def _is_good(health: RuntimeHealth) -> bool:
    return health.runtime_ready and health.network_ready


class NodeReporter:
    """Registers the node and keeps its status true."""

    def __init__(
        self,
        client: Client,
        identity: NodeIdentity,
        machine: Machine,
        watch: HealthWatch,
        *,
        images: Callable[[], Sequence[ImageRecord]],
        pressures: Callable[[], Sequence[Pressure]],
        clock: Clock,
    ) -> None:
        self._client = client
        self._identity = identity
        self._machine = machine
        self._watch = watch
        self._images = images
        self._pressures = pressures
        self._clock = clock
        self._changed = asyncio.Event()
        self._node: Node | None = None
        self._sent_at = float("-inf")
        watch.on_change(lambda _: self._changed.set())

    @property
    def node(self) -> Node | None:
        return self._node

    def known(self, node: Node) -> None:
        """The object as the API has it now; if it does not say what we say (somebody thought us dead), we say it again."""
        self._node = node
        self._changed.set()

    def lost(self) -> None:
        """Somebody deleted the node's object: register again."""
        self._node = None
        self._sent_at = float("-inf")
        self._changed.set()

    async def run(self) -> NoReturn:
        """Register, then report for ever."""
        while True:
            self._changed.clear()
            try:
                if self._node is None:
                    self._node = await self._register()
                await self._report(self._node)
                wait_s = 10.0
            except ApiError as error:
                log.warning("could not report the node", extra={"error": str(error)})
                wait_s = 0.5
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _register(self) -> Node:
        node = core.new_node(self._identity, self._machine)
        node.status = self._status(NodeStatus())
        try:
            return await self._client.create(node)
        except ApiError as error:
            if not is_already_exists(error):
                raise
        present = await self._client.get(Node, self._identity.name)
        wanted = core.labels(self._identity, self._machine)
        missing = {name: value for name, value in wanted.items() if present.metadata.labels.get(name) != value}
        if missing:
            patch = {"metadata": {"labels": missing}}
            return await self._client.patch(Node, self._identity.name, patch=patch, patch_type=PatchType.MERGE)
        return present

    async def _report(self, node: Node) -> None:
        status = self._status(node.status)
        now = self._clock.monotonic()
        if core.same_but_for_heartbeat(status, node.status) and now - self._sent_at < _HEARTBEAT_S:
            return
        plain = codec.to_plain(status)
        patch = {"status": {name: plain[name] for name in plain if name != "volumesInUse"}}
        try:
            self._node = await self._client.patch(
                Node, self._identity.name, patch=patch, patch_type=PatchType.STRATEGIC, subresource="status"
            )
        except ApiError as error:
            if is_not_found(error):
                self.lost()
                return
            raise
        self._sent_at = now

    def _status(self, previous: NodeStatus) -> NodeStatus:
        return core.node_status(
            self._identity,
            self._machine,
            runtime_version=self._watch.version,
            health=self._watch.health,
            pressures=self._pressures(),
            images=self._images(),
            previous=previous,
            now=self._clock.now(),
        )
