"""The checker of histories finds what it is there to find."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.history import Ledger, Span

CONTENT = [("ADDED", "a", "1", 11), ("ADDED", "b", "2", 12), ("MODIFIED", "a", "3", 13), ("DELETED", "b", "2", 14)]


def stored(name: str, value: str, revision: int) -> dict[str, Any]:
    meta = {"namespace": "default", "name": name, "uid": f"u-{name}", "resourceVersion": str(revision)}
    return {"metadata": meta, "data": {"value": value}}


def seen(events: list[tuple[str, str, str, int]], watcher: str = "w", end: int = 0) -> Span:
    span = Span(watcher, "", 10, 10, {})
    for kind, name, value, revision in events:
        span.take(kind, stored(name, value, revision))
    span.end = max(span.end, end)
    return span


def ledger(*spans: Span) -> Ledger:
    made = Ledger(spans=list(spans))
    made.acknowledge(11, "default", "a", "1", not_before=10)
    made.acknowledge(13, "default", "a", "3", not_before=11)
    made.listed(13, "", [stored("a", "3", 13), stored("b", "2", 12)], not_before=13)
    return made


def test_a_true_history_has_no_problems() -> None:
    assert ledger(seen(CONTENT), seen(CONTENT[:2], "short")).check() == []


@pytest.mark.parametrize(
    ("events", "says"),
    [
        pytest.param([CONTENT[0], CONTENT[1], CONTENT[3]], "missed", id="a gap"),
        pytest.param([*CONTENT[:2], CONTENT[0]], "at 11 after 12", id="twice"),
        pytest.param([CONTENT[0], CONTENT[2], CONTENT[1]], "at 12 after 13", id="out of order"),
        pytest.param([("MODIFIED", "a", "1", 11)], "was not there", id="changed before it was there"),
        pytest.param([CONTENT[0], ("ADDED", "a", "3", 13)], "which was there", id="added twice"),
        pytest.param([("ADDED", "a", "9", 11)], "for another", id="another content"),
    ],
)
def test_a_watcher_that_saw_something_else_is_noticed(events: list[tuple[str, str, str, int]], says: str) -> None:
    assert any(says in problem for problem in ledger(seen(CONTENT), seen(events, "liar")).check())


def test_a_lost_write_is_noticed() -> None:
    lost = ledger(seen(CONTENT))
    lost.acknowledge(15, "default", "c", "5", not_before=14)
    assert lost.check() == [], "nobody can know what came after the last event"
    assert "nobody saw the acknowledged write 15 of c" in ledger_with(lost, seen(CONTENT, end=16)).check()


def ledger_with(made: Ledger, span: Span) -> Ledger:
    made.spans = [span]
    return made


def test_the_past_is_noticed() -> None:
    stale = ledger(seen(CONTENT))
    stale.listed(12, "", [stored("a", "1", 11), stored("b", "2", 12)], not_before=13)
    stale.acknowledge(12, "default", "b", "2", not_before=13)
    assert stale.problems == ["a read begun after 13 showed the past, 12", "write of b begun after 13 got revision 12"]


def test_a_list_that_is_no_snapshot_is_noticed() -> None:
    torn = ledger(seen(CONTENT))
    torn.listed(13, "", [stored("a", "1", 11), stored("b", "2", 12)], not_before=13)
    assert any("the list at 13" in problem for problem in torn.check())
