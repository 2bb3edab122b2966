"""JSON patches: a list of operations on places that pointers name (RFC 6902, RFC 6901).

The document is copied once and then changed in place; the copy is thrown away when an operation fails.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from apimachinery.patches.common import PatchError, PatchFormatError, bounded_depth, copied, equal

MAX_OPERATIONS = 10_000
MAX_COPIED_BYTES = 3 << 20


@bounded_depth
def json_patch(document: Any, operations: Sequence[Any]) -> Any:
    """The document after all operations (RFC 6902), or PatchError when one of them does not apply.

    At most 10,000 operations, and at most 3 MiB copied by `copy` operations.
    """
    if not isinstance(operations, list | tuple):
        raise PatchFormatError("a JSON patch is a list of operations")
    if len(operations) > MAX_OPERATIONS:
        raise PatchFormatError(f"a JSON patch may have at most {MAX_OPERATIONS} operations, got {len(operations)}")
    state = _JsonDocument(copied(document))
    for index, operation in enumerate(operations):
        if not isinstance(operation, Mapping):
            raise PatchFormatError(f"operation {index} is no object")
        _operate(state, operation, index)
    return state.root


class _JsonDocument:
    """A private copy under change, addressed by pointers."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self.copied_bytes = 0

    def get(self, pointer: str) -> Any:
        value = self.root
        for token in _tokens(pointer):
            value = _child(value, token, pointer)
        return value

    def add(self, pointer: str, value: Any) -> None:
        if pointer == "":
            self.root = value
            return
        parent, token = self._parent(pointer)
        if isinstance(parent, dict):
            parent[token] = value
        elif isinstance(parent, list):
            parent.insert(len(parent) if token == "-" else _index(token, len(parent), pointer), value)
        else:
            raise PatchError(f"the parent of {pointer!r} holds neither fields nor elements")

    def remove(self, pointer: str) -> Any:
        value = self.get(pointer)
        if pointer == "":
            self.root = None
            return value
        parent, token = self._parent(pointer)
        del parent[token if isinstance(parent, dict) else int(token)]
        return value

    def replace(self, pointer: str, value: Any) -> None:
        self.get(pointer)
        if pointer == "":
            self.root = value
            return
        parent, token = self._parent(pointer)
        parent[token if isinstance(parent, dict) else int(token)] = value

    def copy(self, source: str) -> Any:
        value = self.get(source)
        self.copied_bytes += len(msgspec.json.encode(value))
        if self.copied_bytes > MAX_COPIED_BYTES:
            raise PatchError(f"the copy operations of the patch copy more than {MAX_COPIED_BYTES} bytes")
        return copied(value)

    def _parent(self, pointer: str) -> tuple[Any, str]:
        tokens = _tokens(pointer)
        parent = self.root
        for token in tokens[:-1]:
            parent = _child(parent, token, pointer)
        return parent, tokens[-1]


def _operate(document: _JsonDocument, operation: Mapping[str, Any], index: int) -> None:
    name, path = operation.get("op"), _pointer(operation, "path", index)
    match name:
        case "add":
            document.add(path, copied(_value(operation, index)))
        case "remove":
            document.remove(path)
        case "replace":
            document.replace(path, copied(_value(operation, index)))
        case "move":
            source = _pointer(operation, "from", index)
            if path.startswith(source + "/"):
                raise PatchError(f"operation {index}: cannot move {source!r} into itself")
            document.add(path, document.remove(source))
        case "copy":
            document.add(path, document.copy(_pointer(operation, "from", index)))
        case "test":
            if not equal(document.get(path), _value(operation, index)):
                raise PatchError(f"testing value {path} failed: operation {index} found another value")
        case _:
            raise PatchFormatError(f"operation {index}: unknown op {name!r}")


def _pointer(operation: Mapping[str, Any], member: str, index: int) -> str:
    pointer = operation.get(member)
    if not isinstance(pointer, str):
        raise PatchFormatError(f"operation {index}: {member!r} must be a JSON pointer")
    if pointer and not pointer.startswith("/"):
        raise PatchFormatError(f"operation {index}: JSON pointer {pointer!r} must begin with a slash")
    return pointer


def _value(operation: Mapping[str, Any], index: int) -> Any:
    if "value" not in operation:
        raise PatchFormatError(f"operation {index}: {operation['op']!r} needs a value")
    return operation["value"]


def _tokens(pointer: str) -> list[str]:
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def _child(parent: Any, token: str, pointer: str) -> Any:
    if isinstance(parent, dict):
        if token not in parent:
            raise PatchError(f"the path {pointer!r} does not exist: no field {token!r}")
        return parent[token]
    if isinstance(parent, list):
        return parent[_index(token, len(parent) - 1, pointer)]
    raise PatchError(f"the path {pointer!r} does not exist: {token!r} is below a scalar")


def _index(token: str, largest: int, pointer: str) -> int:
    if not (token.isascii() and token.isdigit()) or (len(token) > 1 and token[0] == "0"):
        raise PatchError(f"the path {pointer!r} does not exist: {token!r} is no index of a list")
    if len(token) > 9 or int(token) > largest:
        raise PatchError(f"the path {pointer!r} does not exist: index {token} is out of bounds")
    return int(token)
