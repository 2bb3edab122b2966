"""SPDY/3.1 as bytes: frames out of a connection's data, and data out of frames. No I/O: `apiclient.spdy` carries it.

Kubernetes' exec, attach and port forwarding speak SPDY: kubectl before 1.31 with the API server, every kubelet with its
runtime, and port forwarding inside a WebSocket to this day. A Framer is one end's view of one connection: it owns the
two compression contexts, so every header block that is encoded must be sent, in order, and every byte received must be
fed.

What a peer may make us hold is bounded: a control frame, and the headers in it, by CONTROL_BYTES_MAX each; the data of
a data frame is handed on in pieces as it comes, the last of which carries the flag that ends the stream.
Source: the SPDY Protocol draft 3.1 (sections 2.2, 2.6); what other ends do with it is that of spdystream.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

VERSION = 3
CONTROL_BYTES_MAX = 64 * 1024
HEADERS_MAX = 128
STREAM_ID_MAX = 0x7FFFFFFF
WINDOW_BYTES = 64 * 1024
WINDOW_BYTES_MAX = 0x7FFFFFFF
INITIAL_WINDOW_SETTING = 7

_FIN, _UNIDIRECTIONAL = 1, 2
_CONTROL = 0x80000000
_LENGTH = 0xFFFFFF

_NAMES = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status"
)
_WORDS = (*_NAMES.split(), "200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin")
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,public"
    "privatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = b"".join(struct.pack(">I", len(word)) + word.encode() for word in _WORDS) + _TAIL.encode()
"""What both ends' compression starts from; its Adler-32 is e3c6a7c2."""


class Kind(IntEnum):
    """Types of control frames."""

    SYN_STREAM = 1
    SYN_REPLY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    HEADERS = 8
    WINDOW_UPDATE = 9


class Reset(IntEnum):
    """Why a stream is reset."""

    PROTOCOL_ERROR = 1
    INVALID_STREAM = 2
    REFUSED_STREAM = 3
    CANCEL = 5
    INTERNAL_ERROR = 6
    FLOW_CONTROL_ERROR = 7
    STREAM_ALREADY_CLOSED = 9


class Away(IntEnum):
    """Why a connection ends."""

    OK = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2


class SpdyError(Exception):
    """The other end does not keep to the protocol; the connection cannot go on."""


@dataclass(frozen=True)
class SynStream:
    """The other end opens a stream."""

    stream: int
    headers: Mapping[str, str]
    fin: bool = False
    unidirectional: bool = False


@dataclass(frozen=True)
class SynReply:
    """The other end takes a stream that was opened from here."""

    stream: int
    headers: Mapping[str, str] = field(default_factory=dict)
    fin: bool = False


@dataclass(frozen=True)
class Headers:
    """More headers of a stream."""

    stream: int
    headers: Mapping[str, str]
    fin: bool = False


@dataclass(frozen=True)
class RstStream:
    """A stream is over, in both directions."""

    stream: int
    status: int


@dataclass(frozen=True)
class Settings:
    """What the other end is like: values by identity."""

    values: Mapping[int, int]


@dataclass(frozen=True)
class Ping:
    """To be sent back when the other end has made the number (a client's are odd)."""

    number: int


@dataclass(frozen=True)
class GoAway:
    """The other end takes no more streams after `last`."""

    last: int
    status: int = Away.OK


@dataclass(frozen=True)
class WindowUpdate:
    """So many bytes more may be sent on a stream, or (0) on the connection."""

    stream: int
    delta: int


@dataclass(frozen=True)
class Data:
    """A piece of a stream's data; `fin` with the last there is."""

    stream: int
    data: bytes
    fin: bool = False


Frame: TypeAlias = SynStream | SynReply | Headers | RstStream | Settings | Ping | GoAway | WindowUpdate | Data


class Framer:
    """One end of one connection."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._buffer = bytearray()
        self._data_stream = 0
        self._data_left = 0
        self._data_fin = False

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes; raises SpdyError. Control frames of types nobody knows are passed over."""
        self._buffer += data
        frames: list[Frame] = []
        while True:
            if self._data_left:
                if not self._buffer:
                    return frames
                frames.append(self._piece())
                continue
            if len(self._buffer) < 8:
                return frames
            first, second = struct.unpack_from(">II", self._buffer)
            length, flags = second & _LENGTH, second >> 24
            if not first & _CONTROL:
                del self._buffer[:8]
                if not length:
                    frames.append(Data(first, b"", bool(flags & _FIN)))
                self._data_stream, self._data_left, self._data_fin = first, length, bool(flags & _FIN)
                continue
            if length > CONTROL_BYTES_MAX:
                raise SpdyError(f"a control frame of {length} bytes is longer than {CONTROL_BYTES_MAX}")
            if len(self._buffer) < 8 + length:
                return frames
            payload = bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            if (first >> 16) & 0x7FFF != VERSION:
                raise SpdyError(f"SPDY version {(first >> 16) & 0x7FFF} is not spoken here")
            frame = self._control(first & 0xFFFF, flags, payload)
            if frame is not None:
                frames.append(frame)

    def encode(self, frame: Frame) -> bytes:
        """The frame as bytes, which must be sent in the order they were made."""
        match frame:
            case Data(stream, data, fin):
                return struct.pack(">II", stream, (_FIN if fin else 0) << 24 | len(data)) + data
            case SynStream(stream, headers, fin, unidirectional):
                flags = (_FIN if fin else 0) | (_UNIDIRECTIONAL if unidirectional else 0)
                return _packed(Kind.SYN_STREAM, flags, struct.pack(">IIH", stream, 0, 0) + self._block(headers))
            case SynReply(stream, headers, fin):
                return _packed(Kind.SYN_REPLY, _FIN if fin else 0, struct.pack(">I", stream) + self._block(headers))
            case Headers(stream, headers, fin):
                return _packed(Kind.HEADERS, _FIN if fin else 0, struct.pack(">I", stream) + self._block(headers))
            case RstStream(stream, status):
                return _packed(Kind.RST_STREAM, 0, struct.pack(">II", stream, status))
            case Settings(values):
                entries = b"".join(struct.pack(">II", key, value) for key, value in values.items())
                return _packed(Kind.SETTINGS, 0, struct.pack(">I", len(values)) + entries)
            case Ping(number):
                return _packed(Kind.PING, 0, struct.pack(">I", number))
            case GoAway(last, status):
                return _packed(Kind.GOAWAY, 0, struct.pack(">II", last, status))
            case WindowUpdate(stream, delta):
                return _packed(Kind.WINDOW_UPDATE, 0, struct.pack(">II", stream, delta))

    def _piece(self) -> Data:
        data = bytes(self._buffer[: self._data_left])
        del self._buffer[: len(data)]
        self._data_left -= len(data)
        return Data(self._data_stream, data, self._data_fin and not self._data_left)

    def _control(self, kind: int, flags: int, payload: bytes) -> Frame | None:
        try:
            match kind:
                case Kind.SYN_STREAM:
                    (stream,) = struct.unpack_from(">I", payload)
                    headers = self._headers(payload, 10)
                    return SynStream(_stream(stream), headers, bool(flags & _FIN), bool(flags & _UNIDIRECTIONAL))
                case Kind.SYN_REPLY | Kind.HEADERS:
                    (stream,) = struct.unpack_from(">I", payload)
                    cls = SynReply if kind == Kind.SYN_REPLY else Headers
                    return cls(_stream(stream), self._headers(payload, 4), bool(flags & _FIN))
                case Kind.RST_STREAM:
                    stream, status = struct.unpack(">II", payload)
                    return RstStream(_stream(stream), status)
                case Kind.SETTINGS:
                    return Settings(_settings(payload))
                case Kind.PING:
                    return Ping(*struct.unpack(">I", payload))
                case Kind.GOAWAY:
                    last, status = struct.unpack(">II", payload)
                    return GoAway(last & STREAM_ID_MAX, status)
                case Kind.WINDOW_UPDATE:
                    stream, delta = struct.unpack(">II", payload)
                    return WindowUpdate(stream & STREAM_ID_MAX, delta & WINDOW_BYTES_MAX)
                case _:
                    return None
        except struct.error:
            raise SpdyError(f"a control frame of type {kind} is {len(payload)} bytes long") from None

    def _block(self, headers: Mapping[str, str]) -> bytes:
        plain = [struct.pack(">I", len(headers))]
        for name, value in headers.items():
            for text in (name.lower().encode(), value.encode()):
                plain += [struct.pack(">I", len(text)), text]
        return self._deflate.compress(b"".join(plain)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def _headers(self, payload: bytes, start: int) -> dict[str, str]:
        if len(payload) < start:
            raise SpdyError("a frame with headers is too short")
        try:
            plain = self._inflate.decompress(payload[start:], CONTROL_BYTES_MAX)
        except zlib.error as error:
            raise SpdyError(f"headers cannot be unpacked: {error}") from error
        if self._inflate.unconsumed_tail:
            raise SpdyError(f"headers are longer than {CONTROL_BYTES_MAX} bytes")
        return parse_headers(plain)


def parse_headers(plain: bytes) -> dict[str, str]:
    """Names and values of an unpacked header block; a value of several parts keeps the NULs between them."""
    found: dict[str, str] = {}
    try:
        (count,) = struct.unpack_from(">I", plain)
        if count > HEADERS_MAX:
            raise SpdyError(f"{count} headers are more than {HEADERS_MAX}")
        place = 4
        for _ in range(count):
            name, place = _text(plain, place)
            value, place = _text(plain, place)
            if not name or name != name.lower() or name in found:
                raise SpdyError(f"the header name {name!r} is empty, not in small letters or there twice")
            found[name] = value
    except struct.error:
        raise SpdyError("a header block ends early") from None
    if place != len(plain):
        raise SpdyError("a header block goes on after its headers")
    return found


def _text(plain: bytes, place: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">I", plain, place)
    end = place + 4 + length
    if end > len(plain):
        raise SpdyError("a header block ends early")
    return plain[place + 4 : end].decode("utf-8", "replace"), end


def _settings(payload: bytes) -> dict[int, int]:
    (count,) = struct.unpack_from(">I", payload)
    if len(payload) != 4 + 8 * count:
        raise SpdyError("a settings frame is not as long as it says")
    pairs = struct.iter_unpack(">II", payload[4:])
    return {identity & 0xFFFFFF: value for identity, value in pairs}


def _stream(number: int) -> int:
    stream = number & STREAM_ID_MAX
    if not stream:
        raise SpdyError("stream 0 cannot be named there")
    return stream


def _packed(kind: Kind, flags: int, payload: bytes) -> bytes:
    return struct.pack(">HHI", 0x8000 | VERSION, kind, flags << 24 | len(payload)) + payload
