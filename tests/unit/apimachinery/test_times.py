"""Times and durations as the API writes them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from apimachinery.times import age_s, canonical_time, format_micro_time, format_time, human_duration, parse_time

MOMENT = datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)


def test_formats() -> None:
    assert format_time(MOMENT) == "2026-01-31T12:00:00Z"
    assert format_micro_time(MOMENT) == "2026-01-31T12:00:00.250000Z"
    assert format_time(MOMENT.astimezone(timezone(timedelta(hours=2)))) == "2026-01-31T12:00:00Z"
    assert parse_time(format_micro_time(MOMENT)) == MOMENT
    assert parse_time("2026-01-31T14:00:00+02:00") == parse_time("2026-01-31T12:00:00Z")


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-31T12:00:00", "2026-13-01T00:00:00Z"])
def test_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_time(text)


@pytest.mark.parametrize(
    ("text", "whole", "micro"),
    [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000Z"),
        ("2026-01-31T12:00:00+00:00", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000Z"),
        ("2026-02-01T01:30:00.5+13:30", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.500000Z"),
        ("2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.123456Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        *((same, same, same) for same in ("", "now", "2026-W05-6T12:00:00Z", "20260131T120000Z", "2026-01-31T12:00:00")),
        *((same, same, same) for same in ("2026-02-30T12:00:00+00:00", "0001-01-01T00:00:00+01:00")),
    ],
)
def test_canonical(text: str, whole: str, micro: str) -> None:
    assert (canonical_time(text), canonical_time(text, micro=True)) == (whole, micro)


def test_age() -> None:
    assert age_s("2026-01-31T11:59:00Z", MOMENT) == pytest.approx(60.25)
    assert age_s(None, MOMENT) is None
    assert age_s("", MOMENT) is None


MINUTE, HOUR, DAY = 60, 3600, 86400
DURATIONS = (
    (-10, "<invalid>"),
    (-1, "0s"),
    (0, "0s"),
    (47.9, "47s"),
    (119, "119s"),
    (2 * MINUTE, "2m"),
    (3 * MINUTE + 10, "3m10s"),
    (10 * MINUTE + 59, "10m"),
    (179 * MINUTE, "179m"),
    (3 * HOUR, "3h"),
    (4 * HOUR + 30 * MINUTE, "4h30m"),
    (47 * HOUR, "47h"),
    (2 * DAY, "2d"),
    (2 * DAY + HOUR, "2d1h"),
    (12 * DAY, "12d"),
    (729 * DAY, "729d"),
    (730 * DAY, "2y"),
    (800 * DAY, "2y70d"),
    (4000 * DAY, "10y"),
)


@pytest.mark.parametrize(("seconds", "want"), DURATIONS, ids=[want for _, want in DURATIONS])
def test_durations(seconds: float, want: str) -> None:
    assert human_duration(seconds) == want
