"""Informer, queue and write around `core`."""

import msgspec

from apiclient.client import EventType
from apimachinery.errors import ApiError, is_not_found
from apimachinery.kinds import ClusterRole
from controller_manager.cluster_role_aggregation import core
from controller_manager.shared.context import Context
from controller_manager.shared.loop import Controller


class ClusterRoleAggregationController(Controller):
    """Keeps the rules of aggregating ClusterRoles; keys are their names. A change of any role may concern each of them."""

    name = "clusterrole-aggregation"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._roles = context.informers.cluster_roles.store
        context.informers.cluster_roles.on_event(self._on_role)

    def resync(self) -> None:
        for role in self._roles.list():
            if role.aggregation_rule is not None:
                self.queue.add(role.metadata.name)

    async def reconcile(self, key: str) -> None:
        role = self._roles.get(key)
        if role is None or role.aggregation_rule is None or role.metadata.deletion_timestamp is not None:
            return
        rules = core.aggregated(role, self._roles.list())
        if rules == role.rules:
            return
        try:
            await self._client.update(msgspec.structs.replace(role, rules=rules))
        except ApiError as error:
            if not is_not_found(error):
                raise

    def _on_role(self, event: EventType, old: ClusterRole | None, new: ClusterRole | None) -> None:
        self.resync()
