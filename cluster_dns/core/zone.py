"""The zone: every name of the cluster with its records.

Each Service owns the names that `services.records_of` gives it and replaces them as a whole; only PTR names may have
several owners, whose records then stand together. Ancestors are counted, so that a name which merely has names below it is
known to exist (RFC 8020). Names of pods follow from their form and are not stored.

Authority is held for the cluster's domain, for the reverse zones of private addresses, which a resolver must not ask the
world about (RFC 6303 section 4, RFC 7793), and for those of the Services' addresses wherever they are.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network

from cluster_dns.core import names
from cluster_dns.core.names import REVERSE, Name
from cluster_dns.core.records import Data, RecordSets, Soa, Type

SCHEMA_VERSION = b"1.1.0"
LOCAL_NETWORKS = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
)
NAME_SERVER = ("kube-dns", "kube-system", "svc")

_EMPTY: RecordSets = {}


class Zone:
    """`version` grows whenever an answer may have changed. Not for several threads."""

    def __init__(self, domain: Name, service_cidr: str = "") -> None:
        self.domain = domain
        self.version = 0
        self._names: dict[Name, dict[str, RecordSets]] = {}
        self._owned: dict[str, Mapping[Name, RecordSets]] = {}
        self._below: Counter[Name] = Counter()
        networks = (*LOCAL_NETWORKS, *([service_cidr] if service_cidr else []))
        self._apexes = {domain, *itertools.chain.from_iterable(reverse_zones(network) for network in networks)}
        self._pods: Name = ("pod", *domain)
        servers = {Type.NS: ((*NAME_SERVER, *domain),)}
        fixed: dict[Name, RecordSets] = dict.fromkeys(self._apexes, servers)
        fixed[("svc", *domain)] = fixed[self._pods] = _EMPTY
        fixed[("dns-version", *domain)] = {Type.TXT: (SCHEMA_VERSION,)}
        self.put("", fixed)

    def put(self, owner: str, records: Mapping[Name, RecordSets]) -> bool:
        """Replace the names of an owner, or with none remove it; whether anything changed."""
        before = self._owned.get(owner, {})
        if before == records:
            return False
        for name in before.keys() - records.keys():
            self._forget(name, owner)
        for name, sets in records.items():
            if name not in before:
                self._below.update(name[start:] for start in range(1, len(name)))
            self._names.setdefault(name, {})[owner] = sets
        if records:
            self._owned[owner] = records
        else:
            del self._owned[owner]
        self.version += 1
        return True

    def apex_of(self, name: Name) -> Name | None:
        """The apex of the zone here that holds a name; None for a name outside all of them."""
        for start in range(len(name)):
            if name[start:] in self._apexes:
                return name[start:]
        # an endpoint may have an address of the world, and its PTR record is to be found all the same
        return name if name[-2:] == REVERSE and name in self._names else None

    def find(self, name: Name) -> RecordSets | None:
        """The records at a name, none when it only has names below it; None when it does not exist."""
        owners = self._names.get(name)
        if owners is not None:
            return next(iter(owners.values())) if len(owners) == 1 else _merged(owners.values())
        if name in self._below:
            return _EMPTY
        return self._pod(name)

    def soa(self) -> Soa:
        """Who is responsible; nobody transfers this zone, so the serial merely counts the changes seen here."""
        return Soa((*NAME_SERVER, *self.domain), ("hostmaster", *self.domain), self.version % 2**32)

    def _pod(self, name: Name) -> RecordSets | None:
        """`10-244-1-2.NAMESPACE.pod` and `NAMESPACE.pod`, for any address and namespace (specification, section 2.6)."""
        depth = len(name) - len(self._pods)
        if depth not in (1, 2) or name[depth:] != self._pods:
            return None
        if depth == 1:
            return _EMPTY
        address = names.undashed(name[0])
        return None if address is None else {Type.A: (address,)}

    def _forget(self, name: Name, owner: str) -> None:
        owners = self._names[name]
        del owners[owner]
        if not owners:
            del self._names[name]
        for start in range(1, len(name)):
            ancestor = name[start:]
            self._below[ancestor] -= 1
            if not self._below[ancestor]:
                del self._below[ancestor]


def reverse_zones(network: str) -> list[Name]:
    """The zones, cut at whole octets, that hold the reverse names of a network (RFC 1035 section 3.5)."""
    whole = IPv4Network(network)
    octets = max(1, -(-whole.prefixlen // 8))
    parts = whole.subnets(new_prefix=octets * 8)
    return [(*reversed(str(part.network_address).split(".")[:octets]), *REVERSE) for part in parts]


def _merged(owners: Iterable[RecordSets]) -> RecordSets:
    found: dict[Type, tuple[Data, ...]] = {}
    for sets in owners:
        for kind, data in sets.items():
            found[kind] = tuple(dict.fromkeys((*found.get(kind, ()), *data)))
    return found
