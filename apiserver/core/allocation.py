"""Which Service IPs and node ports may be given out, and which one next; pure: what is taken is an argument.

Addresses and ports chosen by the server come from the upper part of their range, so that those that people ask for by number,
by habit small ones, seldom collide. When the upper part is full the lower one is used too.
Source: the Kubernetes page "Service ClusterIP allocation".
"""

import ipaddress
import random
from collections.abc import Container, Iterator

import msgspec

CLUSTER_IPS = "clusterips"
NODE_PORTS = "nodeports"


class Range(msgspec.Struct, frozen=True):
    """The whole numbers `first`..`last`; the server chooses from `dynamic_from` on first, and never one of `reserved`."""

    first: int
    last: int
    dynamic_from: int
    reserved: frozenset[int] = frozenset()

    def __contains__(self, number: int) -> bool:
        return self.first <= number <= self.last

    def candidates(self, taken: Container[int], rng: random.Random) -> Iterator[int]:
        """Numbers to try, in a random rotation of the upper part and then of the lower one; nothing taken or reserved."""
        for first, last in ((self.dynamic_from, self.last), (self.first, self.dynamic_from - 1)):
            size = last - first + 1
            if size <= 0:
                continue
            offset = rng.randrange(size)
            for step in range(size):
                number = first + (offset + step) % size
                if number not in self.reserved and number not in taken:
                    yield number


def address_range(cidr: str, reserved: tuple[str, ...] = ()) -> Range:
    """The usable host addresses of an IPv4 network, as integers; raises ValueError."""
    network = ipaddress.IPv4Network(cidr)
    size = network.num_addresses
    if size < 8:
        raise ValueError(f"service network {cidr} is too small")
    first = int(network.network_address) + 1
    static = min(max(16, size // 16), 256) if size > 16 else 0
    return Range(first, first + size - 3, first + static, frozenset(int(ipaddress.IPv4Address(each)) for each in reserved))


def port_range(text: str) -> Range:
    """The ports of `30000-32767`; raises ValueError."""
    first, separator, last = text.partition("-")
    if not separator or not 0 < int(first) <= int(last) < 65536:
        raise ValueError(f"{text!r} is not a range of ports")
    size = int(last) - int(first) + 1
    static = min(max(16, size // 32), 128) if size > 16 else 0
    return Range(int(first), int(last), int(first) + static)


def address_text(number: int) -> str:
    return str(ipaddress.IPv4Address(number))


def address_number(text: str) -> int | None:
    """The number of a dotted address; None for anything else, leading zeros included."""
    try:
        return int(ipaddress.IPv4Address(text))
    except ipaddress.AddressValueError:
        return None
