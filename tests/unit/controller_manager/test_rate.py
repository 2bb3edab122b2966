"""Turns: some at once, the others one after the other, and nobody more than once."""

from __future__ import annotations

from apimachinery.clock import FakeClock
from controller_manager.shared.rate import Turns


def test_a_burst_then_so_many_a_second() -> None:
    clock = FakeClock()
    turns = Turns(clock, per_s=10, burst=3)

    def waits(*keys: str) -> list[float]:
        return [round(turns.wait_s(key), 6) for key in keys]

    assert waits("a", "b", "c", "d", "e", "f") == [0, 0, 0, 0.1, 0.2, 0.3]
    assert waits("f") == [0.3], "a key keeps its turn"
    clock.advance(0.25)
    assert waits("d", "e", "f") == [0, 0, 0.05]
    turns.done("f")
    assert waits("f") == [0.15], "a key that has given its turn up gets the next one"
    clock.advance(100)
    assert waits("p", "q", "r", "s") == [0, 0, 0, 0.1], "no more than a burst is saved up"


def test_turns_in_rounds() -> None:
    clock = FakeClock(monotonic=1000.2)
    turns = Turns(clock, per_s=10, burst=2, round_s=0.5)
    assert [round(turns.wait_s(str(number)), 6) for number in range(12)] == [0, 0, 0.3, 0.3, *5 * [0.8], *3 * [1.3]]


def test_a_slower_pace_holds_for_who_asks_then() -> None:
    clock = FakeClock()
    turns = Turns(clock, per_s=10, burst=1)
    assert [round(turns.wait_s(key, pace=0.5), 6) for key in "abc"] == [0.1, 0.3, 0.5]
    assert round(turns.wait_s("d"), 6) == 0.6
    assert round(turns.wait_s("c"), 6) == 0.5
