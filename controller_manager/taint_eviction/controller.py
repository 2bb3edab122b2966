"""Informers, timers and writes around `core`.

A pod's time runs on our own monotonic clock from the moment we see it on a node with such taints, so no node's and no earlier
leader's clock matters, and after a restart it runs anew. Taints that express only the control plane's suspicion evict
nobody until this process has watched for a whole grace period.
"""

from apiclient.client import EventType
from apiclient.informer import key_of
from apimachinery import codec
from apimachinery.errors import ApiError, is_conflict, is_not_found
from apimachinery.kinds import Node, Pod
from controller_manager.shared import pods as podinfo
from controller_manager.shared.context import NODE, Context
from controller_manager.shared.loop import EARLY_S, Controller
from controller_manager.shared.rate import TokenBucket
from controller_manager.taint_eviction import core

EVICTIONS_PER_S = 50.0
EVICTIONS_BURST = 200


class TaintEvictionController(Controller):
    """Evicts; keys are pods. settle_s: how long after a start suspicions are not acted on."""

    name = "taint-eviction"
    workers = 16

    def __init__(self, context: Context, *, settle_s: float) -> None:
        super().__init__(context)
        self._pods = context.informers.pods.store
        self._nodes = context.informers.nodes.store
        self._recorder = context.recorder("taint-eviction-controller")
        self._since: dict[str, tuple[str, float]] = {}  # by pod: its uid, and when its time began
        self._settle_s = settle_s
        self._settled_at = context.clock.monotonic() + settle_s
        self._tokens = TokenBucket(context.clock, per_s=EVICTIONS_PER_S, burst=EVICTIONS_BURST)
        context.informers.pods.on_event(self._on_pod)
        context.informers.nodes.on_event(self._on_node)

    def resync(self) -> None:
        for node in self._nodes.list():
            if core.evicting(node):
                self._enqueue_pods(node)

    async def run(self) -> None:
        self._settled_at = self._clock.monotonic() + self._settle_s
        self._since.clear()
        await super().run()

    async def reconcile(self, key: str) -> None:
        pod = self._pods.get(key)
        node = self._nodes.get(pod.spec.node_name) if pod is not None and pod.spec.node_name else None
        taints = core.evicting(node) if node is not None else []
        if pod is None or podinfo.is_terminating(pod) or not taints:
            if self._since.pop(key, None) is not None and pod is not None and not podinfo.is_terminating(pod):
                self._recorder.event(pod, "Normal", "TaintManagerEviction", f"Cancelling deletion of Pod {key}")
            return
        stay_s = core.stay_s(taints, pod.spec.tolerations)
        if stay_s == core.FOREVER:
            self._since.pop(key, None)
            return
        now = self._clock.monotonic()
        uid, since = self._since.get(key, ("", now))
        if uid != pod.metadata.uid:
            since = now
            self._since[key] = (pod.metadata.uid, since)
        due = since + stay_s
        if core.is_suspicion(taints):
            due = max(due, self._settled_at)
        wait_s = due - now
        if wait_s <= EARLY_S:
            wait_s = self._tokens.take()
        if wait_s > 0:
            self.queue.add_after(key, wait_s)
            return
        await self._evict(key, pod)

    async def _evict(self, key: str, pod: Pod) -> None:
        meta = pod.metadata
        self._recorder.event(pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {key}")
        try:
            told = codec.deep_copy(pod)
            told.status = core.disrupted_status(pod, self._clock.now())
            try:
                await self._client.update_status(told)
            except ApiError as error:
                if not is_conflict(error):
                    raise  # the condition is for people; the pod's own news must not hold the eviction up
            await self._client.delete(Pod, meta.name, meta.namespace, uid=meta.uid)
        except ApiError as error:
            if not is_not_found(error):
                raise
        self._since.pop(key, None)
        self._log.info("evicted", extra={"pod": key, "node": pod.spec.node_name})

    def _on_pod(self, event: EventType, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        if pod is None or not pod.spec.node_name:
            return
        key = key_of(pod)
        if new is None and key not in self._since:
            return
        node = self._nodes.get(pod.spec.node_name)
        if key in self._since or (node is not None and core.evicting(node)):
            self.queue.add(key)

    def _on_node(self, event: EventType, old: Node | None, new: Node | None) -> None:
        node = new or old
        before = core.evicting(old) if old is not None else []
        after = core.evicting(new) if new is not None else []
        if node is not None and before != after:
            self._enqueue_pods(node)

    def _enqueue_pods(self, node: Node) -> None:
        for pod in self._pods.by_index(NODE, node.metadata.name):
            self.queue.add(key_of(pod))
