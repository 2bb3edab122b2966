"""Schedules of CronJobs: `*/5 * * * *`, `30 4 1,15 * MON-FRI`, `@daily`, `@every 1h30m`.

Five fields: minute, hour, day of the month, month, day of the week (0 is Sunday); each is `*`, or numbers, ranges and steps,
separated by commas; months and days of the week have names too. Where both days are restricted, either suffices.
Source: the Kubernetes page "CronJob", section "Schedule syntax".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
WEEKDAYS = {name: number for number, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
MACROS: Mapping[str, str] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_EVERY = "@every "
_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|m|us|µs|ns|s)")
_DURATION_MAX_S = 9e9
_DIGITS_MAX = 9


class CronError(ValueError):
    """The text is no schedule."""


@dataclass(frozen=True)
class Times:
    """The minutes at which something is due; `any_day` and `any_weekday` say which of the two days is left open."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool


@dataclass(frozen=True)
class Every:
    """Due again and again after so many whole seconds, one at least."""

    seconds: int


@dataclass(frozen=True)
class _Field:
    name: str
    smallest: int
    largest: int
    names: Mapping[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, MONTHS),
    _Field("day of week", 0, 6, WEEKDAYS),
)


def parse(text: str) -> Times | Every:
    """The schedule; raises CronError."""
    if text.startswith(_EVERY):
        return Every(max(int(_duration_s(text.removeprefix(_EVERY))), 1))
    if text.startswith("@") and text not in MACROS:
        raise CronError(f"unrecognized descriptor: {text}")
    parts = MACROS.get(text, text).split()
    if len(parts) != len(_FIELDS):
        raise CronError(f"expected exactly {len(_FIELDS)} fields, found {len(parts)}: {parts}")
    minutes, hours, days, months, weekdays = (_numbers(part, field) for part, field in zip(parts, _FIELDS, strict=True))
    return Times(minutes, hours, days, months, weekdays, any_day=_is_open(parts[2]), any_weekday=_is_open(parts[4]))


def _is_open(part: str) -> bool:
    return any(term.split("/")[0] in ("*", "?") for term in part.split(","))


def _numbers(part: str, field: _Field) -> frozenset[int]:
    """All numbers that one field stands for."""
    found: set[int] = set()
    for term in part.split(","):
        if term:
            found.update(_term(term, field))
    if not found:
        raise CronError(f"the {field.name} is empty: {part!r}")
    return frozenset(found)


def _term(term: str, field: _Field) -> range:
    bounds, slash, step_text = term.partition("/")
    if "/" in step_text:
        raise CronError(f"too many slashes: {term}")
    first_text, hyphen, last_text = bounds.partition("-")
    if "-" in last_text:
        raise CronError(f"too many hyphens: {term}")
    if first_text in ("*", "?") and not hyphen:
        first, last = field.smallest, field.largest
    else:
        first = _number(first_text, field)
        last = _number(last_text, field) if hyphen else field.largest if slash else first
    step = _integer(step_text) if slash else 1
    if first < field.smallest:
        raise CronError(f"beginning of range ({first}) below minimum ({field.smallest}): {term}")
    if last > field.largest:
        raise CronError(f"end of range ({last}) above maximum ({field.largest}): {term}")
    if first > last:
        raise CronError(f"beginning of range ({first}) beyond end of range ({last}): {term}")
    if step == 0:
        raise CronError(f"step of range should be a positive number: {term}")
    return range(first, last + 1, step)


def _number(text: str, field: _Field) -> int:
    named = field.names.get(text.lower())
    return _integer(text) if named is None else named


def _integer(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS_MAX:
        raise CronError(f"failed to parse int from {text}: invalid syntax")
    return int(text)


def _duration_s(text: str) -> float:
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise CronError(f"failed to parse duration {_EVERY}{text}")
    seconds = sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    if seconds > _DURATION_MAX_S:
        raise CronError(f"duration {_EVERY}{text[:20]} is too long")
    return seconds
