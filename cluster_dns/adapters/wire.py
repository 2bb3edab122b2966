"""Packets: queries read, replies put together (RFC 1035 section 4, RFC 6891 for EDNS).

Queries are read here, octet by octet: a header, one question and perhaps an OPT record are all that counts, and whoever
sends may be hostile, so nothing recurses and every loop ends with the packet. Records are encoded by dnslib, each one by
itself and compressed against the question only: thus they may be put in any order, left out where a packet is full, and
used again for the same name in other letter case, because the question is always echoed as it came (and names of records
that point into it take its case, which "0x20" resolvers compare).
"""

from dataclasses import dataclass
from ipaddress import IPv4Address
from struct import Struct
from typing import Any

import dnslib  # type: ignore[import-untyped]

from cluster_dns.core.answer import Answer, Question
from cluster_dns.core.names import WIRE_BYTES_MAX
from cluster_dns.core.records import Code, Record, Soa, Srv, Type

HEADER_BYTES = 12
UDP_BYTES = 512
"""What any client takes over UDP."""
UDP_BYTES_MAX = 1232
"""What is sent to a client that takes more: no link fragments it."""
TCP_BYTES_MAX = 65535

_QR, _AA, _TC, _RD, _CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0010
_HEADER = Struct("!HHHHHH")
_QUESTION = Struct("!HH")
_FIXED = Struct("!HHIH")
_POINTER = 0xC0
_OPT_BYTES = 11


@dataclass(frozen=True, slots=True)
class Query:
    """A question that can be answered.

    `asked` is the question section as it came; `key` the same in lower case; `udp_bytes` what the client takes over UDP;
    `edns` whether it sent OPT.
    """

    id: int
    flags: int
    asked: bytes
    key: bytes
    udp_bytes: int = UDP_BYTES
    edns: bool = False

    def question(self) -> Question:
        labels, offset = [], 0
        while length := self.key[offset]:
            labels.append(self.key[offset + 1 : offset + 1 + length].decode("latin-1"))
            offset += 1 + length
        kind, klass = _QUESTION.unpack_from(self.key, offset + 1)
        return Question(tuple(labels), kind, klass)


@dataclass(frozen=True, slots=True)
class Unanswerable:
    """A packet that gets a bare code; `edns` as in Query."""

    id: int
    flags: int
    code: Code
    asked: bytes = b""
    edns: bool = False


@dataclass(frozen=True, slots=True)
class Sections:
    """An answer as encoded records. `records` may be turned; `rest_bytes` is all of it together."""

    code: Code
    flags: int
    chain: tuple[bytes, ...]
    records: tuple[bytes, ...]
    authority: tuple[bytes, ...]
    additional: tuple[bytes, ...]
    total_bytes: int


class _MalformedError(Exception):
    """The packet ends too early, or holds what cannot stand there."""


def read(packet: bytes) -> Query | Unanswerable | None:
    """The question in a packet, the code it deserves, or None for what must not be answered (a fragment, a reply)."""
    if len(packet) < HEADER_BYTES:
        return None
    number, flags, questions, answers, authorities, additionals = _HEADER.unpack_from(packet)
    if flags & _QR:
        return None  # two servers that answer each other's answers would never stop
    if flags & 0x7800:
        return Unanswerable(number, flags, Code.NOTIMP)
    if questions != 1:
        return Unanswerable(number, flags, Code.FORMERR)  # RFC 9619
    try:
        end = _question_end(packet)
        opt = _find_opt(packet, end + 4, answers + authorities + additionals)
    except _MalformedError:
        return Unanswerable(number, flags, Code.FORMERR)
    asked = packet[HEADER_BYTES : end + 4]
    if opt is None:
        return Query(number, flags, asked, _key(packet, end))
    size, version = opt
    if version:
        return Unanswerable(number, flags, Code.BADVERS, asked, edns=True)
    return Query(number, flags, asked, _key(packet, end), min(max(size, UDP_BYTES), UDP_BYTES_MAX), edns=True)


def encode(answer: Answer, query: Query) -> Sections:
    """An answer's records for the question that `query` asks."""
    encoder = _Encoder(query)
    chain, records, authority, additional = (
        tuple(encoder.encode(record) for record in section)
        for section in (answer.chain, answer.records, answer.authority, answer.additional)
    )
    total = sum(len(each) for section in (chain, records, authority, additional) for each in section)
    flags = _AA if answer.authoritative else 0
    return Sections(answer.code, flags, chain, records, authority, additional, total)


def reply(query: Query, sections: Sections, first: int, limit_bytes: int) -> bytes:
    """The packet, its records beginning with the one numbered `first`; truncated (TC) where it would pass the limit.

    As many records as fit are kept: clients without TCP use them. Additional records give way without TC (RFC 2181
    section 9).
    """
    records = sections.records
    if first:
        records = records[first:] + records[:first]
    answers, authority, additional = sections.chain + records, sections.authority, sections.additional
    flags = _QR | sections.flags | (query.flags & (_RD | _CD)) | (sections.code & 0x0F)
    opt = _opt(sections.code) if query.edns else b""
    room = limit_bytes - HEADER_BYTES - len(query.asked) - len(opt)
    if sections.total_bytes > room:
        kept, room = _fitting(answers, room)
        kept_authority, room = _fitting(authority, room) if kept == answers else ((), room)
        if kept != answers or kept_authority != authority:
            flags |= _TC
            additional = ()
        answers, authority = kept, kept_authority
        additional, _ = _fitting(additional, room)
    header = _HEADER.pack(query.id, flags, 1, len(answers), len(authority), len(additional) + query.edns)
    return b"".join((header, query.asked, *answers, *authority, *additional, opt))


def refusal(packet: Unanswerable) -> bytes:
    """The bare reply to what cannot be answered; the question stands in it only where it could be read."""
    flags = _QR | (packet.flags & (0x7800 | _RD | _CD)) | (packet.code & 0x0F)
    header = _HEADER.pack(packet.id, flags, 1 if packet.asked else 0, 0, 0, int(packet.edns))
    return header + packet.asked + (_opt(packet.code) if packet.edns else b"")


def failure(packet: bytes) -> bytes:
    """SERVFAIL for a packet of at least a header, for the server's own faults."""
    number, flags, *_ = _HEADER.unpack_from(packet)
    return refusal(Unanswerable(number, flags, Code.SERVFAIL))


def _question_end(packet: bytes) -> int:
    """Where the type of the question stands. A first name has nothing to point back to, so it is not compressed."""
    offset, size = HEADER_BYTES, len(packet)
    while offset < size and (length := packet[offset]):
        offset += 1 + length
        if length >= 0x40 or offset - HEADER_BYTES >= WIRE_BYTES_MAX:
            raise _MalformedError
    if offset + 5 > size:
        raise _MalformedError
    return offset + 1


def _find_opt(packet: bytes, offset: int, count: int) -> tuple[int, int] | None:
    """The UDP size and the version in the OPT record after the question; other records are passed over."""
    found = None
    for _ in range(count):
        start = offset
        offset = _name_end(packet, offset)
        if offset + _FIXED.size > len(packet):
            raise _MalformedError
        kind, klass, ttl, length = _FIXED.unpack_from(packet, offset)
        offset += _FIXED.size + length
        if offset > len(packet):
            raise _MalformedError
        if kind == Type.OPT:
            if found is not None or packet[start]:
                raise _MalformedError  # RFC 6891 section 6.1.1: one, at the root
            found = klass, ttl >> 16 & 0xFF
    return found


def _name_end(packet: bytes, offset: int) -> int:
    size = len(packet)
    while offset < size:
        length = packet[offset]
        if length >= _POINTER:
            return offset + 2
        if length >= 0x40:
            break
        offset += 1 + length
        if not length:
            return offset
    raise _MalformedError


def _key(packet: bytes, end: int) -> bytes:
    # lengths of labels are below any letter's code, so that lowering the name leaves them; type and class must not be touched
    return packet[HEADER_BYTES:end].lower() + packet[end : end + 4]


def _opt(code: Code) -> bytes:
    return b"\0" + _FIXED.pack(Type.OPT, UDP_BYTES_MAX, (code >> 4) << 24, 0)


def _fitting(records: tuple[bytes, ...], room: int) -> tuple[tuple[bytes, ...], int]:
    for number, record in enumerate(records):
        if len(record) > room:
            return records[:number], room
        room -= len(record)
    return records, room


class _Settled(dict[Any, int]):
    """Names that later ones may point to, to which none is added."""

    def __setitem__(self, name: Any, offset: int) -> None:
        pass


class _Encoder:
    """Encodes records that follow a question."""

    def __init__(self, query: Query) -> None:
        self._buffer = dnslib.DNSBuffer()
        self._buffer.append(bytes(HEADER_BYTES))
        self._buffer.encode_name(_label(query.question().name))
        self._buffer.append(query.key[-4:])
        self._buffer.names = _Settled(self._buffer.names)
        self._start = self._buffer.offset

    def encode(self, record: Record) -> bytes:
        buffer, start = self._buffer, self._start
        del buffer.data[start:]
        buffer.offset = start
        dnslib.RR(_label(record.name), record.type, ttl=record.ttl_s, rdata=_rdata(record)).pack(buffer)
        return bytes(buffer.data[start:])


def _rdata(record: Record) -> Any:
    match record.data:
        case IPv4Address() as address:
            return dnslib.A(str(address))
        case Srv() as srv:
            return dnslib.SRV(srv.priority, srv.weight, srv.port, _label(srv.target))
        case Soa() as soa:
            times = (soa.serial, soa.refresh_s, soa.retry_s, soa.expire_s, soa.minimum_s)
            return dnslib.SOA(_label(soa.primary), _label(soa.mailbox), times)
        case bytes() as text:
            return dnslib.TXT(text)
        case name:
            return getattr(dnslib, record.type.name)(_label(name))


def _label(name: tuple[str, ...]) -> Any:
    return dnslib.DNSLabel([label.encode("latin-1") for label in name])
