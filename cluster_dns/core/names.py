"""Domain names as tuples of labels, lower case, without the root: ("web", "default", "svc", "cluster", "local").

A tuple and not a text, because a label may hold any byte, a dot too; each character of a label stands for one byte.
Source: RFC 1035 section 2.3.4 (sizes), RFC 4343 (case).
"""

from ipaddress import IPv4Address

Name = tuple[str, ...]

LABEL_BYTES_MAX = 63
WIRE_BYTES_MAX = 255
REVERSE: Name = ("in-addr", "arpa")


def parse(text: str) -> Name | None:
    """The name that a text with or without a final dot writes; None when it writes none."""
    labels = tuple(text.lower().removesuffix(".").split("."))
    fits = text.isascii() and all(0 < len(label) <= LABEL_BYTES_MAX for label in labels)
    return labels if fits and wire_bytes(labels) <= WIRE_BYTES_MAX else None


def wire_bytes(name: Name) -> int:
    """What the name takes in a packet, uncompressed."""
    return sum(len(label) + 1 for label in name) + 1


def address_of(text: str) -> IPv4Address | None:
    """The IPv4 address, or None for what is none."""
    try:
        return IPv4Address(text)
    except ValueError:
        return None


def reverse_of(address: IPv4Address) -> Name:
    """Where an address' PTR records stand (RFC 1035 section 3.5)."""
    return (*reversed(str(address).split(".")), *REVERSE)


def dashed(address: IPv4Address) -> str:
    """The label of an address: 10-244-1-2."""
    return str(address).replace(".", "-")


def undashed(label: str) -> IPv4Address | None:
    """The address that a label of the form 10-244-1-2 stands for."""
    return None if "." in label else address_of(label.replace("-", "."))
