"""One step of a field path, in the spelling of FieldsV1.

`f:NAME` a field or a key of a map; `k:{...}` an element of a list by its keys, in sorted order; `v:JSON` an element of a set by
its value; `i:N` an element by its place; `.` stands for the place itself. Elements are plain strings with one spelling each, so
that sets of them compare and hash as strings do.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

SELF = "."
FIELD = "f:"
_AFTER_FIELDS = "f;"
"""Comes after every field, and before all elements for which the order of strings is not the one that counts."""

_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder().decode


def key_element(item: Any, keys: Iterable[str], defaults: Mapping[str, Any]) -> str | None:
    """The element of a list that is identified by `keys`; None when a key is neither given nor has a default."""
    if not isinstance(item, dict):
        return None
    found: dict[str, Any] = {}
    for key in keys:
        value = item.get(key)
        if value is None:
            value = defaults.get(key)
        if value is None or isinstance(value, dict | list):
            return None
        found[key] = value
    return "k:" + _encode(found).decode()


def value_element(value: Any) -> str:
    """The element of a set that is this value."""
    return "v:" + _encode(value).decode()


def normal(element: str) -> str:
    """The one spelling of an element that somebody else has written; raises ValueError for what is none."""
    kind, separator, rest = element[:1], element[1:2], element[2:]
    if element == SELF or (kind == "f" and separator == ":"):
        return element
    if separator == ":" and kind in ("k", "v", "i"):
        try:
            content = _decode(rest)
        except msgspec.DecodeError as error:
            raise ValueError(f"{element!r} is no path element: {error}") from error
        fits = {"k": isinstance(content, dict), "i": type(content) is int, "v": True}
        if fits[kind]:
            return f"{kind}:{_encode(content).decode()}"
    raise ValueError(f"{element!r} is no path element")


def in_order(elements: Iterable[str]) -> list[str]:
    """Elements in the order in which Kubernetes writes them: the place itself, fields, keys, values, indices."""
    listed = sorted(elements)
    return listed if not listed or listed[-1] < _AFTER_FIELDS else sorted(listed, key=_rank)


def put_in_order(node: dict[str, Any]) -> dict[str, Any]:
    """A node's members in that order; the node itself where they are."""
    elements = in_order(node)
    return node if elements == list(node) else {element: node[element] for element in elements}


def render(element: str) -> str:
    """An element as messages show it: `.image`, `[name="web"]`, `[="x"]`, `[0]`."""
    kind, rest = element[:1], element[2:]
    match kind:
        case "f":
            return f".{rest}"
        case "k":
            return "[" + ",".join(f"{key}={_json(value)}" for key, value in sorted(_decode(rest).items())) + "]"
        case "v":
            return f"[={_json(_decode(rest))}]"
        case _:
            return f"[{rest}]"


def _json(value: Any) -> str:
    return _encode(value).decode()


@lru_cache(maxsize=8192)
def _rank(element: str) -> tuple[int, Any]:
    kind, rest = element[:1], element[2:]
    match kind:
        case "f":
            return 1, rest
        case "k":
            return 2, [(key, _value_rank(value)) for key, value in sorted(_decode(rest).items())]
        case "v":
            return 3, _value_rank(_decode(rest))
        case "i":
            return 4, int(rest)
        case _:
            return 0, rest


def _value_rank(value: Any) -> tuple[int, Any]:
    """Numbers by value, then strings, then the rest by its JSON."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 2, _json(value)
    return (1, value) if isinstance(value, str) else (0, value)
