"""Messages put together from bytes are what protobuf reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.cache import Entry, EventBatch, WatchEvent
from apiserver.doors import wire
from proto.gen import apiserver_pb2 as pb


def entry(data: bytes, revision: int) -> Entry:
    return Entry(b"/k", "ns", "n", revision, data)


@given(st.integers(0, 2**63 - 1), st.binary(max_size=400))
def test_envelope(revision: int, data: bytes) -> None:
    message = pb.Envelope.FromString(wire.envelope(data, revision))
    assert (message.object, message.revision) == (data, revision)


@given(st.lists(st.tuples(st.binary(max_size=300), st.integers(1, 2**40)), max_size=5), st.integers(0, 2**40))
def test_list_chunk(items: list[tuple[bytes, int]], revision: int) -> None:
    message = pb.ListChunk.FromString(wire.list_chunk([entry(*item) for item in items], revision))
    assert [(each.object, each.revision) for each in message.items] == items
    assert message.revision == revision


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED"])
def test_watch_batch(kind: str) -> None:
    events = [WatchEvent(kind, entry(b"{%d}" % index, 5), 300 + index, b"{%d}" % index) for index in range(3)]
    batch = EventBatch(events, 302)
    (data,) = wire.watch_batches(batch, bytes_max=1 << 20)
    message = pb.WatchBatch.FromString(data)
    assert [(pb.WatchEvent.Type.Name(each.type), each.object, each.revision) for each in message.events] == [
        (kind, b"{%d}" % index, 300 + index) for index in range(3)
    ]
    assert next(iter(wire.watch_batches(batch, bytes_max=1 << 20))) is data, "made once for all watchers"


def test_large_batches_are_split() -> None:
    events = [WatchEvent("ADDED", entry(b"x" * 100, 5), 5, b"x" * 100) for _ in range(4)]
    messages = [pb.WatchBatch.FromString(each) for each in wire.watch_batches(EventBatch(events, 5), bytes_max=300)]
    assert [len(each.events) for each in messages] == [1, 1, 1, 1]


@pytest.mark.parametrize("ends", [False, True])
def test_bookmark(ends: bool) -> None:
    (data,) = wire.watch_batches(EventBatch((), 77, bookmark=True, initial_events_end=ends), bytes_max=1)
    (event,) = pb.WatchBatch.FromString(data).events
    assert (event.type, event.revision, event.initial_events_end) == (pb.WatchEvent.BOOKMARK, 77, ends)


def test_write_results() -> None:
    data = wire.write_result(7, b"{}", 9) + wire.write_failure(300, b"bad")
    ok, failed = pb.WriteResults.FromString(data).results
    assert (ok.id, ok.envelope.object, ok.envelope.revision, ok.status) == (7, b"{}", 9, b"")
    assert (failed.id, failed.status, failed.HasField("envelope")) == (300, b"bad", False)


@pytest.mark.parametrize(
    ("sizes", "want"),
    [((), [0]), ((1, 1, 1), [2, 1]), ((10, 10), [1, 1]), ((50,), [1]), ((1, 50, 1), [1, 1, 1])],
    ids=["empty list has one chunk", "by count", "by size", "one too large", "mixed"],
)
def test_chunks(sizes: tuple[int, ...], want: list[int]) -> None:
    items = [entry(b"x" * size, 1) for size in sizes]
    parts = list(wire.chunks(items, items_max=2, bytes_max=10))
    assert [len(part) for part in parts] == want
    assert [item for part in parts for item in part] == items
