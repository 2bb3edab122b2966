"""Informers, queue and writes around `core`.

The other writer of a budget's status is the eviction subresource. A status goes out against the resourceVersion that it was
counted from, so it cannot undo what an eviction has noted meanwhile; a status that loses is dropped, because the write that it
lost to is on its way as an event and counts the budget again.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from apiclient.client import EventType
from apiclient.informer import Informer, key_of
from apimachinery import budgets, codec
from apimachinery.errors import ApiError, is_conflict, is_not_found
from apimachinery.kinds import Object, OwnerReference, Pod, PodDisruptionBudget
from controller_manager.disruption import core
from controller_manager.disruption.core import Scalable
from controller_manager.shared import pods as podinfo
from controller_manager.shared.context import Context, Informers
from controller_manager.shared.loop import Controller
from controller_manager.shared.ownership import controller_of

ScalableT = TypeVar("ScalableT", bound=Scalable)


class DisruptionController(Controller):
    """Keeps the status of PodDisruptionBudgets; keys are budgets."""

    name = "disruption"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        informers = context.informers
        self._budgets = informers.pod_disruption_budgets.store
        self._pods = informers.pods.store
        self._owners = _owners(informers)
        self._recorder = context.recorder("controllermanager")
        informers.pod_disruption_budgets.on_event(self._on_budget)
        informers.pods.on_event(self._on_pod)
        self._follow_scale(informers.deployments)
        self._follow_scale(informers.replica_sets)
        self._follow_scale(informers.stateful_sets)
        self._follow_scale(informers.replication_controllers)

    def resync(self) -> None:
        for budget in self._budgets.list():
            self.queue.add(key_of(budget))

    async def reconcile(self, key: str) -> None:
        budget = self._budgets.get(key)
        if budget is None:
            return
        pods = self._pods.list(budget.metadata.namespace, budgets.selector_of(budget))
        counted = core.count(budget, pods, self._find, self._clock.now())
        if counted.recheck_s is not None:
            self.queue.add_after(key, counted.recheck_s)
        if counted.status == budget.status:
            return
        changed = codec.deep_copy(budget)
        changed.status = counted.status
        try:
            await self._client.update_status(changed)
        except ApiError as error:
            if not is_conflict(error) and not is_not_found(error):
                raise
            return
        self._tell(budget, counted, has_pods=bool(pods))

    def _tell(self, budget: PodDisruptionBudget, counted: core.Counted, *, has_pods: bool) -> None:
        if not has_pods:
            self._recorder.event(budget, "Normal", "NoPods", "No matching pods found")
        if counted.failure:
            message = f"Failed to calculate the number of expected pods: {counted.failure}"
            self._recorder.event(budget, "Warning", "CalculateExpectedPodCountFailed", message)
        for pod in counted.overdue:
            message = f"Pod was expected by PDB {key_of(budget)} to be deleted but it wasn't"
            self._recorder.event(pod, "Warning", "NotDeleted", message)

    def _find(self, reference: OwnerReference, namespace: str) -> Object | None:
        look_up = self._owners.get((reference.api_version.partition("/")[0], reference.kind))
        found = look_up(f"{namespace}/{reference.name}") if look_up is not None else None
        return found if found is not None and found.metadata.uid == reference.uid else None

    def _follow_scale(self, informer: Informer[ScalableT]) -> None:
        """Count again whatever a change of scale in the namespace may concern."""

        def on_scalable(event: EventType, old: ScalableT | None, new: ScalableT | None) -> None:
            if old is not None and new is not None and core.scaled_to(old) == core.scaled_to(new):
                return
            owner = new or old
            if owner is not None:
                for budget in self._budgets.list(owner.metadata.namespace):
                    self.queue.add(key_of(budget))

        informer.on_event(on_scalable)

    def _on_budget(self, event: EventType, old: PodDisruptionBudget | None, new: PodDisruptionBudget | None) -> None:
        if new is not None:
            self.queue.add(key_of(new))

    def _on_pod(self, event: EventType, old: Pod | None, new: Pod | None) -> None:
        if old is not None and new is not None and _facts(old) == _facts(new):
            return
        for pod in (old, new):
            if pod is not None:
                for budget in budgets.budgets_of(pod, self._budgets.list(pod.metadata.namespace)):
                    self.queue.add(key_of(budget))


def _owners(informers: Informers) -> Mapping[tuple[str, str], Callable[[str], Object | None]]:
    """How to look up what controls pods, by group (of the core group, its version) and kind."""
    return {
        ("apps", "Deployment"): informers.deployments.store.get,
        ("apps", "ReplicaSet"): informers.replica_sets.store.get,
        ("apps", "StatefulSet"): informers.stateful_sets.store.get,
        ("v1", "ReplicationController"): informers.replication_controllers.store.get,
    }


def _facts(pod: Pod) -> tuple[object, ...]:
    """What of a pod a budget's status depends on."""
    return pod.metadata.labels, podinfo.is_terminating(pod), podinfo.is_ready(pod), controller_of(pod)
