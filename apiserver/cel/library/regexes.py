"""Regular expressions, in RE2's syntax and by RE2 itself: its time is linear in the text, whatever the pattern.

Source: the language definition of the Common Expression Language, "Regular Expressions"; the Kubernetes page "Common Expression
Language in Kubernetes", "Kubernetes regex library".
"""

from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]

from apiserver.cel.budget import Meter
from apiserver.cel.calls import Library
from apiserver.cel.errors import EvaluationError

PATTERN_CHARACTERS_MAX = 10_000
_PATTERN_CHARACTERS_PER_STEP = 4
CALL_COST, MATCH_COST = 20, 5
"""In steps: a pattern may have to be compiled, and every match becomes a value."""


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Any:
    """Raises EvaluationError for what is no pattern."""
    options = re2.Options()
    options.log_errors = False
    try:
        if len(pattern) > PATTERN_CHARACTERS_MAX:
            raise EvaluationError(f"regular expression of {len(pattern)} characters is too long")
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        detail = error.args[0] if error.args else ""
        shown = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
        raise EvaluationError(f"error parsing regexp: {shown}") from error


def _paid(meter: Meter, text: str, pattern: str) -> Any:
    meter.spend(CALL_COST)
    meter.touch((1 + len(text)) * (1 + len(pattern) // _PATTERN_CHARACTERS_PER_STEP))
    return compiled(pattern)


def matches(meter: Meter, text: str, pattern: str) -> bool:
    return _paid(meter, text, pattern).search(text) is not None


def _find(meter: Meter, text: str, pattern: str) -> str:
    found = _paid(meter, text, pattern).search(text)
    return str(found.group(0)) if found is not None else ""


def _find_all(meter: Meter, text: str, pattern: str, limit: int = -1) -> list[str]:
    found: list[str] = []
    if limit == 0:
        return found
    for each in _paid(meter, text, pattern).finditer(text):
        meter.spend(MATCH_COST)
        found.append(str(each.group(0)))
        if len(found) == limit:
            break
    return found


def declare(library: Library) -> None:
    library.method("matches", "string", "string", result="bool", metered=True)(matches)
    library.function("matches", "string", "string", result="bool", metered=True)(matches)
    library.method("find", "string", "string", result="string", metered=True)(_find)
    library.method("findAll", "string", "string", result="list<string>", metered=True)(_find_all)
    library.method("findAll", "string", "string", "int", result="list<string>", metered=True)(_find_all)
