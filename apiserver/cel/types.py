"""Types of expressions, as far as they are known before there are values.

Most values of admission are of type `dyn`: anything. Where a literal, an operator or a function says more, compiling checks it,
so that `"a" + 1` or a rule that is no bool is refused when it is written and not when it is needed. A type with `fields` is an
object whose fields are declared; naming another is an error then.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Type:
    """`element` is that of a list or an optional, or of a map's values; `type_name` is what messages call it."""

    name: str
    element: "Type | None" = None
    fields: "Mapping[str, Type] | None" = None

    def __str__(self) -> str:
        if self.name == "list":
            return f"list({self.element or DYN})"
        if self.name == "map":
            return f"map(string, {self.element or DYN})" if self.element is not None else "map(dyn, dyn)"
        if self.name == "optional_type":
            return f"optional_type({self.element or DYN})"
        return self.name


DYN = Type("dyn")
BOOL = Type("bool")
INT = Type("int")
UINT = Type("uint")
DOUBLE = Type("double")
STRING = Type("string")
BYTES = Type("bytes")
NULL = Type("null_type")
DURATION = Type("google.protobuf.Duration")
TIMESTAMP = Type("google.protobuf.Timestamp")
TYPE = Type("type")
LIST = Type("list")
MAP = Type("map")
OPTIONAL = Type("optional_type")
NUMBERS = frozenset(("int", "uint", "double"))
_PLAIN = {each.name: each for each in (DYN, BOOL, INT, UINT, DOUBLE, STRING, BYTES, NULL, TYPE, LIST, MAP, OPTIONAL)}
_PLAIN |= {"optional": OPTIONAL, "duration": DURATION, "timestamp": TIMESTAMP}


def named(name: str) -> Type:
    """The type that a signature names: `int`, `list`, `list<string>`, `optional<dyn>`, `kubernetes.Quantity`."""
    if name.endswith(">"):
        outer, inner = name[:-1].split("<", 1)
        return Type(named(outer).name, named(inner))
    return _PLAIN.get(name) or Type(name)


def list_of(element: Type) -> Type:
    return Type("list", element)


def map_of(element: Type) -> Type:
    return Type("map", element)


def optional_of(element: Type) -> Type:
    return Type("optional_type", element)


def record(name: str, fields: Mapping[str, Type]) -> Type:
    """An object that has these fields and no others."""
    return Type(name, None, fields)


def join(types: Iterable[Type]) -> Type:
    """The type of a value that has one of `types`; `dyn` when they differ."""
    first, *others = (*types,) or (DYN,)
    return first if all(each == first for each in others) else DYN


def accepts(wanted: Type, given: Type) -> bool:
    """Whether a value of type `given` may turn out to be a `wanted`."""
    if wanted.name == "dyn" or given.name == "dyn":
        return True
    if wanted.name != given.name and not (wanted.name == "map" and given.fields is not None):
        return False
    return wanted.element is None or given.element is None or accepts(wanted.element, given.element)
