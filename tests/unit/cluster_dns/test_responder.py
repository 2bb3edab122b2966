"""Packets in, packets out; dnslib plays the client."""

from __future__ import annotations

import logging
import random
from collections import Counter
from dataclasses import dataclass

import dnslib  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apimachinery.codec import convert
from apimachinery.kinds import EndpointSlice, Service
from cluster_dns.adapters import responder as responder_module
from cluster_dns.adapters.responder import Responder
from cluster_dns.adapters.wire import UDP_BYTES_MAX
from cluster_dns.core.records import Code
from cluster_dns.core.services import records_of
from cluster_dns.core.zone import Zone

DOMAIN = ("cluster", "local")


class Observed:
    def __init__(self) -> None:
        self.seen: list[tuple[str, int, Code]] = []

    def __call__(self, transport: str, asked: int, code: Code) -> None:
        self.seen.append((transport, asked, code))


def put(zone: Zone, name: str, *addresses: str, cluster_ip: str = "None") -> None:
    meta = {"name": name, "namespace": "default"}
    service = convert(Service, {"metadata": meta, "spec": {"clusterIP": cluster_ip, "ports": [{"name": "p", "port": 1}]}})
    endpoints = [{"addresses": [address], "hostname": f"{name}-{number}"} for number, address in enumerate(addresses)]
    slice_ = convert(
        EndpointSlice,
        {"metadata": meta, "addressType": "IPv4", "endpoints": endpoints, "ports": [{"name": "p", "port": 9}]},
    )
    zone.put(f"default/{name}", records_of(service, [slice_], DOMAIN))


def new_zone() -> Zone:
    zone = Zone(DOMAIN, "10.96.0.0/16")
    put(zone, "web", cluster_ip="10.96.0.5")
    put(zone, "three", "10.244.0.1", "10.244.0.2", "10.244.0.3")
    put(zone, "many", *(f"10.244.1.{number}" for number in range(1, 201)))
    return zone


def new_responder(zone: Zone | None = None, observed: Observed | None = None) -> Responder:
    return Responder(zone or new_zone(), random.Random(0), observed or Observed())


def question(name: str, type: str = "A", edns: int = 0, **options: int) -> bytes:
    record = dnslib.DNSRecord.question(name, type)
    if edns:
        record.add_ar(dnslib.EDNS0(udp_len=edns, **options))
    return bytes(record.pack())


def ask(responder: Responder, packet: bytes, transport: str = "udp") -> tuple[dnslib.DNSRecord, bytes]:
    reply = responder.respond(packet, transport)
    assert reply is not None
    assert reply[:2] == packet[:2], "the reply carries the query's id"
    parsed = dnslib.DNSRecord.parse(reply)
    assert parsed.header.qr == 1
    assert parsed.header.ra == 0
    return parsed, reply


@dataclass(frozen=True)
class Size:
    id: str
    name: str
    type: str = "A"
    edns: int = 0
    transport: str = "udp"
    limit: int = 512
    truncated: bool = False
    answers: int = 1
    additional: int = 0


SIZES = (
    Size("small", "web.default.svc.cluster.local"),
    Size("additional included", "_p._tcp.three.default.svc.cluster.local", "SRV", answers=3, additional=3),
    Size("beyond 512", "many.default.svc.cluster.local", truncated=True, answers=29),
    Size("EDNS below 512 means 512", "many.default.svc.cluster.local", edns=100, truncated=True, answers=28),
    Size("EDNS 1024", "many.default.svc.cluster.local", edns=1024, limit=1024, truncated=True, answers=60),
    Size("EDNS above ours", "many.default.svc.cluster.local", edns=65535, limit=UDP_BYTES_MAX, truncated=True, answers=73),
    Size("TCP has room", "many.default.svc.cluster.local", transport="tcp", limit=65535, answers=200),
    Size("SRV beyond 512", "_p._tcp.many.default.svc.cluster.local", "SRV", truncated=True, answers=7),
    Size(
        "SRV over TCP", "_p._tcp.many.default.svc.cluster.local", "SRV",
        transport="tcp", limit=65535, answers=200, additional=200,
    ),
)  # fmt: skip


@pytest.mark.parametrize("case", SIZES, ids=lambda case: case.id)
def test_sizes(case: Size) -> None:
    reply, raw = ask(new_responder(), question(case.name, case.type, case.edns), case.transport)
    assert len(raw) <= case.limit
    assert bool(reply.header.tc) == case.truncated
    assert len(reply.rr) == case.answers
    plain = [record for record in reply.ar if record.rtype != 41]
    assert len(plain) == case.additional
    assert len(reply.ar) - len(plain) == bool(case.edns)


def test_additional_records_give_way_without_truncation() -> None:
    zone = Zone(DOMAIN)
    put(zone, "seven", *(f"10.244.1.{number}" for number in range(7)))
    reply, _ = ask(new_responder(zone), question("_p._tcp.seven.default.svc.cluster.local", "SRV"))
    assert (len(reply.rr), bool(reply.header.tc)) == (7, False)
    assert 0 < len(reply.ar) < 7


def test_letter_case_is_kept_and_does_not_matter() -> None:
    responder = new_responder()
    for name in ("web.default.svc.cluster.local", "wEB.deFAult.svc.CLUSTER.local", "WEB.DEFAULT.SVC.CLUSTER.LOCAL"):
        reply, _ = ask(responder, question(name))
        assert b".".join(reply.questions[0].qname.label).decode() == name
        assert b".".join(reply.rr[0].rname.label).decode() == name
        assert str(reply.rr[0].rdata) == "10.96.0.5"


def test_a_type_is_not_taken_for_a_letter() -> None:
    """65 (HTTPS) is the code of "A", and 97 that of "a"; 1 + 256 * 65 likewise."""
    observed = Observed()
    responder = new_responder(observed=observed)
    packet = bytearray(question("web.default.svc.cluster.local"))
    for type in (65, 97, 65 * 256 + 65):
        packet[-4:-2] = type.to_bytes(2)
        ask(responder, bytes(packet))
    assert [asked for _, asked, _ in observed.seen] == [65, 97, 65 * 256 + 65]


def test_each_address_comes_first_about_as_often_and_all_come_always() -> None:
    responder = new_responder()
    firsts: Counter[str] = Counter()
    for _ in range(300):
        reply, _ = ask(responder, question("three.default.svc.cluster.local"))
        addresses = [str(record.rdata) for record in reply.rr]
        assert sorted(addresses) == ["10.244.0.1", "10.244.0.2", "10.244.0.3"]
        firsts[addresses[0]] += 1
    assert all(70 < count < 130 for count in firsts.values()), firsts


def test_an_alias_stays_before_the_addresses_it_leads_to() -> None:
    zone = new_zone()
    spec = {"type": "ExternalName", "externalName": "three.default.svc.cluster.local"}
    alias = convert(Service, {"metadata": {"name": "alias", "namespace": "default"}, "spec": spec})
    zone.put("default/alias", records_of(alias, [], DOMAIN))
    responder = new_responder(zone)
    for _ in range(20):
        reply, _ = ask(responder, question("alias.default.svc.cluster.local"))
        assert [record.rtype for record in reply.rr] == [5, 1, 1, 1]
        assert {str(record.rname) for record in reply.rr[1:]} == {"three.default.svc.cluster.local."}


def test_a_change_of_the_zone_is_answered_at_once() -> None:
    zone = new_zone()
    responder = new_responder(zone)
    packet = question("late.default.svc.cluster.local")
    assert ask(responder, packet)[0].header.rcode == Code.NXDOMAIN
    put(zone, "late", cluster_ip="10.96.0.9")
    assert str(ask(responder, packet)[0].rr[0].rdata) == "10.96.0.9"
    zone.put("default/late", {})
    assert ask(responder, packet)[0].header.rcode == Code.NXDOMAIN


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responder_module, "CACHED_MAX", 10)
    responder = new_responder()
    for number in range(100):
        ask(responder, question(f"n{number}.cluster.local"))
        assert len(responder._cached) <= 10


HEADER = bytes.fromhex("1234 0100 0001 0000 0000 0000")
WEB = b"\x03web\x07default\x03svc\x07cluster\x05local\x00"
A_IN = b"\x00\x01\x00\x01"
OPT = b"\x00" + bytes.fromhex("0029 04d0 00000000 0000")

TXT = b"\xc0\x0c\x00\x10" + OPT[3:]


def header(flags: int = 0x0100, *counts: int) -> bytes:
    return b"".join(number.to_bytes(2) for number in (0x1234, flags, *(counts or (1, 0, 0, 0))))


MALFORMED = (
    ("empty", b"", None),
    ("cut in the header", HEADER[:11], None),
    ("a reply", header(0x8000) + WEB + A_IN, None),
    ("a reply that is malformed", header(0x8000) + b"\xff", None),
    ("no question", header(0x0100, 0, 0, 0, 0), Code.FORMERR),
    ("two questions", header(0x0100, 2, 0, 0, 0) + (WEB + A_IN) * 2, Code.FORMERR),
    ("question missing", HEADER, Code.FORMERR),
    ("cut in the name", HEADER + WEB[:9], Code.FORMERR),
    ("cut in the type", HEADER + WEB + A_IN[:3], Code.FORMERR),
    ("name points to itself", HEADER + b"\xc0\x0c" + A_IN, Code.FORMERR),
    ("name points back", HEADER + b"\x03web\xc0\x00" + A_IN, Code.FORMERR),
    ("label of an unknown form", HEADER + b"\x41" + b"a" * 65 + b"\x00" + A_IN, Code.FORMERR),
    ("name too long", HEADER + b"\x01a" * 128 + b"\x00" + A_IN, Code.FORMERR),
    ("longest name", HEADER + b"\x01a" * 127 + b"\x00" + A_IN, Code.REFUSED),
    ("root", HEADER + b"\x00" + A_IN, Code.REFUSED),
    ("labels of any bytes", HEADER + b"\x04\x00.\x7f\x01\x07cluster\x05local\x00" + A_IN, Code.NXDOMAIN),
    ("a dot within a label", HEADER + b"\x0bweb.default\x03svc\x07cluster\x05local\x00" + A_IN, Code.NXDOMAIN),
    ("additional missing", header(0x0100, 1, 0, 0, 1) + WEB + A_IN, Code.FORMERR),
    ("additional cut", header(0x0100, 1, 0, 0, 1) + WEB + A_IN + OPT[:-1], Code.FORMERR),
    ("two OPT", header(0x0100, 1, 0, 0, 2) + WEB + A_IN + OPT * 2, Code.FORMERR),
    ("OPT not at the root", header(0x0100, 1, 0, 0, 1) + WEB + A_IN + b"\x01a" + OPT, Code.FORMERR),
    ("OPT data beyond the end", header(0x0100, 1, 0, 0, 1) + WEB + A_IN + OPT[:-1] + b"\x09", Code.FORMERR),
    ("other additional records are passed over", header(0x0100, 1, 0, 0, 1) + WEB + A_IN + TXT, Code.NOERROR),
    ("bytes after the end", HEADER + WEB + A_IN + b"junk", Code.NOERROR),
    ("NOTIFY", header(0x2000) + WEB + A_IN, Code.NOTIMP),
    ("UPDATE", header(0x2800) + WEB + A_IN, Code.NOTIMP),
    ("IQUERY", header(0x0800, 0, 1, 0, 0), Code.NOTIMP),
)  # fmt: skip


@pytest.mark.parametrize(("packet", "want"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_malformed(packet: bytes, want: Code | None) -> None:
    observed = Observed()
    reply = new_responder(observed=observed).respond(packet, "udp")
    assert (None if reply is None else Code(reply[3] & 15)) == want
    assert [code for _, _, code in observed.seen] == ([] if want is None else [want])
    if reply is not None:
        assert reply[:2] == b"\x12\x34"
        assert reply[2] & 0x78 == packet[2] & 0x78, "the opcode is echoed"
        dnslib.DNSRecord.parse(reply)


def test_an_unknown_version_of_edns() -> None:
    reply, _ = ask(new_responder(), question("web.default.svc.cluster.local", edns=1232, version=1))
    assert reply.header.rcode == 0
    opt = reply.ar[0]
    assert (opt.rtype, opt.ttl >> 24, opt.ttl >> 16 & 255) == (41, 1, 0), "extended code 1: BADVERS; version 0 is known"
    assert not reply.rr


def test_flags() -> None:
    packet = bytearray(question("web.default.svc.cluster.local"))
    packet[2:4] = (0x0100 | 0x0010 | 0x0020 | 0x0200).to_bytes(2)  # RD, CD, AD, TC
    header = ask(new_responder(), bytes(packet))[0].header
    assert (header.rd, header.cd, header.ad, header.tc, header.aa) == (1, 1, 0, 0, 1)
    assert ask(new_responder(), question("example.com"))[0].header.aa == 0


SHARED = new_responder()
packets = st.one_of(
    st.binary(max_size=600),
    st.builds(lambda rest: HEADER + rest, st.binary(max_size=300)),
    st.builds(
        lambda labels, tail: HEADER + b"".join(bytes([len(each)]) + each for each in labels) + WEB[4:] + tail,
        st.lists(st.binary(min_size=1, max_size=63), max_size=4),
        st.binary(min_size=4, max_size=4),
    ),
    st.builds(
        lambda at, value: (
            (full := header(0x0100, 1, 0, 0, 1) + WEB + A_IN + OPT)[: at % len(full)]
            + bytes([value])
            + full[at % len(full) + 1 :]
        ),
        st.integers(0, 200),
        st.integers(0, 255),
    ),
)


@settings(max_examples=400, deadline=None)
@given(packets, st.sampled_from(["udp", "tcp"]))
def test_any_bytes_get_a_proper_reply_or_none(packet: bytes, transport: str) -> None:
    reply = SHARED.respond(packet, transport)
    assert SHARED._faults == 0
    if reply is None:
        assert len(packet) < 12 or packet[2] & 0x80
        return
    assert reply[:2] == packet[:2]
    assert reply[2] & 0x80
    assert len(reply) <= (UDP_BYTES_MAX if transport == "udp" else 65535)
    assert len(reply) <= max(512, 12 * len(packet)), "no great amplification"


def test_a_fault_of_ours_is_servfail_and_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Zone):
        def find(self, name: tuple[str, ...]) -> None:
            raise RuntimeError("broken")

    observed = Observed()
    responder = new_responder(Broken(DOMAIN), observed)
    with caplog.at_level(logging.ERROR):
        for _ in range(100):
            assert ask(responder, question("web.cluster.local"))[0].header.rcode == Code.SERVFAIL
    assert len(caplog.records) == 7  # the 1st, 2nd, 4th, ... 64th
    assert observed.seen == [("udp", 0, Code.SERVFAIL)] * 100
