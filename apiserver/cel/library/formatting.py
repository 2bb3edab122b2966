"""`"%s has %d".format([...])`: clauses s, d, f, e, b, x, X, o, and %%.

Source: the language's extension "Strings", format.
"""

import math
import re
from typing import Any

from apiserver.cel.budget import Meter
from apiserver.cel.errors import EvaluationError
from apiserver.cel.library.times import format_duration, format_timestamp
from apiserver.cel.values import Duration, Timestamp, TypeValue, kind_of

PRECISION_MAX = 100
_CLAUSE = re.compile(r"%(?:(%)|(?:\.([0-9]{0,3}))?(.))?", re.DOTALL)
_BASES = {"b": "b", "o": "o", "x": "x", "X": "X"}


def format_string(meter: Meter, template: str, arguments: list[Any]) -> str:
    """Raises EvaluationError when the clauses do not fit the arguments."""
    meter.touch(len(template) + len(arguments))
    parts: list[str] = []
    position = used = 0
    for clause in _CLAUSE.finditer(template):
        parts.append(template[position : clause.start()])
        position = clause.end()
        if clause[1]:
            parts.append("%")
            continue
        if not clause[3]:
            raise EvaluationError("could not parse formatting clause: unexpected end of string")
        if used >= len(arguments):
            raise EvaluationError(f"index {used} out of range")
        precision = int(clause[2]) if clause[2] else 6
        parts.append(_formatted(meter, clause[3], precision, arguments[used]))
        used += 1
    return "".join((*parts, template[position:]))


def _formatted(meter: Meter, verb: str, precision: int, value: Any) -> str:
    meter.spend(1)
    kind = kind_of(value)
    if verb == "s":
        return _text(meter, value)
    if verb == "d":
        if kind in ("int", "uint"):
            return str(int(value))
        if kind == "double" and (math.isnan(value) or math.isinf(value)):
            return _special(value)
        raise _unfit("decimal", "integers", kind)
    if verb in ("f", "e"):
        if kind not in ("double", "int", "uint"):
            raise _unfit("fixed-point" if verb == "f" else "scientific notation", "doubles", kind)
        if precision > PRECISION_MAX:
            raise EvaluationError(f"precision {precision} is too large, at most {PRECISION_MAX}")
        return _special(value) if math.isnan(value) or math.isinf(value) else f"{value:.{precision}{verb}}"
    if verb in _BASES:
        return _in_base(meter, verb, value, kind)
    raise EvaluationError(f'could not parse formatting clause: unrecognized formatting clause "{verb}"')


def _in_base(meter: Meter, verb: str, value: Any, kind: str) -> str:
    if kind in ("int", "uint"):
        return f"{int(value):{_BASES[verb]}}"
    if kind == "bool" and verb == "b":
        return "1" if value else "0"
    if kind in ("string", "bytes") and verb in ("x", "X"):
        meter.touch(len(value))
        data = value if kind == "bytes" else value.encode("utf-8", "surrogatepass")
        return str(data.hex() if verb == "x" else data.hex().upper())
    raise _unfit({"b": "binary", "o": "octal"}.get(verb, "hex"), "integers", kind)


def _unfit(name: str, wanted: str, kind: str) -> EvaluationError:
    return EvaluationError(f"{name} clause can only be used on {wanted}, was given {kind}")


def _special(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _text(meter: Meter, value: Any) -> str:
    from apiserver.cel.library.conversions import format_double

    meter.spend(1)
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(int(value))
        case float():
            return _special(value) if math.isnan(value) or math.isinf(value) else format_double(value)
        case str():
            meter.touch(len(value))
            return value
        case bytes():
            meter.touch(len(value))
            return value.decode("utf-8", "replace")
        case list():
            return f"[{', '.join(_text(meter, each) for each in value)}]"
        case dict():
            entries = sorted((_text(meter, key), _text(meter, each)) for key, each in value.items())
            return f"{{{', '.join(f'{key}: {each}' for key, each in entries)}}}"
        case Timestamp():
            return format_timestamp(value)
        case Duration():
            return format_duration(value)
        case TypeValue(name=name):
            return name
    raise EvaluationError(
        "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations and timestamps, "
        f"was given {kind_of(value)}"
    )
