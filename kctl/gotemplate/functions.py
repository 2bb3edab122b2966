"""The functions that templates may call, and how Go writes values."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus

from kctl.gotemplate.nodes import TemplateError

_VERB = re.compile(r"%([-+# 0]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])")


class Missing:
    """What a map does not have."""

    def __repr__(self) -> str:
        return "<no value>"


MISSING = Missing()


def true(value: Any) -> bool:
    """Go's truth: everything but false, 0, nothing, and what is empty."""
    return not isinstance(value, Missing) and bool(value)


def text(value: Any) -> str:
    """A value as `print` writes it."""
    match value:
        case Missing():
            return "<no value>"
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case float():
            return number(value)
        case Mapping():
            return f"map[{' '.join(f'{text(key)}:{text(value[key])}' for key in sorted(value))}]"
        case list() | tuple():
            return f"[{' '.join(map(text, value))}]"
    return str(value)


def number(value: float) -> str:
    """A float in its shortest form, with an exponent from 1e21 on."""
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return re.sub(r"e([-+])(\d)$", r"e\g<1>0\2", repr(value))


def _print(*values: Any) -> str:
    parts: list[str] = []
    for place, value in enumerate(values):
        if place and not isinstance(value, str) and not isinstance(values[place - 1], str):
            parts.append(" ")
        parts.append(text(value))
    return "".join(parts)


def _printf(form: Any, *values: Any) -> str:
    rest = list(values)

    def one(found: re.Match[str]) -> str:
        flags, width, precision, verb = found.groups()
        if verb == "%":
            return "%"
        if not rest:
            return f"%!{verb}(MISSING)"
        made = _formatted(verb, rest.pop(0), flags, precision)
        if width and "-" in flags:
            return made.ljust(int(width))
        if width and "0" in flags:
            return made.zfill(int(width))
        return made.rjust(int(width)) if width else made

    made = _VERB.sub(one, str(form))
    if rest:
        made += f"%!(EXTRA {', '.join(f'{_type(each)}={text(each)}' for each in rest)})"
    return made


def _formatted(verb: str, value: Any, flags: str, precision: str | None) -> str:
    if verb == "v":
        return text(value)
    if verb in "sq" and isinstance(value, str):
        shown = value if precision is None else value[: int(precision)]
        return json.dumps(shown, ensure_ascii=False) if verb == "q" else shown
    if verb == "s" and isinstance(value, Mapping | list):
        return text(value)
    if verb == "t" and isinstance(value, bool):
        return text(value)
    if verb in "dxXob" and isinstance(value, int) and not isinstance(value, bool):
        return format(value, f"{'+' if '+' in flags else ''}{verb}")
    if verb in "feEgG" and isinstance(value, float):
        return format(value, f"{'+' if '+' in flags else ''}.{precision or 6}{verb}") if verb != "g" else number(value)
    if verb in "xX" and isinstance(value, str):
        return format(value.encode().hex(), "s") if verb == "x" else value.encode().hex().upper()
    return f"%!{verb}(<nil>)" if value is None else f"%!{verb}({_type(value)}={text(value)})"


def _type(value: Any) -> str:
    names = {bool: "bool", str: "string", int: "int", float: "float64", dict: "map[string]interface {}", list: "[]interface {}"}
    return names.get(type(value), "<nil>")


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            if not isinstance(key, str):
                raise TemplateError(f"error calling index: value has type {_type(key)}; should be string")
            value = value.get(key, MISSING)
        elif isinstance(value, list | str) and isinstance(key, int) and not isinstance(key, bool):
            if not 0 <= key < len(value):
                raise TemplateError(f"error calling index: reflect: slice index out of range: {key}")
            value = value[key] if isinstance(value, list) else value.encode()[key]
        else:
            raise TemplateError(f"error calling index: can't index item of type {_type(value)}")
    return value


def _slice(value: Any, *bounds: Any) -> Any:
    if not isinstance(value, list | str) or len(bounds) > 2 or not all(isinstance(each, int) for each in bounds):
        raise TemplateError(f"error calling slice: can't slice item of type {_type(value)}")
    start = bounds[0] if bounds else 0
    end = bounds[1] if len(bounds) > 1 else len(value)
    if not 0 <= start <= end <= len(value):
        raise TemplateError(f"error calling slice: index out of range: {start}, {end}")
    return value[start:end]


def _len(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, Mapping | list):
        return len(value)
    raise TemplateError(f"error calling len: len of type {_type(value)}")


def _equal(first: Any, *others: Any) -> bool:
    if not others:
        raise TemplateError("error calling eq: missing argument for comparison")
    for other in others:
        if type(first) is not type(other) and first is not None and other is not None:
            raise TemplateError("error calling eq: incompatible types for comparison")
    return any(first == other for other in others)


def _ordered(name: str, compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def run(left: Any, right: Any) -> bool:
        if type(left) is not type(right) or not isinstance(left, int | float | str):
            raise TemplateError(f"error calling {name}: incompatible types for comparison")
        return compare(left, right)

    return run


def _exists(value: Any, *keys: Any) -> bool:
    try:
        return not isinstance(_index(value, *keys), Missing)
    except TemplateError:
        return False


def _base64decode(value: Any) -> str:
    try:
        return base64.b64decode(str(value), validate=True).decode(errors="replace")
    except binascii.Error as error:
        raise TemplateError(f"error calling base64decode: {error}") from error


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "base64decode": _base64decode,
    "eq": _equal,
    "exists": _exists,
    "ge": _ordered("ge", lambda left, right: left >= right),
    "gt": _ordered("gt", lambda left, right: left > right),
    "html": lambda *values: html.escape(_print(*values)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),
    "index": _index,
    "js": lambda *values: json.dumps(_print(*values))[1:-1],
    "le": _ordered("le", lambda left, right: left <= right),
    "len": _len,
    "lt": _ordered("lt", lambda left, right: left < right),
    "ne": lambda left, right: not _equal(left, right),
    "not": lambda value: not true(value),
    "print": _print,
    "printf": _printf,
    "println": lambda *values: " ".join(map(text, values)) + "\n",
    "slice": _slice,
    "urlquery": lambda *values: quote_plus(_print(*values)),
}
"""All but `and` and `or`, which look at no more arguments than they must. The last two of kubectl's: exists, base64decode."""


def call(name: str, arguments: Sequence[Any]) -> Any:
    """Call a function, to which what is missing is nil; raises TemplateError."""
    try:
        return FUNCTIONS[name](*(None if isinstance(each, Missing) else each for each in arguments))
    except TypeError as error:
        raise TemplateError(f"wrong number of args for {name}: got {len(arguments)}") from error
