"""Objects from YAML and JSON text, with the file, document and line that each came from.

YAML is read as Kubernetes' own tools read it, YAML 1.1: plain `yes`, `no`, `on` and `off` are booleans (quote them where a
string is meant), `0644` and `0o644` are octal, keys are turned into strings; but a date stays the string it is, and there are
no base-60 numbers. Refused, always with the line: a key given twice, tags, NaN and infinity, anchors that contain themselves,
and aliases that would blow the document up.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from kctl.errors import KctlError

MAX_NODES = 500_000
"""How many values one document may have once its aliases are expanded."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STRING, _MERGE = "tag:yaml.org,2002:str", "<<"
_TRUE = re.compile(r"^(?:true|True|TRUE|yes|Yes|YES|on|On|ON)$")
_FALSE = re.compile(r"^(?:false|False|FALSE|no|No|NO|off|Off|OFF)$")
_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
_INT = re.compile(r"^[-+]?(?:0|0b[01_]*[01]|0o[0-7_]*[0-7]|0[0-7_]*[0-7]|0x[0-9a-fA-F_]*[0-9a-fA-F]|[1-9][0-9_]*)$")
_FLOAT = re.compile(r"^[-+]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][-+]?\d+)?$")
_NOT_FINITE = re.compile(r"^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$")


class ManifestError(KctlError):
    """The text is no object; the message names file, document and line."""


@dataclass(frozen=True)
class Document:
    """One document: its plain data, its source's name and its place there (from 1, of `total`)."""

    body: Any
    source: str
    index: int = 1
    total: int = 1

    @property
    def place(self) -> str:
        """`"web.yaml"`, or `"web.yaml" (document 2)` where there are several."""
        return f'"{self.source}"' if self.total == 1 else f'"{self.source}" (document {self.index})'


def parse(text: str, source: str) -> list[Document]:
    """All documents that are not empty; raises ManifestError."""
    bodies = [(index, body) for index, body in enumerate(_bodies(text, source), 1) if body is not None]
    return [Document(body, source, index, len(bodies)) for index, body in bodies]


def objects(documents: Sequence[Document]) -> Iterator[Document]:
    """Documents that are objects, those of a List one by one; raises ManifestError for anything else."""
    for document in documents:
        body = document.body
        if not isinstance(body, dict):
            raise ManifestError(f"error parsing {document.place}: expected an object, found {_kind_of(body)}")
        for key in ("apiVersion", "kind"):
            if not isinstance(body.get(key), str) or not body[key]:
                raise ManifestError(f"error validating {document.place}: {key} not set")
        if body["kind"].endswith("List") and isinstance(body.get("items"), list):
            items = [Document(item, document.source, document.index, document.total) for item in body["items"]]
            yield from objects(items)
            continue
        metadata = body.get("metadata")
        if metadata is not None and not isinstance(metadata, dict):
            raise ManifestError(f"error parsing {document.place}: metadata: expected an object, found {_kind_of(metadata)}")
        yield document


def _bodies(text: str, source: str) -> Iterator[Any]:
    if text.lstrip()[:1] == "{":
        try:
            yield from _json_bodies(text, source)
            return
        except json.JSONDecodeError:
            pass  # YAML's flow style looks like JSON too; its reader says what is wrong
    yield from _yaml_bodies(text, source)


def _json_bodies(text: str, source: str) -> list[Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            raise ManifestError(f'error parsing {source}: key "{twice}" is given twice')
        return result

    def not_finite(name: str) -> Any:
        raise ManifestError(f"error parsing {source}: {name} is no JSON number")

    decoder, bodies, position = json.JSONDecoder(object_pairs_hook=unique, parse_constant=not_finite), [], 0
    try:
        while position < len(text):
            if text[position].isspace():
                position += 1
                continue
            body, position = decoder.raw_decode(text, position)
            bodies.append(body)
    except RecursionError as error:
        raise ManifestError(f"error parsing {source}: nested too deeply") from error
    return bodies


def _yaml_bodies(text: str, source: str) -> Iterator[Any]:
    try:
        loader = _Loader(text)
    except yaml.YAMLError as error:
        raise ManifestError(f"error parsing {source}: {error}") from error
    index = 0
    try:
        while loader.check_node():
            index += 1
            node = loader.get_node()
            yield None if node is None else _Builder(source, index).build(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f": line {mark.line + 1}" if mark else ""
        raise ManifestError(
            f"error parsing {source}: error converting YAML to JSON: yaml: document {max(index, 1)}{line}: {error.problem}"
        ) from error
    except yaml.YAMLError as error:
        raise ManifestError(f"error parsing {source}: error converting YAML to JSON: yaml: {error}") from error
    except RecursionError as error:
        raise ManifestError(f"error parsing {source}: nested too deeply") from error
    finally:
        loader.dispose()


class _Builder:
    """Turns one document's nodes into plain data, counting what aliases multiply."""

    def __init__(self, source: str, document: int) -> None:
        self._where = f"error parsing {source}: error converting YAML to JSON: yaml: document {document}"
        self._count = 0
        self._open: set[int] = set()

    def build(self, node: yaml.Node) -> Any:
        self._count += 1
        if self._count > MAX_NODES:
            raise self._error(node, f"more than {MAX_NODES} values; aliases are expanded too often")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self._open:
            raise self._error(node, "an anchor contains itself")
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                self._check_tag(node, "tag:yaml.org,2002:seq")
                return [self.build(child) for child in node.value]
            self._check_tag(node, "tag:yaml.org,2002:map")
            return self._mapping(node)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: Any) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(key_node, "a key must be a plain value")
            if key_node.value == _MERGE and key_node.style is None:
                self._merge(merged, value_node)
                continue
            key = _key_text(self._scalar(key_node))
            if key in result:
                raise self._error(key_node, f'key "{key}" already set in map')
            result[key] = self.build(value_node)
        return {**merged, **result} if merged else result

    def _merge(self, merged: dict[str, Any], node: yaml.Node) -> None:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            value = self.build(source)
            if not isinstance(value, dict):
                raise self._error(source, "map merge requires map or sequence of maps as the value")
            for key, item in value.items():
                merged.setdefault(key, item)

    def _scalar(self, node: Any) -> Any:
        text: str = node.value
        if node.style is not None:
            self._check_tag(node, _STRING)
            return text
        if node.tag == _STRING and _explicit(node):
            return text
        if node.tag and not node.tag.startswith("tag:yaml.org,2002:"):
            raise self._error(node, f"tag {node.tag} is not supported")
        if _NOT_FINITE.match(text):
            raise self._error(node, f"{text} cannot be written as JSON")
        return plain_scalar(text)

    def _check_tag(self, node: Any, expected: str) -> None:
        if node.tag != expected:
            raise self._error(node, f"tag {node.tag} is not supported")

    def _error(self, node: yaml.Node, problem: str) -> ManifestError:
        line = node.start_mark.line + 1 if node.start_mark else 0
        return ManifestError(f"{self._where}: line {line}: {problem}")


def plain_scalar(text: str) -> Any:
    """What an unquoted YAML scalar stands for."""
    if _NULL.match(text):
        return None
    if _TRUE.match(text):
        return True
    if _FALSE.match(text):
        return False
    if _INT.match(text):
        return _integer(text.replace("_", ""))
    if _FLOAT.match(text) and any(character.isdigit() for character in text):
        return _number(float(text.replace("_", "")), text)
    return text


def _number(value: float, text: str) -> float | int | str:
    """A float, an integer when it is one (JSON of `1e3` is `1000`), the text when it is beyond any float."""
    if not math.isfinite(value):
        return text
    return int(value) if value.is_integer() and abs(value) < 1 << 53 else value


def _integer(text: str) -> int:
    sign = -1 if text[0] == "-" else 1
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        return sign * int(digits, 8)
    return sign * int(digits, 0)


def _explicit(node: Any) -> bool:
    """Whether `!!str` was written: a plain scalar that resolves to something else, and yet is tagged as a string."""
    return bool(plain_scalar(node.value) != node.value and node.end_mark.column - node.start_mark.column > len(node.value))


def _key_text(key: Any) -> str:
    if isinstance(key, bool):
        return str(key).lower()
    return "null" if key is None else str(key)


def _kind_of(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "nothing")
