"""The connection table through the conntrack tool."""

import logging
import re
from collections.abc import Iterable, Sequence

from kube_proxy.adapters.processes import run
from kube_proxy.core.flows import Flow

log = logging.getLogger(__name__)

# A line tells of both directions: what was sent, and what is expected back; the latter comes from the endpoint.
_FLOW = re.compile(r"src=\S+ dst=(\S+) sport=\d+ dport=(\d+) .*?src=(\S+) ")


class Conntrack:
    """Flows of the network namespace that this process is in."""

    async def tracked(self) -> Sequence[Flow]:
        code, out, err = await run(["conntrack", "-L", "-p", "udp"])
        if code != 0:
            log.warning("could not list flows", extra={"error": err.strip()})
            return ()
        return parse(out)

    async def forget(self, flows: Iterable[Flow]) -> None:
        for flow in flows:
            argv = ["conntrack", "-D", "-p", "udp", "--orig-port-dst", str(flow.port)]
            argv += ["--orig-dst", flow.address] if flow.address else []
            argv += ["--dst-nat", flow.endpoint] if flow.endpoint else []
            code, _, err = await run(argv)
            if code != 0 and "0 flow entries" not in err:
                log.warning("could not forget flows", extra={"flow": str(flow), "error": err.strip()})


def parse(text: str) -> tuple[Flow, ...]:
    """The flows of `conntrack -L`."""
    return tuple(Flow(found[1], int(found[2]), found[3]) for found in map(_FLOW.search, text.splitlines()) if found)
