"""What the proxy needs of the kernel."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from kube_proxy.core.flows import Flow


class PacketFilterError(Exception):
    """The kernel's rules could not be read or written; the message holds what the tool said."""


class PacketFilter(Protocol):
    """Packet filter rules of one network namespace."""

    async def own_chains(self) -> Mapping[str, frozenset[str]]:
        """The names of the proxy's chains that exist now, by table."""

    async def apply(self, text: str) -> None:
        """Feed iptables-restore input without flushing what it does not name; each table changes atomically."""

    async def ensure_jumps(self, jumps: Iterable[tuple[str, str, str]]) -> None:
        """Have each (table, chain, rule) stand in the kernel's own chains, once, at the top."""


class FlowTable(Protocol):
    """The kernel's table of connections."""

    async def tracked(self) -> Sequence[Flow]:
        """The UDP flows it holds: where the first packet went, and the endpoint it was led to (that address, if to none)."""

    async def forget(self, flows: Iterable[Flow]) -> None:
        """Remove UDP flows; those that do not exist are no error."""
