"""Expectations: when a cache has caught up with one's own writes."""

from apiclient.expectations import EXPIRY_S, Expectations
from apimachinery.clock import FakeClock


def test_nothing_expected_is_satisfied() -> None:
    assert Expectations(FakeClock()).satisfied("a")


def test_creations_are_counted_down() -> None:
    expectations = Expectations(FakeClock())
    expectations.expect_creations("a", 2)
    expectations.creation_observed("a")
    assert not expectations.satisfied("a")
    expectations.creation_observed("a")
    assert expectations.satisfied("a")


def test_a_deletion_seen_twice_counts_once() -> None:
    expectations = Expectations(FakeClock())
    expectations.expect_deletions("a", ["u1", "u2"])
    expectations.deletion_observed("a", "u1")
    expectations.deletion_observed("a", "u1")
    assert not expectations.satisfied("a")
    expectations.deletion_observed("a", "u2")
    assert expectations.satisfied("a")


def test_keys_do_not_mix() -> None:
    expectations = Expectations(FakeClock())
    expectations.expect_creations("a", 1)
    expectations.creation_observed("b")
    assert not expectations.satisfied("a")
    assert expectations.satisfied("b")


def test_an_event_that_never_comes_blocks_for_five_minutes_only() -> None:
    clock = FakeClock()
    expectations = Expectations(clock)
    expectations.expect_creations("a", 1)
    clock.advance(EXPIRY_S - 1)
    assert not expectations.satisfied("a")
    clock.advance(2)
    assert expectations.satisfied("a")


def test_a_forgotten_key_expects_nothing() -> None:
    expectations = Expectations(FakeClock())
    expectations.expect_deletions("a", ["u"])
    expectations.forget("a")
    assert expectations.satisfied("a")
