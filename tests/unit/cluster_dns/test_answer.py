"""What the zone says, question by question."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from cluster_dns.core import names
from cluster_dns.core.answer import Answer, Question, answer
from cluster_dns.core.records import Code, Record, Soa, Srv, Type
from cluster_dns.core.zone import Zone

A, NS, CNAME, SOA, PTR, TXT, AAAA, SRV, ANY = (
    Type.A, Type.NS, Type.CNAME, Type.SOA, Type.PTR, Type.TXT, Type.AAAA, Type.SRV, Type.ANY
)  # fmt: skip
HTTPS = 65
DOMAIN_APEX = "cluster.local"
SVC = "svc.cluster.local"


@dataclass(frozen=True)
class Case:
    id: str
    name: str
    type: int = A
    code: Code = Code.NOERROR
    want: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    soa: str = ""
    """The apex whose SOA stands in the authority section."""
    additional: tuple[str, ...] = ()
    klass: int = 1


def nodata(id: str, name: str, type: int = A, soa: str = DOMAIN_APEX, chain: tuple[str, ...] = ()) -> Case:
    return Case(id, name, type, soa=soa, chain=chain)


def absent(id: str, name: str, type: int = A, soa: str = DOMAIN_APEX, chain: tuple[str, ...] = ()) -> Case:
    return Case(id, name, type, Code.NXDOMAIN, soa=soa, chain=chain)


def refused(id: str, name: str, type: int = A, klass: int = 1) -> Case:
    return Case(id, name, type, Code.REFUSED, klass=klass)


CASES = (
    # Services with an address
    Case("service address", f"web.default.{SVC}", want=("10.96.0.5",)),
    Case("class ANY asks the same", f"web.default.{SVC}", want=("10.96.0.5",), klass=255),
    nodata("AAAA of a service is empty, not absent", f"web.default.{SVC}", AAAA),
    nodata("HTTPS of a service", f"web.default.{SVC}", HTTPS),
    nodata("a service whose address is not allocated yet", f"unallocated.default.{SVC}"),
    absent("no such service", f"nope.default.{SVC}"),
    absent("no such service, AAAA", f"nope.default.{SVC}", AAAA),
    absent("a service of another namespace", f"web.data.{SVC}"),
    absent("no such namespace", f"web.nowhere.{SVC}"),
    absent("below a service with an address", f"web-0.web.default.{SVC}"),
    absent("no wildcards", f"*.default.{SVC}"),
    Case(
        "SRV of a named port", f"_http._tcp.web.default.{SVC}", SRV,
        want=(f"80 web.default.{SVC}",), additional=("10.96.0.5",),
    ),
    Case(
        "SRV over UDP", f"_udp._udp.web.default.{SVC}", SRV,
        want=(f"81 web.default.{SVC}",), additional=("10.96.0.5",),
    ),
    nodata("SRV name asked for A", f"_http._tcp.web.default.{SVC}"),
    nodata("a protocol is an empty non-terminal", f"_tcp.web.default.{SVC}", SRV),
    absent("no port of that protocol", f"_http._udp.web.default.{SVC}", SRV),
    absent("unnamed ports have no SRV", f"_tcp.plain.default.{SVC}", SRV),
    Case("PTR of a service", "5.0.96.10.in-addr.arpa", PTR, want=(f"web.default.{SVC}",)),
    # headless
    Case("headless: ready endpoints, each once", f"redis.data.{SVC}", want=("10.244.1.2", "10.244.1.3", "10.244.2.2")),
    nodata("headless AAAA", f"redis.data.{SVC}", AAAA),
    Case("endpoint by hostname", f"redis-0.redis.data.{SVC}", want=("10.244.1.2",)),
    Case("endpoint by dashed address", f"10-244-1-3.redis.data.{SVC}", want=("10.244.1.3",)),
    absent("an endpoint with a hostname has no dashed name", f"10-244-1-2.redis.data.{SVC}"),
    absent("an endpoint that is not ready", f"10-244-1-4.redis.data.{SVC}"),
    Case(
        "SRV of a headless service", f"_redis._tcp.redis.data.{SVC}", SRV,
        want=(
            f"6379 redis-0.redis.data.{SVC}",
            f"6379 10-244-1-3.redis.data.{SVC}",
            f"6379 redis-1.redis.data.{SVC}",
        ),
        additional=("10.244.1.2", "10.244.1.3", "10.244.2.2"),
    ),
    Case("not ready, but published", f"peers.data.{SVC}", want=("10.244.3.2", "10.244.1.2")),
    Case("a hostname in capitals", f"peer-0.peers.data.{SVC}", want=("10.244.3.2",)),
    Case(
        "PTR of an endpoint of two services", "2.1.244.10.in-addr.arpa", PTR,
        want=(f"redis-0.redis.data.{SVC}", f"10-244-1-2.peers.data.{SVC}"),
    ),
    absent("headless without a ready endpoint (specification 2.4.1)", f"starting.new.{SVC}"),
    nodata("the namespace of such a service", f"new.{SVC}"),
    absent("ports without a name or a number have no SRV", f"_any._tcp.world.default.{SVC}", SRV),
    Case("PTR of a headless endpoint in the world", "7.113.0.203.in-addr.arpa", PTR, want=(f"far.world.default.{SVC}",)),
    nodata("another type there", "7.113.0.203.in-addr.arpa", A, soa="7.113.0.203.in-addr.arpa"),
    # ExternalName
    Case("external name", f"outside.default.{SVC}", chain=("www.example.com",)),
    Case("external name, AAAA", f"outside.default.{SVC}", AAAA, chain=("www.example.com",)),
    Case("external name, CNAME asked", f"outside.default.{SVC}", CNAME, want=("www.example.com",)),
    Case("alias within the cluster", f"alias.default.{SVC}", want=("10.96.0.5",), chain=(f"web.default.{SVC}",)),
    nodata("alias, AAAA", f"alias.default.{SVC}", AAAA, chain=(f"web.default.{SVC}",)),
    absent("alias of nothing", f"dangling.default.{SVC}", chain=(f"gone.default.{SVC}",)),
    Case(
        "aliases in a circle end", f"loop-a.default.{SVC}",
        chain=(f"loop-b.default.{SVC}", f"loop-a.default.{SVC}"),
    ),
    absent("an external name that is none", f"nonsense.default.{SVC}"),
    # pods
    Case("pod by address", "10-244-1-2.default.pod.cluster.local", want=("10.244.1.2",)),
    nodata("pod, AAAA", "10-244-1-2.default.pod.cluster.local", AAAA),
    nodata("pods of a namespace", "default.pod.cluster.local"),
    nodata("pods", "pod.cluster.local"),
    absent("not an address", "10-244-1.default.pod.cluster.local"),
    absent("an address out of range", "10-244-1-256.default.pod.cluster.local"),
    absent("an address with leading zeros", "10-244-01-2.default.pod.cluster.local"),
    absent("below a pod", "x.10-244-1-2.default.pod.cluster.local"),
    # the zone itself
    Case("SOA", DOMAIN_APEX, SOA, want=("SOA",)),
    Case("NS", DOMAIN_APEX, NS, want=(f"kube-dns.kube-system.{SVC}",)),
    nodata("A of the apex", DOMAIN_APEX),
    nodata("SOA below the apex", f"web.default.{SVC}", SOA),
    nodata("svc", SVC),
    nodata("a namespace", f"default.{SVC}"),
    nodata("a namespace, AAAA", f"default.{SVC}", AAAA),
    absent("a namespace without services", f"empty.{SVC}"),
    absent("below the apex", "nope.cluster.local"),
    Case("schema version", "dns-version.cluster.local", TXT, want=("1.1.0",)),
    absent("what the search domains make of an external name", f"www.example.com.default.{SVC}"),
    absent("a service without its namespace", f"web.{SVC}"),
    # reverse
    Case("SOA of a reverse zone", "10.in-addr.arpa", SOA, want=("SOA",)),
    absent("reverse of an unused service address", "9.0.96.10.in-addr.arpa", PTR, soa="96.10.in-addr.arpa"),
    absent("reverse of a pod", "9.9.244.10.in-addr.arpa", PTR, soa="10.in-addr.arpa"),
    absent("reverse of a node", "2.255.31.172.in-addr.arpa", PTR, soa="31.172.in-addr.arpa"),
    nodata("reverse, non-terminal", "1.244.10.in-addr.arpa", PTR, soa="10.in-addr.arpa"),
    absent("reverse, nothing below", "9.244.10.in-addr.arpa", PTR, soa="10.in-addr.arpa"),
    # not ours
    refused("the world", "www.example.com"),
    refused("the world, AAAA", "www.example.com", AAAA),
    refused("a single label", "redis"),
    refused("the top of our own domain", "local"),
    refused("another domain that ends alike", "web.default.svc.mycluster.local"),
    refused("reverse of the world", "1.1.1.1.in-addr.arpa", PTR),
    refused("above the reverse zones", "in-addr.arpa", SOA),
    refused("another class", f"web.default.{SVC}", klass=3),
    refused("zone transfer", DOMAIN_APEX, 252),
    refused("incremental transfer", DOMAIN_APEX, 251),
    # ANY
    Case("ANY gives one set", f"web.default.{SVC}", ANY, want=("10.96.0.5",)),
    nodata("ANY of a non-terminal", f"default.{SVC}", ANY),
    absent("ANY of nothing", f"nope.default.{SVC}", ANY),
)  # fmt: skip


def shown(record: Record) -> str:
    match record.data:
        case Srv() as srv:
            return f"{srv.port} {'.'.join(srv.target)}"
        case Soa():
            return "SOA"
        case bytes() as text:
            return text.decode()
        case tuple() as name:
            return ".".join(name)
        case address:
            return str(address)


def ask(zone: Zone, name: str, type: int, klass: int = 1) -> Answer:
    parsed = names.parse(name)
    assert parsed is not None
    return answer(Question(parsed, type, klass), zone)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_answer(case: Case, zone: Zone) -> None:
    got = ask(zone, case.name, case.type, case.klass)
    assert got.code == case.code
    assert tuple(map(shown, got.records)) == case.want
    assert tuple(map(shown, got.chain)) == case.chain
    assert tuple(".".join(record.name) for record in got.authority) == ((case.soa,) if case.soa else ())
    assert tuple(map(shown, got.additional)) == case.additional
    # whatever is said must hold together
    assert got.authoritative == (got.code != Code.REFUSED)
    assert not (got.authority and got.records)
    assert got.authority or got.records or got.chain or got.code == Code.REFUSED
    owner = ".".join(got.records[0].name) if got.records else ""
    assert not owner or owner == (case.chain[-1] if case.chain else case.name)
    for record in (*got.chain, *got.records, *got.authority, *got.additional):
        assert record.ttl_s == 5


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.code == Code.NXDOMAIN and not case.chain], ids=lambda case: case.id
)
def test_what_is_denied_has_nothing_below_it_and_no_type_at_all(case: Case, zone: Zone) -> None:
    """RFC 8020, RFC 2308: an NXDOMAIN speaks for all types and for the whole tree below."""
    for type in (A, AAAA, SRV, PTR, TXT, ANY):
        assert ask(zone, case.name, type).code == Code.NXDOMAIN
    assert ask(zone, f"x.{case.name}", A).code == Code.NXDOMAIN


def test_the_serial_grows_with_the_zone(zone: Zone) -> None:
    before = zone.soa().serial
    zone.put("default/web", {})
    assert zone.soa().serial > before
