"""Configurations in the spelling of what is stored: `cpu: 1000m` is stored as `1`, and saying it again must not be a change.

Defaulting spells quantities canonically in objects; a configuration is compared with the object before that, field by field.
"""

from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from apimachinery.quantity import QuantityError, canonical

_QUANTITY = {str, int, float}


def spelled(cls: type[msgspec.Struct], plain: dict[str, Any]) -> dict[str, Any]:
    """Plain data of an object of class `cls` with its quantities as they are stored; what is none stays as it is."""
    result: dict[str, Any] = _spelled(cls, plain)
    return result


def _spelled(hint: Any, value: Any) -> Any:
    if isinstance(value, dict):
        cls = _struct_in(hint)
        if cls is not None:
            fields = _fields(cls)
            return {name: _spelled(fields[name], member) if name in fields else member for name, member in value.items()}
        inner = _argument(hint, dict, 1)
        return value if inner is None else {name: _spelled(inner, member) for name, member in value.items()}
    if isinstance(value, list):
        inner = _argument(hint, list, 0)
        return value if inner is None else [_spelled(inner, item) for item in value]
    if isinstance(value, str | int | float) and not isinstance(value, bool) and {*get_args(hint)} >= _QUANTITY:
        try:
            return canonical(value)
        except QuantityError:
            return value  # for validation to refuse
    return value


@cache
def _fields(cls: type[msgspec.Struct]) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return dict(zip(cls.__struct_encode_fields__, (hints[name] for name in cls.__struct_fields__), strict=True))


def _struct_in(hint: Any) -> type[msgspec.Struct] | None:
    """The class in a type that may be optional."""
    for option in (hint, *get_args(hint)) if get_origin(hint) not in (dict, list) else ():
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            return option
    return None


def _argument(hint: Any, origin: type, index: int) -> Any:
    """The type of the elements of a list, or of the values of a map, in a type that may be optional."""
    for option in (hint, *get_args(hint)):
        if get_origin(option) is origin:
            return get_args(option)[index]
    return None
