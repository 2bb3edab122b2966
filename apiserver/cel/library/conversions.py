"""Conversions between types, and what values have in common: `int`, `string`, `type`, `size`.

Source: the language definition of the Common Expression Language, "List of Standard Definitions".
"""

import math
from typing import Any

from apiserver.cel.calls import Library
from apiserver.cel.errors import EvaluationError
from apiserver.cel.library.times import format_duration, format_timestamp, parse_duration, parse_timestamp
from apiserver.cel.values import INT_MAX, INT_MIN, UINT_MAX, Duration, Timestamp, TypeValue, Uint, kind_of

_NUMBER_CHARACTERS_MAX = 64
_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")


def format_double(value: float) -> str:
    """The shortest form that reads back as the same number, with an exponent when it is very large or small."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < 1e21:
        return f"{int(value)}" if value or math.copysign(1, value) > 0 else "-0"
    text = repr(value)
    if "e" not in text and abs(value) < 1e-4:
        text = f"{value:.17e}" if float(f"{value:.16e}") != value else f"{value:.16e}"
    return text


def _int_of_string(text: str) -> int:
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _NUMBER_CHARACTERS_MAX):
        raise EvaluationError(f"type conversion error from 'string' to 'int': {_short(text)}")
    return _int_within(int(text), INT_MIN, INT_MAX)


def _int_within(value: int, lowest: int, highest: int) -> int:
    if not lowest <= value <= highest:
        raise EvaluationError("integer overflow" if lowest else "unsigned integer overflow")
    return value


def _int_of_double(value: float, lowest: int, highest: int) -> int:
    if math.isnan(value) or math.isinf(value):
        raise EvaluationError("integer overflow" if lowest else "unsigned integer overflow")
    return _int_within(int(value), lowest, highest)


def _uint_of_string(text: str) -> Uint:
    if not (text.isascii() and text.isdigit() and len(text) <= _NUMBER_CHARACTERS_MAX):
        raise EvaluationError(f"type conversion error from 'string' to 'uint': {_short(text)}")
    return Uint(_int_within(int(text), 0, UINT_MAX))


def _double_of_string(text: str) -> float:
    try:
        if text != text.strip() or "_" in text or len(text) > 4 * _NUMBER_CHARACTERS_MAX:
            raise ValueError("no number")
        return float(text)
    except ValueError as error:
        raise EvaluationError(f"type conversion error from 'string' to 'double': {_short(text)}") from error


def _bool_of_string(text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise EvaluationError(f"type conversion error from 'string' to 'bool': {_short(text)}")


def _string_of_bytes(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from error


def _short(text: str) -> str:
    return text if len(text) <= _NUMBER_CHARACTERS_MAX else f"{text[:_NUMBER_CHARACTERS_MAX]}..."


def _same(value: Any) -> Any:
    return value


def declare(library: Library) -> None:
    _numbers(library)
    _texts(library)
    library.function("bool", "bool", result="bool")(_same)
    library.function("bool", "string", result="bool")(_bool_of_string)
    library.function("type", "dyn", result="type")(lambda value: TypeValue(kind_of(value)))
    library.function("dyn", "dyn", result="dyn")(_same)
    for sized in ("string", "bytes", "list", "map"):
        library.function("size", sized, result="int")(len)
        library.method("size", sized, result="int")(len)


def _numbers(library: Library) -> None:
    library.function("int", "int", result="int")(_same)
    library.function("int", "uint", result="int")(lambda value: _int_within(int(value), INT_MIN, INT_MAX))
    library.function("int", "double", result="int")(lambda value: _int_of_double(value, INT_MIN, INT_MAX))
    library.function("int", "string", result="int")(_int_of_string)
    library.function("int", "timestamp", result="int")(lambda value: value.nanoseconds // 1_000_000_000)
    library.function("int", "duration", result="int")(lambda value: value.nanoseconds)
    library.function("uint", "uint", result="uint")(_same)
    library.function("uint", "int", result="uint")(lambda value: Uint(_int_within(value, 0, UINT_MAX)))
    library.function("uint", "double", result="uint")(lambda value: Uint(_int_of_double(value, 0, UINT_MAX)))
    library.function("uint", "string", result="uint")(_uint_of_string)
    for number in ("double", "int", "uint"):
        library.function("double", number, result="double")(float)
    library.function("double", "string", result="double")(_double_of_string)


def _texts(library: Library) -> None:
    library.function("string", "string", result="string")(_same)
    for number in ("int", "uint"):
        library.function("string", number, result="string")(lambda value: str(int(value)))
    library.function("string", "double", result="string")(format_double)
    library.function("string", "bool", result="string")(lambda value: "true" if value else "false")
    library.function("string", "bytes", result="string", linear=True)(_string_of_bytes)
    library.function("string", "timestamp", result="string")(format_timestamp)
    library.function("string", "duration", result="string")(format_duration)
    library.function("bytes", "bytes", result="bytes")(_same)
    library.function("bytes", "string", result="bytes", linear=True)(lambda value: value.encode("utf-8", "surrogatepass"))
    library.function("timestamp", "timestamp", result="timestamp")(_same)
    library.function("timestamp", "string", result="timestamp")(parse_timestamp)
    library.function("timestamp", "int", result="timestamp")(lambda seconds: Timestamp(seconds * 1_000_000_000))
    library.function("duration", "duration", result="duration")(_same)
    library.function("duration", "string", result="duration")(parse_duration)
    library.function("duration", "int", result="duration")(Duration)
