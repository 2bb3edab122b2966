"""Informers, queue and writes around `core`."""

from collections.abc import Sequence

from apiclient.client import EventType
from apiclient.informer import key_of
from apimachinery import codec, labels
from apimachinery.errors import ApiError, is_already_exists, is_not_found
from apimachinery.kinds import Deployment, Object, OwnerReference, Pod, ReplicaSet
from controller_manager.deployment import core, hashing, history, sizes
from controller_manager.shared import pods as podinfo
from controller_manager.shared.adoption import settle
from controller_manager.shared.context import FREE, OWNER, Context
from controller_manager.shared.loop import Controller
from controller_manager.shared.ownership import claim, controller_of


class DeploymentController(Controller):
    """Rolls Deployments out."""

    name = "deployment"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._deployments = context.informers.deployments.store
        self._sets = context.informers.replica_sets.store
        self._pods = context.informers.pods.store
        self._recorder = context.recorder("deployment-controller")
        context.informers.deployments.on_event(self._on_deployment)
        context.informers.replica_sets.on_event(self._on_set)
        context.informers.pods.on_event(self._on_pod)

    def resync(self) -> None:
        for key in self._deployments.keys():  # noqa: SIM118 - a store, not a dict
            self.queue.add(key)

    async def reconcile(self, key: str) -> None:
        deployment = self._deployments.get(key)
        if deployment is None:
            return
        selector = labels.from_struct(deployment.spec.selector)
        if selector.empty:
            message = "This deployment is selecting all pods. A non-empty selector is required."
            self._recorder.event(deployment, "Warning", "SelectingAll", message)
            return
        owned = await settle(self._client, deployment, claim(deployment, selector, self._candidates(deployment)))
        now = self._clock.now()
        plan = core.plan(core.Observed(deployment, owned, self._old_pods_remain(deployment, owned), now))
        problem: ApiError | None = None
        for action in plan.actions:
            try:
                await self._do(deployment, action)
            except ApiError as error:
                if not isinstance(action, core.CreateSet):
                    raise
                if await self._is_ours(deployment, action.replica_set, error):
                    return  # the cache is behind; the set's event brings us back
                if is_already_exists(error):
                    plan.status.collision_count = (deployment.status.collision_count or 0) + 1
                else:
                    message = f'Failed to create new replica set "{action.replica_set.metadata.name}": {error}'
                    self._recorder.event(deployment, "Warning", "ReplicaSetCreateError", message)
                    core.failed_create(deployment, plan.status, str(error), now)
                    problem = error
        await self._report(deployment, plan, annotate=problem is None)
        if plan.look_again_s is not None:
            self.queue.add_after(key, plan.look_again_s)
        if problem is not None:
            raise problem

    def _candidates(self, deployment: Deployment) -> Sequence[ReplicaSet]:
        """The Deployment's own sets, and those of its namespace that nobody controls."""
        meta = deployment.metadata
        return [*self._sets.by_index(OWNER, meta.uid), *self._sets.by_index(FREE, meta.namespace)]

    def _old_pods_remain(self, deployment: Deployment, owned: Sequence[ReplicaSet]) -> bool:
        new = history.newest(deployment, owned)
        old = (rs for rs in owned if rs is not new)
        return any(not podinfo.is_terminal(pod) for rs in old for pod in self._pods.by_index(OWNER, rs.metadata.uid))

    async def _do(self, deployment: Deployment, action: core.Action) -> None:
        match action:
            case core.CreateSet(rs):
                await self._client.create(rs)
                if sizes.size_of(rs):
                    self._tell_scaled(deployment, rs, 0)
            case core.UpdateSet(rs, before):
                await self._client.update(rs)
                if sizes.size_of(rs) != before:
                    self._tell_scaled(deployment, rs, before)
            case core.DeleteSet(rs):
                await self._delete(rs)

    async def _delete(self, rs: ReplicaSet) -> None:
        meta = rs.metadata
        try:
            await self._client.delete(
                ReplicaSet, meta.name, meta.namespace, uid=meta.uid, resource_version=meta.resource_version
            )
        except ApiError as error:
            if not is_not_found(error):
                raise

    async def _is_ours(self, deployment: Deployment, rs: ReplicaSet, error: ApiError) -> bool:
        """Whether a create failed only because the very set is already there."""
        if not is_already_exists(error):
            return False
        live = await self._client.get(ReplicaSet, rs.metadata.name, rs.metadata.namespace)
        owner = controller_of(live)
        return (
            owner is not None
            and owner.uid == deployment.metadata.uid
            and hashing.same_template(live.spec.template, deployment.spec.template)
        )

    async def _report(self, deployment: Deployment, plan: core.Plan, *, annotate: bool) -> None:
        current = deployment
        if annotate and plan.revision:
            meta = deployment.metadata
            change = {"metadata": {"annotations": {history.REVISION: plan.revision}}}
            current = await self._client.patch(Deployment, meta.name, meta.namespace, patch=change)
        if plan.status != deployment.status:
            changed = codec.deep_copy(current)
            changed.status = plan.status
            await self._client.update_status(changed)

    def _tell_scaled(self, deployment: Deployment, rs: ReplicaSet, before: int) -> None:
        after = sizes.size_of(rs)
        direction = "up" if after > before else "down"
        message = f"Scaled {direction} replica set {rs.metadata.name} from {before} to {after}"
        self._recorder.event(deployment, "Normal", "ScalingReplicaSet", message)

    def _on_deployment(self, event: EventType, old: Deployment | None, new: Deployment | None) -> None:
        deployment = new or old
        if deployment is not None:
            self.queue.add(key_of(deployment))

    def _on_set(self, event: EventType, old: ReplicaSet | None, new: ReplicaSet | None) -> None:
        owners: dict[str, tuple[Object, OwnerReference]] = {}
        for rs in (old, new):
            owner = controller_of(rs) if rs is not None else None
            if rs is not None and owner is not None:
                owners[owner.uid] = (rs, owner)
        for rs_, owner in owners.values():
            self._enqueue_owner(rs_.metadata.namespace, owner)
        if new is not None and controller_of(new) is None:
            self._enqueue_takers(new)

    def _on_pod(self, event: EventType, old: Pod | None, new: Pod | None) -> None:
        """Only Recreate looks at pods: it waits for the last old one to be gone."""
        pod = new or old
        if pod is None or (new is not None and not podinfo.is_terminal(new)):
            return
        owner = controller_of(pod)
        rs = self._sets.get_by(owner.name, pod.metadata.namespace) if owner is not None else None
        above = controller_of(rs) if rs is not None else None
        if above is not None:
            deployment = self._deployments.get_by(above.name, pod.metadata.namespace)
            if deployment is not None and not sizes.is_rolling(deployment):
                self.queue.add(key_of(deployment))

    def _enqueue_owner(self, namespace: str, owner: OwnerReference) -> None:
        deployment = self._deployments.get_by(owner.name, namespace) if owner.kind == "Deployment" else None
        if deployment is not None and deployment.metadata.uid == owner.uid:
            self.queue.add(key_of(deployment))

    def _enqueue_takers(self, rs: ReplicaSet) -> None:
        """A set that nobody controls may be one that a Deployment wants."""
        for deployment in self._deployments.list(rs.metadata.namespace):
            selector = labels.from_struct(deployment.spec.selector)
            if not selector.empty and selector.matches(rs.metadata.labels):
                self.queue.add(key_of(deployment))
