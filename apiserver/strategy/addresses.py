"""Rules for addresses that Services and endpoints point at.

An address that is not written as it is read (`010.8.8.8`, which some read as octal) is refused, and so is one that would lead
the node's own proxy back to itself: loopback and link-local addresses (CVE-2021-25737).
"""

import ipaddress

from apimachinery import names
from apimachinery.errors import FieldError
from apiserver.strategy.checks import Errors


def validate_endpoint_address(path: str, text: str) -> Errors:
    """An address that traffic may be sent to."""
    problems = names.ip_address(text)
    for problem in problems:
        yield FieldError.invalid(path, text, problem)
    if problems:
        return
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        yield FieldError.invalid(path, text, "must not be an IPv4-mapped IPv6 address")
        address = address.ipv4_mapped
    if address.is_unspecified:
        yield FieldError.invalid(path, text, f"may not be unspecified ({text})")
    if address.is_loopback:
        yield FieldError.invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        yield FieldError.invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if address.is_multicast and _is_link_local_multicast(address):
        yield FieldError.invalid(path, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")


def is_ipv4(text: str) -> bool:
    return not names.ip_address(text) and ":" not in text


def is_ipv6(text: str) -> bool:
    return not names.ip_address(text) and ":" in text


def _is_link_local_multicast(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    network = ipaddress.ip_network("224.0.0.0/24" if address.version == 4 else "ff02::/16")
    return address in network
