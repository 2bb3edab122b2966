"""Objects from YAML and JSON text, with the file, document and line that each came from.

YAML is read as Kubernetes' own tools read it, YAML 1.1: plain `yes`, `no`, `on` and `off` are booleans (quote them where a
string is meant), `0644` and `0o644` are octal, keys are turned into strings; but a date stays the string it is, and there are
no base-60 numbers. Refused, always with the line: a key given twice, tags, NaN and infinity, anchors that contain themselves,
and aliases that would blow the document up.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from apimachinery.yaml_text import plain_scalar
from kctl.errors import KctlError

MAX_NODES = 500_000
"""How many values one document may have once its aliases are expanded."""

MAX_DEPTH = 200
"""How deep a document may be nested; no kind comes near it."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STRING, _MERGE = "tag:yaml.org,2002:str", "<<"
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
        while not loader.check_event(yaml.StreamEndEvent):
            if not isinstance(loader.get_event(), yaml.DocumentStartEvent):
                continue  # the stream's start, a document's end
            index += 1
            yield _Builder(loader, source, index).build()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f": line {mark.line + 1}" if mark else ""
        raise ManifestError(
            f"error parsing {source}: error converting YAML to JSON: yaml: document {max(index, 1)}{line}: {error.problem}"
        ) from error
    except yaml.YAMLError as error:
        raise ManifestError(f"error parsing {source}: error converting YAML to JSON: yaml: {error}") from error
    finally:
        loader.dispose()


class _Builder:
    """Turns one document's events into plain data, counting depth and what aliases multiply.

    It reads events, not PyYAML's nodes: libyaml's composer overflows the stack on deep nesting and takes the process with it.
    """

    def __init__(self, loader: Any, source: str, document: int) -> None:
        self._loader = loader
        self._where = f"error parsing {source}: error converting YAML to JSON: yaml: document {document}"
        self._count = 0
        self._depth = 0
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._open: set[str] = set()

    def build(self) -> Any:
        """The next value."""
        event = self._loader.get_event()
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before = self._count
        self._add(event, 1)
        anchor = event.anchor
        if anchor:
            self._open.add(anchor)
        value = self._scalar(event) if isinstance(event, yaml.ScalarEvent) else self._collection(event)
        if anchor:
            self._open.discard(anchor)
            self._anchors[anchor] = (value, self._count - before)
        return value

    def _collection(self, event: Any) -> Any:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(event, "nested too deeply")
        if isinstance(event, yaml.SequenceStartEvent):
            self._check_tag(event, "tag:yaml.org,2002:seq")
            value: Any = []
            while not self._loader.check_event(yaml.SequenceEndEvent):
                value.append(self.build())
        else:
            self._check_tag(event, "tag:yaml.org,2002:map")
            value = self._mapping()
        self._loader.get_event()
        self._depth -= 1
        return value

    def _mapping(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while not self._loader.check_event(yaml.MappingEndEvent):
            event = self._loader.peek_event()
            if not isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
                raise self._error(event, "a key must be a plain value")
            if isinstance(event, yaml.ScalarEvent) and event.value == _MERGE and not event.style:
                self._loader.get_event()
                self._merge(merged, event)
                continue
            key = self.build()
            if isinstance(key, dict | list):
                raise self._error(event, "a key must be a plain value")
            key = _key_text(key)
            if key in result:
                raise self._error(event, f'key "{key}" already set in map')
            result[key] = self.build()
        return {**merged, **result} if merged else result

    def _merge(self, merged: dict[str, Any], event: Any) -> None:
        value = self.build()
        for source in value if isinstance(value, list) else [value]:
            if not isinstance(source, dict):
                raise self._error(event, "map merge requires map or sequence of maps as the value")
            for key, item in source.items():
                merged.setdefault(key, item)

    def _alias(self, event: Any) -> Any:
        if event.anchor in self._open:
            raise self._error(event, "an anchor contains itself")
        if event.anchor not in self._anchors:
            raise self._error(event, f"unknown anchor {event.anchor!r} referenced")
        value, count = self._anchors[event.anchor]
        self._add(event, count)
        return value

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if event.tag == _STRING or event.tag == "!":
            return text
        if event.tag:
            raise self._error(event, f"tag {event.tag} is not supported")
        if event.style:  # quoted, or a block
            return text
        if _NOT_FINITE.match(text):
            raise self._error(event, f"{text} cannot be written as JSON")
        return plain_scalar(text)

    def _add(self, event: Any, count: int) -> None:
        self._count += count
        if self._count > MAX_NODES:
            raise self._error(event, f"more than {MAX_NODES} values; aliases are expanded too often")

    def _check_tag(self, event: Any, expected: str) -> None:
        if event.tag not in (None, "!", expected):
            raise self._error(event, f"tag {event.tag} is not supported")

    def _error(self, event: Any, problem: str) -> ManifestError:
        line = event.start_mark.line + 1 if event.start_mark else 0
        return ManifestError(f"{self._where}: line {line}: {problem}")


def _key_text(key: Any) -> str:
    if isinstance(key, bool):
        return str(key).lower()
    return "null" if key is None else str(key)


def _kind_of(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "nothing")
