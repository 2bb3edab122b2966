"""Informers, queue and the one write. There is nothing to decide beyond: an active namespace lacks the account."""

from apiclient.client import EventType
from apimachinery.errors import ApiError, is_already_exists, is_not_found
from apimachinery.kinds import Namespace, ObjectMeta, ServiceAccount
from controller_manager.shared.context import Context
from controller_manager.shared.loop import Controller

DEFAULT = "default"


class ServiceAccountController(Controller):
    """Creates default ServiceAccounts; keys are namespaces."""

    name = "serviceaccount"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._namespaces = context.informers.namespaces.store
        self._accounts = context.informers.service_accounts.store
        context.informers.namespaces.on_event(self._on_namespace)
        context.informers.service_accounts.on_event(self._on_account)

    def resync(self) -> None:
        for key in self._namespaces.keys():  # noqa: SIM118 - a store, not a dict
            self.queue.add(key)

    async def reconcile(self, key: str) -> None:
        namespace = self._namespaces.get(key)
        if namespace is None or namespace.metadata.deletion_timestamp is not None:
            return
        if self._accounts.get_by(DEFAULT, key) is not None:
            return
        try:
            await self._client.create(ServiceAccount(metadata=ObjectMeta(name=DEFAULT, namespace=key)))
        except ApiError as error:
            # there already, or the namespace is going: either way there is nothing left to do
            if not is_already_exists(error) and not is_not_found(error) and error.code != 403:
                raise

    def _on_namespace(self, event: EventType, old: Namespace | None, new: Namespace | None) -> None:
        if new is not None:
            self.queue.add(new.metadata.name)

    def _on_account(self, event: EventType, old: ServiceAccount | None, new: ServiceAccount | None) -> None:
        if new is None and old is not None and old.metadata.name == DEFAULT:
            self.queue.add(old.metadata.namespace)
