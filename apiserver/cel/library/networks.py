"""IP addresses and networks: `ip("::1").isLoopback()`, `cidr("10.0.0.0/8").containsIP("10.1.2.3")`.

Source: the Kubernetes page "Common Expression Language in Kubernetes", "Kubernetes IP address library" and "Kubernetes CIDR
library".
"""

import ipaddress
from dataclasses import dataclass
from typing import Any

from apiserver.cel.calls import Library
from apiserver.cel.errors import EvaluationError
from apiserver.cel.values import Opaque

_IP, _CIDR = "net.IP", "net.CIDR"
_TEXT_CHARACTERS_MAX = 64
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class AddressValue(Opaque):
    address: Address
    type_name = _IP


@dataclass(frozen=True, slots=True)
class NetworkValue(Opaque):
    """A network with the address that it was written with."""

    address: Address
    network: Network
    type_name = _CIDR


def _address(text: str) -> AddressValue:
    try:
        if len(text) > _TEXT_CHARACTERS_MAX or "%" in text:
            raise ValueError("addresses with a zone are not supported")
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise EvaluationError(
            f"IP Address {text[:_TEXT_CHARACTERS_MAX]!r} parse error during conversion from string: {error}"
        ) from error
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise EvaluationError(f"IPv4-mapped IPv6 address {text!r} is not allowed")
    return AddressValue(address)


def _network(text: str) -> NetworkValue:
    try:
        if len(text) > _TEXT_CHARACTERS_MAX or "%" in text or "/" not in text or not text.rpartition("/")[2].isdigit():
            raise ValueError("must be an address, a slash and the length of the prefix")
        interface = ipaddress.ip_interface(text)
    except ValueError as error:
        shown = text[:_TEXT_CHARACTERS_MAX]
        raise EvaluationError(f"network address parse error during conversion from string: {shown!r}: {error}") from error
    if isinstance(interface.ip, ipaddress.IPv6Address) and interface.ip.ipv4_mapped is not None:
        raise EvaluationError(f"IPv4-mapped IPv6 address {text!r} is not allowed")
    return NetworkValue(interface.ip, interface.network)


def _is_address(text: str) -> bool:
    return _holds(_address, text)


def _is_network(text: str) -> bool:
    return _holds(_network, text)


def _holds(parse: Any, text: str) -> bool:
    try:
        parse(text)
    except EvaluationError:
        return False
    return True


def _is_canonical(text: str) -> bool:
    return str(_address(text).address) == text


def _is_global_unicast(value: AddressValue) -> bool:
    address = value.address
    broadcast = address == ipaddress.IPv4Address("255.255.255.255")
    return not (broadcast or address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local)


def _is_link_local_multicast(value: AddressValue) -> bool:
    address = value.address
    if isinstance(address, ipaddress.IPv4Address):
        return address in ipaddress.IPv4Network("224.0.0.0/24")
    return address.packed[0] == 0xFF and address.packed[1] & 0x0F == 0x02


def _contains_address(network: NetworkValue, value: AddressValue) -> bool:
    return value.address in network.network


def _contains_network(network: NetworkValue, inner: NetworkValue) -> bool:
    same = inner.network.version == network.network.version
    return same and inner.network.subnet_of(network.network)  # type: ignore[arg-type]


def declare(library: Library) -> None:
    library.function("ip", "string", result=_IP)(_address)
    library.function("isIP", "string", result="bool")(_is_address)
    library.function("ip.isCanonical", "string", result="bool")(_is_canonical)
    library.function("string", _IP, result="string")(lambda value: str(value.address))
    library.method("family", _IP, result="int")(lambda value: value.address.version)
    library.method("isUnspecified", _IP, result="bool")(lambda value: value.address.is_unspecified)
    library.method("isLoopback", _IP, result="bool")(lambda value: value.address.is_loopback)
    library.method("isLinkLocalMulticast", _IP, result="bool")(_is_link_local_multicast)
    library.method("isLinkLocalUnicast", _IP, result="bool")(lambda value: value.address.is_link_local)
    library.method("isGlobalUnicast", _IP, result="bool")(_is_global_unicast)
    library.function("cidr", "string", result=_CIDR)(_network)
    library.function("isCIDR", "string", result="bool")(_is_network)
    library.function("string", _CIDR, result="string")(lambda value: f"{value.address}/{value.network.prefixlen}")
    library.method("containsIP", _CIDR, _IP, result="bool")(_contains_address)
    library.method("containsIP", _CIDR, "string", result="bool")(lambda cidr, text: _contains_address(cidr, _address(text)))
    library.method("containsCIDR", _CIDR, _CIDR, result="bool")(_contains_network)
    library.method("containsCIDR", _CIDR, "string", result="bool")(lambda cidr, text: _contains_network(cidr, _network(text)))
    library.method("ip", _CIDR, result=_IP)(lambda value: AddressValue(value.address))
    library.method("masked", _CIDR, result=_CIDR)(lambda value: NetworkValue(value.network.network_address, value.network))
    library.method("prefixLength", _CIDR, result="int")(lambda value: value.network.prefixlen)
