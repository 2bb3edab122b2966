"""Regular expressions of schemas: RE2, whose syntax Kubernetes has and whose time is linear in the text.

Patterns come from who defines a kind and texts from who uses it, so one that backtracks could stop the whole server.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


class PatternError(ValueError):
    """The text is no regular expression."""


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> Any:
    """A compiled pattern, whose `search` looks anywhere in a text; raises PatternError."""
    try:
        return re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        raise PatternError(reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)) from error
