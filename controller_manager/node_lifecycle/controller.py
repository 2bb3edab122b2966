"""Informers, clocks and writes around `core`.

A silent node is declared so only after its lease has been read from the API once more, within the last second, and only if
we ourselves have been able to see it all the while: when the API server did not answer, or this process did not run, every
node's grace starts anew. The same holds after a restart. So a fault of the control plane takes no node out of service.

When very many fall silent together, some are declared so at once and the others by turns: four requests for each of a
thousand nodes would take all of the API server's time just when everybody else needs it too. Turns come in rounds, so that
their requests share messages and transactions. When most of all nodes seem gone the fault is likelier ours than theirs and
nothing is evicted; then there is no hurry, and turns come slower.

Order of a failure: node status Unknown and its pods Ready=False at once, together (endpoints drop them), then the taints.
Pods of a node that reports Ready=False itself stay as its kubelet says: it is alive and probes them.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence

from apiclient.client import EventType
from apimachinery import codec
from apimachinery.errors import ApiError, is_not_found
from apimachinery.kinds import Lease, Namespace, Node, Pod
from controller_manager.node_lifecycle import core
from controller_manager.shared import nodes as nodeinfo
from controller_manager.shared.context import NODE, Context
from controller_manager.shared.loop import Controller
from controller_manager.shared.rate import TokenBucket, Turns

LEASE_NAMESPACE = "kube-node-lease"
TICK_S = 0.25
PROBE_PERIOD_S = 1.0
BLIND_AFTER_S = 1.0
CONFIRMED_FOR_S = 1.0
DECLARED_NODES_PER_S = 50.0
DECLARED_NODES_BURST = 50
DECLARED_EVERY_S = 0.5
DOUBTFUL_PACE = 0.2
EVICTED_NODES_PER_S = 1.0
EVICTED_NODES_BURST = 5
POLICY_AGE_S = 0.05
BATCH = 100


class NodeLifecycleController(Controller):
    """Watches over nodes; keys are node names."""

    name = "node-lifecycle"
    workers = 32

    def __init__(self, context: Context, *, grace_s: float, unhealthy_fraction: float) -> None:
        super().__init__(context)
        self._grace_s = grace_s
        self._fraction = unhealthy_fraction
        self._nodes = context.informers.nodes.store
        self._leases = context.informers.leases.store
        self._pods = context.informers.pods.store
        self._recorder = context.recorder("node-controller")
        self._health: dict[str, core.Health] = {}
        self._silent: set[str] = set()  # as of the last tick
        self._confirmed: dict[str, tuple[core.Health, float]] = {}  # which silence the API has confirmed, and when
        self._turns = Turns(context.clock, per_s=DECLARED_NODES_PER_S, burst=DECLARED_NODES_BURST, round_s=DECLARED_EVERY_S)
        self._tokens = TokenBucket(context.clock, per_s=EVICTED_NODES_PER_S, burst=EVICTED_NODES_BURST)
        self._policy = core.Evictions(may_add=True, may_keep=True)
        self._policy_at = -POLICY_AGE_S
        self._last_tick = context.clock.monotonic()
        self._blind = False
        context.informers.nodes.on_event(self._on_node)
        context.informers.leases.on_event(self._on_lease)
        context.informers.pods.on_event(self._on_pod)

    def resync(self) -> None:
        for key in self._nodes.keys():  # noqa: SIM118 - a store, not a dict
            self.queue.add(key)

    def loops(self) -> list[Callable[[], Coroutine[None, None, None]]]:
        return [self._monitor, self._probe]

    async def run(self) -> None:
        self._restart_graces("began to lead")
        await super().run()

    async def reconcile(self, key: str) -> None:
        node = self._nodes.get(key)
        if node is None:
            return
        silent = self._is_silent(key)
        if silent and nodeinfo.readiness(node) != "Unknown" and (wait_s := self._turn_s(key)) > 0:
            self.queue.add_after(key, wait_s)
            return
        silent = silent and await self._is_confirmed(node)
        self._turns.done(key)
        if silent:
            node = await self._take_out_of_service(node)
        await self._taint(node, silent=silent)

    def _turn_s(self, key: str) -> float:
        """Seconds until a silent node is to be declared so."""
        return self._turns.wait_s(key, pace=1.0 if self._current_policy().may_add else DOUBTFUL_PACE)

    async def _taint(self, node: Node, *, silent: bool) -> None:
        policy = self._current_policy()
        if nodeinfo.readiness(node) == "Unknown" and not silent:
            # an earlier leader said so; before anything is evicted we must have seen it ourselves
            policy = core.Evictions(may_add=False, may_keep=policy.may_keep)
        taints = core.wanted_taints(node, policy, self._clock.now())
        if taints == node.spec.taints:
            return
        if core.adds_eviction(node, taints):
            wait_s = self._tokens.take()
            if wait_s > 0:
                self.queue.add_after(node.metadata.name, wait_s)
                taints = [each for each in taints if each.effect != "NoExecute" or each in node.spec.taints]
                if taints == node.spec.taints:
                    return
        changed = codec.deep_copy(node)
        changed.spec.taints = taints
        await self._client.update(changed)

    async def _take_out_of_service(self, node: Node) -> Node:
        status = core.silent_status(node, self._clock.now())
        pods = self._pods.by_index(NODE, node.metadata.name)
        if status == node.status:
            await self._unready(pods)
            return node
        self._log.warning("node has fallen silent", extra={"node": node.metadata.name, "pods": len(pods)})
        message = f"Node {node.metadata.name} status is now: NodeNotReady"
        self._recorder.event(node, "Normal", "NodeNotReady", message)
        changed = codec.deep_copy(node)
        changed.status = status
        updated, _ = await asyncio.gather(self._client.update_status(changed), self._unready(pods))
        return updated

    async def _unready(self, pods: Sequence[Pod]) -> None:
        """Take pods out of service; many at once, within a bound."""
        for start in range(0, len(pods), BATCH):
            await asyncio.gather(*(self._unready_one(pod) for pod in pods[start : start + BATCH]))

    async def _unready_one(self, pod: Pod) -> None:
        status = core.unready_status(pod, self._clock.now())
        if status is None:
            return
        changed = codec.deep_copy(pod)
        changed.status = status
        try:
            await self._client.update_status(changed)
        except ApiError as error:
            if not is_not_found(error):
                raise
            return
        self._recorder.event(pod, "Warning", "NodeNotReady", "Node is not ready")

    async def _is_confirmed(self, node: Node) -> bool:
        """Whether the API, asked within the last second, knows no newer sign of the node than we do. Without an answer nobody
        is silent but we.

        Declaring a node silent and tainting it are changes that bring it back here, as does every pod that is bound to it.
        """
        name, asked_at = node.metadata.name, self._clock.monotonic()
        silence, confirmed_at = self._confirmed.get(name, (None, 0.0))
        if silence is not None and silence is self._health.get(name) and asked_at - confirmed_at < CONFIRMED_FOR_S:
            return True
        try:
            renewal = _renewal(await self._client.get(Lease, name, LEASE_NAMESPACE))
        except ApiError as error:
            if not is_not_found(error):
                self._restart_graces("the API server does not answer")
                return False
            renewal = ""
        if self._clock.monotonic() - asked_at > BLIND_AFTER_S:
            self._restart_graces("the API server answers slowly")
        else:
            self._see(name, renewal=renewal)
        silent = self._is_silent(name)
        if silent:
            self._confirmed[name] = (self._health[name], asked_at)
        return silent

    async def _monitor(self) -> None:
        """Put nodes that fall silent, or whose evictions start or stop, into the queue."""
        while True:
            await asyncio.sleep(TICK_S)
            now = self._clock.monotonic()
            if now - self._last_tick > TICK_S + BLIND_AFTER_S:
                self._restart_graces("this process did not run")
            self._last_tick = now
            before, policy = self._policy, self._current_policy()
            if policy != before:
                self._log.info("evictions", extra={"may_start": policy.may_add, "may_go_on": policy.may_keep})
                self.resync()
            silent = {name for name in self._health if self._is_silent(name)}
            for name in silent ^ self._silent:
                self.queue.add(name)
            self._silent = silent

    async def _probe(self) -> None:
        """Notice when we cannot see the nodes, because what we cannot see is not silence."""
        while True:
            await asyncio.sleep(PROBE_PERIOD_S)
            asked_at = self._clock.monotonic()
            try:
                async with asyncio.timeout(self._grace_s):
                    await self._client.get(Namespace, LEASE_NAMESPACE)
                seen = self._clock.monotonic() - asked_at <= BLIND_AFTER_S
            except TimeoutError:
                seen = False
            except ApiError as error:
                seen = error.code < 500
            if not seen:
                self._restart_graces("the API server does not answer")

    def _current_policy(self) -> core.Evictions:
        """What all nodes together allow; counted anew when the last count is older than POLICY_AGE_S."""
        now = self._clock.monotonic()
        if now - self._policy_at >= POLICY_AGE_S:
            self._policy_at = now
            total = unhealthy = late = 0
            for node in self._nodes.list():
                if not nodeinfo.takes_workloads(node):
                    continue
                total += 1
                silence_s = self._silence_s(node.metadata.name)
                if nodeinfo.readiness(node) != "True" or silence_s >= self._grace_s:
                    unhealthy += 1
                elif silence_s > self._grace_s / 2:
                    late += 1
            self._policy = core.evictions(total, unhealthy, late, self._fraction)
        return self._policy

    def _is_silent(self, name: str) -> bool:
        return self._silence_s(name) >= self._grace_s

    def _silence_s(self, name: str) -> float:
        health = self._health.get(name)
        return 0.0 if health is None else self._clock.monotonic() - health.since

    def _restart_graces(self, why: str) -> None:
        now = self._clock.monotonic()
        self._log.info("every node's grace starts anew", extra={"why": why})
        self._health = {name: core.Health(health.sign, now) for name, health in self._health.items()}

    def _see(self, name: str, *, renewal: str | None = None, heartbeat: str | None = None) -> None:
        known = self._health.get(name)
        before = known.sign if known is not None else core.Sign()
        sign = core.Sign(before.renewal if renewal is None else renewal, before.heartbeat if heartbeat is None else heartbeat)
        self._health[name] = core.observe(known, sign, self._clock.monotonic())

    def _on_node(self, event: EventType, old: Node | None, new: Node | None) -> None:
        if new is None:
            if old is not None:
                self._health.pop(old.metadata.name, None)
                self._confirmed.pop(old.metadata.name, None)
                self._turns.done(old.metadata.name)
            return
        if old is not None and old.metadata.uid != new.metadata.uid:
            self._health.pop(new.metadata.name, None)
        lease = self._leases.get_by(new.metadata.name, LEASE_NAMESPACE)
        self._see(
            new.metadata.name,
            renewal=_renewal(lease) if lease is not None else None,
            heartbeat=core.heartbeat(new),
        )
        if old is None or nodeinfo.readiness(old) != nodeinfo.readiness(new) or _differs(old, new):
            self.queue.add(new.metadata.name)

    def _on_lease(self, event: EventType, old: Lease | None, new: Lease | None) -> None:
        if new is not None and new.metadata.namespace == LEASE_NAMESPACE and new.metadata.name in self._health:
            self._see(new.metadata.name, renewal=_renewal(new))

    def _on_pod(self, event: EventType, old: Pod | None, new: Pod | None) -> None:
        """A pod that is ready on a silent node, say by the node's last word: it must be taken out of service too."""
        if new is not None and new.spec.node_name and self._is_silent(new.spec.node_name):
            self.queue.add(new.spec.node_name)


def _renewal(lease: Lease) -> str:
    return f"{lease.metadata.uid}/{lease.spec.renew_time or ''}"


def _differs(old: Node, new: Node) -> bool:
    """Whether what taints follow from has changed."""
    before = {each.type: each.status for each in old.status.conditions}
    after = {each.type: each.status for each in new.status.conditions}
    return before != after or old.spec != new.spec
