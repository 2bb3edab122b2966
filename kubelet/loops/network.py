"""Keeps the node wired: the CNI configuration follows the node's own pod CIDR, the routes follow the other nodes.

Handlers only mark what is out of date; one task brings it up to date, so that a burst of node changes costs one pass.
"""

import asyncio
import logging
from typing import NoReturn

from apiclient.client import EventType
from apiclient.informer import Informer
from apimachinery.kinds import Node
from kubelet.core.network import CONFIGURATION_FILE, conflist, internal_ip, routes
from kubelet.loops.node_agent import HealthWatch, NodeReporter
from kubelet.ports import Network

log = logging.getLogger(__name__)

_RETRY_S = 1.0


class NetworkKeeper:
    """Follows the informer of all nodes; `run` never returns."""

    def __init__(
        self,
        name: str,
        nodes: Informer[Node],
        network: Network,
        reporter: NodeReporter,
        watch: HealthWatch,
        *,
        state_directory: str,
        program_routes: bool,
    ) -> None:
        self._name = name
        self._nodes = nodes
        self._network = network
        self._reporter = reporter
        self._watch = watch
        self._state_directory = state_directory
        self._program_routes = program_routes
        self._stale = asyncio.Event()
        nodes.on_event(self._on_node)

    def _on_node(self, kind: EventType, old: Node | None, new: Node | None) -> None:
        node = new or old
        assert node is not None
        own = node.metadata.name == self._name
        if own and kind == EventType.DELETED:
            self._reporter.lost()
        elif own:
            self._reporter.known(node)
        if old is None or new is None or _wiring(old) != _wiring(new):
            self._stale.set()

    async def run(self) -> NoReturn:
        while True:
            await self._stale.wait()
            self._stale.clear()
            try:
                await self._apply()
            except OSError as error:
                log.warning("could not wire the node, will retry", extra={"error": str(error)})
                self._stale.set()
                await asyncio.sleep(_RETRY_S)

    async def _apply(self) -> None:
        own = self._nodes.store.get(self._name)
        if own is not None and own.spec.pod_cidr:
            await self._network.configure({CONFIGURATION_FILE: conflist(own.spec.pod_cidr, self._state_directory)})
            if not self._watch.health.network_ready:
                self._watch.doubt()
        if self._program_routes:
            await self._network.set_routes(routes(self._name, self._nodes.store.list()))


def _wiring(node: Node) -> tuple[str, list[str], str]:
    return node.spec.pod_cidr, node.spec.pod_cidrs, internal_ip(node)
