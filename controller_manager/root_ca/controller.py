"""Informers, queue and writes around `core`."""

from apiclient.client import EventType
from apimachinery.errors import ApiError, is_already_exists, is_not_found
from apimachinery.kinds import ConfigMap, Namespace
from controller_manager.root_ca import core
from controller_manager.shared.context import Context
from controller_manager.shared.loop import Controller


class RootCaController(Controller):
    """Keeps one ConfigMap in each namespace; keys are namespaces."""

    name = "root-ca"

    def __init__(self, context: Context, *, certificate: str) -> None:
        super().__init__(context)
        self._certificate = certificate
        self._namespaces = context.informers.namespaces.store
        self._config_maps = context.informers.config_maps.store
        context.informers.namespaces.on_event(self._on_namespace)
        context.informers.config_maps.on_event(self._on_config_map)

    def resync(self) -> None:
        for key in self._namespaces.keys():  # noqa: SIM118 - a store, not a dict
            self.queue.add(key)

    async def reconcile(self, key: str) -> None:
        namespace = self._namespaces.get(key)
        if namespace is None or namespace.metadata.deletion_timestamp is not None:
            return
        current = self._config_maps.get_by(core.NAME, key)
        wanted = core.wanted(key, self._certificate, current)
        try:
            if current is None:
                await self._client.create(wanted)
            elif wanted != current:
                await self._client.update(wanted)
        except ApiError as error:
            # there already (its event follows), or the namespace is going
            if not is_already_exists(error) and not is_not_found(error) and error.code != 403:
                raise

    def _on_namespace(self, event: EventType, old: Namespace | None, new: Namespace | None) -> None:
        if new is not None:
            self.queue.add(new.metadata.name)

    def _on_config_map(self, event: EventType, old: ConfigMap | None, new: ConfigMap | None) -> None:
        config_map = new or old
        if config_map is not None and config_map.metadata.name == core.NAME:
            self.queue.add(config_map.metadata.namespace)
