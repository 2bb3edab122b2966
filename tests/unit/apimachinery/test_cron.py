"""Schedules of CronJobs: what they stand for, and what is refused with which words."""

import pytest

from apimachinery import cron
from apimachinery.cron import CronError, Every, Times

EVERY_MINUTE = cron.parse("* * * * *")
assert isinstance(EVERY_MINUTE, Times)

ACCEPTED = (
    ("*/20 * * * *", "minutes", {0, 20, 40}),
    ("5/20 * * * *", "minutes", {5, 25, 45}),
    ("10-40/15 * * * *", "minutes", {10, 25, 40}),
    ("1,3,1 * * * *", "minutes", {1, 3}),
    ("0 22-23 * * *", "hours", {22, 23}),
    ("0 0 1,15 * *", "days", {1, 15}),
    ("0 0 * jan-MAR *", "months", {1, 2, 3}),
    ("0 0 * * Mon-fri", "weekdays", {1, 2, 3, 4, 5}),
    ("0 0 ? * 6", "weekdays", {6}),
    ("@weekly", "weekdays", {0}),
    ("@hourly", "minutes", {0}),
    ("  0  0  *  *  * ", "minutes", {0}),
)


@pytest.mark.parametrize(("text", "field", "want"), ACCEPTED, ids=[text for text, _, _ in ACCEPTED])
def test_accepted(text: str, field: str, want: set[int]) -> None:
    assert getattr(cron.parse(text), field) == want


@pytest.mark.parametrize(
    ("text", "any_day", "any_weekday"),
    [("0 0 * * *", True, True), ("0 0 1 * *", False, True), ("0 0 ? * 1", True, False), ("0 0 */2 * 1", True, False)],
)
def test_which_of_the_two_days_is_open(text: str, any_day: bool, any_weekday: bool) -> None:
    times = cron.parse(text)
    assert isinstance(times, Times)
    assert (times.any_day, times.any_weekday) == (any_day, any_weekday)


@pytest.mark.parametrize(
    ("text", "seconds"), [("@every 1h30m", 5400), ("@every 90s", 90), ("@every 1.5m", 90), ("@every 10ms", 1)]
)
def test_intervals(text: str, seconds: int) -> None:
    assert cron.parse(text) == Every(seconds)


REFUSED = (
    ("* * * *", "expected exactly 5 fields, found 4"),
    ("0 * * * * *", "expected exactly 5 fields, found 6"),
    ("60 * * * *", "end of range (60) above maximum (59)"),
    ("* * 0 * *", "beginning of range (0) below minimum (1)"),
    ("* * * * 7", "above maximum (6)"),
    ("5-3 * * * *", "beginning of range (5) beyond end of range (3)"),
    ("*/0 * * * *", "step of range should be a positive number"),
    ("1/2/3 * * * *", "too many slashes"),
    ("1-2-3 * * * *", "too many hyphens"),
    ("x * * * *", "failed to parse int from x"),
    ("-1 * * * *", "failed to parse int"),
    ("* * * feb30 *", "failed to parse int from feb30"),
    ("٣ * * * *", "failed to parse int"),
    ("9999999999999999 * * * *", "failed to parse int"),
    (", * * * *", "the minute is empty"),
    ("@never", "unrecognized descriptor: @never"),
    ("@every", "unrecognized descriptor"),
    ("@every soon", "failed to parse duration"),
    ("@every 1h 2m", "failed to parse duration"),
    ("@every " + "9" * 400 + "h", "too long"),
    ("", "found 0"),
)


@pytest.mark.parametrize(("text", "says"), REFUSED, ids=[text[:20] for text, _ in REFUSED])
def test_refused(text: str, says: str) -> None:
    with pytest.raises(CronError) as caught:
        cron.parse(text)
    assert says in str(caught.value)
