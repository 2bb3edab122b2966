"""What the classes of the object model say about merging, read from their annotations once and cached.

Patches, and whoever else walks plain data beside a class (ownership of fields, schemas for clients), ask here instead of
looking into annotations themselves: `type_info(cls)` describes a class, `.field(name)` descends by wire names, and what no
class describes is FREE: maps merge, lists replace.
"""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from apimachinery.kinds.base import Merge


class Shape(Enum):
    """What stands at a place in an object."""

    SCALAR = "scalar"
    STRUCT = "struct"
    LIST = "list"
    MAP = "map"
    FREE = "free"


_NO_MARKS = Merge()


@dataclass(frozen=True)
class TypeInfo:
    """The type of one place.

    struct: the class of a STRUCT; element: of a LIST its elements, of a MAP its values; merge: the marks of the field that
    holds it.
    """

    shape: Shape
    struct: type[msgspec.Struct] | None = None
    element: "TypeInfo | None" = None
    merge: Merge = _NO_MARKS

    def field(self, name: str) -> "TypeInfo":
        """What stands below under this wire name; UNKNOWN for what no class describes."""
        if self.struct is not None:
            return merge_info(self.struct).get(name, UNKNOWN)
        return self.element or UNKNOWN if self.shape is Shape.MAP else UNKNOWN

    @property
    def merges(self) -> bool:
        """Whether a strategic merge patch merges this list instead of replacing it."""
        return "merge" in self.merge.patch.split(",")

    @property
    def replaced(self) -> bool:
        """Whether a strategic merge patch takes the object whole instead of merging it."""
        return self.merge.patch == "replace"

    @property
    def retains_keys(self) -> bool:
        """Whether a strategic merge patch names the keys that may stay (unions: one volume source replaces another)."""
        return "retainKeys" in self.merge.patch.split(",")


UNKNOWN = TypeInfo(Shape.FREE)
_SCALAR = TypeInfo(Shape.SCALAR)


@cache
def type_info(cls: type[msgspec.Struct]) -> TypeInfo:
    """The description of a whole class."""
    return TypeInfo(Shape.STRUCT, struct=cls)


@cache
def merge_info(cls: type[msgspec.Struct]) -> Mapping[str, TypeInfo]:
    """The fields of a class by wire name, each with its type and its merge marks."""
    hints = get_type_hints(cls, include_extras=True)
    return {
        wire_name: _describe(hints[attribute])
        for attribute, wire_name in zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True)
    }


def _describe(hint: Any, merge: Merge = _NO_MARKS) -> TypeInfo:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        marks = next((mark for mark in arguments[1:] if isinstance(mark, Merge)), merge)
        return _describe(arguments[0], marks)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return TypeInfo(Shape.STRUCT, struct=hint, merge=merge)
    if origin is list:
        return TypeInfo(Shape.LIST, element=_describe(arguments[0]), merge=merge)
    if origin is dict:
        return TypeInfo(Shape.MAP, element=_describe(arguments[1]), merge=merge)
    if origin in (Union, types.UnionType):
        options = [option for option in arguments if option is not type(None)]
        return _describe(options[0], merge) if len(options) == 1 else _SCALAR
    return UNKNOWN if hint is Any else _SCALAR
