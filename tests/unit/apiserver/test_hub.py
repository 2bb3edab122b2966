"""The hub loses nothing in silence: not when a reader is slow, and not when the feed begins again further on."""

from __future__ import annotations

import asyncio

import pytest

from apiserver.storage.hub import HistoryGone, Hub
from apiserver.storage.port import Change, ChangeType

pytestmark = pytest.mark.looptime


def put(revision: int, key: bytes = b"/a/x") -> Change:
    return Change(ChangeType.PUT, key, b"{}", revision, revision)


def hub(**more: int) -> Hub:
    made = Hub(history_limit=100, **more)
    made.reset(10)
    return made


async def test_a_reader_gets_what_is_published() -> None:
    feed = hub()
    reader = feed.subscribe(b"/a/", 11)
    feed.publish([put(11), put(12, b"/b/y")], 12)
    batch = await anext(reader)
    assert ([change.mod_revision for change in batch.changes], batch.revision) == ([11], 12)


async def test_a_slow_reader_continues_from_the_history() -> None:
    feed = hub(queue_limit=2)
    reader = feed.subscribe(b"/a/", 11)
    for revision in range(11, 20):
        feed.publish([put(revision)], revision)
    assert [change.mod_revision for change in (await anext(reader)).changes] == list(range(11, 20))


@pytest.mark.parametrize("waits", [False, True], ids=["before it reads", "while it waits"])
async def test_a_reader_is_told_of_what_is_passed_over(waits: bool) -> None:
    """The feed lost its history and begins again at 30; who subscribed from 21 on must not take 31 for the next change."""
    feed = hub()
    feed.publish([put(20)], 20)
    reader = feed.subscribe(b"/a/", 21)
    reading = asyncio.ensure_future(anext(reader)) if waits else None
    await asyncio.sleep(0)
    feed.reset(30)
    feed.publish([put(31)], 31)
    with pytest.raises(HistoryGone):
        await (reading or anext(reader))


async def test_a_reader_from_further_on_loses_nothing() -> None:
    feed = hub()
    reader = feed.subscribe(b"/a/", 31)
    feed.reset(30)
    feed.publish([put(31)], 31)
    assert [change.mod_revision for change in (await anext(reader)).changes] == [31]
