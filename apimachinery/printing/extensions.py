"""Tables of definitions, and of the custom resources that they define: additionalPrinterColumns, each filled by a JSONPath.

Source: the Kubernetes page on CustomResourceDefinitions, section "Additional printer columns".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from apimachinery import jsonpath
from apimachinery.printing.shape import AGE, NAME, Cell, Column, Plain, TableShape, age, name_of, since

DEFINITION = TableShape(
    (NAME, Column("Created At", type="date", description="When the definition was created.")),
    lambda obj, now: [name_of(obj), (obj.get("metadata") or {}).get("creationTimestamp")],
)


def custom_shape(columns: Sequence[Mapping[str, Any]]) -> TableShape:
    """The table of a version with these columns, as its definition has them; the name comes first, and the age where none is.

    Raises JsonPathError for columns that no API server would have taken.
    """
    if not columns:
        return TableShape((NAME, AGE), lambda obj, now: [name_of(obj), age(obj, now)])
    kinds = [column.get("type", "") for column in columns]
    paths = [jsonpath.parse(f"{{{column.get('jsonPath', '')}}}") for column in columns]

    def cells(obj: Plain, now: datetime) -> list[Cell]:
        return [name_of(obj), *(_cell(kind, jsonpath.find(path, obj), now) for kind, path in zip(kinds, paths, strict=True))]

    return TableShape((NAME, *map(_column, columns)), cells)


def _column(column: Mapping[str, Any]) -> Column:
    described = column.get("description") or f"Custom resource definition column (in JSONPath format): {column['jsonPath']}"
    return Column(column["name"], column["type"], column.get("format", ""), column.get("priority") or 0, described)


def _cell(kind: str, found: Sequence[Any], now: datetime) -> Cell:
    """What a path has found, as its column's type shows it; nothing for a value of another type."""
    if not found or found[0] is None:
        return None
    value = found[0]
    match kind:
        case "date":
            return _since(value, now)
        case "integer":
            return int(value) if _is_number(value) else None
        case "number":
            return value if _is_number(value) else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case _:
            return _text(value if len(found) == 1 else list(found))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _since(value: Any, now: datetime) -> Cell:
    try:
        return since(value, now) if isinstance(value, str) else "<unknown>"
    except ValueError:
        return "<invalid>"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
