"""Elements of lists that merge by key: which are the same one, and in which order they stand.

One key, the merge key, identifies an element, as in Kubernetes. Where that key stands twice in a list (a Service's port 53 over
UDP and over TCP) all of the list's keys decide, which keeps the two apart.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from apimachinery.kinds.base import Merge
from apimachinery.patches.common import PatchFormatError

_KEY_DEFAULTS = {"protocol": "TCP"}


class ListKeys:
    """Which elements of keyed lists are the same one: the merge key, or all list keys where that one is not unique."""

    def __init__(self, merge: Merge, lists: Iterable[Iterable[Any]]) -> None:
        self._names: tuple[str, ...] = (merge.merge_key,)
        self._only: str | None = merge.merge_key
        self._all = (merge.merge_key, *(key for key in merge.keys if key != merge.merge_key))
        if len(self._all) > 1 and any(self._repeats(items) for items in lists):
            self._names = self._all
        self._only = self._names[0] if len(self._names) == 1 else None
        self._nothing = (None,) * (len(self._names) - 1)

    def of(self, item: Any) -> tuple[Hashable, ...]:
        """The identity of an element; None stands for a further key that it does not give."""
        if self._only is not None and isinstance(item, dict):
            key = item.get(self._only)
            if isinstance(key, str):
                return (key,)
        if not isinstance(item, dict) or item.get(self._names[0]) is None:
            raise PatchFormatError(f"an element of the list lacks its merge key {self._names[0]!r}")
        identity = tuple(item.get(name, _KEY_DEFAULTS.get(name)) for name in self._names)
        if any(isinstance(part, dict | list) for part in identity):
            raise PatchFormatError(f"the merge key {self._names[0]!r} must be a scalar")
        return identity

    def index(self, items: Iterable[Any]) -> dict[tuple[Hashable, ...], int]:
        """Positions by identity, and by the merge key alone the first one's."""
        positions: dict[tuple[Hashable, ...], int] = {}
        for position, item in enumerate(items):
            self.extend(positions, item, position)
        return positions

    def extend(self, positions: dict[tuple[Hashable, ...], int], item: Any, position: int) -> None:
        identity = self.of(item)
        positions.setdefault(identity, position)
        positions.setdefault(identity[:1], position)

    def find(self, positions: Mapping[tuple[Hashable, ...], int], item: Any) -> int | None:
        identity = self.of(item)
        position = positions.get(identity)
        return positions.get(identity[:1]) if position is None and None in identity else position

    def without(self, items: Iterable[Any], deleted: Sequence[dict[str, Any]]) -> list[Any]:
        """The elements that no deletion means; a deletion may give fewer keys than the list has."""
        if not deleted:
            return list(items)
        gone = {tuple(entry.get(name) for name in self._names) for entry in deleted if self.of(entry)}
        return [item for item in items if gone.isdisjoint((self.of(item), (item[self._names[0]], *self._nothing)))]

    def resolved(self, wanted: Iterable[Any], merged: Sequence[Any]) -> dict[tuple[Hashable, ...], None]:
        """Identities of the elements that `wanted` names, in its order, as `merged` spells them."""
        positions = self.index(merged)
        found = (self.find(positions, item) for item in wanted)
        return dict.fromkeys(self.of(merged[position]) for position in found if position is not None)

    def named(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """The keys of an element, as directives give them."""
        return {name: item[name] for name in self._names if name in item}

    def describe(self, item: Mapping[str, Any]) -> str:
        return ", ".join(f"{name}={item.get(name)}" for name in self._names)

    def _repeats(self, items: Iterable[Any]) -> bool:
        seen = set()
        for item in items:
            identity = self.of(item)
            if identity in seen:
                return True
            seen.add(identity)
        return False


def ordered(
    merged: list[Any],
    wanted: Mapping[Any, None],
    original: Sequence[Any],
    identity: Callable[[Any], tuple[Hashable, ...]],
) -> list[Any]:
    """`merged` with the wanted elements in the wanted order; the others keep their place among what was there before them."""
    ranks = {key if isinstance(key, tuple) else (key,): rank for rank, key in enumerate(wanted)}
    before: dict[Hashable, int] = {}
    for position, item in enumerate(original):
        before.setdefault(identity(item), position)  # the first place of one that stands twice
    mine = sorted((item for item in merged if identity(item) in ranks), key=lambda item: ranks[identity(item)])
    others = deque(item for item in merged if identity(item) not in ranks)
    result: list[Any] = []
    for item in mine:
        place = before.get(identity(item), -1)
        while others and before.get(identity(others[0]), len(before)) < place:
            result.append(others.popleft())
        result.append(item)
    return [*result, *others]
