"""What all kinds are made of: the Struct base, scalar aliases and the marks that steer merging.

`omit_defaults` leaves out what was not given, as `omitempty` does in Kubernetes; a field that Kubernetes always writes has a
default factory that msgspec does not recognise as a default, so it is always written. The garbage collector need not track
these objects (`gc=False`): they form trees.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import msgspec

_SECOND = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"

Int32: TypeAlias = Annotated[int, msgspec.Meta(ge=-(1 << 31), le=(1 << 31) - 1)]
"""A whole number; decoding refuses what 32 bits do not hold."""

Int64: TypeAlias = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
"""A whole number; decoding refuses what 64 bits do not hold."""

Time: TypeAlias = Annotated[str, msgspec.Meta(pattern=_SECOND + "Z$")]
"""RFC 3339 in UTC with whole seconds, `2026-01-31T12:00:00Z`; decoding brings other forms into this one, or refuses them."""

MicroTime: TypeAlias = Annotated[str, msgspec.Meta(pattern=_SECOND + r"\.[0-9]{6}Z$", title="MicroTime")]
"""RFC 3339 in UTC with microseconds, `2026-01-31T12:00:00.000000Z`; decoded like `Time`."""

Quantity: TypeAlias = str | int | float
"""A resource quantity (`100m`, `1Gi`, `2`); the API server stores its canonical string."""

IntOrString: TypeAlias = Int32 | str
"""A number, or a name or percentage in its place."""

FreeForm: TypeAlias = Any
"""JSON that the API does not look into."""


@dataclass(frozen=True)
class Merge:
    """How patches merge a field: a strategic merge patch reads `patch` and `merge_key`, server-side apply the rest.

    patch: "", "merge", "retainKeys", "merge,retainKeys" or "replace"; list_type: "", "atomic", "set" or "map"; map_type: "",
    "atomic" or "granular".
    Source: the `x-kubernetes-*` extensions of Kubernetes' OpenAPI document.
    """

    patch: str = ""
    merge_key: str = ""
    list_type: str = ""
    keys: tuple[str, ...] = ()
    map_type: str = ""


class Base(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False, rename="camel"):
    """A part of an object."""


def required_list() -> list[Any]:
    """An empty list that is written even when it stays empty."""
    return []


def required_map() -> dict[str, Any]:
    """An empty map that is written even when it stays empty."""
    return {}


def constant(value: str) -> Callable[[], str]:
    """A factory for a field that is written whatever its value, such as apiVersion and kind."""
    return lambda: value
