"""Which pod CIDR each node has, and which is free. Pure.

The cluster's range is cut into equal parts, lowest first. A part belongs to one node by name from the moment it is
chosen, so that a write of unknown outcome is repeated with the same part; it is free again when the node is gone.
"""

import ipaddress


class ExhaustedError(Exception):
    """Every part is taken."""


class Allocator:
    """The parts of `cluster_cidr` with prefixes of `mask_size` bits, and who has them."""

    def __init__(self, cluster_cidr: str, mask_size: int) -> None:
        self._range = ipaddress.IPv4Network(cluster_cidr)
        if not self._range.prefixlen <= mask_size <= 32:
            raise ValueError(f"a node mask of {mask_size} bits does not fit into {cluster_cidr}")
        self._mask_size = mask_size
        self._count = 2 ** (mask_size - self._range.prefixlen)
        self._lowest = 0  # every part below is taken
        self._by_node: dict[str, set[int]] = {}
        self._holders: dict[int, set[str]] = {}  # more than one only where nodes came with the same range

    def occupy(self, node: str, cidr: str) -> None:
        """Note what a node has; a range outside the cluster's is none of ours. Raises ValueError for what is no CIDR."""
        network = ipaddress.IPv4Network(cidr)
        if not network.overlaps(self._range):
            return
        first = max(self._index(network.network_address), 0)
        last = min(self._index(network.broadcast_address), self._count - 1)
        for index in range(first, last + 1):
            self._by_node.setdefault(node, set()).add(index)
            self._holders.setdefault(index, set()).add(node)

    def allocate(self, node: str) -> str:
        """The node's part: the one it was given before, or the lowest free one. Raises ExhaustedError."""
        taken = self._by_node.get(node)
        index = min(taken) if taken else self._free()
        self._by_node.setdefault(node, set()).add(index)
        self._holders.setdefault(index, set()).add(node)
        return str(ipaddress.IPv4Network((int(self._range.network_address) + index * self._size, self._mask_size)))

    def release(self, node: str) -> None:
        """The node is gone; what it had is free unless another has it too."""
        for index in self._by_node.pop(node, ()):
            holders = self._holders[index]
            holders.discard(node)
            if not holders:
                del self._holders[index]
                self._lowest = min(self._lowest, index)

    def _free(self) -> int:
        """The lowest part that nobody has."""
        while self._lowest in self._holders:
            self._lowest += 1
        if self._lowest >= self._count:
            raise ExhaustedError(f"{self._range} has no free /{self._mask_size}")
        return self._lowest

    @property
    def _size(self) -> int:
        return 1 << (32 - self._mask_size)

    def _index(self, address: ipaddress.IPv4Address) -> int:
        return (int(address) - int(self._range.network_address)) // self._size
