"""Resource records and the codes of questions and answers (RFC 1035 section 3.2, RFC 2782, RFC 6891)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address

from cluster_dns.core.names import Name

TTL_S = 5
"""Of answers and of denials: what a client may remember must not outlive an endpoint by much."""


class Type(IntEnum):
    """Record types that are served, or treated in their own way."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    TXT = 16
    AAAA = 28
    SRV = 33
    OPT = 41
    IXFR = 251
    AXFR = 252
    ANY = 255


class Code(IntEnum):
    """What an answer says as a whole. BADVERS does not fit the header's four bits: its upper ones travel in OPT."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16


class Class(IntEnum):
    """The internet's names, and the wildcard of questions."""

    IN = 1
    ANY = 255


@dataclass(frozen=True, slots=True, order=True)
class Srv:
    """Where a service's port is (RFC 2782)."""

    target: Name
    port: int
    priority: int = 0
    weight: int = 100


@dataclass(frozen=True, slots=True)
class Soa:
    """Times in seconds; `minimum_s` is how long a denial may be remembered (RFC 2308)."""

    primary: Name
    mailbox: Name
    serial: int
    refresh_s: int = 7200
    retry_s: int = 1800
    expire_s: int = 86400
    minimum_s: int = TTL_S


Data = IPv4Address | Name | Srv | Soa | bytes
"""A: the address; CNAME, NS, PTR: a name; TXT: one string."""

RecordSets = Mapping[Type, tuple[Data, ...]]
"""All that stands at one name; empty for a name that only has names below it."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of an answer."""

    name: Name
    type: Type
    data: Data
    ttl_s: int = TTL_S
