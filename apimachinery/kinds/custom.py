"""Objects of kinds that are defined at run time: metadata like any other object's, and whatever their schema has beside it.

In JSON what is in `content` stands beside metadata, which `codec` sees to. Who knows the schema of a kind derives a class from
`Custom`, which itself takes anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from apimachinery.kinds.object import Object

if TYPE_CHECKING:
    from apimachinery.resources import Resource

OBJECT_FIELDS = frozenset(("apiVersion", "kind", "metadata"))


class Custom(Object):
    """An object of any kind; `content` is what stands beside apiVersion, kind and metadata.

    A class that stands for one kind has its `row`, by which clients find it.
    """

    row: ClassVar[Resource]

    content: dict[str, Any] = {}

    @classmethod
    def pruned(cls, content: dict[str, Any]) -> Sequence[str]:
        """Drop from content, in place, what the kind does not have; the paths of what was dropped."""
        return ()
