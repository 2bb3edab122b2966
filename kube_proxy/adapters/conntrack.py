"""The connection table through the conntrack tool."""

import logging
from collections.abc import Iterable

from kube_proxy.adapters.processes import run
from kube_proxy.core.flows import Flow

log = logging.getLogger(__name__)


class Conntrack:
    """Flows of the network namespace that this process is in."""

    async def forget(self, flows: Iterable[Flow]) -> None:
        for flow in flows:
            argv = ["conntrack", "-D", "-p", "udp", "--orig-port-dst", str(flow.port)]
            argv += ["--orig-dst", flow.address] if flow.address else []
            argv += ["--dst-nat", flow.endpoint] if flow.endpoint else []
            code, _, err = await run(argv)
            if code != 0 and "0 flow entries" not in err:
                log.warning("could not forget flows", extra={"flow": str(flow), "error": err.strip()})
