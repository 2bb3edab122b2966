"""Durations as the command line takes them."""

import re

from kctl.errors import KctlError

_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str, name: str = "duration") -> float:
    """Seconds of `90`, `1m30s`, `500ms`, `-1s`; raises KctlError that names the option."""
    sign = -1.0 if text.startswith("-") else 1.0
    body = text.lstrip("+-")
    if body.isdigit():
        return sign * float(body)
    parts = _PART.findall(body)
    if not parts or "".join(number + unit for number, unit in parts) != body:
        raise KctlError(f'invalid argument "{text}" for "--{name}" flag: time: invalid duration "{text}"')
    return sign * sum(float(number) * _UNITS_S[unit] for number, unit in parts)
