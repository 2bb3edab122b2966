"""Rules for conditions of the common form (meta/v1.Condition).

Source: the API reference of Condition.
"""

import re
from collections.abc import Sequence

from apimachinery import names
from apimachinery.errors import FieldError
from apimachinery.kinds import Condition
from apiserver.strategy.checks import Errors, named, not_negative, one_of, required

STATUSES = ("False", "True", "Unknown")
REASON_MAX = 1024
MESSAGE_MAX = 32 * 1024
_REASON = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?")


def validate_conditions(conditions: Sequence[Condition], path: str) -> Errors:
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        where = f"{path}[{index}]"
        if condition.type in seen:
            yield FieldError.duplicate(f"{where}.type", condition.type)
        seen.add(condition.type)
        yield from _validate_condition(condition, where)


def _validate_condition(condition: Condition, path: str) -> Errors:
    if condition.type:
        yield from named(f"{path}.type", condition.type, names.qualified_name)
    else:
        yield FieldError.required(f"{path}.type", "must be set")
    yield from one_of(f"{path}.status", condition.status, STATUSES)
    yield from not_negative(f"{path}.observedGeneration", condition.observed_generation)
    yield from required(f"{path}.lastTransitionTime", condition.last_transition_time, "must be set")
    if not condition.reason:
        yield FieldError.required(f"{path}.reason", "must be set")
    elif not _REASON.fullmatch(condition.reason):
        detail = "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric "
        detail += "characters or '_,:', and must end with an alphanumeric character or '_'"
        yield FieldError.invalid(f"{path}.reason", condition.reason, detail)
    if len(condition.reason) > REASON_MAX:
        yield FieldError.too_long(f"{path}.reason", REASON_MAX)
    if len(condition.message) > MESSAGE_MAX:
        yield FieldError.too_long(f"{path}.message", MESSAGE_MAX)
