"""Sets of field paths.

A set is kept as the tree that FieldsV1 writes: `{"f:spec": {"f:replicas": {}}}`. A node stands for a path; it is in the set
when it has no children or has the child `.`. Trees are never changed once they are in a FieldSet, so operations share what they
do not touch, and stored ownership needs no decoding. They have one spelling: members in the order in which Kubernetes writes
them, and never `.` alone. The functions on nodes keep to it; they return None for "nothing left".
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from apimachinery.apply.elements import SELF, normal, put_in_order, render

Node: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str, ...]

_LEAF: Node = {}
_SELF_ONLY = {SELF}


class FieldSet:
    """A set of field paths; immutable."""

    __slots__ = ("tree",)

    def __init__(self, tree: Mapping[str, Any] | None = None) -> None:
        """From a tree in that spelling; `decode` takes any other."""
        self.tree: Node = dict(tree) if tree else {}

    @classmethod
    def decode(cls, fields_v1: Any) -> "FieldSet":
        """From FieldsV1 as plain data; raises ValueError for what is malformed."""
        tree = _decoded(fields_v1)
        tree.pop(SELF, None)  # nobody owns an object as such
        return cls(tree)

    @classmethod
    def of_paths(cls, paths: Iterable[Path]) -> "FieldSet":
        result = cls()
        for path in paths:
            node = _LEAF
            for element in reversed(path):
                node = {element: node}
            result = result.union(cls(node))
        return result

    def encode(self) -> Node:
        """FieldsV1 as plain data, in the order in which Kubernetes writes it; not to be changed."""
        return self.tree

    def union(self, other: "FieldSet") -> "FieldSet":
        return FieldSet(united(self.tree, other.tree)) if self.tree and other.tree else (self if self.tree else other)

    def difference(self, other: "FieldSet") -> "FieldSet":
        """The paths that are not in `other`; paths below one that is in `other` stay."""
        return FieldSet(_minus_children(self.tree, other.tree)) if self.tree and other.tree else self

    def intersection(self, other: "FieldSet") -> "FieldSet":
        return FieldSet(_common_children(self.tree, other.tree))

    def without_subtrees(self, other: "FieldSet") -> "FieldSet":
        """The paths that are neither in `other` nor below one that is."""
        return FieldSet(_pruned_children(self.tree, other.tree)) if self.tree and other.tree else self

    def issubset(self, other: "FieldSet") -> bool:
        return _within(self.tree, other.tree)

    def paths(self) -> Iterator[Path]:
        return _paths(self.tree, ())

    def __contains__(self, path: Path) -> bool:
        node: Node | None = self.tree
        for element in path:
            node = node.get(element) if node is not None else None
        return bool(path) and node is not None and is_member(node)

    def __iter__(self) -> Iterator[Path]:
        return self.paths()

    def __bool__(self) -> bool:
        return bool(self.tree)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FieldSet) and self.tree == other.tree

    def __hash__(self) -> int:
        return hash(frozenset(self.paths()))

    def __repr__(self) -> str:
        return f"FieldSet({', '.join(sorted(map(path_text, self.paths())))})"


NO_FIELDS = FieldSet()


def path_text(path: Path) -> str:
    """A path as messages show it: `.spec.containers[name="web"].image`."""
    return "".join(map(render, path))


def is_member(node: Mapping[str, Any]) -> bool:
    """Whether the path of a node is itself in the set."""
    return not node or SELF in node


def united(left: Node, right: Node) -> Node:
    """The union of two nodes."""
    if left is right:
        return left
    if not left or not right:
        other = left or right
        return other if not other or SELF in other else {SELF: _LEAF, **other}
    result = dict(left)
    for element, node in right.items():
        mine = result.get(element)
        result[element] = node if mine is None else united(mine, node)
    return result if len(result) == len(left) else put_in_order(result)


def _within(node: Node, other: Node) -> bool:
    """Whether all that is below a node is below another one."""
    for element, child in node.items():
        if element == SELF:
            continue
        theirs = other.get(element)
        if theirs is None:
            return False
        if is_member(child) and not is_member(theirs):
            return False
        if child and not _within(child, theirs):
            return False
    return True


def minus(node: Node, other: Node) -> Node | None:
    """What a node has and another one has not."""
    if not node:
        return None if is_member(other) else node
    if not other:
        if SELF not in node:
            return node
        return {element: child for element, child in node.items() if element != SELF} or None
    left = _minus_children(node, other)
    return _LEAF if left.keys() == _SELF_ONLY else left or None


def _minus_children(node: Node, other: Node) -> Node:
    result: Node | None = None
    for element, theirs in other.items():
        child = node.get(element)
        left = minus(child, theirs) if child is not None else None
        if left is child:
            continue
        if result is None:
            result = dict(node)
        if left is None:
            del result[element]
        else:
            result[element] = left
    return node if result is None else result


def common(node: Node, other: Node) -> Node | None:
    """What two nodes both have."""
    if not node:
        return node if is_member(other) else None
    if not other:
        return _LEAF if is_member(node) else None
    both = _common_children(node, other)
    return _LEAF if both.keys() == _SELF_ONLY else both or None


def _common_children(node: Node, other: Node) -> Node:
    result = {}
    for element, theirs in other.items():
        child = node.get(element)
        both = common(child, theirs) if child is not None else None
        if both is not None:
            result[element] = both
    return result


def _pruned_children(node: Node, other: Node) -> Node:
    result = {}
    for element, child in node.items():
        theirs = other.get(element)
        if theirs is None:
            result[element] = child
        elif not is_member(theirs):
            left = _pruned_children(child, theirs)
            if left or not child:
                result[element] = _LEAF if left.keys() == _SELF_ONLY else left
    return result


def _paths(node: Node, path: Path) -> Iterator[Path]:
    for element, child in node.items():
        if element == SELF:
            continue
        below = (*path, element)
        if is_member(child):
            yield below
        yield from _paths(child, below)


def _decoded(plain: Any) -> Node:
    if not isinstance(plain, dict):
        raise ValueError("a set of fields is an object of objects")
    node = {normal(element): {} if element == SELF else _decoded(child) for element, child in plain.items()}
    return {} if node.keys() == _SELF_ONLY else put_in_order(node)
