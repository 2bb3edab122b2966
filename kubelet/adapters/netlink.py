"""The node's pod network: CNI configuration files, written whole, and routes, through rtnetlink.

Routes of ours carry a protocol number of their own, so that ours can be told from everybody else's after a restart.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kubelet.core.network import Route

_PROTOCOL = 67
_MAIN_TABLE = 254


class NodeNetwork:
    """The files in `cni_directory` whose names are ours, and the kernel's main routing table."""

    def __init__(self, cni_directory: str) -> None:
        self._directory = Path(cni_directory)

    async def configure(self, files: Mapping[str, str]) -> None:
        await asyncio.to_thread(self._configure, files)

    def _configure(self, files: Mapping[str, str]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            path = self._directory / name
            if path.exists() and path.read_text() == text:
                continue
            # the runtime watches the directory, and reads only names that end in .conf, .conflist or .json
            fresh = self._directory / f".{name}.new"
            fresh.write_text(text)
            os.replace(fresh, path)

    async def set_routes(self, routes: Sequence[Route]) -> None:
        await asyncio.to_thread(_set_routes, routes)


def _set_routes(routes: Sequence[Route]) -> None:
    from pyroute2 import IPRoute  # type: ignore[import-untyped]  # costs 170 ms; a lone node never needs it

    wanted = {route.destination: route.gateway for route in routes}
    with IPRoute() as netlink:
        present = dict(filter(None, map(_described, netlink.get_routes(table=_MAIN_TABLE, proto=_PROTOCOL))))
        for destination, gateway in wanted.items():
            if present.get(destination) != gateway:
                netlink.route("replace", dst=destination, gateway=gateway, proto=_PROTOCOL)
        for destination in present.keys() - wanted.keys():
            netlink.route("del", dst=destination, proto=_PROTOCOL)


def _described(message: Any) -> tuple[str, str] | None:
    if message["proto"] != _PROTOCOL:
        return None
    destination, gateway = message.get_attr("RTA_DST"), message.get_attr("RTA_GATEWAY")
    return (f"{destination}/{message['dst_len']}", gateway or "") if destination else None
