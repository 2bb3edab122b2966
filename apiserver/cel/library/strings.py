"""Functions of strings.

Positions count characters. What makes a string longer is paid for before it is made.

Source: the language's extension "Strings", as Kubernetes includes it.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from apiserver.cel.budget import Meter
from apiserver.cel.calls import Library
from apiserver.cel.errors import EvaluationError
from apiserver.cel.library.formatting import format_string
from apiserver.cel.values import no_overload

_SPACE = "\t\n\v\f\r \u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_UPPER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_LOWER = {lower: lower - 32 for lower in range(ord("a"), ord("z") + 1)}
_ESCAPES = str.maketrans(
    {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"'}
)


def _char_at(text: str, position: int) -> str:
    if not 0 <= position <= len(text):
        raise EvaluationError(f"index out of range: {position}")
    return text[position : position + 1]


def _index_of(text: str, wanted: str, start: int) -> int:
    if not wanted:
        return start
    if not 0 <= start <= len(text):
        raise EvaluationError(f"index out of range: {start}")
    return text.find(wanted, start)


def _last_index_of(text: str, wanted: str, last: int) -> int:
    if not wanted:
        return last
    if not 0 <= last <= len(text):
        raise EvaluationError(f"index out of range: {last}")
    return text.rfind(wanted, 0, last + len(wanted))


def _substring(text: str, start: int, end: int) -> str:
    if not 0 <= start <= len(text):
        raise EvaluationError(f"index out of range: {start}")
    if not 0 <= end <= len(text):
        raise EvaluationError(f"index out of range: {end}")
    if start > end:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {end}")
    return text[start:end]


def _replace(meter: Meter, text: str, old: str, new: str, count: int = -1) -> str:
    meter.touch(len(text) + len(old) + len(new))
    found = text.count(old)
    times = found if count < 0 else min(found, count)
    meter.touch(times * len(new))
    return text.replace(old, new, times)


def _split(meter: Meter, text: str, separator: str, limit: int = -1) -> list[str]:
    meter.touch(len(text) + len(separator))
    meter.spend(text.count(separator) if limit < 0 else max(0, min(limit, len(text))))
    if limit == 0:
        return []
    if not separator:
        letters = list(text)
        return letters if limit < 0 or len(letters) <= limit else [*letters[: limit - 1], text[limit - 1 :]]
    return text.split(separator, limit - 1 if limit > 0 else -1)


def _join(meter: Meter, parts: list[Any], separator: str = "") -> str:
    if any(type(each) is not str for each in parts):
        raise no_overload()
    meter.touch(sum(map(len, parts)) + len(parts) * (1 + len(separator)))
    return separator.join(parts)


def _quote(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'


def _base64_decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise EvaluationError("illegal base64 data") from error


def _linear(library: Library, name: str, *parameters: str, result: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return library.method(name, *parameters, result=result, linear=True)


def declare(library: Library) -> None:
    _linear(library, "contains", "string", "string", result="bool")(lambda text, part: part in text)
    _linear(library, "startsWith", "string", "string", result="bool")(str.startswith)
    _linear(library, "endsWith", "string", "string", result="bool")(str.endswith)
    library.method("charAt", "string", "int", result="string")(_char_at)
    _linear(library, "indexOf", "string", "string", result="int")(lambda text, wanted: _index_of(text, wanted, 0))
    _linear(library, "indexOf", "string", "string", "int", result="int")(_index_of)
    _linear(library, "lastIndexOf", "string", "string", result="int")(
        lambda text, wanted: _last_index_of(text, wanted, len(text))
    )
    _linear(library, "lastIndexOf", "string", "string", "int", result="int")(_last_index_of)
    _linear(library, "lowerAscii", "string", result="string")(lambda text: text.translate(_UPPER))
    _linear(library, "upperAscii", "string", result="string")(lambda text: text.translate(_LOWER))
    _linear(library, "trim", "string", result="string")(lambda text: text.strip(_SPACE))
    _linear(library, "reverse", "string", result="string")(lambda text: text[::-1])
    _linear(library, "substring", "string", "int", result="string")(lambda text, start: _substring(text, start, len(text)))
    _linear(library, "substring", "string", "int", "int", result="string")(_substring)
    library.method("replace", "string", "string", "string", result="string", metered=True)(_replace)
    library.method("replace", "string", "string", "string", "int", result="string", metered=True)(_replace)
    library.method("split", "string", "string", result="list<string>", metered=True)(_split)
    library.method("split", "string", "string", "int", result="list<string>", metered=True)(_split)
    library.method("join", "list", result="string", metered=True)(_join)
    library.method("join", "list", "string", result="string", metered=True)(_join)
    library.method("format", "string", "list", result="string", metered=True)(format_string)
    library.function("jsonpatch.escapeKey", "string", result="string", linear=True)(
        lambda text: text.replace("~", "~0").replace("/", "~1")
    )
    library.function("strings.quote", "string", result="string", linear=True)(_quote)
    library.function("base64.encode", "bytes", result="string", linear=True)(lambda value: base64.b64encode(value).decode())
    library.function("base64.decode", "string", result="bytes", linear=True)(_base64_decode)
