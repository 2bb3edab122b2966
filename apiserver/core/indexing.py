"""What selectors need of a stored object, read from its bytes without decoding the rest.

For each resource a small Struct is made that has just the labels and the selectable fields; msgspec skips everything else in C.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from apimachinery import fields
from apimachinery.resources import Resource

Index = Callable[[bytes], tuple[Mapping[str, str], Mapping[str, str]]]


def index_for(resource: Resource) -> Index:
    """The function from stored bytes to (labels, selectable fields that are not empty); it raises msgspec.MsgspecError."""
    decoder = msgspec.json.Decoder(_partial(resource))
    extract = fields.extractor(resource)

    def index(stored: bytes) -> tuple[Mapping[str, str], Mapping[str, str]]:
        plain = msgspec.to_builtins(decoder.decode(stored))
        found = extract(plain)
        return plain["metadata"]["labels"], {path: value for path, value in found.items() if value}

    return index


def _partial(resource: Resource) -> type[msgspec.Struct]:
    tree: dict[str, Any] = {}
    for path in fields.read_paths(resource):
        _plant(tree, path.split("."))
    tree.setdefault("metadata", {})["labels"] = dict[str, str]
    return _struct(resource.kind, tree)


def _plant(tree: dict[str, Any], path: list[str]) -> None:
    head, *rest = path
    if rest:
        below = tree.setdefault(head, {})
        if isinstance(below, dict):
            _plant(below, rest)
    else:
        tree[head] = Any


def _struct(name: str, tree: Mapping[str, Any]) -> type[msgspec.Struct]:
    members: list[tuple[str, Any, Any]] = []
    for key, kind in tree.items():
        if isinstance(kind, dict):
            nested = _struct(name + key.capitalize(), kind)
            members.append((key, nested, msgspec.field(default_factory=nested)))
        elif kind is Any:
            members.append((key, Any, None))
        else:
            members.append((key, kind, msgspec.field(default_factory=dict)))
    return msgspec.defstruct(name, members, omit_defaults=False, gc=False)
