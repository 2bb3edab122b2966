"""SPDY frames: there and back, in any pieces; hostile frames are refused and hold no memory."""

from __future__ import annotations

import random
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery import spdy
from apimachinery.spdy import (
    Data,
    Frame,
    Framer,
    GoAway,
    Ping,
    RstStream,
    Settings,
    SpdyError,
    SynReply,
    SynStream,
    WindowUpdate,
)

NAMES = st.text("abcdefghijklmnopqrstuvwxyz-:", min_size=1, max_size=12)
HEADERS = st.dictionaries(NAMES, st.text(max_size=40).map(lambda text: text.encode("utf-8", "ignore").decode()), max_size=6)
STREAMS = st.integers(1, spdy.STREAM_ID_MAX)
WORDS = st.integers(0, 2**32 - 1)
FRAMES = st.one_of(
    st.builds(SynStream, STREAMS, HEADERS, st.booleans(), st.booleans()),
    st.builds(SynReply, STREAMS, HEADERS, st.booleans()),
    st.builds(spdy.Headers, STREAMS, HEADERS, st.booleans()),
    st.builds(RstStream, STREAMS, WORDS),
    st.builds(Settings, st.dictionaries(st.integers(0, 2**24 - 1), WORDS, max_size=4)),
    st.builds(Ping, WORDS),
    st.builds(GoAway, st.integers(0, spdy.STREAM_ID_MAX), WORDS),
    st.builds(WindowUpdate, st.integers(0, spdy.STREAM_ID_MAX), st.integers(0, spdy.WINDOW_BYTES_MAX)),
    st.builds(Data, STREAMS, st.binary(max_size=300), st.booleans()),
)


def control(kind: int, payload: bytes, *, version: int = 3, flags: int = 0) -> bytes:
    return struct.pack(">HHI", 0x8000 | version, kind, flags << 24 | len(payload)) + payload


def joined(frames: list[Frame]) -> list[Frame]:
    """Pieces of one data frame put together; an empty one without an end says nothing."""
    found: list[Frame] = []
    for frame in frames:
        last = found[-1] if found else None
        if isinstance(frame, Data) and isinstance(last, Data) and not last.fin and last.stream == frame.stream:
            found[-1] = Data(frame.stream, last.data + frame.data, frame.fin)
        else:
            found.append(frame)
    return [frame for frame in found if not isinstance(frame, Data) or frame.data or frame.fin]


def test_the_dictionary_is_spdys() -> None:
    assert (len(spdy.DICTIONARY), zlib.adler32(spdy.DICTIONARY)) == (1423, 0xE3C6A7C2)


@given(st.lists(FRAMES, max_size=12), st.integers(1, 64))
def test_frames_arrive_as_they_were_sent_in_any_pieces(frames: list[Frame], size: int) -> None:
    sender, receiver = Framer(), Framer()
    wire = b"".join(sender.encode(frame) for frame in frames)
    found = [frame for start in range(0, len(wire), size) for frame in receiver.feed(wire[start : start + size])]
    assert joined(found) == joined(frames)


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_any_bytes_are_frames_or_an_error(chunks: list[bytes]) -> None:
    framer = Framer()
    try:
        for chunk in chunks:
            framer.feed(chunk)
    except SpdyError:
        return


@pytest.mark.parametrize("seed", range(40))
def test_damaged_frames_are_frames_or_an_error(seed: int) -> None:
    rng = random.Random(seed)
    sender = Framer()
    frames: list[Frame] = [
        SynStream(1, {"streamtype": "error"}),
        Data(1, b"hello"),
        Settings({7: 65536}),
        SynStream(3, {"streamtype": "data", "port": "80"}, fin=True),
        GoAway(3),
    ]
    wire = bytearray(b"".join(sender.encode(frame) for frame in frames))
    for _ in range(rng.randrange(1, 6)):
        wire[rng.randrange(len(wire))] = rng.randrange(256)
    receiver = Framer()
    try:
        for byte in wire:
            receiver.feed(bytes((byte,)))
    except SpdyError:
        return


def bomb() -> bytes:
    """A control frame of some kilobytes, whose headers are 64 MiB."""
    packer = zlib.compressobj(9, zdict=spdy.DICTIONARY)
    return struct.pack(">IIH", 1, 0, 0) + packer.compress(bytes(64 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH)


def block(plain: bytes) -> bytes:
    packer = zlib.compressobj(zdict=spdy.DICTIONARY)
    return struct.pack(">IIH", 1, 0, 0) + packer.compress(plain) + packer.flush(zlib.Z_SYNC_FLUSH)


def named(*names: str) -> bytes:
    pairs = b"".join(struct.pack(">I", len(name)) + name.encode() + struct.pack(">I", 0) for name in names)
    return block(struct.pack(">I", len(names)) + pairs)


@pytest.mark.parametrize(
    ("wire", "says"),
    [
        pytest.param(control(6, bytes(4), version=2), "version 2", id="another version"),
        pytest.param(control(6, bytes(4), version=0x7FFF), "version", id="no version there is"),
        pytest.param(struct.pack(">HHI", 0x8003, 1, 0xFFFFFF), "longer than", id="a control frame of 16 MiB"),
        pytest.param(control(6, bytes(3)), "3 bytes", id="a ping that is too short"),
        pytest.param(control(3, bytes(9)), "9 bytes", id="a reset that is too long"),
        pytest.param(control(3, struct.pack(">II", 0, 1)), "stream 0", id="a reset of no stream"),
        pytest.param(control(1, bytes(4)), "too short", id="headers that are not there"),
        pytest.param(control(1, bytes(10) + b"nonsense"), "unpacked", id="headers that are not packed"),
        pytest.param(control(1, bomb()[: spdy.CONTROL_BYTES_MAX]), "longer than", id="a bomb"),
        pytest.param(control(1, named("a", "a")), "twice", id="a header twice"),
        pytest.param(control(1, named("Port")), "small letters", id="a header in capitals"),
        pytest.param(control(1, named("")), "empty", id="a header without a name"),
        pytest.param(control(1, block(struct.pack(">I", 2**31))), "more than", id="very many headers"),
        pytest.param(control(1, block(struct.pack(">III", 1, 2**31, 0))), "ends early", id="a name that is not all there"),
        pytest.param(control(1, block(struct.pack(">I", 0) + b"more")), "goes on", id="more than headers"),
        pytest.param(control(4, struct.pack(">I", 2**31)), "settings", id="settings that are not there"),
        pytest.param(control(4, b""), "0 bytes", id="settings of nothing"),
    ],
)
def test_hostile_frames(wire: bytes, says: str) -> None:
    with pytest.raises(SpdyError, match=says):
        Framer().feed(wire)


def test_unknown_control_frames_are_passed_over() -> None:
    framer = Framer()
    assert framer.feed(control(99, b"what") + framer.encode(Ping(1))) == [Ping(1)]


def test_data_is_handed_on_as_it_comes() -> None:
    framer = Framer()
    assert framer.feed(struct.pack(">II", 5, 1 << 24 | 0xFFFFFF) + b"abc") == [Data(5, b"abc")]
    assert framer.feed(b"") == []
    assert framer.feed(b"de") == [Data(5, b"de")]


def test_headers_without_the_dictionary_are_read() -> None:
    packer = zlib.compressobj()
    plain = struct.pack(">IIsIs", 1, 1, b"a", 1, b"b")
    packed = packer.compress(plain) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert Framer().feed(control(2, struct.pack(">I", 3) + packed)) == [SynReply(3, {"a": "b"})]
