"""Times and durations as the API writes them (RFC 3339; Go's duration strings for people)."""

import re
from datetime import UTC, datetime

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII)


def format_time(moment: datetime) -> str:
    """`2026-01-31T12:00:00Z`, whole seconds, as metadata times are written."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


def format_micro_time(moment: datetime) -> str:
    """`2026-01-31T12:00:00.000000Z`, as Leases and Events write theirs."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def parse_time(text: str) -> datetime:
    """The moment that an RFC 3339 string names, aware; raises ValueError when it names none."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time {text!r} has no zone")
    return moment


def canonical_time(text: str, *, micro: bool = False) -> str:
    """A time of any zone and precision as the API writes it; what is no RFC 3339 time comes back as it is."""
    if not _RFC_3339.fullmatch(text):
        return text
    try:
        moment = parse_time(text)
        return format_micro_time(moment) if micro else format_time(moment)
    except (ValueError, OverflowError):  # no such day, or before the first year once it is in UTC
        return text


def age_s(text: str | None, now: datetime) -> float | None:
    """Seconds from an RFC 3339 time until `now`; None when the time was never set."""
    return None if not text else (now - parse_time(text)).total_seconds()


def human_duration(seconds: float) -> str:
    """A duration with two or three significant figures, as the AGE column shows it: `47s`, `3m10s`, `4h30m`, `12d`."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    whole = max(whole, 0)
    if whole < 120:
        return f"{whole}s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 10:
        return _pair(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _pair(days, "d", hours % 24, "h")
    if days < 365 * 2:
        return f"{days}d"
    if days < 365 * 8:
        return _pair(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"
