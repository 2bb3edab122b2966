"""`-o custom-columns=NAME:.metadata.name,IMAGE:.spec.containers[*].image`: columns of the user's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apimachinery import jsonpath
from kctl.errors import KctlError


@dataclass(frozen=True)
class CustomColumn:
    """A header, and the parsed template that fills it."""

    header: str
    template: tuple[jsonpath.Node, ...]


def parse(spec: str) -> list[CustomColumn]:
    """The columns of `HEADER:PATH,...`; raises KctlError."""
    if not spec:
        raise KctlError("custom-columns format specified but no custom columns given")
    columns = []
    for part in _split(spec):
        header, colon, path = part.partition(":")
        if not colon:
            raise KctlError(f"unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>")
        columns.append(CustomColumn(header, _template(path)))
    return columns


def parse_file(text: str) -> list[CustomColumn]:
    """The columns of a template file: a line of headers and a line of paths."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    if len(rows) < 2 or len(rows[0]) != len(rows[1]):
        raise KctlError("a custom-columns file has one line of headers and one of as many paths")
    return [CustomColumn(header, _template(path)) for header, path in zip(rows[0], rows[1], strict=True)]


def rows(columns: Sequence[CustomColumn], objects: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """A row of cells for each object; `<none>` where a path leads nowhere."""
    return [[_cell(jsonpath.find(column.template, obj)) for column in columns] for obj in objects]


def _cell(values: Sequence[Any]) -> str:
    return ",".join("<none>" if value is None else jsonpath.value_text(value) for value in values) or "<none>"


def _template(path: str) -> tuple[jsonpath.Node, ...]:
    try:
        return jsonpath.parse(jsonpath.relaxed(path))
    except jsonpath.JsonPathError as error:
        raise KctlError(str(error)) from error


def _split(spec: str) -> list[str]:
    """Split at the commas that stand outside brackets and quotes."""
    parts, depth, quote, start = [], 0, "", 0
    for position, character in enumerate(spec):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[(":
            depth += 1
        elif character in "])":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(spec[start:position])
            start = position + 1
    return [*parts, spec[start:]]
