"""Timestamps and durations: how they are written, and their parts.

Source: the language definition of the Common Expression Language, "Timestamp and Duration functions"; RFC 3339.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from apiserver.cel.calls import Library
from apiserver.cel.errors import EvaluationError
from apiserver.cel.values import NANOSECONDS, Duration, Timestamp

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": NANOSECONDS,
    "m": 60 * NANOSECONDS,
    "h": 3600 * NANOSECONDS,
}
_DURATION = re.compile(r"[+-]?(?:(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(?:ns|us|µs|μs|ms|s|m|h)){1,16}")
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)")
_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9})[0-9]*)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_OFFSET = re.compile(r"([+-]?)([0-9]{1,2}):([0-9]{2})")


def parse_duration(text: str) -> Duration:
    """`1h30m`, `-1.5s`; raises EvaluationError."""
    if text in ("0", "+0", "-0"):
        return Duration(0)
    if len(text) > 400 or not _DURATION.fullmatch(text):
        raise EvaluationError(f"type conversion error from 'string' to 'duration': {text[:64]}")
    total = 0
    for whole, fraction, unit in _PART.findall(text):
        total += int(whole or 0) * _UNITS[unit]
        if fraction:
            total += int(fraction) * _UNITS[unit] // 10 ** len(fraction)
    return Duration(-total if text.startswith("-") else total)


def format_duration(value: Duration) -> str:
    """Seconds, as JSON has durations."""
    seconds, rest = divmod(abs(value.nanoseconds), NANOSECONDS)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{'-' if value.nanoseconds < 0 else ''}{seconds}{fraction}s"


def parse_timestamp(text: str) -> Timestamp:
    """RFC 3339; raises EvaluationError."""
    found = _TIMESTAMP.fullmatch(text) if len(text) <= 64 else None
    try:
        if found is None:
            raise ValueError("not in the form of RFC 3339")
        zone = "+00:00" if found[4] in "Zz" else found[4]
        moment = datetime.fromisoformat(f"{found[1]}T{found[2]}{zone}")
        return Timestamp(Timestamp.of(moment).nanoseconds + int((found[3] or "0").ljust(9, "0")))
    except (ValueError, OverflowError) as error:
        raise EvaluationError(f"type conversion error from 'string' to 'timestamp': {text[:64]}") from error


def format_timestamp(value: Timestamp) -> str:
    """RFC 3339 in UTC."""
    rest = value.nanoseconds % NANOSECONDS
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{value.moment().strftime('%Y-%m-%dT%H:%M:%S').rjust(19, '0')}{fraction}Z"


def _zone(name: str) -> tzinfo:
    if name in ("", "UTC"):
        return UTC
    if offset := _OFFSET.fullmatch(name):
        span = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        if span < timedelta(hours=24):
            return timezone(-span if offset[1] == "-" else span)
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:  # KeyError: ZoneInfoNotFoundError
        raise EvaluationError(f"unknown time zone {name[:64]}") from error


_PARTS: dict[str, Callable[[datetime], int]] = {
    "getFullYear": lambda moment: moment.year,
    "getMonth": lambda moment: moment.month - 1,
    "getDate": lambda moment: moment.day,
    "getDayOfMonth": lambda moment: moment.day - 1,
    "getDayOfWeek": lambda moment: moment.isoweekday() % 7,
    "getDayOfYear": lambda moment: moment.timetuple().tm_yday - 1,
    "getHours": lambda moment: moment.hour,
    "getMinutes": lambda moment: moment.minute,
    "getSeconds": lambda moment: moment.second,
    "getMilliseconds": lambda moment: moment.microsecond // 1000,
}
_SPANS = {"getHours": 3600 * NANOSECONDS, "getMinutes": 60 * NANOSECONDS, "getSeconds": NANOSECONDS}


def declare(library: Library) -> None:
    for name, part in _PARTS.items():
        _timestamp_part(library, name, part)
    for name, unit in _SPANS.items():
        _duration_part(library, name, unit)
    library.method("getMilliseconds", "duration", result="int")(
        lambda value: _truncated(value.nanoseconds, 1_000_000) - 1000 * _truncated(value.nanoseconds, NANOSECONDS)
    )


def _timestamp_part(library: Library, name: str, part: Callable[[datetime], int]) -> None:
    def in_zone(value: Timestamp, zone: str) -> int:
        try:
            return part(value.moment().astimezone(_zone(zone)))
        except OverflowError as error:
            raise EvaluationError("timestamp out of range in this time zone") from error

    library.method(name, "timestamp", result="int")(lambda value: part(value.moment()))
    library.method(name, "timestamp", "string", result="int")(in_zone)


def _duration_part(library: Library, name: str, unit: int) -> None:
    library.method(name, "duration", result="int")(lambda value: _truncated(value.nanoseconds, unit))


def _truncated(value: int, unit: int) -> int:
    return value // unit if value >= 0 else -(-value // unit)
